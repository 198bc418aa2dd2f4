//! Where nothing changes nothing comes that would tell what a process does: it says so itself, after a restart and after it
//! has taken over, with the memory that it uses.

use std::path::Path;

use crate::kit::{Options, Process, World, http, until};

/// Waits until a process is in this state, and ready.
async fn is_in(port: u16, state: &str) {
    until(&format!("a process that is {state}, and ready"), async || {
        let shown = http::status(port);
        let resident = shown["memory"]["resident_bytes"].as_u64();
        // Other systems do not tell.
        let is_told = resident > Some(1 << 20) || !cfg!(target_os = "linux");
        shown["state"] == state && is_told && http::get(port, "/readyz").is_some_and(|(code, _)| code == 200)
    })
    .await;
}

/// A second process of the name, at another port.
fn another(world: &World, role: &str, from: u16, to: u16) -> Process {
    let settings = std::fs::read_to_string(world.file(&format!("{role}.toml"))).unwrap();
    let file = world.file("another.toml");
    std::fs::write(&file, settings.replace(&format!(":{from}"), &format!(":{to}"))).unwrap();
    Process::start(&[role, "-c", &file], Path::new(&world.file("another.log")))
}

/// A first process and a second one of its name: what both say, until the first has gone as `end` says, and after it.
async fn hands_over(name: &str, role: &str, settings: &str, partitions: u32, end: fn(&mut Process)) {
    let (first, second) = (http::free_port(), http::free_port());
    let settings = format!("{settings}[http]\nlisten = \"127.0.0.1:{first}\"\n");
    let mut options = Options { partitions, ..Options::default() };
    *(if role == "source" { &mut options.source } else { &mut options.sink }) = settings;
    let world = World::with(name, &options).await;
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY, v INT);\nINSERT INTO t VALUES (1,1)").await;
    world.catch_up();
    let mut one = world.start_with(role, &[], &[]);
    is_in(first, "streaming").await;
    let mut other = another(&world, role, first, second);
    is_in(second, "standby").await;
    end(&mut one);
    is_in(second, "streaming").await;
    other.stop();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_sink_says_what_it_does() {
    hands_over("idle", "sink", "", Options::default().partitions, Process::kill).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gets_no_partition_stands_by() {
    let by_key = "[apply]\nconsistency = \"key\"\n";
    hands_over("idlekey", "sink", by_key, 1, Process::stop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_stands_by_says_so() {
    hands_over("idlesource", "source", "", Options::default().partitions, Process::kill).await;
}
