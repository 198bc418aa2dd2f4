//! How Kafka is reached, and which of librdkafka's properties are not the
//! user's to change.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use cdc_sdk::{Error, Kind, Result};
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

use super::lookout::Lookout;

/// Properties of librdkafka that a promise rests on, with their aliases
/// (librdkafka, `CONFIGURATION.md`). A user who sets one gets an error.
pub const RESERVED: &[&str] = &[
    "acks",
    "allow.auto.create.topics",
    "auto.commit.enable",
    "auto.commit.interval.ms",
    "auto.offset.reset",
    "batch.size",
    "bootstrap.servers",
    "check.crcs",
    "delivery.report.only.error",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.gapless.guarantee",
    "enable.idempotence",
    "enable.partition.eof",
    "fetch.max.bytes",
    "fetch.message.max.bytes",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "isolation.level",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "max.partition.fetch.bytes",
    "message.max.bytes",
    "message.send.max.retries",
    "metadata.broker.list",
    "partition.assignment.strategy",
    "partitioner",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.messages",
    "queued.max.messages.kbytes",
    "queued.min.messages",
    "receive.message.max.bytes",
    "request.required.acks",
    "retries",
    "transactional.id",
];

/// Bytes of records that the publisher puts into one batch, uncompressed; a larger record is
/// a batch by itself. A reader holds whole batches, so this is what a partition costs it at least.
/// With 64 KiB the requests alone cost publisher and broker twice the CPU.
pub(super) const BATCH_BYTES: usize = 256 << 10;

/// Words that mark a property whose value may be a secret: its value is never repeated.
const SECRET_WORDS: &[&str] = &["password", "secret", "token", ".pem", "jaas", "oauthbearer.config"];

/// librdkafka's own `transaction.timeout.ms`.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(60);

/// How Kafka is reached.
#[derive(Clone)]
pub struct Settings {
    /// `host:port`, several by commas.
    pub bootstrap_servers: String,
    /// Any property of librdkafka but [`RESERVED`] ones: TLS, SASL, time-outs. They may hold secrets.
    pub options: BTreeMap<String, String>,
    /// The longest that one call waits for the brokers.
    pub patience: Duration,
    /// What all who wait for them share.
    pub lookout: Lookout,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bootstrap_servers: String::new(),
            options: BTreeMap::new(),
            patience: Duration::from_secs(60),
            lookout: Lookout::default(),
        }
    }
}

/// Names of the properties only: a value may be a password.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("bootstrap_servers", &self.bootstrap_servers)
            .field("options", &self.options.keys())
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// Settings with the usual patience of a minute.
    pub fn new(bootstrap_servers: impl Into<String>, options: BTreeMap<String, String>) -> Self {
        Self { bootstrap_servers: bootstrap_servers.into(), options, ..Self::default() }
    }

    /// For how long a transaction may be open before the brokers end it.
    pub fn transaction_timeout(&self) -> Duration {
        let set = self.options.get("transaction.timeout.ms").and_then(|ms| ms.trim().parse().ok());
        set.map_or(TRANSACTION_TIMEOUT, Duration::from_millis)
    }

    /// Whether the properties can be used at all. Needs no broker.
    ///
    /// # Errors
    /// [`Kind::Settings`], naming every reserved property at once, or the first
    /// one that librdkafka does not know or whose value it refuses.
    pub fn check(&self) -> Result<()> {
        let config = self.config(Role::Reader)?;
        config.create_native_config().map_err(|cause| self.refused(&cause))?;
        Ok(())
    }

    /// The properties that all clients share: the user's, then ours over them.
    pub(super) fn config(&self, role: Role) -> Result<ClientConfig> {
        self.check_reserved()?;
        let mut config = ClientConfig::new();
        config.set("client.id", "cdc").set("log.connection.close", "false");
        // A broker that comes back is to be noticed soon (librdkafka: up to 10 s). Half of the first is also the time
        // that a new client may wait between the broker that it was told of and the same under its own name.
        config.set("reconnect.backoff.ms", "20").set("reconnect.backoff.max.ms", "2000");
        for (name, value) in &self.options {
            config.set(name, value);
        }
        config.set("bootstrap.servers", &self.bootstrap_servers).set("allow.auto.create.topics", "false");
        config.set_log_level(RDKafkaLogLevel::Info);
        match role {
            Role::Admin => config.set_log_level(RDKafkaLogLevel::Emerg),
            Role::Writer => &mut config,
            Role::Reader => read_committed(&mut config),
        };
        Ok(config)
    }

    fn check_reserved(&self) -> Result<()> {
        let taken: Vec<&str> =
            self.options.keys().map(String::as_str).filter(|name| RESERVED.contains(name)).collect();
        if taken.is_empty() {
            return Ok(());
        }
        Err(Error::new(Kind::Settings, format!("kafka.options sets {}", taken.join(", ")))
            .detail("cdc sets these itself, since its promises rest on them")
            .hint("remove them from [kafka.options]"))
    }

    /// A client that librdkafka would not make from these settings.
    pub(super) fn refused(&self, cause: &KafkaError) -> Error {
        let what = match cause {
            KafkaError::ClientConfig(_, _, name, _) if is_secret(name) => {
                format!("kafka.options: '{name}' is refused (its value is not shown)")
            }
            KafkaError::ClientConfig(_, why, name, _) => format!("kafka.options: '{name}': {why}"),
            other => format!("kafka: {other}"),
        };
        Error::new(Kind::Settings, what)
            .hint("the properties are librdkafka's: see its CONFIGURATION.md for names and values")
    }
}

/// What a client is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Makes and removes topics. Its log cannot be drained (rdkafka's admin client
    /// polls its own queue only), so it writes none: what it would say comes as errors.
    Admin,
    /// Publishes.
    Writer,
    /// Reads what is committed.
    Reader,
}

fn read_committed(config: &mut ClientConfig) -> &mut ClientConfig {
    config
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("check.crcs", "true")
        // A row image can have 1 GiB (MySQL's max_allowed_packet), a response carries at least one batch.
        .set("receive.message.max.bytes", "2147483647")
}

fn is_secret(name: &str) -> bool {
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests;
