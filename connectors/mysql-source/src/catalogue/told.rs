//! The defaults that statements in the log gave to new columns. The log is behind the catalogue, which has a column's
//! default only while the column is there: of one that has gone by the time its first rows are read, nothing else
//! tells what the rows have in it that were there before.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use cdc_sdk::{ColumnType, Table, TableName};

use crate::ddl::{ColumnChange, ColumnNotes, Effect};

/// By table and column, in small letters. Bounded by the columns that are there, as the log tells it.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<BTreeMap<TableName, BTreeMap<String, String>>>);

impl Told {
    /// What was told before this process.
    pub fn before(notes: &ColumnNotes) -> Self {
        let all = notes.iter().map(|(table, noted)| (table.clone(), noted.defaults.clone()));
        Self(Mutex::new(all.collect()))
    }

    /// Takes what a statement did.
    pub fn altered(&self, effects: &[Effect]) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for effect in effects {
            match effect {
                Effect::Column { table, name, change } => {
                    let of_table = all.entry(table.clone()).or_default();
                    let name = name.to_lowercase();
                    of_table.remove(&name);
                    if let ColumnChange::Added { default: Some(default) } = change {
                        of_table.insert(name, default.clone());
                    }
                }
                Effect::Drop(table) | Effect::Create(table) => drop(all.remove(table)),
                Effect::Rename { from, to } => {
                    all.remove(from);
                    all.remove(to);
                }
                Effect::DropDatabase(database) => all.retain(|table, _| table.database != *database),
                Effect::Truncate(_)
                | Effect::Reshape(_)
                | Effect::Default { .. }
                | Effect::Rewrite { .. }
                | Effect::Metadata(_)
                | Effect::Unknown { .. } => {}
            }
        }
    }

    /// The defaults of the log's columns that the catalogue does not show, by their places in the log's table.
    pub fn of(&self, log: &Table, shown: Option<&Table>) -> Vec<(usize, String)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(told) = all.get(&log.name) else { return Vec::new() };
        let is_shown = |name: &str, ty: &ColumnType| {
            let columns = shown.map(|table| table.columns.as_slice()).unwrap_or_default();
            columns.iter().any(|column| column.name == name && column.ty == ty.as_catalogued())
        };
        let missing =
            log.columns.iter().enumerate().filter(|(_, column)| !is_shown(&column.name, &column.ty));
        let default = |name: &str, ty| told.get(&name.to_lowercase()).map(|default| as_shown(ty, default));
        missing.filter_map(|(at, column)| Some((at, default(&column.name, &column.ty)?))).collect()
    }
}

/// A number that was given in quotes is shown without.
fn as_shown(ty: &ColumnType, default: &str) -> String {
    let is_number = matches!(
        ty,
        ColumnType::Integer { .. }
            | ColumnType::Decimal { .. }
            | ColumnType::Year
            | ColumnType::Float { .. }
            | ColumnType::Double { .. }
    );
    let bare = default.trim_matches('\'');
    if is_number && bare.parse::<f64>().is_ok() { bare.to_owned() } else { default.to_owned() }
}
