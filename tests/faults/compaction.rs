//! Brokers compact topics for real: what a later record of its key replaces goes, anywhere in
//! a partition. A sink that keeps up does not mind. One that needs what is gone converges, and says so, as
//! long as tombstones stay; else it stops, and no ledger is set to where the sink could only stop. Compacted
//! topics take no record without a key: TRUNCATE has one there, and the topic of a table without one is not compacted.

use std::time::Duration;

use cdc::kafka::{Events, From, Settings};
use cdc_sdk::CutId;

use super::own::{Own, Part};
use crate::kit::{Options, Process, World, until};

/// Segments are short, and none is compacted yet.
const LAZY: [&str; 2] = ["log.cleaner.backoff.ms=3600000", "log.roll.ms=300"];

/// All but the last segment are compacted as soon as they are there.
const EAGER: [&str; 4] = [
    "log.cleaner.backoff.ms=200",
    "log.cleaner.min.cleanable.ratio=0.01",
    "log.roll.ms=300",
    "log.segment.delete.delay.ms=100",
];

/// As short as the margin for clocks: every hole is too old.
const FORGETFUL: &str = "log.cleaner.delete.retention.ms=60000";

/// Transactions of all rows that the sink has, too.
const ROUNDS: i64 = 12;

/// After which of them `u` is emptied: of these events one is left, too.
const EMPTIED: [i64; 2] = [4, 8];

/// How long a record that is there may take to come.
const COMES: Duration = Duration::from_secs(60);

/// Values in `u` wander from row to row. Row 9 of `t` is made and deleted: its tombstone is left.
const CHANGE: &str = "BEGIN;\nUPDATE t SET v = v + 1;\nUPDATE u SET code = code + 10 ORDER BY code DESC;\n\
    UPDATE u SET code = 1 + (code - 9) % 3;\nCOMMIT";

#[tokio::test(flavor = "multi_thread")]
async fn compaction() {
    let of = |settings: &[&str]| settings.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    let broker = tokio::task::block_in_place(|| Own::start("compact", Part::Broker, &of(&LAZY)));
    let options = Options {
        partitions: 1,
        source: "cleanup_policy = \"compact\"\n".into(),
        kafka: Some(broker.address().to_owned()),
        ..Options::default()
    };
    let world = World::with("compact", &options).await;
    world
        .source_sql(
            "CREATE TABLE t (id INT PRIMARY KEY, v INT);\nINSERT INTO t VALUES (1,0),(2,0),(3,0);\n\
             CREATE TABLE u (id INT PRIMARY KEY, code INT, UNIQUE KEY (code));\nINSERT INTO u VALUES (1,1),(2,2),(3,3);\n\
             CREATE TABLE without (v INT);\nINSERT INTO without VALUES (1),(1)",
        )
        .await;
    world.catch_up();
    let (mut source, mut sink) = (world.start_source(&[]), world.start_sink(&[]));
    world.source_sql("INSERT INTO t VALUES (9,0)").await;
    world.until_dest("SELECT COUNT(*) FROM t", 4).await;
    world.source_sql("DELETE FROM t WHERE id = 9").await;
    for v in 1..=ROUNDS {
        world.source_sql(CHANGE).await;
        world.until_dest("SELECT MIN(v) FROM t", v).await;
        if EMPTIED.contains(&v) {
            world.source_sql("TRUNCATE u;\nINSERT INTO u VALUES (1,1),(2,2),(3,3)").await;
        }
    }
    [&mut sink, &mut source].into_iter().for_each(Process::stop);
    tokio::task::block_in_place(|| broker.restart_with(&of(&EAGER)));
    until_gone(&world, 6, false).await;
    replayed(&world).await;
    lagging(&world, Some(0)).await;
    world.assert_equal().await;

    // Tombstones may be gone with what else is.
    tokio::task::block_in_place(|| broker.restart_with(&of(&[&EAGER[..], &[FORGETFUL]].concat())));
    let sink = world.file("sink.toml");
    let (code, text) = world.cdc(&["replay", "-c", &sink, "--yes", "--earliest"]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("delete.retention.ms") && text.contains("hint"), "{text}");
    let (code, text) = world.cdc(&["sink", "-c", &sink, "--until-caught-up"]);
    assert_eq!(code, Some(0), "the ledger is where it was: {text}");
    let text = lagging(&world, Some(3)).await;
    assert!(text.contains("E035") && text.contains("delete.retention.ms") && text.contains("hint"), "{text}");
    let half = "SELECT COUNT(DISTINCT v) FROM t";
    assert_eq!(world.dest_number(half).await, Some(1), "half a transaction is at the destination");

    let name = format!("name = \"{}", world.name);
    world.edit("sink.toml", &name, &format!("{name}-newcomer"));
    let (code, text) = world.cdc(&["sink", "-c", &sink, "--until-caught-up"]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("no longer hold what a new sink needs"), "{text}");
    world.dest_sql(&format!("DELETE FROM cdc.ledger WHERE name = '{}-newcomer'", world.name)).await;
    world.end().await;
}

/// A replay mends what somebody changed at the destination, a row that must not be there included: of its
/// deletion only the tombstone is left.
async fn replayed(world: &World) {
    world
        .dest_sql(
            "DELETE FROM t WHERE id = 1;\nUPDATE t SET v = -1 WHERE id = 2;\nINSERT INTO t VALUES (9,99);\n\
             UPDATE u SET code = code + 100;\nUPDATE u SET code = 2 WHERE id = 1",
        )
        .await;
    let sink = world.file("sink.toml");
    let (code, text) = world.cdc(&["replay", "-c", &sink, "--yes", "--earliest"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("the sink converges until"), "{text}");
    let (code, text) = world.cdc(&["sink", "-c", &sink, "--until-caught-up"]);
    assert_eq!(code, Some(0), "{text}");
    for said in ["were compacted away", "has converged"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    world.assert_equal().await;
    assert_eq!(claims(world).await, Some(1), "the ledger claims a state of the source again");
}

/// What the sink has not read yet is taken from under it while it stands. Runs it then.
async fn lagging(world: &World, expected: Option<i32>) -> String {
    let (read, _) = named(world);
    let mut source = world.start_source(&[]);
    until_gone(world, read, true).await;
    source.stop();
    let (code, text) = world.cdc(&["sink", "-c", &world.file("sink.toml"), "--until-caught-up"]);
    assert_eq!(code, expected, "{text}");
    text
}

async fn claims(world: &World) -> Option<i64> {
    world
        .dest_number(&format!("SELECT snapshot_complete FROM cdc.ledger WHERE name = '{}'", world.name))
        .await
}

/// Waits until so many events are gone; on request changes all rows again and again meanwhile.
async fn until_gone(world: &World, gone: u64, update: bool) {
    until("the topic is compacted", async || {
        if update {
            world.source_sql(CHANGE).await;
        }
        let (named, last) = named(world);
        left(world, last) + gone <= named
    })
    .await;
}

fn settings(world: &World) -> Settings {
    Settings { bootstrap_servers: world.kafka.clone(), ..Settings::default() }
}

/// How many events of `t` the cuts name, and the last of them.
fn named(world: &World) -> (u64, (CutId, u64)) {
    let (mut events, mut last) = (0, None);
    for cut in world.cuts() {
        for touched in cut.touched.iter().filter(|touched| touched.topic.ends_with(".t")) {
            events += touched.events;
            last = Some((cut.id, touched.events - 1));
        }
    }
    (events, last.unwrap())
}

/// How many events are left, up to the last one, which stays.
fn left(world: &World, last: (CutId, u64)) -> u64 {
    let mut events = Events::open(&settings(world), "compaction", 1 << 20).unwrap();
    let topic = format!("{0}.{0}.t", world.name);
    events.ensure(&topic, 0, From::Earliest).unwrap();
    let mut count = 0;
    loop {
        let event = events.next(&topic, 0, COMES).unwrap().expect("the last event stays");
        count += 1;
        if event.stamp.is_some_and(|stamp| (stamp.cut, stamp.ordinal) >= last) {
            return count;
        }
    }
}
