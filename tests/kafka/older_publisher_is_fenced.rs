use cdc::kafka::From;
use cdc_sdk::Kind;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_younger_works_and_the_older_never_again() {
    let broker = Broker::new("fenced");
    let topic = broker.create("t", 1).await;
    let mut older = broker.publisher();
    publish(&mut older, &topic, 0, &["before"]);
    older.begin().unwrap();
    send(&mut older, &topic, 0, "never");

    let mut younger = broker.publisher();
    publish(&mut younger, &topic, 0, &["after"]);

    let error = older.commit().unwrap_err();
    assert_eq!(error.kind(), Kind::Fenced, "{error}");
    let again = older.abort().and_then(|()| older.begin()).unwrap_err();
    assert_eq!(again.kind(), Kind::Fenced, "{again}");
    publish(&mut younger, &topic, 0, &["still"]);

    let mut events = broker.events();
    events.ensure(&topic, 0, From::Earliest).unwrap();
    let seen: Vec<String> = (0..3).map(|_| text(arrives(&mut events, &topic, 0).value)).collect();
    assert_eq!(seen, ["before", "after", "still"]);
    assert_eq!(events.next(&topic, 0, SILENCE).unwrap(), None);
    broker.sweep().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_older_one_is_told_at_its_next_commit() {
    let broker = Broker::new("idle");
    let topic = broker.create("t", 1).await;
    let mut older = broker.publisher();
    publish(&mut older, &topic, 0, &["a"]);
    let mut younger = broker.publisher();
    publish(&mut younger, &topic, 0, &["b"]);
    let said = older.begin().and_then(|()| {
        older.send(&topic, 0, None, Some(b"never"), &[], 1)?;
        older.commit().map(drop)
    });
    assert_eq!(said.unwrap_err().kind(), Kind::Fenced);
    publish(&mut younger, &topic, 0, &["c"]);
    broker.sweep().await;
}
