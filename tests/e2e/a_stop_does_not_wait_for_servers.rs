//! A server that is away holds no stop up, and what is wrong is told long before it is given up.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::kit::{Options, Process, Server, World, until, until_within};

/// Brokers are waited for a minute, MySQL for 20 s.
const SECONDS: Duration = Duration::from_secs(9);

/// How long it may take until the first trouble is told.
const TOLD: Duration = Duration::from_secs(30);

/// A port that was free a moment ago: connections to it are refused.
fn closed() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn stops_soon(process: &mut Process) {
    let begun = Instant::now();
    process.stop();
    assert!(begun.elapsed() < SECONDS, "{:?}; the log says:\n{}", begun.elapsed(), process.log_tail());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_kafka_away() {
    let (of_source, of_sink) = (closed(), closed());
    let http = |address: &str| format!("[http]\nlisten = \"{address}\"\n");
    let options = Options {
        kafka: Some(closed()),
        source: http(&of_source),
        sink: http(&of_sink),
        ..Options::default()
    };
    let world = World::with("nokafka", &options).await;
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    for role in ["source", "sink"] {
        let mut process = world.start_with(role, &[], &[]);
        until_within(&format!("the {role} says what it waits for"), TOLD, async || {
            let (_, text) = world.cdc(&["status", "-c", &world.file(&format!("{role}.toml"))]);
            text.contains("state      starting") && text.contains("error[E030]") && text.contains("refused")
        })
        .await;
        assert!(process.log_tail().contains("waiting for Kafka"), "{}", process.log_tail());
        stops_soon(&mut process);
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_mysql_that_says_nothing() {
    let world = World::new("nomysql").await;
    for role in ["source", "sink"] {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let (source, dest) = world.servers();
        let port = |server: &str| format!("port = {}\n", server.rsplit_once(':').unwrap().1);
        let (now, then) = (port(if role == "source" { source } else { dest }), silent.local_addr().unwrap());
        world.edit(&format!("{role}.toml"), &now, &port(&then.to_string()));
        silent.set_nonblocking(true).unwrap();
        let mut process = world.start_with(role, &[], &[]);
        let mut held = Vec::new();
        until(&format!("the {role} connects"), async || {
            held.extend(silent.accept());
            !held.is_empty()
        })
        .await;
        stops_soon(&mut process);
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_destination_that_goes_silent() {
    let server = Server::start("silent", &[]);
    let options = Options { dest_server: Some(server.address.clone()), ..Options::default() };
    let world = World::with("silent", &options).await;
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY);\nINSERT INTO t VALUES (1)").await;
    let (mut source, mut sink) = (world.start_source(&[]), world.start_sink(&[]));
    world.until_dest("SELECT COUNT(*) FROM t", 1).await;
    server.signal("STOP");
    world.source_sql("INSERT INTO t VALUES (2)").await;
    stops_soon(&mut sink);
    server.signal("CONT");
    let mut sink = world.start_sink(&[]);
    world.until_dest("SELECT COUNT(*) FROM t", 2).await;
    sink.stop();
    source.stop();
    world.end().await;
}
