//! Some transactions as whoever folds them sees them, so that what it is to find can be forged.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::draft::{self, Draft};
use super::fold::{Mark, RowChange};
use super::model::{History, Row, SHAPES, TABLES};
use super::side::{self, SIDE, Side, WRITERS};
use super::workload::Profile;
use crate::kit::Dice;

/// How many transactions.
const TRANSACTIONS: u64 = 3;

/// A source's history.
pub struct Scene {
    pub history: History,
    pub side: Side,
    /// What each transaction changed, two rows or more; at first all that was there before.
    pub transactions: Vec<Vec<RowChange>>,
}

impl Scene {
    pub fn new() -> Self {
        let mut state = draft::initial(Profile { bulk_rows: 10, ..Profile::MIXED });
        let (history, side) = (History::new(&state), Side::default());
        side.begin();
        let comes =
            |table, line: &String| RowChange { table, before: None, after: Some(Mark::of(table, line)) };
        let of = |table| state.lines(table).iter().map(|line| comes(table, line)).collect::<Vec<_>>();
        let mut first: Vec<RowChange> = (0..TABLES).flat_map(of).collect();
        first.extend((0..WRITERS).flat_map(side::first_lines).map(|line| comes(SIDE, &line)));
        let mut transactions = vec![first];
        let mut dice = Dice::of(1);
        for number in 1..=TRANSACTIONS {
            let mut draft = Draft::begin(&mut state, number);
            draft.grow(&mut dice);
            history.plan(&draft.changes);
            let changes = draft.changes.iter().map(|change| {
                let mark = |row: &Option<Row>| {
                    row.as_ref().map(|row| Mark::of(change.table, &SHAPES[change.table].text(row)))
                };
                RowChange { table: change.table, before: mark(&change.before), after: mark(&change.after) }
            });
            transactions.push(changes.collect());
        }
        Self { history, side, transactions }
    }

    /// One of them in two parts.
    pub fn halves(&self, number: usize) -> (Vec<RowChange>, Vec<RowChange>) {
        let (first, rest) = self.transactions[number].split_at(1);
        assert!(!rest.is_empty(), "it changes several rows");
        (first.to_vec(), rest.to_vec())
    }
}

/// What a checker says that is to refuse.
pub fn refused<T>(check: impl FnOnce() -> T) -> String {
    let said = catch_unwind(AssertUnwindSafe(check)).err().expect("it was let pass");
    said.downcast_ref::<String>().expect("it says what is wrong").clone()
}
