//! Which topics there are, by the source's own record of them.
//!
//! The partition count of each topic is pinned on `prefix.state` in the Kafka transaction that first writes to it.
//! So that topic is the list: names alone do not tell whose a topic is, since prefixes may have dots. Of topics that
//! Debezium wrote there are only their names.

use std::collections::BTreeMap;
use std::time::Duration;

use cdc_mysql_sink::Partition;
use cdc_sdk::{Error, Kind, Result};
use tokio::runtime::Handle;

use super::super::cut_writer::OwnTopics;
use super::super::recovery;
use crate::config::{SinkConfig, WrittenBy};
use crate::kafka::{self, Admin, Log};

/// The topics of a prefix.
pub(super) struct Topics {
    list: List,
    counts: BTreeMap<String, i32>,
}

/// Who says which there are.
enum List {
    /// The source's record of them.
    State(Log),
    /// Their names: Debezium keeps no record.
    Names { admin: Admin, runtime: Handle, prefix: String, excluded: Vec<String> },
}

impl Topics {
    /// Those there are now.
    ///
    /// # Errors
    /// [`Kind::NothingYet`] before the source has written anything.
    pub fn open(kafka: &kafka::Settings, config: &SinkConfig) -> Result<Self> {
        match config.written_by {
            WrittenBy::Cdc => Self::by_state(kafka, &OwnTopics::of(&config.topic_prefix)),
            WrittenBy::Debezium => Self::by_name(kafka, config),
        }
    }

    fn by_state(kafka: &kafka::Settings, topics: &OwnTopics) -> Result<Self> {
        let nothing_yet = || {
            Error::new(Kind::NothingYet, format!("there is no cut on {} yet", topics.cuts))
                .hint("start the source (cdc source -c …), or compare topic_prefix with the source's name")
        };
        let cuts = Log::open(kafka, &topics.cuts)?.ok_or_else(nothing_yet)?;
        if cuts.end()? == 0 {
            return Err(nothing_yet());
        }
        let mut state = Log::open(kafka, &topics.state)?.ok_or_else(nothing_yet)?;
        let mut counts = BTreeMap::new();
        let end = state.end()?;
        while let Some(record) = state.next_until(end)? {
            counts.extend(recovery::pin_of(&record)?);
        }
        Ok(Self { list: List::State(state), counts })
    }

    fn by_name(kafka: &kafka::Settings, config: &SinkConfig) -> Result<Self> {
        let prefix = &config.topic_prefix;
        let list = List::Names {
            admin: Admin::connect(kafka)?,
            runtime: Handle::current(),
            prefix: prefix.clone(),
            excluded: config.exclude_topics.clone(),
        };
        let mut found = Self { list, counts: BTreeMap::new() };
        if found.look()? {
            return Ok(found);
        }
        Err(Error::new(Kind::NothingYet, format!("there is no topic {prefix}.<database>.<table> yet"))
            .hint("start Debezium, or compare topic_prefix with its topic.prefix"))
    }

    /// Takes in what has been added. Returns whether there is more than before.
    ///
    /// # Errors
    /// [`Kind::TopicChanged`] where a topic of Debezium's has another partition count than it had: a key is in
    /// another partition then, and which of two records came last nothing tells.
    pub fn look(&mut self) -> Result<bool> {
        let before = self.counts.len();
        match &mut self.list {
            List::State(state) => {
                while let Some(record) = state.next(Duration::ZERO)? {
                    self.counts.extend(recovery::pin_of(&record)?);
                }
            }
            List::Names { admin, runtime, prefix, excluded } => {
                let now = runtime.block_on(admin.topics_with_prefix(&format!("{prefix}.")))?;
                for (topic, count) in
                    now.into_iter().filter(|(topic, _)| is_of_a_table(prefix, excluded, topic))
                {
                    let known = *self.counts.entry(topic.clone()).or_insert(count);
                    if known != count {
                        return Err(repartitioned(&topic, known, count));
                    }
                }
            }
        }
        Ok(self.counts.len() > before)
    }

    /// Their names.
    pub fn names(&self) -> Vec<&str> {
        self.counts.keys().map(String::as_str).collect()
    }

    /// How many partitions a topic has.
    pub fn count(&self, topic: &str) -> i32 {
        self.counts.get(topic).copied().unwrap_or(0)
    }

    /// All their partitions.
    pub fn partitions(&self) -> Vec<Partition> {
        let of = |(topic, count): (&String, &i32)| {
            let topic = topic.clone();
            (0..*count).map(move |number| (topic.clone(), number)).collect::<Vec<_>>()
        };
        self.counts.iter().flat_map(of).collect()
    }
}

/// `<prefix>.<database>.<table>`, and not `<prefix>.transaction`, or one of ours; none that the user leaves out.
fn is_of_a_table(prefix: &str, excluded: &[String], topic: &str) -> bool {
    let is_excluded = |name: &String| match name.strip_suffix('*') {
        Some(beginning) => topic.starts_with(beginning),
        None => topic == name,
    };
    let rest = topic.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.'));
    rest.is_some_and(|rest| rest.contains('.')) && !excluded.iter().any(is_excluded)
}

fn repartitioned(topic: &str, before: i32, now: i32) -> Error {
    Error::new(Kind::TopicChanged, format!("topic {topic} has {now} partitions, and had {before}")).hint(
        "a key must keep its partition: let Debezium write under a new topic.prefix, with a new snapshot",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_of_a_table_has_its_name_and_is_not_left_out() {
        let excluded = ["p.schema.history", "p.eu.*"].map(str::to_owned);
        let of_a_table = |topic| is_of_a_table("p", &excluded, topic);
        assert!(of_a_table("p.d.t") && of_a_table("p.d.t.x") && of_a_table("p.schema.history2"));
        for other in ["p", "p.transaction", "p2.d.t", "p.schema.history", "p.eu.d.t"] {
            assert!(!of_a_table(other), "{other}");
        }
    }
}
