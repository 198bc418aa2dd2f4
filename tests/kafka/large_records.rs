use cdc::kafka::From;
use cdc_sdk::Kind;

use super::*;

/// Bytes that lz4 cannot shrink.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..size.div_ceil(8)).flat_map(|_| next().to_le_bytes()).take(size).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn records_larger_than_the_budget_pass() {
    let broker = Broker::new("large");
    let topic = broker.create("t", 2).await;
    let budget = 4 << 20;
    let mut publisher = Publisher::open(&broker.settings, &broker.name, budget).unwrap();
    let sizes = [1 << 20, 20 << 20, 3, 20 << 20, 1 << 20];
    let values: Vec<Vec<u8>> = sizes.iter().map(|size| noise(*size)).collect();
    publisher.begin().unwrap();
    for value in &values {
        for partition in 0..2 {
            publisher.send(&topic, partition, None, Some(value), &[], 1).unwrap();
        }
    }
    publisher.commit().unwrap();
    let mut events = Events::open(&broker.settings, &broker.name, budget).unwrap();
    events.ensure(&topic, 0, From::Earliest).unwrap();
    events.ensure(&topic, 1, From::Earliest).unwrap();
    for value in &values {
        for partition in 0..2 {
            let event = arrives(&mut events, &topic, partition);
            assert!(event.value.as_deref() == Some(value.as_slice()), "{} bytes differ", value.len());
        }
    }
    broker.sweep().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_over_the_topics_limit_is_refused_by_name_and_size() {
    let broker = Broker::new("limit");
    let mut spec = broker.spec("t", 1);
    spec.config = vec![("max.message.bytes".to_owned(), "100000".to_owned())];
    broker.admin.create(spec).await.unwrap();
    let topic = broker.topic("t");
    let mut publisher = broker.publisher();
    publisher.begin().unwrap();
    publisher.send(&topic, 0, None, Some(&noise(300_000)), &[], 1).unwrap();
    let error = publisher.commit().unwrap_err();
    assert_eq!(error.kind(), Kind::KafkaRefused, "{error}");
    assert!(error.what().contains(&topic) && error.what().contains("300000"), "{error}");
    assert!(!publisher.in_transaction());
    let mut publisher = broker.publisher();
    assert_eq!(publish(&mut publisher, &topic, 0, &["small"]), 2, "only the abort's marker comes before");
    broker.sweep().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_large_records_fewer_partitions_are_fetched() {
    let broker = Broker::new("fewer");
    let partitions = 8;
    let topic = broker.create("t", partitions).await;
    let (budget, size) = (8 << 20, 1 << 20);
    let mut publisher = Publisher::open(&broker.settings, &broker.name, budget).unwrap();
    for _ in 0..2 {
        publisher.begin().unwrap();
        for partition in 0..partitions {
            publisher.send(&topic, partition, None, Some(&noise(size)), &[], 1).unwrap();
        }
        publisher.commit().unwrap();
    }
    let mut events = Events::open(&broker.settings, &broker.name, budget).unwrap();
    for partition in 0..partitions {
        events.ensure(&topic, partition, From::Earliest).unwrap();
    }
    assert_eq!(events.held(), (8, 8));
    events.expect(size).unwrap();
    assert_eq!(events.held(), (8, 4));
    for round in 0..2 {
        for partition in 0..partitions {
            let event = arrives(&mut events, &topic, partition);
            assert_eq!(event.value.map(|value| value.len()), Some(size), "{partition}, {round}");
            assert!(events.held().1 <= 4);
        }
        events.put_down().unwrap();
        assert_eq!(events.held(), (8, 0));
        // Too large for the budget: one at a time.
        events.expect(budget * 2).unwrap();
    }
    events.expect(100).unwrap();
    assert_eq!(events.next(&topic, 0, Duration::from_millis(10)).unwrap(), None);
    broker.sweep().await;
}
