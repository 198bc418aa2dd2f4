//! Compares what was published with what the workload did: each row change once and
//! in order per key; and in between, at most once for each key and snapshot, the row as that
//! has read it, which must be what the key was at that place. A table without a key has
//! its rows in one piece, at first or after a truncation, and what came before is in them.

use std::collections::BTreeMap;

use super::model::{Change, EMPTIED, History, SEQ, SHAPES, State, brief};

/// What one change looks like on the wire: the operation's letter, the row before, the row after.
pub type Seen = (&'static str, Option<String>, Option<String>);

/// All changes of one key, or of a table without one, in order.
pub type ByKey = BTreeMap<(usize, String), Vec<Seen>>;

/// The letter of a row of the snapshot.
pub const READ: &str = "r";

/// The letter of a truncation: what was before it does not count.
pub const TRUNCATE: &str = "t";

/// The letter of a row that a truncation took away: no record of its key tells of it.
const GONE: &str = "-";

/// Compares with the history up to a transaction.
pub fn compare(mut seen: ByKey, history: &History, number: u64) {
    let (mut state, journal) = history.up_to(number);
    let first = first_streamed(&seen).unwrap_or(number + 1);
    let (before, streamed) = journal.split_at(usize::try_from(first - 1).unwrap());
    before.iter().flatten().for_each(|change| state.apply(change));
    let (rows, changes) = (rows_of(&state), changes_of(streamed));
    let none = (Vec::new(), Vec::new());
    let truncations = seen.remove(&(EMPTIED, String::new())).unwrap_or_default();
    assert!(truncations.iter().all(|(op, ..)| *op == TRUNCATE), "records without a key: {truncations:?}");
    assert_eq!(truncations.len(), history.truncations(), "truncations in Kafka, and made");
    let places = rows.keys().chain(changes.keys()).chain(seen.keys());
    for place in places.collect::<std::collections::BTreeSet<_>>() {
        let of_key = OfKey {
            name: format!("{} key '{}' from transaction {first} on", SHAPES[place.0].name, place.1),
            keyed: SHAPES[place.0].keyed,
            rows: rows.get(place).unwrap_or(&none.0).clone(),
            changes: changes.get(place).unwrap_or(&none.1),
            readings: 1 + history.asked(place.0),
        };
        of_key.compare(seen.get(place).unwrap_or(&none.1));
    }
}

/// The number of the first transaction that came by the binlog.
fn first_streamed(seen: &ByKey) -> Option<u64> {
    let of_seq = seen.iter().filter(|((table, _), _)| *table == SEQ);
    let streamed = of_seq.filter_map(|(_, changes)| changes.iter().find(|(op, ..)| *op != READ));
    streamed.filter_map(|(_, _, after)| after.as_ref()?.split('|').nth(1)?.parse().ok()).min()
}

fn rows_of(state: &State) -> BTreeMap<(usize, String), Vec<String>> {
    let mut all = BTreeMap::<_, Vec<String>>::new();
    for (table, shape) in SHAPES.iter().enumerate() {
        for line in state.lines(table) {
            all.entry((table, shape.key(&line))).or_default().push(brief(&line));
        }
    }
    all
}

/// The changes of each key in these transactions.
pub fn changes_of(journal: &[Vec<Change>]) -> ByKey {
    let mut all = ByKey::new();
    for Change { table, before, after, silent } in journal.iter().flatten() {
        let shape = &SHAPES[*table];
        let of = |row: &Option<_>| row.as_ref().map(|row| brief(&shape.text(row)));
        let (before, after) = (of(before), of(after));
        let keys = (before.as_ref().map(|l| shape.key(l)), after.as_ref().map(|l| shape.key(l)));
        let mut put = |key: String, seen: Seen| all.entry((*table, key)).or_default().push(seen);
        match keys {
            (Some(old), Some(new)) if old == new => put(new, ("u", before, after)),
            (old, new) => {
                if let Some(old) = old {
                    put(old, (if *silent { GONE } else { "d" }, before, None));
                }
                if let Some(new) = new {
                    put(new, ("c", None, after));
                }
            }
        }
    }
    all
}

/// What should be there of one key.
pub struct OfKey<'h> {
    pub name: String,
    pub keyed: bool,
    /// The rows when the stream began; then as each change leaves them.
    pub rows: Vec<String>,
    pub changes: &'h [Seen],
    /// How often a snapshot may have read it.
    pub readings: u64,
}

impl OfKey<'_> {
    /// Compares with what was published of it.
    pub fn compare(mut self, seen: &[Seen]) {
        let (mut next, mut snapshots) = (0, 0_u64);
        let mut rest = seen;
        if !self.keyed {
            rest = self.behind_truncation(seen);
            next = self.changes.len() - rest.iter().filter(|(op, ..)| *op != READ).count();
            (0..next).for_each(|number| self.make(number));
        }
        while let Some((op, ..)) = rest.first() {
            if *op == READ {
                let together = rest.iter().take_while(|(op, ..)| *op == READ).count();
                let count = if self.keyed { 1 } else { together };
                let read = rest[..count].iter().map(|(_, _, after)| after.clone().unwrap());
                self.is_read(read.collect(), next);
                (snapshots, rest) = (snapshots + 1, &rest[count..]);
            } else {
                // Nothing is truncated before the snapshot is through.
                while self.changes.get(next).is_some_and(|(op, ..)| *op == GONE) {
                    self.make(next);
                    next += 1;
                }
                let made = self.changes.get(next);
                assert!(Some(&rest[0]) == made, "{}: change {next}: {:?}, not {made:?}", self.name, rest[0]);
                self.make(next);
                (next, rest) = (next + 1, &rest[1..]);
            }
        }
        let missing = self.changes.get(next..).and_then(|rest| rest.iter().find(|(op, ..)| *op != GONE));
        assert!(
            missing.is_none(),
            "{}: change {next} of {} is missing: {missing:?}",
            self.name,
            self.changes.len()
        );
        assert!(snapshots <= self.readings, "{}: the snapshot brought it {snapshots} times", self.name);
        // A row that the stream brings anew need not be in the snapshot.
        let unread = snapshots == 0 && (!self.keyed || (!self.rows.is_empty() && self.changes.is_empty()));
        assert!(!unread, "{}: the snapshot left it out", self.name);
    }

    /// What counts of a table that can be read in one piece only.
    fn behind_truncation<'s>(&self, seen: &'s [Seen]) -> &'s [Seen] {
        let from = seen.iter().rposition(|(op, ..)| *op == TRUNCATE).map_or(0, |at| at + 1);
        let rest = &seen[from..];
        let changes = rest.iter().filter(|(op, ..)| *op != READ).count();
        assert!(changes <= self.changes.len(), "{}: {changes} changes of {}", self.name, self.changes.len());
        rest
    }

    /// What the snapshot brought is what the key was at that place.
    fn is_read(&mut self, mut read: Vec<String>, next: usize) {
        read.sort_unstable();
        self.rows.sort_unstable();
        assert!(
            read == self.rows,
            "{}: the snapshot brought it before change {next} as {} rows, not {}: {:?}, not {:?}",
            self.name,
            read.len(),
            self.rows.len(),
            read.iter().find(|row| !self.rows.contains(row)),
            self.rows.iter().find(|row| !read.contains(row))
        );
    }

    fn make(&mut self, number: usize) {
        let (_, before, after) = &self.changes[number];
        if let Some(before) = before {
            let at = self.rows.iter().position(|row| row == before).unwrap();
            self.rows.swap_remove(at);
        }
        self.rows.extend(after.clone());
    }
}
