//! A member of a group that asks the brokers something, and is refused, still reads every record.

use std::time::{Duration, Instant};

use cdc::kafka::{Group, Partition, Protocol, Settings, Turn};

use super::{ARRIVES, BUDGET_BYTES, Broker};

const RECORDS: i64 = 50;

/// Found by the soak: the reason of an error was looked for in the queue that a member's records come through, and one
/// of them was lost with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_costs_no_record() {
    let broker = Broker::new("members");
    let topic = broker.create("t", 1).await;
    let missing = (broker.topic("missing"), 0);
    tokio::task::block_in_place(|| {
        let mut publisher = broker.publisher();
        publisher.begin().unwrap();
        for number in 0..RECORDS {
            publisher.send(&topic, 0, None, Some(number.to_string().as_bytes()), &[], 0).unwrap();
        }
        publisher.commit().unwrap();
        let settings = Settings { patience: Duration::from_secs(3), ..broker.settings.clone() };
        let mut group = Group::open(&settings, &broker.name, Protocol::Classic, BUDGET_BYTES).unwrap();
        group.follow(&[&topic]).unwrap();
        for expected in 0..RECORDS {
            assert_eq!(offset(&mut group, &(topic.clone(), 0)), expected);
            if expected % 20 == 0 {
                // What is refused is looked up a few times; the records behind the first are there by then.
                group.beginnings(std::slice::from_ref(&missing)).unwrap_err();
            }
        }
    });
    broker.sweep().await;
}

/// Where the next record lies.
fn offset(group: &mut Group, partition: &Partition) -> i64 {
    let begun = Instant::now();
    while begun.elapsed() < ARRIVES {
        match group.next(Duration::from_millis(100)).unwrap() {
            Turn::Event(_, _, event) => return event.offset,
            Turn::Given(_) => group.begin(&[(partition.clone(), 0)]).unwrap(),
            Turn::Taken(taken) => group.let_go(&taken).unwrap(),
            Turn::Nothing => {}
        }
    }
    panic!("no record comes");
}
