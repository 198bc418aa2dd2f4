use cdc_sdk::{Fate, Kind};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_topics_are_ready_when_made() {
    let broker = Broker::new("many");
    let specs: Vec<TopicSpec> = (0..220).map(|n| broker.spec(&format!("t{n}"), 1)).collect();
    let begun = Instant::now();
    broker.admin.create_all(&specs).await.unwrap();
    println!("220 topics: {:?}", begun.elapsed());
    let names = broker.admin.topics_with_prefix(&broker.name).await.unwrap();
    assert_eq!(names.len(), 220);
    let mut publisher = broker.publisher();
    publisher.begin().unwrap();
    for spec in &specs {
        send(&mut publisher, &spec.name, 0, "x");
    }
    assert_eq!(publisher.commit().unwrap().len(), 220);
    broker.sweep().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_there_keeps_its_partitions() {
    let broker = Broker::new("there");
    assert_eq!(broker.admin.partitions(&broker.topic("t")).await.unwrap(), None);
    let topic = broker.create("t", 3).await;
    assert_eq!(broker.admin.partitions(&topic).await.unwrap(), Some(3));
    broker.create("t", 3).await;
    let error = broker.admin.create(broker.spec("t", 4)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::TopicChanged, "{error}");
    let mut nonsense = broker.spec("n", 1);
    nonsense.config = vec![("retention.msec".to_owned(), "1".to_owned())];
    assert_eq!(broker.admin.create(nonsense).await.unwrap_err().kind(), Kind::KafkaRefused);
    let mut copies = broker.spec("c", 1);
    copies.replication = 7;
    let error = broker.admin.create(copies).await.unwrap_err();
    assert_eq!(error.fate(), Fate::Retry, "brokers that are down do not count: {error}");
    assert!(error.hint_text().unwrap().contains("topics.replication_factor"), "{error}");
    broker.admin.delete(&[&topic, "no.such.topic"]).await.unwrap();
    assert_eq!(broker.admin.partitions(&topic).await.unwrap(), None);
    broker.sweep().await;
}
