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

use std::time::Duration;

use rdkafka::bindings::rd_kafka_flush;
use rdkafka::producer::{BaseProducer, Producer as _};

use crate::kafka::receipts::Receipts;

/// Holds the linger lifted for this long (whole ms), or until no record is left.
pub(super) fn lift(producer: &BaseProducer<Receipts>, time: Duration) {
    let ms = i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the producer lives for the length of the call, and any thread may make it. That time is up
    // is no error, and there is no other: whether records are left the receipts say.
    #[allow(unsafe_code)]
    unsafe {
        rd_kafka_flush(producer.client().native_ptr(), ms);
    }
}
