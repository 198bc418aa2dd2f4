//! `cdc status`: asks a running pipeline how it goes.
//!
//! The pipeline answers at `[http] listen`; the request is one plain HTTP/1.0 GET,
//! so that the answer ends where the connection does.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use cdc_sdk::{Error, Kind, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::args::StatusArgs;
use super::outcome::Outcome;
use super::output;
use crate::config::Config;
use crate::observe::Status;

/// How long the answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// How often `--watch` asks.
const ASK_EVERY: Duration = Duration::from_secs(2);

/// Clears a terminal and puts the cursor at its top (ECMA-48, ED and CUP).
const CLEAR_SCREEN: &str = "\x1b[2J\x1b[H";

/// Prints the status once, or with `--watch` until the user ends it.
pub(super) async fn run(args: &StatusArgs) -> Result<Outcome> {
    let address = address(&args.config)?;
    if !args.watch {
        return output::text(&shown(&ask(address).await?, args.json)?);
    }
    loop {
        let text = match ask(address).await {
            Ok(body) => shown(&body, args.json)?,
            // It may come back: that is what one watches for.
            Err(error) => error.to_string(),
        };
        let clear = if args.json || !std::io::IsTerminal::is_terminal(&std::io::stdout()) {
            ""
        } else {
            CLEAR_SCREEN
        };
        output::text(&format!("{clear}{text}"))?;
        tokio::select! {
            () = sleep(ASK_EVERY) => {}
            _ = tokio::signal::ctrl_c() => return Ok(Outcome::Done),
        }
    }
}

/// Where the pipeline of this file listens.
fn address(file: &Path) -> Result<SocketAddr> {
    let listen = match Config::load(file)? {
        Config::Source(config) => config.http,
        Config::Sink(config) => config.http,
    };
    let address = listen.ok_or_else(|| {
        Error::new(Kind::Settings, format!("{}: there is no [http] to ask", file.display()))
            .hint("add [http] with listen = \"127.0.0.1:9101\" and start the pipeline again")
    })?;
    // One listens at every address, but connects to one.
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    Ok(SocketAddr::new(ip, address.port()))
}

fn shown(body: &str, json: bool) -> Result<String> {
    if json {
        return Ok(body.to_owned());
    }
    let status: Status = serde_json::from_str(body)
        .map_err(|e| Error::new(Kind::NoAnswer, "what answers at [http] listen is not cdc").caused_by(e))?;
    Ok(status.to_string())
}

/// The body of `/status`.
async fn ask(address: SocketAddr) -> Result<String> {
    let silent = |why: String| {
        Error::new(Kind::NoAnswer, format!("nothing answers at {address}"))
            .detail(why)
            .hint("the pipeline may not be running, or with other settings than these")
    };
    let answer = timeout(ANSWER_MAX, exchange(address)).await;
    let answer = answer.map_err(|_| silent(format!("no answer within {} s", ANSWER_MAX.as_secs())))?;
    let text = answer.map_err(|e| silent(e.to_string()))?;
    body(&text).map(str::to_owned).ok_or_else(|| silent("the answer is not one to GET /status".to_owned()))
}

async fn exchange(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /status HTTP/1.0\r\nHost: {address}\r\nAccept: application/json\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer).await?;
    Ok(answer)
}

/// What follows the head of a 200.
fn body(answer: &str) -> Option<&str> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let mut words = head.lines().next()?.split(' ');
    let http = words.next()?.starts_with("HTTP/1.");
    (http && words.next()? == "200").then_some(body)
}

#[cfg(test)]
mod tests;
