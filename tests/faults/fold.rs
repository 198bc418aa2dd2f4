//! What all tables hold, as numbers: rows come and go, and in between is asked whether the
//! source held just that. For each row it takes a few bytes, however long the row is.

use std::collections::HashMap;

use super::model::{A_ROW, Digest, History, SEQ, SHAPES, Shape, TABLES, hash};
use super::side::{self, SIDE, Side, WRITERS};

/// A row, as far as a digest and a comparison of ages need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// `None` where its table has no key.
    pub key: Option<i64>,
    pub hash: u64,
    /// The transaction that wrote it last; 0 where its table does not tell.
    pub n: u64,
}

impl Mark {
    /// Of a row as a line.
    pub fn of(table: usize, line: &str) -> Self {
        let shape = shape(table);
        let cell = |column: usize| line.split('|').nth(column).unwrap();
        let key = shape.keyed.then(|| cell(0).parse().unwrap());
        let n = shape.columns.iter().position(|column| *column == "n");
        let n = n.and_then(|column| cell(column).parse().ok()).unwrap_or_default();
        Self { key, hash: hash(line), n }
    }
}

/// The shape of a table of the workload, or of that beside it.
pub fn shape(table: usize) -> &'static Shape {
    SHAPES.get(table).unwrap_or(&side::SHAPE)
}

/// The table of that name.
pub fn table(name: &str) -> Option<usize> {
    (0..=SIDE).find(|table| shape(*table).name == name)
}

/// A row that comes, goes or changes.
#[derive(Clone, Copy, Debug)]
pub struct RowChange {
    pub table: usize,
    pub before: Option<Mark>,
    pub after: Option<Mark>,
}

/// What the tables hold.
#[derive(Default)]
pub struct Held {
    rows: [HashMap<i64, Mark>; TABLES + 1],
    digest: Digest,
    beside: [u64; WRITERS],
}

impl Held {
    /// Makes a change. A row with a key takes the place of the one that has it.
    pub fn apply(&mut self, change: &RowChange) {
        for (mark, comes) in [(change.before, false), (change.after, true)] {
            let Some(mark) = mark else { continue };
            let Some(key) = mark.key else {
                self.count(change.table, &mark, comes);
                continue;
            };
            let rows = &mut self.rows[change.table];
            let there = if comes { rows.insert(key, mark) } else { rows.remove(&key) };
            if let Some(there) = there {
                self.count(change.table, &there, false);
            }
            if comes {
                self.count(change.table, &mark, true);
            }
        }
    }

    /// Takes all rows of a table away.
    pub fn empty(&mut self, table: usize) {
        self.rows[table].clear();
        match self.digest.get_mut(table) {
            Some(digest) => *digest = 0,
            None => self.beside = Default::default(),
        }
    }

    fn count(&mut self, table: usize, mark: &Mark, comes: bool) {
        let sum = match self.digest.get_mut(table) {
            Some(sum) => sum,
            None => &mut self.beside[side::writer_of(mark.key.unwrap())],
        };
        *sum = if comes { sum.wrapping_add(mark.hash) } else { sum.wrapping_sub(mark.hash) };
    }

    /// After which transaction of the source it held this; fails where it never did. Also how far the writers beside
    /// are.
    pub fn assert_was(&self, history: &History, side: &Side, place: &impl std::fmt::Display) -> Stand {
        let number = self.rows[SEQ].values().map(|mark| mark.n).max();
        let number = number.unwrap_or_else(|| panic!("{place}: there is no number in seq"));
        if !history.has(number, &self.digest) {
            let rows = self.digest.map(|sum| sum / A_ROW);
            let found = history.explain_digest(number, &self.digest);
            panic!(
                "{place}: this is not what the source held after transaction {number}:\n{found}\nrows: {rows:?}"
            );
        }
        let beside = std::array::from_fn(|writer| {
            let number = self.rows[SIDE].get(&side::first_of(writer)).map(|mark| mark.n);
            let number = number.unwrap_or_else(|| panic!("{place}: writer {writer} beside has no rows"));
            assert!(
                side.had(writer, number, self.beside[writer]),
                "{place}: this is not what writer {writer} beside had written with its transaction {number}"
            );
            number
        });
        Stand { number, beside }
    }
}

/// How far the writers are in what is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stand {
    pub number: u64,
    pub beside: [u64; WRITERS],
}

impl Stand {
    /// Whether nobody went back since then.
    pub fn follows(&self, last: &Self) -> bool {
        self.number >= last.number && self.beside.iter().zip(&last.beside).all(|(now, then)| now >= then)
    }
}
