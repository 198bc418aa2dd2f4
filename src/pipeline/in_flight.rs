//! What is gathered and not applied yet, in bytes.
//!
//! Batches are few and small, but a cut is never divided, and one with a large row is as large as
//! that row. So before the events of a batch are read it must have room beside those before
//! it, or be the only one.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::observe::Stop;

/// Between two looks whether to stop.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Room for batches.
pub struct InFlight {
    taken: Arc<Taken>,
    limit_bytes: u64,
}

#[derive(Default)]
struct Taken {
    bytes: Mutex<u64>,
    less: Condvar,
}

/// A batch's room, given back when this is dropped.
pub struct Room {
    taken: Arc<Taken>,
    bytes: u64,
}

impl InFlight {
    /// Room for so many bytes.
    pub fn new(limit_bytes: u64) -> Self {
        Self { taken: Arc::default(), limit_bytes }
    }

    /// Whether a batch leaves no room for another of its size.
    pub fn is_large(&self, bytes: u64) -> bool {
        bytes > self.limit_bytes / 2
    }

    /// Waits until there is room; `None` where it was stopped before.
    pub fn enter(&self, bytes: u64, stop: &Stop) -> Option<Room> {
        let mut taken = self.taken.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        while *taken > 0 && taken.saturating_add(bytes) > self.limit_bytes {
            if stop.requested() {
                return None;
            }
            let woken = self.taken.less.wait_timeout(taken, LOOK_AGAIN);
            taken = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        *taken += bytes;
        Some(Room { taken: Arc::clone(&self.taken), bytes })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut taken = self.taken.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        *taken = taken.saturating_sub(self.bytes);
        self.taken.less.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_over_the_limit_goes_alone() {
        let (room, stop) = (InFlight::new(100), Stop::default());
        let small = room.enter(60, &stop).unwrap();
        let beside = room.enter(40, &stop).unwrap();
        let stopped = Stop::default();
        stopped.request();
        assert!(room.enter(1, &stopped).is_none());
        drop(small);
        let next = room.enter(60, &stop).unwrap();
        assert!(room.enter(1000, &stopped).is_none());
        drop((beside, next));
        let large = room.enter(1000, &stopped).unwrap();
        assert!(room.enter(1, &stopped).is_none());
        drop(large);
        assert!(room.enter(1, &stopped).is_some());
    }

    #[test]
    fn who_waits_is_woken() {
        let (room, stop) = (Arc::new(InFlight::new(10)), Stop::default());
        let first = room.enter(10, &stop).unwrap();
        let waiter = std::thread::spawn({
            let room = Arc::clone(&room);
            move || room.enter(10, &Stop::default()).is_some()
        });
        drop(first);
        assert!(waiter.join().unwrap());
    }
}
