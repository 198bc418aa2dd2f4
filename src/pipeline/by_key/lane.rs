//! One partition that this sink has, and which of its records count.

use std::time::Instant;

use cdc_mysql_sink::Standing;
use cdc_sdk::{Error, Kind, Result};

use crate::kafka::Stamp;

/// A partition.
pub(super) struct Lane {
    /// Its number in the origin of changes.
    pub stream: u32,
    /// The offset that the ledger holds once all that was handed over is applied.
    pub handed: i64,
    /// Where it stands once what is gathered is handed over, too.
    pub now: Standing,
    /// Nothing could be committed for it: it is not read before this moment, and then must be taken anew.
    pub lost: Option<Instant>,
    /// Before this offset no record may be gone: with it a deletion might be.
    pub whole_until: i64,
}

impl Lane {
    pub fn new(stream: u32, standing: Standing) -> Self {
        Self { stream, handed: standing.next_offset, now: standing, lost: None, whole_until: 0 }
    }

    /// Whether records are gathered that are not handed over.
    pub fn is_pending(&self) -> bool {
        self.now.next_offset != self.handed
    }

    /// Whether a record is the next: `false` for one that counts as applied, or was written twice. Of topics
    /// without cuts that is known by the offset alone.
    ///
    /// # Errors
    /// [`Kind::EventsMissing`] where records between have gone.
    pub fn admits(&self, stamp: Option<Stamp>) -> Result<bool> {
        let Some(stamp) = stamp else { return Ok(true) };
        let next = match self.now.last {
            Some(last) if (stamp.cut, stamp.ordinal) <= last => return Ok(false),
            Some((cut, ordinal)) if stamp.cut == cut => ordinal.saturating_add(1),
            Some(_) | None => 0,
        };
        if stamp.ordinal == next {
            return Ok(true);
        }
        Err(Error::new(Kind::EventsMissing, format!("events of cut {} are missing", stamp.cut))
            .detail(format!("expected event {next} of it, found event {}", stamp.ordinal))
            .hint(
                "retention or compaction took them, or the topic was written by something else: restore the \
                 destination, or empty it, cdc offsets reset, and let the source take a new snapshot",
            ))
    }

    /// Looks whether records are gone before the next one, where none may be.
    ///
    /// # Errors
    /// [`Kind::EventsMissing`].
    pub fn refuse_gap(&self, offset: i64) -> Result<()> {
        let expected = self.now.next_offset;
        if offset <= expected || expected >= self.whole_until {
            return Ok(());
        }
        Err(Error::new(Kind::EventsMissing, "records are gone, and tombstones may be among them")
            .detail(format!(
                "expected offset {expected}, found {offset}; the topic is compacted, and tombstones stay for \
                 delete.retention.ms, which is less than the time since this sink's last event"
            ))
            .hint(
                "empty the destination's tables and begin anew: cdc offsets reset; keep tombstones for longer than \
                 sinks may stand",
            ))
    }

    /// Goes behind a record.
    pub fn pass(&mut self, offset: i64, stamp: Option<Stamp>, committed_us: i64) {
        let at = stamp.map(|stamp| (stamp.cut, stamp.ordinal));
        self.now.next_offset = offset + 1;
        self.now.last = self.now.last.max(at);
        self.now.committed_us = self.now.committed_us.max(committed_us);
    }
}

#[cfg(test)]
mod tests {
    use cdc_sdk::CutId;

    use super::*;

    fn cut(sequence: u64) -> CutId {
        CutId { incarnation: 1, sequence }
    }

    fn stamp(sequence: u64, ordinal: u64) -> Option<Stamp> {
        Some(Stamp { cut: cut(sequence), ordinal })
    }

    #[test]
    fn records_count_once_and_none_behind_a_gap() {
        let mut lane = Lane::new(0, Standing { next_offset: 5, last: Some((cut(2), 1)), committed_us: 0 });
        assert!(!lane.is_pending());
        for old in [stamp(1, 9), stamp(2, 0), stamp(2, 1)] {
            assert!(!lane.admits(old).unwrap());
        }
        assert!(lane.admits(stamp(2, 2)).unwrap() && lane.admits(stamp(3, 0)).unwrap());
        for beyond in [stamp(2, 3), stamp(3, 1)] {
            assert_eq!(lane.admits(beyond).unwrap_err().kind(), Kind::EventsMissing);
        }
        lane.pass(7, stamp(2, 2), 50);
        assert!(lane.is_pending());
        assert_eq!(lane.now, Standing { next_offset: 8, last: Some((cut(2), 2)), committed_us: 50 });
        // A record written twice leads on, but not back.
        lane.pass(8, stamp(1, 0), 40);
        assert_eq!(lane.now, Standing { next_offset: 9, last: Some((cut(2), 2)), committed_us: 50 });
    }

    #[test]
    fn a_gap_stops_up_to_where_none_may_be() {
        let mut lane = Lane::new(0, Standing { next_offset: 5, last: None, committed_us: 0 });
        lane.refuse_gap(9).unwrap();
        lane.whole_until = 20;
        lane.refuse_gap(5).unwrap();
        assert_eq!(lane.refuse_gap(6).unwrap_err().kind(), Kind::EventsMissing);
        lane.pass(19, None, 0);
        lane.refuse_gap(23).unwrap();
    }

    #[test]
    fn behind_a_whole_cut_nothing_of_it_counts() {
        let lane = Lane::new(0, Standing::behind(cut(4), 0, 0));
        assert!(!lane.admits(stamp(4, 1_000)).unwrap());
        assert!(lane.admits(stamp(5, 0)).unwrap());
    }
}
