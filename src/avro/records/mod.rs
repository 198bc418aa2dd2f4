//! The records that are not rows: cuts, the source's state, commands, and
//! Debezium's fixed schemas.
//!
//! They are few, so `apache_avro` writes them. Each of ours begins with a field
//! `version`, whatever the version; a reader looks at it before anything else and
//! refuses one that it does not know, so no registry is needed to read progress.

mod cut;
mod extent;
mod ids;
mod note;
mod transaction;

use std::sync::OnceLock;

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::writer::datum::GenericDatumWriter;
use apache_avro::{Schema, from_value, to_value};
use cdc_sdk::{Error, Kind, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::datum::Input;
use super::event::{frame, frame_id, unframed};

pub use cut::{GtidsOf, StoredCut, decode_cut, encode_cut};
pub use ids::{ControlIds, RecordIds};
pub use note::{
    decode_control_value, decode_key, decode_state_key, decode_state_value, encode_control_value, encode_key,
    encode_state_key, encode_state_value,
};
pub use transaction::TransactionIds;

/// Debezium's `source` block.
pub const SOURCE_SCHEMA: &str = include_str!("../../../schemas/source.avsc");
/// Debezium's `transaction` block.
pub const TRANSACTION_BLOCK_SCHEMA: &str = include_str!("../../../schemas/transaction_block.avsc");
/// Keys of Debezium's transaction topic.
pub const TRANSACTION_KEY_SCHEMA: &str = include_str!("../../../schemas/transaction_key.avsc");
/// Values of Debezium's transaction topic.
pub const TRANSACTION_VALUE_SCHEMA: &str = include_str!("../../../schemas/transaction_value.avsc");
/// Keys of Debezium's schema change topic.
pub const SCHEMA_CHANGE_KEY_SCHEMA: &str = include_str!("../../../schemas/schema_change_key.avsc");
/// Values of Debezium's schema change topic.
pub const SCHEMA_CHANGE_VALUE_SCHEMA: &str = include_str!("../../../schemas/schema_change_value.avsc");
/// Keys of Debezium's heartbeat topic.
pub const HEARTBEAT_KEY_SCHEMA: &str = include_str!("../../../schemas/heartbeat_key.avsc");
/// Values of Debezium's heartbeat topic.
pub const HEARTBEAT_VALUE_SCHEMA: &str = include_str!("../../../schemas/heartbeat_value.avsc");
/// Keys of all internal topics: a text.
pub const INTERNAL_KEY_SCHEMA: &str = include_str!("../../../schemas/internal_key.avsc");
/// Values of `prefix.cuts`.
pub const CUT_SCHEMA: &str = include_str!("../../../schemas/cut_value.avsc");
/// The same as they were before, in version 1.
const CUT_SCHEMA_1: &str = include_str!("../../../schemas/cut_value_1.avsc");
/// Values of `prefix.state`.
pub const STATE_SCHEMA: &str = include_str!("../../../schemas/state_value.avsc");
/// Values of `prefix.control`.
pub const CONTROL_SCHEMA: &str = include_str!("../../../schemas/control_value.avsc");

/// A schema of ours, parsed once.
struct Form {
    text: &'static str,
    /// What it is called in errors.
    what: &'static str,
    version: i32,
    parsed: OnceLock<Schema>,
}

impl Form {
    const fn new(text: &'static str, what: &'static str, version: i32) -> Self {
        Self { text, what, version, parsed: OnceLock::new() }
    }

    fn schema(&self) -> Result<&Schema> {
        if let Some(schema) = self.parsed.get() {
            return Ok(schema);
        }
        let schema = Schema::parse_str(self.text).map_err(|e| self.bug(e))?;
        Ok(self.parsed.get_or_init(|| schema))
    }

    fn encode(&self, record: impl Serialize, id: u32) -> Result<Vec<u8>> {
        let schema = self.schema()?;
        let value = to_value(record).and_then(|v| v.resolve(schema)).map_err(|e| self.bug(e))?;
        let writer = GenericDatumWriter::builder(schema).build().map_err(|e| self.bug(e))?;
        let datum = writer.write_value_to_vec(value).map_err(|e| self.bug(e))?;
        let mut message = frame(id).to_vec();
        message.extend_from_slice(&datum);
        Ok(message)
    }

    /// Whether a message says that it is of this version.
    fn is_of(&self, message: &[u8]) -> bool {
        let version = unframed(message).ok().and_then(|datum| Input::new(datum).long().ok());
        version == Some(i64::from(self.version))
    }

    fn decode<T: DeserializeOwned>(&self, message: &[u8]) -> Result<T> {
        frame_id(message)?;
        let datum = unframed(message)?;
        let version = Input::new(datum).long()?;
        if version != i64::from(self.version) {
            return Err(self.unknown_version(version));
        }
        let schema = self.schema()?;
        extent::pass(schema, &mut Input::new(datum)).map_err(|e| self.damaged(e))?;
        let mut rest = datum;
        let reader = GenericDatumReader::builder(schema).build().map_err(|e| self.bug(e))?;
        let value = reader.read_value(&mut rest).map_err(|e| self.damaged(e))?;
        if !rest.is_empty() {
            return Err(self.damaged(format!("{} bytes follow it", rest.len())));
        }
        from_value(&value).map_err(|e| self.damaged(e))
    }

    fn unknown_version(&self, version: i64) -> Error {
        Error::new(Kind::UnknownVersion, format!("a {} of version {version}", self.what))
            .detail(format!("this program reads version {}", self.version))
            .hint("run the version of cdc that wrote it, or a newer one")
    }

    fn damaged(&self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::new(Kind::Decode, format!("a {} cannot be read", self.what)).caused_by(cause)
    }

    fn bug(&self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::new(Kind::Bug, format!("a {} cannot be written", self.what)).caused_by(cause)
    }
}

#[cfg(test)]
mod tests;
