//! Three sinks of one name share the topics. One is killed. One stops with a batch in its hands, for longer than the
//! group waits, and then goes on, as a zombie. One joins late. At every moment each row only goes forward, and at the
//! end both sides are equal.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mysql_async::prelude::Queryable;

use crate::kit::{Dice, Options, Process, World, until};

const ROWS: u64 = 400;

/// The least that a broker takes; the stack's brokers have it as their own setting, too.
const SESSION_MS: u64 = 6_000;

fn options(more: &str, kafka_options: &str) -> Options {
    Options {
        partitions: 6,
        sink: format!("[apply]\nconsistency = \"key\"\n{more}{kafka_options}"),
        ..Options::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_key_group_survives() {
    let session = format!(
        "[kafka.options]\n\"session.timeout.ms\" = \"{SESSION_MS}\"\n\"heartbeat.interval.ms\" = \"1000\"\n"
    );
    survives("group", &options("", &session), SESSION_MS).await;
}

/// With the brokers' own protocol (KIP-848), whose session is the brokers' setting.
#[tokio::test(flavor = "multi_thread")]
async fn by_key_group_survives_kip_848() {
    survives("group848", &options("[group]\nprotocol = \"consumer\"\n", ""), SESSION_MS).await;
}

async fn survives(test: &str, options: &Options, session_ms: u64) {
    let world = Arc::new(World::with(test, options).await);
    for table in ["a", "b"] {
        world
            .source_sql(&format!(
                "CREATE TABLE {table} (id INT PRIMARY KEY, v BIGINT NOT NULL, pad VARCHAR(300));\n\
                 INSERT INTO {table} WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{ROWS}) SELECT i, 0, '' FROM n"
            ))
            .await;
    }
    // Rows that nothing tells apart: one applied twice, or left out, stays to be seen.
    world.source_sql("CREATE TABLE log (line BIGINT);\nINSERT INTO log VALUES (0)").await;
    let source = world.start_source(&[]);
    let mut sinks: Vec<Process> = vec![world.start_sink(&[]), zombie(&world), world.start_sink(&[])];
    world.until_equal().await;
    let stop = Arc::new(AtomicBool::new(false));
    let watched = tokio::spawn(watch(world.clone(), stop.clone()));
    let written = Arc::new(AtomicU64::new(0));
    let writers: Vec<_> =
        (0..2).map(|w| tokio::spawn(write(world.clone(), w, stop.clone(), written.clone()))).collect();
    tokio::time::sleep(Duration::from_secs(2)).await;
    sinks[0].kill();
    until("the zombie stops", async || sinks[1].is_stopped()).await;
    // The third has all partitions once the group has given up on the others.
    tokio::time::sleep(Duration::from_millis(session_ms + 2_000)).await;
    caught_up(&world, "the third sink has taken over").await;
    sinks[1].signal("CONT");
    tokio::time::sleep(Duration::from_secs(4)).await;
    sinks[0] = world.start_sink(&[]);
    tokio::time::sleep(Duration::from_secs(4)).await;
    sinks[2].stop();
    caught_up(&world, "the two others have taken over").await;
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    world.until_equal().await;
    let looks = watched.await.unwrap();
    println!("{test}: {} changes, {looks} looks", written.load(Ordering::Relaxed));
    assert!(looks > 100, "the destination was looked at");
    sinks[0].assert_alive();
    sinks[1].assert_alive();
    drop((source, sinks));
    Arc::into_inner(world).unwrap().end().await;
}

/// A sink that stops by itself where it is about to apply a batch.
fn zombie(world: &World) -> Process {
    let arguments = ["sink", "-c", &world.file("sink.toml")];
    let stops = [("CDC_FAIL_POINT", "by_key.batch_begins:60:stop")];
    Process::start_with(&arguments, Path::new(&world.file("sink.log")), &stops)
}

/// Waits until the destination has what is at the source now.
async fn caught_up(world: &World, what: &str) {
    let mut source = world.source_conn().await;
    for table in ["a", "b"] {
        let sum: Option<i64> =
            source.query_first(format!("SELECT CAST(SUM(v) AS SIGNED) FROM {table}")).await.unwrap();
        let sql = format!("SELECT CAST(SUM(v) AS SIGNED) FROM {table}");
        until(what, async || world.dest_number(&sql).await >= sum).await;
    }
}

/// Raises each row's version, several rows a transaction.
async fn write(world: Arc<World>, writer: u64, stop: Arc<AtomicBool>, written: Arc<AtomicU64>) {
    let mut conn = world.source_conn().await;
    let mut dice = Dice::new(&format!("group writer {writer}"));
    while !stop.load(Ordering::Relaxed) {
        let (table, first) = (["a", "b"][usize::try_from(dice.below(2)).unwrap()], dice.below(ROWS));
        let sql = format!(
            "UPDATE {table} SET v=v+1, pad=REPEAT('y', {}) WHERE id BETWEEN {first} AND {first}+{}",
            dice.below(300),
            dice.below(30)
        );
        // The two may be in each other's way.
        if conn.query_drop(sql).await.is_ok() {
            written.fetch_add(1, Ordering::Relaxed);
        }
        let line = dice.below(50);
        conn.query_drop(format!("INSERT INTO log VALUES ({line})")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(8)).await;
    }
}

/// Looks at the destination all the time: no version goes back.
async fn watch(world: Arc<World>, stop: Arc<AtomicBool>) -> u64 {
    let mut conn = world.dest_conn().await;
    conn.query_drop(format!("USE `{}`", world.name)).await.unwrap();
    let (mut seen, mut looks) = (HashMap::new(), 0);
    while !stop.load(Ordering::Relaxed) {
        for table in ["a", "b"] {
            let rows: Vec<(u64, i64)> = conn.query(format!("SELECT id, v FROM {table}")).await.unwrap();
            assert_eq!(rows.len() as u64, ROWS, "{table} has all its rows");
            for (id, version) in rows {
                let before = seen.insert((table, id), version).unwrap_or(0);
                assert!(version >= before, "row {id} of {table} went back from {before} to {version}");
            }
        }
        looks += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    looks
}
