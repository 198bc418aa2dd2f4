//! Events, read by partition: each partition has a queue of its own, so that the
//! caller takes records in the order that the cuts dictate and none waits behind
//! another.
//!
//! **Memory.** librdkafka stops fetching a partition once its queue holds
//! `queued.max.messages.kbytes` (it applies to each split queue) or
//! `queued.min.messages`, and a response brings at most `fetch.message.max.bytes` of
//! each partition, compressed, and at least one batch. These are set from the budget, and
//! so is how many partitions are live, that is, fetched, at a time. A reader begins with wide
//! shares for few partitions; once it holds more than those carry it changes, for good, to
//! narrow ones (85 partitions to 32 MiB). Of still more partitions, those read longest ago are
//! let go: what was fetched of them is dropped and fetched again from where the caller stands. Beyond the budget comes what no setting can split: a record
//! larger than a batch, and the larger batches of other producers.
//!
//! **Many topics.** librdkafka forgets no topic that it has met, and goes through all of them for each partition in
//! each response (2.12.1, `rd_kafka_topic_find_by_topic_id`): with 10,000 that is most of a core. So a client that has
//! met many more than are live makes way for a new one, which goes on where the caller stands.
//!
//! **Latency.** One fetch request for all live partitions of a broker waits there until
//! any of them has committed records, so a new record comes at once. A partition that
//! becomes live waits for the request under way, 10 ms at most; so partitions
//! become live when they are asked for, not when they are read, as long as there is room; then with the next one that
//! is read and is not live those come that were asked for after it.
//! One whose queue was full waits likewise, so a queue holds what a sink applies in that time. Who leads a
//! topic that the client meets for the first time librdkafka asks once a second: so before the first read it is asked at once.
//! An idle reader costs a broker 100 small requests a second, some hundredths of a core.

mod share;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cdc_sdk::cut::Place;
use cdc_sdk::{Error, Kind, Result};
use rdkafka::Message as _;
use rdkafka::consumer::Consumer as _;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::consumer::{Consumer, add};
use super::fault;
use super::lanes::{Flow, Lanes};
use super::link::Link;
use super::record;
use super::rest::{Part, with_records};
use super::settings::Settings;
use super::settle;
use super::stamp::Stamp;
use share::Share;

/// One wait of librdkafka at most; between them the line is looked at.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// How often librdkafka's own events are taken in while records keep coming.
const TEND_EVERY: Duration = Duration::from_millis(200);

/// For how long the queue of a partition that was let go is emptied: a response under
/// way may still land there.
const EBB: Duration = Duration::from_secs(2);

/// How long an answer may take; without one it is as if nobody had asked.
const MEET_WAIT: Duration = Duration::from_secs(2);

/// Most records taken from such a queue in one go.
const EBB_POLLS_MAX: u32 = 100_000;

/// Where a partition is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// From this offset, which must not have vanished.
    Offset(i64),
    /// From the first record that is still there.
    Earliest,
}

/// A committed record of a data topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its offset.
    pub offset: i64,
    /// Its time, ms since 1970; 0 where it has none.
    pub timestamp_ms: i64,
    /// Its key.
    pub key: Option<Bytes>,
    /// Its value; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// Which cut it belongs to; `None` on records of other producers.
    pub stamp: Option<Stamp>,
}

/// A reader of data topics. One thread uses it.
pub struct Events {
    lanes: Lanes<PartitionQueue<Link>>,
    consumer: Consumer,
    settings: Settings,
    group_label: String,
    /// The share to change to; `None` after that.
    narrow: Option<Share>,
    share: Share,
    budget_bytes: usize,
    /// How large a record is to be expected.
    record_bytes: usize,
    /// Topics of which this client knows who leads them.
    met: HashSet<Arc<str>>,
    /// How many it has met, also those that are not held any more.
    topics: usize,
    tended: Instant,
    ebbed: Instant,
}

impl Events {
    /// A reader that holds about `budget_bytes` at most. `group_label` names it at the
    /// brokers; no group is joined and nothing is committed to one.
    ///
    /// # Errors
    /// [`Kind::Settings`] where librdkafka refuses the properties.
    pub fn open(settings: &Settings, group_label: &str, budget_bytes: usize) -> Result<Self> {
        let share = Share::wide(budget_bytes);
        let now = Instant::now();
        Ok(Self {
            lanes: Lanes::new(),
            consumer: reader(settings, group_label, share)?,
            settings: settings.clone(),
            group_label: group_label.to_owned(),
            narrow: Some(Share::narrow(budget_bytes)),
            share,
            budget_bytes,
            record_bytes: 0,
            met: HashSet::new(),
            topics: 0,
            tended: now,
            ebbed: now,
        })
    }

    /// Holds a partition, to be read from there. One that is held already stays where it is.
    ///
    /// # Errors
    /// [`Kind::BadPosition`] for a negative offset; [`Kind::KafkaRefused`] for a name that no topic has.
    pub fn ensure(&mut self, topic: &str, partition: i32, from: From) -> Result<()> {
        if let Some(id) = self.lanes.find(topic, partition) {
            self.lanes.ask(id);
            return Ok(());
        }
        super::topic::check_name(topic)?;
        let illegal = partition < 0 || matches!(from, From::Offset(offset) if offset < 0);
        if illegal {
            return Err(Error::new(Kind::BadPosition, format!("{topic}/{partition} has no place {from:?}")));
        }
        if self.lanes.live_count() == self.share.live_max {
            self.narrow_down()?;
        }
        let id = self.lanes.insert(topic, partition, from);
        if self.lanes.live_count() < self.live_max() {
            self.make_live(&[id])?;
        }
        Ok(())
    }

    /// How large the records are that come next. A partition that is fetched holds one record at
    /// least, however large, so of large ones fewer partitions are fetched at a time.
    ///
    /// # Errors
    /// As [`Self::release`].
    pub fn expect(&mut self, record_bytes: usize) -> Result<()> {
        self.record_bytes = record_bytes;
        match self.lanes.live_count().saturating_sub(self.live_max()) {
            0 => Ok(()),
            over => self.let_go(&self.lanes.stalest_live(over)),
        }
    }

    /// Lets go what has been fetched and not been read. It is fetched again when it is asked for.
    ///
    /// # Errors
    /// As [`Self::release`].
    pub fn put_down(&mut self) -> Result<()> {
        self.let_go(&self.lanes.stalest_live(usize::MAX))
    }

    /// Partitions that are fetched at a time: a record and its compressed form must fit for each.
    fn live_max(&self) -> usize {
        (self.budget_bytes / 2 / self.record_bytes.max(1)).clamp(1, self.share.live_max)
    }

    /// The next committed record of a partition; `None` where none came within the wait.
    ///
    /// # Errors
    /// [`Kind::EventsMissing`] where its offset has vanished; [`Kind::TopicChanged`] where the topic
    /// is gone; [`Kind::UnknownVersion`] for a stamp of another version; [`Kind::KafkaRefused`];
    /// [`Kind::KafkaUnreachable`] once the brokers have been out of reach for longer than the
    /// settings' patience.
    pub fn next(&mut self, topic: &str, partition: i32, wait: Duration) -> Result<Option<Event>> {
        let id = self.lanes.find(topic, partition).ok_or_else(|| {
            Error::new(Kind::Bug, format!("{topic}/{partition} is read but was never asked for"))
        })?;
        self.lanes.touch(id);
        self.stay_live(id)?;
        if self.tended.elapsed() >= TEND_EVERY {
            self.tend()?;
        }
        let deadline = Instant::now() + wait;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if let Some(event) = self.poll(id, left.min(WAIT_MAX))? {
                return Ok(Some(event));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            self.tend()?;
        }
    }

    /// The offset from which a partition's next record is looked for; `None` where it is not
    /// held, or is read from its beginning and has given none yet.
    pub fn position(&self, topic: &str, partition: i32) -> Option<i64> {
        match self.lanes.get(self.lanes.find(topic, partition)?)?.from {
            From::Offset(offset) => Some(offset),
            From::Earliest => None,
        }
    }

    /// After [`Kind::EventsMissing`]: goes on from the partition's first record where what came before it
    /// was deleted. `false`: that is not so, or no record is left.
    ///
    /// # Errors
    /// [`Kind::KafkaUnreachable`].
    pub fn skip_deleted(&mut self, topic: &str, partition: i32) -> Result<bool> {
        let Some(from) = self.position(topic, partition) else { return Ok(false) };
        let doing = format!("asking where {topic}/{partition} begins");
        let ask = |wait| self.consumer.inner().fetch_watermarks(topic, partition, wait);
        let (first, end) = self.consumer.patiently(self.settings.patience, &doing, ask)?;
        if from >= first || first >= end {
            return Ok(false);
        }
        self.release(topic, partition)?;
        self.ensure(topic, partition, From::Offset(first))?;
        Ok(true)
    }

    /// Whether a partition holds no committed record beyond those that were read, and nothing that may yet be committed.
    ///
    /// # Errors
    /// [`Kind::KafkaUnreachable`]; [`Kind::TopicChanged`] where the topic is gone.
    pub fn is_through(&self, topic: &str, partition: i32) -> Result<bool> {
        let place = (topic.to_owned(), partition);
        // First, since what is written and committed after this look lies before the end that is asked for then.
        if !settle::unsettled(&self.settings, std::slice::from_ref(&place))?.is_empty() {
            return Ok(false);
        }
        let asked = |side| self.consumer.offsets([(topic, partition)], side);
        let (first, end) = (asked(Offset::Beginning)?, asked(Offset::End)?);
        let [Place { offset: first, .. }] = first.as_slice() else { return Ok(false) };
        let [Place { offset: end, .. }] = end.as_slice() else { return Ok(false) };
        let from = self.position(topic, partition).map_or(*first, |position| position.max(*first));
        if from >= *end {
            return Ok(true);
        }
        let rest = with_records(&self.settings, vec![Part { partition: place, from, end: *end }])?;
        Ok(rest.is_empty())
    }

    /// Lets a partition go. One that is not held is no error.
    ///
    /// # Errors
    /// [`Kind::KafkaUnreachable`] where librdkafka does not let it go.
    pub fn release(&mut self, topic: &str, partition: i32) -> Result<()> {
        let Some(id) = self.lanes.find(topic, partition) else { return Ok(()) };
        self.let_go(&[id])?;
        self.lanes.remove(id);
        if self.lanes.is_new(topic) {
            self.met.remove(topic);
        }
        Ok(())
    }

    /// Topics that the client has met.
    pub fn topics(&self) -> usize {
        self.topics
    }

    /// Partitions held, and of them those that are fetched.
    pub fn held(&self) -> (usize, usize) {
        (self.lanes.count(), self.lanes.live_count())
    }

    /// Asks who leads the topics whose partitions are about to be assigned for the first time: afterwards it would be too
    /// late, as librdkafka looks up the beginning at once, and where it does not know whom to ask, again after 500 ms.
    fn meet(&mut self, ids: &[usize]) {
        for lane in ids.iter().filter_map(|id| self.lanes.get(*id)) {
            if self.met.contains(&lane.topic) {
                continue;
            }
            // Why there is none who leads it will be told to whoever reads it.
            if self.consumer.inner().fetch_metadata(Some(&lane.topic), MEET_WAIT).is_err() {
                return;
            }
            self.met.insert(Arc::clone(&lane.topic));
            self.topics += 1;
        }
    }

    fn poll(&mut self, id: usize, wait: Duration) -> Result<Option<Event>> {
        let Some(lane) = self.lanes.get_mut(id) else { return Ok(None) };
        let Flow::Live(queue) = lane.flow() else { return Ok(None) };
        let event = match queue.poll(wait) {
            None => None,
            Some(Ok(message)) => match lane.from {
                From::Offset(from) if message.offset() < from => None,
                From::Offset(_) | From::Earliest => Some(read(&message)?),
            },
            Some(Err(cause)) => {
                judge(&self.consumer, &cause, &lane.topic, lane.partition, lane.from)?;
                None
            }
        };
        if let Some(event) = &event {
            lane.from = From::Offset(event.offset + 1);
            self.consumer.link().answered();
        }
        Ok(event)
    }

    /// Makes a lane live where it is not. Where all places are taken, a quarter of them goes to
    /// it and those asked for after it, which are likely to be read next.
    fn stay_live(&mut self, id: usize) -> Result<()> {
        let live = self.lanes.get(id).is_some_and(|lane| matches!(lane.flow(), Flow::Live(_)));
        if live {
            return Ok(());
        }
        let live_max = self.live_max();
        let wanted = self.lanes.waiting_from(id, (live_max / 4).max(1));
        let free = live_max.saturating_sub(self.lanes.live_count());
        let stale = self.lanes.stalest_live(wanted.len().saturating_sub(free));
        self.let_go(&stale)?;
        self.make_live(&wanted)
    }

    /// Changes to narrow shares. Their limits are a client's, so this takes a new one.
    fn narrow_down(&mut self) -> Result<()> {
        let Some(share) = self.narrow.take().filter(|share| share.live_max > self.share.live_max) else {
            return Ok(());
        };
        let live = self.change_client(share)?;
        self.make_live(&live)
    }

    /// Goes on with a new client where the caller stands. Returns what was live: nothing is any more.
    fn change_client(&mut self, share: Share) -> Result<Vec<usize>> {
        let live = self.lanes.stalest_live(usize::MAX);
        for id in &live {
            self.lanes.set_flow(*id, Flow::Waiting);
        }
        self.lanes.ebbed();
        self.consumer = reader(&self.settings, &self.group_label, share)?;
        self.met.clear();
        self.topics = 0;
        self.share = share;
        Ok(live)
    }

    fn make_live(&mut self, ids: &[usize]) -> Result<()> {
        if self.topics >= self.share.topics_max() {
            // What was live becomes so again when it is read.
            self.change_client(self.share)?;
        }
        self.meet(ids);
        let mut list = TopicPartitionList::with_capacity(ids.len());
        for id in ids {
            let Some(lane) = self.lanes.get(*id) else { continue };
            // Never the queue that it had: librdkafka makes the partition's object anew where
            // the topic was not known yet when it was let go.
            let queue = self.consumer.split(&lane.topic, lane.partition)?;
            add(&mut list, &lane.topic, lane.partition, offset_of(lane.from))?;
            self.lanes.set_flow(*id, Flow::Live(queue));
        }
        if list.count() == 0 {
            return Ok(());
        }
        let assigned = self.consumer.inner().incremental_assign(&list);
        assigned.map_err(|cause| self.consumer.fault(&cause, "taking partitions up"))
    }

    fn let_go(&mut self, ids: &[usize]) -> Result<()> {
        let mut list = TopicPartitionList::with_capacity(ids.len());
        for id in ids {
            let Some(Flow::Live(queue)) = self.lanes.set_flow(*id, Flow::Waiting) else { continue };
            let Some(lane) = self.lanes.get(*id) else { continue };
            add(&mut list, &lane.topic, lane.partition, offset_of(lane.from))?;
            self.lanes.set_flow(*id, Flow::Ebbing(queue));
        }
        if list.count() == 0 {
            return Ok(());
        }
        let unassigned = self.consumer.inner().incremental_unassign(&list);
        unassigned.map_err(|cause| self.consumer.fault(&cause, "letting partitions go"))?;
        self.ebbed = Instant::now();
        self.drain_ebbing();
        Ok(())
    }

    /// Frees what is left in queues of partitions that were let go: librdkafka drops
    /// outdated records when the queue is looked at.
    fn drain_ebbing(&mut self) {
        for queue in self.lanes.ebbing() {
            // One look drops all that is outdated; what is not is what a fetch had just brought.
            let _ = (0..EBB_POLLS_MAX).find(|_| queue.poll(Duration::ZERO).is_none());
        }
        if self.ebbed.elapsed() >= EBB {
            self.lanes.ebbed();
        }
    }

    fn tend(&mut self) -> Result<()> {
        self.tended = Instant::now();
        self.drain_ebbing();
        self.consumer.tend()?;
        self.consumer.check_line("reading events")
    }
}

fn reader(settings: &Settings, group_label: &str, share: Share) -> Result<Consumer> {
    Consumer::open(settings, |config| {
        share.configure(config);
        config.set("group.id", group_label);
    })
}

fn offset_of(from: From) -> Offset {
    match from {
        From::Offset(offset) => Offset::Offset(offset),
        From::Earliest => Offset::Beginning,
    }
}

/// Passes what librdkafka mends by itself.
fn judge(consumer: &Consumer, cause: &KafkaError, topic: &str, partition: i32, from: From) -> Result<()> {
    let code = fault::code_of(cause);
    if fault::is_mended_by_library(code) {
        return Ok(());
    }
    let place = match from {
        From::Offset(offset) => format!("reading {topic}/{partition} at offset {offset}"),
        From::Earliest => format!("reading {topic}/{partition} from its beginning"),
    };
    Err(consumer.fault(cause, &place).caused_by(cause.clone()))
}

/// Key and value share one allocation.
pub(super) fn read(message: &BorrowedMessage<'_>) -> Result<Event> {
    let (key, value) = (message.key(), message.payload());
    let key_len = key.map_or(0, <[u8]>::len);
    let mut both = Vec::with_capacity(key_len + value.map_or(0, <[u8]>::len));
    both.extend_from_slice(key.unwrap_or_default());
    both.extend_from_slice(value.unwrap_or_default());
    let mut rest = Bytes::from(both);
    let front = rest.split_to(key_len);
    Ok(Event {
        offset: message.offset(),
        timestamp_ms: record::timestamp_ms(message),
        key: key.map(|_| front),
        value: value.map(|_| rest),
        stamp: record::stamp(message)?,
    })
}

#[cfg(test)]
mod tests;
