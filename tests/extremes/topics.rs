use std::time::{Duration, Instant};

use cdc::kafka::{Admin, Publisher, Settings, TopicSpec};

use crate::faults::own::{Own, Part};

const TOPICS: usize = 10_000;

/// As many as a cut of a snapshot of small tables has.
const AT_A_TIME: usize = 6;

/// With as many topics as that librdkafka has more to look through than a ms allows (about 7,000 here). Whoever
/// woke it every ms waited for receipts for half a minute or more, at several places of the last third.
#[ignore = "minutes: make extremes"]
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_topics_of_one_publisher() {
    let broker = Own::start("xtopics", Part::Broker, &[]);
    let settings = Settings {
        bootstrap_servers: broker.address().to_owned(),
        patience: Duration::from_secs(15),
        ..Settings::default()
    };
    let config = vec![("retention.ms".to_owned(), "-1".to_owned())];
    let spec = |n| TopicSpec { name: format!("t{n}"), partitions: 1, replication: 1, config: config.clone() };
    let specs: Vec<TopicSpec> = (0..TOPICS).map(spec).collect();
    Admin::connect(&settings).unwrap().create_all(&specs).await.unwrap();
    let mut publisher = Publisher::open(&settings, "xtopics", 1 << 20).unwrap();
    let mut took = Vec::new();
    for some in specs.chunks(AT_A_TIME) {
        let begun = Instant::now();
        publisher.begin().unwrap();
        for spec in some {
            publisher.send(&spec.name, 0, Some(b"k"), Some(b"v"), &[], 0).unwrap();
        }
        assert_eq!(publisher.commit().unwrap().len(), some.len());
        took.push(begun.elapsed());
    }
    let (first, last) = took.split_at(took.len() / 2);
    let longest = |took: &[Duration]| took.iter().max().copied().unwrap();
    println!("the longest transaction to new topics: {:?}, then {:?}", longest(first), longest(last));
}
