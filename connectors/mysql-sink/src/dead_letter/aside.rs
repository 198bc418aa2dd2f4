//! What of one batch is not applied: changes of keys in quarantine, and of those that go there with it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use cdc_sdk::cut::Place;
use cdc_sdk::value::Row;
use cdc_sdk::{Error, Kind, Op, Table, TableName};

use super::{Guilty, Held, Letter, Origin, Quarantine, Why, made_of, shown_key};
use crate::batch::Change;

/// Keys whose changes in a batch become letters.
#[derive(Debug, Default)]
pub(crate) struct Aside {
    tables: HashMap<TableName, HashMap<Option<Bytes>, Reason>>,
    /// How many of them are new to the quarantine.
    pub new: usize,
}

/// Why, and how the key is shown.
#[derive(Debug)]
struct Reason {
    why: Arc<Why>,
    shown: Arc<str>,
}

impl Aside {
    /// What is known before anything is tried. Costs a look at each change only where there is a quarantine.
    pub fn of<R: Row>(changes: &[Change<R>], quarantine: &Quarantine) -> Self {
        let mut aside = Self::default();
        for change in changes.iter().filter(|c| c.op != Op::Truncate) {
            let table = &change.table.name;
            if let Some(held) = quarantine.reason(table, &change.key) {
                aside.insert(table, &held.key, Arc::clone(&held.why), Arc::clone(&held.shown));
            } else if let Some(error) = &change.unreadable {
                let shown = shown_key::<R>(&change.table, change.key.as_ref(), None);
                aside.new += usize::from(aside.insert(table, &change.key, Arc::new(Why::of(error)), shown));
            }
        }
        aside
    }

    /// Sets tables aside as a whole of which rows are held by keys that are made of something else than those of these
    /// changes.
    pub fn add_other_keys<R>(&mut self, changes: &[Change<R>], quarantine: &Quarantine) {
        for table in schemas(changes).filter(|table| quarantine.has_other_keys(table)) {
            let why = Arc::new(Why::of(&other_key(table, quarantine.rows_of(&table.name))));
            self.new += usize::from(self.insert(&table.name, &None, why, "*".into()));
        }
    }

    /// Whether everything is applied.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// Adds what a search has found.
    pub fn extend<R: Row>(&mut self, found: Vec<Guilty<'_, R>>) {
        for Guilty { change, error } in found {
            let image = change.after.as_ref().or(change.before.as_ref());
            let shown = shown_key(&change.table, change.key.as_ref(), image);
            let why = Arc::new(Why::of(&error));
            self.new += usize::from(self.insert(&change.table.name, &change.key, why, shown));
        }
    }

    fn insert(&mut self, table: &TableName, key: &Option<Bytes>, why: Arc<Why>, shown: Arc<str>) -> bool {
        let keys = match self.tables.get_mut(table) {
            Some(keys) => keys,
            None => self.tables.entry(table.clone()).or_default(),
        };
        if keys.contains_key(key) {
            return false;
        }
        keys.insert(key.clone(), Reason { why, shown });
        true
    }

    /// Whether a change is not applied.
    pub fn has<R>(&self, change: &Change<R>) -> bool {
        self.reason(change).is_some()
    }

    fn reason<'c, R>(&'c self, change: &'c Change<R>) -> Option<(Option<&'c Bytes>, &'c Reason)> {
        if change.op == Op::Truncate {
            return None;
        }
        let keys = self.tables.get(&change.table.name)?;
        let whole = keys.get(&None).map(|reason| (None, reason));
        whole.or_else(|| Some((change.key.as_ref(), keys.get(&change.key)?)))
    }

    /// The changes that become letters, in the batch's order. A replay passes rows without a key by, so they do
    /// not become letters again either.
    fn leaving<'c, R>(
        &'c self,
        changes: &'c [Change<R>],
        repeats: bool,
    ) -> impl Iterator<Item = (&'c Change<R>, Option<&'c Bytes>, &'c Reason)> {
        changes.iter().filter_map(move |change| {
            let (key, reason) = self.reason(change)?;
            let again = repeats && change.unreadable.is_none() && change.table.identity().is_none();
            (!again).then_some((change, key, reason))
        })
    }

    /// The letters of the batch, in its order.
    pub fn letters<R>(&self, changes: &[Change<R>], repeats: bool) -> Vec<Letter> {
        let letter = |(change, _, reason): (&Change<R>, _, &Reason)| Letter {
            origin: change.origin,
            table: change.table.name.clone(),
            key: Arc::clone(&reason.shown),
            why: Arc::clone(&reason.why),
        };
        self.leaving(changes, repeats).map(letter).collect()
    }

    /// What the ledger says of them: each key once, with its letters.
    pub fn held<R>(
        &self,
        changes: &[Change<R>],
        repeats: bool,
        letters_from: i64,
        place: impl Fn(Origin) -> Place,
    ) -> Vec<Held> {
        let mut all: Vec<Held> = Vec::new();
        let mut index = HashMap::new();
        for (change, key, reason) in self.leaving(changes, repeats) {
            let at = *index.entry((&change.table.name, key)).or_insert(all.len());
            let here = place(change.origin);
            if let Some(held) = all.get_mut(at) {
                held.letters += 1;
                held.last = here;
                continue;
            }
            all.push(Held {
                table: change.table.name.clone(),
                key: key.cloned(),
                made_of: key.and_then(|_| made_of(&change.table)),
                shown: Arc::clone(&reason.shown),
                why: Arc::clone(&reason.why),
                since_us: now_us(),
                letters: 1,
                first: here.clone(),
                last: here,
                letters_from,
            });
        }
        all
    }
}

/// The schemas of the rows that can be read, each once.
pub(crate) fn schemas<R>(changes: &[Change<R>]) -> impl Iterator<Item = &Arc<Table>> {
    let mut seen = HashSet::new();
    let rows = changes.iter().filter(|c| c.op != Op::Truncate && c.unreadable.is_none());
    rows.map(|c| &c.table).filter(move |table| seen.insert(Arc::as_ptr(table)))
}

fn other_key(table: &Table, rows: usize) -> Error {
    let what = format!("the key of {} is another since {rows} of its rows wait in quarantine", table.name);
    let now = made_of(table);
    Error::new(Kind::DeadLettersFull, what)
        .detail(format!(
            "it is ({}) now: whether a change is of one of them, nothing tells",
            now.as_deref().unwrap_or("none")
        ))
        .hint(format!("release the rows, then the table: cdc dead-letter retry --table {}", table.name))
}

/// Microseconds since 1970.
pub(super) fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
