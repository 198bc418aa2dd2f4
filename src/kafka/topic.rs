//! Legal names of topics. Names come from records and from users; librdkafka's
//! bindings abort the process on some illegal ones, so each is checked first.

use cdc_sdk::{Error, Kind, Result};

/// Longest name of a topic, in bytes (Kafka, `Topic.MAX_NAME_LENGTH`).
const NAME_BYTES_MAX: usize = 249;

/// Refuses what Kafka would refuse as the name of a topic.
pub(super) fn check_name(topic: &str) -> Result<()> {
    let letters = topic.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if letters && !matches!(topic, "" | "." | "..") && topic.len() <= NAME_BYTES_MAX {
        return Ok(());
    }
    Err(Error::new(Kind::KafkaRefused, format!("{topic:?} cannot be the name of a topic"))
        .detail("a topic has 1 to 249 letters a–z, A–Z, 0–9, '.', '_', '-'"))
}

#[cfg(test)]
mod tests;
