//! The publisher: whole cuts go to Kafka in transactions, or not at all.
//!
//! Opening takes the transactional id over: a transaction that a predecessor left
//! open is aborted, and the predecessor is fenced, whatever it does later (KIP-98).
//! A commit succeeds only if every record of it was stored by all replicas in sync,
//! at a known offset. Where its answer is lost the outcome is unknown to this
//! process; whoever opens the id next finds it settled, and reads from the topics
//! what was committed. So no error of a commit may be taken as "not committed". A commit is
//! decided a moment before readers see it, since the coordinator writes the markers
//! afterwards; opening the id waits for those too.
//!
//! Memory: at most `budget_bytes` wait for a broker's receipt, or one record where
//! that alone is larger. librdkafka's own limits are set above that, since they would
//! refuse a large record for ever.

mod ending;
mod linger;
mod opening;
mod pace;
mod produce;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cdc_sdk::cut::Place;
use cdc_sdk::{Error, Kind, Result};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseProducer, Producer as _};

use super::fault;
use super::receipts::{Receipts, cost_bytes};
use super::settings::{BATCH_BYTES, Settings};
use super::topic;

use ending::Last;
use linger::Lifts;
pub use opening::Candidate;
use pace::Pace;
use produce::{Record, Topic};

/// Pause between two looks at the delivery reports. rdkafka's own waits go in steps of
/// 100 ms, and below 1 ms they spin.
const LOOK_AGAIN: Duration = Duration::from_micros(200);

/// Without a lift for this long, whoever waits for all receipts has the linger lifted again: a step may pass before
/// the broker's thread has looked.
const LIFT_AGAIN: Duration = Duration::from_millis(10);

/// Up to so many bytes a flush is a matter of a request or two for each partition.
const SHORT_BYTES: usize = BATCH_BYTES;

/// Without a receipt for this long, whoever waits for room has records sent that wait for company.
const STANDSTILL: Duration = Duration::from_millis(10);

/// One attempt to abort: it waits for records in flight whose reports only a poll
/// between attempts takes in.
const ABORT_STEP: Duration = Duration::from_millis(20);

/// One attempt to commit, of which the next takes up where this one ended: between two a stop is noticed.
const COMMIT_STEP: Duration = Duration::from_secs(1);

/// Reports are taken in at least every so many records.
const POLL_EVERY_RECORDS: u32 = 128;

/// Most polls in one go, each of one report of up to some thousand records.
const POLLS_MAX: usize = 64;

/// Polls that are made though the first ones bring nothing.
const POLLS_MIN: usize = 3;

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Commit,
    Abort,
}

/// A transactional producer. One thread uses it.
pub struct Publisher {
    /// By topic.
    slots: HashMap<String, Slots>,
    /// By slot.
    places: Vec<Destination>,
    producer: BaseProducer<Receipts>,
    transactional_id: String,
    budget_bytes: usize,
    settings: Settings,
    open: bool,
    /// When the last transaction began.
    begun: Option<Instant>,
    since_poll: u32,
    pace: Pace,
    last: Last,
}

/// A partition that was sent to.
#[derive(Debug)]
struct Destination {
    name: String,
    partition: i32,
    topic: Arc<Topic>,
}

/// A topic that was sent to.
#[derive(Debug)]
struct Slots {
    topic: Arc<Topic>,
    /// By partition; `usize::MAX` for one that nothing was sent to.
    of_partitions: Vec<usize>,
}

impl Publisher {
    /// Begins a transaction, a few ms after the last one at the earliest ([`pace`]).
    ///
    /// # Errors
    /// [`Kind::Fenced`] where another instance took the id over; [`Kind::Bug`] where one is open.
    pub fn begin(&mut self) -> Result<()> {
        if self.open {
            return Err(Error::new(Kind::Bug, "a Kafka transaction was begun inside another"));
        }
        std::thread::sleep(self.pace.pause(Instant::now()));
        self.poll();
        self.receipts().clear();
        self.receipts().link().transaction_begins();
        self.producer.begin_transaction().map_err(|cause| self.fault(&cause, "beginning a transaction"))?;
        self.open = true;
        self.begun = Some(Instant::now());
        Ok(())
    }

    /// Adds a record to the transaction, with a time in ms since 1970, of now where that is 0. It is copied; the call waits only where the budget
    /// is used up, and for no longer than the settings' patience.
    ///
    /// # Errors
    /// Of this record or, as soon as it is known, of any before it: [`Kind::KafkaRefused`] (too
    /// large, not allowed), [`Kind::TopicChanged`] (no such partition), [`Kind::KafkaUnreachable`],
    /// [`Kind::Fenced`]. The transaction must then be aborted.
    pub fn send(
        &mut self,
        topic: &str,
        partition: i32,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&str, &[u8])],
        timestamp_ms: i64,
    ) -> Result<()> {
        if !self.open {
            return Err(Error::new(Kind::Bug, format!("a record for {topic} came outside a transaction")));
        }
        let slot = self.slot(topic, partition)?;
        let cost = cost_bytes(key.map_or(0, <[u8]>::len), value.map_or(0, <[u8]>::len));
        self.make_room(cost)?;
        self.enqueue(&Record { partition, key, value, headers, timestamp_ms, slot }, cost)
    }

    fn enqueue(&self, record: &Record<'_>, cost: usize) -> Result<()> {
        let place = self.places.get(record.slot);
        let place = place.ok_or_else(|| Error::new(Kind::Bug, "a record's partition has no topic"))?;
        let mut deadline = None;
        // Before librdkafka has it: the report may come at any poll after.
        self.receipts().sent(cost);
        loop {
            let Err(cause) = place.topic.produce(&self.producer, record) else { return Ok(()) };
            let is_full = matches!(cause, KafkaError::MessageProduction(Code::QueueFull));
            if is_full && !self.is_late(*deadline.get_or_insert_with(|| self.deadline())) {
                self.poll();
                std::thread::sleep(LOOK_AGAIN);
                continue;
            }
            self.receipts().unsent(cost);
            let size = cost_shown(record.key, record.value);
            let doing = format!("sending {size} bytes to {}/{}", place.name, place.partition);
            return Err(self.fault(&cause, &doing));
        }
    }

    /// Waits until a record of this cost fits the budget, or nothing is before it.
    fn make_room(&mut self, cost: usize) -> Result<()> {
        self.since_poll += 1;
        if self.since_poll >= POLL_EVERY_RECORDS {
            self.since_poll = 0;
            self.poll();
            self.check_receipts()?;
        }
        if self.fits(cost) {
            return Ok(());
        }
        let deadline = self.deadline();
        let (mut left, mut moved) = (self.in_flight(), Instant::now());
        let mut lifts = Lifts::new(moved, self.places.len());
        loop {
            self.poll();
            self.check_receipts()?;
            if self.fits(cost) {
                return Ok(());
            }
            let now = Instant::now();
            if self.is_late(deadline) {
                return Err(self.fault_of(Code::QueueFull, "waiting for the brokers to take records in"));
            }
            let waiting = self.in_flight();
            if waiting < left {
                (left, moved) = (waiting, now);
            }
            // Nothing under way: what there is of each partition is less than a batch.
            if now.duration_since(moved) >= STANDSTILL {
                lifts.hold(&self.producer, now);
            } else {
                std::thread::sleep(LOOK_AGAIN);
            }
        }
    }

    fn fits(&self, cost: usize) -> bool {
        let outstanding = self.receipts().outstanding_bytes();
        outstanding == 0 || outstanding.saturating_add(cost) <= self.budget_bytes
    }

    /// Whether a transaction is open.
    pub fn in_transaction(&self) -> bool {
        self.open
    }

    /// Commits. On success every record is stored and visible, exactly once. Returns, for every
    /// partition that the transaction touched, the offset after its last record; the
    /// transaction's own marker takes one more.
    ///
    /// # Errors
    /// Where a record failed, the transaction is aborted and the record's error returned.
    /// Otherwise [`Kind::KafkaUnreachable`], which leaves the outcome unknown, or [`Kind::Fenced`].
    /// After an error the publisher is to be opened anew: librdkafka needs a new epoch after a
    /// record that failed, and gets it by failing the next transaction too.
    pub fn commit(&mut self) -> Result<Vec<Place>> {
        if !self.open {
            return Err(Error::new(Kind::Bug, "a commit to Kafka came outside a transaction"));
        }
        let (begun, is_short) = (Instant::now(), self.receipts().outstanding_bytes() <= SHORT_BYTES);
        if let Err(error) = self.flush().and_then(|()| self.bring_what_hangs()) {
            self.abort_quietly();
            return Err(error);
        }
        let (breaks, asked) = (self.receipts().link().breaks(), Instant::now());
        self.commit_flushed()?;
        self.open = false;
        let now = Instant::now();
        self.pace.committed(now.duration_since(begun), now, is_short);
        self.receipts().link().answered();
        let ends = self.receipts().take_ends();
        self.last.committed(breaks, now.duration_since(asked), &ends);
        Ok(self.named(ends))
    }

    /// Waits until every record sent has its receipt; a commit does so by itself.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn flush(&self) -> Result<()> {
        let deadline = self.deadline();
        // As many bytes as there can be in batches that are not full.
        let rests_bytes = self.places.len().saturating_mul(BATCH_BYTES);
        let mut left_at_lift = usize::MAX;
        let mut lifts = Lifts::new(Instant::now(), self.places.len());
        loop {
            self.poll();
            self.check_receipts()?;
            let (left, now) = (self.in_flight(), Instant::now());
            if left == 0 {
                return Ok(());
            }
            if self.is_late(deadline) {
                return Err(self.fault_of(Code::OperationTimedOut, "waiting for the brokers' receipts"));
            }
            // A lifted linger keeps librdkafka's thread busy while a request is under way, so only where it helps:
            // full batches go by themselves, and what waits behind a request can go once that has its receipt. What
            // is over in a request or two has it lifted throughout: a step between two pulses would be felt.
            let outstanding = self.receipts().outstanding_bytes();
            let has_moved = left < left_at_lift && outstanding <= rests_bytes;
            if outstanding <= SHORT_BYTES {
                lifts.hold(&self.producer, now);
            } else if lifts.are_due(now, if has_moved { Duration::ZERO } else { LIFT_AGAIN }) {
                lifts.pulse(&self.producer, now);
                left_at_lift = left;
            } else {
                std::thread::sleep(LOOK_AGAIN);
            }
        }
    }

    fn named(&self, ends: Vec<(usize, i64)>) -> Vec<Place> {
        let place = |(slot, offset): (usize, i64)| {
            let Destination { name, partition, .. } = self.places.get(slot)?;
            Some(Place { topic: name.clone(), partition: *partition, offset })
        };
        ends.into_iter().filter_map(place).collect()
    }

    fn commit_flushed(&mut self) -> Result<()> {
        let deadline = self.deadline();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Err(cause) = self.producer.commit_transaction(left.min(COMMIT_STEP)) else { return Ok(()) };
            self.poll();
            if must_abort(&cause) {
                let error = self.fault(&cause, "committing");
                self.abort_quietly();
                return Err(error);
            }
            if !is_retriable(&cause) || self.is_late(deadline) {
                return Err(self.fault(&cause, "committing").detail("whether it was committed is not known"));
            }
        }
    }

    /// Drops the open transaction; without one it does nothing.
    ///
    /// # Errors
    /// [`Kind::KafkaUnreachable`] after the settings' patience, [`Kind::Fenced`]: the records are
    /// not visible all the same, and whoever opens the id next settles it.
    pub fn abort(&mut self) -> Result<()> {
        if !self.open {
            return Ok(());
        }
        let deadline = self.deadline();
        loop {
            match self.producer.abort_transaction(ABORT_STEP) {
                Ok(()) => break,
                Err(cause) if is_retriable(&cause) && !self.is_late(deadline) => self.poll(),
                Err(cause) => return Err(self.fault(&cause, "aborting")),
            }
        }
        self.poll();
        self.open = false;
        self.receipts().clear();
        Ok(())
    }

    fn abort_quietly(&mut self) {
        if let Err(error) = self.abort() {
            tracing::debug!(target: "cdc::kafka", "{error}");
        }
    }

    /// Records that librdkafka holds: not sent, or sent and without a receipt yet.
    pub fn in_flight(&self) -> usize {
        usize::try_from(self.producer.in_flight_count()).unwrap_or(0)
    }

    /// The publisher's number for a partition.
    fn slot(&mut self, topic: &str, partition: i32) -> Result<usize> {
        let index = usize::try_from(partition).ok();
        let known = index.and_then(|index| self.slots.get(topic)?.of_partitions.get(index).copied());
        match known.filter(|slot| *slot != usize::MAX) {
            Some(slot) => Ok(slot),
            None => self.new_slot(topic, partition),
        }
    }

    fn new_slot(&mut self, topic: &str, partition: i32) -> Result<usize> {
        topic::check_name(topic)?;
        let index = usize::try_from(partition).ok().filter(|index| *index < PARTITIONS_MAX);
        let index = index.ok_or_else(|| {
            Error::new(Kind::Bug, format!("topic {topic} was given the partition {partition}"))
        })?;
        let slot = self.places.len();
        if !self.slots.contains_key(topic) {
            let handle = Topic::new(&self.producer, topic);
            let handle = handle.map_err(|cause| self.fault(&cause, &format!("asking for topic {topic}")))?;
            let slots = Slots { topic: Arc::new(handle), of_partitions: Vec::new() };
            self.slots.insert(topic.to_owned(), slots);
        }
        if let Some(Slots { topic: handle, of_partitions }) = self.slots.get_mut(topic) {
            of_partitions.resize(of_partitions.len().max(index + 1), usize::MAX);
            of_partitions.get_mut(index).into_iter().for_each(|place| *place = slot);
            self.places.push(Destination { name: topic.to_owned(), partition, topic: handle.clone() });
        }
        Ok(slot)
    }

    fn check_receipts(&self) -> Result<()> {
        let Some(failed) = self.receipts().failed() else { return Ok(()) };
        let doing = format!(
            "storing a record of {} bytes in {}/{}",
            failed.size_bytes, failed.topic, failed.partition
        );
        Err(self.fault_of(failed.code, &doing))
    }

    /// Takes in what reports there are, without waiting. A log event, taken in, looks like
    /// an empty queue, so a few looks are made in any case.
    fn poll(&self) {
        for look in 0..POLLS_MAX {
            let before = self.in_flight();
            self.producer.poll(Duration::ZERO);
            if look >= POLLS_MIN && self.in_flight() >= before {
                return;
            }
        }
    }

    fn receipts(&self) -> &Receipts {
        self.producer.context()
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.settings.patience
    }

    /// Whether a wait has been long enough: by the deadline, or since the run ends.
    fn is_late(&self, deadline: Instant) -> bool {
        let bad_line = || self.receipts().link().bad_since().is_some();
        Instant::now() >= deadline || self.settings.lookout.is_over(bad_line)
    }

    fn fault(&self, cause: &KafkaError, doing: &str) -> Error {
        // The reason is an event, behind log lines.
        (0..POLLS_MAX).for_each(|_| self.producer.poll(Duration::ZERO));
        let error = self.fault_of(fault::code_of(cause), doing);
        // librdkafka, too, takes the end of an old transaction for another instance's work.
        if self.outlived(fault::code_of(cause)).is_some() { error } else { error.caused_by(cause.clone()) }
    }

    fn outlived(&self, code: Code) -> Option<Error> {
        let begun = self.begun.filter(|_| self.open)?;
        ended_by_age(code, begun.elapsed(), self.settings.transaction_timeout())
    }

    /// An error; where librdkafka has given up for good (fenced), that is the error.
    fn fault_of(&self, code: Code, doing: &str) -> Error {
        let fatal = self.producer.client().fatal_error();
        let code = fatal.as_ref().map_or(code, |(code, _)| *code);
        if let Some(ended) = self.outlived(code) {
            return ended.at(format!("publisher {}: {doing}", self.transactional_id));
        }
        let error =
            self.receipts().link().fault(code, &format!("publisher {}: {doing}", self.transactional_id));
        match fatal {
            Some((_, reason)) => error.detail(reason),
            None => error,
        }
    }
}

/// An error where the brokers have ended a transaction that was open for too long. They raise the id's epoch with it, which
/// looks as if another instance had taken over: by its age the two are told apart.
fn ended_by_age(code: Code, age: Duration, limit: Duration) -> Option<Error> {
    if fault::kind_of(code) != Kind::Fenced || age < limit {
        return None;
    }
    let (age_s, limit_ms) = (age.as_secs(), limit.as_millis());
    let what = format!(
        "a transaction was open for {age_s} s, and the brokers ended it (transaction.timeout.ms is {limit_ms})"
    );
    Some(Error::new(Kind::KafkaUnreachable, what).hint(
        "see what held it up: slow answers of MySQL, the registry or the brokers, a process that stood still; or \
         raise transaction.timeout.ms in [kafka.options]",
    ))
}

/// Most partitions of one topic: bounds what a wrong number can allocate.
const PARTITIONS_MAX: usize = 1 << 20;

fn cost_shown(key: Option<&[u8]>, value: Option<&[u8]>) -> usize {
    key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len)
}

fn is_retriable(cause: &KafkaError) -> bool {
    match cause {
        KafkaError::Transaction(error) => error.is_retriable(),
        KafkaError::Flush(code) => *code == Code::OperationTimedOut,
        _ => false,
    }
}

fn must_abort(cause: &KafkaError) -> bool {
    matches!(cause, KafkaError::Transaction(error) if error.txn_requires_abort())
}
