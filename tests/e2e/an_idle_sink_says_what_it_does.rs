//! Where nothing changes no batch comes that would tell what a sink does: it says so itself, after a restart and after it
//! has taken over.

use std::io::{Read, Write};
use std::path::Path;

use crate::kit::{Options, Process, World, until};

/// A port that was free a moment ago.
fn port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The code and the body of an answer; nothing where nobody answers.
fn get(port: u16, path: &str) -> Option<(u16, String)> {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// Waits until a sink is in this state, and ready.
async fn is_in(port: u16, state: &str) {
    until(&format!("a sink that is {state}, and ready"), async || {
        let shown = get(port, "/status").map(|(_, body)| body).unwrap_or_default();
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap_or_default();
        shown["state"] == state && get(port, "/readyz").is_some_and(|(code, _)| code == 200)
    })
    .await;
}

/// A second sink of the name, at another port.
fn another(world: &World, from: u16, to: u16) -> Process {
    let settings = std::fs::read_to_string(world.file("sink.toml")).unwrap();
    let file = world.file("another.toml");
    std::fs::write(&file, settings.replace(&format!(":{from}"), &format!(":{to}"))).unwrap();
    Process::start(&["sink", "-c", &file], Path::new(&world.file("another.log")))
}

/// A first sink and a second one of its name: what both say, until the first has gone as `end` says, and after it.
async fn hands_over(name: &str, settings: &str, partitions: u32, end: fn(&mut Process)) {
    let (first, second) = (port(), port());
    let sink = format!("{settings}[http]\nlisten = \"127.0.0.1:{first}\"\n");
    let world = World::with(name, &Options { partitions, sink, ..Options::default() }).await;
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY, v INT);\nINSERT INTO t VALUES (1,1)").await;
    world.catch_up();
    let mut sink = world.start_sink(&[]);
    is_in(first, "streaming").await;
    let mut other = another(&world, first, second);
    is_in(second, "standby").await;
    end(&mut sink);
    is_in(second, "streaming").await;
    other.stop();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_sink_says_what_it_does() {
    hands_over("idle", "", Options::default().partitions, Process::kill).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gets_no_partition_stands_by() {
    let by_key = "[apply]\nconsistency = \"key\"\n";
    hands_over("idlekey", by_key, 1, Process::stop).await;
}
