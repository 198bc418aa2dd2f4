use std::time::Duration;

use super::*;

const DAY: Duration = Duration::from_secs(86_400);

const ALONE: Compaction = Compaction { keeps_each_key: true, tombstones_stay: DAY };

fn ago(time: Duration) -> i64 {
    now_us() / 1000 - i64::try_from(time.as_millis()).unwrap()
}

#[test]
fn a_hole_is_passed_over_while_tombstones_stay() {
    assert_eq!(refusal(false, false, ago(DAY / 2), ALONE), None);
    for old in [DAY, 2 * DAY, DAY - Duration::from_secs(30)] {
        let why = refusal(false, false, ago(old), ALONE).unwrap();
        assert!(why.contains("delete.retention.ms") && why.contains("1440 min"), "{why}");
    }
}

#[test]
fn not_where_conflicts_are_looked_for() {
    assert!(refusal(true, false, ago(Duration::ZERO), ALONE).unwrap().contains("two_way"));
}

#[test]
fn not_where_rows_share_keys() {
    assert!(refusal(false, true, ago(Duration::ZERO), ALONE).unwrap().contains("message.key.columns"));
}

#[test]
fn not_where_age_deletes_too() {
    let both = Compaction { keeps_each_key: false, ..ALONE };
    let why = refusal(false, false, ago(Duration::ZERO), both).unwrap();
    assert!(why.contains("compact,delete"), "{why}");
}

#[test]
fn a_cut_of_unknown_age_is_old() {
    assert!(refusal(false, false, 0, ALONE).is_some());
}

#[test]
fn the_ledger_says_until_when_a_hole_is_open() {
    let of = |sequence: Option<i64>| {
        let row = |sequence| (("p.cuts".to_owned(), NO_PARTITION), sequence);
        Holes::of(Settings::default(), "p.cuts", false, &sequence.map(row).into_iter().collect())
    };
    assert!(!of(None).are_open() && !of(Some(CLOSED)).are_open());
    let mut holes = of(Some(7));
    let cut = |sequence| CutId { incarnation: 2, sequence };
    holes.passed(cut(6)).unwrap();
    assert!(holes.are_open() && holes.take_moved().is_none());
    holes.passed(cut(7)).unwrap();
    assert!(!holes.are_open());
    assert_eq!(holes.take_moved(), Some((("p.cuts".to_owned(), NO_PARTITION), CLOSED)));
    assert_eq!(holes.take_moved(), None);
}
