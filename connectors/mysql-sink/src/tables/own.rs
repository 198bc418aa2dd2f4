//! Columns that only the destination has: of a newer schema than the rows', or of an older one, or its own.
//!
//! Rows must do without a value for them. One that takes no NULL and has no default gets the value as its default that
//! MySQL gives to existing rows when such a column is added: in a replay, or where a partition lags, rows come
//! from before that moment, and the source's have that value. A column that the source has dropped
//! gets it, too, since nothing tells the two apart.

use cdc_sdk::Table;
use cdc_sdk::name::quoted;

use super::catalogue::{Actual, ActualKey, ActualPart, Catalogue};
use super::difference::{Aim, Difference};
use super::keys::PRIMARY;
use super::{definition, implicit};
use crate::settings::SchemaMode;

impl Difference {
    pub(super) fn own_columns(&mut self, table: &Table, found: &Catalogue, aim: &Aim<'_>) {
        let own = || found.columns.iter().filter(|c| table.column_index(&c.name).is_none());
        let bare: Vec<&Actual> = own().filter(|c| !c.optional || self.loses_counter(found, c)).collect();
        for column in &bare {
            self.do_without(column, found, aim);
        }
        let rests = |c: &&Actual| c.generated && bare.iter().any(|b| c.rests_on(&b.name));
        let resting: Vec<&Actual> = own().filter(rests).collect();
        // What it is worked out from may be NULL now, or what the expression makes NULL of.
        for column in resting.iter().filter(|c| !c.nullable) {
            self.mendable(
                format!("column {} is not in the source, nor is what it is worked out from", column.name),
                format!("MODIFY COLUMN {}", definition::actual(column, true, None)),
            );
        }
        for key in found.keys.iter().filter(|k| k.unique && aim.mode != SchemaMode::None) {
            self.own_key(table, found, key, &[bare.as_slice(), &resting].concat(), aim);
        }
    }

    fn do_without(&mut self, column: &Actual, found: &Catalogue, aim: &Aim<'_>) {
        let problem = format!("column {} is not in the source, and has no default", column.name);
        let value = column.ty.as_ref().and_then(|ty| implicit::value(ty, aim.version));
        match value {
            Some(value) if column.auto_increment => {
                self.define(problem, column, definition::actual(column, false, Some(&value)));
            }
            Some(value) => {
                let clause = format!("ALTER COLUMN {} SET DEFAULT {value}", quoted(&column.name));
                self.mendable(problem, clause);
            }
            None => {
                // A SPATIAL key takes no NULL.
                for key in found.keys.iter().filter(|k| k.spatial && k.has(&column.name)) {
                    self.clauses.push(format!("DROP INDEX {}", quoted(&key.name)));
                }
                self.define(problem, column, definition::actual(column, true, None));
            }
        }
    }

    /// A unique key on such columns alone takes a single row, as they have the same value in all. It is one that
    /// the source has dropped, or that comes back with the newer schema.
    fn own_key(
        &mut self,
        table: &Table,
        found: &Catalogue,
        key: &ActualKey,
        same: &[&Actual],
        aim: &Aim<'_>,
    ) {
        let column = |part: &ActualPart| part.column().and_then(|name| found.column(name));
        let is_same = |c: &Actual| same.iter().any(|s| s.name == c.name);
        // Of one that this run has seen at the source a default is no other's.
        let is_known = aim.drops_keys() && aim.past.had(&table.name, key);
        let all_own = key.parts.iter().all(|part| {
            column(part).is_some_and(|c| {
                let constant = c.has_default || c.generated;
                is_same(c) || is_known && constant && table.column_index(&c.name).is_none()
            })
        });
        if !all_own || key.name == PRIMARY && self.drops_primary {
            return;
        }
        let clause = match key.name == PRIMARY {
            true => "DROP PRIMARY KEY".to_owned(),
            false => format!("DROP INDEX {}", quoted(&key.name)),
        };
        if key.name == PRIMARY {
            self.drops_primary = true;
            self.note_stripped(table, key, aim);
        }
        let problem = format!("the unique key {} is on columns that are not in the source", key.name);
        self.mendable(problem, clause);
    }

    /// A column that counts by itself has to stand in a key, and there is one of them in a table.
    fn loses_counter(&self, found: &Catalogue, column: &Actual) -> bool {
        let leads = |k: &&ActualKey| k.parts.first().and_then(ActualPart::column) == Some(&column.name);
        let stays = |k: &ActualKey| !(k.name == PRIMARY && self.drops_primary);
        column.auto_increment && (self.adds_counter || !found.keys.iter().filter(leads).any(stays))
    }

    /// The same for columns of the source: where it counts by another one, or by none.
    pub(super) fn counters(&mut self, table: &Table, found: &Catalogue) {
        for actual in &found.columns {
            if !self.loses_counter(found, actual) {
                continue;
            }
            let column = table.column_index(&actual.name).and_then(|at| table.columns.get(at));
            let Some(column) = column.filter(|c| !c.extra.auto_increment) else { continue };
            if !self.defined.contains(&actual.name) {
                let problem = format!("column {} is AUTO_INCREMENT, the source's is not", actual.name);
                self.define(problem, actual, definition::column(column));
            }
        }
    }
}
