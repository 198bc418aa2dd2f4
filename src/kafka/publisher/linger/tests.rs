use super::*;

const MS: Duration = Duration::from_millis(1);

/// When calls come that follow each other as fast as they may, in a wait of this length.
fn calls(partitions: usize, wait: Duration) -> Vec<Duration> {
    let begun = Instant::now();
    let lifts = Lifts::new(begun, partitions);
    let mut calls = Vec::new();
    let mut at = Duration::ZERO;
    while at < wait {
        calls.push(at);
        at += lifts.step(begun + at);
    }
    calls
}

#[test]
fn wake_ups_do_not_pile_up() {
    // A look at all of them takes so long, also where the machine is slower than was thought.
    for (partitions, look) in
        [(10, MS / 100), (1_000, MS), (10_000, 10 * MS), (10, 10 * MS), (10_000, 30 * MS)]
    {
        let mut free = Duration::ZERO;
        for call in calls(partitions, 60_000 * MS) {
            free = free.max(call) + look;
        }
        let behind = free.saturating_sub(60_000 * MS);
        assert!(behind <= 2 * look, "{partitions} partitions, a look takes {look:?}: {behind:?} behind");
    }
}

#[test]
fn receipts_of_a_short_commit_are_looked_for_every_ms() {
    assert_eq!(calls(100, 32 * MS).len(), 32);
    assert!(calls(100, 60_000 * MS).windows(2).all(|pair| pair[1] - pair[0] <= STEP_MAX));
}

#[test]
fn pulses_keep_their_distance() {
    let begun = Instant::now();
    let mut lifts = Lifts::new(begun, 1);
    assert!(lifts.are_due(begun, 10 * MS), "the first one is due at once");
    lifts.last = Some(begun + 640 * MS);
    assert!(!lifts.are_due(begun + 650 * MS, Duration::ZERO), "a 32nd of the wait has not passed");
    assert!(lifts.are_due(begun + 661 * MS, Duration::ZERO));
    assert!(!lifts.are_due(begun + 661 * MS, 30 * MS));
}
