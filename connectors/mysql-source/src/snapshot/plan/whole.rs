//! The view that is open, if any: tables that are read whole.

use std::time::Instant;

use cdc_sdk::{Error, Kind, Result, TableName};

use super::{Plan, ReadId, Reading, lost};
use crate::snapshot::chunk::{Chunk, origin};
use crate::snapshot::progress::TableState;
use crate::snapshot::view::{View, ViewBatch, ViewOpen};

/// Views in a row that the stream touched, after which the snapshot stops.
pub(super) const VIEWS_MAX: u32 = 200;

impl Plan {
    /// A view is open.
    pub fn view_open(&mut self, id: ReadId, open: ViewOpen) {
        if let Some(view) = self.view.as_mut().filter(|view| view.id == id) {
            view.open(open);
        }
    }

    /// Where the stream stands now, between two transactions: a view that it has
    /// reached untouched is served from here on, and holds the stream.
    ///
    /// # Errors
    /// [`Kind::Snapshot`]: too many views in a row were touched.
    pub fn meet_view(&mut self, file: &str, pos: u64, again: Instant) -> Result<()> {
        let Some(touched) = self.view.as_mut().and_then(|view| view.meet(file, pos)) else { return Ok(()) };
        if !touched {
            self.views_touched = 0;
            return Ok(());
        }
        let names = self.view.take().map(View::into_names).unwrap_or_default();
        self.views_touched += 1;
        for name in &names {
            if self.views_touched >= VIEWS_MAX {
                let error = never_quiet(name);
                if !matches!(self.reading(name), Reading::Again(_)) {
                    return Err(error);
                }
                self.give_up(name, &error);
                self.views_touched = 0;
            }
            if let Some(entry) = self.tables.get_mut(name) {
                entry.not_before = Some(again);
            }
        }
        Ok(())
    }

    /// The view that is being served.
    pub fn served(&mut self) -> Option<&mut View> {
        self.view.as_mut().filter(|view| view.is_served())
    }

    /// Rows of the view being served; to be handed out at once.
    ///
    /// # Errors
    /// [`Kind::Bug`] where the table is not known.
    pub fn take_batch(&mut self, batch: ViewBatch) -> Result<Chunk> {
        let name = &batch.prepared.table.name;
        let high = self.view.as_ref().and_then(View::high).ok_or_else(|| lost(name))?;
        let entry = self.tables.get_mut(name).ok_or_else(|| lost(name))?;
        let first = matches!(entry.state, TableState::Pending);
        let rows = entry.rows() + batch.block.rows_read() as u64;
        entry.state =
            if batch.last { TableState::Done { rows } } else { TableState::Reading { after: None, rows } };
        let told = entry.told();
        if batch.last {
            let name = name.clone();
            self.unqueue(&name);
        }
        let origin = origin(high, batch.read_us, self.limits.server_id);
        Ok(Chunk::new(batch.prepared, told, origin, first, batch.block))
    }

    /// The view has no more rows.
    ///
    /// # Errors
    /// [`Kind::MysqlUnreachable`]: it ended before its tables did.
    pub fn end_view(&mut self) -> Result<()> {
        let names = self.view.take().map(View::into_names).unwrap_or_default();
        match names.iter().find(|name| self.tables.get(name).is_some_and(|entry| !entry.is_done())) {
            None => Ok(()),
            Some(name) => Err(Error::new(
                Kind::MysqlUnreachable,
                format!("the view of {name} ended before the table did"),
            )),
        }
    }
}

fn never_quiet(name: &TableName) -> Error {
    let what =
        format!("{name} has no key, and is written too often to be read in one view ({VIEWS_MAX} tries)");
    Error::new(Kind::Snapshot, what).hint(format!(
        "ALTER TABLE {} ADD PRIMARY KEY (…), or leave the table out, or write less for a second",
        name.sql()
    ))
}
