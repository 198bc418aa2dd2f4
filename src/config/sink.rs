//! `sink.toml`.

use std::net::SocketAddr;

use cdc_sdk::Result;
use cdc_sdk::endpoint::Endpoint;
use cdc_sdk::pattern::{Pattern, Route};

use super::document::{Document, Section, Surroundings};
use super::servers::{self, KafkaConfig, MEMORY_BYTES, RegistryConfig};

/// What a sink runs with.
#[derive(Clone, Debug)]
pub struct SinkConfig {
    /// Who this sink is: the name of its ledger rows and of its consumer group.
    pub name: String,
    /// The prefix of the topics that it follows.
    pub topic_prefix: String,
    /// Who wrote them.
    pub written_by: WrittenBy,
    /// Topics of the prefix that are no tables', by name, or by what it begins with and `*`.
    pub exclude_topics: Vec<String>,
    /// The server that is written.
    pub mysql: Endpoint,
    /// Where events come from.
    pub kafka: KafkaConfig,
    /// Where their schemas come from.
    pub registry: RegistryConfig,
    /// How they are applied.
    pub apply: ApplyConfig,
    /// How sinks of one name agree on who reads what.
    pub group: GroupConfig,
    /// Where tables go, the first match wins; without a match under their own names.
    pub routes: Vec<Route>,
    /// What becomes of events that cannot be applied.
    pub dead_letter: DeadLetterConfig,
    /// The destination has writers of its own, whose changes go back to the source.
    pub two_way: Option<TwoWay>,
    /// Where to listen for metrics and status; `None`: nowhere.
    pub http: Option<SocketAddr>,
    /// Bounds.
    pub limits: SinkLimits,
}

/// Who wrote the topics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WrittenBy {
    /// A source of cdc: there are cuts, and each event says which it belongs to.
    #[default]
    Cdc,
    /// Debezium: there are no cuts, so rows are applied by key only.
    Debezium,
}

/// How events are applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplyConfig {
    /// What a reader of the destination may rely on.
    pub consistency: Consistency,
    /// What is done about the destination's tables.
    pub schema: SchemaPolicy,
    /// The database that holds the ledger.
    pub ledger_database: String,
}

/// How sinks of one name agree on who reads what: with [`Consistency::Key`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupConfig {
    /// Who decides.
    pub protocol: GroupProtocol,
}

/// Who decides which member of a group has which partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupProtocol {
    /// The members, by cooperative-sticky assignment.
    #[default]
    Classic,
    /// The brokers (KIP-848).
    Consumer,
}

/// What becomes of events that cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetterConfig {
    /// Tables of the source whose events go to the dead letters; for all others the sink stops.
    pub tables: Vec<Pattern>,
    /// Keys in quarantine at most; one more stops the sink.
    pub keys_max: u32,
}

/// What a reader of the destination may rely on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consistency {
    /// All tables together are a state that the source had.
    #[default]
    Transaction,
    /// Each row alone is a state that it had on the source.
    Key,
}

/// What is done about the destination's tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SchemaPolicy {
    /// They are created and evolved.
    #[default]
    Evolve,
    /// They are compared, and a difference stops the sink.
    Check,
    /// Nothing.
    None,
}

/// Bounds of a sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkLimits {
    /// Memory for events under way, in bytes.
    pub memory_bytes: u64,
    /// Connections that write at the same time.
    pub writers: u16,
}

/// What becomes of a row that was changed on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TwoWay {
    /// The sink stops.
    Stop,
    /// The source's change is applied.
    SourceWins,
    /// The destination's row stays.
    DestinationWins,
    /// The row with the later time in this column stays.
    LastWriter {
        /// Its name, in every table.
        column: String,
    },
}

pub(super) const SECTIONS: &[&str] =
    &["mysql", "kafka", "registry", "apply", "group", "route", "two_way", "dead_letter", "http", "limits"];

impl SinkConfig {
    /// Text → settings.
    pub(super) fn parse(text: &str, around: &Surroundings) -> Result<Self> {
        let mut document = Document::parse(text, around);
        let name = servers::name(&mut document.root());
        let topic_prefix = topic_prefix(&mut document.root());
        let written_by = written_by(&mut document.root());
        let exclude_topics = exclude_topics(&mut document.root(), written_by);
        // A source's `server_id` is taken here too, so that both may share a [mysql]; it has no meaning.
        let (mysql, _) = servers::mysql(&mut document);
        let kafka = servers::kafka(&mut document);
        let registry = servers::registry(&mut document);
        let apply = apply(&mut document, written_by);
        let by_key = apply.consistency == Consistency::Key;
        let group = group(&mut document);
        let routes = document.root().sections("route", route);
        let two_way = two_way(&mut document, by_key);
        let dead_letter = dead_letter(&mut document, two_way.is_some(), by_key);
        let http = servers::http(&mut document);
        let limits = limits(&mut document);
        document.root().close_naming(&["name", "topic_prefix", "written_by", "exclude_topics"], SECTIONS);
        document.finish(Self {
            name,
            topic_prefix,
            written_by,
            exclude_topics,
            mysql,
            kafka,
            registry,
            apply,
            group,
            routes,
            dead_letter,
            two_way,
            http,
            limits,
        })
    }
}

fn topic_prefix(root: &mut Section<'_, '_>) -> String {
    let prefix = root.required_text("topic_prefix");
    if !prefix.is_empty() {
        servers::check_prefix(root, "topic_prefix", &prefix);
    }
    prefix
}

fn written_by(root: &mut Section<'_, '_>) -> WrittenBy {
    let writers = [("cdc", WrittenBy::Cdc), ("debezium", WrittenBy::Debezium)];
    root.choice("written_by", &writers).unwrap_or_default()
}

/// A source of cdc says itself which topics are its tables'.
fn exclude_topics(root: &mut Section<'_, '_>, written_by: WrittenBy) -> Vec<String> {
    let texts = root.texts("exclude_topics").unwrap_or_default();
    for (text, line) in &texts {
        if written_by == WrittenBy::Cdc {
            root.wrong_at(*line, "exclude_topics", "is for written_by = \"debezium\"");
        } else if text.trim_end_matches('*').contains('*') || text.is_empty() {
            root.wrong_at(*line, "exclude_topics", "takes names of topics, and `*` at the end only");
        }
    }
    texts.into_iter().map(|(text, _)| text).collect()
}

fn apply(document: &mut Document<'_>, written_by: WrittenBy) -> ApplyConfig {
    let consistencies = [("transaction", Consistency::Transaction), ("key", Consistency::Key)];
    let schemas =
        [("evolve", SchemaPolicy::Evolve), ("check", SchemaPolicy::Check), ("none", SchemaPolicy::None)];
    let mut root = document.root();
    let mut section = root.section("apply");
    let ledger = section.text("ledger_database").unwrap_or_else(|| "cdc".to_owned());
    // MySQL manual, "Identifier Length Limits" and "Schema Object Names".
    if ledger.is_empty() || ledger.chars().count() > 64 || ledger.ends_with(' ') || ledger.contains('\0') {
        section
            .wrong("ledger_database", "is not the name of a database: 1 to 64 letters, no space at the end");
    }
    let config = ApplyConfig {
        consistency: section.choice("consistency", &consistencies).unwrap_or_default(),
        schema: section.choice("schema", &schemas).unwrap_or_default(),
        ledger_database: ledger,
    };
    if written_by == WrittenBy::Debezium {
        if config.consistency != Consistency::Key {
            section.wrong(
                "consistency",
                "must be \"key\" with written_by = \"debezium\": its topics have no cuts",
            );
        }
        if config.schema == SchemaPolicy::Check {
            section.wrong(
                "schema",
                "cannot be \"check\" with written_by = \"debezium\": it does not tell types exactly",
            );
        }
    }
    section.close();
    config
}

/// `[group]`: for sinks that share the topics. It means nothing to one that reads everything.
fn group(document: &mut Document<'_>) -> GroupConfig {
    let mut root = document.root();
    let mut section = root.section("group");
    let protocols = [("classic", GroupProtocol::Classic), ("consumer", GroupProtocol::Consumer)];
    let protocol = section.choice("protocol", &protocols).unwrap_or_default();
    section.close();
    GroupConfig { protocol }
}

/// `[two_way]`: the destination is captured, too. Rows are then looked at in the order of their transactions.
fn two_way(document: &mut Document<'_>, by_key: bool) -> Option<TwoWay> {
    let mut root = document.root();
    if !root.has("two_way") {
        return None;
    }
    let mut section = root.section("two_way");
    let column = section.text("timestamp_column");
    let policies = [("stop", 0), ("source_wins", 1), ("destination_wins", 2), ("last_writer", 3)];
    let policy = match (section.choice("conflicts", &policies).unwrap_or(0), column) {
        _ if by_key => {
            section.wrong("conflicts", "not together with consistency = \"key\"");
            TwoWay::Stop
        }
        (3, Some(column)) => TwoWay::LastWriter { column },
        (3, None) => {
            section.missing("timestamp_column");
            TwoWay::Stop
        }
        (_, Some(_)) => {
            section.wrong("timestamp_column", "is for conflicts = \"last_writer\"");
            TwoWay::Stop
        }
        (1, None) => TwoWay::SourceWins,
        (2, None) => TwoWay::DestinationWins,
        (_, None) => TwoWay::Stop,
    };
    section.close();
    Some(policy)
}

fn route(mut section: Section<'_, '_>) -> Option<Route> {
    let from = pattern(&mut section, "from");
    let to = pattern(&mut section, "to");
    let route = match (from, to) {
        (Some(from), Some(to)) => match Route::new(from, to) {
            Ok(route) => Some(route),
            Err(error) => {
                let why = match error.hint_text() {
                    Some(hint) => format!("{}: {hint}", error.what()),
                    None => error.what().to_owned(),
                };
                section.wrong("to", why);
                None
            }
        },
        (Some(_) | None, _) => None,
    };
    section.close();
    route
}

fn pattern(section: &mut Section<'_, '_>, key: &'static str) -> Option<Pattern> {
    let text = section.required_text(key);
    if text.is_empty() {
        return None;
    }
    match Pattern::parse(&text) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            section.wrong(key, error.what());
            None
        }
    }
}

/// A row that stays behind would go back to the source as soon as somebody changes it there; and what is in
/// quarantine is known to one sink, the one that leads.
fn dead_letter(document: &mut Document<'_>, two_way: bool, by_key: bool) -> DeadLetterConfig {
    let mut root = document.root();
    let mut section = root.section("dead_letter");
    let mut tables = Vec::new();
    for (text, line) in section.texts("tables").unwrap_or_default() {
        match Pattern::parse(&text) {
            Ok(pattern) => tables.push(pattern),
            Err(error) => section.wrong_at(line, "tables", error.what()),
        }
    }
    if two_way && !tables.is_empty() {
        section.wrong("tables", "not together with [two_way]");
    }
    if by_key && !tables.is_empty() {
        section.wrong("tables", "not together with consistency = \"key\"");
    }
    let keys_max = section.number("keys_max", 1..=100_000).unwrap_or(1000);
    section.close();
    DeadLetterConfig { tables, keys_max }
}

fn limits(document: &mut Document<'_>) -> SinkLimits {
    let mut root = document.root();
    let mut section = root.section("limits");
    let limits = SinkLimits {
        memory_bytes: section.number("memory_bytes", MEMORY_BYTES).unwrap_or(256 * 1024 * 1024),
        writers: section.number("writers", 1..=64).unwrap_or(2),
    };
    section.close();
    limits
}
