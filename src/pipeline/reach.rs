//! Whether Kafka still has the events that follow a cut, asked before a ledger is
//! set there: a sink that finds them gone can only stop.
//!
//! A partition that begins after the offset in the map has lost records. Which, the
//! first that is left tells: its header names its cut and its place in it. If that
//! is not beyond the first event that is needed, only older records and markers are
//! gone, and reading begins where the partition does.
//!
//! A compacted partition may have lost records anywhere. There all that follow the place are read
//! and counted, as far as the first gap: a sink would read as much, and where it may not go over holes
//! (`holes.rs`) stop in the middle.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use cdc_mysql_sink::Progress;
use cdc_sdk::cut::{CutKind, Touched};
use cdc_sdk::{CutId, Error, GtidSet, Kind, Result};

use super::cut_search::Map;
use super::cut_writer::OwnTopics;
use super::dead_letter;
use super::filling;
use super::gather::position_text;
use super::holes;
use super::private;
use super::recovery::{self, stored_cut};
use super::settings;
use crate::avro::records::StoredCut;
use crate::config::SinkConfig;
use crate::kafka::{self, Admin, Events, From, Log, Stamp};

/// How long a partition's first record may take to come.
const FIRST_RECORD: Duration = Duration::from_secs(30);

/// Bytes that are read ahead.
const READ_AHEAD: usize = 16 << 20;

/// Partitions that an error names.
const NAMED_MAX: usize = 5;

/// How long the next record of a compacted partition may take, where more should be there.
const NEXT_RECORD: Duration = Duration::from_secs(10);

/// How many offsets before the ledger's are read: on the way is a whole GTID set, of which there is one in 64 cuts.
const LOOK_BACK: i64 = 256;

/// What to do about a ledger of other topics. Numbers of cuts begin anew with them: so its own must be forgotten.
const MADE_ANEW: &str = "the topics were made anew, or have lost records: restore them; or ask for a snapshot for \
    this sink alone, which empties its tables first: cdc snapshot -c FILE --for-me; or, where no topic of the prefix holds \
    an event of before any more, empty the destination, then cdc offsets reset";

/// What is needed of each partition.
type Needs = BTreeMap<(String, i32), Need>;

/// The events that follow the place.
#[derive(Clone, Copy, Debug)]
struct Need {
    /// The first cut that brings any, and the last.
    first: CutId,
    last: CutId,
    /// How many events the last one brings.
    in_last: u64,
    /// How many there are, those of abandoned runs too.
    events: u64,
    /// When the first cut was written, ms since 1970 by the brokers' clock.
    written_ms: i64,
}

/// Refuses a place whose events are gone; raises the map where a partition begins after it and nothing is missed.
pub async fn check(config: &SinkConfig, cuts_offset: i64, map: &mut Map) -> Result<()> {
    let kafka = settings::kafka(&config.kafka);
    let topics = OwnTopics::of(&config.topic_prefix);
    let mut needs = tokio::task::block_in_place(|| needs(&kafka, &topics, cuts_offset))?;
    needs.retain(|(topic, _), _| concerns(config, topic));
    let admin = Admin::connect(&kafka)?;
    let there = admin.topics_with_prefix(&format!("{}.", config.topic_prefix)).await?;
    let is_there = |(topic, partition): &&(String, i32)| there.get(topic).is_some_and(|n| partition < n);
    let mut gone: Vec<String> =
        needs.keys().filter(|k| !is_there(k)).map(|(t, p)| format!("{t}/{p} itself")).collect();
    let asked: std::collections::BTreeSet<_> = map.keys().chain(needs.keys()).filter(is_there).collect();
    let asked: Vec<(String, i32)> = asked.into_iter().cloned().collect();
    let begins = admin.beginnings(asked.clone()).await?;
    let ends = admin.ends(asked).await?;
    for (begin, end) in begins.into_iter().zip(ends) {
        let key = (begin.topic, begin.partition);
        let from = map.get(&key).copied();
        if begin.offset <= from.unwrap_or(0) {
            continue;
        }
        let missed = match needs.get(&key) {
            None => false,
            Some(_) if begin.offset >= end.offset => true,
            Some(need) => tokio::task::block_in_place(|| misses(&kafka, &key, need.first))?,
        };
        if missed {
            gone.push(format!("{}/{} before offset {}", key.0, key.1, begin.offset));
        } else if from.is_some() {
            map.insert(key, begin.offset);
        }
    }
    if gone.is_empty() {
        gone = holes(config, &admin, &needs, map).await?;
    }
    if gone.is_empty() { Ok(()) } else { Err(too_late(&gone)) }
}

/// The compacted partitions that lack events over which a sink may not go.
async fn holes(config: &SinkConfig, admin: &Admin, needs: &Needs, map: &Map) -> Result<Vec<String>> {
    let kafka = settings::kafka(&config.kafka);
    let topics: BTreeSet<&str> = needs.keys().map(|(topic, _)| topic.as_str()).collect();
    let topics: Vec<&str> = topics.into_iter().collect();
    let compacted = match admin.compacted(&topics).await {
        // Without the right to ask, a gap stops the sink when it gets there.
        Err(refused) if refused.kind() == Kind::KafkaRefused => {
            tracing::warn!(error = %refused, "whether topics are compacted is not known");
            BTreeMap::new()
        }
        answered => answered?,
    };
    let mut found = Vec::new();
    for (key, need) in needs {
        let Some(compaction) = compacted.get(&key.0) else { continue };
        let from = map.get(key).map_or(From::Earliest, |offset| From::Offset(*offset));
        let Some(lost) = tokio::task::block_in_place(|| first_hole(&kafka, key, *need, from))? else {
            continue;
        };
        let place = format!("{}/{}: {lost}", key.0, key.1);
        match holes::refusal(config.two_way.is_some(), false, need.written_ms, *compaction) {
            Some(why) => found.push(format!("{place} (the topic is compacted; {why})")),
            None => {
                tracing::warn!("compaction took {place}: the sink converges until later events bring it back")
            }
        }
    }
    Ok(found)
}

/// Where the first event is missing, in words.
fn first_hole(
    kafka: &kafka::Settings,
    (topic, partition): &(String, i32),
    need: Need,
    from: From,
) -> Result<Option<String>> {
    let mut events = Events::open(kafka, "cdc.reach", READ_AHEAD)?;
    events.ensure(topic, *partition, from)?;
    let mut seen = 0;
    let (mut cut, mut next) = (need.first, 0);
    while seen < need.events {
        let Some(event) = events.next(topic, *partition, NEXT_RECORD)? else {
            return Ok(Some(format!("{} of {} events", need.events - seen, need.events)));
        };
        let Some(stamp) = event.stamp.filter(|stamp| stamp.cut >= need.first) else { continue };
        if stamp.cut > cut {
            (cut, next) = (stamp.cut, 0);
        }
        if stamp.cut > need.last || stamp.ordinal > next {
            return Ok(Some(format!("events before offset {}", event.offset)));
        }
        // One that was written twice counts once.
        if stamp.cut == cut && stamp.ordinal == next {
            (seen, next) = (seen + 1, next + 1);
        }
        if seen < need.events && cut == need.last && next == need.in_last {
            return Ok(Some(format!("{} of {} events", need.events - seen, need.events)));
        }
    }
    Ok(None)
}

/// A ledger that the cuts topic cannot have led to is not guessed at.
pub fn check_ledger(cuts: &mut Log, progress: &Progress, beginning: i64, end: i64) -> Result<()> {
    let topic = cuts.topic();
    if progress.cut.is_some() && progress.cuts_offset > end {
        return Err(Error::new(Kind::CutsMissing, format!("the ledger stands beyond the end of {topic}"))
            .detail(format!("ledger: offset {}; topic: {beginning} to {end}", progress.cuts_offset))
            .hint(MADE_ANEW));
    }
    if progress.cuts_offset < beginning {
        return Err(Error::new(Kind::CutsMissing, format!("cuts are gone from {topic}"))
            .detail(format!("ledger: offset {}; topic: {beginning} to {end}", progress.cuts_offset))
            .hint("the cuts topic must keep all its records: cleanup.policy=delete, retention.ms=-1"));
    }
    let Some(cut) = progress.cut else { return Ok(()) };
    let found = cuts_before(cuts, progress.cuts_offset, beginning)?;
    // Where the beginning is gone, so may be the ledger's cut: then there is nothing to compare with.
    if found.is_empty() && beginning > 0 {
        return Ok(());
    }
    let Some(there) = another_cut(progress, cut, &found) else { return Ok(()) };
    Err(Error::new(Kind::CutsMissing, format!("the ledger's cut is not where it was in {}", cuts.topic()))
        .detail(format!("expected before offset {}: cut {cut}; found: {there}", progress.cuts_offset))
        .hint(MADE_ANEW))
}

/// The last cuts in front of an offset, with their own: all that stand near, and at least one if there is any.
fn cuts_before(cuts: &mut Log, offset: i64, beginning: i64) -> Result<Vec<(i64, StoredCut)>> {
    let mut step = LOOK_BACK;
    loop {
        let from = offset.saturating_sub(step).max(beginning);
        let mut found = Vec::new();
        cuts.seek(from)?;
        // Where a marker stands before the offset, what comes next may stand behind it.
        while let Some(record) = cuts.next_until(offset)?.filter(|record| record.offset < offset) {
            found.push((record.offset, stored_cut(&record)?));
        }
        if !found.is_empty() || from <= beginning {
            return Ok(found);
        }
        step = step.saturating_mul(8);
    }
}

/// What the last of these is, in words, if it is not the ledger's cut. Numbers begin anew with the topics, so
/// another cut may have the same one: positions tell.
fn another_cut(progress: &Progress, cut: CutId, found: &[(i64, StoredCut)]) -> Option<String> {
    let Some((offset, last)) = found.last() else { return Some("none".to_owned()) };
    if last.cut.id != cut {
        return Some(format!("cut {} at offset {offset}", last.cut.id));
    }
    let stored: Vec<_> = found.iter().map(|(_, stored)| stored.clone()).collect();
    // Too far from a whole GTID set there is only the number.
    let position = recovery::whole_position(&stored, last).ok()?;
    let same = match (progress.position.parse::<GtidSet>(), &position.gtids) {
        (Ok(held), Some(gtids)) => held == *gtids,
        (Ok(_), None) => true,
        (Err(_), _) => progress.position == format!("{}:{}", position.file, position.pos),
    };
    let (there, held) = (position_text(&position), &progress.position);
    (!same)
        .then(|| format!("another cut {cut} at offset {offset}, of {there}, where the ledger's is of {held}"))
}

/// A sink that has nothing needs all events from the first on: where some are gone it says so before it
/// applies any.
pub async fn check_new_sink(config: &SinkConfig) -> Result<()> {
    match check(config, 0, &mut Map::new()).await {
        Err(gone) if gone.kind() == Kind::EventsMissing => {
            let prefix = &config.topic_prefix;
            let what = format!("the topics of '{prefix}' no longer hold what a new sink needs");
            Err(Error::new(Kind::EventsMissing, what)
                .detail(gone.detail_text().unwrap_or_default().to_owned())
                .hint(filling::ways(&config.name)))
        }
        checked => checked,
    }
}

/// A partition that begins behind the offset that it is to be read from.
pub struct Behind {
    /// The last event of it that is applied.
    pub last: Option<(CutId, u64)>,
    /// Whether it holds no record any more.
    pub is_empty: bool,
}

/// Refuses partitions of which Kafka has lost events after the last that is applied of each: they begin behind its offset.
/// What is lost before may be markers only.
pub fn check_partitions(config: &SinkConfig, behind: &HashMap<(String, i32), Behind>) -> Result<()> {
    let kafka = settings::kafka(&config.kafka);
    let topics = OwnTopics::of(&config.topic_prefix);
    let mut needed: BTreeMap<(String, i32), (CutId, u64)> = BTreeMap::new();
    let Some(mut log) = Log::look(&kafka, &topics.cuts)? else { return Ok(()) };
    log.read_all(|record| {
        let cut = stored_cut(&record)?.cut;
        for Touched { topic, partition, events, .. } in cut.touched {
            let key = (topic, partition);
            let needs = behind.get(&key).and_then(|behind| needs_of(behind.last, cut.id, events));
            if let Some(needs) = needs {
                needed.entry(key).or_insert(needs);
            }
        }
        Ok(())
    })?;
    let mut gone = Vec::new();
    for (key, (cut, ordinal)) in needed {
        let empty = behind.get(&key).is_some_and(|behind| behind.is_empty);
        let first = if empty { None } else { first_stamp(&kafka, &key)? };
        if first.is_none_or(|first| (first.cut, first.ordinal) > (cut, ordinal)) {
            gone.push(format!("{}/{} from event {ordinal} of cut {cut} on", key.0, key.1));
        }
    }
    if gone.is_empty() {
        return Ok(());
    }
    Err(Error::new(Kind::EventsMissing, "events that this sink has not applied are gone from Kafka")
        .detail(named(&gone))
        .hint(
            "empty the destination, then cdc offsets reset, with a new snapshot at the source; or begin with \
             consistency = \"transaction\" from a backup (cdc sink --from-gtid), and go over to \"key\" then",
        ))
}

/// What of its cut a partition lacks that has applied up to `last`, or else the whole cut.
fn needs_of(last: Option<(CutId, u64)>, cut: CutId, events: u64) -> Option<(CutId, u64)> {
    match last {
        Some((applied, _)) if cut < applied => None,
        Some((applied, ordinal)) if cut == applied => {
            let next = ordinal.saturating_add(1);
            (next < events).then_some((cut, next))
        }
        Some(_) | None => (events > 0).then_some((cut, 0)),
    }
}

/// Adds the partitions that no cut up to the map's has touched, each with its first record: who
/// subscribes by the map must not miss them.
pub async fn complete(config: &SinkConfig, map: &mut Map) -> Result<()> {
    let admin = Admin::connect(&settings::kafka(&config.kafka))?;
    let there = admin.topics_with_prefix(&format!("{}.", config.topic_prefix)).await?;
    let data = there.into_iter().filter(|(topic, _)| has_rows_for(config, topic));
    let all = data.flat_map(|(topic, count)| (0..count).map(move |partition| (topic.clone(), partition)));
    let missing = all.filter(|key| !map.contains_key(key)).collect();
    for place in admin.beginnings(missing).await? {
        map.insert((place.topic, place.partition), place.offset);
    }
    Ok(())
}

/// Whether a topic of that name would have rows for the sink.
pub fn has_rows_for(config: &SinkConfig, topic: &str) -> bool {
    let prefix = &config.topic_prefix;
    let of_prefix = topic.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.starts_with('.'));
    of_prefix
        && !OwnTopics::of(prefix).contains(topic)
        && topic != dead_letter::topic(prefix)
        && concerns(config, topic)
}

/// Rows that were read for one sink alone concern nobody who begins at a place: its own a sink reads only while it is
/// being filled by them (`filling.rs`), and until that is through its ledger is not moved.
pub fn concerns(config: &SinkConfig, topic: &str) -> bool {
    private::addressee(&config.topic_prefix, topic).is_none()
}

/// For each partition what the cuts from this offset of their topic on bring to it.
fn needs(kafka: &kafka::Settings, topics: &OwnTopics, cuts_offset: i64) -> Result<Needs> {
    let mut needs = Needs::new();
    let Some(mut log) = Log::look(kafka, &topics.cuts)? else { return Ok(needs) };
    // What an unfinished transaction brings is read only once it has ended.
    let mut run: Vec<(CutId, i64, Touched)> = Vec::new();
    log.read_from(cuts_offset, |record| {
        let cut = stored_cut(&record)?.cut;
        run.extend(cut.touched.into_iter().map(|touched| (cut.id, record.timestamp_ms, touched)));
        match cut.kind {
            CutKind::Continues => {}
            CutKind::Abandoned => {
                for (_, _, touched) in run.drain(..) {
                    if let Some(need) = needs.get_mut(&(touched.topic, touched.partition)) {
                        need.events += touched.events;
                    }
                }
            }
            CutKind::Complete => {
                for (id, written_ms, touched) in run.drain(..) {
                    let new = Need { first: id, last: id, in_last: 0, events: 0, written_ms };
                    let need = needs.entry((touched.topic, touched.partition)).or_insert(new);
                    (need.last, need.in_last) = (id, touched.events);
                    need.events += touched.events;
                }
            }
        }
        Ok(())
    })?;
    Ok(needs)
}

/// Whether the first record that is left is beyond the first that is needed.
fn misses(kafka: &kafka::Settings, key: &(String, i32), first: CutId) -> Result<bool> {
    let stamp = first_stamp(kafka, key)?.ok_or_else(|| {
        let (topic, partition) = key;
        Error::new(Kind::KafkaUnreachable, format!("the first record of {topic}/{partition} cannot be read"))
            .detail(format!("waited {} s for one that carries a cut", FIRST_RECORD.as_secs()))
    })?;
    Ok(stamp.cut > first || (stamp.cut == first && stamp.ordinal > 0))
}

/// The cut and ordinal of the first record that is left.
fn first_stamp(kafka: &kafka::Settings, (topic, partition): &(String, i32)) -> Result<Option<Stamp>> {
    let mut events = Events::open(kafka, "cdc.reach", READ_AHEAD)?;
    events.ensure(topic, *partition, From::Earliest)?;
    Ok(events.next(topic, *partition, FIRST_RECORD)?.and_then(|event| event.stamp))
}

fn named(gone: &[String]) -> String {
    let mut named = gone.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    if gone.len() > NAMED_MAX {
        named += &format!(" and {} more", gone.len() - NAMED_MAX);
    }
    named
}

fn too_late(gone: &[String]) -> Error {
    Error::new(Kind::EventsMissing, "events that follow that place are gone from Kafka")
        .detail(named(gone))
        .hint(
            "begin at a later place; or restore the destination from a newer backup of the source and begin \
             there (cdc sink --from-gtid); or ask for a snapshot for this sink alone, which empties its tables \
             first: cdc snapshot -c FILE --for-me",
        )
}

#[cfg(test)]
mod tests;
