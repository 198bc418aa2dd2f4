//! What the last run left in Kafka: where to go on, and what was pinned.
//!
//! It is read after the transactional producer has been opened, which ends
//! whatever transaction a predecessor had open: what is visible then is all that
//! there will ever be of it, once [`Settler`] has ended what a broker left hanging.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::thread::ScopedJoinHandle;

use cdc_mysql_source::{ColumnNotes, Noted, TableProgress};
use cdc_sdk::cut::{CutKind, Place};
use cdc_sdk::{Cut, CutId, Error, Gtid, Kind, Position, Result, TableName};
use serde::{Deserialize, Serialize};

use super::control::Taken;
use super::cut_writer::{Continuation, OwnTopics};
use super::record_keys::ChosenKey;
use super::versions::Versions;
use crate::avro::records::{self, StoredCut};
use crate::kafka::{self, Log, Publisher, Record, Settler};

/// How many cuts are read back: enough to meet a full GTID set, of which there
/// is one in 64.
const CUTS_BACK: usize = 200;

/// Keys of `prefix.state`.
const SNAPSHOT_KEY: &str = "snapshot/";
const PARTITIONS_KEY: &str = "partitions/";
const VERSIONS_KEY: &str = "versions/";
const DROPPED_KEY: &str = "dropped/";
const CHOSEN_KEY: &str = "record-key/";
/// What was taken of the control topic.
pub const CONTROL_KEY: &str = "control";
/// The transaction that the last cut which continues is inside of.
const INSIDE_KEY: &str = "inside";

/// What the last run left.
#[derive(Default)]
pub struct Recovered {
    /// Where to go on; `None` if no run has written a cut yet.
    pub last: Option<LastCut>,
    /// Topics that the last cuts have events in, or know the ends of.
    pub named: BTreeSet<String>,
    /// How far the snapshot of each table is.
    pub snapshot: Vec<TableProgress>,
    /// Partition counts by topic.
    pub pins: HashMap<String, i32>,
    /// Tables that go on in another topic, by their first one.
    pub versions: HashMap<String, Versions>,
    /// The keys that were chosen for the records of tables, by their first topic.
    pub chosen_keys: HashMap<String, ChosenKey>,
    /// What statements have said of columns.
    pub noted: ColumnNotes,
    /// What was taken of the control topic.
    pub taken: Taken,
    /// The transaction that the last run of cuts was inside of. It may be through by now.
    pub inside: Option<Gtid>,
    /// How many events that run had brought of it, by table.
    pub counts: Option<(String, Counts)>,
    /// What the cut writer goes on with.
    pub continuation: Continuation,
}

/// Events of a transaction, by table.
pub type Counts = BTreeMap<String, u64>;

/// A transaction that spans several cuts, as it is stored with each of them but the last: only its
/// GTID tells whether a server that took over has it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Inside {
    version: u32,
    gtid: String,
    /// With `provide.transaction.metadata`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    counts: Counts,
}

impl Inside {
    const VERSION: u32 = 1;

    /// Key and value of its record.
    pub fn record(gtid: &str, counts: Counts) -> Result<(&'static str, String)> {
        let inside = Self { version: Self::VERSION, gtid: gtid.to_owned(), counts };
        let json = serde_json::to_string(&inside).map_err(|e| {
            Error::new(Kind::Bug, "the transaction of a run of cuts cannot be written").caused_by(e)
        })?;
        Ok((INSIDE_KEY, json))
    }

    /// As it is stored.
    pub fn read(json: &str) -> Result<Self> {
        let known = serde_json::from_str::<Self>(json).ok().filter(|i| i.version == Self::VERSION);
        known.ok_or_else(|| unknown_state(INSIDE_KEY, json))
    }
}

/// The columns that a table has lost, as they are stored: should one of that name come again, what
/// is downstream under it must go, also after a restart. And the defaults of those that came: should one have gone by
/// the time its first rows are read, the catalogue has its default no more.
#[derive(Debug, Serialize, Deserialize)]
pub struct Columns {
    version: u32,
    table: TableName,
    columns: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    defaults: BTreeMap<String, String>,
}

impl Columns {
    const VERSION: u32 = 1;

    /// Key and value of its record.
    pub fn record(table: &TableName, noted: &Noted) -> Result<(String, String)> {
        let Noted { dropped, defaults } = noted.clone();
        let columns = Self { version: Self::VERSION, table: table.clone(), columns: dropped, defaults };
        let json = serde_json::to_string(&columns).map_err(|e| {
            Error::new(Kind::Bug, "what was said of a table's columns cannot be written").caused_by(e)
        })?;
        Ok((format!("{DROPPED_KEY}{table}"), json))
    }

    /// As it is stored.
    pub fn read(key: &str, json: &str) -> Result<Self> {
        let known = serde_json::from_str::<Self>(json).ok().filter(|d| d.version == Self::VERSION);
        known.ok_or_else(|| unknown_state(key, json))
    }
}

/// The last cut and the position after it, with the whole GTID set.
pub struct LastCut {
    /// What it ended.
    pub kind: CutKind,
    /// The position after it.
    pub position: Position,
}

/// The key under which a table's snapshot progress is stored.
pub fn snapshot_key(progress: &TableProgress) -> String {
    format!("{SNAPSHOT_KEY}{}", progress.table)
}

/// The key under which a topic's partition count is stored.
pub fn partitions_key(topic: &str) -> String {
    format!("{PARTITIONS_KEY}{topic}")
}

/// The key under which the topics of a table are stored; `base` is its first.
pub fn versions_key(base: &str) -> String {
    format!("{VERSIONS_KEY}{base}")
}

/// The key under which it is stored which columns make the key of a table's records; `base` is its first topic.
pub fn chosen_key(base: &str) -> String {
    format!("{CHOSEN_KEY}{base}")
}

/// Who read what the last run left. Connecting takes each of them a moment: so they do it while nobody waits for them yet.
pub struct Readers {
    settler: Settler,
    /// `None`: the topic was not there.
    cuts: Option<Log>,
    state: Option<Log>,
}

impl Readers {
    /// Connects all of them.
    pub fn connect(kafka: &kafka::Settings, topics: &OwnTopics) -> Result<Self> {
        std::thread::scope(|scope| {
            let cuts = scope.spawn(|| Log::look(kafka, &topics.cuts));
            let state = scope.spawn(|| Log::look(kafka, &topics.state));
            let settler = Settler::connect(kafka, &topics.cuts)?;
            Ok(Self { settler, cuts: joined(cuts)?, state: joined(state)? })
        })
    }
}

/// What a thread has come to.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Reads the last cuts and all state.
pub fn recover(
    readers: Readers,
    kafka: &kafka::Settings,
    prefix: &str,
    topics: &OwnTopics,
    publisher: &mut Publisher,
) -> Result<Recovered> {
    let Readers { settler, cuts, state } = readers;
    let unsettled = settler.settle_logs(publisher, prefix, &[&topics.cuts, &topics.state])?;
    let mut recovered = Recovered::default();
    let cuts = std::thread::scope(|scope| {
        let cuts = scope.spawn(|| last_cuts(there(cuts, kafka, &topics.cuts)?));
        read_state(there(state, kafka, &topics.state)?, &mut recovered)?;
        joined(cuts)
    })?;
    settler.settle_events(publisher, &unsettled, cuts.last().map(|last| last.cut.id), &[&topics.control])?;
    if let Some(last) = cuts.last() {
        let (id, ends) = (last.cut.id, known_ends(&cuts));
        let touched = cuts.iter().flat_map(|stored| &stored.cut.touched).map(|touched| &touched.topic);
        recovered.named = ends.keys().map(|(topic, _)| topic).chain(touched).cloned().collect();
        recovered.continuation = Continuation {
            next: CutId { incarnation: id.incarnation + 1, sequence: id.sequence + 1 },
            ends,
            snapshot_complete: last.cut.snapshot_complete,
        };
        recovered.last = Some(LastCut { kind: last.cut.kind, position: whole_position(&cuts, last)? });
    }
    Ok(recovered)
}

/// A log that was there before, or is there now.
fn there(before: Option<Log>, kafka: &kafka::Settings, topic: &str) -> Result<Option<Log>> {
    before.map_or_else(|| Log::look(kafka, topic), |log| Ok(Some(log)))
}

fn last_cuts(log: Option<Log>) -> Result<Vec<StoredCut>> {
    let Some(mut log) = log else { return Ok(Vec::new()) };
    log.last(CUTS_BACK)?.iter().map(stored_cut).collect()
}

/// Decodes a record of the cuts topic.
pub fn stored_cut(record: &Record) -> Result<StoredCut> {
    let value = record.value.as_deref().ok_or_else(|| {
        Error::new(
            Kind::UnknownVersion,
            format!("the record at offset {} of the cuts topic is empty", record.offset),
        )
        .hint("something else writes to the cuts topic: give this source its own prefix")
    })?;
    records::decode_cut(value).map_err(|e| e.at(format!("cuts topic, offset {}", record.offset)))
}

/// The cut's position with its whole GTID set: the last full set, and all that came after it.
///
/// # Errors
/// [`Kind::CutsMissing`] where none of them has a full set.
pub fn whole_position(cuts: &[StoredCut], last: &StoredCut) -> Result<Position> {
    let mut position = last.cut.position.clone();
    if last.gtid_delta.is_none() {
        return Ok(position);
    }
    let full = cuts.iter().rposition(|c| c.cut.position.gtids.is_some()).ok_or_else(|| {
        Error::new(Kind::CutsMissing, format!("no full GTID set among the last {} cuts", cuts.len()))
            .hint("the cuts topic must keep all its records: cleanup.policy=delete, retention.ms=-1")
    })?;
    let mut gtids = cuts[full].cut.position.gtids.clone().unwrap_or_default();
    for delta in cuts[full + 1..].iter().filter_map(|c| c.gtid_delta.as_ref()) {
        gtids.extend(delta);
    }
    position.gtids = Some(gtids);
    Ok(position)
}

fn known_ends(cuts: &[StoredCut]) -> BTreeMap<(String, i32), i64> {
    let mut ends = BTreeMap::new();
    let places = cuts.iter().flat_map(|StoredCut { cut: Cut { map_slice, previous_ends, .. }, .. }| {
        map_slice.iter().chain(previous_ends)
    });
    for Place { topic, partition, offset } in places {
        let end = ends.entry((topic.clone(), *partition)).or_insert(0);
        *end = (*end).max(*offset);
    }
    ends
}

/// What is stored beside the cuts.
pub fn stored(kafka: &kafka::Settings, topics: &OwnTopics) -> Result<Recovered> {
    let mut recovered = Recovered::default();
    read_state(Log::look(kafka, &topics.state)?, &mut recovered)?;
    Ok(recovered)
}

fn read_state(log: Option<Log>, recovered: &mut Recovered) -> Result<()> {
    let Some(mut log) = log else { return Ok(()) };
    let mut snapshot: BTreeMap<String, TableProgress> = BTreeMap::new();
    log.read_all(|record| {
        let (Some(key), Some(value)) = (&record.key, &record.value) else { return Ok(()) };
        let (key, json) = (records::decode_state_key(key)?, records::decode_state_value(value)?);
        if key.starts_with(SNAPSHOT_KEY) {
            snapshot.insert(key, TableProgress::from_json(&json)?);
        } else if key == CONTROL_KEY {
            recovered.taken = Taken::from_json(&json)?;
        } else if key == INSIDE_KEY {
            let inside = Inside::read(&json)?;
            recovered.inside = Some(inside.gtid.parse()?);
            recovered.counts = Some((inside.gtid, inside.counts));
        } else if key.starts_with(DROPPED_KEY) {
            let columns = Columns::read(&key, &json)?;
            let noted = Noted { dropped: columns.columns, defaults: columns.defaults };
            recovered.noted.insert(columns.table, noted);
        } else if let Some(base) = key.strip_prefix(VERSIONS_KEY) {
            let versions = Versions::from_json(&json).ok_or_else(|| unknown_state(&key, &json))?;
            recovered.versions.insert(base.to_owned(), versions);
        } else if let Some(base) = key.strip_prefix(CHOSEN_KEY) {
            let chosen = ChosenKey::from_json(&json).ok_or_else(|| unknown_state(&key, &json))?;
            recovered.chosen_keys.insert(base.to_owned(), chosen);
        } else if let Some(topic) = key.strip_prefix(PARTITIONS_KEY) {
            recovered.pins.insert(topic.to_owned(), json.parse().map_err(|_| unknown_state(&key, &json))?);
        } else {
            return Err(unknown_state(&key, &json));
        }
        Ok(())
    })?;
    recovered.snapshot = snapshot.into_values().collect();
    Ok(())
}

/// The topic and its partition count that a state record pins, if it is one that does.
///
/// # Errors
/// [`Kind::NotByKey`] for one that says that a table has gone on in another topic: partitions are applied each by
/// itself, and nothing would hold the new ones back until the old ones are through.
pub fn pin_of(record: &Record) -> Result<Option<(String, i32)>> {
    let (Some(key), Some(value)) = (&record.key, &record.value) else { return Ok(None) };
    let key = records::decode_state_key(key)?;
    if let Some(base) = key.strip_prefix(VERSIONS_KEY) {
        let json = records::decode_state_value(value)?;
        let versions = Versions::from_json(&json).ok_or_else(|| unknown_state(&key, &json))?;
        return Err(goes_on_elsewhere(base, &versions));
    }
    let Some(topic) = key.strip_prefix(PARTITIONS_KEY) else { return Ok(None) };
    let json = records::decode_state_value(value)?;
    let count = json.parse().map_err(|_| unknown_state(&key, &json))?;
    Ok(Some((topic.to_owned(), count)))
}

fn goes_on_elsewhere(base: &str, versions: &Versions) -> Error {
    Error::new(Kind::NotByKey, format!("a table of topic {base} goes on in {}", versions.topic))
        .detail("with consistency = \"key\" partitions are applied each by itself: a row's later change could overtake an earlier one on the old topic")
        .hint("use consistency = \"transaction\"")
}

fn unknown_state(key: &str, json: &str) -> Error {
    Error::new(Kind::UnknownVersion, format!("the state record '{key}' is not known to this version"))
        .detail(json.to_owned())
        .hint("run the version that wrote it, or a later one")
}
