//! What an outbox has flushed is stored, and there for readers of committed records; what it cannot store it says.

use std::time::Duration;

use cdc::kafka::{Log, Outbox, Record, Settings};
use cdc_sdk::Kind;

use super::Broker;

const RECORDS: i64 = 2000;

fn record(number: i64) -> Record {
    let headers = vec![("h".to_owned(), vec![1, 2]), ("empty".to_owned(), Vec::new())];
    let value = (number % 2 == 0).then(|| vec![7; 300]);
    Record { offset: 0, timestamp_ms: 0, key: Some(number.to_string().into_bytes()), value, headers }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_outbox_has_flushed_is_stored() {
    let broker = Broker::new("outbox");
    let topic = broker.create("letters", 1).await;
    tokio::task::block_in_place(|| {
        // Much less than the records take: it waits for the brokers in between.
        let outbox = Outbox::open(&broker.settings, 32 << 10).unwrap();
        for number in 0..RECORDS {
            outbox.send(&topic, 0, &record(number)).unwrap();
        }
        outbox.flush().unwrap();
        let mut log = Log::open(&broker.settings, &topic).unwrap().unwrap();
        assert_eq!(log.end().unwrap(), RECORDS, "none is under way any more");
        let mut seen = 0;
        log.read_all(|read| {
            let sent = record(seen);
            assert_eq!((read.key, read.value, read.headers), (sent.key, sent.value, sent.headers));
            seen += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, RECORDS);
        let sent = outbox.send(&topic, 9, &record(0)).and_then(|()| outbox.flush());
        assert_eq!(sent.unwrap_err().kind(), Kind::TopicChanged);
    });
    broker.sweep().await;
}

#[test]
fn what_no_broker_has_confirmed_is_not_flushed() {
    let settings = Settings {
        bootstrap_servers: "127.0.0.1:1".to_owned(),
        patience: Duration::from_secs(1),
        ..Settings::default()
    };
    let outbox = Outbox::open(&settings, 32 << 10).unwrap();
    outbox.send("nowhere", 0, &record(0)).unwrap();
    assert_eq!(outbox.flush().unwrap_err().kind(), Kind::KafkaUnreachable);
}
