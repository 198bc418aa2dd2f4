//! Tables that go on in a new topic, `<topic>.v2`, then `.v3` …, since the registry forbids their new schema in the
//! old one (`[topics] on_incompatible = "new_topic"`).
//!
//! Which topic a table's events take is stored on `prefix.state` in the Kafka transaction of the first event there:
//! after a crash they take either the old one or the new one, as readers of committed records see it.
//!
//! **Nothing is applied twice.** Readers of the old topic get copies, which no cut names and which carry no
//! stamp; a sink reads what cuts name. **Order.** Between rows of two shapes lies the statement that changed
//! the table, in a cut alone (and between two schemas of one shape, by other settings, a restart): so no cut brings
//! events of a table on two topics, and a sink takes cuts in order.
//!
//! A copy is a row as the old table would have it. With the first that the old table cannot hold, or where its
//! columns cannot be had from the new ones at all, the old topic gets no more, for good: what came after would lie
//! behind a gap that nobody sees.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cdc_sdk::{ColumnType, Error, Kind, OwnedRow, OwnedValue, Result, Row, RowChange, Table, Value};
use serde::{Deserialize, Serialize};

use super::record_keys::names;
use crate::avro::TableCodec;

/// Kafka's limit on the length of a topic's name.
const NAME_MAX: usize = 249;

/// Where a table's events go, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    version: u32,
    /// The topic's number: 2 for the first beside the first.
    pub number: u32,
    /// The topic that cuts name.
    pub topic: String,
    /// Older ones that get copies.
    pub fed: Vec<Fed>,
}

/// An older topic, and the table as it was there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fed {
    /// The topic.
    pub topic: String,
    /// The table.
    pub table: Table,
}

impl Versions {
    const VERSION: u32 = 1;

    /// A table's first topic.
    pub fn first(topic: &str) -> Self {
        Self { version: Self::VERSION, number: 1, topic: topic.to_owned(), fed: Vec::new() }
    }

    /// The next topic of a table whose first one is `base`. Copies go to the one before it, where
    /// it is known what the table was.
    pub fn go_on(&mut self, base: &str, before: Option<Table>, is_taken: impl Fn(&str) -> bool) {
        let old = self.topic.clone();
        loop {
            self.number += 1;
            self.topic = name(base, self.number);
            if !is_taken(&self.topic) {
                break;
            }
        }
        self.fed.extend(before.map(|table| Fed { topic: old, table }));
    }

    /// As it is stored.
    ///
    /// # Errors
    /// [`Kind::Bug`].
    pub fn to_json(&self) -> Result<String> {
        let bug = |e| Error::new(Kind::Bug, "the topics of a table cannot be written").caused_by(e);
        serde_json::to_string(self).map_err(bug)
    }

    /// The reverse of [`Versions::to_json`]; `None` for another version.
    pub fn from_json(json: &str) -> Option<Self> {
        serde_json::from_str::<Self>(json).ok().filter(|read| read.version == Self::VERSION)
    }
}

/// `<base>.v<number>`, in the length that Kafka allows.
fn name(base: &str, number: u32) -> String {
    let behind = format!(".v{number}");
    let kept = base.len().min(NAME_MAX - behind.len());
    format!("{}{behind}", base.get(..kept).unwrap_or(base))
}

/// Whether a topic is a table's first, or one that it went on in.
pub fn is_of(base: &str, topic: &str) -> bool {
    let number = || topic.rsplit_once(".v")?.1.parse::<u32>().ok();
    topic == base || number().is_some_and(|number| number > 1 && topic == name(base, number))
}

/// How rows of a table get to a topic that it has left.
pub struct Copies {
    /// The topic.
    pub topic: Arc<str>,
    /// Its partition count.
    pub partitions: i32,
    codec: TableCodec,
    /// For each column of the new table its place in the old one.
    slots: Vec<Option<usize>>,
    ended: AtomicBool,
}

impl Copies {
    /// `None` where the old table's columns cannot be had from the new one's. The codec is the old table's.
    pub fn of(new: &Table, codec: TableCodec, topic: &str, partitions: i32) -> Option<Self> {
        let slots = slots(new, codec.table())?;
        Some(Self { topic: topic.into(), partitions, codec, slots, ended: AtomicBool::new(false) })
    }

    /// Whether rows still go there.
    pub fn go_on(&self) -> bool {
        !self.ended.load(Ordering::Relaxed)
    }

    /// No more of them.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// How the old table's rows are written.
    pub fn codec(&self) -> &TableCodec {
        &self.codec
    }

    /// A change as the old table has it.
    ///
    /// # Errors
    /// [`Kind::Encode`] where it cannot hold a value.
    pub fn project<R: Row>(&self, change: &RowChange<R>) -> Result<RowChange<OwnedRow>> {
        let row = |row: &Option<R>| row.as_ref().map(|row| self.row(row)).transpose();
        Ok(RowChange { op: change.op, before: row(&change.before)?, after: row(&change.after)? })
    }

    fn row<R: Row>(&self, row: &R) -> Result<OwnedRow> {
        let old = &self.codec.table().columns;
        let mut out = vec![OwnedValue::Plain(Value::Null); old.len()];
        row.visit(|index, value| {
            let slot = self.slots.get(index).copied().flatten();
            let Some((column, place)) = slot.and_then(|slot| Some((old.get(slot)?, out.get_mut(slot)?)))
            else {
                return Ok(());
            };
            let held = held(value, &column.ty).ok_or_else(|| {
                Error::new(Kind::Encode, format!("{value:?} in a column {} {}", column.name, column.ty.sql()))
            })?;
            *place = held.into();
            Ok(())
        })?;
        Ok(out)
    }
}

fn slots(new: &Table, old: &Table) -> Option<Vec<Option<usize>>> {
    if identity_names(new) != identity_names(old) || key_names(new) != key_names(old) {
        return None;
    }
    let mut slots = vec![None; new.columns.len()];
    for (at, column) in old.columns.iter().enumerate() {
        match new.column_index(&column.name) {
            Some(found) => {
                let becomes = new.columns.get(found).is_some_and(|new| may_become(&new.ty, &column.ty));
                *slots.get_mut(found).filter(|_| becomes)? = Some(at);
            }
            None if column.nullable => {}
            None => return None,
        }
    }
    Some(slots)
}

/// What says which row is meant, by name: with another key a copy would meet another row.
fn identity_names(table: &Table) -> Option<Vec<String>> {
    table.identity().map(|columns| names(table, &columns))
}

/// The names of the records' key.
fn key_names(table: &Table) -> Option<Vec<String>> {
    table.record_key().map(|columns| names(table, &columns))
}

/// Whether values of a type may be values of another as they are. Of integers each is looked at.
fn may_become(new: &ColumnType, old: &ColumnType) -> bool {
    use ColumnType as T;
    match (new, old) {
        (T::Integer { .. }, T::Integer { .. })
        | (
            T::Char { .. } | T::Varchar { .. } | T::Text { .. },
            T::Char { .. } | T::Varchar { .. } | T::Text { .. },
        )
        | (T::Varbinary { .. } | T::Blob { .. }, T::Varbinary { .. } | T::Blob { .. }) => true,
        (T::Time { fsp: new }, T::Time { fsp: old })
        | (T::Datetime { fsp: new }, T::Datetime { fsp: old })
        | (T::Timestamp { fsp: new }, T::Timestamp { fsp: old }) => new <= old,
        // A number stands for the same member.
        (T::Enum { members: new }, T::Enum { members: old })
        | (T::Set { members: new }, T::Set { members: old }) => new.starts_with(old) || old.starts_with(new),
        (new, old) => new == old,
    }
}

/// The value as a type holds it; `None` where it cannot.
fn held<'v>(value: Value<'v>, ty: &ColumnType) -> Option<Value<'v>> {
    let number = match (value, ty) {
        (Value::Int(number), ColumnType::Integer { .. }) => i128::from(number),
        (Value::UInt(number), ColumnType::Integer { .. }) => i128::from(number),
        _ => return Some(value),
    };
    let ColumnType::Integer { width, unsigned } = *ty else { return Some(value) };
    if !width.range(unsigned).contains(&number) {
        return None;
    }
    match unsigned {
        true => u64::try_from(number).ok().map(Value::UInt),
        false => i64::try_from(number).ok().map(Value::Int),
    }
}

#[cfg(test)]
mod tests;
