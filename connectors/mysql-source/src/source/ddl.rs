//! What a statement means for the snapshot and for the rows downstream.

use cdc_sdk::{Error, Kind, Result, TableName};

use super::{DdlEvent, Source, pending};
use crate::binlog::Ddl;
use crate::ddl::{ColumnChange, Effect};
use crate::settings::OnUnsafeDdl;
use crate::snapshot::{TableProgress, TableState};

/// Stands for every column among those that were dropped.
const ANY: &str = "*";

impl Source {
    /// Enters a statement into the plan, and says what follows from it downstream.
    pub(super) fn ddl(&mut self, ddl: Ddl) -> Result<DdlEvent> {
        let effects: Vec<Effect> =
            ddl.effects.iter().flat_map(|effect| self.by_table(effect, &ddl.database)).collect();
        let mut event = DdlEvent {
            statement: ddl.statement,
            database: ddl.database,
            effects,
            origin: ddl.origin,
            ..DdlEvent::default()
        };
        let echo = self.is_echo();
        for effect in event.effects.clone() {
            match (&effect, echo) {
                (Effect::Create(table), true) => self.created(table, &mut event),
                // Whatever it did to the rows, it did first on the other side.
                (_, true) => effect.tables().into_iter().for_each(|table| self.plan.altered(table)),
                (_, false) => self.apply(&effect, &mut event)?,
            }
        }
        if echo {
            event.effects.retain(|effect| matches!(effect, Effect::Reshape(_) | Effect::Create(_)));
        }
        Ok(event)
    }

    /// An effect as effects on captured tables, one each.
    fn by_table(&self, effect: &Effect, database: &str) -> Vec<Effect> {
        let known = |of: &str| -> Vec<TableName> {
            self.plan.names().filter(|name| of.is_empty() || name.database == of).cloned().collect()
        };
        match effect {
            Effect::DropDatabase(name) => known(name).into_iter().map(Effect::Drop).collect(),
            Effect::Unknown { table: None } => {
                known(database).into_iter().map(|table| Effect::Unknown { table: Some(table) }).collect()
            }
            Effect::Create(_)
            | Effect::Truncate(_)
            | Effect::Drop(_)
            | Effect::Rename { .. }
            | Effect::Reshape(_)
            | Effect::Rewrite { .. }
            | Effect::Column { .. }
            | Effect::Default { .. }
            | Effect::Metadata(_)
            | Effect::Unknown { table: Some(_) } => {
                let selected = effect.tables().into_iter().any(|name| self.settings.selection.selects(name));
                selected.then(|| effect.clone()).into_iter().collect()
            }
        }
    }

    fn apply(&mut self, effect: &Effect, event: &mut DdlEvent) -> Result<()> {
        match effect {
            Effect::Create(table) => self.created(table, event),
            Effect::Truncate(table) => {
                self.plan.altered(table);
                event.emptied.push(table.clone());
            }
            Effect::Drop(table) => self.dropped(table, event),
            Effect::Rename { from, to } => {
                if self.settings.selection.selects(from) {
                    self.dropped(from, event);
                }
                if self.settings.selection.selects(to) {
                    self.forget_columns(to, event);
                    self.read_again(to, event);
                }
            }
            Effect::Reshape(table) | Effect::Metadata(table) => self.plan.altered(table),
            Effect::Rewrite { table, why } => self.rewritten(table, why, event)?,
            Effect::Column { table, name, change } => self.column(table, name, change, event)?,
            Effect::Unknown { table: Some(table) } => {
                self.rewritten(table, "it is not known to leave rows as they are", event)?;
            }
            // Taken apart in `by_table`, and settled before they come here.
            Effect::Unknown { table: None } | Effect::DropDatabase(_) | Effect::Default { .. } => {}
        }
        Ok(())
    }

    /// Of another table of this name any column may still be there downstream.
    fn forget_columns(&mut self, table: &TableName, event: &mut DdlEvent) {
        let noted = self.noted.entry(table.clone()).or_default();
        noted.dropped.insert(ANY.to_owned());
        noted.defaults.clear();
        event.noted.insert(table.clone(), noted.clone());
    }

    /// A column that was dropped is still there downstream, with values: should one of its name come, they must go.
    fn column(
        &mut self,
        table: &TableName,
        name: &str,
        change: &ColumnChange,
        event: &mut DdlEvent,
    ) -> Result<()> {
        let name = name.to_lowercase();
        let noted = self.noted.entry(table.clone()).or_default();
        let (is_another, changed) = match change {
            ColumnChange::Dropped => {
                noted.defaults.remove(&name);
                noted.dropped.insert(name);
                (false, true)
            }
            ColumnChange::Added { default } => {
                let is_another = noted.dropped.contains(&name) || noted.dropped.contains(ANY);
                let changed = default.is_some() || noted.defaults.contains_key(&name);
                noted.defaults.remove(&name);
                noted.defaults.extend(default.clone().map(|default| (name, default)));
                (is_another, changed)
            }
        };
        if changed {
            event.noted.insert(table.clone(), noted.clone());
        }
        if is_another && !event.emptied.contains(table) {
            self.rewritten(table, "a column has the name of one that was dropped", event)?;
        }
        Ok(())
    }

    /// A table that begins in the stream needs no snapshot: its rows are there. One
    /// that was found at the start, ahead of the stream, stays to be read.
    fn created(&mut self, table: &TableName, event: &mut DdlEvent) {
        if self.plan.knows(table) {
            self.plan.altered(table);
            return;
        }
        let state = TableState::Done { rows: 0 };
        self.plan.put(table.clone(), state.clone(), 0, 0);
        event.progress.push(TableProgress::of(table.clone(), state));
    }

    /// Tables that went without a statement in the stream: one of their name that comes is another.
    pub(super) fn gone(&mut self, progress: Vec<TableProgress>, is_there: bool) {
        let mut event = DdlEvent::default();
        if is_there {
            event.emptied = progress.iter().map(|of| of.table.clone()).collect();
            event.emptied.clone().iter().for_each(|table| self.forget_columns(table, &mut event));
        }
        self.made_up(DdlEvent { progress, ..event });
    }

    /// Stored as done: should a table of this name come again, its rows are in the stream.
    fn dropped(&mut self, table: &TableName, event: &mut DdlEvent) {
        self.forget_columns(table, event);
        self.plan.remove(table);
        event.emptied.push(table.clone());
        event.progress.push(TableProgress::of(table.clone(), TableState::Done { rows: 0 }));
    }

    fn rewritten(&mut self, table: &TableName, why: &str, event: &mut DdlEvent) -> Result<()> {
        match self.settings.on_unsafe_ddl {
            OnUnsafeDdl::Snapshot => {
                self.read_again(table, event);
                Ok(())
            }
            OnUnsafeDdl::Stop => {
                Err(Error::new(Kind::UnsafeDdl, format!("{table}: a statement changed rows without row events: {why}"))
                    .detail(format!("{} (at {}:{})", event.statement, event.origin.file, event.origin.pos))
                    .hint("let the table be read again: [capture] on_unsafe_ddl = \"snapshot\"; or leave it out: [capture] exclude"))
            }
        }
    }

    /// The rows downstream go, and the table is read anew.
    fn read_again(&mut self, table: &TableName, event: &mut DdlEvent) {
        if self.plan.knows(table) {
            event.emptied.push(table.clone());
        }
        self.plan.put(table.clone(), TableState::Pending, 0, 0);
        event.progress.push(pending(table));
    }
}
