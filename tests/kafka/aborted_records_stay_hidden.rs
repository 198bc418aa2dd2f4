use cdc::kafka::{From, Log, Stamp};
use cdc_sdk::CutId;
use cdc_sdk::cut::Place;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_seen_when_committed_and_never_when_aborted() {
    let broker = Broker::new("visible");
    let topic = broker.create("t", 1).await;
    let mut publisher = broker.publisher();
    let mut events = broker.events();
    events.ensure(&topic, 0, From::Earliest).unwrap();

    publisher.begin().unwrap();
    send(&mut publisher, &topic, 0, "never");
    publisher.flush().unwrap();
    publisher.abort().unwrap();
    assert!(!publisher.in_transaction());
    assert_eq!(publish(&mut publisher, &topic, 0, &["a", "b"]), 4, "a record and its marker come before");

    publisher.begin().unwrap();
    send(&mut publisher, &topic, 0, "later");
    let first = arrives(&mut events, &topic, 0);
    assert_eq!((first.offset, text(first.value)), (2, "a".to_owned()));
    assert_eq!(text(arrives(&mut events, &topic, 0).value), "b");
    assert_eq!(events.next(&topic, 0, SILENCE).unwrap(), None, "an open transaction is not seen");
    let end = publisher.commit().unwrap();
    let later = arrives(&mut events, &topic, 0);
    assert_eq!((later.offset + 1, text(later.value)), (end[0].offset, "later".to_owned()));
    assert_eq!(events.position(&topic, 0), Some(end[0].offset));
    broker.sweep().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_are_those_of_every_partition_touched() {
    let broker = Broker::new("ends");
    let (a, b) = (broker.create("a", 3).await, broker.create("b", 1).await);
    let mut publisher = broker.publisher();
    publisher.begin().unwrap();
    assert_eq!(publisher.commit().unwrap(), [], "nothing sent, nothing touched");
    for _ in 0..3 {
        publisher.begin().unwrap();
        for _ in 0..5 {
            send(&mut publisher, &a, 0, "x");
        }
        send(&mut publisher, &a, 2, "x");
        send(&mut publisher, &b, 0, "x");
        let mut ends = publisher.commit().unwrap();
        ends.sort();
        assert_eq!(ends.len(), 3);
        let places: Vec<(String, i32)> = ends.iter().map(|end| (end.topic.clone(), end.partition)).collect();
        // The markers, of one offset each, are written after the commit is decided.
        let with_markers: Vec<Place> =
            ends.into_iter().map(|end| Place { offset: end.offset + 1, ..end }).collect();
        let begun = Instant::now();
        while broker.admin.ends(places.clone()).await.unwrap() != with_markers {
            assert!(begun.elapsed() < ARRIVES);
        }
    }
    assert_eq!(broker.admin.ends(vec![(a, 1)]).await.unwrap()[0].offset, 0);
    broker.sweep().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_finds_its_last_records_behind_aborted_ones() {
    let broker = Broker::new("log");
    let topic = broker.create("cuts", 1).await;
    let mut publisher = broker.publisher();
    let mut log = Log::open(&broker.settings, &topic).unwrap().unwrap();
    assert_eq!(log.last(3).unwrap(), []);
    assert_eq!(log.next_until(log.end().unwrap()).unwrap(), None);

    let values: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    for value in &values {
        publish(&mut publisher, &topic, 0, &[value]);
    }
    for _ in 0..40 {
        publisher.begin().unwrap();
        for _ in 0..10 {
            send(&mut publisher, &topic, 0, "never");
        }
        // Waits until they are stored, so that the log has offsets to look over.
        publisher.flush().unwrap();
        publisher.abort().unwrap();
    }
    // Opening the id waits for the markers.
    let mut publisher = broker.publisher();
    let end = log.end().unwrap();
    let last = log.last(3).unwrap();
    assert_eq!(last.iter().map(|r| text(r.value.as_ref())).collect::<Vec<_>>(), ["17", "18", "19"]);
    assert!(end >= 40 + 40, "only {end} offsets");
    assert_eq!(log.position(), end);
    assert_eq!(log.last(100).unwrap().len(), 20);
    let mut seen = Vec::new();
    let up_to = log.read_all(|record| {
        seen.push(text(record.value));
        Ok(())
    });
    assert_eq!((up_to.unwrap(), &seen), (end, &values));

    let next = publish(&mut publisher, &topic, 0, &["20"]);
    let record = log.next(ARRIVES).unwrap().expect("the log goes on");
    assert_eq!((record.offset + 1, record.timestamp_ms), (next, 1_700_000_000_000));
    assert_eq!(log.offset_for_time(1).unwrap(), Some(0));
    assert!(
        log.offset_for_time(1_700_000_000_001).unwrap() <= Some(1),
        "the first marker has the clock's time"
    );
    assert_eq!(log.offset_for_time(i64::MAX).unwrap(), None);
    log.seek(1).unwrap();
    assert_eq!(text(log.next(ARRIVES).unwrap().unwrap().value), "1");
    broker.sweep().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stamps_and_tombstones_arrive() {
    let broker = Broker::new("stamps");
    let topic = broker.create("t", 1).await;
    let mut publisher = broker.publisher();
    let stamp = Stamp { cut: CutId { incarnation: 7, sequence: u64::MAX }, ordinal: 300 };
    let encoded = stamp.encode();
    let [cut, ordinal] = encoded.headers();
    publisher.begin().unwrap();
    publisher.send(&topic, 0, Some(b"k"), None, &[cut, ordinal, ("x", b"")], 5).unwrap();
    publisher.send(&topic, 0, None, Some(b""), &[], 6).unwrap();
    publisher.send(&topic, 0, Some(b"k"), Some(b"v"), &[cut], 7).unwrap();
    publisher.commit().unwrap();

    let mut events = broker.events();
    events.ensure(&topic, 0, From::Offset(0)).unwrap();
    let tombstone = arrives(&mut events, &topic, 0);
    assert_eq!((tombstone.stamp, tombstone.timestamp_ms), (Some(stamp), 5));
    assert_eq!((tombstone.key.as_deref(), tombstone.value), (Some(&b"k"[..]), None));
    let empty = arrives(&mut events, &topic, 0);
    assert_eq!((empty.stamp, empty.key, empty.value.as_deref()), (None, None, Some(&b""[..])));
    let error = events.next(&topic, 0, ARRIVES).unwrap_err();
    assert_eq!(error.kind(), cdc_sdk::Kind::UnknownVersion, "{error}");
    broker.sweep().await;
}
