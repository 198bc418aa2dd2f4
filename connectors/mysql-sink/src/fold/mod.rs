//! Fold: several changes of one key become one net change.
//!
//! Right because a batch ends with whole cuts: nobody at the destination ever
//! sees the states between, so of each key only two things matter: what it was
//! before the batch (which decides about unique values that become free) and
//! what it is after it. The net change has the effect of its changes one by
//! one: `fold/tests.rs` holds that against a model.
//!
//! A key that is inserted and deleted within the batch is still deleted: in a
//! replay the row may be there already, and a delete of nothing is harmless.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use cdc_sdk::{Error, Kind, Op, Result, Table};
use foldhash::fast;

use crate::batch::Change;

/// The changes of a batch, folded.
#[derive(Debug)]
pub(crate) struct Folded<'a, R> {
    /// Tables in the order in which the batch first names them.
    pub tables: Vec<TableChanges<'a, R>>,
}

/// What a batch does to one table.
#[derive(Debug)]
pub(crate) struct TableChanges<'a, R> {
    /// The source's table, in each of the schemas that the batch's rows were written with.
    pub schemas: Vec<&'a Arc<Table>>,
    /// Net changes of rows with a key.
    pub keyed: Vec<Net<'a, R>>,
    /// Changes of rows without one, in order.
    pub keyless: Vec<&'a Change<R>>,
}

/// What a key was before the batch.
#[derive(Debug)]
pub(crate) enum Before<'a, R> {
    /// Nothing is known: a snapshot read it, or the event has no old image.
    Unknown,
    /// It was not there.
    Absent,
    /// It was this row.
    Row(&'a R),
}

/// The net change of one key.
#[derive(Debug)]
pub(crate) struct Net<'a, R> {
    /// The first of its changes, which names table and key.
    pub change: &'a Change<R>,
    /// What it was before.
    pub before: Before<'a, R>,
    /// What it is after; `None`: gone.
    pub after: Option<&'a R>,
    /// Some image of the row, which holds the key's values: `after` where there is one.
    pub image: &'a R,
    /// Which of the table's schemas `image` has.
    pub schema: usize,
    /// Whether all images of the key have that schema.
    pub one_schema: bool,
    /// Whether the last change is a row read by a snapshot, which is the truth whatever stands at the destination.
    pub read: bool,
}

/// Folds the changes of a batch.
///
/// # Errors
/// [`Kind::RowMismatch`]: a change lacks the image that its kind must have.
/// [`Kind::Bug`]: a TRUNCATE among other changes.
pub(crate) fn fold<'a, R: 'a>(changes: impl IntoIterator<Item = &'a Change<R>>) -> Result<Folded<'a, R>> {
    let changes = changes.into_iter();
    let mut tables: Vec<TableChanges<'_, R>> = Vec::new();
    let mut places: HashMap<*const Table, (usize, usize), fast::RandomState> = HashMap::default();
    let most = changes.size_hint().1.unwrap_or(0);
    let hasher = fast::RandomState::default();
    let mut keys: HashMap<(usize, &Bytes), usize, _> = HashMap::with_capacity_and_hasher(most, hasher);
    for change in changes {
        if change.op == Op::Truncate {
            return Err(Error::new(
                Kind::Bug,
                format!("TRUNCATE of {} among other changes", change.table.name),
            ));
        }
        let (at, schema) =
            *places.entry(Arc::as_ptr(&change.table)).or_insert_with(|| place(&mut tables, &change.table));
        let Some(table) = tables.get_mut(at) else { continue };
        let Some(key) = &change.key else {
            table.keyless.push(change);
            continue;
        };
        let next = table.keyed.len();
        let slot = *keys.entry((at, key)).or_insert(next);
        match table.keyed.get_mut(slot) {
            Some(net) => net.then(change, schema)?,
            None => table.keyed.push(Net::first(change, schema)?),
        }
    }
    Ok(Folded { tables })
}

/// The entry of a schema seen for the first time: its table's, and its number there.
fn place<'a, R>(tables: &mut Vec<TableChanges<'a, R>>, table: &'a Arc<Table>) -> (usize, usize) {
    let same = |t: &TableChanges<'_, R>| t.schemas.iter().any(|s| s.name == table.name);
    let at = tables.iter().position(same).unwrap_or_else(|| {
        tables.push(TableChanges { schemas: Vec::new(), keyed: Vec::new(), keyless: Vec::new() });
        tables.len() - 1
    });
    let schemas = tables.get_mut(at).map(|t| &mut t.schemas);
    (
        at,
        schemas.map_or(0, |s| {
            s.push(table);
            s.len() - 1
        }),
    )
}

impl<'a, R> Folded<'a, R> {
    /// The schemas of all tables, one table's after the other's.
    pub fn schemas(&self) -> Vec<&'a Arc<Table>> {
        self.tables.iter().flat_map(|table| &table.schemas).copied().collect()
    }

    /// What belongs to [`Self::schemas`], in their order, as one list for each table.
    pub fn by_table<T>(&self, of_schemas: Vec<T>) -> Vec<Vec<T>> {
        let mut rest = of_schemas.into_iter();
        self.tables.iter().map(|table| rest.by_ref().take(table.schemas.len()).collect()).collect()
    }
}

impl<'a, R> Net<'a, R> {
    fn first(change: &'a Change<R>, schema: usize) -> Result<Self> {
        let before = match (change.op, &change.before) {
            (_, Some(row)) => Before::Row(row),
            (Op::Create, None) => Before::Absent,
            (Op::Update | Op::Delete | Op::Read | Op::Truncate, None) => Before::Unknown,
        };
        let image = change.after.as_ref().or(change.before.as_ref()).ok_or_else(|| no_image(change))?;
        let mut net = Self { change, before, after: None, image, schema, one_schema: true, read: false };
        net.then(change, schema)?;
        Ok(net)
    }

    fn then(&mut self, change: &'a Change<R>, schema: usize) -> Result<()> {
        self.one_schema &= self.schema == schema;
        self.schema = schema;
        self.read = change.op == Op::Read;
        match change.op {
            Op::Create | Op::Update | Op::Read => {
                let after = change.after.as_ref().ok_or_else(|| no_image(change))?;
                self.image = after;
                self.after = Some(after);
            }
            Op::Delete | Op::Truncate => {
                self.image = change.before.as_ref().ok_or_else(|| no_image(change))?;
                self.after = None;
            }
        }
        Ok(())
    }
}

fn no_image<R>(change: &Change<R>) -> Error {
    Error::new(
        Kind::RowMismatch,
        format!("a change ('{}') of {} has no row image", change.op.letter(), change.table.name),
    )
    .hint("the source needs binlog_row_image=FULL")
}

#[cfg(test)]
mod tests;
