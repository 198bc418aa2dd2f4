//! Records of Debezium's transaction topic.

use std::collections::BTreeMap;

use cdc_sdk::Result;

use super::{TRANSACTION_KEY_SCHEMA, TRANSACTION_VALUE_SCHEMA};
use crate::avro::Registry;
use crate::avro::datum::{put_bytes, put_length, put_long};
use crate::avro::event::frame;

/// What the registry numbered their schemas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransactionIds {
    key: u32,
    value: u32,
}

impl TransactionIds {
    /// Registers them under the subjects of the topic.
    ///
    /// # Errors
    /// What [`Registry::register`] returns.
    pub async fn register(registry: &Registry, topic: &str) -> Result<Self> {
        Ok(Self {
            key: registry.register(&format!("{topic}-key"), TRANSACTION_KEY_SCHEMA.trim()).await?,
            value: registry.register(&format!("{topic}-value"), TRANSACTION_VALUE_SCHEMA.trim()).await?,
        })
    }

    /// The key of both records of a transaction.
    pub fn key(&self, transaction: &str) -> Vec<u8> {
        let mut out = frame(self.key).to_vec();
        put_bytes(&mut out, transaction.as_bytes());
        out
    }

    /// It begins.
    pub fn begin(&self, transaction: &str, ts_ms: i64) -> Vec<u8> {
        let mut out = frame(self.value).to_vec();
        put_bytes(&mut out, b"BEGIN");
        put_bytes(&mut out, transaction.as_bytes());
        out.extend_from_slice(&[0, 0]);
        put_long(&mut out, ts_ms);
        out
    }

    /// It ends, with so many events of each table.
    pub fn end(&self, transaction: &str, events: &BTreeMap<String, u64>, ts_ms: i64) -> Vec<u8> {
        let mut out = frame(self.value).to_vec();
        put_bytes(&mut out, b"END");
        put_bytes(&mut out, transaction.as_bytes());
        out.push(2);
        put_long(&mut out, events.values().sum::<u64>().cast_signed());
        out.push(2);
        put_length(&mut out, events.len());
        for (table, count) in events {
            out.push(2);
            put_bytes(&mut out, table.as_bytes());
            put_long(&mut out, count.cast_signed());
        }
        out.push(0);
        put_long(&mut out, ts_ms);
        out
    }
}
