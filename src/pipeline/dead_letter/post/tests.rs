use cdc_mysql_sink::{Letter, Why};

use super::*;

fn place(topic: &str, offset: i64) -> Place {
    Place { topic: topic.into(), partition: 1, offset }
}

fn why() -> Arc<Why> {
    Arc::new(Why { code: "E052".into(), text: "in the way".into() })
}

fn held(first: Place, last: Place) -> Held {
    Held {
        table: TableName::new("shop", "t"),
        key: Some(Bytes::from_static(b"1")),
        made_of: None,
        shown: "id=1".into(),
        why: why(),
        since_us: 0,
        letters: 1,
        first,
        last,
        letters_from: 0,
    }
}

/// The offset of the letter that is applied last, of letters for these events.
fn last_of(held: &Held, events: &[Place]) -> Option<i64> {
    let mut found = Found::default();
    for (offset, place) in (0..).zip(events) {
        let letter = Letter {
            origin: Origin::default(),
            table: held.table.clone(),
            key: Arc::clone(&held.shown),
            why: why(),
        };
        let record = Record { offset, timestamp_ms: 0, key: None, value: None, headers: Vec::new() };
        let slip = Slip::new("crm", &letter, place, &record).unwrap();
        if is_since(&slip, held) {
            found.add(record, &slip, held, true);
        }
    }
    found.ends.filter(|_| found.complete).map(|ends| ends.last.offset)
}

#[test]
fn the_last_letter_is_the_one_that_the_ledger_counts_on() {
    let [a, b, c] = [0, 1, 2].map(|offset| place("t", offset));
    assert_eq!(last_of(&held(a.clone(), b.clone()), &[a.clone(), b.clone(), c]), Some(1));
    assert_eq!(last_of(&held(a.clone(), b.clone()), &[a.clone(), a.clone(), b.clone(), a.clone()]), Some(2));
    assert_eq!(last_of(&held(a.clone(), b), &[a]), None);
}

#[test]
fn what_a_replay_brings_from_an_older_topic_is_not_the_last() {
    let [new, old] = [place("t.v2", 0), place("t", 5)];
    assert_eq!(last_of(&held(new.clone(), new.clone()), &[new.clone(), old, new]), Some(0));
}
