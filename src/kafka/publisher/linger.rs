//! Lifting `linger.ms` while a commit waits.
//!
//! librdkafka sends at once what its queues hold for as long as a call of `rd_kafka_flush` lasts. rdkafka's own
//! flush gives that call a time of 0, over before the broker's thread has looked, so records sat out
//! their linger, and it had to be short. A short one costs more than delay: once the first record that waits
//! is older, and a request of its partition is under way, that thread looks again without a pause
//! (librdkafka 2.12.1, `rd_kafka_toppar_producer_serve`), which was half of a source's processor time. With 500 ms
//! it still was a third wherever brokers were short of processor time themselves, since one request of a partition
//! goes at a time, and the records of a cut of 16 MiB then wait that long.
//!
//! While the linger is lifted every record is older: so a flush of many bytes lifts it in pulses, and only a short one
//! throughout ([`super::Publisher::flush`]).
//!
//! Each call puts a wake-up before all else that the broker's thread has to do, and each has it look at every
//! partition that it was ever given (`rd_kafka_broker_ops_serve`, `rd_kafka_broker_producer_serve`). With 7,000 of them that takes
//! longer than a ms. Calls of one ms in a row then come faster than they are worked off, and for a minute nothing else
//! had its turn: not even a new topic, whose record they were to hurry along. Hence [`Lifts`].

use std::time::{Duration, Instant};

use rdkafka::bindings::rd_kafka_flush;
use rdkafka::producer::{BaseProducer, Producer as _};

use crate::kafka::receipts::Receipts;

/// A call, after which receipts are taken in. Whole ms, as librdkafka counts.
const STEP: Duration = Duration::from_millis(1);

/// What a look at one partition takes at most, roughly: 0.2 µs where the processor is idle.
const LOOK: Duration = Duration::from_micros(1);

/// Calls are so much shorter than all the wait so far, at least.
const SHARE: u32 = 32;

/// The longest call: a receipt may have come right after its beginning.
const STEP_MAX: Duration = Duration::from_millis(100);

/// The calls of one wait, ever further apart.
pub(super) struct Lifts {
    since: Instant,
    /// What a wake-up costs the broker's thread.
    looks: Duration,
    last: Option<Instant>,
}

impl Lifts {
    /// A wait begins, of a producer that has sent to so many partitions.
    pub fn new(now: Instant, partitions: usize) -> Self {
        Self { since: now, looks: LOOK * u32::try_from(partitions).unwrap_or(u32::MAX), last: None }
    }

    /// How far the next call is to be from the last one.
    pub fn step(&self, now: Instant) -> Duration {
        let waited = now.saturating_duration_since(self.since);
        (waited / SHARE).max(self.looks).clamp(STEP, STEP_MAX)
    }

    /// Whether the last call is so long ago, and this long at least.
    pub fn are_due(&self, now: Instant, at_least: Duration) -> bool {
        let pause = self.step(now).max(at_least);
        self.last.is_none_or(|last| now.saturating_duration_since(last) >= pause)
    }

    /// Holds the linger lifted until the next call, or until no record is left.
    pub fn hold(&mut self, producer: &BaseProducer<Receipts>, now: Instant) {
        self.lift(producer, now, self.step(now));
    }

    /// Holds the linger lifted for a moment.
    pub fn pulse(&mut self, producer: &BaseProducer<Receipts>, now: Instant) {
        self.lift(producer, now, STEP);
    }

    fn lift(&mut self, producer: &BaseProducer<Receipts>, now: Instant, time: Duration) {
        self.last = Some(now);
        flush(producer, time);
    }
}

/// What lifts the linger for this long (whole ms), or until no record is left.
fn flush(producer: &BaseProducer<Receipts>, time: Duration) {
    let ms = i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the producer lives for the length of the call, and any thread may make it. That time is up
    // is no error, and there is no other: whether records are left the receipts say.
    #[allow(unsafe_code)]
    unsafe {
        rd_kafka_flush(producer.client().native_ptr(), ms);
    }
}

#[cfg(test)]
mod tests;
