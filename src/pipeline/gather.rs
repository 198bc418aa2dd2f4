//! Reads cuts, and then the events that they name, into batches.
//!
//! It blocks, so it runs on a thread of its own. The cuts lead: an event is read
//! only when a cut names it, so what has been fetched beyond waits in its
//! partition's queue, whose bytes are bounded.

use std::collections::HashMap;
use std::time::Duration;

use cdc_mysql_sink::order::{Admission, Batcher, Gate, Limits, Next};
use cdc_mysql_sink::{Advance, Batch, Change, End, Origin, Progress};
use cdc_sdk::cut::{Place, Touched};
use cdc_sdk::pattern::Pattern;
use cdc_sdk::{Cut, CutId, Error, GtidSet, Kind, Position, Result, fail};
use tokio::sync::mpsc;

use super::arrival::Arrival;
use super::cut_writer::OwnTopics;
use super::decoder::{self, Decoder, change_of};
use super::filling::Filling;
use super::holes::Holes;
use super::in_flight::{InFlight, Room};
use super::overlap::Overlap;
use super::private::Mark;
use super::reach;
use super::recovery::stored_cut;
use super::settings;
use super::streams::Streams;
use crate::avro::AvroRow;
use crate::config::SinkConfig;
use crate::kafka::{Event, Events, From, Log};
use crate::observe::Stop;

/// One wait for Kafka; between two of them a stop is noticed.
const WAIT: Duration = Duration::from_millis(100);

/// Cuts that may wait for the end of a run: at the source's cut size, terabytes.
const CUTS_WAITING: usize = 200_000;

/// What the gathering stage hands to the applying stage.
pub enum Work {
    /// Apply this.
    Apply {
        /// The changes, and how they end.
        batch: Batch<AvroRow>,
        /// How much that is.
        size: Size,
        /// Its room, to be given back when it is applied.
        room: Room,
    },
    /// Cuts without events went by: nothing to apply.
    Passed {
        /// The last of them.
        cut: CutId,
        /// When the source last committed.
        committed_us: i64,
    },
    /// A run was abandoned.
    Abandoned,
    /// All that was published at the start is handed over.
    CaughtUp,
}

/// How much a batch brings.
#[derive(Clone, Copy, Debug, Default)]
pub struct Size {
    /// Bytes of keys and values.
    pub bytes: u64,
    /// Transactions of the source that it ends.
    pub transactions: u64,
}

impl Size {
    fn of<'a>(cuts: impl Iterator<Item = &'a Cut>) -> Self {
        cuts.fold(Self::default(), |sum, cut| Self {
            bytes: sum.bytes + cut.bytes(),
            transactions: sum.transactions + cut.transactions,
        })
    }
}

/// The Kafka side of the sink.
pub struct Gatherer {
    cuts: Log,
    events: Events,
    batcher: Batcher,
    in_flight: InFlight,
    /// Bytes that partitions may hold which are fetched.
    fetched_bytes: usize,
    decoder: Decoder,
    topic_prefix: String,
    /// Tables whose events become dead letters where they cannot be read.
    dead_letters: Vec<Pattern>,
    /// Numbers of partitions, and those that this stage has asked for before.
    streams: Streams,
    numbers: HashMap<(String, i32), u32>,
    gates: HashMap<(String, i32), Gate>,
    from: HashMap<(String, i32), i64>,
    /// Up to which cut the ledger has everything.
    done: Option<CutId>,
    /// The cut at which a replay, or what follows a backup, ends.
    converges_until: Option<CutId>,
    overlap: Overlap,
    holes: Holes,
    /// Events that were read and belong to later cuts than those whose turn it was.
    ahead: HashMap<(String, i32), Event>,
    snapshot_complete: bool,
    filling: Filling,
    gtids: Option<GtidSet>,
    /// Where `--until-caught-up` ends, as an offset of the cuts topic.
    target: Option<i64>,
}

impl Gatherer {
    /// Opens the topics at the ledger's place.
    pub fn open(
        config: &SinkConfig,
        progress: &Progress,
        streams: &Streams,
        until_caught_up: bool,
    ) -> Result<Self> {
        let kafka = settings::kafka(&config.kafka);
        let topics = OwnTopics::of(&config.topic_prefix);
        let mut cuts = Log::open(&kafka, &topics.cuts)?.ok_or_else(|| nothing_yet(&topics.cuts))?;
        let (beginning, end) = (cuts.beginning()?, cuts.end()?);
        reach::check_ledger(&mut cuts, progress, beginning, end)?;
        if end == 0 {
            return Err(nothing_yet(&topics.cuts));
        }
        cuts.seek(progress.cuts_offset.max(beginning))?;
        let fetched_bytes = settings::consumer_bytes(&config.limits);
        Ok(Self {
            cuts,
            events: Events::open(&kafka, &config.name, fetched_bytes)?,
            in_flight: InFlight::new(settings::in_flight_bytes(&config.limits)),
            fetched_bytes,
            batcher: Batcher::new(Limits {
                bytes: settings::batch_bytes(&config.limits),
                events: settings::batch_events(&config.limits),
                waiting: CUTS_WAITING,
                barrier: progress.high_water,
            }),
            decoder: Decoder::new(config)?,
            topic_prefix: config.topic_prefix.clone(),
            dead_letters: config.dead_letter.tables.clone(),
            streams: streams.clone(),
            numbers: HashMap::new(),
            gates: HashMap::new(),
            from: progress.places.clone(),
            done: progress.cut,
            converges_until: progress.high_water.filter(|_| progress.converging()),
            overlap: Overlap::new(progress.backup.clone()),
            holes: Holes::of(kafka, &topics.cuts, config.two_way.is_some(), &progress.places),
            ahead: HashMap::new(),
            snapshot_complete: progress.snapshot_complete,
            filling: Filling::of(&config.topic_prefix, &config.name, &progress.places),
            gtids: progress.position.parse().ok(),
            target: until_caught_up.then_some(end),
        })
    }

    /// Gathers until it is stopped, caught up (by option), or fails.
    pub fn run(&mut self, hand_over: &mpsc::Sender<Work>, stop: &Stop) -> Result<()> {
        while !stop.requested() {
            let handed = match self.read_cuts()? {
                Next::Wait => {
                    if self.target.is_some_and(|target| self.cuts.position() >= target) {
                        let _ = hand_over.blocking_send(Work::CaughtUp);
                        return Ok(());
                    }
                    true
                }
                Next::Batch(cuts) => self.batch(&cuts, hand_over, stop)?,
                Next::Run(cuts) => self.run_of_cuts(&cuts, hand_over, stop)?,
                Next::Abandoned(_) => hand_over.blocking_send(Work::Abandoned).is_ok(),
            };
            if !handed {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Reads the cuts that are there; waits only if there is nothing to do.
    fn read_cuts(&mut self) -> Result<Next> {
        let mut wait = Duration::ZERO;
        loop {
            while self.batcher.has_room() {
                let Some(record) = self.cuts.next(wait)? else { break };
                wait = Duration::ZERO;
                let stored = stored_cut(&record)?;
                let mut cut = stored.cut;
                // Always in one order, as partitions are taken up in which they were met: of more than are
                // fetched at a time those come next that are taken up with this one.
                cut.touched.sort_unstable_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
                self.complete_gtids(&mut cut.position, stored.gtid_delta.as_ref());
                if self.done.is_some_and(|done| cut.id <= done) {
                    continue;
                }
                self.holes.read(cut.id, record.timestamp_ms);
                self.batcher.push(record.offset + 1, cut)?;
            }
            match self.batcher.take() {
                Next::Wait if wait.is_zero() => wait = WAIT,
                next => return Ok(next),
            }
        }
    }

    /// Cuts carry what is new; the ledger wants the whole set.
    fn complete_gtids(&mut self, position: &mut Position, delta: Option<&GtidSet>) {
        if let Some(full) = &position.gtids {
            self.gtids = Some(full.clone());
        } else if let (Some(delta), Some(gtids)) = (delta, &mut self.gtids) {
            gtids.extend(delta);
            position.gtids = Some(gtids.clone());
        }
    }

    /// One transaction for whole cuts.
    fn batch(&mut self, cuts: &[(i64, Cut)], hand_over: &mpsc::Sender<Work>, stop: &Stop) -> Result<bool> {
        let Some((_, last)) = cuts.last() else { return Ok(true) };
        let size = Size::of(cuts.iter().map(|(_, cut)| cut));
        let Some(room) = self.in_flight.enter(size.bytes, stop) else { return Ok(false) };
        self.fetch(cuts)?;
        let mut places = HashMap::new();
        let mut changes = Vec::new();
        for (_, cut) in cuts {
            if !self.events_of(cut, &mut changes, &mut places, stop)? {
                return Ok(false);
            }
        }
        let over_holes = self.end_at(last, &mut places)?;
        // Cuts that bring nothing write no ledger, unless they end something that it knows of.
        let complete = self.is_complete(last);
        let ends = complete != self.snapshot_complete || self.converges_until == Some(last.id);
        let moves = !places.is_empty() || ends;
        self.snapshot_complete = complete;
        if !moves {
            let committed_us = cuts.iter().map(|(_, c)| c.committed_us).max().unwrap_or(0);
            return Ok(hand_over.blocking_send(Work::Passed { cut: last.id, committed_us }).is_ok());
        }
        self.rest_after(size)?;
        let batch = Batch { changes, end: End::Commit(advance(cuts, places, complete)), over_holes };
        Ok(hand_over.blocking_send(Work::Apply { batch, size, room }).is_ok())
    }

    /// All events up to a cut are in. Returns whether some before them were missing.
    fn end_at(&mut self, cut: &Cut, places: &mut HashMap<(String, i32), i64>) -> Result<bool> {
        let over_holes = self.holes.are_open();
        self.holes.passed(cut.id)?;
        places.extend(self.holes.take_moved());
        Ok(over_holes)
    }

    /// Whether the destination holds all of the source's tables as they were at a cut.
    fn is_complete(&self, cut: &Cut) -> bool {
        cut.snapshot_complete && !self.filling.is_open() && !self.holes.are_open()
    }

    /// One transaction for the cuts of one large source transaction, streamed.
    fn run_of_cuts(
        &mut self,
        cuts: &[(i64, Cut)],
        hand_over: &mpsc::Sender<Work>,
        stop: &Stop,
    ) -> Result<bool> {
        self.fetch(cuts)?;
        let mut places = HashMap::new();
        for (index, (_, cut)) in cuts.iter().enumerate() {
            let size = Size::of(std::iter::once(cut));
            let Some(room) = self.in_flight.enter(size.bytes, stop) else { return Ok(false) };
            let mut changes = Vec::new();
            if !self.events_of(cut, &mut changes, &mut places, stop)? {
                return Ok(false);
            }
            self.rest_after(size)?;
            let over_holes = self.end_at(cut, &mut places)?;
            let end = if index + 1 == cuts.len() {
                self.snapshot_complete = self.is_complete(cut);
                End::Commit(advance(cuts, std::mem::take(&mut places), self.snapshot_complete))
            } else {
                End::More
            };
            let work = Work::Apply { batch: Batch { changes, end, over_holes }, size, room };
            if hand_over.blocking_send(work).is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Begins to fetch every partition that the cuts name, all at once: a partition's first
    /// fetch takes a round trip or two.
    fn fetch(&mut self, cuts: &[(i64, Cut)]) -> Result<()> {
        let ahead = self.batcher.event_bytes_ahead(self.fetched_bytes as u64);
        let event_bytes = cuts.iter().map(|(_, cut)| cut.event_bytes()).max().unwrap_or(0).max(ahead);
        self.events.expect(usize::try_from(event_bytes).unwrap_or(usize::MAX))?;
        let touched = cuts.iter().flat_map(|(_, cut)| &cut.touched);
        for touched in touched.filter(|touched| self.filling.concerns(&touched.topic)) {
            let key = (touched.topic.clone(), touched.partition);
            let early = if fail::planted("sink.begins_early") { 50 } else { 0 };
            let from = self.from.get(&key).map_or(From::Earliest, |at| From::Offset((at - early).max(0)));
            self.events.ensure(&touched.topic, touched.partition, from)?;
        }
        Ok(())
    }

    /// While a large batch is applied nothing is held beside it.
    fn rest_after(&mut self, size: Size) -> Result<()> {
        if self.in_flight.is_large(size.bytes) { self.events.put_down() } else { Ok(()) }
    }

    /// All events of a cut; `false` if stopped before they were in.
    fn events_of(
        &mut self,
        cut: &Cut,
        changes: &mut Vec<Change<AvroRow>>,
        places: &mut HashMap<(String, i32), i64>,
        stop: &Stop,
    ) -> Result<bool> {
        changes.reserve(usize::try_from(cut.events()).unwrap_or(0));
        self.overlap.begin(cut);
        for touched in &cut.touched {
            if !self.filling.concerns(&touched.topic) {
                continue;
            }
            match self.events_of_partition(cut.id, touched, changes, stop)? {
                Some(next_offset) => places.insert((touched.topic.clone(), touched.partition), next_offset),
                None => return Ok(false),
            };
        }
        places.extend(self.filling.take_moved());
        Ok(true)
    }

    fn events_of_partition(
        &mut self,
        cut: CutId,
        touched: &Touched,
        changes: &mut Vec<Change<AvroRow>>,
        stop: &Stop,
    ) -> Result<Option<i64>> {
        let Touched { topic, partition, events, .. } = touched;
        let key = (topic.clone(), *partition);
        let mut gate = self.gates.remove(&key).unwrap_or_default();
        gate.expect(cut);
        let stream = self.number(&key);
        let mut next_offset = None;
        let mut arrival = Arrival::begin();
        let ordinals_ignored = fail::planted("sink.ordinals_ignored");
        while gate.taken(cut) < *events {
            let Some(event) = self.next_event(topic, *partition)? else {
                if stop.requested() {
                    return Ok(None);
                }
                arrival.refuse_long(&self.events, cut, touched)?;
                continue;
            };
            arrival = Arrival::begin();
            let mut stamp = event.stamp.ok_or_else(|| unstamped(&event, touched))?;
            if ordinals_ignored {
                (stamp.cut, stamp.ordinal) = (cut, gate.taken(cut));
            }
            let admission = match gate.admit(stamp.cut, stamp.ordinal) {
                Err(gone) if gone.kind() == Kind::EventsMissing => {
                    let shared = self.decoder.shares_keys(&self.topic_prefix, topic)?;
                    self.holes.pass_over(at(gone, &event, touched), cut, touched, shared)?;
                    gate.pass_over(*events, stamp.cut, stamp.ordinal);
                    next_offset = Some(event.offset);
                    self.ahead.insert(key.clone(), event);
                    continue;
                }
                admitted => admitted.map_err(|e| at(e, &event, touched))?,
            };
            if admission == Admission::Take {
                next_offset = Some(event.offset + 1);
                let origin = Origin { stream, offset: event.offset };
                match self.change(topic, &event, origin) {
                    Ok(change) => changes.extend(change),
                    Err(error) => changes.push(self.unreadable(error, &event, touched, origin)?),
                }
            }
        }
        self.gates.insert(key, gate);
        Ok(Some(next_offset.unwrap_or(0)))
    }

    fn number(&mut self, partition: &(String, i32)) -> u32 {
        if let Some(number) = self.numbers.get(partition) {
            return *number;
        }
        let number = self.streams.number(&partition.0, partition.1);
        self.numbers.insert(partition.clone(), number);
        number
    }

    /// The next event. Retention may have taken the records from the ledger's offset on; whether any
    /// that is needed was among them, the next one tells: a gate lets none pass behind a gap.
    fn next_event(&mut self, topic: &str, partition: i32) -> Result<Option<Event>> {
        if let Some(event) = self.taken_ahead(topic, partition) {
            return Ok(Some(event));
        }
        match self.events.next(topic, partition, WAIT) {
            Err(error) if error.kind() == Kind::EventsMissing => {
                match self.events.skip_deleted(topic, partition)? {
                    true => Ok(None),
                    false => Err(error),
                }
            }
            next => next,
        }
    }

    fn taken_ahead(&mut self, topic: &str, partition: i32) -> Option<Event> {
        if self.ahead.is_empty() { None } else { self.ahead.remove(&(topic.to_owned(), partition)) }
    }

    /// What an event says that is to be applied; `None` for a tombstone, which repeats the delete before
    /// it (unless that may be gone), for what a backup has brought, and for what a snapshot of the sink's own is to bring.
    fn change(&mut self, topic: &str, event: &Event, origin: Origin) -> Result<Option<Change<AvroRow>>> {
        let Some(value) = &event.value else {
            if self.filling.is_own(topic) {
                self.filling.mark(Mark::of(event.key.as_deref())?)?;
            }
            let key = event.key.as_ref().filter(|_| self.holes.are_open() && !self.filling.is_own(topic));
            let gone = key.map(|key| self.decoder.deletion(&self.topic_prefix, topic, key, origin));
            return gone.transpose();
        };
        let (plan, decoded) = self.decoder.decode(topic, event.key.as_ref(), value)?;
        if !self.filling.admits(topic, decoded.op, &plan.table().name) {
            return Ok(None);
        }
        if self.overlap.has(plan.table(), decoded.op, || Ok(plan.source_place(value)?.gtid))? {
            return Ok(None);
        }
        change_of(&plan, decoded, event.key.as_ref(), origin).map(Some)
    }

    /// An event that cannot be read, for the dead letters, if its table has such.
    fn unreadable(
        &self,
        error: Error,
        event: &Event,
        touched: &Touched,
        origin: Origin,
    ) -> Result<Change<AvroRow>> {
        let error = at(error, event, touched);
        let name = self.decoder.table_of(&self.topic_prefix, &touched.topic);
        let name = name.or_else(|| decoder::named_by_topic(&self.topic_prefix, &touched.topic));
        let chosen = name.filter(|name| self.dead_letters.iter().any(|p| p.matches(name)));
        let (Kind::Decode, Some(name)) = (error.kind(), chosen) else { return Err(error) };
        Ok(self.decoder.unreadable((&self.topic_prefix, &touched.topic), name, error, event, origin))
    }
}

/// What the ledger says after the cuts.
fn advance(cuts: &[(i64, Cut)], places: HashMap<(String, i32), i64>, snapshot_complete: bool) -> Advance {
    let places = places.into_iter();
    let places = places.map(|((topic, partition), offset)| Place { topic, partition, offset }).collect();
    let (cuts_offset, last) = cuts.last().map_or((0, None), |(offset, cut)| (*offset, Some(cut)));
    Advance {
        cut: last.map(|c| c.id).unwrap_or_default(),
        cuts_offset,
        places,
        position: last.map(|c| position_text(&c.position)).unwrap_or_default(),
        committed_us: cuts.iter().map(|(_, c)| c.committed_us).max().unwrap_or(0),
        snapshot_complete,
    }
}

/// A position as a person reads it: the GTID set, else file and offset.
pub fn position_text(position: &Position) -> String {
    match &position.gtids {
        Some(gtids) => gtids.to_string(),
        None => format!("{}:{}", position.file, position.pos),
    }
}

fn nothing_yet(topic: &str) -> Error {
    Error::new(Kind::NothingYet, format!("there is no cut on {topic} yet"))
        .hint("start the source (cdc source -c …), or compare topic_prefix with the source's name")
}

fn unstamped(event: &Event, touched: &Touched) -> Error {
    let place = format!("{}/{} offset {}", touched.topic, touched.partition, event.offset);
    Error::new(Kind::EventsMissing, format!("the record at {place} carries no cut"))
        .hint("something else writes to this topic: only its cdc source may")
}

fn at(error: Error, event: &Event, touched: &Touched) -> Error {
    error.at(format!("{}/{} offset {}", touched.topic, touched.partition, event.offset))
}
