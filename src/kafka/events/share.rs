//! What a live partition may take of the budget.

use crate::kafka::settings::BATCH_BYTES;

/// How long a fetch request waits at the broker where nothing is new, ms.
const FETCH_WAIT_MS: u32 = 10;

/// Bytes of the smallest queue.
const QUEUE_BYTES_MIN: usize = 64 << 10;

const TOPICS_PER_LIVE: usize = 16;

/// What of the budget a live partition gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    /// Bytes in its queue at which fetching stops.
    queue_bytes: usize,
    /// Bytes of it in one response, compressed.
    fetch_bytes: usize,
    /// Bytes in one response.
    response_bytes: usize,
    /// Partitions that are fetched at a time.
    pub(super) live_max: usize,
}

impl Share {
    pub(super) fn wide(budget_bytes: usize) -> Self {
        Self::of(budget_bytes, (budget_bytes / 128).clamp(QUEUE_BYTES_MIN, 1 << 20))
    }

    pub(super) fn narrow(budget_bytes: usize) -> Self {
        Self::of(budget_bytes, QUEUE_BYTES_MIN)
    }

    fn of(budget_bytes: usize, queue_bytes: usize) -> Self {
        // The queue, what a response adds to it (eight times its compressed size) and the batch
        // that passes its limit; and librdkafka keeps about 300 bytes beside each record, which
        // is as much again where rows are small.
        let cost_bytes = 2 * (2 * queue_bytes + BATCH_BYTES);
        Self {
            queue_bytes,
            fetch_bytes: queue_bytes / 8,
            response_bytes: (budget_bytes / 16).clamp(1 << 20, 48 << 20),
            live_max: (budget_bytes / cost_bytes).clamp(4, 4096),
        }
    }

    /// Topics that a client may have met, so many for each partition that it fetches at a time.
    pub(super) fn topics_max(self) -> usize {
        self.live_max * TOPICS_PER_LIVE
    }

    pub(super) fn configure(self, config: &mut rdkafka::ClientConfig) {
        let kbytes = (self.queue_bytes >> 10).max(1);
        config
            .set("queued.max.messages.kbytes", kbytes.to_string())
            // What librdkafka keeps beside a small record outweighs it.
            .set("queued.min.messages", (self.queue_bytes / 256).to_string())
            .set("fetch.message.max.bytes", self.fetch_bytes.to_string())
            .set("fetch.max.bytes", self.response_bytes.to_string())
            .set("fetch.wait.max.ms", FETCH_WAIT_MS.to_string())
            // A partition whose queue was full is looked at again after this.
            .set("fetch.queue.backoff.ms", "2")
            .set("fetch.error.backoff.ms", "100")
            .set("enable.partition.eof", "false");
    }
}

#[cfg(test)]
mod tests;
