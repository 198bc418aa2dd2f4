use cdc_sdk::Position;
use cdc_sdk::cut::Touched;

use super::*;

const UUID: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

fn gtids(numbers: &str) -> GtidSet {
    format!("{UUID}:{numbers}").parse().unwrap()
}

fn cut(sequence: u64, events: u64, ends: &[i64]) -> Cut {
    let place = |&offset: &i64| Place { topic: "p.t".into(), partition: 0, offset };
    Cut {
        id: CutId { incarnation: 1, sequence },
        kind: CutKind::Complete,
        alone: false,
        snapshot_complete: true,
        position: Position::default(),
        committed_us: 0,
        written_us: 0,
        transactions: 1,
        touched: vec![Touched { topic: "p.t".into(), partition: 0, events, bytes: 1 }],
        previous_ends: ends.iter().map(place).collect(),
        map_slice: vec![],
    }
}

fn full(mut cut: Cut, numbers: &str) -> Cut {
    cut.position.gtids = Some(gtids(numbers));
    cut
}

fn search(cuts: Vec<(Cut, Option<&str>)>, wanted: &Wanted<'_>) -> Option<Found> {
    let mut search = Search::default();
    for (cut, delta) in cuts {
        let offset = i64::try_from(cut.id.sequence).unwrap() + 1;
        if !search.take(offset, cut, delta.map(gtids).as_ref(), wanted) {
            break;
        }
    }
    search.found()
}

fn history() -> Vec<(Cut, Option<&'static str>)> {
    vec![
        (full(cut(1, 2, &[]), "1-3"), None),
        (cut(2, 3, &[2]), Some("4-5")),
        (cut(3, 1, &[6]), Some("7")),
        (cut(4, 1, &[8]), Some("6")),
    ]
}

fn end_of(found: &Found) -> i64 {
    found.map[&("p.t".to_owned(), 0)]
}

#[test]
fn the_last_cut_within_a_set_has_no_transaction_beyond_it() {
    for (set, sequence, end) in
        [("1-3", 1, 2), ("1-4", 1, 2), ("1-5", 2, 6), ("1-5:7", 3, 8), ("1-6", 2, 6), ("1-7", 4, 9)]
    {
        let found = search(history(), &Wanted::Within(&gtids(set))).unwrap();
        assert_eq!((found.cut.id.sequence, end_of(&found)), (sequence, end), "{set}");
        assert_eq!(found.cuts_offset, i64::try_from(sequence).unwrap() + 1);
    }
    let all = search(history(), &Wanted::Within(&gtids("1-9"))).unwrap();
    assert_eq!(all.cut.position.gtids, Some(gtids("1-7")), "the whole set, not what was new");
    assert!(search(history(), &Wanted::Within(&gtids("1-2"))).is_none());
}

#[test]
fn cuts_without_gtids_are_within_no_set() {
    let cuts = vec![(cut(1, 1, &[]), None), (cut(2, 1, &[1]), None)];
    assert!(search(cuts, &Wanted::Within(&gtids("1-9"))).is_none());
}

#[test]
fn a_log_whose_beginning_is_gone_is_judged_from_its_first_whole_set() {
    let cuts =
        vec![(cut(7, 1, &[]), Some("4")), (full(cut(8, 1, &[4]), "1-5"), None), (cut(9, 1, &[6]), Some("6"))];
    let found = search(cuts.clone(), &Wanted::Within(&gtids("1-5"))).unwrap();
    assert_eq!(found.cut.id.sequence, 8);
    assert!(search(cuts, &Wanted::Within(&gtids("1-4"))).is_none());
}

#[test]
fn ends_that_no_cut_names_are_counted() {
    // A restart: the first cut of an incarnation does not know where the one before it ended.
    let cuts = vec![(cut(1, 10, &[]), None), (cut(2, 10, &[]), None), (cut(3, 10, &[21]), None)];
    let below = |sequence| search(cuts.clone(), &Wanted::Below(Some(CutId { incarnation: 1, sequence })));
    assert_eq!(end_of(&below(2).unwrap()), 10);
    assert_eq!(end_of(&below(3).unwrap()), 21);
    assert_eq!(end_of(&below(4).unwrap()), 31);
    assert!(below(1).is_none());
}

#[test]
fn below_a_cut_is_the_last_whole_one() {
    let of_kind = |kind, sequence| (Cut { kind, ..cut(sequence, 1, &[]) }, None);
    let (whole, goes_on) = (CutKind::Complete, CutKind::Continues);
    let cuts = vec![of_kind(whole, 1), of_kind(goes_on, 2), of_kind(goes_on, 3), of_kind(whole, 4)];
    let below = |id| search(cuts.clone(), &Wanted::Below(id)).map(|found| found.cut.id.sequence);
    for (sequence, expected) in [(1, None), (2, Some(1)), (4, Some(1)), (5, Some(4))] {
        assert_eq!(below(Some(CutId { incarnation: 1, sequence })), expected, "{sequence}");
    }
    assert_eq!(below(None), Some(4));
    // A later start of the source.
    assert_eq!(below(Some(CutId { incarnation: 2, sequence: 5 })), Some(4));
}

#[test]
fn what_a_set_has_beyond_the_cuts_is_ahead_or_diverged() {
    let topics = OwnTopics::of("p");
    let newest = gtids("1-5:7");
    let kind = |set: &GtidSet| not_covered(&topics, set, &newest).kind();
    assert_eq!(kind(&gtids("1-9")), Kind::Diverged, "6 is missing from the middle");
    assert_eq!(kind(&gtids("1-5:7-9")), Kind::BadPosition, "not there yet");
    let other: GtidSet = "4e11fa47-71ca-11e1-9e33-c80aa9429562:1".parse().unwrap();
    assert_eq!(kind(&other), Kind::Diverged);
    assert_eq!(kind(&format!("{UUID}:tag:1").parse().unwrap()), Kind::Diverged);
}

#[test]
fn rows_of_a_snapshot_count_from_when_they_were_written() {
    let at = |sequence, committed_us, written_us| {
        (Cut { committed_us, written_us, ..cut(sequence, 1, &[]) }, None)
    };
    let before = |time_us| {
        // Two of a snapshot, then two with transactions that were committed before they were written.
        let cuts = vec![at(0, 0, 100), at(1, 0, 200), at(2, 300, 400), at(3, 500, 500)];
        search(cuts, &Wanted::Before(time_us)).map(|found| found.cut.id.sequence)
    };
    assert_eq!(before(100), None);
    assert_eq!(before(150), Some(0));
    assert_eq!(before(300), Some(1));
    assert_eq!(before(350), Some(2));
    assert_eq!(before(i64::MAX), Some(3));
}

#[test]
fn idle_cuts_and_abandoned_runs_bring_nothing() {
    let brings = |cuts: &[Cut], topic: &str| {
        let mut brought = Brought::default();
        cuts.iter().any(|cut| brought.take(cut, |t| t == topic))
    };
    let idle = Cut { touched: vec![], ..cut(1, 0, &[]) };
    let of_kind = |kind, cut: &Cut| Cut { kind, ..cut.clone() };
    let rows = cut(2, 3, &[]);
    let (run, abandoned) = (of_kind(CutKind::Continues, &rows), of_kind(CutKind::Abandoned, &idle));
    assert!(!brings(&[idle.clone(), idle.clone()], "p.t"));
    assert!(brings(&[idle.clone(), rows.clone()], "p.t"));
    assert!(!brings(&[idle.clone(), rows], "p.snapshot-for-another"));
    assert!(brings(&[run.clone(), idle.clone()], "p.t"), "the run's end has no rows itself");
    assert!(!brings(&[run, abandoned, idle], "p.t"));
}
