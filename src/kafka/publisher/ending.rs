//! What a broker leaves without an end (see [`crate::kafka::settle`]) gets one here.

use std::collections::HashSet;
use std::time::Duration;

use cdc_sdk::Result;
use cdc_sdk::cut::Place;
use rdkafka::topic_partition_list::Offset;

use super::{Outcome, Publisher};
use crate::kafka::consumer::Consumer;
use crate::kafka::log::Log;
use crate::kafka::record::Record;

/// No broker that crashed is back sooner. librdkafka tells of a lost connection, but not of another like it within 30 s
/// (`rd_kafka_broker_set_error`), so a transaction that takes this long counts as a sign, too.
const OUTAGE_MIN: Duration = Duration::from_secs(1);

/// The last transaction that was committed: what it may have left hanging.
#[derive(Debug, Default)]
pub(super) struct Last {
    /// By the publisher's number for a partition: the offset after its last record.
    ends: Vec<(usize, i64)>,
    /// How often the line had been bad before it was committed.
    breaks: u64,
    /// How long its commit took.
    took: Duration,
}

impl Last {
    /// Another one was committed. One without records says nothing of the one before it: no broker heard of it.
    pub fn committed(&mut self, breaks: u64, took: Duration, ends: &[(usize, i64)]) {
        if !ends.is_empty() {
            *self = Self { ends: ends.to_vec(), breaks, took };
        }
    }

    /// Whether a broker may have crashed since its commit was asked for.
    fn is_doubtful(&self, breaks: u64, next_took: Duration) -> bool {
        self.breaks != breaks || self.took.max(next_took) >= OUTAGE_MIN
    }
}

impl Publisher {
    /// Writes an empty record to each of these partitions and ends the transaction so. Returns
    /// offsets that stand behind all that this publisher's id ever wrote there. See [`crate::kafka::settle`].
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub(in crate::kafka) fn barrier(
        &mut self,
        places: &[(String, i32)],
        outcome: Outcome,
    ) -> Result<Vec<Place>> {
        if places.is_empty() {
            return Ok(Vec::new());
        }
        self.begin()?;
        for (topic, partition) in places {
            self.send(topic, *partition, Some(b"barrier"), None, &[], 0)?;
        }
        match outcome {
            Outcome::Commit => self.commit(),
            Outcome::Abort => {
                self.flush()?;
                let ends = self.named(self.receipts().take_ends());
                self.abort()?;
                Ok(ends)
            }
        }
    }

    /// Commits records that hang, by writing the last of each partition again.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub(in crate::kafka) fn commit_again(&mut self, last: &[((String, i32), Record)]) -> Result<()> {
        if last.is_empty() {
            return Ok(());
        }
        self.begin()?;
        self.send_again(last)?;
        self.commit().map(drop)
    }

    /// Before a commit: where a broker may have crashed since the last one was asked for, what that one has left hanging
    /// outside the partitions of this one gets its end with it. The brokers took records of this one, so the last one
    /// has no more markers to come.
    pub(super) fn bring_what_hangs(&mut self) -> Result<()> {
        let took = self.begun.map(|begun| begun.elapsed()).unwrap_or_default();
        if !self.last.is_doubtful(self.receipts().link().breaks(), took) {
            return Ok(());
        }
        let touched: HashSet<usize> = self.receipts().touched().into_iter().collect();
        let left = self.last.ends.iter().filter(|(slot, _)| !touched.contains(slot));
        let left: Vec<Place> = self.named(left.copied().collect());
        if touched.is_empty() || left.is_empty() {
            return Ok(());
        }
        let mut last = Vec::new();
        for Place { topic, partition, offset } in self.without_marker(left)? {
            let mut log = Log::of_all(&self.settings, &topic, partition, offset - 1)?;
            last.extend(log.next_until(offset)?.map(|record| ((topic, partition), record)));
        }
        self.send_again(&last)?;
        self.flush()
    }

    /// Those of the ends that readers of what is committed do not come to.
    fn without_marker(&self, ends: Vec<Place>) -> Result<Vec<Place>> {
        let asked = ends.iter().map(|end| (end.topic.as_str(), end.partition));
        let seen = Consumer::open(&self.settings, |_| {})?.offsets(asked, Offset::End)?;
        let both = ends.into_iter().zip(seen);
        Ok(both.filter(|(end, seen)| seen.offset < end.offset).map(|(end, _)| end).collect())
    }

    /// Writes these records again, each the last of its partition that has no marker.
    fn send_again(&mut self, last: &[((String, i32), Record)]) -> Result<()> {
        if last.is_empty() {
            return Ok(());
        }
        let places: Vec<_> = last.iter().map(|(place, _)| place).collect();
        tracing::warn!(
            target: "cdc::kafka",
            "a broker left committed records without their marker; the last one of each partition is written again, \
             which brings them: {places:?}"
        );
        for ((topic, partition), record) in last {
            let headers: Vec<(&str, &[u8])> =
                record.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            self.send(topic, *partition, key, value, &headers, record.timestamp_ms)?;
        }
        Ok(())
    }
}
