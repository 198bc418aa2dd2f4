//! Topics: made, looked up, removed, and where their committed records end.

mod kept;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cdc_sdk::cut::Place;
use cdc_sdk::{Error, Kind, Result};
use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::metadata::Metadata;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::consumer::{Consumer, add};
use super::fault;
use super::link::Link;
use super::settings::{Role, Settings};
use super::topic;
pub use kept::Keeps;

/// Topics in one request: a controller takes a while over each, and requests have a time limit.
const BATCH_TOPICS_MAX: usize = 100;

/// How often a request that a busy controller turned away is sent again.
const ATTEMPTS_MAX: u32 = 4;

/// Pause between two looks at the brokers' metadata.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A topic to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partitions: i32,
    /// Copies of each partition; -1 is the brokers' default.
    pub replication: i32,
    /// Settings of the topic, as Kafka names them.
    pub config: Vec<(String, String)>,
}

/// The setting of a topic by which its records bear the brokers' time of arrival: a producer's clock may be
/// wrong, and brokers refuse what is ahead of theirs, and delete by what is behind.
pub const BROKERS_TIME: (&str, &str) = ("message.timestamp.type", "LogAppendTime");

/// The setting of a topic that says how large a batch of records, and so a record, may be.
pub const LARGEST_RECORD: &str = "max.message.bytes";

/// How brokers compact a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compaction {
    /// Whether the last record of each key stays; not where age or size delete, too (`compact,delete`).
    pub keeps_each_key: bool,
    /// For how long a tombstone stays (`delete.retention.ms`).
    pub tombstones_stay: Duration,
}

impl Compaction {
    /// By the topic's settings; `None` where it is not compacted.
    fn of(cleanup_policy: Option<&str>, delete_retention_ms: Option<&str>) -> Option<Self> {
        let policies: Vec<&str> = cleanup_policy?.split(',').map(str::trim).collect();
        let stays = delete_retention_ms.and_then(|ms| ms.trim().parse().ok());
        policies.contains(&"compact").then(|| Self {
            keeps_each_key: !policies.contains(&"delete"),
            tombstones_stay: Duration::from_millis(stays.unwrap_or(0)),
        })
    }
}

/// A client for topics. Cheap to clone; its calls run on the runtime's blocking threads.
#[derive(Clone)]
pub struct Admin {
    inner: Arc<Inner>,
}

struct Inner {
    admin: AdminClient<Link>,
    reader: Consumer,
    settings: Settings,
}

impl Admin {
    /// A client for these brokers. Reaches none yet: see [`Self::ping`].
    ///
    /// # Errors
    /// [`Kind::Settings`] where librdkafka refuses the properties.
    pub fn connect(settings: &Settings) -> Result<Self> {
        let link = Link::new(&settings.bootstrap_servers);
        let admin = settings.config(Role::Admin)?.create_with_context(link);
        let admin = admin.map_err(|cause| settings.refused(&cause))?;
        let reader = Consumer::open(settings, |_| {})?;
        Ok(Self { inner: Arc::new(Inner { admin, reader, settings: settings.clone() }) })
    }

    /// Whether a broker answers.
    ///
    /// # Errors
    /// [`Kind::KafkaUnreachable`] after the settings' patience; [`Kind::KafkaRefused`] where
    /// it answers with a refusal.
    pub async fn ping(&self) -> Result<()> {
        self.blocking(|inner| inner.reader.partition_count("__consumer_offsets").map(drop)).await
    }

    /// How many partitions a topic has; `None` where there is no such topic.
    ///
    /// # Errors
    /// [`Kind::KafkaUnreachable`], [`Kind::KafkaRefused`].
    pub async fn partitions(&self, topic: &str) -> Result<Option<i32>> {
        let topic = topic.to_owned();
        self.blocking(move |inner| inner.reader.partition_count(&topic)).await
    }

    /// Topics whose names begin so, with their partition counts.
    ///
    /// # Errors
    /// [`Kind::KafkaUnreachable`], [`Kind::KafkaRefused`].
    pub async fn topics_with_prefix(&self, prefix: &str) -> Result<BTreeMap<String, i32>> {
        let prefix = prefix.to_owned();
        self.blocking(move |inner| {
            let metadata = inner.all_topics()?;
            let named = metadata.topics().iter().filter(|t| t.name().starts_with(&prefix));
            let present = named.filter(|t| t.error().is_none());
            Ok(present.map(|t| (t.name().to_owned(), count(t.partitions().len()))).collect())
        })
        .await
    }

    /// Where the committed records of these partitions end (the last stable offset), in the order asked.
    ///
    /// # Errors
    /// [`Kind::TopicChanged`] where one does not exist; [`Kind::KafkaUnreachable`], [`Kind::KafkaRefused`].
    pub async fn ends(&self, partitions: Vec<(String, i32)>) -> Result<Vec<Place>> {
        self.blocking(move |inner| inner.offsets(&partitions, Offset::End)).await
    }

    /// Where these partitions begin, in the order asked.
    ///
    /// # Errors
    /// As [`Self::ends`].
    pub async fn beginnings(&self, partitions: Vec<(String, i32)>) -> Result<Vec<Place>> {
        self.blocking(move |inner| inner.offsets(&partitions, Offset::Beginning)).await
    }

    /// As [`Self::create_all`], for one topic.
    ///
    /// # Errors
    /// As [`Self::create_all`].
    pub async fn create(&self, spec: TopicSpec) -> Result<()> {
        self.create_all(std::slice::from_ref(&spec)).await
    }

    /// Those of the topics that are compacted, alone or besides: they take no record without a key, and brokers may
    /// remove what a later record of its key replaces. Whether only that, says [`Compaction::keeps_each_key`].
    ///
    /// # Errors
    /// [`Kind::KafkaRefused`] where the account may not ask; [`Kind::KafkaUnreachable`].
    pub async fn compacted(&self, topics: &[&str]) -> Result<BTreeMap<String, Compaction>> {
        let mut found = BTreeMap::new();
        for (name, answer) in self.described(topics).await? {
            let answer = answer.map_err(|code| self.setting_refused(name, code))?;
            let value = |name| answer.get(name).and_then(|entry| entry.value.as_deref());
            let compaction = Compaction::of(value("cleanup.policy"), value("delete.retention.ms"));
            found.extend(compaction.map(|compaction| (name.to_owned(), compaction)));
        }
        Ok(found)
    }

    /// The settings of these topics, in the order asked.
    async fn described<'t>(
        &self,
        topics: &[&'t str],
    ) -> Result<Vec<(&'t str, Result<ConfigResource, Code>)>> {
        let mut found = Vec::new();
        for batch in topics.chunks(BATCH_TOPICS_MAX) {
            let asked: Vec<_> = batch.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
            let answers = self.inner.admin.describe_configs(&asked, &self.inner.options()).await;
            let answers = answers.map_err(|cause| self.inner.reader.fault(&cause, "asking for settings"))?;
            found.extend(batch.iter().copied().zip(answers));
        }
        Ok(found)
    }

    fn setting_refused(&self, topic: &str, code: Code) -> Error {
        self.inner.reader.fault_of(code, &format!("asking for the settings of {topic}"))
    }

    /// How many bytes a record of these topics may have; nothing of one that is not there.
    ///
    /// # Errors
    /// As [`Self::compacted`].
    pub async fn largest_records(&self, topics: &[&str]) -> Result<BTreeMap<String, u64>> {
        let mut found = BTreeMap::new();
        for (name, answer) in self.described(topics).await? {
            let answer = match answer {
                Err(Code::UnknownTopicOrPartition | Code::UnknownTopic) => continue,
                answer => answer.map_err(|code| self.setting_refused(name, code))?,
            };
            let bytes = answer.get(LARGEST_RECORD).and_then(|entry| entry.value.as_deref()?.parse().ok());
            found.extend(bytes.map(|bytes| (name.to_owned(), bytes)));
        }
        Ok(found)
    }

    /// Makes the topics that are missing and waits until each partition of all has a leader.
    /// A topic that is there with the partition count asked for is left as it is.
    ///
    /// # Errors
    /// [`Kind::TopicChanged`] where one is there with another partition count;
    /// [`Kind::KafkaRefused`] where the brokers forbid one; [`Kind::KafkaUnreachable`] where
    /// they do not get it done within the settings' patience.
    pub async fn create_all(&self, specs: &[TopicSpec]) -> Result<()> {
        specs.iter().try_for_each(|spec| topic::check_name(&spec.name))?;
        let missing = self.missing(specs).await?;
        for batch in missing.chunks(BATCH_TOPICS_MAX) {
            self.create_batch(batch).await?;
        }
        self.wait_for_leaders(specs.to_vec()).await
    }

    /// Removes topics and waits until the brokers no longer list them. Missing ones are no error.
    ///
    /// # Errors
    /// [`Kind::KafkaRefused`] where the brokers forbid it; [`Kind::KafkaUnreachable`].
    pub async fn delete(&self, names: &[&str]) -> Result<()> {
        names.iter().try_for_each(|name| topic::check_name(name))?;
        for batch in names.chunks(BATCH_TOPICS_MAX) {
            let options = self.inner.options();
            let results = self.inner.admin.delete_topics(batch, &options).await;
            let results = results.map_err(|cause| self.inner.reader.fault(&cause, "deleting topics"))?;
            for (name, code) in results.into_iter().filter_map(std::result::Result::err) {
                if !matches!(code, Code::UnknownTopicOrPartition | Code::UnknownTopic) {
                    return Err(self.inner.reader.fault_of(code, &format!("deleting topic {name}")));
                }
            }
        }
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        self.blocking(move |inner| inner.wait(|metadata| gone(metadata, &names), "deleting topics")).await
    }

    /// Removes the records before these places, as retention would.
    ///
    /// # Errors
    /// [`Kind::KafkaRefused`] where the brokers forbid it; [`Kind::TopicChanged`] where a partition
    /// does not exist; [`Kind::KafkaUnreachable`].
    pub async fn delete_records_before(&self, places: &[Place]) -> Result<()> {
        let mut list = TopicPartitionList::new();
        for place in places {
            topic::check_name(&place.topic)?;
            add(&mut list, &place.topic, place.partition, Offset::Offset(place.offset))?;
        }
        let removed = self.inner.admin.delete_records(&list, &self.inner.options()).await;
        let removed = removed.map_err(|cause| self.inner.reader.fault(&cause, "removing records"))?;
        for element in removed.elements() {
            let doing = format!("removing records of {}/{}", element.topic(), element.partition());
            element.error().map_err(|cause| self.inner.reader.fault(&cause, &doing))?;
        }
        Ok(())
    }

    async fn missing(&self, specs: &[TopicSpec]) -> Result<Vec<TopicSpec>> {
        let specs = specs.to_vec();
        self.blocking(move |inner| {
            let metadata = inner.topics_of(&specs)?;
            Ok(specs.into_iter().filter(|spec| !metadata.iter().any(|m| lists(m, &spec.name))).collect())
        })
        .await
    }

    async fn create_batch(&self, batch: &[TopicSpec]) -> Result<()> {
        let mut open: Vec<&TopicSpec> = batch.iter().collect();
        for attempt in 1..=ATTEMPTS_MAX {
            let topics: Vec<NewTopic<'_>> = open.iter().map(|spec| new_topic(spec)).collect();
            let results = self.inner.admin.create_topics(&topics, &self.inner.options()).await;
            let results = results.map_err(|cause| self.inner.reader.fault(&cause, "making topics"))?;
            let mut again = Vec::new();
            for (name, code) in results.into_iter().filter_map(std::result::Result::err) {
                match code {
                    Code::TopicAlreadyExists => {}
                    code if attempt < ATTEMPTS_MAX && fault::kind_of(code) == Kind::KafkaUnreachable => {
                        again.push(name);
                    }
                    code => return Err(self.inner.reader.fault_of(code, &format!("making topic {name}"))),
                }
            }
            if again.is_empty() {
                return Ok(());
            }
            open.retain(|spec| again.contains(&spec.name));
            tokio::time::sleep(LOOK_AGAIN * attempt).await;
        }
        Ok(())
    }

    async fn wait_for_leaders(&self, specs: Vec<TopicSpec>) -> Result<()> {
        if specs.is_empty() {
            return Ok(());
        }
        self.blocking(move |inner| {
            // A broker takes minutes for ten thousand topics, one after the other.
            let (mut first, mut moved) = (String::new(), Instant::now());
            loop {
                let asked = Instant::now();
                let metadata = inner.topics_of(&specs)?;
                let took = asked.elapsed();
                let waiting = waiting_for_leader(&specs, &metadata)?;
                let Some(name) = waiting else { return Ok(()) };
                if name != first {
                    (first, moved) = (name.clone(), Instant::now());
                }
                if inner.reader.is_enough(moved) {
                    let doing = format!("waiting for the leaders of topic {name}");
                    return Err(inner.reader.fault_of(Code::LeaderNotAvailable, &doing));
                }
                // An answer about all topics is work for the broker that is making them.
                std::thread::sleep(LOOK_AGAIN.max(4 * took));
            }
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || work(&inner))
            .await
            .map_err(|cause| Error::new(Kind::Bug, "a look at Kafka did not end").caused_by(cause))?
    }
}

impl Inner {
    fn options(&self) -> AdminOptions {
        let patience = Some(self.settings.patience);
        AdminOptions::new().request_timeout(patience).operation_timeout(patience)
    }

    fn offsets(&self, partitions: &[(String, i32)], side: Offset) -> Result<Vec<Place>> {
        self.reader.offsets(partitions.iter().map(|(name, partition)| (name.as_str(), *partition)), side)
    }

    fn all_topics(&self) -> Result<Metadata> {
        self.reader.metadata(None, "listing topics")
    }

    /// What the brokers know of these topics: one by one while they are few, else the whole list.
    fn topics_of(&self, specs: &[TopicSpec]) -> Result<Vec<Metadata>> {
        if specs.len() > 8 {
            return Ok(vec![self.all_topics()?]);
        }
        let look = |spec: &TopicSpec| {
            self.reader.metadata(Some(&spec.name), &format!("looking up topic {}", spec.name))
        };
        specs.iter().map(look).collect()
    }

    fn wait(&self, done: impl Fn(&Metadata) -> bool, doing: &str) -> Result<()> {
        let begun = Instant::now();
        while !done(&self.all_topics()?) {
            if self.reader.is_enough(begun) {
                return Err(self.reader.fault_of(Code::OperationTimedOut, doing));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }
}

fn new_topic(spec: &TopicSpec) -> NewTopic<'_> {
    let mut topic = NewTopic::new(&spec.name, spec.partitions, TopicReplication::Fixed(spec.replication));
    for (name, value) in &spec.config {
        topic = topic.set(name, value);
    }
    topic
}

fn lists(metadata: &Metadata, name: &str) -> bool {
    metadata.topics().iter().any(|t| t.name() == name && t.error().is_none())
}

fn gone(metadata: &Metadata, names: &[String]) -> bool {
    !metadata.topics().iter().any(|t| t.error().is_none() && names.iter().any(|name| name == t.name()))
}

fn count(partitions: usize) -> i32 {
    i32::try_from(partitions).unwrap_or(i32::MAX)
}

/// A topic of which a partition has no leader yet; `None` where all have.
fn waiting_for_leader(specs: &[TopicSpec], metadata: &[Metadata]) -> Result<Option<String>> {
    let found: BTreeMap<&str, _> = metadata.iter().flat_map(|m| m.topics()).map(|t| (t.name(), t)).collect();
    for spec in specs {
        let listed = found.get(spec.name.as_str()).filter(|t| t.error().is_none());
        let Some(topic) = listed else { return Ok(Some(spec.name.clone())) };
        let partitions = count(topic.partitions().len());
        if partitions != spec.partitions {
            return Err(other_count(spec, partitions));
        }
        if topic.partitions().iter().any(|p| p.leader() < 0 || p.error().is_some()) {
            return Ok(Some(spec.name.clone()));
        }
    }
    Ok(None)
}

fn other_count(spec: &TopicSpec, partitions: i32) -> Error {
    let wanted = spec.partitions;
    Error::new(Kind::TopicChanged, format!("topic {} has {partitions} partitions, not {wanted}", spec.name))
        .detail("a key's partition depends on their number, and so does the order of its changes")
        .hint("give it the number shown, or remove the topic where nothing needs it any more")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_compacted_alone_or_besides() {
        let of = |policy| Compaction::of(Some(policy), Some("60000"));
        let compacted =
            |keeps_each_key| Some(Compaction { keeps_each_key, tombstones_stay: Duration::from_secs(60) });
        for (policy, expected) in [
            ("delete", None),
            ("", None),
            ("compact", compacted(true)),
            (" compact ", compacted(true)),
            ("compact,delete", compacted(false)),
            ("delete,compact", compacted(false)),
            ("delete , compact", compacted(false)),
        ] {
            assert_eq!(of(policy), expected, "{policy:?}");
        }
        assert_eq!(Compaction::of(None, None), None);
        // How long tombstones stay is not known: no hole is young enough.
        let unknown = Compaction { keeps_each_key: true, tombstones_stay: Duration::ZERO };
        assert_eq!(Compaction::of(Some("compact"), None), Some(unknown));
    }
}
