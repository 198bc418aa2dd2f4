//! Which keys are in quarantine, as the ledger has it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use cdc_sdk::cut::Place;
use cdc_sdk::{Table, TableName};

use super::{Why, made_of};

/// A key in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The source's table.
    pub table: TableName,
    /// The key's datum; `None`: every row of the table.
    pub key: Option<Bytes>,
    /// What the datum is made of, by which keys of another key of the table are told apart; `None`: not known, or the
    /// whole table.
    pub made_of: Option<Arc<str>>,
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

    /// Whether rows of a table are in by keys that are made of something else than those of this schema: which of them a
    /// change is of, nothing tells. Not where the whole table is in.
    pub(crate) fn has_other_keys(&self, table: &Table) -> bool {
        let Some(keys) = self.tables.get(&table.name).filter(|keys| !keys.contains_key(&None)) else {
            return false;
        };
        let here = made_of(table);
        keys.values().any(|held| held.made_of.is_some() && held.made_of != here)
    }

    /// How many rows of a table are in by themselves.
    pub(crate) fn rows_of(&self, table: &TableName) -> usize {
        self.tables.get(table).map_or(0, |keys| keys.keys().flatten().count())
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
                known.made_of = held.made_of.or(known.made_of.take());
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

    /// The keys of a table that are in.
    pub(crate) fn of_table(&self, table: &TableName) -> impl Iterator<Item = &Held> {
        self.tables.get(table).into_iter().flat_map(HashMap::values)
    }
}
