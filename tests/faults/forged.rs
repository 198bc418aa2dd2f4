//! The checkers by themselves, without servers: what is right passes, and each way in which it
//! can be wrong is told by the checker that is there for it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use cdc_sdk::CutId;

use super::changes::{self, ByKey, OfKey, READ, Seen};
use super::looks::{self, Ledger};
use super::model::{A, B, Change, Digest, EMPTIED, History, LOOSE, Row, SEQ, State, digest};
use super::side::{self, SIDE, Side};
use super::topics::{self, Homes};
use super::versions::{self, Versions};

/// The check must fail, and say so.
fn refuses(saying: &str, check: impl FnOnce()) {
    let panic = catch_unwind(AssertUnwindSafe(check)).expect_err(saying);
    let said = panic.downcast::<String>().map_or_else(|_| String::new(), |text| *text);
    assert!(said.contains(saying), "it says '{said}', not '{saying}'");
}

fn created(after: &str) -> Seen {
    ("c", None, Some(after.to_owned()))
}

fn updated(before: &str, after: &str) -> Seen {
    ("u", Some(before.to_owned()), Some(after.to_owned()))
}

fn deleted(before: &str) -> Seen {
    ("d", Some(before.to_owned()), None)
}

fn read(row: &str) -> Seen {
    (READ, None, Some(row.to_owned()))
}

fn truncated() -> Seen {
    ("t", None, None)
}

/// A key that was there when the stream began, is changed twice, goes, and comes again.
fn of_key(seen: &[Seen]) {
    let changes = [updated("1|0", "1|5"), updated("1|5", "1|7"), deleted("1|7"), created("1|9")];
    OfKey {
        name: "key 1".to_owned(),
        keyed: true,
        rows: vec!["1|0".to_owned()],
        changes: &changes,
        readings: 1,
    }
    .compare(seen);
}

#[test]
fn changes_of_a_key_are_each_there_once_and_in_order() {
    let (first, second) = (updated("1|0", "1|5"), updated("1|5", "1|7"));
    let (gone, back) = (deleted("1|7"), created("1|9"));
    let all = [first.clone(), second.clone(), gone.clone(), back.clone()];
    of_key(&all);
    refuses("change 1: ", || of_key(&[&all[..1], &all].concat()));
    refuses("change 4: ", || of_key(&[&all[..], &all[3..]].concat()));
    refuses("change 1: ", || of_key(&[first.clone(), gone.clone(), back.clone()]));
    refuses("change 0: ", || of_key(&all[1..]));
    refuses("change 3 of 4 is missing", || of_key(&all[..3]));
    refuses("change 0 of 4 is missing", || of_key(&[]));
    refuses("change 0: ", || of_key(&[second.clone(), first.clone(), gone.clone(), back.clone()]));
    refuses("change 1: ", || of_key(&[first, updated("1|0", "1|7"), gone, back]));
    refuses("change 0: ", || of_key(&[&[created("1|0")], &all[..]].concat()));
}

#[test]
fn rows_of_the_snapshot_are_what_the_key_was() {
    let all = [updated("1|0", "1|5"), updated("1|5", "1|7"), deleted("1|7"), created("1|9")];
    let with = |at: usize, row: &str| [&all[..at], &[read(row)], &all[at..]].concat();
    for (at, row) in [(0, "1|0"), (1, "1|5"), (2, "1|7"), (4, "1|9")] {
        of_key(&with(at, row));
    }
    // The row of before, of later, and one that is gone.
    refuses("brought it before change 1 as 1 rows, not 1", || of_key(&with(1, "1|0")));
    refuses("brought it before change 1 as 1 rows, not 1", || of_key(&with(1, "1|7")));
    refuses("brought it before change 3 as 1 rows, not 0", || of_key(&with(3, "1|7")));
    let again = [&[read("1|0")], &with(1, "1|5")[..]].concat();
    refuses("brought it 2 times", || of_key(&again));
    refuses("brought it 2 times", || of_key(&[&[read("1|0"), read("1|0")], &all[..]].concat()));
    let read_so_often = |readings: u64, rows: &[&str], seen: &[Seen]| {
        let rows = rows.iter().map(|row| (*row).to_owned()).collect();
        OfKey { name: "key 2".to_owned(), keyed: true, rows, changes: &[], readings }.compare(seen);
    };
    // Where another snapshot was asked for it may come once more.
    read_so_often(2, &["2|0"], &[read("2|0"), read("2|0")]);
    refuses("brought it 3 times", || read_so_often(2, &["2|0"], &[read("2|0"), read("2|0"), read("2|0")]));
    let unchanged = |rows: &[&str], seen: &[Seen]| read_so_often(1, rows, seen);
    unchanged(&["2|0"], &[read("2|0")]);
    refuses("left it out", || unchanged(&["2|0"], &[]));
    refuses("as 1 rows, not 0", || unchanged(&[], &[read("2|0")]));
}

#[test]
fn rows_without_a_key_are_counted() {
    let changes = [created("1|1"), updated("1|1", "2|2"), deleted("1|1")];
    let compare = |seen: &[Seen]| {
        let rows = vec!["1|1".to_owned(), "1|1".to_owned()];
        OfKey { name: "loose".to_owned(), keyed: false, rows, changes: &changes, readings: 1 }.compare(seen);
    };
    let (some, all) = ([read("1|1"), read("2|2"), read("1|1")], [read("1|1"), read("1|1")]);
    compare(&[&all[..], &changes].concat());
    // Of what came before the last truncation nothing counts.
    compare(&[&all[..1], &changes[..1], &[truncated()], &some, &changes[2..]].concat());
    refuses("left it out", || compare(&changes));
    refuses("as 2 rows, not 3", || compare(&[&some[..2], &changes[2..]].concat()));
    refuses("change 1: ", || compare(&[&all[..], &changes[..1], &changes[2..], &changes[2..]].concat()));
    refuses("4 changes of 3", || compare(&[&all[..], &changes, &changes[..1]].concat()));
}

fn row(table: usize, values: &[i64]) -> Change {
    let after: Row = values.iter().copied().map(Some).collect();
    Change { table, before: None, after: Some(after), silent: false }
}

fn update(table: usize, before: &[i64], after: &[i64]) -> Change {
    let before = before.iter().copied().map(Some).collect();
    Change { before: Some(before), ..row(table, after) }
}

/// Two accounts, 10 each. Transactions 1 and 2 move something from one to the other, each in two tables and `seq`.
fn history() -> (State, History, [Vec<Change>; 2]) {
    let mut state = State::default();
    let rows = [
        row(SEQ, &[0, 0]),
        row(A, &[1, 10, 0]),
        row(B, &[1, 10, 0]),
        row(LOOSE, &[4, 4]),
        row(LOOSE, &[4, 4]),
    ];
    rows.iter().for_each(|row| state.apply(row));
    let history = History::new(&state);
    let transaction = |n: i64, by: i64| {
        let (a, b) = (10 - by * (n - 1), 10 + by * (n - 1));
        vec![
            update(SEQ, &[0, n - 1], &[0, n]),
            update(A, &[1, a, n - 1], &[1, a - by, n]),
            update(B, &[1, b, n - 1], &[1, b + by, n]),
        ]
    };
    let all = [transaction(1, 3), transaction(2, 3)];
    all.iter().for_each(|changes| history.plan(changes));
    (state, history, all)
}

fn after(state: &State, changes: &[&[Change]]) -> Digest {
    let mut state = state.clone();
    changes.iter().copied().flatten().for_each(|change| state.apply(change));
    state.digest()
}

#[test]
fn only_whole_states_of_the_source_are_states() {
    let (state, history, [first, second]) = history();
    let one = after(&state, &[&first]);
    assert!(history.has(0, &state.digest()) && history.has(1, &one));
    assert!(history.has(2, &after(&state, &[&first, &second])));
    // Another number's, before or behind; and none that there was.
    assert!(!history.has(1, &state.digest()) && !history.has(2, &one) && !history.has(3, &one));
    for part in 1..second.len() {
        assert!(
            !history.has(2, &after(&state, &[&first, &second[..part]])),
            "the first {part} changes of it"
        );
        assert!(!history.has(2, &after(&state, &[&first, &second[part..]])), "all but the first {part}");
        assert!(!history.has(1, &after(&state, &[&first, &second[part..]])), "some of the next");
    }
    // A row that goes back, is there twice, or not at all; also of rows that are equal.
    let back = [update(A, &[1, 4, 2], &[1, 7, 1])];
    let (more, less) = ([row(LOOSE, &[4, 4])], [Change { after: None, ..update(LOOSE, &[4, 4], &[]) }]);
    let fewer = [Change { after: None, ..update(A, &[1, 4, 2], &[]) }];
    for wrong in [&back, &more, &less, &fewer] {
        assert!(!history.has(2, &after(&state, &[&first, &second, wrong])), "{wrong:?}");
    }
    // Values that two rows have swapped.
    let mut pair = State::default();
    [row(B, &[1, 5, 0]), row(B, &[2, 6, 0])].iter().for_each(|row| pair.apply(row));
    let swapped = [update(B, &[1, 5, 0], &[1, 6, 0]), update(B, &[2, 6, 0], &[2, 5, 0])];
    assert!(!History::new(&pair).has(0, &after(&pair, &[&swapped])));
}

#[test]
fn a_state_between_a_truncation_and_the_next_transaction_is_one() {
    let mut state = State::default();
    state.apply(&row(EMPTIED, &[1, 0]));
    let history = History::new(&state);
    let gone = [Change { after: None, silent: true, ..update(EMPTIED, &[1, 0], &[]) }];
    history.plan_truncation(&gone);
    history.plan(&[&gone[..], &[row(EMPTIED, &[2, 1])]].concat());
    assert!(history.has(0, &state.digest()) && history.has(0, &after(&state, &[&gone])));
    assert!(history.has(1, &after(&state, &[&gone, &[row(EMPTIED, &[2, 1])]])));
    assert!(
        !history.has(1, &after(&state, &[&gone]))
            && !history.has(1, &after(&state, &[&[row(EMPTIED, &[2, 1])]]))
    );
}

#[test]
fn the_destination_and_its_ledger_go_forward_together() {
    let at = |ledger: Ledger, number: u64| (ledger, number);
    let last = Some(at((3, 1, 7), 40));
    for now in [((3, 1, 7), 40), ((3, 1, 8), 40), ((3, 1, 8), 41), ((4, 1, 7), 40), ((4, 2, 8), 60)] {
        looks::follows(last, now);
    }
    looks::follows(None, at((1, 1, 1), 0));
    refuses("went back from transaction 40 to 39", || looks::follows(last, at((3, 1, 8), 39)));
    refuses("from transaction 40 to 41 while the ledger stayed at cut", || {
        looks::follows(last, at((3, 1, 7), 41))
    });
    refuses("while the ledger stayed", || looks::follows(last, at((4, 1, 7), 41)));
    refuses("went back from epoch 3 to 2", || looks::follows(last, at((2, 1, 8), 41)));
    refuses("the ledger went back from cut", || looks::follows(last, at((3, 1, 6), 40)));
    refuses("the ledger went back from cut", || looks::follows(last, at((3, 0, 9), 41)));
}

#[test]
fn rows_of_several_sinks_go_forward_each() {
    let mut versions = Versions::new();
    versions::go_on(&mut versions, "a", &[(1, 5), (2, 3)]);
    versions::go_on(&mut versions, "a", &[(1, 5), (2, 9), (3, 1)]);
    versions::go_on(&mut versions, "b", &[(2, 1)]);
    refuses("row 2 of a went back from transaction 9 to 8", || {
        versions::go_on(&mut versions, "a", &[(1, 6), (2, 8)])
    });
    // 64 rows take turns: that of transaction 66 is there and that of 65 is not.
    let mut rows: Vec<(i64, u64)> = (0_i64..64).map(|row| (row, row.unsigned_abs())).collect();
    rows[0].1 = 64;
    assert_eq!(versions::all_up_to(&rows), 64);
    rows[2].1 = 66;
    assert_eq!(versions::all_up_to(&rows), 64);
    rows[1].1 = 65;
    assert_eq!(versions::all_up_to(&rows), 66);
}

#[test]
fn records_are_those_that_cuts_name() {
    let cut = |incarnation, sequence| CutId { incarnation, sequence };
    topics::comes_after(None, cut(1, 1));
    for id in [cut(1, 8), cut(1, 9), cut(2, 8)] {
        topics::comes_after(Some(cut(1, 7)), id);
    }
    for id in [cut(1, 7), cut(1, 6), cut(0, 8), cut(2, 7)] {
        refuses("comes after", || topics::comes_after(Some(cut(1, 7)), id));
    }
    let place = ("t", 0, 9);
    topics::is_next((cut(1, 7), 3), (cut(1, 7), 3), place);
    // Written twice, left out, of another cut.
    for found in [(cut(1, 7), 2), (cut(1, 7), 4), (cut(1, 6), 3), (cut(1, 8), 3)] {
        refuses("found and expected", || topics::is_next(found, (cut(1, 7), 3), place));
    }
    let mut homes = Homes::new();
    topics::lives_in(&mut homes, &(A, "1".to_owned()), 0);
    topics::lives_in(&mut homes, &(A, "2".to_owned()), 1);
    topics::lives_in(&mut homes, &(B, "1".to_owned()), 1);
    topics::lives_in(&mut homes, &(A, "1".to_owned()), 0);
    refuses("is in two partitions", || topics::lives_in(&mut homes, &(A, "1".to_owned()), 1));
}

/// What is published of [`history`], whose transactions all came by the stream.
fn published() -> ByKey {
    let key = |table: usize, key: &str| (table, key.to_owned());
    [
        (key(SEQ, "0"), vec![read("0|0"), updated("0|0", "0|1"), updated("0|1", "0|2")]),
        (key(A, "1"), vec![updated("1|10|0", "1|7|1"), read("1|7|1"), updated("1|7|1", "1|4|2")]),
        (key(B, "1"), vec![updated("1|10|0", "1|13|1"), updated("1|13|1", "1|16|2"), read("1|16|2")]),
        (key(LOOSE, ""), vec![read("4|x4"), read("4|x4")]),
    ]
    .into()
}

#[test]
fn all_that_is_published_is_compared_with_all_that_was_done() {
    changes::compare(published(), &history().1, 2);
    let forged = |saying: &str, table: usize, key: &str, forge: &dyn Fn(&mut Vec<Seen>)| {
        let mut seen = published();
        forge(seen.entry((table, key.to_owned())).or_default());
        refuses(saying, || changes::compare(seen, &history().1, 2));
    };
    forged("a key '1' from transaction 1 on: change 1 of 2 is missing", A, "1", &|seen| drop(seen.pop()));
    forged("b key '1' from transaction 1 on: change 1", B, "1", &|seen| seen.insert(1, seen[0].clone()));
    forged("b key '1' from transaction 1 on: change 0", B, "1", &|seen| seen.swap(0, 1));
    forged("the snapshot brought it before change 2", B, "1", &|seen| seen[2] = read("1|13|1"));
    forged("loose key '' from transaction 1 on: the snapshot brought it", LOOSE, "", &|seen| {
        drop(seen.pop())
    });
    // Of a key that there never was, and of one that was never changed.
    forged("a key '2' from transaction 1 on: change 0", A, "2", &|seen| seen.push(created("2|1|1")));
    forged("1 changes of 0", LOOSE, "", &|seen| seen.push(deleted("4|x4")));
    forged("truncations in Kafka", EMPTIED, "", &|seen| seen.push(truncated()));
    // The key's changes are there, as another key's.
    let mut seen = published();
    let moved = seen.remove(&(A, "1".to_owned())).unwrap();
    seen.insert((A, "3".to_owned()), moved);
    refuses("a key '1' from transaction 1 on: change 0 of 2 is missing", || {
        changes::compare(seen, &history().1, 2)
    });
}

/// Of the rows of the first writer beside: their digest, where some are as a transaction has left them.
fn of_first(rows: &[(u64, u64)]) -> u64 {
    let last = |row: u64| rows.iter().find(|(at, _)| *at == row).map_or(0, |(_, n)| *n);
    let lines: Vec<String> = (0..side::ROWS).map(|row| format!("{row}|{}", last(row))).collect();
    digest(lines.iter())
}

/// The first has written rows 0 and 5, then 0 and 6.
fn beside() -> Side {
    let side = Side::default();
    side.begin();
    let mut rows = vec![0; usize::try_from(side::ROWS).unwrap()];
    for (number, row) in [(1, 5), (2, 6)] {
        (rows[0], rows[row]) = (number, number);
        side.plan(0, vec![0, row as u64], &rows);
    }
    side
}

#[test]
fn rows_of_the_writers_beside_are_what_they_wrote() {
    let side = beside();
    let lines: Vec<String> = (1000..1000 + side::ROWS).map(|id| format!("{id}|0")).collect();
    let other = (1, 0, digest(lines.iter()));
    let (first, second) = (of_first(&[(0, 1), (5, 1)]), of_first(&[(0, 2), (5, 1), (6, 2)]));
    side.saw(&[(0, 1, first), other]);
    // Half of it; with a row of before; another's.
    for wrong in [of_first(&[(0, 2), (5, 1)]), of_first(&[(0, 2), (6, 2)]), first] {
        refuses("this is not what writer 0 beside", || side.saw(&[(0, 2, wrong), other]));
    }
    refuses("each writer beside has its rows", || side.saw(&[other]));
    side.saw(&[(0, 2, second), other]);
    refuses("went back from 2 to 1", || side.saw(&[(0, 1, first), other]));
}

#[test]
fn all_that_is_published_of_the_writers_beside_is_compared() {
    let ids = || (0..side::ROWS).chain(1000..1000 + side::ROWS);
    let published = || {
        let mut seen: ByKey =
            ids().map(|id| ((SIDE, id.to_string()), vec![read(&format!("{id}|0"))])).collect();
        let mut add = |row: u64, before: u64, n: u64| {
            let change = updated(&format!("{row}|{before}"), &format!("{row}|{n}"));
            seen.get_mut(&(SIDE, row.to_string())).unwrap().push(change);
        };
        [(0, 0, 1), (0, 1, 2), (5, 0, 1), (6, 0, 2)]
            .iter()
            .for_each(|(row, before, n)| add(*row, *before, *n));
        seen
    };
    let mut seen = published();
    beside().compare(&mut seen);
    assert!(seen.is_empty(), "nothing is left over: {seen:?}");
    let forged = |saying: &str, key: &str, forge: &dyn Fn(&mut Vec<Seen>)| {
        let mut seen = published();
        forge(seen.get_mut(&(SIDE, key.to_owned())).unwrap());
        refuses(saying, || beside().compare(&mut seen));
    };
    forged("side key 6 from transaction 1 on: change 0 of 1 is missing", "6", &|seen| drop(seen.pop()));
    forged("side key 5 from transaction 1 on: change 1", "5", &|seen| seen.push(seen[1].clone()));
    forged("the snapshot brought it before change 0", "0", &|seen| seen.swap(1, 2));
    forged("side key 1007 from transaction 1 on: the snapshot left it out", "1007", &|seen| seen.clear());
}
