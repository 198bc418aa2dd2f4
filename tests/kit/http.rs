//! Asks a process what it says of itself over HTTP.

use std::io::{Read, Write};

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The code and the body of an answer; nothing where nobody answers.
pub fn get(port: u16, path: &str) -> Option<(u16, String)> {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// What `/status` says, `null` where nobody answers.
pub fn status(port: u16) -> serde_json::Value {
    get(port, "/status").and_then(|(_, body)| serde_json::from_str(&body).ok()).unwrap_or_default()
}
