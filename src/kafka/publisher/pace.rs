//! The pause between two transactions.
//!
//! A commit is answered before the brokers have written the markers that end the transaction in its partitions. Until
//! they have, the next one is refused its first partition (`CONCURRENT_TRANSACTIONS`), and librdkafka asks again
//! after a constant 20 ms (2.12.1, `rd_kafka_txn_handle_AddPartitionsToTxn`): more than all the rest of a commit.
//! Nobody tells a producer that the markers are there. But the brokers that write them are those that just took this
//! long for a commit, so a pause grows and shrinks with it. Whatever comes meanwhile goes with the next transaction,
//! which spares short-handed brokers some.

use std::time::{Duration, Instant};

/// Of what commits take.
const SHARE: u32 = 2;

/// Never longer: by then 20 ms are the lesser evil.
const PAUSE_MAX: Duration = Duration::from_millis(5);

/// How many commits count, roughly.
const COMMITS: u32 = 16;

/// What short commits take lately.
#[derive(Debug, Default)]
pub(super) struct Pace {
    took: Duration,
    /// When the last one was answered, if it was short.
    answered: Option<Instant>,
}

impl Pace {
    /// A commit was answered at this time. A long one has no pause: it does not wait for single requests.
    pub(super) fn committed(&mut self, took: Duration, now: Instant, is_short: bool) {
        self.answered = is_short.then_some(now);
        if is_short {
            self.took = (self.took * (COMMITS - 1) + took) / COMMITS;
        }
    }

    /// How long the next transaction is to wait from now on.
    pub(super) fn pause(&self, now: Instant) -> Duration {
        let Some(answered) = self.answered else { return Duration::ZERO };
        (self.took / SHARE).min(PAUSE_MAX).saturating_sub(now.saturating_duration_since(answered))
    }
}

#[cfg(test)]
mod tests;
