//! Single records, stored for good: those that belong to no transaction of the source.
//!
//! What a flush has confirmed is in all replicas in sync. A record may be there twice, if its
//! sender dies before it knows, so each must carry what readers know it again by. There is no
//! Kafka transaction, since one that a dead sender left open would hide what others write after it.

use std::time::{Duration, Instant};

use cdc_sdk::{Error, Result};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use super::fault;
use super::link::Link;
use super::receipts::{Receipts, cost_bytes};
use super::record::Record;
use super::settings::{BATCH_BYTES, Role, Settings};
use super::topic;

/// Pause between two looks at the delivery reports.
const LOOK_AGAIN: Duration = Duration::from_micros(500);

/// A producer of single records. After an error it is to be opened anew.
pub struct Outbox {
    producer: BaseProducer<Receipts>,
    budget_bytes: usize,
    patience: Duration,
}

impl Outbox {
    /// An outbox of which at most `budget_bytes` wait for the brokers, or one record where that is larger.
    ///
    /// # Errors
    /// [`cdc_sdk::Kind::Settings`] where librdkafka refuses the properties.
    pub fn open(settings: &Settings, budget_bytes: usize) -> Result<Self> {
        let mut config = settings.config(Role::Writer)?;
        for (name, value) in [("compression.type", "lz4"), ("linger.ms", "5")] {
            if !settings.options.contains_key(name) {
                config.set(name, value);
            }
        }
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("message.timeout.ms", settings.patience.as_millis().to_string())
            .set("batch.size", BATCH_BYTES.to_string())
            .set("queue.buffering.max.kbytes", "2147483647")
            .set("queue.buffering.max.messages", "0")
            .set("message.max.bytes", "1000000000");
        let receipts = Receipts::new(Link::new(&settings.bootstrap_servers));
        let producer = config.create_with_context(receipts).map_err(|cause| settings.refused(&cause))?;
        Ok(Self { producer, budget_bytes, patience: settings.patience })
    }

    /// Hands a record over, to a partition; it is stored once a flush says so. Its offset does not matter.
    ///
    /// # Errors
    /// Of this record or of any before it, as those of a publisher.
    pub fn send(&self, topic: &str, partition: i32, record: &Record) -> Result<()> {
        topic::check_name(topic)?;
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        let cost = cost_bytes(key.map_or(0, <[u8]>::len), value.map_or(0, <[u8]>::len));
        self.wait_until(|held| held == 0 || held.saturating_add(cost) <= self.budget_bytes)?;
        let empty = OwnedHeaders::new_with_capacity(record.headers.len());
        let headers = record
            .headers
            .iter()
            .fold(empty, |all, (key, value)| all.insert(Header { key, value: Some(value.as_slice()) }));
        let mut letter = BaseRecord::<[u8], [u8], usize>::with_opaque_to(topic, 0).partition(partition);
        (letter.key, letter.payload, letter.headers) = (key, value, Some(headers));
        self.producer.context().sent(cost);
        self.producer.send(letter).map_err(|(cause, _)| {
            self.producer.context().unsent(cost);
            self.fault(&cause, &format!("sending a record to {topic}/{partition}"))
        })
    }

    /// Waits until every record handed over is stored by all replicas in sync.
    ///
    /// # Errors
    /// The first record's that was not; [`cdc_sdk::Kind::KafkaUnreachable`] after the settings' patience.
    pub fn flush(&self) -> Result<()> {
        // Wakes librdkafka's senders; that records are still under way is what the wait is for.
        let _ = self.producer.flush(Duration::ZERO);
        self.wait_until(|held| held == 0)
    }

    /// Takes reports in until what has none yet (in bytes) is as wanted.
    fn wait_until(&self, wanted: impl Fn(usize) -> bool) -> Result<()> {
        let deadline = Instant::now() + self.patience;
        let receipts = self.producer.context();
        loop {
            self.producer.poll(Duration::ZERO);
            if let Some(failed) = receipts.failed() {
                let doing = format!("storing a record in {}/{}", failed.topic, failed.partition);
                return Err(receipts.link().fault(failed.code, &doing));
            }
            if wanted(receipts.outstanding_bytes()) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let doing = "waiting for the brokers to store records";
                return Err(receipts.link().fault(Code::OperationTimedOut, doing));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    fn fault(&self, cause: &KafkaError, doing: &str) -> Error {
        self.producer.context().link().fault(fault::code_of(cause), doing).caused_by(cause.clone())
    }
}
