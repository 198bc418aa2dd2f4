use cdc::kafka::{From, unsettled};
use cdc_sdk::Kind;

use super::*;
use crate::kit::until;

/// The brokers end it, and raise the id's epoch with it: no other instance has anything to do with that.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_outlives_its_time_is_not_taken_for_a_rivals_work() {
    let mut broker = Broker::new("outlived");
    let topic = broker.create("t", 1).await;
    for (name, ms) in [("transaction.timeout.ms", "1000"), ("linger.ms", "5")] {
        broker.settings.options.insert(name.to_owned(), ms.to_owned());
    }
    let mut publisher = broker.publisher();
    publish(&mut publisher, &topic, 0, &["before"]);
    publisher.begin().unwrap();
    send(&mut publisher, &topic, 0, "never");
    publisher.flush().unwrap();
    let partitions = [(topic.clone(), 0)];
    until("the brokers end the transaction", async || {
        tokio::task::block_in_place(|| unsettled(&broker.settings, &partitions)).unwrap().is_empty()
    })
    .await;
    let error = publisher.commit().unwrap_err();
    assert_eq!(error.kind(), Kind::KafkaUnreachable, "{error}");
    let text = error.to_string();
    assert!(text.contains("transaction.timeout.ms is 1000"), "{text}");
    assert!(!text.contains("instance"), "{text}");
    drop(publisher);

    let mut again = broker.publisher();
    publish(&mut again, &topic, 0, &["after"]);
    let mut events = broker.events();
    events.ensure(&topic, 0, From::Earliest).unwrap();
    let seen: Vec<String> = (0..2).map(|_| text_of(&mut events, &topic)).collect();
    assert_eq!(seen, ["before", "after"]);
    broker.sweep().await;
}

fn text_of(events: &mut Events, topic: &str) -> String {
    text(arrives(events, topic, 0).value)
}
