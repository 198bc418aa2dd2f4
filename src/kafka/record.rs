//! A record as it was read, and how its headers are read safely.

use std::panic::{AssertUnwindSafe, catch_unwind};

use cdc_sdk::{Error, Kind, Result};
use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Headers as _};

use super::stamp::Stamp;

/// A committed record of a topic with one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its offset.
    pub offset: i64,
    /// Its time, ms since 1970; 0 where it has none.
    pub timestamp_ms: i64,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Its headers: names and values.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Record {
    pub(super) fn read(message: &BorrowedMessage<'_>) -> Result<Self> {
        Ok(Self {
            offset: message.offset(),
            timestamp_ms: timestamp_ms(message),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers(message)?,
        })
    }
}

pub(super) fn timestamp_ms(message: &BorrowedMessage<'_>) -> i64 {
    message.timestamp().to_millis().unwrap_or(0)
}

/// The stamp among a message's headers.
pub(super) fn stamp(message: &BorrowedMessage<'_>) -> Result<Option<Stamp>> {
    let Some(headers) = message.headers() else { return Ok(None) };
    guarded(message, || Stamp::decode(headers.iter().map(|h| (h.key, h.value))))?
        .map_err(|error| error.at(place(message)))
}

fn headers(message: &BorrowedMessage<'_>) -> Result<Vec<(String, Vec<u8>)>> {
    let Some(headers) = message.headers() else { return Ok(Vec::new()) };
    guarded(message, || {
        headers.iter().map(|h| (h.key.to_owned(), h.value.unwrap_or_default().to_vec())).collect()
    })
}

/// rdkafka panics on a header whose name is not UTF-8 (`BorrowedHeaders::try_get`),
/// which any producer can write. Here that is an error about the record.
fn guarded<T>(message: &BorrowedMessage<'_>, read: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(read))
        .map_err(|_| Error::new(Kind::Decode, format!("{}: a header's name is not UTF-8", place(message))))
}

fn place(message: &BorrowedMessage<'_>) -> String {
    format!("{}/{} offset {}", message.topic(), message.partition(), message.offset())
}
