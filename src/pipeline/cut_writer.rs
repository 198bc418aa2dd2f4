//! The open cut: what goes to Kafka in one transaction, and the record that ends it.
//!
//! One Kafka transaction is one cut: events, state records and, last, the record
//! on `prefix.cuts`. All of it becomes visible at once or not at all, so the
//! record is at the same time the source's restart position and the promise that
//! its events are there.
//!
//! **Invariant:** no event is sent outside of a cut, and no cut is without its record.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cdc_sdk::cut::{CutKind, Place, Touched};
use cdc_sdk::{Cut, CutId, GtidSet, Position, Result, fail};

use super::private::Mark;
use crate::avro::KeyNote;
use crate::avro::Outgoing;
use crate::avro::records::{self, GtidsOf, RecordIds};
use crate::kafka::{Publisher, Stamp};
use crate::observe::now_us;

/// A cut carries the whole GTID set this often; those between carry what is new.
const FULL_SET_EVERY: u64 = 64;

/// How much of the map of all partitions a cut carries.
const MAP_SLICE: usize = 32;

/// Debezium's headers on the two events of a key change.
const NEW_KEY_HEADER: &str = "__debezium.newkey";
const OLD_KEY_HEADER: &str = "__debezium.oldkey";

/// A data topic, as the writer knows it.
#[derive(Clone, Debug)]
pub struct DataTopic {
    /// Its number in this run, from 0.
    pub index: usize,
    /// Its name.
    pub name: Arc<str>,
    /// Its pinned partition count.
    pub partitions: i32,
}

/// Names of the topics beside the data.
#[derive(Clone, Debug)]
pub struct OwnTopics {
    /// `prefix.cuts`.
    pub cuts: String,
    /// `prefix.state`.
    pub state: String,
    /// `prefix.control`.
    pub control: String,
    /// `prefix.transaction`, which Debezium calls so.
    pub transaction: String,
    /// `prefix` itself: Debezium's schema change topic.
    pub schema_changes: String,
}

impl OwnTopics {
    /// Whether a topic is one of them.
    pub fn contains(&self, topic: &str) -> bool {
        [&self.cuts, &self.state, &self.control, &self.transaction, &self.schema_changes]
            .iter()
            .any(|own| *own == topic)
    }

    /// The topics of a prefix.
    pub fn of(prefix: &str) -> Self {
        let named = |name| format!("{prefix}.{name}");
        Self {
            cuts: named("cuts"),
            state: named("state"),
            control: named("control"),
            transaction: named("transaction"),
            schema_changes: prefix.to_owned(),
        }
    }
}

/// What a run goes on from.
#[derive(Clone, Debug, Default)]
pub struct Continuation {
    /// The id of the first cut to write.
    pub next: CutId,
    /// The map of all partitions as far as it is known.
    pub ends: BTreeMap<(String, i32), i64>,
    /// Whether the initial snapshot is through.
    pub snapshot_complete: bool,
}

/// Writes cuts.
pub struct CutWriter {
    publisher: Publisher,
    topics: OwnTopics,
    ids: RecordIds,
    id: CutId,
    written: u64,
    last_gtids: Option<GtidSet>,
    ends: BTreeMap<(String, i32), i64>,
    previous_ends: Vec<Place>,
    slice_from: usize,
    snapshot_complete: bool,
    /// Topics that got copies: cuts name none of their events.
    copied: BTreeSet<Arc<str>>,
    open: OpenCut,
}

/// What the cut holds so far.
#[derive(Default)]
struct OpenCut {
    since: Option<Instant>,
    /// The time of its events in Kafka: that of publishing, since brokers delete by it. With
    /// the source's own, a backlog older than the retention would go while it is being written.
    time_ms: i64,
    transactions: u64,
    committed_us: i64,
    bytes: u64,
    /// Events and bytes by topic and partition, and which of them are not zero.
    counts: Vec<Vec<(u64, u64)>>,
    touched: Vec<(Arc<str>, usize, i32)>,
}

impl CutWriter {
    /// A writer that goes on where the last run ended.
    pub fn new(publisher: Publisher, topics: OwnTopics, ids: RecordIds, from: Continuation) -> Self {
        Self {
            publisher,
            topics,
            ids,
            id: from.next,
            written: 0,
            last_gtids: None,
            ends: from.ends,
            previous_ends: Vec::new(),
            slice_from: 0,
            snapshot_complete: from.snapshot_complete,
            copied: BTreeSet::new(),
            open: OpenCut::default(),
        }
    }

    /// Whether the cut holds anything that a position after it would cover.
    pub fn is_open(&self) -> bool {
        self.open.since.is_some()
    }

    /// Bytes of keys and values in the open cut.
    pub fn bytes(&self) -> u64 {
        self.open.bytes
    }

    /// For how long the cut has been open.
    pub fn age(&self) -> Duration {
        self.open.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// For how long the cut may wait for more: a Kafka transaction has its price, and only what
    /// the source has committed is in a hurry.
    pub fn may_wait(&self, interval: Duration) -> Duration {
        if self.open.transactions > 0 { Duration::ZERO } else { interval.saturating_sub(self.age()) }
    }

    /// From here on, cuts say that the initial snapshot is through.
    pub fn mark_snapshot_complete(&mut self) {
        self.snapshot_complete = true;
    }

    /// Whether the initial snapshot is through.
    pub fn snapshot_complete(&self) -> bool {
        self.snapshot_complete
    }

    /// Notes that a source transaction ended inside this cut.
    pub fn transaction_ended(&mut self, committed_us: i64) {
        self.open.since.get_or_insert_with(Instant::now);
        self.open.transactions += 1;
        self.open.committed_us = committed_us;
    }

    /// Sends one event, stamped with the cut and its ordinal.
    pub fn event(&mut self, topic: &DataTopic, partition: i32, event: &Outgoing<'_>) -> Result<()> {
        self.begin()?;
        let time_ms = self.open.time_ms;
        let ordinal = self.open.count(topic, partition, bytes_of(event));
        let stamp = Stamp { cut: self.id, ordinal }.encode();
        let [cut, ordinal] = stamp.headers();
        match &event.key_note {
            None => {
                self.publisher.send(&topic.name, partition, event.key, event.value, &[cut, ordinal], time_ms)
            }
            Some(note) => {
                let headers = [cut, ordinal, note_header(note)];
                self.publisher.send(&topic.name, partition, event.key, event.value, &headers, time_ms)
            }
        }
    }

    /// Sends a copy to a topic that the table has left (`versions.rs`): the cut does not name it.
    pub fn copy(&mut self, topic: &Arc<str>, partition: i32, event: &Outgoing<'_>) -> Result<()> {
        self.begin()?;
        self.open.bytes += bytes_of(event);
        if !self.copied.contains(topic) {
            self.copied.insert(topic.clone());
        }
        let note = event.key_note.as_ref().map(note_header);
        let time_ms = self.open.time_ms;
        self.publisher.send(topic, partition, event.key, event.value, note.as_slice(), time_ms)
    }

    /// Sends a mark to the topic of one sink.
    pub fn mark(&mut self, topic: &DataTopic, mark: Mark) -> Result<()> {
        let key = mark.key(self.ids.control.key);
        self.event(topic, 0, &Outgoing { key: Some(&key), key_datum: None, value: None, key_note: None })
    }

    /// Stores a record of `prefix.state` with the cut.
    pub fn state(&mut self, key: &str, json: &str) -> Result<()> {
        self.begin()?;
        let key = records::encode_state_key(key, self.ids.state_key)?;
        let value = records::encode_state_value(json, self.ids.state_value)?;
        self.publisher.send(&self.topics.state, 0, Some(&key), Some(&value), &[], now_ms())
    }

    /// The key of an event that is of no row, for a topic that takes none without.
    pub fn key_of_no_row(&self, text: &str) -> Vec<u8> {
        records::encode_key(text, self.ids.control.key)
    }

    /// Answers a command with the cut.
    pub fn control(&mut self, key: &str, json: &str) -> Result<()> {
        self.begin()?;
        let key = records::encode_key(key, self.ids.control.key);
        let value = records::encode_control_value(json, self.ids.control.value)?;
        self.publisher.send(&self.topics.control, 0, Some(&key), Some(&value), &[], now_ms())
    }

    /// Tells of a transaction with the cut.
    pub fn transaction(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.begin()?;
        self.publisher.send(&self.topics.transaction, 0, Some(key), Some(value), &[], now_ms())
    }

    /// Tells of a statement with the cut.
    pub fn schema_change(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.begin()?;
        self.publisher.send(&self.topics.schema_changes, 0, Some(key), Some(value), &[], now_ms())
    }

    /// The id of the open cut, or of the next where none is open.
    pub fn next_id(&self) -> CutId {
        self.id
    }

    /// Ends the cut: writes its record and commits the Kafka transaction.
    pub fn commit(&mut self, kind: CutKind, position: &Position, alone: bool) -> Result<Cut> {
        self.begin()?;
        let cut = self.record(kind, position, alone);
        let value = self.encode(&cut)?;
        fail::point("source.events_sent");
        self.publisher.send(&self.topics.cuts, 0, None, Some(&value), &[], now_ms())?;
        fail::point("source.cut_sent");
        let ends = self.publisher.commit()?;
        fail::point("source.cut_committed");
        self.ends_are(ends);
        self.open.clear();
        self.id.sequence += 1;
        self.written += 1;
        self.last_gtids.clone_from(&position.gtids);
        Ok(cut)
    }

    fn begin(&mut self) -> Result<()> {
        if !self.publisher.in_transaction() {
            self.publisher.begin()?;
            self.open.time_ms = now_ms();
        }
        self.open.since.get_or_insert_with(Instant::now);
        Ok(())
    }

    fn record(&mut self, kind: CutKind, position: &Position, alone: bool) -> Cut {
        Cut {
            id: self.id,
            kind,
            alone,
            snapshot_complete: self.snapshot_complete,
            position: position.clone(),
            committed_us: self.open.committed_us,
            written_us: now_us(),
            transactions: self.open.transactions,
            touched: self.open.take_touched(),
            previous_ends: std::mem::take(&mut self.previous_ends),
            map_slice: self.next_map_slice(),
        }
    }

    fn encode(&self, cut: &Cut) -> Result<Vec<u8>> {
        let new = match (&cut.position.gtids, &self.last_gtids) {
            (Some(now), Some(before)) if !self.written.is_multiple_of(FULL_SET_EVERY) => {
                Some(now.minus(before))
            }
            _ => None,
        };
        let gtids = new.as_ref().map_or(GtidsOf::Full, GtidsOf::Delta);
        records::encode_cut(cut, gtids, self.ids.cut)
    }

    fn next_map_slice(&mut self) -> Vec<Place> {
        if self.slice_from >= self.ends.len() {
            self.slice_from = 0;
        }
        let slice: Vec<Place> = self.ends.iter().skip(self.slice_from).take(MAP_SLICE).map(place).collect();
        self.slice_from += slice.len();
        slice
    }

    fn ends_are(&mut self, committed: Vec<Place>) {
        let is_named = |topic: &str| !self.topics.contains(topic) && !self.copied.contains(topic);
        self.previous_ends = committed.into_iter().filter(|p| is_named(&p.topic)).collect();
        for place in &self.previous_ends {
            self.ends.insert((place.topic.clone(), place.partition), place.offset);
        }
    }
}

impl OpenCut {
    /// Counts an event and returns its ordinal.
    fn count(&mut self, topic: &DataTopic, partition: i32, bytes: u64) -> u64 {
        if self.counts.len() <= topic.index {
            self.counts.resize_with(topic.index + 1, Vec::new);
        }
        let partitions = &mut self.counts[topic.index];
        let at = usize::try_from(partition).unwrap_or(0);
        if partitions.len() <= at {
            partitions.resize(at + 1, (0, 0));
        }
        let (events, sum) = &mut partitions[at];
        if *events == 0 {
            self.touched.push((topic.name.clone(), topic.index, partition));
        }
        let ordinal = *events;
        *events += 1;
        *sum += bytes;
        self.bytes += bytes;
        ordinal
    }

    fn take_touched(&mut self) -> Vec<Touched> {
        let touched = std::mem::take(&mut self.touched);
        let mut list = Vec::with_capacity(touched.len());
        for (name, index, partition) in touched {
            let at = usize::try_from(partition).unwrap_or(0);
            let (events, bytes) = std::mem::take(&mut self.counts[index][at]);
            list.push(Touched { topic: name.to_string(), partition, events, bytes });
        }
        list
    }

    fn clear(&mut self) {
        self.since = None;
        self.transactions = 0;
        self.committed_us = 0;
        self.bytes = 0;
    }
}

fn bytes_of(event: &Outgoing<'_>) -> u64 {
    (event.key.map_or(0, <[u8]>::len) + event.value.map_or(0, <[u8]>::len)) as u64
}

fn note_header<'n>(note: &KeyNote<'n>) -> (&'static str, &'n [u8]) {
    match note {
        KeyNote::NewKey(key) => (NEW_KEY_HEADER, key),
        KeyNote::OldKey(key) => (OLD_KEY_HEADER, key),
    }
}

fn place(((topic, partition), offset): (&(String, i32), &i64)) -> Place {
    Place { topic: topic.clone(), partition: *partition, offset: *offset }
}

fn now_ms() -> i64 {
    now_us() / 1000
}
