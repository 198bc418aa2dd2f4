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

#[test]
fn what_cannot_be_a_partition_is_refused() {
    let settings = Settings::new("127.0.0.1:1", std::collections::BTreeMap::new());
    let mut events = Events::open(&settings, "t", 16 << 20).unwrap();
    let refused = |events: &mut Events, topic: &str, partition, from| {
        events.ensure(topic, partition, from).unwrap_err().kind()
    };
    assert_eq!(refused(&mut events, "t", 0, From::Offset(-1)), Kind::BadPosition);
    assert_eq!(refused(&mut events, "t", -1, From::Earliest), Kind::BadPosition);
    assert_eq!(refused(&mut events, "t\0", 0, From::Earliest), Kind::KafkaRefused);
    assert_eq!(events.next("t", 0, Duration::ZERO).unwrap_err().kind(), Kind::Bug);
}
