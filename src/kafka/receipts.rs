//! What the brokers said about the records of the transaction that is open.
//!
//! Delivery reports come on the publisher's own thread, inside its polls. They say
//! where each record went, from which the partitions' ends follow, and which
//! failed: a commit looks here first, so that none passes over a lost record.

use std::sync::Mutex;

use rdkafka::ClientContext;
use rdkafka::Message;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{DeliveryResult, ProducerContext};

use super::fault;
use super::link::Link;

/// What a record costs in librdkafka beside its bytes (`rd_kafka_msg_t`, headers, report), about.
pub(super) const RECORD_OVERHEAD_BYTES: usize = 256;

/// The publisher's context: its line, and the receipts.
pub(super) struct Receipts {
    link: Link,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// By the publisher's number for a partition: the offset after the last record.
    ends: Vec<Option<i64>>,
    /// Those that have an end.
    touched: Vec<usize>,
    /// Bytes given to librdkafka and not reported yet.
    outstanding_bytes: usize,
    failed: Option<Failed>,
}

/// A record that was not stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failed {
    pub code: Code,
    pub topic: String,
    pub partition: i32,
    pub size_bytes: usize,
}

impl Receipts {
    pub fn new(link: Link) -> Self {
        Self { link, held: Mutex::default() }
    }

    pub fn link(&self) -> &Link {
        &self.link
    }

    /// A record was given to librdkafka.
    pub fn sent(&self, bytes: usize) {
        self.held(|held| held.outstanding_bytes += bytes);
    }

    /// It would not take it after all.
    pub fn unsent(&self, bytes: usize) {
        self.held(|held| held.outstanding_bytes = held.outstanding_bytes.saturating_sub(bytes));
    }

    pub fn outstanding_bytes(&self) -> usize {
        self.held(|held| held.outstanding_bytes)
    }

    /// The first record that failed, if any did.
    pub fn failed(&self) -> Option<Failed> {
        self.held(|held| held.failed.clone())
    }

    /// Partition numbers of the records that were stored since the ends were taken.
    pub fn touched(&self) -> Vec<usize> {
        self.held(|held| held.touched.clone())
    }

    /// Takes the ends since the last call: partition number and end.
    pub fn take_ends(&self) -> Vec<(usize, i64)> {
        self.held(|held| {
            let touched = std::mem::take(&mut held.touched);
            let end = |slot: usize| held.ends.get_mut(slot).and_then(Option::take).map(|end| (slot, end));
            touched.into_iter().filter_map(end).collect()
        })
    }

    /// Forgets what the last transaction left.
    pub fn clear(&self) {
        self.take_ends();
        self.held(|held| held.failed = None);
    }

    fn held<T>(&self, use_it: impl FnOnce(&mut Held) -> T) -> T {
        use_it(&mut self.held.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl Held {
    /// The record is in its partition. librdkafka tells no offset (a negative one) where a
    /// broker answers only that it has had the batch before: its end is then unknown.
    fn stored(&mut self, slot: usize, offset: i64) -> bool {
        if offset < 0 {
            return false;
        }
        if slot >= self.ends.len() {
            self.ends.resize(slot + 1, None);
        }
        let Some(end) = self.ends.get_mut(slot) else { return false };
        if end.is_none() {
            self.touched.push(slot);
        }
        *end = Some(end.map_or(offset + 1, |end| end.max(offset + 1)));
        true
    }

    /// Keeps the first failure. A record that was thrown away unsent says nothing of the
    /// reason, so any other failure takes its place.
    fn lost(&mut self, failed: Failed) {
        let purged = |f: &Failed| matches!(f.code, Code::PurgeQueue | Code::PurgeInflight);
        if self.failed.as_ref().is_none_or(|held| purged(held) && !purged(&failed)) {
            self.failed = Some(failed);
        }
    }
}

/// Bytes that a record is counted with.
pub(super) fn cost_bytes(key: usize, value: usize) -> usize {
    key.saturating_add(value).saturating_add(RECORD_OVERHEAD_BYTES)
}

impl ClientContext for Receipts {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.link.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.link.error(error, reason);
    }
}

impl ProducerContext for Receipts {
    /// The publisher's number for the record's partition.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, slot: usize) {
        let message = match result {
            Ok(message) | Err((_, message)) => message,
        };
        let cost = cost_bytes(message.key_len(), message.payload_len());
        let failed = |code| Failed {
            code,
            topic: message.topic().to_owned(),
            partition: message.partition(),
            size_bytes: message.key_len() + message.payload_len(),
        };
        self.held(|held| {
            held.outstanding_bytes = held.outstanding_bytes.saturating_sub(cost);
            match result {
                Ok(message) if held.stored(slot, message.offset()) => {}
                Ok(_) => held.lost(failed(Code::DuplicateSequenceNumber)),
                Err((cause, _)) => held.lost(failed(fault::code_of(cause))),
            }
        });
    }
}

#[cfg(test)]
mod tests;
