use cdc::kafka::{From, Log};
use cdc_sdk::Kind;
use cdc_sdk::cut::Place;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_vanished_offset_is_an_error_and_never_a_jump() {
    let broker = Broker::new("gone");
    let topic = broker.create("t", 1).await;
    let mut publisher = broker.publisher();
    let end = publish(&mut publisher, &topic, 0, &["a", "b", "c", "d"]);
    let keep = Place { topic: topic.clone(), partition: 0, offset: 2 };
    broker.admin.delete_records_before(std::slice::from_ref(&keep)).await.unwrap();
    assert_eq!(broker.admin.beginnings(vec![(topic.clone(), 0)]).await.unwrap(), [keep]);

    let mut events = broker.events();
    events.ensure(&topic, 0, From::Offset(1)).unwrap();
    let error = events.next(&topic, 0, ARRIVES).unwrap_err();
    assert_eq!(error.kind(), Kind::EventsMissing, "{error}");
    assert!(error.what().contains(&format!("{topic}/0 at offset 1")), "{error}");

    let mut events = broker.events();
    events.ensure(&topic, 0, From::Offset(end + 100)).unwrap();
    assert_eq!(events.next(&topic, 0, ARRIVES).unwrap_err().kind(), Kind::EventsMissing);

    let mut events = broker.events();
    events.ensure(&topic, 0, From::Earliest).unwrap();
    assert_eq!(text(arrives(&mut events, &topic, 0).value), "c");

    let mut log = Log::open(&broker.settings, &topic).unwrap().unwrap();
    assert_eq!(log.beginning().unwrap(), 2);
    assert_eq!(log.last(9).unwrap().len(), 2);
    log.seek(0).unwrap();
    assert_eq!(log.next(ARRIVES).unwrap_err().kind(), Kind::CutsMissing);
    broker.sweep().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_topic_is_told() {
    let broker = Broker::new("missing");
    assert!(Log::open(&broker.settings, &broker.topic("no")).unwrap().is_none());
    let wide = broker.create("wide", 2).await;
    assert_eq!(Log::open(&broker.settings, &wide).map(drop).unwrap_err().kind(), Kind::TopicChanged);
    let error = broker.admin.ends(vec![(broker.topic("no"), 0)]).await.unwrap_err();
    assert_eq!(error.kind(), Kind::TopicChanged, "{error}");

    let mut publisher = broker.publisher();
    publisher.begin().unwrap();
    let sent = publisher.send(&broker.topic("no"), 0, None, Some(b"x"), &[], 1);
    let error = sent.and_then(|()| publisher.commit().map(drop)).unwrap_err();
    assert_eq!(error.kind(), Kind::TopicChanged, "{error}");
    let mut publisher = broker.publisher();
    publisher.begin().unwrap();
    let sent = publisher.send(&wide, 2, None, Some(b"x"), &[], 1);
    let error = sent.and_then(|()| publisher.commit().map(drop)).unwrap_err();
    assert_eq!(error.kind(), Kind::TopicChanged, "{error}");
    publish(&mut broker.publisher(), &wide, 1, &["fine"]);

    let mut events = Events::open(
        &Settings {
            options: [("topic.metadata.propagation.max.ms".to_owned(), "1000".to_owned())].into(),
            ..broker.settings.clone()
        },
        &broker.name,
        BUDGET_BYTES,
    )
    .unwrap();
    events.ensure(&broker.topic("no"), 0, From::Earliest).unwrap();
    let error = events.next(&broker.topic("no"), 0, ARRIVES).unwrap_err();
    assert_eq!(error.kind(), Kind::TopicChanged, "{error}");
    broker.sweep().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn that_nothing_follows_is_known_once_nothing_is_hidden() {
    let broker = Broker::new("through");
    let topic = broker.create("t", 1).await;
    let mut publisher = broker.publisher();
    let mut events = broker.events();
    events.ensure(&topic, 0, From::Earliest).unwrap();
    assert!(events.is_through(&topic, 0).unwrap(), "nothing was ever written");
    publisher.begin().unwrap();
    send(&mut publisher, &topic, 0, "a");
    publisher.flush().unwrap();
    assert!(!events.is_through(&topic, 0).unwrap(), "it may yet be committed");
    let end = publisher.commit().unwrap();
    assert!(!events.is_through(&topic, 0).unwrap(), "it is there, hidden or not");
    arrives(&mut events, &topic, 0);
    assert!(events.is_through(&topic, 0).unwrap(), "only its marker follows");

    publish(&mut publisher, &topic, 0, &["b", "c"]);
    assert_eq!(text(arrives(&mut events, &topic, 0).value), "b");
    assert!(!events.is_through(&topic, 0).unwrap(), "another follows");
    broker
        .admin
        .delete_records_before(&broker.admin.ends(vec![(topic.clone(), 0)]).await.unwrap())
        .await
        .unwrap();
    for from in [From::Earliest, From::Offset(end[0].offset)] {
        let mut events = broker.events();
        events.ensure(&topic, 0, from).unwrap();
        assert!(events.is_through(&topic, 0).unwrap(), "{from:?}: all is gone");
    }
    broker.sweep().await;
}
