//! The shapes of tables, kept so that the same TABLE_MAP again costs a comparison.
//!
//! The server writes a TABLE_MAP before each statement's rows, mostly the same
//! bytes as before. They are compared as a whole; only other bytes are read. Bounded:
//! numbers of tables change whenever the server opens a table anew, so what is kept
//! by number is dropped by halves, and what is kept by name is the captured tables'.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cdc_sdk::{Error, Kind, Result, Table, TableName};

use super::assemble::Setting;
use super::event::table_map::TableMap;
use super::reader::Malformed;
use super::shape::{self, Drawn, Shape};
use super::{Enriched, Met};
use crate::ddl::{Effect, NewDefault};
use crate::decode::Extent;

/// Numbers kept in each half.
const HALF_MAX: usize = 8192;

/// What a TABLE_MAP says, read once.
#[derive(Debug)]
pub(crate) struct Mapped {
    /// The TABLE_MAP without the table's number.
    raw: Box<[u8]>,
    /// The table.
    pub name: TableName,
    /// Where each column takes its bytes.
    pub extents: Vec<Extent>,
    /// How many columns are JSON.
    pub json: usize,
    /// How its rows are read; `None` if it is not captured.
    pub shape: Option<Arc<Shape>>,
    /// Of rows after this second the catalogue is to be asked again.
    good_until: Option<u32>,
    /// Whether rows of its shape were handed on. A TABLE_MAP alone tells nobody: a statement over several tables writes
    /// one for each, also where it changes no row.
    pub rows_seen: AtomicBool,
}

impl Mapped {
    /// Whether it is this TABLE_MAP of rows of that second.
    fn is(&self, raw: &[u8], at: u32) -> bool {
        *self.raw == *raw && self.good_until.is_none_or(|last| at <= last)
    }
}

/// A captured table not seen in this shape before: the catalogue is to be asked.
#[derive(Debug)]
pub(crate) struct Unknown {
    id: u64,
    mapped: Mapped,
    /// The table as the log tells it.
    pub table: Table,
    /// How it was met.
    pub met: Met,
    layouts: Vec<crate::decode::Layout>,
}

/// A captured table as last seen.
#[derive(Debug)]
struct Known {
    mapped: Arc<Mapped>,
    shape: Arc<Shape>,
    /// A statement has changed it since: the catalogue must be asked again.
    stale: bool,
}

impl Known {
    fn rows_seen(&self) -> bool {
        self.mapped.rows_seen.load(Ordering::Relaxed)
    }
}

/// What is known of the tables in the log.
#[derive(Debug, Default)]
pub(crate) struct Shapes {
    recent: HashMap<u64, Arc<Mapped>>,
    older: HashMap<u64, Arc<Mapped>>,
    known: HashMap<TableName, Known>,
    /// When the last statement began that changed a table.
    changed: HashMap<TableName, u32>,
}

impl Shapes {
    /// The table of this number.
    pub fn get(&self, id: u64) -> Option<&Arc<Mapped>> {
        self.recent.get(&id).or_else(|| self.older.get(&id))
    }

    /// Takes a TABLE_MAP of that second. Answers with what the catalogue must be asked about.
    ///
    /// # Errors
    /// Those of [`shape::draw`]; [`Kind::BinlogCorrupt`] without a place.
    pub fn map(&mut self, body: &[u8], at: u32, setting: &Setting) -> Result<Option<Unknown>> {
        let (id, raw) = TableMap::split(body).map_err(corrupt)?;
        if let Some(mapped) = self.get(id).filter(|mapped| mapped.is(raw, at)) {
            if !self.recent.contains_key(&id) {
                let mapped = mapped.clone();
                self.keep(id, mapped);
            }
            return Ok(None);
        }
        let map = TableMap::read(raw).map_err(corrupt)?;
        let same = self.known.get(&map.name).filter(|k| !k.stale && k.mapped.is(raw, at));
        if let Some(known) = same {
            let mapped = known.mapped.clone();
            self.keep(id, mapped);
            return Ok(None);
        }
        let extents = map.columns.iter().map(|column| shape::extent(column.kind)).collect();
        let json = map.columns.iter().filter(|column| column.kind.is_json()).count();
        let selected = setting.selection.selects(&map.name);
        let mapped = Mapped {
            raw: raw.into(),
            name: map.name.clone(),
            extents,
            json,
            shape: None,
            good_until: None,
            rows_seen: AtomicBool::new(false),
        };
        if !selected {
            self.keep(id, Arc::new(mapped));
            return Ok(None);
        }
        let Drawn { table, layouts } = shape::draw(&map, &setting.collations, setting.mark_json)?;
        let met = Met {
            at,
            changed_at: self.changed.get(&table.name).copied(),
            before: self.known.get(&table.name).map(|known| Arc::clone(&known.shape.table)),
        };
        Ok(Some(Unknown { id, mapped, table, met, layouts }))
    }

    /// Takes what the catalogue answered.
    pub fn learn(&mut self, unknown: Unknown, answer: Enriched) {
        let Unknown { id, mut mapped, table, layouts, .. } = unknown;
        mapped.good_until = answer.changed_later;
        let table = if fits(&answer.table, &table) {
            answer.table
        } else {
            tracing::debug!(table = %table.name, "the catalogue shows another shape than the log; the log's is used");
            table
        };
        let (shape_id, table) = crate::shape::intern(table);
        let known =
            self.known.get(&table.name).filter(|k| k.shape.id == shape_id && k.shape.layouts == layouts);
        mapped.rows_seen = AtomicBool::new(known.is_some_and(Known::rows_seen));
        let same = known.map(|known| known.shape.clone());
        let shape = same.unwrap_or_else(|| Arc::new(Shape { id: shape_id, table, layouts }));
        mapped.shape = Some(shape.clone());
        let mapped = Arc::new(mapped);
        let name = mapped.name.clone();
        self.known.insert(name, Known { mapped: mapped.clone(), shape, stale: false });
        self.keep(id, mapped);
    }

    /// What a changed default means: nothing, where the catalogue was asked about the column before the statement and rows
    /// went on with what it said, so that downstream existing rows got what they have here. Otherwise the default that they got is not to be had any more.
    pub fn settled(&self, effects: Vec<Effect>) -> Vec<Effect> {
        const WHY: &str =
            "what existing rows got in a column when it was added is not in the catalogue any more";
        let settle = |effect| match effect {
            Effect::Default { table, name, now } => {
                (!self.was_told_before(&table, &name, now)).then_some(Effect::Rewrite { table, why: WHY })
            }
            other => Some(other),
        };
        effects.into_iter().filter_map(settle).collect()
    }

    fn was_told_before(&self, table: &TableName, column: &str, now: NewDefault) -> bool {
        let Some(known) = self.known.get(table).filter(|known| known.rows_seen()) else { return false };
        let table = &known.shape.table;
        let column = table.column_index(column).and_then(|index| table.columns.get(index));
        column.is_some_and(|column| now.differs(&column.ty, column.extra.default.as_deref()))
    }

    /// The tables of a database that have been seen.
    pub fn in_database(&self, database: &str) -> Vec<TableName> {
        self.known.keys().filter(|name| name.database == database).cloned().collect()
    }

    /// A statement that began at that second has changed a table.
    pub fn changed(&mut self, name: &TableName, at: u32) {
        self.changed.insert(name.clone(), at);
    }

    /// A table may have changed: the catalogue is asked again at its next TABLE_MAP.
    pub fn forget(&mut self, name: &TableName) {
        if let Some(known) = self.known.get_mut(name) {
            known.stale = true;
        }
        self.recent.retain(|_, mapped| mapped.name != *name);
        self.older.retain(|_, mapped| mapped.name != *name);
    }

    fn keep(&mut self, id: u64, mapped: Arc<Mapped>) {
        if self.recent.len() >= HALF_MAX {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(id, mapped);
    }
}

/// Whether the catalogue's table has the columns of the log's. It may be newer.
fn fits(answer: &Table, table: &Table) -> bool {
    answer.name == table.name
        && answer.columns.len() == table.columns.len()
        && answer.columns.iter().zip(&table.columns).all(|(a, b)| a.name == b.name && a.ty == b.ty)
}

fn corrupt(why: Malformed) -> Error {
    Error::new(Kind::BinlogCorrupt, format!("a TABLE_MAP event cannot be read: {}", why.0))
}
