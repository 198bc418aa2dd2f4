//! What all who wait for the brokers share: whether the run is to end, and who is told that they do not answer.
//!
//! Brokers are waited for as long as the settings' patience says. That must neither hold a stop up nor look
//! like a start that takes long: so waits have slices, between which this is looked at.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use cdc_sdk::{Error, Result};
use rdkafka::error::KafkaError;

use super::link::Link;

/// The first slice of a wait. Each further one is twice as long, since a busy broker may take its time over one
/// answer; but not where the line is known to be bad, which costs no broker anything.
const SLICE_FIRST: Duration = Duration::from_secs(1);
const SLICE_MAX: Duration = Duration::from_secs(8);

/// Pause before those who did not answer are asked again.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// After a stop what is under way may go on for so long, and for so long where no broker can be reached.
const ENDS_MAX: Duration = Duration::from_secs(10);
const ENDS_MAX_WITHOUT_LINE: Duration = Duration::from_secs(2);

/// One trouble has several clients, each with several lookups: so often is it told.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Shared by all clients of a run.
#[derive(Clone, Default)]
pub struct Lookout(Arc<Shared>);

type Listener = Box<dyn Fn(&Error) + Send + Sync>;

#[derive(Default)]
struct Shared {
    ending: OnceLock<Instant>,
    listener: OnceLock<Listener>,
    told: Mutex<Option<Instant>>,
}

impl Lookout {
    /// The run is to end: lookups are given up, and what is being written has some seconds.
    pub fn end(&self) {
        self.0.ending.get_or_init(Instant::now);
    }

    /// Tells brokers' trouble, while they are still waited for, to this one. The first who asks is told.
    pub fn tell(&self, listener: impl Fn(&Error) + Send + Sync + 'static) {
        self.0.listener.get_or_init(|| Box::new(listener));
    }

    /// Whether nobody wants to know any more.
    pub(super) fn is_ending(&self) -> bool {
        self.0.ending.get().is_some()
    }

    /// Whether what is being written has had its time. `bad_line`: no broker can be reached.
    pub(super) fn is_over(&self, bad_line: impl Fn() -> bool) -> bool {
        let left = || if bad_line() { ENDS_MAX_WITHOUT_LINE } else { ENDS_MAX };
        self.0.ending.get().is_some_and(|since| since.elapsed() >= left())
    }

    /// Asks again and again over a line, each time for a while, until the brokers answer. `passes`: whether they may yet
    /// do so after such an answer; `fault`: what the user is told of it.
    ///
    /// # Errors
    /// Theirs, where it does not pass, the patience is used up, or the run ends.
    pub(super) fn patiently<T>(
        &self,
        patience: Duration,
        link: &Link,
        passes: impl Fn(&KafkaError) -> bool,
        fault: impl Fn(&KafkaError) -> Error,
        ask: impl Fn(Duration) -> std::result::Result<T, KafkaError>,
    ) -> Result<T> {
        let mut slices = Slices::of(patience);
        loop {
            let cause = match ask(slices.next(link.bad_since().is_some())) {
                Ok(answer) => {
                    link.answered();
                    return Ok(answer);
                }
                Err(cause) => cause,
            };
            let error = fault(&cause);
            if !passes(&cause) || slices.are_over() || self.is_ending() {
                return Err(error);
            }
            self.unanswered(&error);
            std::thread::sleep(ASK_AGAIN);
        }
    }

    /// The brokers have not answered so far.
    pub(super) fn unanswered(&self, error: &Error) {
        let Some(listener) = self.0.listener.get() else { return };
        let mut told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
            *told = Some(Instant::now());
            listener(error);
        }
    }
}

/// The slices of one wait.
pub(super) struct Slices {
    deadline: Instant,
    next: Duration,
}

impl Slices {
    pub fn of(patience: Duration) -> Self {
        Self { deadline: Instant::now() + patience, next: SLICE_FIRST }
    }

    /// How long the next one is; nothing once the patience is used up.
    pub fn next(&mut self, bad_line: bool) -> Duration {
        let slice = if bad_line { SLICE_FIRST } else { self.next };
        self.next = (slice * 2).min(SLICE_MAX);
        slice.min(self.deadline.saturating_duration_since(Instant::now()))
    }

    /// Whether the patience is used up.
    pub fn are_over(&self) -> bool {
        Instant::now() >= self.deadline
    }
}

/// No setting: those of two files are equal whoever waits.
impl PartialEq for Lookout {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Lookout {}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use cdc_sdk::Kind;

    use super::*;

    #[test]
    fn one_trouble_is_told_once() {
        let lookout = Lookout::default();
        let error = Error::new(Kind::KafkaUnreachable, "no answer");
        lookout.unanswered(&error);
        let told = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&told);
        lookout.tell(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        lookout.unanswered(&error);
        lookout.clone().unanswered(&error);
        assert_eq!(told.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn lookups_end_at_once_and_what_is_written_has_some_seconds() {
        let lookout = Lookout::default();
        assert!(!lookout.is_ending() && !lookout.is_over(|| true));
        lookout.clone().end();
        assert!(lookout.is_ending() && !lookout.is_over(|| true));
    }

    #[test]
    fn slices_grow_where_a_broker_is_there() {
        let mut slices = Slices::of(Duration::from_secs(3600));
        let secs: Vec<u64> = (0..6).map(|n| slices.next(n == 0).as_secs()).collect();
        assert_eq!(secs, [1, 2, 4, 8, 8, 8]);
        assert_eq!(slices.next(true), SLICE_FIRST);
        let mut none = Slices::of(Duration::ZERO);
        assert!(none.are_over() && none.next(false).is_zero());
    }
}
