//! Brokers compact topics for real: what a later record of its key replaces goes, anywhere in
//! a partition. A sink that keeps up does not mind. One that needs what is gone never passes
//! over it in silence, and no ledger is set to where the sink could only stop.

use std::time::Duration;

use cdc::avro::records::decode_cut;
use cdc::kafka::{Events, From, Log, Settings};
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

/// Transactions of all rows that the sink has, too.
const ROUNDS: i64 = 12;

/// How long a record that is there may take to come.
const COMES: Duration = Duration::from_secs(60);

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
        .source_sql("CREATE TABLE t (id INT PRIMARY KEY, v INT);\nINSERT INTO t VALUES (1,0),(2,0),(3,0)")
        .await;
    world.catch_up();
    let (mut source, mut sink) = (world.start_source(&[]), world.start_sink(&[]));
    for v in 1..=ROUNDS {
        world.source_sql("UPDATE t SET v = v + 1").await;
        world.until_dest("SELECT MIN(v) FROM t", v).await;
    }
    [&mut sink, &mut source].into_iter().for_each(Process::stop);
    tokio::task::block_in_place(|| broker.restart_with(&of(&EAGER)));
    until_gone(&world, 6, false).await;

    let sink = world.file("sink.toml");
    let (code, text) = world.cdc(&["replay", "-c", &sink, "--yes", "--earliest"]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("the topic is compacted") && text.contains("hint"), "{text}");
    let (code, text) = world.cdc(&["sink", "-c", &sink, "--until-caught-up"]);
    assert_eq!(code, Some(0), "the ledger is where it was: {text}");
    world.assert_equal().await;

    // What it has not read yet is taken from under a sink that stands.
    let (read, _) = named(&world);
    source = world.start_source(&[]);
    until_gone(&world, read, true).await;
    source.stop();
    let (code, text) = world.cdc(&["sink", "-c", &sink, "--until-caught-up"]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("E035") && text.contains("hint"), "{text}");
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

/// Waits until so many events are gone; on request changes all rows again and again meanwhile.
async fn until_gone(world: &World, gone: u64, update: bool) {
    until("the topic is compacted", async || {
        if update {
            world.source_sql("UPDATE t SET v = v + 1").await;
        }
        let (named, last) = named(world);
        left(world, last) + gone <= named
    })
    .await;
}

fn settings(world: &World) -> Settings {
    Settings { bootstrap_servers: world.kafka.clone(), ..Settings::default() }
}

/// How many events the cuts name, and the last of them.
fn named(world: &World) -> (u64, (CutId, u64)) {
    let mut log = Log::open(&settings(world), &format!("{}.cuts", world.name)).unwrap().unwrap();
    let (mut events, mut last) = (0, None);
    log.read_all(|record| {
        let cut = decode_cut(&record.value.unwrap())?.cut;
        events += cut.events();
        last = cut.touched.first().map(|touched| (cut.id, touched.events - 1)).or(last);
        Ok(())
    })
    .unwrap();
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
