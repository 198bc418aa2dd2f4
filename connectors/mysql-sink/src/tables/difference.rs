//! What stands between the destination's table and the source's, and the ALTER that mends it.

use cdc_sdk::name::quoted;
use cdc_sdk::table::KeyKind;
use cdc_sdk::{Column, Error, Key, Kind, Table, TableName};

use super::catalogue::Catalogue;
use super::{definition, fit};
use crate::settings::SchemaMode;

/// Differences, each with the clause that mends it where there is one.
#[derive(Debug, Default)]
pub(crate) struct Difference {
    clauses: Vec<String>,
    problems: Vec<String>,
    /// Problems that no clause mends.
    hopeless: bool,
}

impl Difference {
    /// Compares. Under [`SchemaMode::Evolve`] the table is to become what the source's is, but never
    /// narrower: older rows may come again in a replay. Otherwise it only has to hold the source's rows.
    pub fn between(table: &Table, found: &Catalogue, target: &TableName, mode: SchemaMode) -> Self {
        let mut difference = Self::default();
        if !found.engine.eq_ignore_ascii_case("InnoDB") {
            difference.hopeless(format!(
                "{target} is {}, which has no transactions",
                if found.engine.is_empty() { "a view" } else { &found.engine }
            ));
            return difference;
        }
        difference.columns(table, found, mode);
        difference.own_columns(table, found);
        difference.keys(table, found, mode);
        difference
    }

    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// Whether every problem has a clause that mends it.
    pub fn is_mendable(&self) -> bool {
        !self.hopeless
    }

    /// The statement that mends it all.
    pub fn alter(&self, target: &TableName) -> String {
        format!("ALTER TABLE {} {}", target.sql(), self.clauses.join(", "))
    }

    /// The error that lists all problems.
    pub fn into_error(self, table: &Table, target: &TableName) -> Error {
        let error = Error::new(
            Kind::TableMismatch,
            format!(
                "{target} cannot hold the rows of the source's {}: {}",
                table.name,
                self.problems.join("; ")
            ),
        )
        .detail(format!("the source's definition:\n{}", definition::create_table(table, target)));
        match self.clauses.is_empty() {
            true => error.hint("drop or rename the destination's table, then take a new snapshot of it"),
            false => error.hint(format!("{};", self.alter(target))),
        }
    }

    fn columns(&mut self, table: &Table, found: &Catalogue, mode: SchemaMode) {
        let key = table.identity().unwrap_or_default();
        let mut after: Option<&str> = None;
        for (index, column) in table.columns.iter().enumerate() {
            let Some(actual) = found.column(&column.name) else {
                let place = after.map_or_else(|| "FIRST".into(), |a| format!("AFTER {}", quoted(a)));
                self.mendable(
                    format!("column {} is missing", column.name),
                    format!("ADD COLUMN {} {place}", definition::column(column)),
                );
                after = Some(&column.name);
                continue;
            };
            after = Some(&column.name);
            let fits = fit::holds(actual, column, key.contains(&index));
            let exact = fit::same(actual, column);
            let wanted = match mode {
                SchemaMode::None | SchemaMode::Extend => true,
                SchemaMode::Check => fits,
                SchemaMode::Evolve => exact || fits && !fit::differs_in_collation(actual, column),
            };
            if !wanted {
                self.mendable(
                    format!(
                        "column {} is {}, the source has {}",
                        column.name,
                        actual.describe(),
                        describe(column)
                    ),
                    format!("MODIFY COLUMN {}", definition::column(column)),
                );
            }
        }
    }

    /// Columns that only the destination has must do without a value.
    fn own_columns(&mut self, table: &Table, found: &Catalogue) {
        for own in found.columns.iter().filter(|c| table.column_index(&c.name).is_none() && !c.optional) {
            let charset = own.charset.as_ref().map_or_else(String::new, |c| format!(" CHARACTER SET {c}"));
            self.mendable(
                format!("column {} is not in the source, and has no default", own.name),
                format!("MODIFY COLUMN {} {}{charset} NULL", quoted(&own.name), own.type_text),
            );
        }
    }

    fn keys(&mut self, table: &Table, found: &Catalogue, mode: SchemaMode) {
        let identity = table.identity();
        for key in &table.keys {
            let columns = names(table, key);
            let is_identity = identity.is_some() && !key.is_partial() && key.columns() == identity;
            let there = match (&columns, is_identity) {
                (Some(columns), true) => found.has_unique_key(columns),
                _ => found.keys.iter().any(|k| k.name.eq_ignore_ascii_case(&key.name)),
            };
            let wanted = is_identity || mode == SchemaMode::Evolve;
            if !there && wanted {
                self.missing_key(table, key, found);
            }
        }
    }

    fn missing_key(&mut self, table: &Table, key: &Key, found: &Catalogue) {
        let clash = key.kind == KeyKind::Primary && found.keys.iter().any(|k| k.name == "PRIMARY");
        match definition::key(table, key) {
            Some(sql) if !clash => {
                self.mendable(format!("key {} is missing", key.name), format!("ADD {sql}"))
            }
            Some(sql) => self.mendable(
                format!("the primary key is another than the source's ({sql})"),
                format!("DROP PRIMARY KEY, ADD {sql}"),
            ),
            None => self.hopeless(format!("key {} names a column that the table does not have", key.name)),
        }
    }

    fn mendable(&mut self, problem: String, clause: String) {
        self.problems.push(problem);
        self.clauses.push(clause);
    }

    fn hopeless(&mut self, problem: String) {
        self.problems.push(problem);
        self.hopeless = true;
    }
}

fn names<'t>(table: &'t Table, key: &Key) -> Option<Vec<&'t str>> {
    key.columns()?.into_iter().map(|c| table.columns.get(c).map(|c| c.name.as_str())).collect()
}

fn describe(column: &Column) -> String {
    let null = if column.nullable { "" } else { " NOT NULL" };
    let collation = column.collation.as_ref().map_or_else(String::new, |c| format!(" COLLATE {c}"));
    format!("{}{collation}{null}", column.ty.sql())
}
