//! `source.toml`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use cdc_sdk::Result;
use cdc_sdk::endpoint::Endpoint;
use cdc_sdk::pattern::{Pattern, Selection};

use super::debezium;
use super::document::{Document, Section, Surroundings};
use super::servers::{self, KafkaConfig, MEMORY_BYTES, RegistryConfig};

/// What a source runs with.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    /// Who this source is: the name of its lock and of its Kafka transactions.
    pub name: String,
    /// What every topic's name begins with.
    pub topic_prefix: String,
    /// The server that is read.
    pub mysql: Endpoint,
    /// The id under which it reads the binlog; `None`: derived from the name.
    pub server_id: Option<u32>,
    /// Where events go.
    pub kafka: KafkaConfig,
    /// Where schemas go.
    pub registry: RegistryConfig,
    /// Which tables, and how they are read first.
    pub capture: CaptureConfig,
    /// How topics are created.
    pub topics: TopicsConfig,
    /// Options under Debezium's names.
    pub debezium: BTreeMap<String, String>,
    /// Where to listen for metrics and status; `None`: nowhere.
    pub http: Option<SocketAddr>,
    /// Bounds.
    pub limits: SourceLimits,
}

/// Which tables, and how they are read first.
#[derive(Clone, Debug)]
pub struct CaptureConfig {
    /// The tables.
    pub selection: Selection,
    /// Whether and when they are read as a whole.
    pub snapshot: SnapshotMode,
    /// A chunk of a snapshot ends at this many rows,
    pub chunk_rows: u32,
    /// or at this many bytes.
    pub chunk_bytes: u64,
    /// Chunks that are read at the same time.
    pub readers: u16,
    /// Rows a second over all readers; `None`: as fast as it goes.
    pub rows_per_second: Option<u32>,
    /// With `gtid_mode=OFF`: whether a global read lock of milliseconds may be taken.
    pub allow_global_read_lock: bool,
    /// What happens at a statement that may change rows without row events.
    pub on_unsafe_ddl: OnUnsafeDdl,
    /// Sinks whose transactions on this server came from the other side of a two-way replication.
    pub skip_sinks: Vec<String>,
}

/// Whether and when tables are read as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SnapshotMode {
    /// At the first start, and a table that is captured later when it is first met.
    #[default]
    Initial,
    /// Never: changes from the first start on.
    NoData,
    /// At the first start, and nothing after it.
    InitialOnly,
    /// As `Initial`, and again where the binlog at the source's position is gone.
    WhenNeeded,
}

/// What happens at a statement that may change rows without row events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnUnsafeDdl {
    /// The table is read again.
    #[default]
    Snapshot,
    /// The source stops.
    Stop,
}

/// How topics are created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicsConfig {
    /// Partitions of a data topic.
    pub partitions: i32,
    /// Copies; −1: the broker's default.
    pub replication_factor: i32,
    /// The topic prefix where it is not the source's name.
    pub prefix: Option<String>,
    /// How long data topics keep events, in milliseconds, −1 for ever; `None`: the broker's default.
    pub retention_ms: Option<i64>,
    /// What happens to old events.
    pub cleanup_policy: CleanupPolicy,
    /// What happens where the registry forbids a table's new schema.
    pub on_incompatible: OnIncompatible,
}

/// What happens where the registry's compatibility rule forbids a table's new schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnIncompatible {
    /// The source stops.
    #[default]
    Stop,
    /// The table goes on in a new topic.
    NewTopic,
}

/// What happens to old events of a data topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CleanupPolicy {
    /// They are deleted after the retention.
    #[default]
    Delete,
    /// The last event of each key stays; a sink that starts later converges.
    Compact,
}

impl fmt::Display for CleanupPolicy {
    /// The value of Kafka's `cleanup.policy`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Delete => "delete",
            Self::Compact => "compact",
        })
    }
}

/// Bounds of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceLimits {
    /// Memory for events under way, in bytes.
    pub memory_bytes: u64,
    /// Under load a cut ends after this many milliseconds,
    pub cut_interval_ms: u64,
    /// or at this many bytes of keys and values.
    pub cut_bytes: u64,
}

const MIB: i64 = 1024 * 1024;

/// Events that are deleted sooner nobody can have read.
const RETENTION_MIN_MS: i64 = 60_000;

impl SourceConfig {
    /// Text → settings.
    pub(super) fn parse(text: &str, around: &Surroundings) -> Result<Self> {
        let mut document = Document::parse(text, around);
        let name = servers::name(&mut document.root());
        let (mysql, server_id) = servers::mysql(&mut document);
        let kafka = servers::kafka(&mut document);
        let registry = servers::registry(&mut document);
        let capture = capture(&mut document);
        let topics = topics(&mut document);
        let debezium = debezium::options(&mut document);
        let http = servers::http(&mut document);
        let limits = limits(&mut document);
        document.root().close_naming(&["name"], SECTIONS);
        let topic_prefix = topics.prefix.clone().unwrap_or_else(|| name.clone());
        document.finish(Self {
            name,
            topic_prefix,
            mysql,
            server_id,
            kafka,
            registry,
            capture,
            topics,
            debezium,
            http,
            limits,
        })
    }
}

pub(super) const SECTIONS: &[&str] =
    &["mysql", "kafka", "registry", "capture", "topics", "debezium", "http", "limits"];

fn capture(document: &mut Document<'_>) -> CaptureConfig {
    let snapshots = [
        ("initial", SnapshotMode::Initial),
        ("no_data", SnapshotMode::NoData),
        ("initial_only", SnapshotMode::InitialOnly),
        ("when_needed", SnapshotMode::WhenNeeded),
    ];
    let ddl = [("snapshot", OnUnsafeDdl::Snapshot), ("stop", OnUnsafeDdl::Stop)];
    let mut root = document.root();
    let mut section = root.section("capture");
    if !section.has("include") {
        section.missing("include");
    }
    let include = patterns(&mut section, "include");
    let exclude = patterns(&mut section, "exclude");
    let config = CaptureConfig {
        selection: Selection { include: include.unwrap_or_default(), exclude: exclude.unwrap_or_default() },
        snapshot: section.choice("snapshot", &snapshots).unwrap_or_default(),
        chunk_rows: section.number("chunk_rows", 1..=10_000_000).unwrap_or(10_000),
        chunk_bytes: section.number("chunk_bytes", 64 * 1024..=1024 * MIB).unwrap_or(8 * 1024 * 1024),
        readers: section.number("readers", 1..=64).unwrap_or(2),
        rows_per_second: section.number("rows_per_second", 1..=i64::from(u32::MAX)),
        allow_global_read_lock: section.flag("allow_global_read_lock").unwrap_or(false),
        on_unsafe_ddl: section.choice("on_unsafe_ddl", &ddl).unwrap_or_default(),
        skip_sinks: match section.texts("skip_sinks") {
            Some(names) => names.into_iter().map(|(name, _)| name).collect(),
            None => vec!["*".to_owned()],
        },
    };
    section.close();
    config
}

fn patterns(section: &mut Section<'_, '_>, key: &'static str) -> Option<Vec<Pattern>> {
    let mut patterns = Vec::new();
    let texts = section.texts(key)?;
    if texts.is_empty() && key == "include" {
        section.wrong(key, "selects no table: name some, such as [\"shop.*\"]");
    }
    for (text, line) in texts {
        match Pattern::parse(&text) {
            Ok(pattern) => patterns.push(pattern),
            Err(error) => section.wrong_at(line, key, error.what()),
        }
    }
    Some(patterns)
}

fn topics(document: &mut Document<'_>) -> TopicsConfig {
    let policies = [("delete", CleanupPolicy::Delete), ("compact", CleanupPolicy::Compact)];
    let incompatible = [("stop", OnIncompatible::Stop), ("new_topic", OnIncompatible::NewTopic)];
    let mut root = document.root();
    let mut section = root.section("topics");
    let prefix = section.text("prefix");
    if prefix.as_deref() == Some("") {
        section.wrong("prefix", "is empty: leave it out, and topics begin with the name");
    } else if let Some(prefix) = &prefix {
        servers::check_prefix(&mut section, "prefix", prefix);
    }
    let replication = section.number("replication_factor", -1..=32_767).unwrap_or(-1);
    if replication == 0 {
        section.wrong("replication_factor", "must be −1 (the broker's default) or at least 1");
    }
    let retention_ms = section.number("retention_ms", -1..=i64::MAX);
    if retention_ms.is_some_and(|ms| (0..RETENTION_MIN_MS).contains(&ms)) {
        let least =
            format!("must be −1 (for ever) or at least {RETENTION_MIN_MS}: sinks have to read events first");
        section.wrong("retention_ms", least);
    }
    let config = TopicsConfig {
        partitions: section.number("partitions", 1..=10_000).unwrap_or(4),
        replication_factor: replication,
        prefix,
        retention_ms,
        cleanup_policy: section.choice("cleanup_policy", &policies).unwrap_or_default(),
        on_incompatible: section.choice("on_incompatible", &incompatible).unwrap_or_default(),
    };
    section.close();
    config
}

fn limits(document: &mut Document<'_>) -> SourceLimits {
    let mut root = document.root();
    let mut section = root.section("limits");
    let limits = SourceLimits {
        memory_bytes: section.number("memory_bytes", MEMORY_BYTES).unwrap_or(256 * 1024 * 1024),
        cut_interval_ms: section.number("cut_interval_ms", 1..=10_000).unwrap_or(100),
        cut_bytes: section.number("cut_bytes", 64 * 1024..=64 * MIB).unwrap_or(16 * 1024 * 1024),
    };
    section.close();
    limits
}
