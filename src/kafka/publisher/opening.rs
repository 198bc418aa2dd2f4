//! How a publisher is opened: first what disturbs nobody, then it takes its id over.

use std::collections::HashMap;
use std::time::Instant;

use cdc_sdk::Result;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, Producer as _};

use super::pace::Pace;
use super::{Publisher, is_retriable};
use crate::kafka::link::Link;
use crate::kafka::receipts::Receipts;
use crate::kafka::settings::{BATCH_BYTES, Role, Settings};

/// The topic of those who keep transactional ids: every cluster knows whether it has one.
const COORDINATORS: &str = "__transaction_state";

/// Longer than any record waits while commits come: see [`super::linger`]. Less than any transaction's time-out,
/// or librdkafka refuses both.
const LINGER_MS: &str = "5000";

/// A producer that stands ready to take an id over, and disturbs nobody yet.
pub struct Candidate(Publisher);

impl Candidate {
    /// Takes the id over from whoever has it.
    ///
    /// # Errors
    /// As [`Publisher::open`].
    pub fn take_over(self) -> Result<Publisher> {
        self.0.take_over()?;
        Ok(self.0)
    }
}

impl Publisher {
    /// Opens the id, taking it over from whoever had it.
    ///
    /// # Errors
    /// [`Kind::KafkaUnreachable`] after the settings' patience; [`Kind::KafkaRefused`] where the
    /// account may not use the id; [`Kind::Settings`] where librdkafka refuses the properties.
    pub fn open(settings: &Settings, transactional_id: &str, budget_bytes: usize) -> Result<Self> {
        Self::prepare(settings, transactional_id, budget_bytes, &[])?.take_over()
    }

    /// All of [`Self::open`] that does not concern whoever has the id: connects, and learns where these topics are,
    /// or their first records would wait for that.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn prepare(
        settings: &Settings,
        transactional_id: &str,
        budget_bytes: usize,
        topics: &[&str],
    ) -> Result<Candidate> {
        let mut config = settings.config(Role::Writer)?;
        configure(&mut config, settings, transactional_id);
        let receipts = Receipts::new(Link::new(&settings.bootstrap_servers));
        let producer: BaseProducer<Receipts> =
            config.create_with_context(receipts).map_err(|cause| settings.refused(&cause))?;
        let publisher = Self {
            slots: HashMap::new(),
            places: Vec::new(),
            producer,
            transactional_id: transactional_id.to_owned(),
            budget_bytes,
            patience: settings.patience,
            open: false,
            since_poll: 0,
            pace: Pace::default(),
        };
        publisher.connect(topics)?;
        Ok(Candidate(publisher))
    }

    /// While no broker is connected librdkafka looks for the id's coordinator every 500 ms only. The first answer
    /// comes over a connection that ends with it, since its broker has a name from then on: hence two.
    fn connect(&self, topics: &[&str]) -> Result<()> {
        let deadline = self.deadline();
        for topic in [COORDINATORS; 2].iter().chain(topics) {
            let left = deadline.saturating_duration_since(Instant::now());
            let answer = self.producer.client().fetch_metadata(Some(topic), left);
            answer.map_err(|cause| self.fault(&cause, "connecting"))?;
        }
        Ok(())
    }

    fn take_over(&self) -> Result<()> {
        let deadline = self.deadline();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.producer.init_transactions(left) {
                Ok(()) => {
                    self.receipts().link().answered();
                    return Ok(());
                }
                Err(cause) if is_retriable(&cause) && Instant::now() < deadline => self.poll(),
                Err(cause) => return Err(self.fault(&cause, "opening")),
            }
        }
    }
}

fn configure(config: &mut ClientConfig, settings: &Settings, transactional_id: &str) {
    for (name, value) in [
        // The user may set these; see librdkafka's CONFIGURATION.md.
        ("compression.type", "lz4"),
        // Records wait for company until a commit lifts it: see `linger`.
        ("linger.ms", LINGER_MS),
        ("batch.num.messages", "100000"),
        // A missing topic is told after this time: a new one may not be known everywhere yet.
        ("topic.metadata.propagation.max.ms", "10000"),
    ] {
        if !settings.options.contains_key(name) {
            config.set(name, value);
        }
    }
    config
        .set("transactional.id", transactional_id)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("batch.size", BATCH_BYTES.to_string())
        // The publisher keeps the budget; these are librdkafka's largest.
        .set("queue.buffering.max.kbytes", "2147483647")
        .set("queue.buffering.max.messages", "0")
        .set("message.max.bytes", "1000000000");
}
