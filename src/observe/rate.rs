//! Throughput over the last seconds.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How far back it looks.
const WINDOW: Duration = Duration::from_secs(10);

/// Samples kept: one a second over the window, and the one before it.
const SAMPLES_MAX: usize = 11;

/// A count sampled now and then.
#[derive(Debug, Default)]
pub(super) struct Rate {
    samples: VecDeque<(Instant, u64)>,
}

impl Rate {
    /// Notes how far the count is.
    pub(super) fn sample(&mut self, now: Instant, count: u64) {
        self.samples.push_back((now, count));
        let too_old = |first: &(Instant, u64)| now.duration_since(first.0) > WINDOW;
        while self.samples.len() > SAMPLES_MAX
            || (self.samples.len() > 2 && self.samples.front().is_some_and(too_old))
        {
            self.samples.pop_front();
        }
    }

    /// A second's worth of the window; 0 before there are two samples.
    pub(super) fn per_second(&self) -> f64 {
        let (Some(first), Some(last)) = (self.samples.front(), self.samples.back()) else { return 0.0 };
        let seconds = last.0.duration_since(first.0).as_secs_f64();
        if seconds <= 0.0 { 0.0 } else { last.1.saturating_sub(first.1) as f64 / seconds }
    }
}

#[cfg(test)]
mod tests;
