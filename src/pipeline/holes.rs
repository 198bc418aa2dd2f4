//! Events that are gone from a compacted topic, where a sink goes on over them.
//!
//! Of each key a broker keeps the last record, so what is gone comes back with a later one: at the
//! latest with the last that the topics held when the hole was found. Up to there the destination may
//! be no state of the source; rows in the way of others are replaced, and a tombstone counts as the
//! deletion whose event may be gone. From the first cut at or past that end on it is one again.
//!
//! That holds while tombstones stay: one that is gone, too, would leave a row for ever. Brokers keep
//! each for `delete.retention.ms`, so a hole older than that is not passed over.
//!
//! It holds where compaction alone takes events: with `cleanup.policy=compact,delete` brokers delete by age and size the last
//! record of a key, too, and none is passed over.
//!
//! And it holds while a key is one row's: where rows share keys (`message.key.columns`) none is passed over.
//!
//! Where that end is the ledger says in a row beside its places: the cuts topic, with -1 for a partition and the
//! sequence of the cut.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use cdc_sdk::cut::Touched;
use cdc_sdk::{CutId, Error, Kind, Result};
use tokio::runtime::Handle;
use tracing::{info, warn};

use super::filling::NO_PARTITION;
use super::recovery::stored_cut;
use crate::kafka::{Admin, Compaction, Log, Settings};
use crate::observe::now_us;

/// What the ledger says where no hole is open.
const CLOSED: i64 = -1;

/// By so much the clocks of sink and brokers may differ, and reading may take.
const MARGIN: Duration = Duration::from_secs(60);

/// What is known of holes.
pub struct Holes {
    kafka: Settings,
    cuts_topic: String,
    two_way: bool,
    /// The sequence of the cut with which what is gone has come back.
    until: Option<u64>,
    /// Whether there were more holes since that was asked for.
    more: bool,
    moved: bool,
    /// How a topic is compacted, if it is.
    compacted: HashMap<String, Option<Compaction>>,
    /// When the cuts that are not through were written, ms since 1970 by the brokers' clock.
    written: VecDeque<(CutId, i64)>,
}

impl Holes {
    /// As the ledger has it.
    pub fn of(
        kafka: Settings,
        cuts_topic: &str,
        two_way: bool,
        places: &HashMap<(String, i32), i64>,
    ) -> Self {
        Self {
            kafka,
            cuts_topic: cuts_topic.to_owned(),
            two_way,
            until: until(cuts_topic, places),
            more: false,
            moved: false,
            compacted: HashMap::new(),
            written: VecDeque::new(),
        }
    }

    /// A cut was read from its topic.
    pub fn read(&mut self, cut: CutId, written_ms: i64) {
        self.written.push_back((cut, written_ms));
    }

    /// Whether what the destination holds may be no state of the source.
    pub fn are_open(&self) -> bool {
        self.until.is_some()
    }

    /// Events of a cut are gone: goes on over them, where that is safe. `shared`: rows of the table share keys.
    ///
    /// # Errors
    /// The one given where it is not, with the reason; [`Kind::KafkaUnreachable`].
    pub fn pass_over(&mut self, gone: Error, cut: CutId, touched: &Touched, shared: bool) -> Result<()> {
        let Some(compaction) = self.compaction(&touched.topic)? else { return Err(gone) };
        let written = self.written.iter().find(|(id, _)| *id == cut).map_or(0, |(_, ms)| *ms);
        if let Some(why) = refusal(self.two_way, shared, written, compaction) {
            let expected = gone.detail_text().unwrap_or_default().to_owned();
            return Err(gone.detail(format!("{expected}; the topic is compacted, but {why}")));
        }
        self.more = true;
        if self.until.is_none() {
            self.look_for_the_end()?;
            warn!(topic = touched.topic, partition = touched.partition, %cut, until_sequence = self.until,
                "events were compacted away: the sink converges until later ones have brought their rows back");
        }
        Ok(())
    }

    /// A cut is through. Where all that was gone has come back, the holes lie behind.
    ///
    /// # Errors
    /// [`Kind::KafkaUnreachable`].
    pub fn passed(&mut self, cut: CutId) -> Result<()> {
        while self.written.front().is_some_and(|(id, _)| *id <= cut) {
            self.written.pop_front();
        }
        if self.until.is_some_and(|until| cut.sequence >= until) && self.more {
            self.look_for_the_end()?;
        }
        if self.until.is_some_and(|until| cut.sequence >= until) {
            info!(%cut, "the sink has converged: the destination is a state of the source again");
            (self.until, self.moved) = (None, true);
        }
        Ok(())
    }

    /// What the ledger is to say, if that has changed; it belongs to the batch under way.
    pub fn take_moved(&mut self) -> Option<((String, i32), i64)> {
        let place = (self.cuts_topic.clone(), NO_PARTITION);
        let until = self.until.and_then(|sequence| i64::try_from(sequence).ok());
        std::mem::take(&mut self.moved).then(|| (place, until.unwrap_or(CLOSED)))
    }

    /// What was gone when this is asked has a later record in the topics as they are now.
    fn look_for_the_end(&mut self) -> Result<()> {
        let Some(mut log) = Log::look(&self.kafka, &self.cuts_topic)? else { return Ok(()) };
        self.more = false;
        if let Some(record) = log.last(1)?.last() {
            self.until = Some(stored_cut(record)?.cut.id.sequence);
            self.moved = true;
        }
        Ok(())
    }

    fn compaction(&mut self, topic: &str) -> Result<Option<Compaction>> {
        if let Some(known) = self.compacted.get(topic) {
            return Ok(*known);
        }
        let admin = Admin::connect(&self.kafka)?;
        let found = match Handle::current().block_on(admin.compacted(&[topic])) {
            // Without the right to ask, nothing is passed over.
            Err(refused) if refused.kind() == Kind::KafkaRefused => None,
            found => found?.remove(topic),
        };
        self.compacted.insert(topic.to_owned(), found);
        Ok(found)
    }
}

/// Where the last hole ends, as the ledger has it; `None` where none is open.
fn until(cuts_topic: &str, places: &HashMap<(String, i32), i64>) -> Option<u64> {
    let sequence = places.get(&(cuts_topic.to_owned(), NO_PARTITION));
    sequence.and_then(|sequence| u64::try_from(*sequence).ok())
}

/// Whether a ledger says that what the destination holds may be no state of the source.
pub fn are_open_at(cuts_topic: &str, places: &HashMap<(String, i32), i64>) -> bool {
    until(cuts_topic, places).is_some()
}

/// Why a hole must not be passed over: what is gone was written then, in a topic that is compacted so.
pub fn refusal(two_way: bool, shared: bool, written_ms: i64, compaction: Compaction) -> Option<String> {
    if !compaction.keeps_each_key {
        return Some(
            "brokers delete from it by age and size, too (cleanup.policy=compact,delete): nothing may bring back what \
             is gone"
                .to_owned(),
        );
    }
    let stays = compaction.tombstones_stay;
    if two_way {
        return Some("what rows were before is needed to see conflicts ([two_way])".to_owned());
    }
    if shared {
        return Some(
            "rows share its keys (message.key.columns): nothing brings back the other rows of a key"
                .to_owned(),
        );
    }
    let age = Duration::from_millis(u64::try_from(now_us() / 1000 - written_ms).unwrap_or(0));
    let minutes = |time: Duration| time.as_secs() / 60;
    (age + MARGIN >= stays).then(|| {
        format!(
            "that was written {} min ago and tombstones stay for {} min (delete.retention.ms): deletions may be \
             gone with it",
            minutes(age),
            minutes(stays)
        )
    })
}

#[cfg(test)]
mod tests;
