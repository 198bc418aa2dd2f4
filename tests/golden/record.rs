//! `make golden`: the real Debezium, and what it writes.

use std::fs;

use super::written::{Writer, folder};
use super::{CHANGES, FOR_SINK, ROWS, SETS, TABLES, apply, tables};
use crate::kit::{Connect, Options, Server, World, until_within};

/// The version of Debezium, as its connector says in every event.
const VERSION: &str = "3.6.1.Final";

/// How long it may take to start and to read everything.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs Kafka Connect and Debezium: make golden"]
async fn record_what_debezium_writes() {
    // A server of its own: the connector reads every statement of the binlog, those of other tests too.
    let server = Server::start("golden", &[]);
    let options = Options {
        source_server: Some(server.address.clone()),
        sink: "[apply]\nconsistency = \"key\"\n".to_owned(),
        ..Options::default()
    };
    let world = World::with("golden", &options).await;
    world.source_sql(TABLES).await;
    world.source_sql(ROWS).await;
    let connectors: Vec<_> = (1..).zip(SETS).map(|(id, set)| connector(&world, id, set)).collect();
    let connect = Connect::start("golden", &world.kafka, &world.registry, &connectors);
    let sets = SETS.map(|(set, _)| set);
    wait_for_end(&world, &sets, 1).await;
    world.source_sql(CHANGES).await;
    wait_for_end(&world, &sets, 2).await;
    connect.stop();
    for (set, _) in SETS {
        let prefix = prefix(&world, set);
        let writer = writer(&world, &prefix);
        let _ = fs::remove_dir_all(folder().join(set));
        for table in tables() {
            writer.read(table).await.record(set, table);
        }
    }
    let prefix = prefix(&world, FOR_SINK);
    for (topic, name) in [
        (format!("{prefix}.transaction"), "transaction"),
        (prefix.clone(), "schema_change"),
        (format!("__debezium-heartbeat.{prefix}"), "heartbeat"),
    ] {
        writer(&world, &prefix).record_beside(&topic, name).await;
    }
    let mysql = crate::kit::variable("CDC_STACK_MYSQL_VERSION");
    fs::write(folder().join("VERSION"), format!("Debezium {VERSION}\nMySQL {mysql}\n")).unwrap();
    fs::write(folder().join("DATABASE"), format!("{}\n", world.name)).unwrap();
    our_sink_follows(&world).await;
    world.end().await;
}

/// Our sink, at the topics as they are.
async fn our_sink_follows(world: &World) {
    apply::make_tables(world).await;
    apply::follow(world, &prefix(world, FOR_SINK), &world.name);
    let mut sink = world.start_sink(&["--until-caught-up"]);
    assert_eq!(sink.wait(crate::kit::LIMIT).code(), Some(0), "{}", sink.log_tail());
    apply::assert_kept(world).await;
}

pub fn prefix(world: &World, set: &str) -> String {
    format!("{}_{set}", world.name)
}

pub fn writer<'a>(world: &'a World, prefix: &'a str) -> Writer<'a> {
    Writer { kafka: &world.kafka, registry: &world.registry, prefix, database: &world.name, version: VERSION }
}

/// Waits until the connector of each set has written so many rows of the last table.
pub async fn wait_for_end(world: &World, sets: &[&str], rows: usize) {
    for set in sets {
        let prefix = prefix(world, set);
        let topic = format!("{prefix}.{}.zz_end", world.name);
        until_within(&format!("{rows} rows on {topic}"), LIMIT, async || {
            let there = cdc::kafka::Admin::connect(&cdc::kafka::Settings {
                bootstrap_servers: world.kafka.clone(),
                ..cdc::kafka::Settings::default()
            });
            let there = there.unwrap().partitions(&topic).await.unwrap().is_some();
            there && writer(world, &prefix).records(&topic).len() >= rows
        })
        .await;
    }
}

/// The properties of a connector: Debezium's defaults but for the set, and for what this stack needs.
pub fn connector(world: &World, id: u32, (set, options): (&str, &[(&str, &str)])) -> Vec<(String, String)> {
    let (host, port) = world.servers().0.rsplit_once(':').unwrap();
    let prefix = prefix(world, set);
    let own = [
        ("name", prefix.clone()),
        ("connector.class", "io.debezium.connector.mysql.MySqlConnector".to_owned()),
        ("database.hostname", host.to_owned()),
        ("database.port", port.to_owned()),
        ("database.user", crate::kit::variable("CDC_TEST_MYSQL_USER")),
        ("database.password", crate::kit::variable("CDC_TEST_MYSQL_PASSWORD")),
        ("database.server.id", (70_000 + id).to_string()),
        ("database.include.list", world.name.clone()),
        ("topic.prefix", prefix.clone()),
        ("topic.creation.default.partitions", "1".to_owned()),
        ("topic.creation.default.replication.factor", "1".to_owned()),
        ("schema.history.internal.kafka.bootstrap.servers", world.kafka.clone()),
        ("schema.history.internal.kafka.topic", format!("{prefix}_history")),
        // The topics beside the data.
        ("provide.transaction.metadata", "true".to_owned()),
        ("heartbeat.interval.ms", "500".to_owned()),
        // Names that Avro takes.
        ("schema.name.adjustment.mode", "avro".to_owned()),
        ("field.name.adjustment.mode", "avro".to_owned()),
    ];
    let own = own.into_iter().map(|(name, value)| (name.to_owned(), value));
    own.chain(options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))).collect()
}
