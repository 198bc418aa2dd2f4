//! A disk is full for a while: the broker's, which ends for it, and the destination's,
//! which refuses rows. Nothing is lost or applied in half; the sink says whose disk it is.

use std::time::{Duration, Instant};

use super::fault::Fault::{self, DiskFull};
use super::own::{Own, Part};
use super::{disk, topics};
use crate::kit::{self, Options, World};

/// Whose disks may be full, in long runs.
pub const FAULTS: &[Fault] = &[DiskFull(Part::Broker), DiskFull(Part::Dest)];

/// Rows of one transaction, a KiB each.
const ROWS: u32 = 500;

#[tokio::test(flavor = "multi_thread")]
async fn a_full_destination_is_named_and_goes_on() {
    if !disk::can_be_had() {
        return;
    }
    let mut dest = tokio::task::block_in_place(|| Own::start("full", Part::Dest, &[]));
    let options = Options { dest_server: Some(dest.address().to_owned()), ..Options::default() };
    let world = World::with("full", &options).await;
    world.dest_sql(&format!("CREATE DATABASE `{}`", world.name)).await;
    dest.put_on_disk(&world.name, 24);
    create(&world).await;
    world.catch_up();
    // First there is no room for a table, then for rows.
    dest.disk().unwrap().fill();
    let mut source = world.start_source(&[]);
    let mut sink = world.start_sink(&[]);
    write(&world).await;
    kit::until("the sink says so", async || sink.log_tail().contains("error[E017]: CREATE TABLE")).await;
    dest.disk().unwrap().free();
    world.until_dest("SELECT COUNT(*) FROM big", ROWS.into()).await;
    dest.disk().unwrap().fill();
    while !sink.log_tail().contains("error[E017]: rows of") {
        write(&world).await;
        assert_whole(&world).await;
        sink.assert_alive();
    }
    let log = sink.log_tail();
    assert!(log.contains("is full") && log.contains("make room on the destination's disk"), "{log}");
    assert_whole(&world).await;
    dest.disk().unwrap().free();
    world.until_equal().await;
    [&mut source, &mut sink].into_iter().for_each(kit::Process::stop);
    world.end().await;
}

async fn create(world: &World) {
    world
        .source_sql(
            "CREATE TABLE big (id INT AUTO_INCREMENT PRIMARY KEY, pad VARCHAR(1100));\n\
             CREATE TABLE made (id INT AUTO_INCREMENT PRIMARY KEY, n INT)",
        )
        .await;
}

/// One transaction in two tables: whoever sees both sees that they fit.
async fn write(world: &World) {
    world
        .source_sql(&format!(
            "BEGIN;\nINSERT INTO made (n) VALUES ({ROWS});\nINSERT INTO big (pad) WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < {ROWS}) \
             SELECT REPEAT('x', 1024) FROM s;\nCOMMIT"
        ))
        .await;
}

async fn assert_whole(world: &World) {
    let sql = "SELECT (SELECT COUNT(*) FROM big) - (SELECT COALESCE(SUM(n), 0) FROM made)";
    assert_eq!(world.dest_number(sql).await, Some(0), "half a transaction is at the destination");
}

/// How long a broker may take to end when it cannot write.
const BROKER_ENDS: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_full_broker_ends_and_nothing_is_lost_or_twice() {
    if !disk::can_be_had() {
        return;
    }
    let broker = tokio::task::block_in_place(|| Own::start_on_disk("full", Part::Broker, &[], 96));
    let options = Options { kafka: Some(broker.address().to_owned()), ..Options::default() };
    let world = World::with("fullbroker", &options).await;
    world.source_sql("CREATE TABLE side (id INT AUTO_INCREMENT PRIMARY KEY, pad VARCHAR(100))").await;
    world.catch_up();
    let (mut source, mut sink) = (world.start_source(&[]), world.start_sink(&[]));
    let mut rows = 0;
    while rows < 200 || world.dest_number("SELECT COUNT(*) FROM side").await < Some(100) {
        rows += insert(&world).await;
    }
    broker.disk().unwrap().fill();
    let begun = Instant::now();
    while !broker.has_ended() {
        rows += insert(&world).await;
        assert!(begun.elapsed() < BROKER_ENDS, "the broker lives on without room");
    }
    // A source that dies meanwhile finds what it had published, and no more.
    source.kill();
    source = world.start_source(&[]);
    broker.disk().unwrap().free();
    tokio::task::block_in_place(|| {
        broker.kill();
        broker.again();
    });
    rows += insert(&world).await;
    world.until_equal().await;
    let (_, seen) = topics::read(&world).await;
    assert_eq!(seen.len(), rows, "rows in Kafka, and inserted");
    let twice = seen.iter().find(|(_, changes)| changes.len() != 1);
    assert!(twice.is_none(), "not there once: {twice:?}");
    [&mut source, &mut sink].into_iter().for_each(kit::Process::stop);
    world.end().await;
}

/// Returns how many rows.
async fn insert(world: &World) -> usize {
    world.source_sql("INSERT INTO side (pad) VALUES ('a'),('b'),('c'),('d')").await;
    4
}

/// What MySQL does when its binlog finds the disk full: it waits, and tells nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_waits_for_room_is_spoken_of() {
    if !disk::can_be_had() {
        return;
    }
    let folder =
        std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("log-{}", std::process::id()));
    let log = disk::Disk::mount(&folder, 16);
    let settings = [format!("--log-bin={}/binlog", folder.display())];
    let dest = tokio::task::block_in_place(|| Own::start("logfull", Part::Dest, &settings));
    let options = Options { dest_server: Some(dest.address().to_owned()), ..Options::default() };
    let world = World::with("logfull", &options).await;
    create(&world).await;
    world.catch_up();
    let (mut source, mut sink) = (world.start_source(&[]), world.start_sink(&[]));
    write(&world).await;
    world.until_dest("SELECT COUNT(*) FROM big", ROWS.into()).await;
    log.fill();
    write(&world).await;
    kit::until("the sink speaks of it", async || sink.log_tail().contains("where it waits for room")).await;
    assert_whole(&world).await;
    log.free();
    // It would look again within a minute. As well it may be killed.
    tokio::task::block_in_place(|| {
        dest.kill();
        dest.again();
    });
    world.until_equal().await;
    assert_whole(&world).await;
    [&mut source, &mut sink].into_iter().for_each(kit::Process::stop);
    world.end().await;
    drop(dest);
    drop(log);
    let _ = std::fs::remove_dir(folder);
}
