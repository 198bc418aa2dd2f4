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

/// A name in the letters that Avro takes: what it forbids becomes `_`, as with Debezium's
/// `field.name.adjustment.mode=avro`.
pub fn in_avro(name: &str) -> String {
    let mut field: String = name.chars().map(|c| if is_legal(c) { c } else { '_' }).collect();
    if !field.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        field.insert(0, '_');
    }
    field
}

/// The same with what Avro forbids as `_uXXXX`, by which names stay distinct.
pub fn spelled_in_avro(name: &str) -> String {
    let mut field = String::from("_");
    for c in name.chars() {
        if is_legal(c) { field.push(c) } else { field.push_str(&format!("_u{:04x}", u32::from(c))) }
    }
    field
}

/// Whether a field may stand for a column of that name, in any of the ways in which Debezium and `cdc` adjust names.
pub fn may_stand_for(field: &str, name: &str) -> bool {
    // `avro_unicode`: `_` itself, too, and a digit at the beginning.
    let unicode = |at: usize, c: char| match is_legal(c) && c != '_' && !(at == 0 && c.is_ascii_digit()) {
        true => c.to_string(),
        false => format!("_u{:04x}", u32::from(c)),
    };
    let in_unicode = || name.chars().enumerate().map(|(at, c)| unicode(at, c)).collect::<String>();
    field == in_avro(name) || field == spelled_in_avro(name) || field == in_unicode()
}

fn is_legal(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
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
    use super::{is_same_name, may_stand_for};

    #[test]
    fn a_field_stands_for_the_columns_whose_name_was_adjusted() {
        for (field, name) in [
            ("my_col", "my-col"),
            ("_2nd", "2nd"),
            ("my_u002dcol", "my-col"),
            ("_u0032nd", "2nd"),
            ("_a_u002db", "a-b"),
        ] {
            assert!(may_stand_for(field, name), "{field} {name}");
        }
        assert!(!may_stand_for("my_col", "my-cool") && !may_stand_for("a__b", "a-b"));
    }

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
