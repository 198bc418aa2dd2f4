//! Our sink applies what Debezium wrote.
//!
//! The records are those that the real Debezium wrote (`make golden`), byte for byte but for the ids of
//! their schemas, which this registry numbers otherwise. The destination must then hold what the source holds
//! after the same statements.

use cdc::avro::{Registry, RegistrySettings};
use cdc::kafka::{Admin, Outbox, Record, Settings, TopicSpec};

use super::written::{Written, bytes, recorded_database};
use super::{CHANGES, FOR_SINK, ROWS, TABLES, tables};
use crate::kit::{LIMIT, Options, World, differences};

/// Tables with values that Debezium does not write, or not as they are.
const NOT_KEPT: [&str; 5] = ["zero_times", "strict_times", "bent_years", "bent_floats", "documents"];

/// The settings of a sink that follows Debezium.
pub fn follow(world: &World, prefix: &str, database: &str) {
    let name = &world.name;
    let ours = format!("topic_prefix = \"{name}\"\n");
    world.edit("sink.toml", &ours, &format!("topic_prefix = \"{prefix}\"\nwritten_by = \"debezium\"\n"));
    world.route(&format!("{database}.*"), &format!("{name}.*"));
}

/// The tables are made by hand, since Debezium tells neither collations nor defaults.
pub async fn make_tables(world: &World) {
    // Debezium's year 1900 and its TIMESTAMP 1970 are none of MySQL's: such columns refuse them, and the sink stops.
    let wider =
        "ALTER TABLE bent_years MODIFY y SMALLINT;\nALTER TABLE strict_times MODIFY ts DATETIME NOT NULL";
    world.dest_sql(&format!("CREATE DATABASE `{0}`;\nUSE `{0}`;\n{TABLES}{wider}", world.name)).await;
}

/// Asserts that the destination holds what the source does, as far as Debezium tells it.
pub async fn assert_kept(world: &World) {
    let (mut source, mut dest) = (world.source_conn().await, world.dest_conn().await);
    let found = differences(&mut source, &world.name, &mut dest, &world.name).await;
    let lost = |line: &&String| NOT_KEPT.iter().any(|table| line.starts_with(&format!("{table}:")));
    let wrong: Vec<_> = found.iter().filter(|line| !lost(line)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn debeziums_topics_are_applied() {
    let options = Options { sink: "[apply]\nconsistency = \"key\"\n".to_owned(), ..Options::default() };
    let world = World::with("golden_sink", &options).await;
    for statements in [TABLES, ROWS, CHANGES] {
        world.source_sql(statements).await;
    }
    make_tables(&world).await;
    let database = publish(&world).await;
    follow(&world, &world.name.clone(), &database);
    // A second run goes on from the ledger's offsets: rows without a key would be there twice else.
    for _ in 0..2 {
        let mut sink = world.start_sink(&["--until-caught-up"]);
        assert_eq!(sink.wait(LIMIT).code(), Some(0), "{}", sink.log_tail());
        assert_kept(&world).await;
    }
    world.end().await;
}

/// Writes the recorded records to topics of this world, and returns the database that they name.
async fn publish(world: &World) -> String {
    let settings = Settings { bootstrap_servers: world.kafka.clone(), ..Settings::default() };
    let registry = RegistrySettings { url: world.registry.clone(), ..RegistrySettings::default() };
    let (admin, registry) = (Admin::connect(&settings).unwrap(), Registry::new(registry).unwrap());
    let outbox = Outbox::open(&settings, 1 << 20).unwrap();
    for table in tables() {
        let written = Written::recorded(FOR_SINK, table);
        let topic = format!("{}.golden.{table}", world.name);
        let spec = TopicSpec { name: topic.clone(), partitions: 1, replication: 1, config: Vec::new() };
        admin.create(spec).await.unwrap();
        let mut ids = Vec::new();
        for (side, schema) in [("key", &written.key_schema), ("value", &written.value_schema)] {
            ids.push(match schema.as_str() {
                "" => 0,
                schema => registry.register(&format!("{topic}-{side}"), schema).await.unwrap(),
            });
        }
        for line in &written.whole {
            let framed = |id: u32, text: &str| {
                (text != "null").then(|| [&[0][..], &id.to_be_bytes(), &bytes(text)].concat())
            };
            let (key, value) = line.split_once(' ').unwrap();
            let (key, value) = (framed(ids[0], key), framed(ids[1], value));
            let record = Record { offset: 0, timestamp_ms: 0, key, value, headers: Vec::new() };
            outbox.send(&topic, 0, &record).unwrap();
        }
    }
    tokio::task::block_in_place(|| outbox.flush()).unwrap();
    recorded_database()
}
