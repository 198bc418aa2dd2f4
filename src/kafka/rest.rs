//! Whether parts of partitions hold any committed record.
//!
//! Between the last record and a partition's end there may be markers and what was aborted, so an end that is not
//! reached does not say that something is missing. librdkafka does, as it comes upon the end.

use std::time::{Duration, Instant};

use cdc_sdk::Result;
use rdkafka::Message as _;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::consumer::{Consumer, add};
use super::fault;
use super::group::Partition;
use super::settings::Settings;

/// One look at one partition.
const LOOK: Duration = Duration::from_millis(5);

/// A part of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which partition.
    pub partition: Partition,
    /// The first offset.
    pub from: i64,
    /// The offset behind the last.
    pub end: i64,
}

/// Which of these parts hold a committed record.
///
/// # Errors
/// [`cdc_sdk::Kind::KafkaUnreachable`] where that is not known within the settings' patience;
/// [`cdc_sdk::Kind::EventsMissing`] where an offset has vanished.
pub fn with_records(settings: &Settings, parts: Vec<Part>) -> Result<Vec<Part>> {
    if parts.is_empty() {
        return Ok(parts);
    }
    let consumer = Consumer::open(settings, |config| {
        config
            .set("group.id", "cdc.rest")
            .set("enable.partition.eof", "true")
            .set("queued.max.messages.kbytes", "64")
            .set("queued.min.messages", "1")
            .set("fetch.message.max.bytes", "65536")
            .set("fetch.wait.max.ms", "50")
            .set("fetch.error.backoff.ms", "100");
    })?;
    let mut list = TopicPartitionList::with_capacity(parts.len());
    let mut open = Vec::with_capacity(parts.len());
    for part in parts {
        let (topic, partition) = &part.partition;
        add(&mut list, topic, *partition, Offset::Offset(part.from))?;
        open.push((consumer.split(topic, *partition)?, part));
    }
    let begun = consumer.inner().assign(&list);
    begun.map_err(|cause| consumer.fault(&cause, "looking for records"))?;
    let asked = Instant::now();
    let mut found = Vec::new();
    while !open.is_empty() {
        if consumer.is_enough(asked) {
            return Err(consumer.fault_of(Code::OperationTimedOut, "looking for records"));
        }
        let mut undecided = Vec::new();
        for (queue, part) in open {
            match queue.poll(LOOK) {
                None => undecided.push((queue, part)),
                Some(Ok(message)) if message.offset() < part.end => found.push(part),
                Some(Ok(_) | Err(KafkaError::PartitionEOF(_))) => {}
                Some(Err(cause)) if fault::is_mended_by_library(fault::code_of(&cause)) => {
                    undecided.push((queue, part));
                }
                Some(Err(cause)) => return Err(consumer.fault(&cause, "looking for records")),
            }
        }
        open = undecided;
        consumer.tend()?;
    }
    Ok(found)
}
