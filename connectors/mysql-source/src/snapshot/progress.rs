//! How far the snapshot of each table is: what is stored with its rows, so that
//! a restart goes on after the last row delivered.

use cdc_sdk::{Error, Kind, Result, TableName};
use serde_json::{Value as Json, json};

use super::key::KeyBound;

/// One table's state, as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct TableProgress {
    /// The table.
    pub table: TableName,
    /// How far it is.
    pub state: TableState,
    /// Why it is read though the consumer has had it; `None`: it is read for the first time, or not at all.
    pub again: Option<Again>,
}

/// A table that is read once more, because somebody asked for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Again {
    /// Only the rows for which this SQL expression holds; `None`: all.
    pub condition: Option<String>,
    /// What the consumer has of the table goes first.
    pub empty_first: bool,
    /// The one consumer that it is read for; `None`: all.
    pub addressee: Option<String>,
}

/// How far the snapshot of a table is.
#[derive(Clone, Debug, PartialEq)]
pub enum TableState {
    /// Nothing of it is delivered (or what is must be truncated first).
    Pending,
    /// Some rows are delivered.
    Reading {
        /// All rows up to this key; `None` for a table without identity, whose
        /// reading cannot be gone on with after a restart.
        after: Option<KeyBound>,
        /// How many rows were read.
        rows: u64,
    },
    /// All rows are delivered, or the table began empty in the stream.
    Done {
        /// How many rows were read.
        rows: u64,
    },
}

/// The version of the stored form.
const VERSION: u64 = 1;

/// The version with `again`. Only what has it is stored so: an older program that overlooked it
/// would read for everybody what was asked for by one.
const VERSION_AGAIN: u64 = 2;

/// The version with a key that tells by which order it was reached. An older program would go on behind it in whatever
/// order the table has now. What older programs stored is read: without its order such a table begins again.
const VERSION_ORDER: u64 = 3;

impl TableProgress {
    /// Of a table that is read for the first time, or not at all.
    pub fn of(table: TableName, state: TableState) -> Self {
        Self { table, state, again: None }
    }

    /// As it is stored.
    pub fn to_json(&self) -> String {
        let (state, after, rows) = match &self.state {
            TableState::Pending => ("pending", Json::Null, 0),
            TableState::Reading { after, rows } => {
                ("reading", after.as_ref().map_or(Json::Null, KeyBound::to_json), *rows)
            }
            TableState::Done { rows } => ("done", Json::Null, *rows),
        };
        let mut json = json!({
            "version": VERSION,
            "database": self.table.database,
            "table": self.table.table,
            "state": state,
            "after": after,
            "rows": rows,
        });
        if let Some(Again { condition, empty_first, addressee }) = &self.again {
            json["version"] = json!(VERSION_AGAIN);
            json["again"] =
                json!({ "condition": condition, "empty_first": empty_first, "addressee": addressee });
        }
        if matches!(&self.state, TableState::Reading { after: Some(bound), .. } if !bound.orders.is_empty()) {
            json["version"] = json!(VERSION_ORDER);
        }
        json.to_string()
    }

    /// The reverse of [`TableProgress::to_json`].
    ///
    /// # Errors
    /// [`Kind::UnknownVersion`] for another version, [`Kind::BadPosition`] for
    /// what is not such a text.
    pub fn from_json(text: &str) -> Result<Self> {
        let json: Json = serde_json::from_str(text).map_err(|e| unreadable(text).caused_by(e))?;
        match json.get("version").and_then(Json::as_u64) {
            Some(VERSION | VERSION_AGAIN | VERSION_ORDER) => read(&json).ok_or_else(|| unreadable(text)),
            Some(other) => Err(Error::new(
                Kind::UnknownVersion,
                format!(
                    "the stored progress of a table has version {other}; this program reads {VERSION} to {VERSION_ORDER}"
                ),
            )
            .hint("run the version of the program that wrote it, or a newer one")),
            None => Err(unreadable(text)),
        }
    }
}

fn unreadable(text: &str) -> Error {
    Error::new(Kind::BadPosition, "the stored progress of a table cannot be read").detail(text.to_owned())
}

fn read(json: &Json) -> Option<TableProgress> {
    let name = |field| json.get(field).and_then(Json::as_str);
    let rows = json.get("rows")?.as_u64()?;
    let state = match name("state")? {
        "pending" => TableState::Pending,
        "reading" => {
            let after = match json.get("after")? {
                Json::Null => None,
                bound => Some(KeyBound::from_json(bound)?),
            };
            TableState::Reading { after, rows }
        }
        "done" => TableState::Done { rows },
        _ => return None,
    };
    let again = match json.get("again") {
        Some(again) => Some(again_of(again)?),
        None => None,
    };
    Some(TableProgress { table: TableName::new(name("database")?, name("table")?), state, again })
}

fn again_of(json: &Json) -> Option<Again> {
    let text = |field| match json.get(field)? {
        Json::Null => Some(None),
        text => text.as_str().map(|text| Some(text.to_owned())),
    };
    Some(Again {
        condition: text("condition")?,
        empty_first: json.get("empty_first")?.as_bool()?,
        addressee: text("addressee")?,
    })
}

/// How far all tables are together, so that an ETA can be shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SnapshotProgress {
    /// Tables in all.
    pub tables_total: u64,
    /// Tables that are through.
    pub tables_done: u64,
    /// Rows read so far, in earlier runs too.
    pub rows: u64,
    /// Rows in all, as the engine estimated at the start; never less than `rows`.
    pub rows_estimated: u64,
    /// It was told to pause, and something is left to read.
    pub paused: bool,
}

#[cfg(test)]
mod tests;
