//! Plans that are made before a transaction. DDL has a session of its own, and would wait there for the locks of
//! what the transaction has written.

use std::sync::Arc;

use cdc_sdk::name::is_same_name;
use cdc_sdk::{Column, Error, Key, Kind, Result, Table, TableName};

use crate::apply::{Plans, text};
use crate::fold::Folded;
use crate::sink::Sink;
use crate::tables::Plan;

/// The plans of some schemas.
pub(super) struct Prepared(Vec<(Arc<Table>, Arc<Plan>)>);

impl Prepared {
    /// Those of changes.
    ///
    /// # Errors
    /// As [`Self::plan`].
    pub fn of<R>(&self, folded: &Folded<'_, R>) -> Result<Plans> {
        folded.tables.iter().map(|table| table.schemas.iter().map(|s| self.plan(s)).collect()).collect()
    }

    /// That of a schema.
    ///
    /// # Errors
    /// [`Kind::Bug`]: there is none.
    pub fn plan(&self, schema: &Arc<Table>) -> Result<Arc<Plan>> {
        let found = self.0.iter().find(|(known, _)| Arc::ptr_eq(known, schema) || known == schema);
        found.map(|(_, plan)| Arc::clone(plan)).ok_or_else(|| {
            Error::new(Kind::Bug, format!("a change of {} has a schema that was not told", schema.name))
        })
    }
}

impl Sink {
    /// Makes the plans of these schemas, with the DDL for them, so that the destination's tables can hold the rows of
    /// all: what changes a table for one has the others looked at again.
    pub(super) async fn prepare(&mut self, schemas: &[Arc<Table>]) -> Result<Prepared> {
        let plans = self.tables.all(&self.settings, &schemas.iter().collect::<Vec<_>>()).await?;
        Ok(Prepared(schemas.iter().cloned().zip(plans).collect()))
    }

    /// Refuses to release a table before rows of it that are held by themselves: what they wait with is older than what the
    /// table waits with, and would be written over it.
    pub(super) fn check_rows_first(&self, table: &TableName) -> Result<()> {
        match self.quarantine.rows_of(table) {
            0 => Ok(()),
            rows => Err(Error::new(
                Kind::DeadLettersFull,
                format!("{rows} rows of {table} are in quarantine by themselves, with older changes than the table's"),
            )
            .hint(format!(
                "release them first: cdc dead-letter retry --table {table} takes them before the table; or discard \
                 them one by one (--key)"
            ))),
        }
    }

    /// Refuses rows of a table that has another primary key at the destination by now: written as of then, they
    /// would turn the key back, and go over what came since under the new one.
    pub(super) async fn check_keys_there(&mut self, schemas: &[Arc<Table>]) -> Result<()> {
        if !self.settings.schema.changes() {
            return Ok(());
        }
        for table in schemas {
            let Some(then) = table.primary_key().and_then(Key::columns).map(|key| names(table, &key)) else {
                continue;
            };
            let target = self.settings.target(&table.name)?;
            let Some(now) = self.tables.primary_key(&target).await? else { continue };
            if now.len() != then.len() || now.iter().zip(&then).any(|(now, then)| !is_same_name(now, then)) {
                return Err(other_key(&table.name, &then, &now));
            }
        }
        Ok(())
    }

    /// Refuses rows that are to be written only after a later schema has come, where they would not be what
    /// the source has: an ALTER gives rows a value for a new column that takes no NULL, and the destination's ALTER
    /// comes before them. A default there does the same, and most types have one for this.
    pub(super) async fn check_new_columns(&mut self, schemas: &[Arc<Table>]) -> Result<()> {
        if !self.settings.schema.changes() {
            return Ok(());
        }
        for (table, column) in demanded(schemas) {
            if self.tables.gives_value(column) {
                continue;
            }
            let target = self.settings.target(&table.name)?;
            let what =
                || format!("rows of {target} that wait have no value for its new column {}", column.name);
            let sql = format!(
                "SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {} \
                 AND COLUMN_NAME = {} AND (COLUMN_DEFAULT IS NOT NULL OR EXTRA LIKE '%DEFAULT_GENERATED%')",
                text(&target.database),
                text(&target.table),
                text(&column.name),
            );
            let defaults: Option<u64> = self.data.row(&sql).await.map_err(|r| r.into_error(what()))?;
            if defaults == Some(0) {
                return Err(Error::new(Kind::TableMismatch, what())
                    .detail(
                        "it takes no NULL and has no default; the source gave them a value when it was added",
                    )
                    .hint(format!(
                        "give the destination's that value for a default, then try again: \
                         ALTER TABLE {} ADD COLUMN {} {} NOT NULL DEFAULT …;",
                        target.sql(),
                        cdc_sdk::name::quoted(&column.name),
                        column.ty.sql()
                    )));
            }
        }
        Ok(())
    }
}

/// Refuses changes by several keys of one table: the table has one of them when they are applied, in one transaction, and by
/// that the rows of the others would not be found.
pub(super) fn check_one_key(schemas: &[Arc<Table>]) -> Result<()> {
    let keys = schemas.iter().map(|table| (table, table.identity().map(|key| names(table, &key))));
    let keys: Vec<_> = keys.collect();
    for pair in keys.windows(2) {
        let [(table, Some(then)), (_, now)] = pair else { continue };
        let now = now.as_deref().unwrap_or_default();
        if then != now {
            return Err(other_key(&table.name, then, now));
        }
    }
    Ok(())
}

fn names<'t>(table: &'t Table, key: &[usize]) -> Vec<&'t str> {
    key.iter().filter_map(|index| table.columns.get(*index)).map(|column| column.name.as_str()).collect()
}

fn other_key<N: AsRef<str>>(table: &TableName, then: &[&str], now: &[N]) -> Error {
    let now: Vec<&str> = now.iter().map(AsRef::as_ref).collect();
    Error::new(
        Kind::TableMismatch,
        format!("the primary key of {table} is another than when its rows were set aside"),
    )
    .detail(format!("it was ({}) and is ({}) now", then.join(", "), now.join(", ")))
    .hint(format!(
        "discard what waits (cdc dead-letter discard --table {table}), then have the table read anew at the \
             source: cdc snapshot -c source.toml --tables {table} --empty-first"
    ))
}

/// Columns that must have a value and that earlier ones of these schemas do not know.
fn demanded(schemas: &[Arc<Table>]) -> impl Iterator<Item = (&Arc<Table>, &Column)> {
    let demands = |c: &Column| {
        !c.nullable && c.extra.default.is_none() && c.extra.generated.is_none() && !c.extra.auto_increment
    };
    schemas.iter().enumerate().flat_map(move |(at, later)| {
        let lacks = move |c: &Column| {
            schemas.iter().take(at).any(|s| s.name == later.name && s.column_index(&c.name).is_none())
        };
        later.columns.iter().filter(move |c| demands(c) && lacks(c)).map(move |c| (later, c))
    })
}
