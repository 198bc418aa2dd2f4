use super::*;

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
