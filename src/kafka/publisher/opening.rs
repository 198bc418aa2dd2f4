//! How a publisher is opened: first what disturbs nobody, then it takes its id over.

use std::collections::HashMap;
use std::time::Duration;

use cdc_sdk::Result;
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, Producer as _};

use super::ending::Last;
use super::pace::Pace;
use super::{Publisher, is_retriable};
use crate::kafka::fault;
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
    /// [`cdc_sdk::Kind::KafkaUnreachable`] after the settings' patience; [`cdc_sdk::Kind::KafkaRefused`] where the
    /// account may not use the id; [`cdc_sdk::Kind::Settings`] where librdkafka refuses the properties.
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
            settings: settings.clone(),
            open: false,
            begun: None,
            since_poll: 0,
            pace: Pace::default(),
            last: Last::default(),
        };
        publisher.connect(topics)?;
        Ok(Candidate(publisher))
    }

    /// While no broker is connected librdkafka looks for the id's coordinator every 500 ms only. The first answer
    /// comes over a connection that ends with it, since its broker has a name from then on: hence two.
    fn connect(&self, topics: &[&str]) -> Result<()> {
        for topic in [COORDINATORS; 2].iter().chain(topics) {
            let ask = |wait| self.producer.client().fetch_metadata(Some(topic), wait);
            self.patiently("connecting", fault::is_passing, ask)?;
        }
        Ok(())
    }

    fn take_over(&self) -> Result<()> {
        self.patiently("opening", is_retriable, |wait| self.producer.init_transactions(wait))
    }

    /// Asks again and again, each time for a while, until the brokers answer.
    fn patiently<T>(
        &self,
        doing: &str,
        passes: impl Fn(&KafkaError) -> bool,
        ask: impl Fn(Duration) -> Result<T, KafkaError>,
    ) -> Result<T> {
        let (settings, link) = (&self.settings, self.receipts().link());
        settings.lookout.patiently(settings.patience, link, passes, |cause| self.fault(cause, doing), ask)
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
