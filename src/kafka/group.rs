//! A member of a consumer group: Kafka says which partitions it has, and it reads
//! those, from where the caller says.
//!
//! Progress is not kept in the group. So a rebalance does nothing by itself: it is handed to the
//! caller as a [`Turn`], who looks up where the new partitions stand, or finishes what it has of the old
//! ones, and then answers; librdkafka waits for that, and goes on with what stays (cooperative
//! rebalancing). What is committed to the group is for tools that show lag, and is never read.
//!
//! **Memory.** All partitions share one queue, which stops fetching at a share of the budget; what a
//! response brings comes on top. How many partitions a member has does not matter.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cdc_sdk::{Error, Kind, Result};
use rdkafka::Message as _;
use rdkafka::consumer::{CommitMode, Consumer as _, RebalanceProtocol};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList, TopicPartitionListElem};

use super::consumer::{Consumer, add};
use super::events::{self, Event};
use super::fault;
use super::link::Rebalanced;
use super::settings::Settings;

/// How long a fetch request waits at the broker where nothing is new, ms.
const FETCH_WAIT_MS: u32 = 10;

/// How often the line is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long moving a partition to another offset may take.
const SEEK_MAX: Duration = Duration::from_secs(10);

/// A partition of a topic.
pub type Partition = (String, i32);

/// How members of a group agree on who has which partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// The members decide: cooperative-sticky.
    #[default]
    Classic,
    /// The brokers decide (KIP-848, Kafka 4).
    Consumer,
}

/// What comes next.
#[derive(Debug)]
pub enum Turn {
    /// A committed record.
    Event(Arc<str>, i32, Event),
    /// These partitions were given to this member: answered by [`Group::begin`].
    Given(Vec<Partition>),
    /// These are taken from it, or were lost: answered by [`Group::let_go`].
    Taken(Vec<Partition>),
    /// Nothing within the wait.
    Nothing,
}

/// A member of a group. One thread uses it.
pub struct Group {
    consumer: Consumer,
    topics: HashSet<Arc<str>>,
    looked: Instant,
}

impl Group {
    /// A member that holds about `budget_bytes` of records at most. It joins with [`Self::follow`].
    ///
    /// # Errors
    /// [`Kind::Settings`] where librdkafka refuses the properties.
    pub fn open(settings: &Settings, name: &str, protocol: Protocol, budget_bytes: usize) -> Result<Self> {
        let consumer = Consumer::open(settings, |config| {
            let queue_bytes = budget_bytes / 4;
            config
                .set("group.id", name)
                .set("queued.max.messages.kbytes", (queue_bytes >> 10).max(64).to_string())
                // What librdkafka keeps beside a small record outweighs it.
                .set("queued.min.messages", (queue_bytes / 512).clamp(1000, 100_000).to_string())
                .set("fetch.message.max.bytes", (budget_bytes / 128).clamp(64 << 10, 1 << 20).to_string())
                .set("fetch.max.bytes", (budget_bytes / 16).clamp(1 << 20, 48 << 20).to_string())
                .set("fetch.wait.max.ms", FETCH_WAIT_MS.to_string())
                .set("fetch.queue.backoff.ms", "5")
                .set("fetch.error.backoff.ms", "100")
                .set("enable.partition.eof", "false");
            match protocol {
                Protocol::Classic => config.set("partition.assignment.strategy", "cooperative-sticky"),
                Protocol::Consumer => config.set("group.protocol", "consumer"),
            };
        })?;
        let consumer = consumer.with_records_in_main_queue();
        Ok(Self { consumer, topics: HashSet::new(), looked: Instant::now() })
    }

    /// Asks for a share of these topics, in place of those before.
    ///
    /// # Errors
    /// [`Kind::KafkaRefused`]; [`Kind::KafkaUnreachable`].
    pub fn follow(&mut self, topics: &[&str]) -> Result<()> {
        topics.iter().try_for_each(|topic| super::topic::check_name(topic))?;
        let asked = self.consumer.inner().subscribe(topics);
        asked.map_err(|cause| self.consumer.fault(&cause, "joining the group"))
    }

    /// Whether the group has taken this member in: from then on it has what it has.
    pub fn has_joined(&self) -> bool {
        !matches!(self.consumer.inner().rebalance_protocol(), RebalanceProtocol::None)
    }

    /// What comes next, within the wait.
    ///
    /// # Errors
    /// [`Kind::EventsMissing`] where a partition's offset has vanished; [`Kind::TopicChanged`] where a topic is
    /// gone; [`Kind::UnknownVersion`] for a stamp of another version; [`Kind::KafkaRefused`];
    /// [`Kind::KafkaUnreachable`] once the brokers have been out of reach for longer than the settings' patience.
    pub fn next(&mut self, wait: Duration) -> Result<Turn> {
        if let Some(turn) = self.rebalanced() {
            return Ok(turn);
        }
        if self.looked.elapsed() >= LOOK_EVERY {
            self.looked = Instant::now();
            self.consumer.check_line("reading events")?;
        }
        let inner = Arc::clone(self.consumer.inner());
        match inner.poll(wait) {
            None => Ok(self.rebalanced().unwrap_or(Turn::Nothing)),
            Some(Ok(message)) => {
                self.consumer.link().answered();
                let topic = self.topic(message.topic());
                Ok(Turn::Event(topic, message.partition(), events::read(&message)?))
            }
            Some(Err(cause)) => self.judge(&cause).map(|()| Turn::Nothing),
        }
    }

    /// Begins to read partitions that were given, each from an offset. Answers [`Turn::Given`].
    ///
    /// # Errors
    /// [`Kind::KafkaUnreachable`] where librdkafka does not take them.
    pub fn begin(&mut self, places: &[(Partition, i64)]) -> Result<()> {
        let list = list_of(places)?;
        let begun = self.consumer.inner().incremental_assign(&list);
        begun.map_err(|cause| self.consumer.fault(&cause, "taking partitions up"))
    }

    /// Reads partitions no more. Answers [`Turn::Taken`].
    ///
    /// # Errors
    /// [`Kind::KafkaUnreachable`] where librdkafka does not let them go.
    pub fn let_go(&mut self, partitions: &[Partition]) -> Result<()> {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for (topic, partition) in partitions {
            list.add_partition(topic, *partition);
        }
        let gone = self.consumer.inner().incremental_unassign(&list);
        gone.map_err(|cause| self.consumer.fault(&cause, "letting partitions go"))
    }

    /// Goes on elsewhere in partitions that this member has.
    ///
    /// # Errors
    /// [`Kind::KafkaUnreachable`] where that does not work; then a member that joins anew can.
    pub fn go_to(&mut self, places: &[(Partition, i64)]) -> Result<()> {
        let moved = self.consumer.inner().seek_partitions(list_of(places)?, SEEK_MAX);
        let moved = moved.map_err(|cause| self.consumer.fault(&cause, "going back in partitions"))?;
        for element in moved.elements() {
            let doing = format!("going back in {}/{}", element.topic(), element.partition());
            element.error().map_err(|cause| {
                Error::new(Kind::KafkaUnreachable, format!("{doing}: {cause}")).caused_by(cause)
            })?;
        }
        Ok(())
    }

    /// Tells the group how far its partitions are, for tools that show lag, and who says so.
    pub fn tell(&self, places: &[(Partition, i64)], who: &str) {
        let mut list = TopicPartitionList::with_capacity(places.len());
        let told = places.iter().try_for_each(|((topic, partition), offset)| {
            let mut element = list.add_partition(topic, *partition);
            element.set_metadata(who);
            element.set_offset(Offset::Offset(*offset))
        });
        let told = told.map(|()| self.consumer.inner().commit(&list, CommitMode::Async));
        if let Ok(Err(error)) | Err(error) = told {
            tracing::debug!(target: "cdc::kafka", %error, "the group is not told how far this is");
        }
    }

    /// What the group was told of these partitions, and by whom.
    ///
    /// # Errors
    /// [`Kind::KafkaUnreachable`], [`Kind::KafkaRefused`].
    pub fn told(&self, partitions: &[Partition]) -> Result<Vec<(Partition, i64, String)>> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for (topic, partition) in partitions {
            list.add_partition(topic, *partition);
        }
        let ask = |wait| self.consumer.inner().committed_offsets(list.clone(), wait);
        let told =
            self.consumer.patiently(self.consumer.patience(), "asking what the group was told", ask)?;
        let of = |e: &TopicPartitionListElem<'_>| {
            let offset = e.offset().to_raw().unwrap_or(-1);
            ((e.topic().to_owned(), e.partition()), offset, e.metadata().to_owned())
        };
        Ok(told.elements().iter().map(of).collect())
    }

    /// Where the committed records of these partitions begin, in the order asked.
    ///
    /// # Errors
    /// As [`super::Admin::beginnings`].
    pub fn beginnings(&self, partitions: &[Partition]) -> Result<Vec<i64>> {
        self.offsets(partitions, Offset::Beginning)
    }

    /// Where they end.
    ///
    /// # Errors
    /// As [`super::Admin::ends`].
    pub fn ends(&self, partitions: &[Partition]) -> Result<Vec<i64>> {
        self.offsets(partitions, Offset::End)
    }

    fn offsets(&self, partitions: &[Partition], side: Offset) -> Result<Vec<i64>> {
        let places = self.consumer.offsets(partitions.iter().map(|(t, p)| (t.as_str(), *p)), side)?;
        Ok(places.into_iter().map(|place| place.offset).collect())
    }

    fn rebalanced(&self) -> Option<Turn> {
        Some(match self.consumer.link().next_rebalance()? {
            Rebalanced::Given(partitions) => Turn::Given(partitions),
            Rebalanced::Taken(partitions) => Turn::Taken(partitions),
        })
    }

    /// Each topic's name once.
    fn topic(&mut self, name: &str) -> Arc<str> {
        if let Some(topic) = self.topics.get(name) {
            return Arc::clone(topic);
        }
        let topic: Arc<str> = Arc::from(name);
        self.topics.insert(Arc::clone(&topic));
        topic
    }

    /// Passes what librdkafka mends by itself, or by joining anew.
    fn judge(&self, cause: &KafkaError) -> Result<()> {
        let code = fault::code_of(cause);
        let passes = fault::is_mended_by_library(code) || REJOINS.contains(&code);
        if passes && code != Code::GroupAuthorizationFailed {
            return Ok(());
        }
        Err(self.consumer.fault(cause, "reading events in a group").caused_by(cause.clone()))
    }
}

/// After these librdkafka joins again by itself.
const REJOINS: &[Code] = &[
    Code::PollExceeded,
    Code::RebalanceInProgress,
    Code::IllegalGeneration,
    Code::UnknownMemberId,
    Code::FencedMemberEpoch,
    Code::StaleMemberEpoch,
];

impl Drop for Group {
    /// The client leaves the group as it ends, and waits until every rebalance is answered.
    fn drop(&mut self) {
        self.consumer.link().leaves(self.consumer.inner());
    }
}

fn list_of(places: &[(Partition, i64)]) -> Result<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(places.len());
    for ((topic, partition), offset) in places {
        add(&mut list, topic, *partition, Offset::Offset(*offset))?;
    }
    Ok(list)
}
