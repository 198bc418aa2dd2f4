//! A table's shape: columns in order, and keys.

use serde::{Deserialize, Serialize};

use crate::column::Column;
use crate::name::{TableName, is_same_name};

/// A table as it was when a row of it was written.
///
/// It travels as JSON inside the Avro schema of the table's events (property
/// `cdc.table` of the record `Value`), so that a sink can make the same table
/// without asking the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Version of this stored form: [`Table::VERSION`], or [`Table::VERSION_CHOSEN_KEY`].
    pub version: u32,
    /// Its name on the source.
    pub name: TableName,
    /// Its columns in the order of the row image.
    pub columns: Vec<Column>,
    /// Its keys; the primary key first where there is one.
    pub keys: Vec<Key>,
    /// The table's default collation, which names its character set too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    /// Its comment.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// The columns of the records' key, in its order, where the user chose others than [`Table::identity`]. Who does not
    /// know of it would take the record's key for the row's identity: so it has a version of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen_key: Option<Vec<usize>>,
}

/// What a key that was chosen for records is to the rows of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRole {
    /// It holds a whole key of the table: no two rows share it.
    TellsRows,
    /// It is a part of the row's identity: rows share it, and all changes of one row have the same.
    Shared,
    /// The table's rows have no identity, and so one partition, whatever the key.
    Keyless,
}

/// A key (index) of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// What it is for.
    pub kind: KeyKind,
    /// Its name; `PRIMARY` for the primary key.
    pub name: String,
    /// Its parts in order.
    pub parts: Vec<KeyPart>,
    /// INVISIBLE: the server keeps it, and does not read by it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub invisible: bool,
    /// Its comment.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// PRIMARY KEY.
    Primary,
    /// UNIQUE KEY.
    Unique,
    /// A plain index.
    Index,
    /// FULLTEXT.
    Fulltext,
    /// SPATIAL.
    Spatial,
}

/// One part of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPart {
    /// A column, or an expression (functional key part, 8.0.13 and later).
    #[serde(flatten)]
    pub on: KeyOn,
    /// Length of a prefix, in characters or bytes as SQL declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<u32>,
    /// DESC.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub descending: bool,
}

/// What a key part stands on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyOn {
    /// The column's index in [`Table::columns`].
    Column(usize),
    /// An SQL expression, without the outer parentheses.
    Expression(String),
}

impl Table {
    /// The version of the stored form.
    pub const VERSION: u32 = 1;
    /// The version of the stored form with [`Table::chosen_key`].
    pub const VERSION_CHOSEN_KEY: u32 = 2;

    /// The table's default character set, which its collation's name begins with.
    pub fn charset(&self) -> Option<&str> {
        self.collation.as_deref()?.split('_').next()
    }

    /// The primary key.
    pub fn primary_key(&self) -> Option<&Key> {
        self.keys.iter().find(|k| k.kind == KeyKind::Primary)
    }

    /// The columns that say which row is meant, in key order: those of the
    /// primary key, else of the first unique key whose columns are all NOT NULL
    /// and whole; `None` where a row has no identity.
    pub fn identity(&self) -> Option<Vec<usize>> {
        let primary = self.primary_key().and_then(Key::columns);
        primary.or_else(|| {
            self.keys.iter().filter(|k| k.kind == KeyKind::Unique).find_map(|k| self.sound_unique(k))
        })
    }

    /// The columns of the records' key, in its order; `None`: records have none.
    pub fn record_key(&self) -> Option<Vec<usize>> {
        self.chosen_key.clone().or_else(|| self.identity())
    }

    /// The columns by which events tell rows apart: the identity, then what else the chosen key has. An update that changes
    /// any of them is a delete and a create. `None` where a row has no identity.
    pub fn event_key(&self) -> Option<Vec<usize>> {
        let mut columns = self.identity()?;
        for column in self.chosen_key.iter().flatten() {
            if !columns.contains(column) {
                columns.push(*column);
            }
        }
        Some(columns)
    }

    /// What columns would be as a key of records; `None` where the changes of one row would have several such keys, and
    /// rows would share them: in which order they happened nothing would tell.
    pub fn role_of(&self, columns: &[usize]) -> Option<KeyRole> {
        let Some(identity) = self.identity() else { return Some(KeyRole::Keyless) };
        let holds = |key: &[usize]| key.iter().all(|column| columns.contains(column));
        let uniques = self.keys.iter().filter(|k| k.kind == KeyKind::Unique);
        if holds(&identity) || uniques.filter_map(|k| self.sound_unique(k)).any(|key| holds(&key)) {
            return Some(KeyRole::TellsRows);
        }
        columns.iter().all(|column| identity.contains(column)).then_some(KeyRole::Shared)
    }

    /// Whether a record's key tells which row is meant.
    pub fn key_tells_rows(&self) -> bool {
        match &self.chosen_key {
            Some(columns) => self.role_of(columns) == Some(KeyRole::TellsRows),
            None => self.identity().is_some(),
        }
    }

    /// Whether a row stays in one partition as long as its identity does. Not where a key was chosen that holds more
    /// than the identity, or another key of the table.
    pub fn key_follows_identity(&self) -> bool {
        let Some((chosen, identity)) = self.chosen_key.as_ref().zip(self.identity()) else { return true };
        chosen.iter().all(|column| identity.contains(column))
    }

    /// Unique keys other than the one that is the row's identity.
    pub fn secondary_unique_keys(&self) -> impl Iterator<Item = &Key> {
        let identity = self.identity();
        self.keys
            .iter()
            .filter(move |k| k.kind == KeyKind::Unique && (k.is_partial() || k.columns() != identity))
    }

    /// The index of a column by its name, as MySQL compares names.
    pub fn column_index(&self, name: &str) -> Option<usize> {
        let exact = self.columns.iter().position(|c| c.name == name);
        exact.or_else(|| self.columns.iter().position(|c| is_same_name(&c.name, name)))
    }

    /// The columns of a unique key that tells all rows apart: whole, and none of them takes NULL.
    pub fn sound_unique(&self, key: &Key) -> Option<Vec<usize>> {
        if key.is_partial() {
            return None;
        }
        key.columns()
            .filter(|columns| columns.iter().all(|&c| self.columns.get(c).is_some_and(|c| !c.nullable)))
    }
}

impl Key {
    /// A key like any other: visible, without a comment.
    pub fn new(kind: KeyKind, name: &str, parts: Vec<KeyPart>) -> Self {
        Self { kind, name: name.to_owned(), parts, invisible: false, comment: String::new() }
    }

    /// The key's columns; `None` if a part is an expression.
    pub fn columns(&self) -> Option<Vec<usize>> {
        self.parts
            .iter()
            .map(|p| match p.on {
                KeyOn::Column(index) => Some(index),
                KeyOn::Expression(_) => None,
            })
            .collect()
    }

    /// Whether a part covers only a prefix of its column, or an expression.
    pub fn is_partial(&self) -> bool {
        self.parts.iter().any(|p| p.prefix.is_some() || matches!(p.on, KeyOn::Expression(_)))
    }
}

#[cfg(test)]
mod tests;
