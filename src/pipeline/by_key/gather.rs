//! Reads the partitions that this sink has, into batches.
//!
//! It blocks, so it runs on a thread of its own. A batch is handed over as soon as nothing more is waiting, or
//! when it is large. Before partitions are let go, what was gathered of them is applied: so the next
//! who takes one begins where this one ended.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cdc_mysql_sink::{Change, Emptying, KeyBatch, Origin, Partition, Standing, Step};
use cdc_sdk::cut::Place;
use cdc_sdk::{CutId, Error, Kind, Op, Result};
use tokio::sync::{mpsc, oneshot};

use super::super::cut_search::{self, Wanted};
use super::super::cut_writer::OwnTopics;
use super::super::decoder::{Decoder, change_of};
use super::super::streams::Streams;
use super::super::{reach, settings};
use super::compaction::{self, Compactions};
use super::lane::Lane;
use super::partitions::Topics;
use super::progress::{Ends, Pulse, Rivals};
use super::{Feedback, Lost, Size, Work};
use crate::avro::AvroRow;
use crate::config::{SinkConfig, WrittenBy};
use crate::kafka::{self, Event, Group, Turn};
use crate::observe::{SinkView, State, Stop, now_us};

/// One wait for Kafka; between two of them a stop is noticed.
const WAIT: Duration = Duration::from_millis(100);

/// How often new topics are looked for, and the group is told how far this is.
const LOOK: Duration = Duration::from_secs(1);

/// How often it is asked whether somebody else uses the group.
const ASK_RIVALS: Duration = Duration::from_secs(10);

/// How often it is asked whether all that was published at the start is through.
const ASK: Duration = Duration::from_millis(300);

/// How long a partition that another sink has taken, and Kafka has not, is left alone: within that time a
/// member that was thought dead learns so.
const LEFT_ALONE: Duration = Duration::from_secs(5);

/// How long a cut may take to follow its events.
const CUT_FOLLOWS: Duration = Duration::from_secs(60);

/// A partition, as records name it: no allocation a record.
type Key = (Arc<str>, i32);

/// The Kafka side of the sink.
pub(super) struct Gatherer {
    config: SinkConfig,
    kafka: kafka::Settings,
    group: Group,
    topics: Topics,
    compactions: Compactions,
    decoder: Decoder,
    streams: Streams,
    lanes: HashMap<Key, Lane>,
    /// Whether any lane has what is not handed over.
    pending: bool,
    /// Whether any lane is lost.
    losing: bool,
    batch: Vec<Change<AvroRow>>,
    size: Size,
    limits: Size,
    feedback: Feedback,
    view: Arc<SinkView>,
    /// `None` where there are no cuts.
    pulse: Option<Pulse>,
    ends: Option<Ends>,
    rivals: Rivals,
    asked_rivals: Instant,
    looked: Instant,
    asked: Instant,
    /// Whether what it has was shown: of a member that gets nothing Kafka says nothing.
    shown: bool,
}

impl Gatherer {
    /// Opens the topics and joins the group.
    pub fn open(
        config: &SinkConfig,
        until_caught_up: bool,
        id: &str,
        feedback: Feedback,
        view: Arc<SinkView>,
    ) -> Result<Self> {
        let kafka = settings::kafka(&config.kafka);
        let own = OwnTopics::of(&config.topic_prefix);
        let topics = Topics::open(&kafka, config)?;
        let bytes = settings::consumer_bytes(&config.limits);
        let mut group = Group::open(&kafka, &config.name, settings::protocol(config), bytes)?;
        let all = topics.partitions();
        let rivals = Rivals::now(&group, id, &all)?;
        let ends = until_caught_up.then(|| Ends::now(&kafka, &group, all)).transpose()?;
        follow(&mut group, &topics)?;
        Ok(Self {
            decoder: Decoder::new(config)?,
            pulse: has_cuts(config).then(|| Pulse::open(&kafka, &own)).transpose()?,
            config: config.clone(),
            compactions: Compactions::new(&kafka),
            kafka,
            group,
            topics,
            streams: Streams::default(),
            lanes: HashMap::new(),
            pending: false,
            losing: false,
            batch: Vec::new(),
            size: Size::default(),
            limits: Size {
                rows: settings::batch_events(&config.limits),
                bytes: settings::batch_bytes(&config.limits),
            },
            feedback,
            view,
            ends,
            rivals,
            asked_rivals: Instant::now(),
            looked: Instant::now(),
            asked: Instant::now(),
            shown: false,
        })
    }

    /// Gathers until it is stopped, all is through (by option), or it fails.
    pub fn run(&mut self, hand_over: &mpsc::Sender<Work>, stop: &Stop) -> Result<()> {
        while !stop.requested() {
            let wait = if self.pending { Duration::ZERO } else { WAIT };
            let on = match self.group.next(wait)? {
                Turn::Event(topic, partition, event) => self.event(topic, partition, &event, hand_over)?,
                Turn::Given(partitions) => self.given(&partitions, hand_over)?,
                Turn::Taken(partitions) => self.taken(&partitions, hand_over)?,
                Turn::Nothing => self.flush(hand_over) && self.quiet(hand_over)?,
            };
            if !on || !self.tend(hand_over)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Takes a record in.
    fn event(
        &mut self,
        topic: Arc<str>,
        number: i32,
        event: &Event,
        hand_over: &mpsc::Sender<Work>,
    ) -> Result<bool> {
        let key = (topic, number);
        let Some(lane) = self.lanes.get_mut(&key).filter(|lane| lane.lost.is_none()) else {
            return Ok(true);
        };
        if event.offset < lane.now.next_offset {
            return Ok(true);
        }
        let place = |e: Error| e.at(format!("{}/{number} offset {}", key.0, event.offset));
        if event.stamp.is_some() != has_cuts(&self.config) {
            return Err(place(another_writer(&self.config)));
        }
        let stamp = event.stamp;
        let counts = lane.admits(stamp).map_err(place)?;
        self.pending = true;
        if stamp.is_none() {
            lane.refuse_gap(event.offset).map_err(place)?;
        }
        let origin = Origin { stream: lane.stream, offset: event.offset };
        let Some(value) = event.value.as_ref().filter(|_| counts) else {
            lane.pass(event.offset, stamp, 0);
            // It repeats the delete before it, which a compaction may have taken. Compacted topics with cuts are refused.
            let deleted = event.key.as_ref().filter(|_| counts && stamp.is_none());
            return match deleted {
                Some(of) => self.delete(&key, of, origin).map_err(place).map(|()| self.hand_on(hand_over)),
                None => Ok(true),
            };
        };
        let (plan, decoded) = self.decoder.decode(&key.0, event.key.as_ref(), value).map_err(place)?;
        let committed_us = decoded.source_ts_us;
        let change = change_of(&plan, decoded, event.key.as_ref(), origin).map_err(place)?;
        if change.op == Op::Truncate {
            return self.empty(&key, change, (event.offset, stamp, committed_us), hand_over);
        }
        lane.pass(event.offset, stamp, committed_us);
        self.size.rows += 1;
        self.size.bytes += (event.key.as_ref().map_or(0, |key| key.len()) + value.len()) as u64;
        self.batch.push(change);
        Ok(self.hand_on(hand_over))
    }

    /// Takes in the deletion that a tombstone tells of.
    fn delete(&mut self, key: &Key, of: &Bytes, origin: Origin) -> Result<()> {
        let (topic, number) = (&key.0, key.1);
        if !self.decoder.knows(topic) {
            compaction::meet_table(&self.kafka, &mut self.decoder, topic, number, origin.offset)?;
        }
        let change = self.decoder.deletion(&self.config.topic_prefix, topic, of, origin)?;
        self.size.rows += 1;
        self.size.bytes += of.len() as u64;
        self.batch.push(change);
        Ok(())
    }

    /// Hands over what is gathered once that is a batch; `false` if nobody takes it.
    fn hand_on(&mut self, hand_over: &mpsc::Sender<Work>) -> bool {
        let full = self.size.rows >= self.limits.rows || self.size.bytes >= self.limits.bytes;
        !full || self.flush(hand_over)
    }

    /// Hands over what is gathered; `false` if nobody takes it.
    fn flush(&mut self, hand_over: &mpsc::Sender<Work>) -> bool {
        let pending = self.lanes.iter_mut().filter(|(_, lane)| lane.is_pending());
        let steps: Vec<Step> = pending
            .map(|(key, lane)| {
                let from = std::mem::replace(&mut lane.handed, lane.now.next_offset);
                Step { partition: named(key), stream: lane.stream, from, to: lane.now }
            })
            .collect();
        self.pending = false;
        if steps.is_empty() {
            return true;
        }
        let batch = KeyBatch { changes: std::mem::take(&mut self.batch), steps };
        let size = std::mem::take(&mut self.size);
        hand_over.blocking_send(Work::Apply(batch, size)).is_ok()
    }

    /// A table is emptied: behind that event all partitions of its topic go on together.
    fn empty(
        &mut self,
        key: &Key,
        change: Change<AvroRow>,
        (offset, stamp, committed_us): (i64, Option<kafka::Stamp>, i64),
        hand_over: &mpsc::Sender<Work>,
    ) -> Result<bool> {
        if !self.flush(hand_over) {
            return Ok(false);
        }
        let partition = named(key);
        let cut = stamp.map(|stamp| stamp.cut);
        let others = self.others_behind(&partition, cut)?;
        let Some(lane) = self.lanes.get_mut(key) else { return Ok(true) };
        lane.pass(offset, stamp, committed_us);
        let from = std::mem::replace(&mut lane.handed, lane.now.next_offset);
        let step = Step { partition, stream: lane.stream, from, to: lane.now };
        let emptying = Box::new(Emptying { change, step, cut: cut.unwrap_or_default(), others });
        Ok(hand_over.blocking_send(Work::Empty(emptying)).is_ok())
    }

    /// Where the other partitions of a topic stand behind a cut.
    fn others_behind(&self, (topic, own): &Partition, cut: Option<CutId>) -> Result<Vec<Place>> {
        let numbers: Vec<i32> = (0..self.topics.count(topic)).filter(|number| number != own).collect();
        if numbers.is_empty() {
            return Ok(Vec::new());
        }
        let Some(cut) = cut else { return Err(emptied(topic)) };
        let own_topics = OwnTopics::of(&self.config.topic_prefix);
        let deadline = Instant::now() + CUT_FOLLOWS;
        // Kafka commits a cut and its events at once, but shows partitions one after the other.
        let map = loop {
            match cut_search::find(&self.kafka, &own_topics, &Wanted::Id(cut))? {
                Some(found) if found.cut.id == cut => break found.map,
                Some(_) | None if Instant::now() < deadline => std::thread::sleep(WAIT),
                Some(_) | None => {
                    let what = format!("cut {cut} is not on {}, but its events are there", own_topics.cuts);
                    return Err(Error::new(Kind::CutsMissing, what).hint(
                        "the cuts topic must keep all its records: cleanup.policy=delete, retention.ms=-1",
                    ));
                }
            }
        };
        let offset = |number| map.get(&(topic.clone(), number)).copied().unwrap_or(0);
        let place = |number| Place { topic: topic.clone(), partition: number, offset: offset(number) };
        Ok(numbers.into_iter().map(place).collect())
    }

    /// Takes partitions that Kafka gives, and reads on from the ledger's offsets.
    fn given(&mut self, partitions: &[Partition], hand_over: &mpsc::Sender<Work>) -> Result<bool> {
        if !self.flush(hand_over) {
            return Ok(false);
        }
        let Some(places) = self.take(partitions, hand_over)? else { return Ok(false) };
        self.group.begin(&places)?;
        self.show_partitions();
        Ok(true)
    }

    /// Takes partitions at the ledger. Returns the offsets to read from; `None` if nobody answers.
    fn take(
        &mut self,
        partitions: &[Partition],
        hand_over: &mpsc::Sender<Work>,
    ) -> Result<Option<Vec<(Partition, i64)>>> {
        let taken = ask(hand_over, |answer| Work::Take(partitions.to_vec(), answer));
        let Some(taken) = taken else { return Ok(None) };
        self.compactions.ask(partitions)?;
        if has_cuts(&self.config) {
            self.compactions.refuse(partitions)?;
        }
        let beginnings = self.beginnings(&taken)?;
        let mut places = Vec::with_capacity(taken.len());
        for ((partition, standing), beginning) in taken.into_iter().zip(beginnings) {
            let stream = self.streams.number(&partition.0, partition.1);
            let mut lane = Lane::new(stream, standing);
            let compaction = self.compactions.of(&partition.0);
            if compaction.is_some_and(|known| compaction::may_miss_deletions(&standing, known, now_us())) {
                lane.whole_until =
                    self.group.ends(std::slice::from_ref(&partition))?.first().copied().unwrap_or(0);
            }
            self.lanes.insert(key_of(&partition), lane);
            places.push((partition, standing.next_offset.max(beginning)));
        }
        Ok(Some(places))
    }

    /// Where partitions begin now, once it is known that nothing is missing before.
    fn beginnings(&self, taken: &[(Partition, Standing)]) -> Result<Vec<i64>> {
        let partitions: Vec<Partition> = taken.iter().map(|(partition, _)| partition.clone()).collect();
        let beginnings = self.group.beginnings(&partitions)?;
        let behind =
            taken.iter().zip(&beginnings).filter(|((_, standing), begin)| standing.next_offset < **begin);
        let behind: Vec<_> = behind.collect();
        if let (Some((partition, standing)), false) =
            (behind.first().map(|(taken, _)| taken), has_cuts(&self.config))
        {
            return Err(compaction::gone(partition, standing));
        }
        if !behind.is_empty() {
            let of: Vec<Partition> = behind.iter().map(|((partition, _), _)| partition.clone()).collect();
            let ends = self.group.ends(&of)?;
            let each = behind.into_iter().zip(ends).map(|(((partition, standing), begin), end)| {
                (partition.clone(), reach::Behind { last: standing.last, is_empty: *begin >= end })
            });
            reach::check_partitions(&self.config, &each.collect())?;
        }
        Ok(beginnings)
    }

    /// Lets partitions go that Kafka takes, once what was gathered of them is applied.
    fn taken(&mut self, partitions: &[Partition], hand_over: &mpsc::Sender<Work>) -> Result<bool> {
        if !self.flush(hand_over) {
            return Ok(false);
        }
        for partition in partitions {
            self.lanes.remove(&key_of(partition));
        }
        let released = ask(hand_over, |answer| Work::Release(partitions.to_vec(), answer));
        if released.is_none() {
            return Ok(false);
        }
        self.group.let_go(partitions)?;
        self.show_partitions();
        Ok(true)
    }

    /// Nothing is waiting in this sink's partitions.
    fn quiet(&mut self, hand_over: &mpsc::Sender<Work>) -> Result<bool> {
        if !self.shown && (self.group.has_joined() || self.topics.names().is_empty()) {
            self.show_partitions();
        }
        if let Some(pulse) = &mut self.pulse {
            pulse.show(&self.view)?;
        }
        let Some(ends) = self.ends.as_ref().filter(|_| self.asked.elapsed() >= ASK) else { return Ok(true) };
        let Some(ledger) = ask(hand_over, Work::Standings) else { return Ok(false) };
        self.asked = Instant::now();
        if !ends.are_reached(&self.group, &ledger)? {
            return Ok(true);
        }
        let _ = hand_over.blocking_send(Work::CaughtUp);
        Ok(false)
    }

    /// What is done between records.
    fn tend(&mut self, hand_over: &mpsc::Sender<Work>) -> Result<bool> {
        let lost = self.feedback.with(|told| std::mem::take(&mut told.lost));
        for lost in lost {
            self.lose(&lost);
        }
        if !self.take_anew(hand_over)? {
            return Ok(false);
        }
        if self.asked_rivals.elapsed() >= ASK_RIVALS {
            self.asked_rivals = Instant::now();
            self.rivals.refuse(&self.group, &self.config.name, &self.topics.partitions())?;
        }
        if self.looked.elapsed() >= LOOK {
            self.looked = Instant::now();
            if self.topics.look()? {
                follow(&mut self.group, &self.topics)?;
            }
            let applied: Vec<_> = self.feedback.with(|told| told.applied.drain().collect());
            let mine = |(partition, _): &(Partition, i64)| self.lanes.contains_key(&key_of(partition));
            let told: Vec<_> = applied.into_iter().filter(mine).collect();
            if !told.is_empty() {
                self.group.tell(&told, &self.rivals.id);
            }
        }
        Ok(true)
    }

    /// Nothing can be committed for a partition: what is gathered of it goes.
    fn lose(&mut self, lost: &Lost) {
        let Some(lane) = self.lanes.get_mut(&key_of(&lost.partition)) else { return };
        let wait = if lost.taken { LEFT_ALONE } else { Duration::ZERO };
        lane.lost = Some(Instant::now() + wait);
        lane.handed = lane.now.next_offset;
        self.losing = true;
        let stream = lane.stream;
        self.batch.retain(|change| change.origin.stream != stream);
    }

    /// Takes partitions anew that were lost and that Kafka has not taken, and goes back in them.
    fn take_anew(&mut self, hand_over: &mpsc::Sender<Work>) -> Result<bool> {
        if !self.losing {
            return Ok(true);
        }
        let now = Instant::now();
        let due = self.lanes.iter().filter(|(_, lane)| lane.lost.is_some_and(|from| from <= now));
        let due: Vec<Partition> = due.map(|(key, _)| named(key)).collect();
        self.losing = self.lanes.values().any(|lane| lane.lost.is_some());
        if due.is_empty() {
            return Ok(true);
        }
        let Some(places) = self.take(&due, hand_over)? else { return Ok(false) };
        self.group.go_to(&places)?;
        Ok(true)
    }

    fn show_partitions(&mut self) {
        // Topics that come later are joined for then.
        self.shown = !self.topics.names().is_empty();
        let mut shown: Vec<String> =
            self.lanes.keys().map(|(topic, number)| format!("{topic}/{number}")).collect();
        shown.sort_unstable();
        self.view.state(match shown.is_empty() {
            true if !self.shown => State::Waiting("there is no topic of a table yet".to_owned()),
            true => State::Standby("the other sinks of its name have all partitions".to_owned()),
            false => State::Streaming,
        });
        self.view.partitions(shown);
    }
}

fn key_of((topic, number): &Partition) -> Key {
    (Arc::from(topic.as_str()), *number)
}

fn named((topic, number): &Key) -> Partition {
    (topic.to_string(), *number)
}

/// Asks the applying stage, behind what was handed over before; `None` if it has ended.
fn ask<T>(hand_over: &mpsc::Sender<Work>, work: impl FnOnce(oneshot::Sender<T>) -> Work) -> Option<T> {
    let (answer, answered) = oneshot::channel();
    hand_over.blocking_send(work(answer)).ok()?;
    answered.blocking_recv().ok()
}

fn follow(group: &mut Group, topics: &Topics) -> Result<()> {
    let names = topics.names();
    if names.is_empty() { Ok(()) } else { group.follow(&names) }
}

fn has_cuts(config: &SinkConfig) -> bool {
    config.written_by == WrittenBy::Cdc
}

fn another_writer(config: &SinkConfig) -> Error {
    if has_cuts(config) {
        Error::new(Kind::EventsMissing, "the record carries no cut").hint(
            "something else writes to this topic: only its cdc source may; topics that Debezium wrote are followed \
             with written_by = \"debezium\"",
        )
    } else {
        Error::new(Kind::Settings, "the record was written by a source of cdc, not by Debezium")
            .hint("leave out written_by = \"debezium\"")
    }
}

/// Without cuts nothing tells where the other partitions were when the table was emptied.
fn emptied(topic: &str) -> Error {
    Error::new(Kind::NotByKey, format!("a TRUNCATE is in one of several partitions of {topic}, without a cut"))
        .hint(
            "let Debezium leave it out (skipped.operations = t, its default), or write to topics of one partition",
        )
}
