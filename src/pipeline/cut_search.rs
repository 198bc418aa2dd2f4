//! Finds a cut, and the map (topic, partition) → offset that holds at it.
//!
//! Each cut names the ends of the partitions that the cut before it touched, and
//! some of the map besides. Where that is not known yet (the last cut, and the last
//! before a restart of the source), the map counts: an end before, and the events
//! since. Markers of transactions take offsets too, so what is counted may be too
//! low, never too high: a reader skips by the cut in each record's header.

use std::collections::BTreeMap;

use cdc_mysql_sink::{Backup, Mark};
use cdc_sdk::cut::{CutKind, Place};
use cdc_sdk::{Cut, CutId, Error, GtidSet, Kind, Result};

use super::cut_writer::OwnTopics;
use super::gather::position_text;
use super::recovery::stored_cut;
use crate::kafka::{self, Log, Stamp};

/// The map (topic, partition) → offset of the next record.
pub type Map = BTreeMap<(String, i32), i64>;

/// The map as a ledger has it.
pub fn places_of(map: &Map) -> Vec<Place> {
    let place = |((topic, partition), offset): (&(String, i32), &i64)| Place {
        topic: topic.clone(),
        partition: *partition,
        offset: *offset,
    };
    map.iter().map(place).collect()
}

/// The map that a ledger has.
pub fn map_of(places: &[Place]) -> Map {
    places.iter().map(|p| ((p.topic.clone(), p.partition), p.offset)).collect()
}

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

impl Found {
    /// As a ledger says it.
    pub fn mark(&self) -> Mark {
        Mark {
            cut: Some(self.cut.id),
            cuts_offset: self.cuts_offset,
            places: places_of(&self.map),
            position: position_text(&self.cut.position),
            committed_us: self.cut.committed_us,
            snapshot_complete: self.cut.snapshot_complete,
        }
    }
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
    /// The last cut below this id; `None`: the last of all.
    Below(Option<CutId>),
}

/// Reads the cuts from the first and returns the last that fits; `None` where not even the first does.
pub fn find(kafka: &kafka::Settings, topics: &OwnTopics, wanted: &Wanted<'_>) -> Result<Option<Found>> {
    let mut log = open(kafka, topics)?;
    let end = log.end()?;
    let mut search = Search::default();
    while let Some(record) = log.next_until(end)? {
        let stored = stored_cut(&record)?;
        if !search.take(record.offset + 1, stored.cut, stored.gtid_delta.as_ref(), wanted) {
            break;
        }
    }
    if matches!(wanted, Wanted::Within(_)) && search.gtids.is_none() {
        return Err(no_gtids(topics));
    }
    Ok(search.found())
}

/// The cut of the first event at this offset of a partition or after it, as its header says; `None` where no event
/// is. Counting the events of cuts would not tell: markers, and what was aborted, take offsets too.
///
/// # Errors
/// [`Kind::Usage`] where only records without that header are there, as the copies on a table's older topic.
pub fn cut_of_event(
    kafka: &kafka::Settings,
    (topic, partition): (&str, i32),
    (offset, end): (i64, i64),
) -> Result<Option<CutId>> {
    let mut log = Log::of_partition(kafka, topic, partition, offset)?;
    let mut foreign = false;
    while let Some(record) = log.next_until(end)? {
        foreign = true;
        let headers = record.headers.iter().map(|(name, value)| (name.as_str(), Some(value.as_slice())));
        if let Some(stamp) = Stamp::decode(headers)? {
            return Ok(Some(stamp.cut));
        }
    }
    if !foreign {
        return Ok(None);
    }
    Err(Error::new(
        Kind::Usage,
        format!("no event of a cut is at offset {offset} of {topic}/{partition} or after it"),
    )
    .detail("the records there are copies, or another program's")
    .hint("name a place in the topic that the table's events take now: cdc offsets show lists them"))
}

/// Finds where a backup of the source fits in that holds exactly these transactions: the last
/// whole cut within them, and what a ledger remembers of the backup.
pub fn fit(kafka: &kafka::Settings, topics: &OwnTopics, held: &GtidSet) -> Result<(Found, Backup)> {
    let mut log = open(kafka, topics)?;
    let end = log.end()?;
    let (mut search, mut within) = (Search::default(), true);
    let mut until = None;
    while let Some(record) = log.next_until(end)? {
        let stored = stored_cut(&record)?;
        let (id, kind) = (stored.cut.id, stored.cut.kind);
        if within {
            within =
                search.take(record.offset + 1, stored.cut, stored.gtid_delta.as_ref(), &Wanted::Within(held));
        } else {
            search.take_gtids(&stored.cut, stored.gtid_delta.as_ref());
        }
        let has_all = search.gtids.as_ref().is_some_and(|gtids| held.is_subset(gtids));
        if has_all && kind == CutKind::Complete {
            until.get_or_insert(id);
            if !within {
                break;
            }
        }
    }
    let newest = search.gtids.clone().ok_or_else(|| no_gtids(topics))?;
    let until = until.ok_or_else(|| not_covered(topics, held, &newest))?;
    let base = search.found().ok_or_else(|| before_the_first(topics, held, &newest))?;
    let until = until.max(base.cut.id);
    Ok((base, Backup { gtids: held.clone(), until }))
}

/// Whether cuts in this part of their topic bring anything to the topics that concern who asks.
pub fn brings_any(
    kafka: &kafka::Settings,
    topics: &OwnTopics,
    (from, until): (i64, i64),
    concerns: impl Fn(&str) -> bool,
) -> Result<bool> {
    let mut log = open(kafka, topics)?;
    log.seek(from.max(log.beginning()?))?;
    let mut brought = Brought::default();
    while let Some(record) = log.next_until(until)?.filter(|record| record.offset < until) {
        if brought.take(&stored_cut(&record)?.cut, &concerns) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What cuts bring; those of a run only once it has ended well.
#[derive(Default)]
struct Brought {
    in_run: bool,
}

impl Brought {
    /// Takes the next cut; `true` where with it something is brought.
    fn take(&mut self, cut: &Cut, concerns: impl Fn(&str) -> bool) -> bool {
        let touches = cut.touched.iter().any(|t| t.events > 0 && concerns(&t.topic));
        let brings = self.in_run || touches;
        self.in_run = brings && cut.kind == CutKind::Continues;
        brings && cut.kind == CutKind::Complete
    }
}

fn open(kafka: &kafka::Settings, topics: &OwnTopics) -> Result<Log> {
    Log::look(kafka, &topics.cuts)?.ok_or_else(|| {
        Error::new(Kind::NothingYet, format!("there is no topic {}", topics.cuts))
            .hint("compare topic_prefix with the source's name")
    })
}

#[derive(Default)]
struct Search {
    /// All transactions that are through; `None` until a cut has named the whole set.
    gtids: Option<GtidSet>,
    /// The last cut that fits, and the offset that follows it.
    found: Option<(Cut, i64)>,
    /// The map at that cut.
    map: Map,
    /// What has risen since.
    since: Map,
    /// The cut just taken fits: its ends come with the next.
    awaits_ends: bool,
}

impl Search {
    /// Takes the next cut; `false` once nothing further can fit.
    fn take(&mut self, cuts_offset: i64, mut cut: Cut, delta: Option<&GtidSet>, wanted: &Wanted<'_>) -> bool {
        for place in cut.previous_ends.iter().chain(&cut.map_slice) {
            let map = if self.awaits_ends { &mut self.map } else { &mut self.since };
            raise(map, (place.topic.clone(), place.partition), place.offset);
        }
        self.awaits_ends = false;
        self.take_gtids(&cut, delta);
        if matches!(wanted, Wanted::Within(_)) && self.gtids.is_none() && delta.is_some() {
            // The log begins inside of an incarnation: what is through is told by the next whole set.
            return true;
        }
        if !self.fits(&cut, wanted) {
            return false;
        }
        for touched in &cut.touched {
            let end = self.end(&touched.topic, touched.partition);
            let events = i64::try_from(touched.events).unwrap_or(i64::MAX);
            let key = (touched.topic.clone(), touched.partition);
            self.since.insert(key, end.saturating_add(events));
        }
        if cut.kind == CutKind::Complete && !matches!(wanted, Wanted::Id(id) if *id != cut.id) {
            cut.position.gtids.clone_from(&self.gtids);
            for (key, offset) in std::mem::take(&mut self.since) {
                raise(&mut self.map, key, offset);
            }
            self.found = Some((cut, cuts_offset));
            self.awaits_ends = true;
        }
        true
    }

    fn take_gtids(&mut self, cut: &Cut, delta: Option<&GtidSet>) {
        match (&cut.position.gtids, delta, &mut self.gtids) {
            (Some(full), _, gtids) => *gtids = Some(full.clone()),
            (None, Some(delta), Some(gtids)) => gtids.extend(delta),
            (None, Some(_), None) | (None, None, _) => {}
        }
    }

    /// Whether all up to and with this cut is wanted.
    fn fits(&self, cut: &Cut, wanted: &Wanted<'_>) -> bool {
        match wanted {
            Wanted::Id(id) => cut.id <= *id,
            Wanted::Before(micros) => match cut.committed_us {
                0 => cut.written_us < *micros,
                committed_us => committed_us < *micros,
            },
            Wanted::Within(set) => self.gtids.as_ref().is_some_and(|gtids| gtids.is_subset(set)),
            Wanted::Below(id) => id.is_none_or(|id| cut.id < id),
        }
    }

    /// Where a partition ends, as far as is known.
    fn end(&self, topic: &str, partition: i32) -> i64 {
        let key = (topic.to_owned(), partition);
        let known = [self.map.get(&key), self.since.get(&key)];
        known.into_iter().flatten().copied().max().unwrap_or(0)
    }

    fn found(self) -> Option<Found> {
        let map = self.map;
        self.found.map(|(cut, cuts_offset)| Found { cut, cuts_offset, map })
    }
}

fn raise(map: &mut Map, key: (String, i32), offset: i64) {
    let end = map.entry(key).or_insert(0);
    *end = (*end).max(offset);
}

fn no_gtids(topics: &OwnTopics) -> Error {
    Error::new(Kind::BadPosition, format!("the cuts on {} carry no GTIDs", topics.cuts))
        .detail("the source runs with gtid_mode=OFF, so no GTID set says where it stood")
        .hint("name a time instead: cdc replay --from-timestamp")
}

/// The set has what no cut has: either the cuts are not there yet, or they never will be.
fn not_covered(topics: &OwnTopics, held: &GtidSet, newest: &GtidSet) -> Error {
    let unknown = held.minus(newest);
    let ahead = unknown.iter().all(|(origin, intervals)| {
        let known = newest.iter().find(|(o, _)| *o == origin).and_then(|(_, i)| i.last());
        known.is_some_and(|(_, last)| intervals.iter().all(|(first, _)| first > last))
    });
    let detail = format!("in the set and in no cut: {unknown}; the newest cut stands at {newest}");
    if ahead {
        Error::new(Kind::BadPosition, format!("the GTID set goes beyond the newest cut on {}", topics.cuts))
            .detail(detail)
            .hint("let the source catch up (cdc source --until-caught-up), then run this again")
    } else {
        Error::new(Kind::Diverged, format!("the GTID set has transactions that no cut on {} knows", topics.cuts))
            .detail(detail)
            .hint(
                "use a backup of the server that this prefix follows (compare topic_prefix, and the set with \
                 the source's gtid_executed); if that server took over only now, let the source catch up first; what \
                 XA transactions have prepared is in a cut once they are decided (XA RECOVER lists them)",
            )
    }
}

fn before_the_first(topics: &OwnTopics, held: &GtidSet, newest: &GtidSet) -> Error {
    Error::new(Kind::BadPosition, format!("the GTID set is older than the first cut on {}", topics.cuts))
        .detail(format!("the cuts stand at up to {newest}, of which the set lacks {}", newest.minus(held)))
        .hint(
            "take the backup after the source (cdc source) has written its first cut; \
             or empty the destination and leave out --from-gtid: it then begins with the snapshot",
        )
}

#[cfg(test)]
mod tests;
