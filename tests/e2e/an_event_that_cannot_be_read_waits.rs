//! An event whose bytes are damaged stops a sink, or waits in the dead letters with its key where its table
//! has such; the other keys go on.

use cdc::avro::records::{GtidsOf, decode_cut, encode_cut};
use cdc::kafka::{Log, Publisher, Record, Settings, Stamp};
use cdc_sdk::cut::{CutKind, Touched};
use cdc_sdk::{CutId, GtidSet};

use crate::kit::{LIMIT, Options, World, variable};

fn settings() -> Settings {
    Settings { bootstrap_servers: variable("CDC_TEST_KAFKA"), ..Settings::default() }
}

/// Writes a cut with one event: a copy of the last record of the topic, its value cut short.
fn publish_damaged(world: &World) {
    let topic = format!("{}.{}.t", world.name, world.name);
    let cuts = format!("{}.cuts", world.name);
    let last: Record = Log::open(&settings(), &topic).unwrap().unwrap().last(1).unwrap().remove(0);
    let stored = Log::open(&settings(), &cuts).unwrap().unwrap().last(1).unwrap().remove(0);
    let message = stored.value.unwrap();
    let mut cut = decode_cut(&message).unwrap().cut;
    let id = CutId { sequence: cut.id.sequence + 1, ..cut.id };
    (cut.id, cut.kind, cut.previous_ends, cut.map_slice) = (id, CutKind::Complete, vec![], vec![]);
    cut.touched = vec![Touched { topic: topic.clone(), partition: 0, events: 1, bytes: 20 }];
    let schema = u32::from_be_bytes(message[1..5].try_into().unwrap());
    let value = last.value.unwrap();
    let mut publisher = Publisher::open(&settings(), &format!("{}-damaged", world.name), 1 << 20).unwrap();
    publisher.begin().unwrap();
    let stamp = Stamp { cut: id, ordinal: 0 }.encode();
    publisher
        .send(&topic, 0, last.key.as_deref(), Some(&value[..value.len() - 3]), &stamp.headers(), 0)
        .unwrap();
    let nothing = GtidSet::default();
    let message = encode_cut(&cut, GtidsOf::Delta(&nothing), schema).unwrap();
    publisher.send(&cuts, 0, None, Some(&message), &[], 0).unwrap();
    publisher.commit().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_read_waits() {
    let world = World::with("deadread", &Options { partitions: 1, ..Options::default() }).await;
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY, v INT);\nINSERT INTO t VALUES (1,1),(2,1)").await;
    world.catch_up();
    world.source_sql("UPDATE t SET v=2 WHERE id=1").await;
    world.catch_up();
    tokio::task::block_in_place(|| publish_damaged(&world));
    let mut stopped = world.start_sink(&["--until-caught-up"]);
    assert_eq!(stopped.wait(LIMIT).code(), Some(3), "{}", stopped.log_tail());
    assert!(stopped.log_tail().contains("E043"), "{}", stopped.log_tail());
    let file = world.file("sink.toml");
    let more = std::fs::read_to_string(&file).unwrap() + "\n[dead_letter]\ntables = [\"*.t\"]\n";
    std::fs::write(&file, more).unwrap();
    world.source_sql("UPDATE t SET v=3").await;
    world.catch_up();
    assert_eq!(world.dest_number("SELECT SUM(id*10+v) FROM t").await, Some(12 + 23), "1 waits, 2 goes on");
    let (code, text) = world.cdc(&["dead-letter", "retry", "-c", &file, "--all"]);
    assert_eq!(code, Some(1), "it still cannot be read: {text}");
    let (code, text) = world.cdc(&["dead-letter", "discard", "-c", &file, "--all", "--yes"]);
    assert!(code == Some(0) && text.contains("lost: id=1, v=3"), "{text}");
    world.source_sql("UPDATE t SET v=4").await;
    world.catch_up();
    world.assert_equal().await;
    world.end().await;
}

/// Where rows share the key of their records (`message.key.columns`), nothing tells which of them it is of: all wait.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_read_holds_all_rows_where_they_share_a_key() {
    let options = Options {
        partitions: 1,
        source: "[debezium]\n\"message.key.columns\" = '.*\\.t:g'\n".to_owned(),
        sink: "[dead_letter]\ntables = [\"*.t\"]\n".to_owned(),
        ..Options::default()
    };
    let world = World::with("deadshared", &options).await;
    world
        .source_sql("CREATE TABLE t (id INT, g INT, v INT, PRIMARY KEY (id, g));\nINSERT INTO t VALUES (1,1,1),(2,1,1),(3,2,1)")
        .await;
    world.catch_up();
    world.source_sql("UPDATE t SET v=2 WHERE id=1").await;
    world.catch_up();
    tokio::task::block_in_place(|| publish_damaged(&world));
    world.source_sql("UPDATE t SET v=3").await;
    world.catch_up();
    assert_eq!(world.dest_number("SELECT SUM(id*10+v) FROM t").await, Some(12 + 21 + 31), "none goes on");
    let (code, text) =
        world.cdc(&["dead-letter", "discard", "-c", &world.file("sink.toml"), "--all", "--yes"]);
    assert_eq!(code, Some(0), "{text}");
    world.source_sql("UPDATE t SET v=4").await;
    world.catch_up();
    world.assert_equal().await;
    world.end().await;
}
