//! Which topics there are, by the source's own record of them.
//!
//! The partition count of each topic is pinned on `prefix.state` in the Kafka transaction that first writes to it.
//! So that topic is the list: names alone do not tell whose a topic is, since prefixes may have dots.

use std::collections::BTreeMap;
use std::time::Duration;

use cdc_mysql_sink::Partition;
use cdc_sdk::{Error, Kind, Result};

use super::super::cut_writer::OwnTopics;
use super::super::recovery;
use crate::kafka::{self, Log};

/// The topics of a prefix.
pub(super) struct Topics {
    state: Log,
    counts: BTreeMap<String, i32>,
}

impl Topics {
    /// Those there are now.
    ///
    /// # Errors
    /// [`Kind::NothingYet`] before the source has written its first cut.
    pub fn open(kafka: &kafka::Settings, topics: &OwnTopics) -> Result<Self> {
        let nothing_yet = || {
            Error::new(Kind::NothingYet, format!("there is no cut on {} yet", topics.cuts))
                .hint("start the source (cdc source -c …), or compare topic_prefix with the source's name")
        };
        let cuts = Log::open(kafka, &topics.cuts)?.ok_or_else(nothing_yet)?;
        if cuts.end()? == 0 {
            return Err(nothing_yet());
        }
        let state = Log::open(kafka, &topics.state)?.ok_or_else(nothing_yet)?;
        let mut found = Self { state, counts: BTreeMap::new() };
        let end = found.state.end()?;
        while let Some(record) = found.state.next_until(end)? {
            found.counts.extend(recovery::pin_of(&record)?);
        }
        Ok(found)
    }

    /// Takes in what has been added. Returns whether there is more than before.
    pub fn look(&mut self) -> Result<bool> {
        let before = self.counts.len();
        while let Some(record) = self.state.next(Duration::ZERO)? {
            self.counts.extend(recovery::pin_of(&record)?);
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
