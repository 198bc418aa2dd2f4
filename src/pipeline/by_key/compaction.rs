//! Topics that brokers compact, read key by key.
//!
//! Of each key a compaction keeps the last record, so a row ends right without those that are gone, as long as its
//! tombstone is there where that was the last. A tombstone stays for `delete.retention.ms`. So a sink that comes back
//! later than that to a topic from which records are gone cannot know of all deletions, and stops. One that has applied
//! nothing has no row to delete.
//!
//! Where there are cuts, nothing can be missing of one without a word: compacted topics are refused, since with
//! them a cut of which nothing is left in a partition shows no gap there.

use std::collections::HashMap;
use std::time::Duration;

use cdc_mysql_sink::{Partition, Standing};
use cdc_sdk::{Error, Kind, Result};
use tokio::runtime::Handle;

use super::super::decoder::Decoder;
use crate::kafka::{self, Admin, Compaction, Log};

/// By so much the clocks of source and brokers may differ, and reading may take.
const MARGIN: Duration = Duration::from_secs(60);

/// How topics are compacted, as far as that was asked for.
pub(super) struct Compactions {
    kafka: kafka::Settings,
    known: HashMap<String, Option<Compaction>>,
}

impl Compactions {
    /// Nothing is known yet.
    pub fn new(kafka: &kafka::Settings) -> Self {
        Self { kafka: kafka.clone(), known: HashMap::new() }
    }

    /// Asks for the topics of these partitions, where that is not known.
    ///
    /// # Errors
    /// [`Kind::KafkaUnreachable`].
    pub fn ask(&mut self, partitions: &[Partition]) -> Result<()> {
        let new = partitions.iter().map(|(topic, _)| topic.as_str());
        let mut new: Vec<&str> = new.filter(|topic| !self.known.contains_key(*topic)).collect();
        new.sort_unstable();
        new.dedup();
        if new.is_empty() {
            return Ok(());
        }
        let admin = Admin::connect(&self.kafka)?;
        let found = match Handle::current().block_on(admin.compacted(&new)) {
            Err(refused) if refused.kind() == Kind::KafkaRefused => {
                tracing::warn!(error = %refused, "nobody tells whether topics are compacted: deletions that a compaction took are not missed");
                Default::default()
            }
            found => found?,
        };
        let answers: Vec<_> =
            new.iter().map(|topic| ((*topic).to_owned(), found.get(*topic).copied())).collect();
        self.known.extend(answers);
        Ok(())
    }

    /// How a topic is compacted; `None` where it is not.
    pub fn of(&self, topic: &str) -> Option<Compaction> {
        self.known.get(topic).copied().flatten()
    }

    /// Refuses topics with cuts that are compacted.
    ///
    /// # Errors
    /// [`Kind::NotByKey`].
    pub fn refuse(&self, partitions: &[Partition]) -> Result<()> {
        let compacted = partitions.iter().find(|(topic, _)| self.of(topic).is_some());
        let Some((topic, _)) = compacted else { return Ok(()) };
        Err(Error::new(Kind::NotByKey, format!("the topic {topic} is compacted"))
            .detail("with consistency = \"key\" nothing tells whether deletions are gone from it")
            .hint("use consistency = \"transaction\", or topics with cleanup.policy=delete"))
    }
}

/// Whether a sink that stands there may have missed tombstones, where records are gone behind that place.
pub(super) fn may_miss_deletions(standing: &Standing, compaction: Compaction, now_us: i64) -> bool {
    let away = u64::try_from(now_us - standing.committed_us).map_or(Duration::ZERO, Duration::from_micros);
    standing.next_offset > 0 && away + MARGIN >= compaction.tombstones_stay
}

/// Reads ahead to the first event of a partition, which tells the name of the table: a tombstone does not.
///
/// # Errors
/// What keeps that event from being read.
pub(super) fn meet_table(
    kafka: &kafka::Settings,
    decoder: &mut Decoder,
    topic: &str,
    partition: i32,
    offset: i64,
) -> Result<()> {
    let mut log = Log::of_partition(kafka, topic, partition, offset)?;
    let end = log.end()?;
    while let Some(record) = log.next_until(end)? {
        if let Some(value) = record.value {
            let key = record.key.map(Into::into);
            let at = |e: Error| e.at(format!("{topic}/{partition} offset {}", record.offset));
            return decoder.decode(topic, key.as_ref(), &value.into()).map(drop).map_err(at);
        }
    }
    Ok(())
}

/// Without cuts nothing tells whether what is gone was needed.
pub(super) fn gone((topic, number): &Partition, standing: &Standing) -> Error {
    Error::new(
        Kind::EventsMissing,
        format!("{topic}/{number} does not hold offset {} any more", standing.next_offset),
    )
    .detail("retention deleted records that this sink has not read")
    .hint(
        "let Debezium take a new snapshot under a new topic.prefix, and follow that; keep records for longer",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deletions_may_be_missed_by_who_comes_back_after_tombstones_went() {
        const HOUR_US: i64 = 3_600_000_000;
        let compaction = Compaction { keeps_each_key: true, tombstones_stay: Duration::from_secs(7_200) };
        let missed = |next_offset, committed_us| {
            let standing = Standing { next_offset, last: None, committed_us };
            may_miss_deletions(&standing, compaction, 100 * HOUR_US)
        };
        assert!(missed(5, 97 * HOUR_US) && missed(5, 98 * HOUR_US) && missed(5, 0));
        assert!(!missed(5, 99 * HOUR_US) && !missed(5, 101 * HOUR_US));
        assert!(!missed(0, 0), "who has applied nothing has no row to delete");
    }
}
