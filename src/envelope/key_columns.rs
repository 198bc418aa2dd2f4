//! `message.key.columns`: which columns of which tables make the key of their records.
//!
//! Debezium's form: `<tables>:<columns>;<tables>:<columns>…`, the tables a regular expression on `database.table`, the
//! columns names with commas between. Where several entries are for a table their columns follow each other, as with
//! Debezium; the key's fields stand in the order of the option, not of the table.

use cdc_sdk::{Error, Kind, Result, Table, TableName};

use super::regex_list::Expression;

/// The option.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyColumns(Vec<Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    tables: Expression,
    /// As it was written.
    text: String,
    columns: Vec<String>,
}

impl KeyColumns {
    /// Reads the option.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let entries = text.split(';').map(str::trim).filter(|entry| !entry.is_empty());
        let entries: Vec<Entry> = entries.map(Entry::parse).collect::<Result<_, _>>()?;
        if entries.is_empty() { Err(form("")) } else { Ok(Self(entries)) }
    }

    /// Whether keys of any table are chosen.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the key of a table is chosen.
    pub fn concern(&self, table: &TableName) -> bool {
        self.of(table).next().is_some()
    }

    /// The columns of a table that make its records' key; `None` where none are chosen for it.
    ///
    /// # Errors
    /// [`Kind::RecordKey`] for a column that it does not have.
    pub fn columns(&self, table: &Table) -> Result<Option<Vec<usize>>> {
        let mut columns = Vec::new();
        for name in self.of(&table.name).flat_map(|entry| &entry.columns) {
            let column = table.column_index(name).ok_or_else(|| unknown(table, name))?;
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        Ok(Some(columns).filter(|columns| !columns.is_empty()))
    }

    /// The entries that none of these tables is of, as they were written.
    pub fn idle<'k>(&'k self, tables: &[&TableName]) -> Vec<&'k str> {
        let idle = |entry: &&Entry| !tables.iter().any(|table| entry.is_of(table));
        self.0.iter().filter(idle).map(|entry| entry.text.as_str()).collect()
    }

    fn of(&self, table: &TableName) -> impl Iterator<Item = &Entry> {
        self.0.iter().filter(|entry| entry.is_of(table))
    }
}

impl Entry {
    fn parse(text: &str) -> Result<Self, String> {
        let parts = text.split_once(':').map(|(tables, columns)| (tables.trim(), columns.trim()));
        let (tables, columns) = parts.ok_or_else(|| form(text))?;
        let columns: Vec<String> = columns.split(',').map(|name| name.trim().to_owned()).collect();
        let named = columns.iter().all(|name| !name.is_empty() && !name.contains(':'));
        if tables.is_empty() || !named {
            return Err(form(text));
        }
        Ok(Self { tables: Expression::parse(tables)?, text: text.to_owned(), columns })
    }

    fn is_of(&self, table: &TableName) -> bool {
        self.tables.matches(&format!("{}.{}", table.database, table.table))
    }
}

fn form(text: &str) -> String {
    format!("\"{text}\" is not of the form database.table:column,column")
}

fn unknown(table: &Table, name: &str) -> Error {
    let has: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    Error::new(Kind::RecordKey, format!("{}: \"message.key.columns\" names a column {name}", table.name))
        .detail(format!("it has {}", has.join(", ")))
        .hint("name columns of the table, or let the expression before the colon match fewer tables")
}

#[cfg(test)]
mod tests;
