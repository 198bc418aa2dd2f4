//! A table's shape: columns in order, and keys.

use serde::{Deserialize, Serialize};

use crate::column::Column;
use crate::name::TableName;

/// A table as it was when a row of it was written.
///
/// It travels as JSON inside the Avro schema of the table's events (property
/// `cdc.table` of the record `Value`), so that a sink can make the same table
/// without asking the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Version of this stored form: [`Table::VERSION`].
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

    /// Unique keys other than the one that is the row's identity.
    pub fn secondary_unique_keys(&self) -> impl Iterator<Item = &Key> {
        let identity = self.identity();
        self.keys
            .iter()
            .filter(move |k| k.kind == KeyKind::Unique && (k.is_partial() || k.columns() != identity))
    }

    /// The index of a column by its name (MySQL compares column names without case).
    pub fn column_index(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name.eq_ignore_ascii_case(name))
    }

    fn sound_unique(&self, key: &Key) -> Option<Vec<usize>> {
        if key.is_partial() {
            return None;
        }
        key.columns()
            .filter(|columns| columns.iter().all(|&c| self.columns.get(c).is_some_and(|c| !c.nullable)))
    }
}

impl Key {
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
