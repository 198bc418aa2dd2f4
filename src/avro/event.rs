//! A change event as it was read, and its rows where they lie in the message.

use std::sync::Arc;

use bytes::Bytes;
use cdc_sdk::{Op, Result, Row, Table, Value};

use super::datum::{Input, malformed};
use super::plan::Plan;

/// A change event.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// What happened.
    pub op: Op,
    /// The row before it.
    pub before: Option<AvroRow>,
    /// The row after it.
    pub after: Option<AvroRow>,
    /// When the source committed it, µs since 1970.
    pub source_ts_us: i64,
}

/// A row as it lies in a message. It shares the message's memory.
#[derive(Clone, Debug)]
pub struct AvroRow {
    bytes: Bytes,
    plan: Arc<Plan>,
}

/// Bytes before a datum: 0 and the schema's id.
pub(super) const FRAME: usize = 5;

/// What goes before a datum.
pub(super) fn frame(id: u32) -> [u8; FRAME] {
    let [a, b, c, d] = id.to_be_bytes();
    [0, a, b, c, d]
}

/// The schema id in front of a key or value.
///
/// # Errors
/// [`cdc_sdk::Kind::Decode`] if the message is too short or does not begin with 0.
pub fn frame_id(message: &[u8]) -> Result<u32> {
    match message {
        [0, a, b, c, d, ..] => Ok(u32::from_be_bytes([*a, *b, *c, *d])),
        [0, ..] | [] => Err(malformed("a message is shorter than its frame")),
        [b'{', ..] => Err(malformed("a message is JSON, not Avro in Confluent's framing").hint(
            "where the topic is none of a table, as Debezium's schema history: leave it out (exclude_topics)",
        )),
        [first, ..] => Err(malformed(format!("a message begins with {first:#04x} instead of 0"))
            .hint("Confluent's framing is a zero byte, the schema's id in four bytes, then the datum")),
    }
}

/// What follows the frame.
pub(super) fn unframed(message: &[u8]) -> Result<&[u8]> {
    frame_id(message)?;
    Ok(message.get(FRAME..).unwrap_or_default())
}

impl Decoded {
    /// Whether it has the rows that its op needs.
    pub(super) fn is_whole(&self) -> bool {
        match self.op {
            Op::Create | Op::Read => self.after.is_some(),
            Op::Update => self.after.is_some(),
            Op::Delete => self.before.is_some(),
            Op::Truncate => true,
        }
    }
}

impl AvroRow {
    pub(super) fn new(bytes: Bytes, plan: Arc<Plan>) -> Self {
        Self { bytes, plan }
    }

    /// The table whose row it is.
    pub fn table(&self) -> &Arc<Table> {
        self.plan.table()
    }

    /// The row as it lies in its message.
    pub(super) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Bytes of the row in its message.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
}

impl Row for AvroRow {
    fn visit<F>(&self, mut f: F) -> Result<()>
    where
        F: FnMut(usize, Value<'_>) -> Result<()>,
    {
        let mut input = Input::new(&self.bytes);
        let mut scratch = Vec::new();
        for (index, column) in self.plan.columns.iter().enumerate() {
            let value = column.read(&mut input, &mut scratch);
            f(index, value.map_err(|e| e.at(format!("table {}", self.plan.table().name)))?)?;
        }
        Ok(())
    }

    fn rank(&self, column: usize) -> Result<Option<u64>> {
        let mut input = Input::new(&self.bytes);
        let mut scratch = Vec::new();
        let mut found = None;
        for reader in self.plan.columns.iter().take(column + 1) {
            let value = reader.read(&mut input, &mut scratch);
            found = value.map_err(|e| e.at(format!("table {}", self.plan.table().name)))?.rank();
        }
        Ok(found)
    }
}
