//! A table's codec: a row change becomes one to three Kafka messages.
//!
//! The row is encoded once, straight into a buffer that is used again for every
//! row. The key is not encoded: its fields have the same bytes as the row's
//! columns, so the datum of the key is a copy of their ranges in the row just
//! written. Whether a key changed is likewise asked of the bytes: `'a'` to `'A'`
//! is a change of key, whatever the collation says, since Kafka compares bytes.
//!
//! Where the user chose the records' key (`message.key.columns`) a change of what tells
//! the row apart is a change of key, too, though the record's key may be the same.

use std::ops::Range;
use std::sync::Arc;

use cdc_sdk::{Error, Kind, Op, Result, Row, RowChange, Table};

use super::event::{FRAME, frame};
use super::form::ColumnPlan;
use super::schema::{self, Field};
use super::tail;
use crate::envelope::{Meta, Modes};

/// Buffers larger than this are given back after their row: few rows are so large.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// How one table's rows become messages.
#[derive(Debug)]
pub struct TableCodec {
    table: Arc<Table>,
    key_schema: Option<String>,
    value_schema: String,
    columns: Vec<ColumnPlan>,
    /// The columns whose places in a row are noted: those that tell events' rows apart, or else the key's.
    noted: usize,
    /// The records' key: its columns' places among the noted ones, in key order; empty: there is none.
    key: Vec<usize>,
    /// Whether the key decides about the partition. Rows without identity have one partition.
    spread: bool,
    tombstones: bool,
    key_frame: [u8; FRAME],
    value_frame: [u8; FRAME],
}

/// Buffers that every row uses again.
#[derive(Debug, Default)]
pub struct Scratch {
    value: Vec<u8>,
    /// The other envelopes of a change of key.
    part: Vec<u8>,
    key: Vec<u8>,
    old_key: Vec<u8>,
    /// Where the noted columns lie in `value`.
    ranges: Vec<Range<usize>>,
    old_ranges: Vec<Range<usize>>,
}

impl Scratch {
    /// Gives back what a large row took.
    fn settle(&mut self) {
        for buffer in [&mut self.value, &mut self.part] {
            if buffer.capacity() > KEPT_BYTES_MAX {
                *buffer = Vec::new();
            }
        }
    }
}

/// A message to be sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outgoing<'a> {
    /// The key with its frame; `None` for truncate, and for tables without identity for which none was chosen.
    pub key: Option<&'a [u8]>,
    /// The key without its frame: what the partition is chosen by; `None` where there is one partition only.
    pub key_datum: Option<&'a [u8]>,
    /// The value with its frame; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The other key of a change of key.
    pub key_note: Option<KeyNote<'a>>,
}

/// The header of an event that is half of a change of key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KeyNote<'a> {
    /// `__debezium.newkey`: on the delete, the key (with its frame) that the row has now.
    NewKey(&'a [u8]),
    /// `__debezium.oldkey`: on the create, the key that it had.
    OldKey(&'a [u8]),
}

impl TableCodec {
    /// Makes the schemas and the plan. The ids are 0 until [`TableCodec::set_ids`].
    ///
    /// # Errors
    /// [`Kind::Bug`] if the table has no JSON form.
    pub fn new(table: &Arc<Table>, modes: &Modes, topic: &str) -> Result<Self> {
        let key = table.record_key();
        let noted = table.event_key().or_else(|| key.clone()).unwrap_or_default();
        let fields = Field::all(table, modes, &noted);
        let schemas = schema::build(table, &fields, key.as_deref(), modes, topic)?;
        let place = |column: &usize| noted.iter().position(|noted| noted == column);
        Ok(Self {
            table: Arc::clone(table),
            key_schema: schemas.key,
            value_schema: schemas.value,
            columns: fields.into_iter().map(|f| f.plan).collect(),
            noted: noted.len(),
            key: key.iter().flatten().filter_map(place).collect(),
            spread: table.identity().is_some(),
            // Where rows share a key, the tombstone of one would take the others away.
            tombstones: modes.tombstones_on_delete && table.key_tells_rows(),
            key_frame: [0; FRAME],
            value_frame: [0; FRAME],
        })
    }

    /// The table.
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// The key's schema; `None` where records have no key.
    pub fn key_schema(&self) -> Option<&str> {
        self.key_schema.as_deref()
    }

    /// The value's schema.
    pub fn value_schema(&self) -> &str {
        &self.value_schema
    }

    /// What the registry numbered the schemas.
    pub fn set_ids(&mut self, key: Option<u32>, value: u32) {
        self.key_frame = frame(key.unwrap_or(0));
        self.value_frame = frame(value);
    }

    /// Turns a change into messages, in order: one for `c`, `r` and `u`; a delete
    /// and its tombstone for `d`; delete, tombstone, create where `u` changes the key.
    ///
    /// # Errors
    /// [`Kind::RowMismatch`] if the row does not have the table's columns,
    /// [`Kind::Encode`] if a value does not fit its column, and what `emit` returns.
    pub fn encode<R: Row>(
        &self,
        change: &RowChange<R>,
        meta: &Meta<'_>,
        scratch: &mut Scratch,
        emit: &mut impl FnMut(Outgoing<'_>) -> Result<()>,
    ) -> Result<()> {
        let encoded = match (change.op, &change.before, &change.after) {
            (Op::Create | Op::Read, _, Some(after)) => self.created(change.op, after, meta, scratch, emit),
            (Op::Update, Some(before), Some(after)) => self.updated(before, after, meta, scratch, emit),
            (Op::Delete, Some(before), _) => self.deleted(before, meta, scratch, emit),
            (Op::Truncate, ..) => self.encode_truncate(meta, scratch, emit),
            (op, ..) => Err(self.place(Error::new(
                Kind::Bug,
                format!("a change '{}' without the row images it needs", op.letter()),
            ))),
        };
        scratch.settle();
        encoded
    }

    /// The event of TRUNCATE: no key, no rows.
    ///
    /// # Errors
    /// What `emit` returns.
    pub fn encode_truncate(
        &self,
        meta: &Meta<'_>,
        scratch: &mut Scratch,
        emit: &mut impl FnMut(Outgoing<'_>) -> Result<()>,
    ) -> Result<()> {
        start(&mut scratch.value, &self.value_frame);
        scratch.value.extend_from_slice(&[0, 0]);
        tail::put(Op::Truncate, meta, &self.table.name, &mut scratch.value);
        emit(Outgoing { key: None, key_datum: None, value: Some(&scratch.value), key_note: None })
    }

    fn created<R: Row>(
        &self,
        op: Op,
        after: &R,
        meta: &Meta<'_>,
        scratch: &mut Scratch,
        emit: &mut impl FnMut(Outgoing<'_>) -> Result<()>,
    ) -> Result<()> {
        let Scratch { value, key, ranges, .. } = scratch;
        start(value, &self.value_frame);
        value.push(0);
        value.push(2);
        self.row(after, value, ranges)?;
        self.copy_key(value, ranges, key);
        tail::put(op, meta, &self.table.name, value);
        emit(self.keyed(key, Some(value)))
    }

    fn deleted<R: Row>(
        &self,
        before: &R,
        meta: &Meta<'_>,
        scratch: &mut Scratch,
        emit: &mut impl FnMut(Outgoing<'_>) -> Result<()>,
    ) -> Result<()> {
        let Scratch { value, key, ranges, .. } = scratch;
        start(value, &self.value_frame);
        value.push(2);
        self.row(before, value, ranges)?;
        self.copy_key(value, ranges, key);
        value.push(0);
        tail::put(Op::Delete, meta, &self.table.name, value);
        emit(self.keyed(key, Some(value)))?;
        self.tombstone(key, emit)
    }

    fn updated<R: Row>(
        &self,
        before: &R,
        after: &R,
        meta: &Meta<'_>,
        scratch: &mut Scratch,
        emit: &mut impl FnMut(Outgoing<'_>) -> Result<()>,
    ) -> Result<()> {
        let Scratch { value, key, old_key, ranges, old_ranges, .. } = scratch;
        start(value, &self.value_frame);
        value.push(2);
        self.row(before, value, old_ranges)?;
        self.copy_key(value, old_ranges, old_key);
        let middle = value.len();
        value.push(2);
        self.row(after, value, ranges)?;
        self.copy_key(value, ranges, key);
        if same(value, old_ranges, ranges) {
            tail::put(Op::Update, meta, &self.table.name, value);
            return emit(self.keyed(key, Some(value)));
        }
        self.moved(middle, meta, scratch, emit)
    }

    /// A change of key. `scratch.value` holds the frame and both rows, the second
    /// from `middle` on, each with the branch of its union.
    fn moved(
        &self,
        middle: usize,
        meta: &Meta<'_>,
        scratch: &mut Scratch,
        emit: &mut impl FnMut(Outgoing<'_>) -> Result<()>,
    ) -> Result<()> {
        let Scratch { value, part, key, old_key, .. } = scratch;
        let (before, after) = value.split_at_checked(middle).unwrap_or_default();
        part.clear();
        part.extend_from_slice(before);
        part.push(0);
        tail::put(Op::Delete, meta, &self.table.name, part);
        let note = Some(KeyNote::NewKey(key));
        emit(Outgoing { key_note: note, ..self.keyed(old_key, Some(part)) })?;
        self.tombstone(old_key, emit)?;

        start(part, &self.value_frame);
        part.push(0);
        part.extend_from_slice(after);
        tail::put(Op::Create, &meta.following(), &self.table.name, part);
        let note = Some(KeyNote::OldKey(old_key));
        emit(Outgoing { key_note: note, ..self.keyed(key, Some(part)) })
    }

    fn tombstone(&self, key: &[u8], emit: &mut impl FnMut(Outgoing<'_>) -> Result<()>) -> Result<()> {
        if self.tombstones { emit(self.keyed(key, None)) } else { Ok(()) }
    }

    fn keyed<'a>(&self, key: &'a [u8], value: Option<&'a [u8]>) -> Outgoing<'a> {
        let key = (!self.key.is_empty()).then_some(key);
        let key_datum = key.filter(|_| self.spread).and_then(|key| key.get(FRAME..));
        Outgoing { key, key_datum, value, key_note: None }
    }

    /// Appends a row's columns and notes where those lie that are asked for.
    fn row<R: Row>(&self, row: &R, out: &mut Vec<u8>, ranges: &mut Vec<Range<usize>>) -> Result<()> {
        ranges.clear();
        ranges.resize(self.noted, 0..0);
        let mut next = 0;
        row.visit(|index, value| {
            let column =
                self.columns.get(index).filter(|_| index == next).ok_or_else(|| self.misfit(index))?;
            let from = out.len();
            column.write(value, out)?;
            if let Some(range) = column.key_slot.and_then(|slot| ranges.get_mut(slot)) {
                *range = from..out.len();
            }
            next += 1;
            Ok(())
        })
        .map_err(|e| self.place(e))?;
        if next == self.columns.len() { Ok(()) } else { Err(self.place(self.misfit(next))) }
    }

    fn copy_key(&self, row: &[u8], ranges: &[Range<usize>], key: &mut Vec<u8>) {
        start(key, &self.key_frame);
        for range in self.key.iter().filter_map(|place| ranges.get(*place)) {
            key.extend_from_slice(row.get(range.clone()).unwrap_or_default());
        }
    }

    fn place(&self, error: Error) -> Error {
        error.at(format!("table {}", self.table.name))
    }

    #[cold]
    fn misfit(&self, index: usize) -> Error {
        Error::new(Kind::RowMismatch, format!("a row stands at column {index} of {}", self.columns.len()))
            .hint("the row and the table's metadata are from different times; please report it")
    }
}

/// Whether both rows of an update have the same in all noted columns: else its key has changed, or its identity.
fn same(rows: &[u8], old: &[Range<usize>], new: &[Range<usize>]) -> bool {
    old.iter().zip(new).all(|(old, new)| rows.get(old.clone()) == rows.get(new.clone()))
}

fn start(buffer: &mut Vec<u8>, frame: &[u8]) {
    buffer.clear();
    buffer.extend_from_slice(frame);
}

#[cfg(test)]
mod tests;
