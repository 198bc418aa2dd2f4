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
pub const PARTITIONS: u32 = 4;

/// Looks at the processor and the memory while it works.
const LOOK: Duration = Duration::from_millis(50);

/// A source in one worker, and a sink in another. Its time counts from the first record or row on: how long a JVM
/// takes to start is left out, while ours counts from the start of the process.
pub struct Peer {
    world: World,
    database: String,
    partitions: u32,
    source: Connect,
    admin: Admin,
}

impl Peer {
    /// Starts one that reads these tables of a database (a pattern of its own) as they are, and then follows them.
    pub async fn start(database: &str, tables: &str, partitions: u32, name: &str) -> Self {
        let world = World::with(name, &Options::default()).await;
        let settings = Settings { bootstrap_servers: world.kafka.clone(), ..Settings::default() };
        let connectors = [source(&world, database, tables, partitions)];
        let source = Connect::start(name, &world.kafka, &world.registry, &connectors);
        let admin = Admin::connect(&settings).unwrap();
        Self { world, database: database.to_owned(), partitions, source, admin }
    }

    /// One that stands before the backlog.
    pub async fn begun(data: &Data, name: &str) -> Self {
        data.world.source_sql("INSERT INTO b VALUES (1, 0, 'first', '')").await;
        let peer = Self::start(&data.world.name, "b", PARTITIONS, name).await;
        peer.until_written(0, 1).await;
        data.world.source_sql("DELETE FROM b").await;
        peer.source.stop();
        peer
    }

    /// The worker ends where it is.
    pub fn pause(&self) {
        self.source.stop();
    }

    /// The source, from where it paused until so many records more are there.
    pub async fn catch_up(&mut self, rows: u64) -> Run {
        let before = self.written().await;
        self.source.again();
        self.until_written(before, rows).await
    }

    /// Waits until so many records are there beside those from before.
    pub async fn until_written(&self, before: u64, rows: u64) -> Run {
        let begun = Instant::now();
        let mut first = None;
        let mut used = Used::default();
        loop {
            let written = self.written().await - before;
            used.look_at(self.source.id());
            if written > 0 && first.is_none() {
                first = Some((Instant::now(), used.cpu, written));
            }
            if written >= rows {
                break;
            }
            let failure = self.source.failure(&self.world.name);
            assert!(failure.is_none() && begun.elapsed() < RUN_LIMIT, "{failure:?}");
            tokio::time::sleep(LOOK).await;
        }
        let (since, cpu, early) = first.unwrap();
        let early = if early < rows { early } else { 0 };
        Run {
            rows: rows - early,
            seconds: since.elapsed().as_secs_f64(),
            cpu_seconds: Some(used.cpu - cpu),
            peak_bytes: Some(used.peak),
        }
    }

    /// How many records its topics hold.
    async fn written(&self) -> u64 {
        let topics = self.admin.topics_with_prefix(&format!("{}.{}.", self.world.name, self.database)).await;
        let of = |(topic, count): (String, i32)| (0..count).map(move |partition| (topic.clone(), partition));
        let ends = self.admin.ends(topics.unwrap().into_iter().flat_map(of).collect()).await.unwrap();
        ends.iter().map(|end| u64::try_from(end.offset).unwrap()).sum()
    }

    /// The sink, until the destination holds what the source does.
    pub async fn apply(&self, data: &Data, table: &str, rows: u64) -> Run {
        self.source.stop();
        let sql = format!("CREATE DATABASE `{0}`;\nUSE `{0}`;\n{1}", self.world.name, Data::create(table));
        self.world.dest_sql(&sql).await;
        let name = format!("{}sink", self.world.name);
        let connectors = [sink(&self.world, &self.database, table, self.partitions)];
        let connect = Connect::start(&name, &self.world.kafka, &self.world.registry, &connectors);
        let mut used = Used::default();
        until_within("a first row is there", RUN_LIMIT, async || {
            self.world.dest_number(&format!("SELECT EXISTS (SELECT 1 FROM {table})")).await == Some(1)
        })
        .await;
        used.look_at(connect.id());
        let (begun, cpu) = (Instant::now(), used.cpu);
        let (sql, wanted) = match table {
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
        let wanted = data.source_checksum(table).await;
        until_within("both sides hold the same", RUN_LIMIT, async || {
            used.look_at(connect.id());
            self.world.dest_number(&Data::checksum(table)).await == wanted
        })
        .await;
        connect.stop();
        Run { rows, seconds, cpu_seconds: Some(used.cpu - cpu), peak_bytes: Some(used.peak) }
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

fn source(world: &World, database: &str, tables: &str, partitions: u32) -> Vec<(String, String)> {
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
        ("table.include.list", format!("{database}.{tables}")),
        ("topic.prefix", world.name.clone()),
        ("topic.creation.default.partitions", partitions.to_string()),
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

fn sink(world: &World, database: &str, table: &str, partitions: u32) -> Vec<(String, String)> {
    let text = str::to_owned;
    let to = format!("jdbc:mysql://{}/{}?rewriteBatchedStatements=true", world.servers().1, world.name);
    properties(&[
        ("name", format!("{}sink", world.name)),
        ("connector.class", text("io.debezium.connector.jdbc.JdbcSinkConnector")),
        ("tasks.max", partitions.to_string()),
        ("topics", format!("{}.{database}.{table}", world.name)),
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
