//! What the user wrote → what each part takes; and how the memory is shared out.
//!
//! The limit `memory_bytes` covers the process. A source holds at most: the
//! producer's queue, the chunks that its readers have read ahead, and one binlog
//! event. A sink holds at most: the consumer's queues, the batches (one gathered, one
//! waiting, one at each writer) and a statement for each writer. The rest is the
//! program itself.
//!
//! A row that is larger than its share passes all the same, and then nothing is held beside it: its batch
//! goes alone (`in_flight`), and fewer partitions are fetched where large events come (`Events::expect`).

use cdc_mysql_sink as sink;
use cdc_mysql_source as source;

use crate::avro;
use crate::config::{
    Consistency, GroupProtocol, KafkaConfig, OnUnsafeDdl, RegistryConfig, SchemaPolicy, SinkConfig,
    SinkLimits, SnapshotMode, SourceConfig, SourceLimits, TwoWay, WrittenBy,
};
use crate::kafka;

/// Events of all batches of a sink: what the fold's maps of keys may hold.
const EVENTS: u64 = 200_000;

/// Bytes that wait in the producer.
pub fn producer_bytes(limits: &SourceLimits) -> usize {
    share(limits.memory_bytes, 4)
}

/// Bytes that wait in the consumer.
pub fn consumer_bytes(limits: &SinkLimits) -> usize {
    share(limits.memory_bytes, 4)
}

/// Bytes of dead letters that are read, or wait to be stored, at a time; a single one may be larger.
pub fn letter_bytes(limits: &SinkLimits) -> usize {
    share(limits.memory_bytes, 32)
}

/// Bytes of the events of one batch.
pub fn batch_bytes(limits: &SinkLimits) -> u64 {
    limits.memory_bytes / 8 / batches(limits)
}

/// Bytes of all batches that are gathered and not applied yet. A single one may be larger: it goes alone.
pub fn in_flight_bytes(limits: &SinkLimits) -> u64 {
    limits.memory_bytes / 4
}

/// Events of one batch.
pub fn batch_events(limits: &SinkLimits) -> u64 {
    EVENTS / batches(limits)
}

/// Batches that a sink holds at once.
fn batches(limits: &SinkLimits) -> u64 {
    u64::from(limits.writers) + 2
}

fn share(memory: u64, of: u64) -> usize {
    usize::try_from(memory / of).unwrap_or(usize::MAX)
}

/// The source connector's settings.
pub fn source(config: &SourceConfig) -> source::Settings {
    source::Settings {
        name: config.name.clone(),
        topic_prefix: config.topic_prefix.clone(),
        endpoint: config.mysql.clone(),
        server_id: config.server_id,
        selection: config.capture.selection.clone(),
        snapshot: match config.capture.snapshot {
            SnapshotMode::Initial => source::SnapshotMode::Initial,
            SnapshotMode::NoData => source::SnapshotMode::NoData,
            SnapshotMode::InitialOnly => source::SnapshotMode::InitialOnly,
            SnapshotMode::WhenNeeded => source::SnapshotMode::WhenNeeded,
        },
        chunk_rows: config.capture.chunk_rows,
        chunk_bytes: config.capture.chunk_bytes,
        readers: u32::from(config.capture.readers),
        snapshot_rows_per_second: config.capture.rows_per_second,
        mark_json: true,
        allow_global_read_lock: config.capture.allow_global_read_lock,
        on_unsafe_ddl: match config.capture.on_unsafe_ddl {
            OnUnsafeDdl::Snapshot => source::OnUnsafeDdl::Snapshot,
            OnUnsafeDdl::Stop => source::OnUnsafeDdl::Stop,
        },
        skip_sinks: config.capture.skip_sinks.clone(),
        heartbeat: super::source::HEARTBEAT,
    }
}

/// The sink connector's settings.
pub fn sink(config: &SinkConfig) -> sink::Settings {
    sink::Settings {
        name: config.name.clone(),
        topic_prefix: config.topic_prefix.clone(),
        endpoint: config.mysql.clone(),
        routes: config.routes.clone(),
        schema: match config.apply.schema {
            SchemaPolicy::Evolve if config.written_by == WrittenBy::Debezium => sink::SchemaMode::Extend,
            SchemaPolicy::Evolve => sink::SchemaMode::Evolve,
            SchemaPolicy::Check => sink::SchemaMode::Check,
            SchemaPolicy::None => sink::SchemaMode::None,
        },
        ledger_database: config.apply.ledger_database.clone(),
        by_key: config.apply.consistency == Consistency::Key,
        two_way: config.two_way.as_ref().map(|policy| match policy {
            TwoWay::Stop => sink::TwoWay::Stop,
            TwoWay::SourceWins => sink::TwoWay::SourceWins,
            TwoWay::DestinationWins => sink::TwoWay::DestinationWins,
            TwoWay::LastWriter { column } => sink::TwoWay::LastWriter { column: column.clone() },
        }),
        max_statement_bytes: sink::Settings::MAX_STATEMENT_BYTES,
        dead_letters: config.dead_letter.tables.clone(),
        quarantined_keys_max: usize::try_from(config.dead_letter.keys_max).unwrap_or(usize::MAX),
    }
}

/// How a sink's group agrees.
pub fn protocol(config: &SinkConfig) -> kafka::Protocol {
    match config.group.protocol {
        GroupProtocol::Classic => kafka::Protocol::Classic,
        GroupProtocol::Consumer => kafka::Protocol::Consumer,
    }
}

/// The Kafka client's settings.
pub fn kafka(config: &KafkaConfig) -> kafka::Settings {
    let settings = kafka::Settings::new(config.bootstrap_servers.clone(), config.options.clone());
    kafka::Settings { lookout: config.lookout.clone(), ..settings }
}

/// The registry client's settings.
pub fn registry(config: &RegistryConfig) -> avro::RegistrySettings {
    avro::RegistrySettings {
        url: config.url.clone(),
        user: config.user.clone(),
        password: config.password.clone(),
        ca: config.ca.clone(),
    }
}
