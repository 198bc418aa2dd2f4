//! The server's catalogue (`information_schema`) as the vocabulary's [`Table`].
//!
//! Decoding never depends on it: the binlog carries names, types and character
//! sets with every table map. The catalogue adds what the binlog lacks (defaults,
//! generated columns, keys other than the primary) and tells the snapshot what to
//! select. It speaks of *now*, the binlog of *then*; so what it says is taken whole
//! only where both agree column by column, and then a table read by the snapshot
//! and one met in the binlog are equal. Where they differ, the binlog is right and
//! the catalogue adds to the columns that both know.
//!
//! **Invariant:** nothing read here is kept, only what the log said of columns ([`told`]). A table is read when a new shape of
//! it is met and when a snapshot of it begins, which is rare.

mod declared;
mod merge;
mod read;
mod told;

use std::cmp::Ordering;
use std::sync::Arc;

use cdc_sdk::endpoint::Endpoint;
use cdc_sdk::pattern::{SYSTEM_DATABASES, Selection};
use cdc_sdk::{Fate, GtidSet, Result, Table, TableName};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::sync::Mutex;

use crate::binlog::{Enrich, Enriched, Met};
use crate::ddl::{ColumnNotes, Effect};
use crate::session::{SHOW_WAIT, connect, within};
use crate::shape;
use read::Reader;
use told::Told;

/// How often a read is tried again on a new connection.
const ATTEMPTS: u32 = 3;

/// A table that the snapshot may have to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: TableName,
    /// How many rows the engine estimates.
    pub rows_estimated: u64,
    /// How many bytes a row has on average, as the engine estimates; 0 where it does not know.
    pub row_bytes: u64,
    /// Its engine, `InnoDB` as a rule.
    pub engine: String,
}

/// Reads the catalogue over one connection of its own, opened when it is needed.
#[derive(Clone)]
pub struct Catalogue(Arc<Inner>);

struct Inner {
    endpoint: Endpoint,
    reader: Mutex<Option<Reader>>,
    told: Told,
}

impl Catalogue {
    /// A catalogue that has not connected yet, with what statements said before.
    pub fn new(endpoint: Endpoint, notes: &ColumnNotes) -> Self {
        Self(Arc::new(Inner { endpoint, reader: Mutex::new(None), told: Told::before(notes) }))
    }

    /// A table as it is now; `None` where there is none of that name (or a view).
    ///
    /// # Errors
    /// What the server answers; a column of a type not known here.
    pub async fn table(&self, name: &TableName) -> Result<Option<Table>> {
        let mut slot = self.0.reader.lock().await;
        let mut attempt = 1;
        loop {
            let mut reader = self.take(&mut slot).await?;
            match reader.table(name).await {
                Ok(table) => {
                    *slot = Some(reader);
                    return Ok(table);
                }
                Err(e) if attempt < ATTEMPTS && e.fate() == Fate::Retry => attempt += 1,
                Err(e) => return Err(e),
            }
        }
    }

    /// A table as it is once these transactions show: the log is ahead of the catalogue for a moment.
    ///
    /// # Errors
    /// As [`Self::table`].
    pub async fn table_after(&self, name: &TableName, set: &GtidSet) -> Result<Option<Table>> {
        {
            let mut slot = self.0.reader.lock().await;
            let mut reader = self.take(&mut slot).await?;
            reader.wait_for(set, SHOW_WAIT).await?;
            *slot = Some(reader);
        }
        self.table(name).await
    }

    /// The statement that would make a table as it is now; `None` where there is none of that name.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn statement(&self, name: &TableName) -> Result<Option<String>> {
        let mut slot = self.0.reader.lock().await;
        let mut reader = self.take(&mut slot).await?;
        let statement = reader.statement(name).await?;
        *slot = Some(reader);
        Ok(statement)
    }

    /// The second at which a table was changed, if that was after the rows that it was met with. Two statements of
    /// one second are told apart only if the log had the later one already, or a snapshot met the same keys.
    async fn changed_after(&self, table: &Table, met: &Met) -> Result<Option<u32>> {
        let mut slot = self.0.reader.lock().await;
        let mut reader = self.take(&mut slot).await?;
        // Read after the keys: no later change can hide behind it.
        let changed = reader.changed_at(&table.name).await?;
        *slot = Some(reader);
        let is_passed = |at: u32| met.changed_at.is_some_and(|passed| passed >= at);
        let is_read = || shape::latest(&table.name).is_some_and(|(_, latest)| latest.keys == table.keys);
        let is_old = |at: u32| match at.cmp(&met.at) {
            Ordering::Less => true,
            Ordering::Equal => is_passed(at) || met.before.is_none() && is_read(),
            Ordering::Greater => is_passed(at),
        };
        Ok(changed.filter(|at| !is_old(*at)))
    }

    async fn take(&self, slot: &mut Option<Reader>) -> Result<Reader> {
        match slot.take() {
            Some(reader) => Ok(reader),
            None => Reader::new(connect(&self.0.endpoint).await?).await,
        }
    }
}

impl Enrich for Catalogue {
    async fn enrich(&self, from_map: Table, met: Met) -> Result<Enriched> {
        let log = from_map.clone();
        let known = self.table(&log.name).await?;
        let gone = self.0.told.of(&log, known.as_ref());
        let is_there = known.is_some();
        let mut table = known.map_or_else(|| log.clone(), |known| merge::merged(from_map, known));
        for (at, default) in gone {
            let column = table.columns.get_mut(at);
            column.into_iter().for_each(|column| column.extra.default = Some(default.clone()));
        }
        if !is_there {
            return Ok(Enriched { table, changed_later: None });
        }
        let younger = merge::younger_keys(&table, &log, &met);
        let changed_later = match younger.is_empty() {
            true => None,
            false => self.changed_after(&table, &met).await?,
        };
        if let Some(at) = changed_later {
            let what = "the table has been changed since these rows: its unique keys count from there on";
            tracing::info!(table = %table.name, rows_at = met.at, changed_at = at, ?younger, "{what}");
            table.keys.retain(|key| !younger.contains(&key.name));
        }
        Ok(Enriched { table, changed_later })
    }

    fn altered(&self, effects: &[Effect]) {
        self.0.told.altered(effects);
    }
}

/// All tables that a selection takes, by name, over this connection.
///
/// # Errors
/// What the server answers.
pub(crate) async fn list(conn: &mut Conn, selection: &Selection) -> Result<Vec<Listed>> {
    let query = "SELECT TABLE_SCHEMA, TABLE_NAME, COALESCE(TABLE_ROWS, 0), COALESCE(AVG_ROW_LENGTH, 0), \
                 COALESCE(ENGINE, '') FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE'";
    let rows: Vec<(String, String, u64, u64, String)> =
        within("listing the tables", conn.query(query)).await?;
    let mut tables: Vec<Listed> = rows
        .into_iter()
        .filter(|row| !SYSTEM_DATABASES.contains(&row.0.as_str()))
        .map(|(database, table, rows_estimated, row_bytes, engine)| Listed {
            name: TableName::new(database, table),
            rows_estimated,
            row_bytes,
            engine,
        })
        .filter(|listed| selection.selects(&listed.name))
        .collect();
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(tables)
}

#[cfg(test)]
mod tests;
