//! Finds a cut, and the map (topic, partition) → offset that holds at it.
//!
//! Each cut names the ends of the partitions that the cut before it touched.
//! So the map at a cut is the sum of what the cuts up to the one after it name;
//! the last cut's own partitions are known from it by count, and by offset only
//! once the next is written: until then the map holds an earlier offset, from
//! which a reader skips by the cut in each record's header.

use std::collections::BTreeMap;

use cdc_sdk::cut::CutKind;
use cdc_sdk::{Cut, CutId, Error, GtidSet, Kind, Result};

use super::cut_writer::OwnTopics;
use super::recovery::stored_cut;
use crate::kafka::{self, Log};

/// The map (topic, partition) → offset of the next record.
pub type Map = BTreeMap<(String, i32), i64>;

/// A cut that was found, with what a sink needs to begin after it.
#[derive(Clone, Debug)]
pub struct Found {
    /// The cut, its position with the whole GTID set.
    pub cut: Cut,
    /// The offset of the cuts topic that follows it.
    pub cuts_offset: i64,
    /// Where each partition stands after it.
    pub map: Map,
}

/// What is looked for: the last whole cut for which every cut up to it passes.
pub enum Wanted<'a> {
    /// The cut of this id.
    Id(CutId),
    /// The last cut whose transactions were all committed before this time (µs since 1970); what
    /// has no time of a commit, such as rows of a snapshot, counts from when it was written.
    Before(i64),
    /// The last cut whose transactions are all in this set.
    Within(&'a GtidSet),
    /// The last cut whose events of this partition are all before this offset.
    Offset(&'a str, i32, i64),
}

/// Reads the cuts from the first and returns the last that fits; `None` where not even the first does.
pub fn find(kafka: &kafka::Settings, topics: &OwnTopics, wanted: &Wanted<'_>) -> Result<Option<Found>> {
    let mut log = Log::open(kafka, &topics.cuts)?.ok_or_else(|| {
        Error::new(Kind::NothingYet, format!("there is no topic {}", topics.cuts))
            .hint("compare topic_prefix with the source's name")
    })?;
    let end = log.end()?;
    let mut search = Search::default();
    while let Some(record) = log.next_until(end)? {
        let stored = stored_cut(&record)?;
        if !search.take(record.offset + 1, stored.cut, stored.gtid_delta.as_ref(), wanted) {
            break;
        }
    }
    Ok(search.found)
}

#[derive(Default)]
struct Search {
    gtids: GtidSet,
    map: Map,
    found: Option<Found>,
    /// The cut just taken fits: its ends come with the next.
    awaits_ends: bool,
}

impl Search {
    /// Takes the next cut; `false` once nothing further can fit.
    fn take(&mut self, cuts_offset: i64, mut cut: Cut, delta: Option<&GtidSet>, wanted: &Wanted<'_>) -> bool {
        for place in &cut.previous_ends {
            self.map.insert((place.topic.clone(), place.partition), place.offset);
        }
        if let Some(found) = self.found.as_mut().filter(|_| self.awaits_ends) {
            found.map.clone_from(&self.map);
        }
        self.awaits_ends = false;
        match (&cut.position.gtids, delta) {
            (Some(full), _) => self.gtids.clone_from(full),
            (None, Some(delta)) => self.gtids.extend(delta),
            (None, None) => {}
        }
        if !self.fits(&cut, wanted) {
            return false;
        }
        if cut.kind == CutKind::Complete && !matches!(wanted, Wanted::Id(id) if *id != cut.id) {
            if !self.gtids.is_empty() {
                cut.position.gtids = Some(self.gtids.clone());
            }
            self.found = Some(Found { cut, cuts_offset, map: self.map.clone() });
            self.awaits_ends = true;
        }
        true
    }

    /// Whether all up to and with this cut is wanted.
    fn fits(&self, cut: &Cut, wanted: &Wanted<'_>) -> bool {
        match wanted {
            Wanted::Id(id) => cut.id <= *id,
            Wanted::Before(micros) => match cut.committed_us {
                0 => cut.written_us < *micros,
                committed_us => committed_us < *micros,
            },
            Wanted::Within(set) => self.gtids.is_subset(set),
            Wanted::Offset(topic, partition, offset) => {
                let end = self.map.get(&((*topic).to_owned(), *partition)).copied().unwrap_or(0);
                let more: u64 = cut
                    .touched
                    .iter()
                    .filter(|t| t.topic == *topic && t.partition == *partition)
                    .map(|t| t.events)
                    .sum();
                i128::from(end) + i128::from(more) <= i128::from(*offset)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use cdc_sdk::Position;

    use super::*;

    fn cut(sequence: u64, committed_us: i64, written_us: i64) -> Cut {
        Cut {
            id: CutId { incarnation: 0, sequence },
            kind: CutKind::Complete,
            alone: false,
            snapshot_complete: true,
            position: Position::default(),
            committed_us,
            written_us,
            transactions: 0,
            touched: Vec::new(),
            previous_ends: Vec::new(),
            map_slice: Vec::new(),
        }
    }

    fn before(time_us: i64) -> Option<u64> {
        let mut search = Search::default();
        // Two of a snapshot, then one with transactions that were committed before it was written.
        for (offset, cut) in (1..).zip([cut(0, 0, 100), cut(1, 0, 200), cut(2, 300, 400), cut(3, 500, 500)]) {
            if !search.take(offset, cut, None, &Wanted::Before(time_us)) {
                break;
            }
        }
        search.found.map(|found| found.cut.id.sequence)
    }

    #[test]
    fn rows_of_a_snapshot_count_from_when_they_were_written() {
        assert_eq!(before(100), None);
        assert_eq!(before(150), Some(0));
        assert_eq!(before(300), Some(1));
        assert_eq!(before(350), Some(2));
        assert_eq!(before(i64::MAX), Some(3));
    }
}
