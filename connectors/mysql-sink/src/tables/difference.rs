//! What stands between the destination's table and the source's, and the ALTER that mends it.

use cdc_sdk::name::quoted;
use cdc_sdk::{Error, Kind, Table, TableName};

use super::catalogue::Catalogue;
use super::definition;
use super::past::Past;
use crate::session::Version;
use crate::settings::SchemaMode;

/// What the destination's table is to become, and how far it may be changed for that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Aim<'p> {
    /// What the settings allow.
    pub mode: SchemaMode,
    /// Rows of older and newer schemas come in no order, and nothing tells which schema is the newer: the table is
    /// changed only so that it still holds the rows of the other.
    pub by_key: bool,
    /// The table has just been changed for another schema of the same rows: it is only to hold these, too.
    pub again: bool,
    /// The destination's version.
    pub version: Version,
    /// What this run has learned.
    pub past: &'p Past,
}

impl Aim<'_> {
    /// Whether the table is to become what the source's is, not only to hold its rows.
    pub fn is_exact(&self) -> bool {
        self.mode == SchemaMode::Evolve && !self.by_key && !self.again
    }

    /// Whether keys go that the source has not.
    pub fn drops_keys(&self) -> bool {
        self.mode == SchemaMode::Evolve && !self.again
    }
}

/// Differences, each with the clause that mends it where there is one.
#[derive(Debug, Default)]
pub(crate) struct Difference {
    /// Keys that must be gone before the other clauses: MySQL looks for them before it alters anything.
    pub(super) before: Vec<String>,
    pub(super) clauses: Vec<String>,
    pub(super) problems: Vec<String>,
    /// Problems that no clause mends.
    hopeless: bool,
    /// Clauses by which rows of another schema would lose something, were there any.
    pub(super) lossy: Vec<String>,
    /// Expressions that differ at least in spelling, and how many problems are of that kind.
    pub(super) spellings: Vec<(String, String)>,
    /// The primary key goes.
    pub(super) drops_primary: bool,
    /// A column comes with AUTO_INCREMENT, of which a table has one.
    pub(super) adds_counter: bool,
    /// Columns that a primary key stands on which goes, and that no row brings.
    pub(super) stripped: Vec<String>,
    /// Columns that are added, of whose values in rows that are there nothing is known.
    pub(super) unknown: Vec<String>,
    /// Columns that are defined anew.
    pub(super) defined: Vec<String>,
}

impl Difference {
    /// Compares. Under [`SchemaMode::Evolve`] the table is to become what the source's is, but never
    /// narrower: older rows may come again in a replay. Otherwise it only has to hold the source's rows.
    pub fn between(table: &Table, found: &Catalogue, target: &TableName, aim: &Aim<'_>) -> Self {
        let mut difference = Self::default();
        if !found.engine.eq_ignore_ascii_case("InnoDB") {
            difference.hopeless(format!(
                "{target} is {}, which has no transactions",
                if found.engine.is_empty() { "a view" } else { &found.engine }
            ));
            return difference;
        }
        difference.columns(table, found, aim);
        difference.keys(table, found, aim);
        difference.own_columns(table, found, aim);
        difference.counters(table, found);
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

    /// Whether rows that are there, or that come with another schema, would lose something.
    pub fn is_lossy(&self) -> bool {
        !self.lossy.is_empty()
    }

    /// Whether a table whose rows are told by columns that no event has would lose that.
    pub fn is_stripped(&self) -> bool {
        !self.stripped.is_empty()
    }

    /// Whether columns are added of whose values in rows that are there nothing is known.
    pub fn adds_unknown(&self) -> bool {
        !self.unknown.is_empty()
    }

    /// Those columns, for a person.
    pub fn unknown(&self) -> String {
        self.unknown.join(", ")
    }

    /// Expressions of the source with the destination's texts, if nothing else differs: after an ALTER that made them
    /// equal these are two spellings of the same.
    pub fn only_spellings(&self) -> Option<&[(String, String)]> {
        (self.spellings.len() == self.problems.len()).then_some(&self.spellings)
    }

    /// The statements that mend it all.
    pub fn alters(&self, target: &TableName) -> Vec<String> {
        let alter = |clauses: &[String]| format!("ALTER TABLE {} {}", target.sql(), clauses.join(", "));
        let drops: Vec<String> =
            self.before.iter().map(|key| format!("DROP INDEX {}", quoted(key))).collect();
        let lists = [drops.as_slice(), &self.clauses];
        lists.into_iter().filter(|list| !list.is_empty()).map(alter).collect()
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
            false => error.hint(format!("{};", self.alters(target).join(";\n"))),
        }
    }

    /// The error of a change that might undo what a newer schema has brought.
    pub fn into_lossy_error(self, table: &Table, target: &TableName) -> Error {
        let what = format!(
            "{target} is not changed to hold the rows of the source's {}, since its rows could lose something: {}",
            table.name,
            self.lossy.join("; ")
        );
        Error::new(Kind::TableMismatch, what)
            .detail(
                "with consistency = \"key\" partitions bring rows of an older and a newer schema in no order, and nothing \
                 tells which of the two the table has",
            )
            .hint(format!(
                "if the table should become what these rows need: stop all sinks of the name, then {}; start them \
                 again. If it has the newer schema already: let the source take a new snapshot of the table \
                 (cdc snapshot), which passes over the older rows",
                self.alters(target).join("; ")
            ))
    }

    /// The error of a primary key that is another column's, in a table with rows.
    pub fn into_stripped_error(self, table: &Table, target: &TableName) -> Error {
        let there = self.stripped.join(", ");
        Error::new(
            Kind::TableMismatch,
            format!("the primary key of {target} is on {there}, which no event of {} has", table.name),
        )
        .detail(format!("{}; with another key its rows would not be found", self.problems.join("; ")))
        .hint(
            "if the source renamed the column, rename it here (ALTER TABLE … RENAME COLUMN); if Debezium adjusts its name, let \
             it tell the real one (column.propagate.source.type = .*), or name the column as the event does",
        )
    }

    pub(super) fn mendable(&mut self, problem: String, clause: String) {
        self.problems.push(problem);
        self.clauses.push(clause);
    }

    pub(super) fn hopeless(&mut self, problem: String) {
        self.problems.push(problem);
        self.hopeless = true;
    }
}
