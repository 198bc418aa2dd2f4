//! What librdkafka says while it works: its log lines go to `tracing`, its
//! errors are kept so that the next failure can tell why.
//!
//! librdkafka retries by itself and tells callers of blocking calls no more than
//! "timed out". The reason (connection refused, wrong password) comes beside it,
//! as an event; [`Link`] holds the last one.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use cdc_sdk::{Error, Kind};
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use super::fault;

/// One client's line to the brokers.
pub(super) struct Link {
    bootstrap_servers: String,
    trouble: Mutex<Option<Trouble>>,
    /// How often something was held against it.
    breaks: AtomicU64,
    /// Why the open transaction cannot go on. librdkafka says so in a log line; the calls
    /// that follow fail with no more than "erroneous state".
    transaction_lost: Mutex<Option<String>>,
    end_seen: AtomicI64,
    /// What a group has said and nobody has answered.
    rebalances: Mutex<VecDeque<Rebalanced>>,
    /// Whether the client is ending: then a group is answered at once.
    leaving: AtomicBool,
}

/// What a group says to a member.
pub(super) enum Rebalanced {
    /// These partitions are its own from now on.
    Given(Vec<(String, i32)>),
    /// These are not any more.
    Taken(Vec<(String, i32)>),
}

/// The facility of that log line (librdkafka, `rd_kafka_txn_set_abortable_error0`).
const TRANSACTION_LOST: &str = "TXNERR";

/// Why the line was last bad.
#[derive(Clone)]
struct Trouble {
    code: Code,
    reason: String,
    since: Instant,
}

impl Link {
    pub fn new(bootstrap_servers: &str) -> Self {
        Self {
            bootstrap_servers: bootstrap_servers.to_owned(),
            trouble: Mutex::new(None),
            breaks: AtomicU64::new(0),
            transaction_lost: Mutex::new(None),
            end_seen: AtomicI64::new(-1),
            rebalances: Mutex::default(),
            leaving: AtomicBool::new(false),
        }
    }

    /// An error while doing something, with the reason that librdkafka gave beside it.
    ///
    /// A time-out whose reason is a refusal (a wrong password) is that refusal.
    pub fn fault(&self, code: Code, doing: &str) -> Error {
        let trouble = self.trouble();
        let code = match &trouble {
            Some(t) if fault::kind_of(code) == Kind::KafkaUnreachable && is_refusal(t.code) => t.code,
            _ => code,
        };
        let lost = held(&self.transaction_lost).clone();
        let error = fault::error(code, doing, &self.bootstrap_servers);
        let error = lost.into_iter().fold(error, Error::detail);
        match trouble {
            Some(trouble) => error.detail(trouble.reason),
            None => error,
        }
    }

    /// When the line went bad; `None` while nothing is known against it.
    pub fn bad_since(&self) -> Option<Instant> {
        self.trouble().map(|t| t.since)
    }

    /// How often the line has been bad: where that has not changed, no connection was lost in between.
    pub fn breaks(&self) -> u64 {
        self.breaks.load(Ordering::Acquire)
    }

    /// A broker has answered: what was held against the line is over.
    pub fn answered(&self) {
        *held(&self.trouble) = None;
    }

    /// A new transaction begins: what ended the one before it is over.
    pub fn transaction_begins(&self) {
        *held(&self.transaction_lost) = None;
    }

    /// The offset of the last "end of partition" that was told.
    pub fn end_seen(&self) -> i64 {
        self.end_seen.load(Ordering::Relaxed)
    }

    /// What a group has said that is to be answered next.
    pub fn next_rebalance(&self) -> Option<Rebalanced> {
        held(&self.rebalances).pop_front()
    }

    /// The client is about to end: what its group has said, and will say, is answered here, else it would wait
    /// for ever.
    pub fn leaves(&self, consumer: &BaseConsumer<Self>) {
        self.leaving.store(true, Ordering::Release);
        while let Some(rebalanced) = self.next_rebalance() {
            let (given, partitions) = match rebalanced {
                Rebalanced::Given(partitions) => (true, partitions),
                Rebalanced::Taken(partitions) => (false, partitions),
            };
            let mut list = TopicPartitionList::with_capacity(partitions.len());
            for (topic, partition) in &partitions {
                list.add_partition(topic, *partition);
            }
            answer(consumer, given, &list);
        }
    }

    fn trouble(&self) -> Option<Trouble> {
        held(&self.trouble).clone()
    }

    fn note(&self, code: Code, reason: &str) {
        self.breaks.fetch_add(1, Ordering::AcqRel);
        let mut held = held(&self.trouble);
        // "All brokers are down" says less than the refused connection before it.
        if code == Code::AllBrokersDown && held.is_some() {
            return;
        }
        let since = held.as_ref().map_or_else(Instant::now, |t| t.since);
        *held = Some(Trouble { code, reason: reason.to_owned(), since });
    }
}

/// A panic elsewhere leaves what is held here whole.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Most clients use no group (librdkafka only looks for its coordinator),
/// so a missing right to it is no refusal of the line.
fn is_refusal(code: Code) -> bool {
    code != Code::GroupAuthorizationFailed && fault::kind_of(code) == Kind::KafkaRefused
}

/// Whether an event speaks of the line, not of one partition.
fn is_about_line(code: Code) -> bool {
    match fault::kind_of(code) {
        Kind::KafkaUnreachable => true,
        Kind::KafkaRefused => is_refusal(code),
        _ => false,
    }
}

/// The offset in librdkafka's words for the end of a partition. rdkafka passes on the words
/// and the partition only (`rdkafka_fetcher.c`: "reached end of partition at offset 7
/// (HighwaterMark 7)").
fn end_offset(reason: &str) -> Option<i64> {
    let (_, rest) = reason.split_once("end of partition at offset ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

impl ClientContext for Link {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if facility == TRANSACTION_LOST {
            *held(&self.transaction_lost) = Some(message.to_owned());
        }
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(target: "cdc::kafka", facility, "{message}");
            }
            // What librdkafka calls an error (a lost connection) it retries itself.
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
                tracing::warn!(target: "cdc::kafka", facility, "{message}");
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::debug!(target: "cdc::kafka", facility, "{message}");
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = fault::code_of(&error);
        tracing::debug!(target: "cdc::kafka", ?code, "{reason}");
        if code == Code::PartitionEOF {
            self.end_seen.store(end_offset(reason).unwrap_or(-1), Ordering::Relaxed);
        } else if is_about_line(code) {
            self.note(code, reason);
        }
    }
}

impl ConsumerContext for Link {
    /// Called by who polls. Nothing is done here: who polls looks for it next, and answers.
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let given = code == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.leaving.load(Ordering::Acquire) {
            answer(consumer, given, list);
            return;
        }
        let partitions = list.elements().iter().map(|e| (e.topic().to_owned(), e.partition())).collect();
        let rebalanced = if given { Rebalanced::Given(partitions) } else { Rebalanced::Taken(partitions) };
        held(&self.rebalances).push_back(rebalanced);
    }
}

/// An answer by a client that is about to end: where it does not count any more, nobody waits for it.
fn answer(consumer: &BaseConsumer<Link>, given: bool, list: &TopicPartitionList) {
    let answered =
        if given { consumer.incremental_assign(list) } else { consumer.incremental_unassign(list) };
    if let Err(error) = answered {
        tracing::debug!(target: "cdc::kafka", %error, "leaving the group");
    }
}

#[cfg(test)]
mod tests;
