//! What Kafka promises the pipelines, tried on a real broker: each test has its
//! own topics, named after it, and removes them.

mod aborted_records_stay_hidden;
mod broker_killed;
mod events_of_many_partitions;
mod hanging_records_are_settled;
mod large_records;
mod members_keep_their_records;
mod older_publisher_is_fenced;
mod open_for_too_long;
mod outbox_stores;
mod topics_made_together;
mod transactions_leave_a_pause;
mod unreachable_brokers;
mod vanished_offsets;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use cdc::kafka::{Admin, Event, Events, Publisher, Settings, TopicSpec};

use crate::kit;

/// How long a record that is committed may take to arrive where the machine is busy: a
/// broker that gets no processor is taken for dead by its controller.
const ARRIVES: Duration = Duration::from_secs(90);

/// How long to look for a record that must not come.
const SILENCE: Duration = Duration::from_millis(700);

const BUDGET_BYTES: usize = 64 << 20;

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A name that no other test has, and the brokers.
struct Broker {
    name: String,
    settings: Settings,
    admin: Admin,
}

impl Broker {
    fn new(test: &str) -> Self {
        let settings = Settings {
            bootstrap_servers: kit::variable("CDC_TEST_KAFKA"),
            patience: ARRIVES,
            ..Settings::default()
        };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("k{}.{number}.{test}", std::process::id());
        Self { name, admin: Admin::connect(&settings).unwrap(), settings }
    }

    fn topic(&self, suffix: &str) -> String {
        format!("{}.{suffix}", self.name)
    }

    fn spec(&self, suffix: &str, partitions: i32) -> TopicSpec {
        // Two records of 20 MB and their framing.
        let mut config = kept_for_ever();
        config.push(("max.message.bytes".to_owned(), "67108864".to_owned()));
        TopicSpec { name: self.topic(suffix), partitions, replication: 1, config }
    }

    async fn create(&self, suffix: &str, partitions: i32) -> String {
        self.admin.create(self.spec(suffix, partitions)).await.unwrap();
        self.topic(suffix)
    }

    fn publisher(&self) -> Publisher {
        Publisher::open(&self.settings, &self.name, BUDGET_BYTES).unwrap()
    }

    fn events(&self) -> Events {
        Events::open(&self.settings, &self.name, BUDGET_BYTES).unwrap()
    }

    /// Removes all topics of this test.
    async fn sweep(self) {
        let topics = self.admin.topics_with_prefix(&self.name).await.unwrap();
        let names: Vec<&str> = topics.keys().map(String::as_str).collect();
        self.admin.delete(&names).await.unwrap();
    }
}

/// Records here have times of long ago: a broker that looks for old ones meanwhile would
/// delete them, and with them what it knows of their producer (seen on 4.3.1).
fn kept_for_ever() -> Vec<(String, String)> {
    vec![("retention.ms".to_owned(), "-1".to_owned())]
}

fn send(publisher: &mut Publisher, topic: &str, partition: i32, value: &str) {
    publisher.send(topic, partition, Some(b"k"), Some(value.as_bytes()), &[], 1_700_000_000_000).unwrap();
}

/// Commits a transaction of these values, all in one partition.
fn publish(publisher: &mut Publisher, topic: &str, partition: i32, values: &[&str]) -> i64 {
    publisher.begin().unwrap();
    for value in values {
        send(publisher, topic, partition, value);
    }
    let ends = publisher.commit().unwrap();
    assert_eq!(ends.len(), 1);
    assert_eq!((ends[0].topic.as_str(), ends[0].partition), (topic, partition));
    ends[0].offset
}

fn arrives(events: &mut Events, topic: &str, partition: i32) -> Event {
    events.next(topic, partition, ARRIVES).unwrap().expect("a committed record arrives")
}

fn text(bytes: Option<impl AsRef<[u8]>>) -> String {
    String::from_utf8(bytes.unwrap().as_ref().to_vec()).unwrap()
}
