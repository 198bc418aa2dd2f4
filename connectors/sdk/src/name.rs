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

/// Whether MySQL takes two names of columns or keys for one: it compares them without case, letter by letter, and
/// that beyond ASCII, too.
pub fn is_same_name(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
        || !(one.is_ascii() && other.is_ascii()) && one.chars().map(small).eq(other.chars().map(small))
}

/// The small letter. Where that is several (`İ`), MySQL takes the first.
fn small(letter: char) -> char {
    match letter {
        // Younger than the table of letters by which MySQL compares names.
        'ẞ' => letter,
        _ => letter.to_lowercase().next().unwrap_or(letter),
    }
}

#[cfg(test)]
mod tests {
    use super::is_same_name;

    #[test]
    fn names_are_compared_as_mysql_compares_them() {
        for (one, other) in [("id", "ID"), ("Ä", "ä"), ("Σ", "σ"), ("İ", "i"), ("é1", "É1")] {
            assert!(is_same_name(one, other) && is_same_name(other, one), "{one} {other}");
        }
        for (one, other) in [("a", "ä"), ("ς", "σ"), ("ı", "i"), ("ß", "ẞ"), ("id", "id2"), ("ä", "äb")]
        {
            assert!(!is_same_name(one, other) && !is_same_name(other, one), "{one} {other}");
        }
    }
}
