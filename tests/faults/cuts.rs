//! Folds what was published cut by cut, as a consumer does that applies whole cuts: from the end of
//! the snapshot on, each cut that calls itself complete is a state that the source held.

use std::collections::BTreeMap;

use cdc_sdk::CutId;
use cdc_sdk::cut::CutKind;

use super::changes::{self, ByKey, READ, Seen, TRUNCATE, changes_of};
use super::fold::{Held, RowChange, Stand, shape};
use super::model::{EMPTIED, History, TABLES, brief};
use super::scene::{Scene, refused};
use super::side::Side;

/// A cut, as its record says.
#[derive(Clone, Copy, Debug)]
pub struct End {
    pub id: CutId,
    pub kind: CutKind,
    pub snapshot_complete: bool,
}

/// An event, and which cut it is of.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// Its place among the cuts.
    pub cut: usize,
    pub op: &'static str,
    pub change: RowChange,
}

/// All cuts in order, with what is in them.
#[derive(Debug, Default)]
pub struct ByCut {
    pub cuts: Vec<End>,
    /// Those of one key in order; of one cut in any order of keys.
    pub events: Vec<Event>,
    /// Of each key, the cuts of its changes, in the order of [`ByKey`].
    pub places: BTreeMap<(usize, String), Vec<usize>>,
}

impl ByCut {
    /// Compares each complete cut from that one on with what the source held; returns how many.
    pub fn compare(&mut self, history: &History, side: &Side, from: CutId) -> u64 {
        // What is of one cut and one key stays in its order.
        self.events.sort_by_key(|event| event.cut);
        let (mut held, mut last, mut checked) = (Held::default(), Stand::default(), 0);
        let mut events = self.events.iter().peekable();
        for (number, cut) in self.cuts.iter().enumerate() {
            while let Some(event) = events.next_if(|event| event.cut == number) {
                match event.op {
                    TRUNCATE => held.empty(event.change.table),
                    _ => held.apply(&event.change),
                }
            }
            if cut.kind != CutKind::Complete || cut.id < from {
                continue;
            }
            let place = format!("cut {}", cut.id);
            let stand = held.assert_was(history, side, &place);
            assert!(stand.follows(&last), "{place}: the source went back from {last:?} to {stand:?}");
            (last, checked) = (stand, checked + 1);
        }
        assert!(
            self.cuts.last().is_some_and(|cut| cut.kind == CutKind::Complete),
            "the last cut leaves a transaction open: {:?}",
            self.cuts.last()
        );
        checked
    }

    /// The first cut by which all tables have been read.
    pub fn whole_from(&self) -> CutId {
        let first = self.cuts.iter().find(|cut| cut.snapshot_complete);
        first.expect("the snapshot was read").id
    }

    /// The same where tables were read once more later on: that with the last row that was read.
    pub fn whole_again_from(&self) -> CutId {
        let read = self.events.iter().filter(|event| event.op == READ).map(|event| event.cut).max();
        self.whole_from().max(read.map_or(CutId::default(), |cut| self.cuts[cut].id))
    }

    /// Takes out what a table was read as before it was emptied to be read once more: what was committed in
    /// between, without an event of its own, may not be in it. The last truncations are the workload's own. Returns how
    /// many rows these were.
    pub fn forget_first_reading(&self, seen: &mut ByKey, truncations: usize) -> usize {
        let (mut emptied, mut left_out) = (BTreeMap::new(), 0);
        for event in self.events.iter().filter(|event| event.op == TRUNCATE) {
            let last = emptied.entry(event.change.table).or_insert(event.cut);
            *last = event.cut.max(*last);
        }
        for ((table, key), changes) in seen.iter_mut() {
            let Some(emptied) = emptied.get(table) else { continue };
            if key.is_empty() && shape(*table).keyed {
                let own = if *table == EMPTIED { truncations } else { 0 };
                changes.drain(..changes.len().saturating_sub(own));
                continue;
            }
            let mut cuts = self.places[&(*table, key.clone())].iter();
            let before = changes.len();
            changes.retain(|(op, ..)| *cuts.next().unwrap() >= *emptied || *op != READ);
            left_out += before - changes.len();
        }
        seen.retain(|_, changes| !changes.is_empty());
        left_out
    }
}

/// Cuts of a kind with these rows, in order.
fn forged(cuts: &[(CutKind, &[RowChange])]) -> ByCut {
    let mut all = ByCut::default();
    for (cut, (kind, rows)) in cuts.iter().enumerate() {
        let id = CutId { incarnation: 0, sequence: cut as u64 };
        all.cuts.push(End { id, kind: *kind, snapshot_complete: true });
        all.events.extend(rows.iter().map(|change| Event { cut, op: "u", change: *change }));
    }
    all
}

#[test]
fn a_complete_cut_with_half_a_transaction_is_found() {
    use CutKind::{Complete, Continues};
    let scene = Scene::new();
    let [initial, one, two, three] = scene.transactions.as_slice() else { panic!("there are three") };
    let (first, rest) = scene.halves(2);
    let run = |cuts: &[(CutKind, &[RowChange])]| {
        forged(cuts).compare(&scene.history, &scene.side, CutId::default())
    };
    let whole = [one.as_slice(), two, three].concat();
    assert_eq!(run(&[(Complete, initial), (Complete, &whole), (Complete, &[])]), 3);
    let in_two = |kind| run(&[(Complete, initial), (Complete, one), (kind, &first), (Complete, &rest)]);
    assert_eq!(in_two(Continues), 3);
    let said = refused(|| in_two(Complete));
    assert!(said.contains("cut 0.2: this is not what the source held after transaction 2"), "{said}");
    // The other half only: no number tells of it.
    let said = refused(|| run(&[(Complete, initial), (Complete, one), (Complete, &rest)]));
    assert!(said.contains("cut 0.2: this is not what the source held after transaction 1"), "{said}");
    let said = refused(|| run(&[(Complete, initial), (Continues, one)]));
    assert!(said.contains("leaves a transaction open"), "{said}");
}

/// All tables are read, emptied and read once more for the first transaction, of which no event tells. Whether the
/// second reading has it, too, decides what is compared.
#[test]
fn only_the_last_reading_counts_where_all_is_read_once_more() {
    let scene = Scene::new();
    let (state, journal) = scene.history.up_to(3);
    let read_as_of = |transactions: usize| {
        let mut state = state.clone();
        journal[..transactions].iter().flatten().for_each(|change| state.apply(change));
        let lines = move |table| state.lines(table).into_iter().map(move |line| (table, line));
        (0..TABLES).flat_map(lines).map(|(table, line)| {
            let line = brief(&line);
            ((table, shape(table).key(&line)), (READ, None, Some(line)))
        })
    };
    let compare = |second: usize| {
        let (mut all, mut seen) = (ByCut::default(), ByKey::new());
        let mut put = |cut: usize, (key, change): ((usize, String), Seen)| {
            let rows = RowChange { table: key.0, before: None, after: None };
            all.events.push(Event { cut, op: change.0, change: rows });
            all.places.entry(key.clone()).or_default().push(cut);
            seen.entry(key).or_default().push(change);
        };
        read_as_of(0).for_each(|row| put(0, row));
        (0..TABLES).for_each(|table| put(1, ((table, String::new()), (TRUNCATE, None, None))));
        read_as_of(second).for_each(|row| put(2, row));
        for (key, changes) in changes_of(&journal[1..]) {
            changes.into_iter().for_each(|change| put(3, (key.clone(), change)));
        }
        let left_out = all.forget_first_reading(&mut seen, 0);
        assert_eq!(left_out, read_as_of(0).count());
        changes::compare(seen, &scene.history, 3);
    };
    compare(1);
    let said = refused(|| compare(0));
    assert!(said.contains("the snapshot brought it before change"), "{said}");
}
