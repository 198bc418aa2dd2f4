//! Debezium as a peer: its MySQL source and its JDBC sink in a worker of Kafka Connect, with the settings that
//! were quickest here.

use std::time::{Duration, Instant};

use cdc::kafka::{Admin, Settings};

use super::data::{Data, MARK};
use super::job::Used;
use super::report::Run;
use crate::kit::{Connect, Options, World, until_within, variable};

const RUN_LIMIT: Duration = Duration::from_secs(1800);

/// As many as our topics have.
const PARTITIONS: i32 = 4;

/// Looks at the processor and the memory while it works.
const LOOK: Duration = Duration::from_millis(50);

/// A source in one worker and a sink in another, over one table of the shared data.
pub struct Peer {
    world: World,
    table: &'static str,
    database: String,
    source: Connect,
}

impl Peer {
    /// One that has read the table as it is.
    pub async fn new(data: &Data, table: &'static str, name: &str, rows: u64) -> (Self, Run) {
        let world = World::with(name, &Options::default()).await;
        let sql = format!("CREATE DATABASE `{0}`;\nUSE `{0}`;\n{1}", world.name, Data::create(table));
        world.dest_sql(&sql).await;
        let database = data.world.name.clone();
        let begun = Instant::now();
        let connectors = [source(&world, &database, table)];
        let source = Connect::start(name, &world.kafka, &world.registry, &connectors);
        let peer = Self { world, table, database, source };
        let run = peer.until_written(rows, begun).await;
        (peer, run)
    }

    /// One that stands before the backlog.
    pub async fn begun(data: &Data, name: &str) -> Self {
        data.world.source_sql("INSERT INTO b VALUES (1, 0, 'first', '')").await;
        let (peer, _) = Self::new(data, "b", name, 1).await;
        data.world.source_sql("DELETE FROM b").await;
        peer.source.stop();
        peer
    }

    /// The source, from its start until so many records are there.
    pub async fn catch_up(&mut self, rows: u64) -> Run {
        let before = self.written().await;
        let begun = Instant::now();
        self.source.again();
        self.until_written(before + rows, begun).await.of(rows)
    }

    async fn until_written(&self, rows: u64, begun: Instant) -> Run {
        let mut used = Used::default();
        while self.written().await < rows {
            used.look_at(self.source.id());
            let failure = self.source.failure(&self.world.name);
            assert!(failure.is_none() && begun.elapsed() < RUN_LIMIT, "{failure:?}");
            tokio::time::sleep(LOOK).await;
        }
        used.look_at(self.source.id());
        let seconds = begun.elapsed().as_secs_f64();
        Run { rows, seconds, cpu_seconds: Some(used.cpu), peak_bytes: Some(used.peak) }
    }

    /// How many records its topic holds.
    async fn written(&self) -> u64 {
        let settings = Settings { bootstrap_servers: self.world.kafka.clone(), ..Settings::default() };
        let admin = Admin::connect(&settings).unwrap();
        let topic = self.topic();
        if admin.partitions(&topic).await.unwrap().is_none() {
            return 0;
        }
        let all = (0..PARTITIONS).map(|partition| (topic.clone(), partition)).collect();
        let ends = admin.ends(all).await.unwrap();
        ends.iter().map(|end| u64::try_from(end.offset).unwrap()).sum()
    }

    fn topic(&self) -> String {
        format!("{}.{}.{}", self.world.name, self.database, self.table)
    }

    /// The sink, from its start until the destination holds what the source does.
    pub async fn apply(&self, data: &Data, rows: u64) -> Run {
        self.source.stop();
        let begun = Instant::now();
        let name = format!("{}sink", self.world.name);
        let connectors = [sink(&self.world, &self.topic(), self.table)];
        let connect = Connect::start(&name, &self.world.kafka, &self.world.registry, &connectors);
        let mut used = Used::default();
        let (sql, wanted) = match self.table {
            "b" => (format!("SELECT COUNT(*) FROM b WHERE id = {MARK}"), 1),
            table => (format!("SELECT COUNT(*) FROM {table}"), i64::try_from(rows).unwrap()),
        };
        while self.world.dest_number(&sql).await != Some(wanted) {
            used.look_at(connect.id());
            let failure = connect.failure(&name);
            assert!(failure.is_none() && begun.elapsed() < RUN_LIMIT, "{failure:?}");
            tokio::time::sleep(10 * LOOK).await;
        }
        let seconds = begun.elapsed().as_secs_f64();
        // Its tasks go on side by side: the mark may be there before the rest.
        let wanted = data.source_checksum(self.table).await;
        until_within("both sides hold the same", RUN_LIMIT, async || {
            used.look_at(connect.id());
            self.world.dest_number(&Data::checksum(self.table)).await == wanted
        })
        .await;
        connect.stop();
        Run { rows, seconds, cpu_seconds: Some(used.cpu), peak_bytes: Some(used.peak) }
    }

    /// Removes what the run made.
    pub async fn end(self) {
        drop(self.source);
        self.world.end().await;
    }
}

fn properties(all: &[(&str, String)]) -> Vec<(String, String)> {
    all.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn source(world: &World, database: &str, table: &str) -> Vec<(String, String)> {
    let (host, port) = world.servers().0.rsplit_once(':').unwrap();
    let text = str::to_owned;
    // Another number for each connector at the same server.
    let id = 80_000 + world.name.bytes().fold(0_u32, |sum, byte| (sum * 31 + u32::from(byte)) % 10_000);
    properties(&[
        ("name", world.name.clone()),
        ("connector.class", text("io.debezium.connector.mysql.MySqlConnector")),
        ("database.hostname", text(host)),
        ("database.port", text(port)),
        ("database.user", variable("CDC_TEST_MYSQL_USER")),
        ("database.password", variable("CDC_TEST_MYSQL_PASSWORD")),
        ("database.server.id", id.to_string()),
        ("database.include.list", database.to_owned()),
        ("table.include.list", format!("{database}.{table}")),
        ("topic.prefix", world.name.clone()),
        ("topic.creation.default.partitions", PARTITIONS.to_string()),
        ("topic.creation.default.replication.factor", text("1")),
        ("schema.history.internal.kafka.bootstrap.servers", world.kafka.clone()),
        ("schema.history.internal.kafka.topic", format!("{}.history", world.name)),
        ("schema.history.internal.store.only.captured.tables.ddl", text("true")),
        ("schema.name.adjustment.mode", text("avro")),
        ("max.batch.size", text("16384")),
        ("max.queue.size", text("65536")),
        ("snapshot.fetch.size", text("10000")),
        ("producer.override.linger.ms", text("50")),
        ("producer.override.batch.size", text("1048576")),
        ("producer.override.compression.type", text("lz4")),
    ])
}

fn sink(world: &World, topic: &str, table: &str) -> Vec<(String, String)> {
    let text = str::to_owned;
    let to = format!("jdbc:mysql://{}/{}?rewriteBatchedStatements=true", world.servers().1, world.name);
    properties(&[
        ("name", format!("{}sink", world.name)),
        ("connector.class", text("io.debezium.connector.jdbc.JdbcSinkConnector")),
        ("tasks.max", PARTITIONS.to_string()),
        ("topics", text(topic)),
        ("connection.url", to),
        ("connection.username", variable("CDC_TEST_MYSQL_USER")),
        ("connection.password", variable("CDC_TEST_MYSQL_PASSWORD")),
        ("collection.name.format", text(table)),
        ("insert.mode", text("upsert")),
        ("primary.key.mode", text("record_key")),
        ("delete.enabled", text("true")),
        ("schema.evolution", text("none")),
        ("batch.size", text("5000")),
        ("use.reduction.buffer", text("true")),
        ("consumer.override.max.poll.records", text("5000")),
    ])
}
