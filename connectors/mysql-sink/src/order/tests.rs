use cdc_sdk::cut::{CutKind, Touched};
use cdc_sdk::{Cut, CutId, Kind, Position};
use proptest::prelude::*;

use super::*;

fn id(sequence: u64) -> CutId {
    CutId { incarnation: 1, sequence }
}

fn cut(sequence: u64, kind: CutKind, alone: bool, bytes: u64) -> Cut {
    Cut {
        id: id(sequence),
        kind,
        alone,
        snapshot_complete: true,
        position: Position::default(),
        committed_us: 0,
        written_us: 0,
        transactions: 1,
        touched: vec![Touched { topic: "t".into(), partition: 0, events: 1, bytes }],
        previous_ends: vec![],
        map_slice: vec![],
    }
}

fn batcher(cuts: Vec<Cut>) -> Batcher {
    let mut batcher = Batcher::new(Limits { bytes: 100, events: 100, waiting: 1000, barrier: None });
    for cut in cuts {
        let offset = i64::try_from(cut.id.sequence).unwrap();
        batcher.push(offset + 1, cut).unwrap();
    }
    batcher
}

fn sequences(placed: &[(i64, Cut)]) -> Vec<u64> {
    placed.iter().map(|(_, c)| c.id.sequence).collect()
}

#[test]
fn whole_cuts_join_up_to_the_limit() {
    let complete = |s| cut(s, CutKind::Complete, false, 40);
    let mut batcher = batcher(vec![complete(1), complete(2), complete(3)]);
    assert!(matches!(batcher.take(), Next::Batch(b) if sequences(&b) == [1, 2]));
    assert!(matches!(batcher.take(), Next::Batch(b) if sequences(&b) == [3]));
    assert_eq!(batcher.take(), Next::Wait);
}

#[test]
fn large_events_are_seen_coming() {
    let complete = |s, bytes| cut(s, CutKind::Complete, false, bytes);
    let mut batcher = batcher(vec![complete(1, 10), complete(2, 90), complete(3, 20), complete(4, 5000)]);
    assert_eq!(batcher.event_bytes_ahead(100), 90);
    assert_eq!(batcher.event_bytes_ahead(101), 90);
    assert_eq!(batcher.event_bytes_ahead(130), 5000);
    let mut many = complete(5, 0);
    many.touched = vec![
        Touched { topic: "t".into(), partition: 0, events: 100, bytes: 6000 },
        Touched { topic: "t".into(), partition: 1, events: 2, bytes: 300 },
    ];
    assert_eq!(many.event_bytes(), 150);
    for _ in 0..2 {
        assert!(matches!(batcher.take(), Next::Batch(_)));
    }
    assert_eq!(batcher.event_bytes_ahead(30), 5000);
}

#[test]
fn a_cut_alone_is_a_batch_by_itself() {
    let complete = |s, alone| cut(s, CutKind::Complete, alone, 1);
    let mut batcher = batcher(vec![complete(1, false), complete(2, true), complete(3, false)]);
    for expected in 1..=3 {
        assert!(matches!(batcher.take(), Next::Batch(b) if sequences(&b) == [expected]));
    }
}

#[test]
fn no_batch_spans_the_end_of_a_replay() {
    let mut batcher = Batcher::new(Limits { bytes: 100, events: 100, waiting: 10, barrier: Some(id(2)) });
    for sequence in 1..=4 {
        batcher.push(0, cut(sequence, CutKind::Complete, false, 1)).unwrap();
    }
    assert!(matches!(batcher.take(), Next::Batch(b) if sequences(&b) == [1, 2]));
    assert!(matches!(batcher.take(), Next::Batch(b) if sequences(&b) == [3, 4]));
}

#[test]
fn a_run_waits_for_its_end_and_an_abandoned_one_is_dropped() {
    let mut batcher =
        batcher(vec![cut(1, CutKind::Continues, false, 1), cut(2, CutKind::Continues, false, 1)]);
    assert_eq!(batcher.take(), Next::Wait);
    batcher.push(4, cut(3, CutKind::Complete, false, 1)).unwrap();
    assert!(matches!(batcher.take(), Next::Run(r) if sequences(&r) == [1, 2, 3]));
    batcher.push(5, cut(4, CutKind::Continues, false, 1)).unwrap();
    batcher.push(6, cut(5, CutKind::Abandoned, false, 1)).unwrap();
    assert!(matches!(batcher.take(), Next::Abandoned(r) if sequences(&r) == [4, 5]));
}

#[test]
fn a_missing_event_stops() {
    let mut gate = Gate::default();
    gate.expect(id(1));
    assert_eq!(gate.admit(id(1), 0).unwrap(), Admission::Take);
    assert_eq!(gate.admit(id(1), 2).unwrap_err().kind(), Kind::EventsMissing);
    assert_eq!(gate.admit(id(2), 0).unwrap_err().kind(), Kind::EventsMissing);
}

proptest! {
    /// However records are repeated from any earlier point, each is taken once and in order.
    #[test]
    fn duplicates_fall_away(sizes in proptest::collection::vec(1u64..5, 1..8), jumps in proptest::collection::vec(0usize..40, 0..6)) {
        let log: Vec<_> = sizes.iter().zip(1u64..).flat_map(|(&n, s)| (0..n).map(move |o| (id(s), o))).collect();
        let mut replayed = Vec::new();
        for (end, &jump) in jumps.iter().enumerate() {
            let end = (end * 3).min(log.len());
            replayed.extend_from_slice(&log[end.saturating_sub(jump)..end]);
        }
        replayed.extend_from_slice(&log);
        let mut gate = Gate::default();
        let mut taken = Vec::new();
        let mut records = replayed.into_iter();
        for (&count, sequence) in sizes.iter().zip(1u64..) {
            gate.expect(id(sequence));
            while gate.taken(id(sequence)) < count {
                let Some((cut, ordinal)) = records.next() else { break };
                match gate.admit(cut, ordinal) {
                    Ok(Admission::Take) => taken.push((cut, ordinal)),
                    Ok(Admission::Skip) => {}
                    // A jump back may show a later record first; a broker never does that.
                    Err(_) => return Ok(()),
                }
            }
        }
        prop_assert_eq!(taken, log);
    }
}
