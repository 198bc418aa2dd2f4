use super::*;

#[test]
fn shares_stay_within_the_budget() {
    for mib in [16, 64, 256, 1024] {
        let budget = mib << 20;
        for share in [Share::wide(budget), Share::narrow(budget)] {
            let all = share.live_max * 2 * (2 * share.queue_bytes + BATCH_BYTES);
            assert!(all <= budget, "{mib} MiB: {share:?}");
            assert!(share.response_bytes <= budget / 8 || mib == 16, "{mib} MiB: {share:?}");
        }
        assert!(Share::narrow(budget).live_max >= Share::wide(budget).live_max);
    }
    // A sink's share of the default memory.
    assert_eq!((Share::wide(64 << 20).live_max, Share::narrow(64 << 20).live_max), (25, 85));
}

#[test]
fn a_tiny_budget_is_still_workable() {
    let share = Share::wide(0);
    assert!(share.live_max >= 4 && share.queue_bytes >= 64 << 10);
}
