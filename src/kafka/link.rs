//! What librdkafka says while it works: its log lines go to `tracing`, its
//! errors are kept so that the next failure can tell why.
//!
//! librdkafka retries by itself and tells callers of blocking calls no more than
//! "timed out". The reason (connection refused, wrong password) comes beside it,
//! as an event; [`Link`] holds the last one.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use cdc_sdk::{Error, Kind};
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::fault;

/// One client's line to the brokers.
pub(super) struct Link {
    bootstrap_servers: String,
    trouble: Mutex<Option<Trouble>>,
    /// Why the open transaction cannot go on. librdkafka says so in a log line; the calls
    /// that follow fail with no more than "erroneous state".
    transaction_lost: Mutex<Option<String>>,
    end_seen: AtomicI64,
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
            transaction_lost: Mutex::new(None),
            end_seen: AtomicI64::new(-1),
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

    fn trouble(&self) -> Option<Trouble> {
        held(&self.trouble).clone()
    }

    fn note(&self, code: Code, reason: &str) {
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

/// Kafka's groups are not used (librdkafka only looks for their coordinator),
/// so a missing right to them is no refusal.
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

impl ConsumerContext for Link {}

#[cfg(test)]
mod tests;
