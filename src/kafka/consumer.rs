//! A reader of committed records that assigns its partitions itself.
//!
//! `group.id` is set because librdkafka demands one for an assignment; no group is
//! joined and nothing is committed to it. Offsets that are looked up are those of
//! `read_committed`: the end is the last stable offset.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cdc_sdk::cut::Place;
use cdc_sdk::{Error, Kind, Result};
use rdkafka::ClientConfig;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::metadata::Metadata;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::closing;
use super::fault;
use super::link::Link;
use super::lookout::Slices;
use super::settings::{Role, Settings};
use super::topic;

/// Error events taken from the main queue in one go.
const EVENTS_MAX: usize = 64;

/// Pause before a leader that was not ready is asked again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A client of librdkafka that reads.
pub(super) struct Consumer {
    inner: Arc<BaseConsumer<Link>>,
    settings: Settings,
    /// Whether records come through the main queue, where their reader takes them.
    in_main_queue: bool,
}

impl Consumer {
    /// A reader; `tune` sets what this kind of reader needs beside the common properties.
    pub fn open(settings: &Settings, tune: impl FnOnce(&mut ClientConfig)) -> Result<Self> {
        let mut config = settings.config(Role::Reader)?;
        tune(&mut config);
        let link = Link::new(&settings.bootstrap_servers);
        let inner = config.create_with_context(link).map_err(|cause| settings.refused(&cause))?;
        Ok(Self { inner: Arc::new(inner), settings: settings.clone(), in_main_queue: false })
    }

    /// The same where records come through the main queue: nobody but their reader takes anything from it.
    pub fn with_records_in_main_queue(mut self) -> Self {
        self.in_main_queue = true;
        self
    }

    pub fn inner(&self) -> &Arc<BaseConsumer<Link>> {
        &self.inner
    }

    pub fn link(&self) -> &Link {
        self.inner.client().context()
    }

    pub fn patience(&self) -> Duration {
        self.settings.patience
    }

    /// An error of rdkafka while doing something, with the reason that came beside it.
    pub fn fault(&self, cause: &KafkaError, doing: &str) -> Error {
        self.fault_of(fault::code_of(cause), doing)
    }

    /// As [`Self::fault`], of a code.
    pub fn fault_of(&self, code: Code, doing: &str) -> Error {
        self.drain_events();
        self.link().fault(code, doing)
    }

    /// Whether a wait that began then has been long enough: by the settings' patience, or since the run ends.
    pub fn is_enough(&self, begun: Instant) -> bool {
        begun.elapsed() >= self.settings.patience || self.settings.lookout.is_ending()
    }

    /// What the brokers know of a topic, or of all.
    pub fn metadata(&self, topic: Option<&str>, doing: &str) -> Result<Metadata> {
        self.patiently(self.settings.patience, doing, |wait| self.inner.fetch_metadata(topic, wait))
    }

    /// Asks again and again, each time for a while, until the brokers answer.
    ///
    /// # Errors
    /// Theirs; [`Kind::KafkaUnreachable`] where they do not answer within the patience, or the run ends.
    pub fn patiently<T>(
        &self,
        patience: Duration,
        doing: &str,
        ask: impl Fn(Duration) -> Result<T, KafkaError>,
    ) -> Result<T> {
        let fault = |cause: &KafkaError| self.fault(cause, doing);
        self.settings.lookout.patiently(patience, self.link(), fault::is_passing, fault, ask)
    }

    /// Where the committed records of these partitions end or begin, in the order asked.
    ///
    /// # Errors
    /// [`Kind::TopicChanged`] where one does not exist.
    pub fn offsets<'a>(
        &self,
        partitions: impl IntoIterator<Item = (&'a str, i32)>,
        side: Offset,
    ) -> Result<Vec<Place>> {
        let mut asked = TopicPartitionList::new();
        let mut order = Vec::new();
        for (name, partition) in partitions {
            topic::check_name(name)?;
            add(&mut asked, name, partition, side)?;
            order.push((name.to_owned(), partition));
        }
        if order.is_empty() {
            return Ok(Vec::new());
        }
        let doing = match order.as_slice() {
            [(name, partition)] => format!("looking up the offsets of {name}/{partition}"),
            many => format!("looking up the offsets of {} partitions", many.len()),
        };
        let found = self.look_up(asked, &doing)?;
        order.into_iter().map(|(name, partition)| self.place(&found, name, partition)).collect()
    }

    /// Where to read from so as to miss no record of that time (ms since 1970) or later; `None`
    /// where all are older. Markers have times too, those of their commits, so older records may follow.
    pub fn offset_for_time(&self, name: &str, partition: i32, ms: i64) -> Result<Option<i64>> {
        let doing = format!("looking up a time in {name}/{partition}");
        let mut asked = TopicPartitionList::new();
        add(&mut asked, name, partition, Offset::Offset(ms.max(0)))?;
        let found = self.look_up(asked, &doing)?;
        let element = found.find_partition(name, partition);
        let element = element.ok_or_else(|| self.fault_of(Code::UnknownPartition, &doing))?;
        match element.offset() {
            Offset::Offset(offset) => Ok(Some(offset)),
            Offset::End | Offset::Invalid => Ok(None),
            other => Err(Error::new(Kind::Bug, format!("{doing}: Kafka answered {other:?}"))),
        }
    }

    /// Looks up until every partition's leader answers, as after a broker's restart it may not at once.
    fn look_up(&self, asked: TopicPartitionList, doing: &str) -> Result<TopicPartitionList> {
        let mut slices = Slices::of(self.settings.patience);
        loop {
            let wait = slices.next(self.link().bad_since().is_some());
            let answer = self.inner.offsets_for_times(asked.clone(), wait);
            let answer =
                answer.and_then(|found| match found.elements().iter().find_map(|e| e.error().err()) {
                    Some(cause) => Err(cause),
                    None => Ok(found),
                });
            let code = match answer {
                Ok(found) => {
                    self.link().answered();
                    return Ok(found);
                }
                Err(cause) => fault::code_of(&cause),
            };
            // librdkafka says so, too, where it has lost the brokers and with them what it knew.
            let code =
                if fault::is_gone(code) && self.has(&asked)? { Code::LeaderNotAvailable } else { code };
            let error = self.fault_of(code, doing);
            let is_enough = slices.are_over() || self.settings.lookout.is_ending();
            if is_enough || !fault::is_mended_by_library(code) {
                return Err(error);
            }
            // The first answer comes late where a leader is being looked for.
            if self.link().bad_since().is_some() {
                self.settings.lookout.unanswered(&error);
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Whether the brokers know all of these partitions.
    fn has(&self, asked: &TopicPartitionList) -> Result<bool> {
        let elements = asked.elements();
        let mut last = BTreeMap::new();
        for element in &elements {
            let last = last.entry(element.topic()).or_insert(element.partition());
            *last = element.partition().max(*last);
        }
        for (topic, last) in last {
            if self.partition_count(topic)?.is_none_or(|count| last >= count) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn place(&self, found: &TopicPartitionList, topic: String, partition: i32) -> Result<Place> {
        let doing = format!("looking up offsets of {topic}/{partition}");
        let element = found.find_partition(&topic, partition);
        let element = element.ok_or_else(|| self.fault_of(Code::UnknownPartition, &doing))?;
        match element.offset() {
            Offset::Offset(offset) => Ok(Place { topic, partition, offset }),
            other => Err(Error::new(Kind::Bug, format!("{doing}: Kafka answered {other:?}"))),
        }
    }

    /// How many partitions a topic has; `None` where there is no such topic.
    pub fn partition_count(&self, name: &str) -> Result<Option<i32>> {
        topic::check_name(name)?;
        let doing = format!("looking up topic {name}");
        let metadata = self.metadata(Some(name), &doing)?;
        let Some(found) = metadata.topics().iter().find(|t| t.name() == name) else { return Ok(None) };
        match found.error().map(Code::from) {
            None => Ok(i32::try_from(found.partitions().len()).ok()),
            Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => Ok(None),
            Some(code) => Err(self.fault_of(code, &doing)),
        }
    }

    /// A queue for one partition alone. Taken before the partition is assigned, so that no
    /// record of it ever reaches the main queue: librdkafka makes the partition's object here
    /// and, since the application set where its queue goes, leaves that alone when fetching
    /// starts (`rd_kafka_queue_get_partition`, `RD_KAFKA_Q_F_FWD_APP` in
    /// `rd_kafka_toppar_op_fetch_start`).
    pub fn split(&self, name: &str, partition: i32) -> Result<PartitionQueue<Link>> {
        topic::check_name(name)?;
        let queue = self.inner.split_partition_queue(name, partition);
        queue.ok_or_else(|| self.fault_of(Code::UnknownPartition, &format!("reading {name}/{partition}")))
    }

    /// Takes error and log events from the main queue, where no record may be.
    ///
    /// # Errors
    /// [`Kind::Bug`] where a record is there all the same: skipping it would lose it.
    pub fn tend(&self) -> Result<()> {
        for _ in 0..EVENTS_MAX {
            // A log event, taken in, looks like an empty queue.
            if let Some(Ok(_)) = self.inner.poll(Duration::ZERO) {
                return Err(Error::new(Kind::Bug, "a record came outside its partition's queue"));
            }
        }
        Ok(())
    }

    /// As [`Self::tend`] where the caller fails anyway.
    fn drain_events(&self) {
        if self.in_main_queue {
            return;
        }
        if let Err(error) = self.tend() {
            tracing::error!(target: "cdc::kafka", "{error}");
        }
    }

    /// Fails where the brokers have been out of reach for longer than the settings' patience.
    /// librdkafka reconnects by itself and does not say so; hence a bad line is asked once more.
    pub fn check_line(&self, doing: &str) -> Result<()> {
        let Some(since) = self.link().bad_since() else { return Ok(()) };
        if since.elapsed() < self.settings.patience {
            return Ok(());
        }
        let ask = |wait| self.inner.fetch_metadata(Some("__consumer_offsets"), wait);
        self.patiently(self.settings.patience / 4, doing, ask).map(drop)
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        closing::close(Arc::clone(&self.inner));
    }
}

/// Adds a partition to a list.
pub(super) fn add(list: &mut TopicPartitionList, topic: &str, partition: i32, offset: Offset) -> Result<()> {
    list.add_partition_offset(topic, partition, offset).map_err(|cause| {
        Error::new(Kind::BadPosition, format!("{topic}/{partition} has no offset {offset:?}"))
            .caused_by(cause)
    })
}
