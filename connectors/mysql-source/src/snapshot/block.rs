//! The rows of a chunk in memory, with their keys.

use std::collections::{HashMap, HashSet};

use cdc_sdk::{Column, Error, Kind, OwnedValue, Result, Table, TableName, Value};
use mysql_async::Row as Answer;

use super::cell::Reading;
use super::packed::{ChunkRow, pack};
use super::query::JsonKinds;
use crate::decode::RowImage;

/// How the rows of a table are read.
#[derive(Clone, Debug)]
pub(crate) struct RowReading {
    table: TableName,
    columns: Vec<(String, Reading)>,
    /// What was asked for beside the columns.
    pub kinds: JsonKinds,
    /// Cells in an answer.
    cells: usize,
}

impl RowReading {
    /// For this table.
    ///
    /// # Errors
    /// [`Kind::TypeUnsupported`]: a character set that cannot be read.
    pub fn of(table: &Table, kinds: JsonKinds) -> Result<Self> {
        let mut cells = table.columns.len();
        let reading = |column: &Column| {
            let cell = kinds.are_asked(column).then_some(cells);
            cells += usize::from(cell.is_some());
            let reading = Reading::of(column, cell).ok_or_else(|| unreadable(&table.name, column))?;
            Ok((column.name.clone(), reading))
        };
        let columns = table.columns.iter().map(reading).collect::<Result<_>>()?;
        Ok(Self { table: table.name.clone(), columns, kinds, cells })
    }

    fn mismatch(&self, what: &str) -> Error {
        let what = format!("{}: the answer to the snapshot's SELECT does not fit {what}", self.table);
        Error::new(Kind::RowMismatch, what).hint(
            "was the table altered just now? it is read again; else a text is not valid in its character set",
        )
    }
}

fn unreadable(table: &TableName, column: &Column) -> Error {
    let charset = column.charset.as_deref().unwrap_or_default();
    Error::new(
        Kind::TypeUnsupported,
        format!("column {} of {table} has the character set {charset}, which is not supported", column.name),
    )
    .hint("leave the table out: [capture] exclude")
}

/// Rows one behind the other in one piece of memory.
#[derive(Debug, Default)]
pub(crate) struct Block {
    bytes: Vec<u8>,
    /// Where each row ends.
    ends: Vec<usize>,
    /// The key's columns, in key order; empty for tables without identity.
    identity: Vec<usize>,
    /// The row of each key. They are only looked for where the stream touches the table.
    keys: HashMap<Box<[u8]>, usize>,
    /// How many rows are among those.
    indexed: usize,
    /// Rows that the stream touched.
    dropped: HashSet<usize>,
    last: Option<Answer>,
    scratch: Vec<u8>,
}

impl Block {
    /// Without rows. `identity` names the key's columns in key order.
    pub fn new(identity: &[usize]) -> Self {
        Self { identity: identity.to_vec(), ..Self::default() }
    }

    /// Packs a row of the server's answer.
    ///
    /// # Errors
    /// [`Kind::RowMismatch`]: a value that does not fit its column.
    pub fn push(&mut self, reading: &RowReading, row: Answer) -> Result<()> {
        if row.len() != reading.cells {
            return Err(reading.mismatch("the number of columns"));
        }
        for (index, (name, column)) in reading.columns.iter().enumerate() {
            if row.as_ref(index).is_some_and(|cell| column.is_left_out(cell)) {
                return Err(self.left_out(reading, name, &row));
            }
            let value = column.value(&row, index, &mut self.scratch);
            pack(&mut self.bytes, value.ok_or_else(|| reading.mismatch(&format!("column {name}")))?);
        }
        self.ends.push(self.bytes.len());
        self.last = Some(row);
        Ok(())
    }

    /// A document came without its text.
    fn left_out(&self, reading: &RowReading, column: &str, row: &Answer) -> Error {
        let part = |&index: &usize| {
            let (name, part) = reading.columns.get(index)?;
            Some(format!("{name} = {:?}", part.raw(row.as_ref(index)?)?))
        };
        let key: Vec<String> = self.identity.iter().filter_map(part).collect();
        let which = match key.is_empty() {
            true => format!("row {} of those read together; the table has no key", self.rows_read() + 1),
            false => key.join(", "),
        };
        Error::new(
            Kind::Unfit,
            format!("{}: the text of a document in {column} is larger than the server's max_allowed_packet, so it sends none", reading.table),
        )
        .detail(which)
        .hint("SET GLOBAL max_allowed_packet = 1073741824, then start again")
    }

    /// The key of the last row, text in the bytes of the column; `None` without rows.
    pub fn last_key(&self, reading: &RowReading) -> Option<Vec<OwnedValue>> {
        let row = self.last.as_ref()?;
        let value =
            |&index: &usize| reading.columns.get(index)?.1.raw(row.as_ref(index)?).map(OwnedValue::from);
        self.identity.iter().map(value).collect()
    }

    /// Rows, dropped ones too.
    pub fn rows_read(&self) -> usize {
        self.ends.len()
    }

    /// Rows that are left.
    pub fn len(&self) -> usize {
        self.ends.len() - self.dropped.len()
    }

    /// Bytes of the rows.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Drops the row of this key, if there is one.
    pub fn drop_key(&mut self, key: &[u8]) {
        self.index();
        if let Some(&row) = self.keys.get(key) {
            self.dropped.insert(row);
        }
    }

    fn index(&mut self) {
        let mut key = Vec::new();
        for row in std::mem::replace(&mut self.indexed, self.ends.len())..self.ends.len() {
            key.clear();
            // One without its key columns does not read back: that is said when it is handed on.
            let found = self.row(row).and_then(|values| values.key(&self.identity, &mut key));
            if found.is_some() && !key.is_empty() {
                self.keys.insert(key.as_slice().into(), row);
            }
        }
    }

    /// The rows that are left, in the order in which they were read.
    pub fn rows(&self) -> impl Iterator<Item = ChunkRow<'_>> {
        (0..self.ends.len()).filter(|row| !self.dropped.contains(row)).filter_map(|row| self.row(row))
    }

    fn row(&self, row: usize) -> Option<ChunkRow<'_>> {
        let start = match row.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.bytes.get(start..*self.ends.get(row)?).map(ChunkRow::new)
    }
}

/// Makes keys out of rows, in the form in which a [`Block`] holds them.
#[derive(Debug)]
pub(crate) struct KeyMaker {
    /// Columns in key order.
    columns: Vec<usize>,
    parts: Vec<Vec<u8>>,
    key: Vec<u8>,
}

impl KeyMaker {
    /// For the columns of these names; `None` where the table lacks one.
    pub fn new(table: &Table, names: &[String]) -> Option<Self> {
        let columns: Option<Vec<usize>> = names.iter().map(|name| table.column_index(name)).collect();
        let columns = columns?;
        Some(Self { parts: vec![Vec::new(); columns.len()], key: Vec::new(), columns })
    }

    /// The row's key; valid until the next call.
    ///
    /// # Errors
    /// Those of the row; [`Kind::RowMismatch`] where it lacks a column of the key.
    pub fn key(&mut self, row: &RowImage<'_>) -> Result<&[u8]> {
        let (columns, parts) = (&self.columns, &mut self.parts);
        parts.iter_mut().for_each(Vec::clear);
        row.visit_some(
            |index| columns.contains(&index),
            |index, value: Value<'_>| {
                let part = columns.iter().position(|&c| c == index).and_then(|at| parts.get_mut(at));
                part.into_iter().for_each(|part| pack(part, value));
                Ok(())
            },
        )?;
        if self.parts.iter().any(Vec::is_empty) {
            return Err(Error::new(Kind::RowMismatch, "a row image lacks a column of its key")
                .hint("SET GLOBAL binlog_row_image = 'FULL'"));
        }
        self.key.clear();
        self.parts.iter().for_each(|part| self.key.extend_from_slice(part));
        Ok(&self.key)
    }
}
