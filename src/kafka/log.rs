//! A topic of one partition, read as a log: the cuts, and the source's state.
//!
//! Control records and aborted transactions take offsets but are not seen, so the
//! offsets of the records have gaps, and "the last record" is not at the end less
//! one. The end of what is committed is told by librdkafka itself, which says at which
//! offset a read has reached the last stable one, whatever stands before it. That
//! offset is compared with the end asked for: a new leader may not know of the last
//! records as committed yet.
//!
//! A move after reading has begun takes a new client. Moving an assignment that is
//! still starting makes librdkafka 2.12 stop the same partition twice and abort the
//! process (`rd_kafka_assignment_partition_stopped`: `rktp_started`), and a client of
//! its own leaves no record of before the move behind. Moves are rare: one at a start.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use cdc_sdk::{Error, Kind, Result};
use rdkafka::consumer::Consumer as _;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::consumer::{Consumer, add};
use super::fault;
use super::link::Link;
use super::record::Record;
use super::settings::Settings;

/// One wait of librdkafka at most; between them the line is looked at.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// How long a request waits at the broker for new records, ms: where a log is followed, and where only its end is
/// looked for, which the broker tells no sooner.
const FOLLOW_WAIT_MS: u32 = 50;
const LOOK_WAIT_MS: u32 = 5;

/// Least number of offsets that a look backwards begins with.
const STEP_MIN: i64 = 64;

/// What is read of what no marker has decided yet.
const OF_COMMITTED: &str = "read_committed";
const OF_ALL: &str = "read_uncommitted";

/// A topic of one partition, or one partition of a topic, from which committed records are read in order.
pub struct Log {
    queue: PartitionQueue<Link>,
    consumer: Consumer,
    settings: Settings,
    wait_ms: u32,
    isolation: &'static str,
    topic: String,
    partition: i32,
    next: i64,
    /// Whether reading has begun at `next` or before it.
    assigned: bool,
}

/// What a read came upon.
enum Step {
    Record(Record),
    End(i64),
    Nothing,
}

impl Log {
    /// Opens the topic at its beginning; `None` where there is no such topic.
    ///
    /// # Errors
    /// [`Kind::TopicChanged`] where it has more than one partition; [`Kind::KafkaUnreachable`],
    /// [`Kind::KafkaRefused`], [`Kind::Settings`].
    pub fn open(settings: &Settings, topic: &str) -> Result<Option<Self>> {
        Self::open_with(settings, topic, FOLLOW_WAIT_MS)
    }

    /// As [`Self::open`], to read what is there and no more: its end is found sooner.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn look(settings: &Settings, topic: &str) -> Result<Option<Self>> {
        Self::open_with(settings, topic, LOOK_WAIT_MS)
    }

    fn open_with(settings: &Settings, topic: &str, wait_ms: u32) -> Result<Option<Self>> {
        let isolation = OF_COMMITTED;
        let consumer = reader(settings, wait_ms, isolation)?;
        match consumer.partition_count(topic)? {
            None => return Ok(None),
            Some(1) => {}
            Some(count) => {
                return Err(Error::new(
                    Kind::TopicChanged,
                    format!("topic {topic} has {count} partitions, not 1"),
                )
                .hint("it was not made by cdc: give it its own name, or use another topic prefix"));
            }
        }
        let queue = consumer.split(topic, 0)?;
        let (settings, topic) = (settings.clone(), topic.to_owned());
        let mut log = Self {
            queue,
            consumer,
            settings,
            wait_ms,
            isolation,
            topic,
            partition: 0,
            next: 0,
            assigned: false,
        };
        log.next = log.beginning()?;
        Ok(Some(log))
    }

    /// Opens one partition of a topic at an offset.
    ///
    /// # Errors
    /// [`Kind::BadPosition`] for a negative offset, [`Kind::Settings`].
    pub fn of_partition(settings: &Settings, topic: &str, partition: i32, offset: i64) -> Result<Self> {
        Self::of_partition_with(settings, topic, partition, offset, OF_COMMITTED)
    }

    /// As [`Self::of_partition`], with the records that are neither committed nor aborted, and those that are aborted.
    pub(super) fn of_all(settings: &Settings, topic: &str, partition: i32, offset: i64) -> Result<Self> {
        Self::of_partition_with(settings, topic, partition, offset, OF_ALL)
    }

    fn of_partition_with(
        settings: &Settings,
        topic: &str,
        partition: i32,
        offset: i64,
        isolation: &'static str,
    ) -> Result<Self> {
        let wait_ms = FOLLOW_WAIT_MS;
        let consumer = reader(settings, wait_ms, isolation)?;
        let queue = consumer.split(topic, partition)?;
        let (settings, topic) = (settings.clone(), topic.to_owned());
        let mut log = Self {
            queue,
            consumer,
            settings,
            wait_ms,
            isolation,
            topic,
            partition,
            next: 0,
            assigned: false,
        };
        log.seek(offset)?;
        Ok(log)
    }

    /// Its topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Goes to an offset: the next record is the first at or after it.
    ///
    /// # Errors
    /// [`Kind::BadPosition`] for a negative offset. One that is not in the log any more is told
    /// by the read that follows.
    pub fn seek(&mut self, offset: i64) -> Result<()> {
        add(&mut TopicPartitionList::new(), &self.topic, self.partition, Offset::Offset(offset))?;
        if self.assigned {
            let consumer = reader(&self.settings, self.wait_ms, self.isolation)?;
            self.queue = consumer.split(&self.topic, self.partition)?;
            self.consumer = consumer;
            self.assigned = false;
        }
        self.next = offset;
        Ok(())
    }

    /// Begins to fetch, once.
    fn begin(&mut self) -> Result<()> {
        if !self.assigned {
            let mut assignment = TopicPartitionList::new();
            add(&mut assignment, &self.topic, self.partition, Offset::Offset(self.next))?;
            self.consumer.inner().assign(&assignment).map_err(|cause| self.fault(&cause))?;
            self.assigned = true;
        }
        Ok(())
    }

    /// The offset from which the next record is looked for: after the last record read, or
    /// at the end where a read has come upon that.
    pub fn position(&self) -> i64 {
        self.next
    }

    /// The next record; `None` where none was committed within the wait.
    ///
    /// # Errors
    /// [`Kind::CutsMissing`] where the offset is not in the log any more; [`Kind::TopicChanged`] where
    /// the topic is gone; [`Kind::KafkaRefused`]; [`Kind::KafkaUnreachable`] once the brokers have been
    /// out of reach for longer than the settings' patience.
    pub fn next(&mut self, wait: Duration) -> Result<Option<Record>> {
        let deadline = Instant::now() + wait;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if let Step::Record(record) = self.step(left.min(WAIT_MAX))? {
                return Ok(Some(record));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
        }
    }

    /// The next record before an offset; `None` once there is none left. Reaches the offset
    /// even where only markers and aborted records are before it, so that a loop up to
    /// [`Self::end`] neither stops early nor waits.
    ///
    /// # Errors
    /// As [`Self::next`], and [`Kind::KafkaUnreachable`] where the brokers do not bring it within the
    /// settings' patience: a slow broker is not the end.
    pub fn next_until(&mut self, end: i64) -> Result<Option<Record>> {
        let begun = Instant::now();
        while self.next < end {
            if let Step::Record(record) = self.step(WAIT_MAX)? {
                return Ok(Some(record));
            }
            if self.consumer.is_enough(begun) {
                return Err(self.error(Code::OperationTimedOut));
            }
        }
        Ok(None)
    }

    /// The offset after the last committed record or marker (the last stable offset). A commit
    /// is decided before its markers are written, so a record committed just now may not count
    /// yet; once the publisher's id has been opened anew, all that it ever committed does.
    ///
    /// # Errors
    /// [`Kind::KafkaUnreachable`], [`Kind::KafkaRefused`], [`Kind::TopicChanged`].
    pub fn end(&self) -> Result<i64> {
        self.offset(Offset::End)
    }

    /// The first offset that is still there.
    ///
    /// # Errors
    /// As [`Self::end`].
    pub fn beginning(&self) -> Result<i64> {
        self.offset(Offset::Beginning)
    }

    /// Where to read from so as to miss no record of that time (ms since 1970) or later; `None`
    /// where all are older. Markers have times too, those of their commits, so older records may follow.
    ///
    /// # Errors
    /// As [`Self::end`].
    pub fn offset_for_time(&self, ms: i64) -> Result<Option<i64>> {
        self.consumer.offset_for_time(&self.topic, self.partition, ms)
    }

    /// The last `n` committed records, oldest first; fewer where there are fewer. Looks
    /// backwards in growing steps, since markers and aborted records may stand at the end
    /// in any number. Leaves the log after the last of them.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub fn last(&mut self, n: usize) -> Result<Vec<Record>> {
        let (beginning, end) = (self.beginning()?, self.end()?);
        let mut step = i64::try_from(n).unwrap_or(i64::MAX).saturating_mul(4).max(STEP_MIN);
        loop {
            let from = end.saturating_sub(step).max(beginning);
            let mut found = VecDeque::new();
            self.read_from(from, |record| {
                if found.len() == n {
                    found.pop_front();
                }
                if n > 0 {
                    found.push_back(record);
                }
                Ok(())
            })?;
            if found.len() >= n || from <= beginning {
                return Ok(found.into());
            }
            step = step.saturating_mul(8);
        }
    }

    /// Visits every committed record from the beginning to the end as it is at the call. Returns the offset that it has read up to.
    ///
    /// # Errors
    /// As [`Self::next`], and those of the visitor.
    pub fn read_all(&mut self, visit: impl FnMut(Record) -> Result<()>) -> Result<i64> {
        let beginning = self.beginning()?;
        self.read_from(beginning, visit)
    }

    /// As [`Self::read_all`], from an offset.
    ///
    /// # Errors
    /// As [`Self::next`], and those of the visitor.
    pub fn read_from(&mut self, offset: i64, mut visit: impl FnMut(Record) -> Result<()>) -> Result<i64> {
        let end = self.end()?;
        self.seek(offset)?;
        while let Some(record) = self.next_until(end)? {
            visit(record)?;
        }
        Ok(self.next)
    }

    fn step(&mut self, wait: Duration) -> Result<Step> {
        self.begin()?;
        let polled = self.queue.poll(wait);
        let step = match polled {
            None => Step::Nothing,
            Some(Ok(message)) if message_offset(&message) < self.next => Step::Nothing,
            Some(Ok(message)) => Step::Record(Record::read(&message)?),
            Some(Err(KafkaError::PartitionEOF(_))) => Step::End(self.consumer.link().end_seen()),
            Some(Err(cause)) => {
                self.judge(&cause)?;
                Step::Nothing
            }
        };
        match &step {
            Step::Record(record) => self.next = record.offset + 1,
            Step::Nothing => {
                self.consumer.tend()?;
                self.consumer.check_line(&self.doing())?;
            }
            // Told in the queue, hence after every record before it.
            Step::End(offset) => self.next = self.next.max(*offset),
        }
        if !matches!(step, Step::Nothing) {
            self.consumer.link().answered();
        }
        Ok(step)
    }

    /// Passes what librdkafka mends by itself.
    fn judge(&self, cause: &KafkaError) -> Result<()> {
        let code = fault::code_of(cause);
        if fault::is_mended_by_library(code) {
            return Ok(());
        }
        if fault::kind_of(code) != Kind::EventsMissing {
            return Err(self.fault(cause));
        }
        let what = format!("offset {} of topic {} cannot be read any more", self.next, self.topic);
        Err(Error::new(Kind::CutsMissing, what)
            .caused_by(cause.clone())
            .hint("restore the topic; it must be kept for ever (retention.ms=-1)"))
    }

    fn offset(&self, side: Offset) -> Result<i64> {
        let places = self.consumer.offsets([(self.topic.as_str(), self.partition)], side)?;
        places.first().map(|place| place.offset).ok_or_else(|| self.error(Code::UnknownPartition))
    }

    fn doing(&self) -> String {
        format!("reading topic {} at offset {}", self.topic, self.next)
    }

    fn fault(&self, cause: &KafkaError) -> Error {
        self.error(fault::code_of(cause)).caused_by(cause.clone())
    }

    fn error(&self, code: Code) -> Error {
        self.consumer.fault_of(code, &self.doing())
    }
}

/// A client that reads the partition, not yet assigned to it.
fn reader(settings: &Settings, wait_ms: u32, isolation: &str) -> Result<Consumer> {
    Consumer::open(settings, |config| {
        config.set("fetch.wait.max.ms", wait_ms.to_string());
        config.set("isolation.level", isolation);
        for (name, value) in [
            ("group.id", "cdc.log"),
            ("enable.partition.eof", "true"),
            ("fetch.queue.backoff.ms", "5"),
            ("fetch.error.backoff.ms", "100"),
            ("queued.min.messages", "10000"),
            ("queued.max.messages.kbytes", "4096"),
            ("fetch.message.max.bytes", "2097152"),
            ("fetch.max.bytes", "4194304"),
        ] {
            config.set(name, value);
        }
    })
}

fn message_offset(message: &rdkafka::message::BorrowedMessage<'_>) -> i64 {
    rdkafka::Message::offset(message)
}
