//! Names of tables, and how SQL quotes a name.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A table's name, qualified by its database.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TableName {
    /// The database (MySQL's "schema").
    pub database: String,
    /// The table within it.
    pub table: String,
}

impl TableName {
    /// A name from its two parts.
    pub fn new(database: impl Into<String>, table: impl Into<String>) -> Self {
        Self { database: database.into(), table: table.into() }
    }

    /// The name as SQL takes it: both parts quoted.
    pub fn sql(&self) -> String {
        format!("{}.{}", quoted(&self.database), quoted(&self.table))
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.database, self.table)
    }
}

/// An identifier in backticks, with backticks inside it doubled
/// (MySQL manual, "Schema Object Names").
pub fn quoted(identifier: &str) -> String {
    format!("`{}`", identifier.replace('`', "``"))
}
