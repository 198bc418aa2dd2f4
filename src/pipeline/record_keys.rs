//! `message.key.columns`, table by table: which key records get, whether it can be, and that it stays.
//!
//! A key that was chosen decides about the partition, so it must keep the changes of a row in order
//! ([`Table::role_of`]). What was chosen is stored on `prefix.state` with a topic's first event: with another choice the
//! later changes of a row would go to another partition than the earlier ones.
//!
//! Where rows share a key nothing but the table in the value schema tells a sink so, and the compaction of the topic
//! would take rows away: without the one, or with the other, such a choice is refused.

use std::collections::HashMap;
use std::sync::Arc;

use cdc_sdk::{Error, KeyRole, Kind, Result, Table, TableName};
use serde::{Deserialize, Serialize};

use super::recovery;
use super::table_book::Stored;
use crate::config::CleanupPolicy;
use crate::envelope::{KeyColumns, Modes};

/// The choice, and what was stored of it.
pub struct RecordKeys {
    chosen: KeyColumns,
    /// Whether the table travels in its value schema.
    carried: bool,
    cleanup: CleanupPolicy,
    /// By the table's first topic.
    stored: HashMap<String, ChosenKey>,
}

/// What was chosen for a table, as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChosenKey {
    version: u32,
    /// Names in lower case; none: what identifies a row.
    columns: Vec<String>,
}

impl ChosenKey {
    const VERSION: u32 = 1;

    /// As it is stored; `None` for another version.
    pub fn from_json(json: &str) -> Option<Self> {
        serde_json::from_str::<Self>(json).ok().filter(|read| read.version == Self::VERSION)
    }

    fn to_json(&self) -> Result<String> {
        let bug = |e| Error::new(Kind::Bug, "the key of a table's records cannot be written").caused_by(e);
        serde_json::to_string(self).map_err(bug)
    }
}

impl RecordKeys {
    /// As the settings choose.
    pub fn new(modes: &Modes, cleanup: CleanupPolicy, stored: HashMap<String, ChosenKey>) -> Self {
        Self { chosen: modes.key_columns.clone(), carried: modes.carry_table, cleanup, stored }
    }

    /// Whether a key is chosen for a table, or was.
    pub fn concern(&self, base: &str, table: &TableName) -> bool {
        self.chosen.concern(table) || self.stored.get(base).is_some_and(|key| !key.columns.is_empty())
    }

    /// The entries of the option that none of these tables is of.
    pub fn idle(&self, tables: &[&TableName]) -> Vec<&str> {
        self.chosen.idle(tables)
    }

    /// The table with the key that is chosen for its records.
    ///
    /// # Errors
    /// [`Kind::RecordKey`] where it cannot be.
    pub fn of(&self, table: &Arc<Table>) -> Result<Arc<Table>> {
        let columns = self.chosen.columns(table)?;
        if let Some(columns) = &columns {
            self.check(table, columns)?;
        }
        let chosen_key = columns.filter(|columns| table.identity().as_ref() != Some(columns));
        if chosen_key == table.chosen_key {
            return Ok(Arc::clone(table));
        }
        let version = if chosen_key.is_some() { Table::VERSION_CHOSEN_KEY } else { Table::VERSION };
        Ok(Arc::new(Table { version, chosen_key, ..(**table).clone() }))
    }

    fn check(&self, table: &Table, columns: &[usize]) -> Result<()> {
        let named = names(table, columns).join(", ");
        match table.role_of(columns) {
            None => Err(no_order(table, &named)),
            Some(KeyRole::TellsRows) => Ok(()),
            Some(KeyRole::Shared | KeyRole::Keyless) if !self.carried => {
                let what = format!("{}: rows share the key ({named}), which no sink could know", table.name);
                Err(Error::new(Kind::RecordKey, what)
                    .detail("\"profile\" = \"debezium\": its schemas do not tell what identifies a row, so a sink takes the record's key for it")
                    .hint("leave the profile out; or choose columns that hold a whole key of the table (message.key.columns)"))
            }
            Some(KeyRole::Shared | KeyRole::Keyless) => match self.cleanup {
                CleanupPolicy::Delete => Ok(()),
                CleanupPolicy::Compact => {
                    Err(compacted(table, &format!("[topics] cleanup_policy = \"{}\"", self.cleanup)))
                }
            },
        }
    }

    /// What is to be stored of a table whose topic is opened; `base` is its first topic, which is new if no event
    /// was ever written there.
    ///
    /// # Errors
    /// [`Kind::TopicChanged`] where the topic's records have another key.
    pub fn pin(&mut self, base: &str, table: &Table, is_new: bool) -> Result<Option<Stored>> {
        let columns = self.chosen.columns(table)?.map(|columns| names(table, &columns));
        let now = ChosenKey { version: ChosenKey::VERSION, columns: columns.unwrap_or_default() };
        let before = self.stored.get(base).map(|before| before.columns.clone()).unwrap_or_default();
        if now.columns == before {
            return Ok(None);
        }
        if !is_new && in_effect(table, &now.columns) != in_effect(table, &before) {
            return Err(changed(base, table, &before, &now.columns));
        }
        let stored = Stored { key: recovery::chosen_key(base), json: now.to_json()? };
        self.stored.insert(base.to_owned(), now);
        Ok(Some(stored))
    }
}

/// The columns' names in lower case.
pub(super) fn names(table: &Table, columns: &[usize]) -> Vec<String> {
    columns.iter().filter_map(|&column| Some(table.columns.get(column)?.name.to_lowercase())).collect()
}

/// The names of the records' key.
fn in_effect(table: &Table, chosen: &[String]) -> Vec<String> {
    match chosen {
        [] => names(table, &table.identity().unwrap_or_default()),
        chosen => chosen.to_vec(),
    }
}

fn no_order(table: &Table, named: &str) -> Error {
    let identity = names(table, &table.identity().unwrap_or_default()).join(", ");
    let what = format!("{}: ({named}) cannot be the key of its records (message.key.columns)", table.name);
    Error::new(Kind::RecordKey, what)
        .detail(format!(
            "rows share it, and a row of ({identity}) can have one after the other: its changes would be in several \
             partitions, in no order"
        ))
        .hint(format!(
            "choose columns that hold ({identity}) or another key of the table whose columns are all NOT NULL; or a part \
             of ({identity})"
        ))
}

/// Rows that share a key, and a topic that keeps one record of each key.
pub(super) fn compacted(table: &Table, because: &str) -> Error {
    let named = names(table, &table.record_key().unwrap_or_default()).join(", ");
    let named = if named.is_empty() { "the chosen columns".to_owned() } else { format!("({named})") };
    Error::new(
        Kind::RecordKey,
        format!("{}: compaction would take rows away (message.key.columns)", table.name),
    )
    .detail(format!("rows share the key {named}, and {because}: of each key one record would stay"))
    .hint("set cleanup.policy=delete for the topic; or choose columns that hold a whole key of the table")
}

/// Records without a key, and a topic that takes none.
pub(super) fn compacted_without_key(table: &Table, topic: &str) -> Error {
    Error::new(
        Kind::RecordKey,
        format!("{}: its records have no key, and the topic {topic} is compacted", table.name),
    )
    .detail("the table has neither a primary key nor a unique one whose columns are all NOT NULL; brokers take no record without a key into a compacted topic")
    .hint("set cleanup.policy=delete for the topic; or give the table a primary key")
}

fn changed(base: &str, table: &Table, before: &[String], now: &[String]) -> Error {
    let shown = |chosen: &[String]| match chosen {
        [] => "what identifies a row".to_owned(),
        chosen => format!("({})", chosen.join(", ")),
    };
    let what = format!("{}: the key of its records would change (message.key.columns)", table.name);
    Error::new(Kind::TopicChanged, what)
        .detail(format!("on {base} it is {}, by the settings {}", shown(before), shown(now)))
        .hint(
            "a row must keep its partition: set the option as it was; or start under a new topic prefix with a new \
             snapshot",
        )
}

#[cfg(test)]
mod tests;
