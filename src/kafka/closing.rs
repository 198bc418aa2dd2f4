//! Readers are closed beside the work: librdkafka joins its threads there, which takes
//! a tenth of a second, and a start goes through several readers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The longest that the end of the program waits for them.
const WAIT_MAX: Duration = Duration::from_secs(5);

const LOOK_AGAIN: Duration = Duration::from_millis(2);

static CLOSING: AtomicUsize = AtomicUsize::new(0);

/// Drops a client on a thread of its own; here, where none can be had.
pub(super) fn close<T: Send + 'static>(client: T) {
    CLOSING.fetch_add(1, Ordering::AcqRel);
    let closing = Closing(Some(client));
    // A thread that cannot be had drops the closure, and the client with it.
    let _ = std::thread::Builder::new().name("kafka-close".to_owned()).spawn(move || drop(closing));
}

struct Closing<T>(Option<T>);

impl<T> Drop for Closing<T> {
    fn drop(&mut self) {
        self.0 = None;
        CLOSING.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Waits until all are closed, for some seconds at most. For the end of the program: OpenSSL and the C
/// library tidy up there, which no thread of a client may see.
pub fn wait_until_closed() {
    let begun = Instant::now();
    while CLOSING.load(Ordering::Acquire) > 0 && begun.elapsed() < WAIT_MAX {
        std::thread::sleep(LOOK_AGAIN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_closed_is_waited_for() {
        struct Slow(std::sync::mpsc::Sender<()>);
        impl Drop for Slow {
            fn drop(&mut self) {
                std::thread::sleep(Duration::from_millis(20));
                let _ = self.0.send(());
            }
        }
        let (sender, closed) = std::sync::mpsc::channel();
        close(Slow(sender));
        assert!(closed.try_recv().is_err(), "it is closed on another thread");
        wait_until_closed();
        assert!(closed.try_recv().is_ok());
    }
}
