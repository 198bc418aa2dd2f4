//! What a source does before it reads where it ended. That brokers do leave records hanging is
//! shown by `broker_killed`, on a busy machine about once in ten runs.

use cdc::kafka::{From, Log, Settler, unsettled};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn records_without_an_end_are_found() {
    let broker = Broker::new("hanging");
    let topic = broker.create("t", 3).await;
    let all: Vec<(String, i32)> = (0..3).map(|partition| (topic.clone(), partition)).collect();
    let mut publisher = broker.publisher();
    publish(&mut publisher, &topic, 0, &["whole"]);
    // A new one of its id knows that the markers are written.
    let mut publisher = broker.publisher();
    assert_eq!(unsettled(&broker.settings, &all).unwrap(), []);
    publisher.begin().unwrap();
    send(&mut publisher, &topic, 1, "open");
    publisher.flush().unwrap();
    assert_eq!(unsettled(&broker.settings, &all).unwrap(), [(topic.clone(), 1)]);
    drop(publisher);
    let _next = broker.publisher();
    assert_eq!(unsettled(&broker.settings, &all).unwrap(), []);
    broker.sweep().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settling_shows_all_and_leaves_nothing() {
    let broker = Broker::new("settled");
    let prefix = broker.name.clone();
    let (cuts, state) = (broker.topic("cuts"), broker.topic("state"));
    let settler = Settler::open(&broker.settings).unwrap();
    settler.settle_logs(&mut broker.publisher(), &prefix, &[&cuts, &state]).unwrap();
    for suffix in ["cuts", "state", "t"] {
        broker.create(suffix, 1).await;
    }
    let mut publisher = broker.publisher();
    for number in ["1", "2", "3"] {
        publisher.begin().unwrap();
        for suffix in ["t", "state", "cuts"] {
            send(&mut publisher, &broker.topic(suffix), 0, number);
        }
        publisher.commit().unwrap();
    }
    for _ in 0..2 {
        let mut publisher = broker.publisher();
        let unsettled = settler.settle_logs(&mut publisher, &prefix, &[&cuts, &state]).unwrap();
        settler.settle_events(&mut publisher, &unsettled, None, &[]).unwrap();
        for log in [&cuts, &state] {
            let last = Log::open(&broker.settings, log).unwrap().unwrap().last(9).unwrap();
            assert_eq!(last.into_iter().map(|r| text(r.value)).collect::<Vec<_>>(), ["1", "2", "3"]);
        }
    }
    let mut events = broker.events();
    events.ensure(&broker.topic("t"), 0, From::Earliest).unwrap();
    for number in ["1", "2", "3"] {
        assert_eq!(text(arrives(&mut events, &broker.topic("t"), 0).value), number);
    }
    assert_eq!(events.next(&broker.topic("t"), 0, SILENCE).unwrap(), None);
    broker.sweep().await;
}
