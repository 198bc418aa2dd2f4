//! The columns of the source: missing ones are added, others changed where they do not do.

use cdc_sdk::name::{is_same_name, quoted};
use cdc_sdk::table::{KeyKind, KeyOn, KeyPart};
use cdc_sdk::{Column, Table};

use super::catalogue::{Actual, ActualKey, ActualPart, Catalogue};
use super::difference::{Aim, Difference};
use super::{definition, fit, implicit};
use crate::settings::SchemaMode;

impl Difference {
    pub(super) fn columns(&mut self, table: &Table, found: &Catalogue, aim: &Aim<'_>) {
        let key = table.identity().unwrap_or_default();
        let mut place = "FIRST".to_owned();
        for (index, column) in table.columns.iter().enumerate() {
            match found.column(&column.name) {
                None => {
                    self.adds_counter |= column.extra.auto_increment;
                    if aim.mode == SchemaMode::Extend && column.extra.default.is_none() {
                        self.unknown.push(column.name.clone());
                    }
                    self.mendable(
                        format!("column {} is missing", column.name),
                        format!("ADD COLUMN {} {place}", definition::column(&implicit::added(column))),
                    );
                }
                Some(actual) if self.is_worked_out_otherwise(actual, column, aim) => {
                    self.work_out_anew(actual, column, &place, aim);
                }
                Some(actual) => {
                    self.column(actual, column, key.contains(&index), found, aim);
                    if self.defined.contains(&actual.name) {
                        self.drop_whole_before(table, index, actual, found);
                    }
                }
            }
            place = format!("AFTER {}", quoted(&column.name));
        }
    }

    fn column(&mut self, actual: &Actual, column: &Column, in_key: bool, found: &Catalogue, aim: &Aim<'_>) {
        let fits = fit::holds(actual, column, in_key);
        let does = match aim.mode {
            SchemaMode::None => true,
            SchemaMode::Extend => return self.members(actual, column),
            SchemaMode::Check => fits,
            SchemaMode::Evolve if !aim.is_exact() => fits || fit::takes(actual, column),
            SchemaMode::Evolve => {
                fit::same(actual, column) || fits && !fit::differs_in_collation(actual, column)
            }
        };
        if does {
            return;
        }
        let problem = differs(actual, column);
        let nullable = Actual { nullable: true, ..actual.clone() };
        if aim.by_key && fit::holds(&nullable, column, in_key) {
            // The other schema may have made it wider: nothing but NULL is missing.
            return self.define(problem, actual, definition::actual(actual, true, None));
        }
        if aim.by_key && !fit::keeps(actual, column) {
            self.lossy.push(problem.clone());
        }
        let mut wanted = column.clone();
        // Rows of the other schema may have no value.
        wanted.nullable |= aim.by_key && actual.nullable;
        // A table has one such column, and the sink writes all values itself.
        wanted.extra.auto_increment &=
            actual.auto_increment || !found.columns.iter().any(|c| c.auto_increment);
        self.adds_counter |= wanted.extra.auto_increment && !actual.auto_increment;
        if actual.has_default {
            wanted = implicit::kept(&wanted, aim.version).into_owned();
        }
        if actual.srid.is_some() && actual.srid != wanted.extra.srid {
            self.drop_spatial_before(actual, found);
        }
        self.define(problem, actual, definition::column(&wanted));
    }

    /// Topics that tell no types exactly tell an ENUM's and a SET's members. Those that the destination has stay in
    /// their places: rows of an older schema may come yet.
    fn members(&mut self, actual: &Actual, column: &Column) {
        let Some(wider) = fit::with_members(actual, column) else { return };
        let default = column.extra.default.as_deref();
        // A default of its own would go with what its column is defined anew as. (A row that needs the member is refused.)
        if actual.has_default && default.is_none() {
            return;
        }
        let wanted = Actual { type_text: wider.sql(), ..actual.clone() };
        self.define(differs(actual, column), actual, definition::actual(&wanted, actual.nullable, default));
    }

    pub(super) fn define(&mut self, problem: String, actual: &Actual, definition: String) {
        self.defined.push(actual.name.clone());
        self.mendable(problem, format!("MODIFY COLUMN {definition}"));
    }

    /// While a SPATIAL key stands on a column its SRID cannot be changed.
    fn drop_spatial_before(&mut self, actual: &Actual, found: &Catalogue) {
        found.keys.iter().filter(|k| k.spatial && k.has(&actual.name)).for_each(|k| self.drop_before(k));
    }

    /// While a key stands on a whole column that cannot become a TEXT. The source's key of that name stands on its
    /// beginning, and takes its place.
    fn drop_whole_before(&mut self, table: &Table, index: usize, actual: &Actual, found: &Catalogue) {
        let is_whole = |part: &ActualPart| matches!(part, ActualPart::Whole(name) if *name == actual.name);
        for key in found.keys.iter().filter(|k| k.parts.iter().any(is_whole)) {
            let theirs =
                table.keys.iter().find(|k| k.kind != KeyKind::Primary && is_same_name(&k.name, &key.name));
            let is_cut = |part: &KeyPart| part.on == KeyOn::Column(index) && part.prefix.is_some();
            if theirs.is_some_and(|theirs| theirs.parts.iter().any(is_cut)) {
                self.drop_before(key);
            }
        }
    }

    fn drop_before(&mut self, key: &ActualKey) {
        if !self.before.contains(&key.name) {
            self.before.push(key.name.clone());
        }
    }

    /// Whether the destination works the column out, while the source does not, or otherwise. The other way round the
    /// values that the source has worked out are written.
    fn is_worked_out_otherwise(&self, actual: &Actual, column: &Column, aim: &Aim<'_>) -> bool {
        if !actual.generated || aim.mode == SchemaMode::Extend {
            return false;
        }
        let Some(theirs) = &column.extra.generated else { return true };
        let ours = actual.expression.as_deref().unwrap_or_default();
        let is_other = !aim.past.is_alike(&theirs.expression, ours);
        match aim.mode {
            SchemaMode::None | SchemaMode::Extend => false,
            SchemaMode::Check => is_other,
            SchemaMode::Evolve => is_other && !aim.again || aim.is_exact() && theirs.stored != actual.stored,
        }
    }

    fn work_out_anew(&mut self, actual: &Actual, column: &Column, place: &str, aim: &Aim<'_>) {
        let problem = differs(actual, column);
        let ours = actual.expression.clone().unwrap_or_default();
        let in_place = match &column.extra.generated {
            Some(theirs) => {
                if theirs.stored == actual.stored {
                    self.spellings.push((theirs.expression.clone(), ours));
                }
                if aim.by_key {
                    self.lossy.push(problem.clone());
                }
                theirs.stored == actual.stored
            }
            // What is stored stays as the column's values, as it does at the source.
            None if actual.stored => true,
            None => {
                if aim.by_key {
                    self.lossy.push(problem.clone());
                }
                false
            }
        };
        let definition = definition::column(&implicit::added(column));
        match in_place {
            true => self.define(problem, actual, definition),
            // MySQL turns none into the other. Keys on the column stay, as those of the new one.
            false => {
                self.defined.push(actual.name.clone());
                self.mendable(
                    problem,
                    format!("DROP COLUMN {}, ADD COLUMN {definition} {place}", quoted(&actual.name)),
                );
            }
        }
    }
}

fn differs(actual: &Actual, column: &Column) -> String {
    format!("column {} is {}, the source has {}", column.name, actual.describe(), describe(column))
}

fn describe(column: &Column) -> String {
    let null = if column.nullable { "" } else { " NOT NULL" };
    let collation = column.collation.as_ref().map_or_else(String::new, |c| format!(" COLLATE {c}"));
    let srid = column.extra.srid.map_or_else(String::new, |srid| format!(" SRID {srid}"));
    let generated = column.extra.generated.as_ref().map_or_else(String::new, |g| {
        format!(" AS ({}) {}", g.expression, if g.stored { "STORED" } else { "VIRTUAL" })
    });
    format!("{}{collation}{generated}{null}{srid}", column.ty.sql())
}
