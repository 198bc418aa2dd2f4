//! Which keys are in quarantine, as the ledger has it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use cdc_sdk::TableName;
use cdc_sdk::cut::Place;

use super::Why;

/// A key in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The source's table.
    pub table: TableName,
    /// The key's datum; `None`: every row of the table.
    pub key: Option<Bytes>,
    /// The key as people read it.
    pub shown: Arc<str>,
    /// The first error.
    pub why: Arc<Why>,
    /// When that was, µs since 1970.
    pub since_us: i64,
    /// Its letters.
    pub letters: u64,
    /// The first event's record.
    pub first: Place,
    /// The last event's record.
    pub last: Place,
    /// No letter of it stands before this offset of the dead letters' topic.
    pub letters_from: i64,
}

/// All keys in quarantine of one sink.
#[derive(Clone, Debug, Default)]
pub struct Quarantine {
    tables: HashMap<TableName, HashMap<Option<Bytes>, Held>>,
    count: usize,
}

impl Quarantine {
    /// How many keys.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Why a change of this key may not be applied; `None` where it may.
    pub(crate) fn reason(&self, table: &TableName, key: &Option<Bytes>) -> Option<&Held> {
        let keys = self.tables.get(table)?;
        keys.get(&None).or_else(|| keys.get(key))
    }

    /// All, in a settled order.
    pub fn held(&self) -> Vec<&Held> {
        let mut all: Vec<&Held> = self.tables.values().flat_map(HashMap::values).collect();
        all.sort_by(|a, b| (&a.table, a.since_us, &a.key).cmp(&(&b.table, b.since_us, &b.key)));
        all
    }

    /// All, by table.
    pub fn by_table(&self) -> BTreeMap<&TableName, Vec<&Held>> {
        let mut tables: BTreeMap<&TableName, Vec<&Held>> = BTreeMap::new();
        for held in self.held() {
            tables.entry(&held.table).or_default().push(held);
        }
        tables
    }

    /// Takes a key in, or more letters of one that is in.
    pub(crate) fn take_in(&mut self, held: Held) {
        let keys = self.tables.entry(held.table.clone()).or_default();
        match keys.get_mut(&held.key) {
            Some(known) => {
                known.letters += held.letters;
                known.last = held.last;
            }
            None => {
                keys.insert(held.key.clone(), held);
                self.count += 1;
            }
        }
    }

    /// Releases a key.
    pub(crate) fn release(&mut self, table: &TableName, key: &Option<Bytes>) {
        if let Some(keys) = self.tables.get_mut(table)
            && keys.remove(key).is_some()
        {
            self.count -= 1;
            if keys.is_empty() {
                self.tables.remove(table);
            }
        }
    }

    /// Releases all keys of a table.
    pub(crate) fn release_table(&mut self, table: &TableName) {
        let released = self.tables.remove(table);
        self.count -= released.map_or(0, |keys| keys.len());
    }

    /// Whether any key of a table is in.
    pub(crate) fn has_table(&self, table: &TableName) -> bool {
        self.tables.contains_key(table)
    }
}
