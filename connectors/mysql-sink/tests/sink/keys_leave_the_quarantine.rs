//! Keys leave the quarantine with their changes, or without them and with a row of audit.

use cdc_mysql_sink::{Action, Change, Chosen, DeadLetterDesk, Held, LedgerAdmin, Move, Running, Sink};
use cdc_sdk::{Error, Kind, OwnedRow, Result};

use crate::office::*;
use crate::world::*;

fn only(sink: &Sink) -> Held {
    let held = sink.quarantine().held();
    assert_eq!(held.len(), 1);
    held[0].clone()
}

/// Tries the only key in quarantine once more; returns what is wrong with it.
async fn retry(sink: &mut Sink, changes: Vec<Change<OwnedRow>>) -> Result<Option<Error>> {
    let refused = sink.retry(&[(only(sink), changes)], "test").await?;
    Ok(refused.into_iter().next().map(|(_, error)| error))
}

async fn audit(world: &World) -> Vec<String> {
    world.texts(&format!("SELECT reason FROM `{}`.ledger_audit", world.settings.ledger_database)).await
}

#[test]
fn retry_applies_and_releases_or_leaves_all_as_it_is() {
    in_world(|mut world| async move {
        narrow(&mut world).await;
        let (table, office) = (world.people(), Office::new(&world));
        let mut sink = open(&world, &office).await;
        let row = |name: &str, v| vec![n(1), t(name), n(v)];
        let letters = || {
            vec![
                at(1, update(&table, row("a", 0), row("long name", 1))),
                at(2, update(&table, row("long name", 1), row("longer", 2))),
            ]
        };
        world.apply(&mut sink, vec![create(&table, row("a", 0))]).await.unwrap();
        world.apply(&mut sink, letters()).await.unwrap();
        let error = retry(&mut sink, letters()).await.unwrap().unwrap();
        assert_eq!(error.kind(), Kind::RowRefused, "{error}");
        assert_eq!(quarantine(&world).await, ["people id=1 2 1 2"]);
        assert_eq!(people(&world).await, ["1 a 0"]);
        world.sql("ALTER TABLE DB.people MODIFY name VARCHAR(20)").await;
        assert!(retry(&mut sink, letters()).await.unwrap().is_none());
        assert_eq!(people(&world).await, ["1 longer 2"]);
        assert!(quarantine(&world).await.is_empty());
        assert!(sink.quarantine().is_empty());
        assert_eq!(audit(&world).await.len(), 1);
        world.apply(&mut sink, vec![update(&table, row("longer", 2), row("b", 3))]).await.unwrap();
        assert_eq!(people(&world).await, ["1 b 3"]);
    });
}

#[test]
fn rows_that_wait_for_each_other_leave_together() {
    in_world(|mut world| async move {
        narrow(&mut world).await;
        let (table, office) = (world.people(), Office::new(&world));
        let mut sink = open(&world, &office).await;
        let row = |id, name: &str| vec![n(id), t(name), n(0)];
        let first = [(1, "a"), (2, "b"), (3, "c"), (4, "d")].map(|(id, name)| create(&table, row(id, name)));
        world.apply(&mut sink, first.into()).await.unwrap();
        // 1 cannot be written; so 2 and 3, which take turns with it, cannot either. 4 is wrong by itself.
        let changes = || {
            vec![
                vec![
                    at(1, update(&table, row(1, "a"), row(1, "long name"))),
                    at(4, update(&table, row(1, "long name"), row(1, "c"))),
                ],
                vec![at(2, update(&table, row(2, "b"), row(2, "a")))],
                vec![at(3, update(&table, row(3, "c"), row(3, "b")))],
                vec![at(5, update(&table, row(4, "d"), row(4, "too long")))],
            ]
        };
        let [one, two, three, four] = changes().try_into().unwrap();
        let [bad, later] = one.try_into().unwrap();
        world.apply(&mut sink, [vec![bad], two, three, four].concat()).await.unwrap();
        world.apply(&mut sink, vec![later]).await.unwrap();
        assert_eq!(people(&world).await, ["1 a 0", "2 b 0", "3 c 0", "4 d 0"]);
        let held: Vec<Held> = sink.quarantine().held().into_iter().cloned().collect();
        let of = |id: usize| held.iter().find(|h| *h.shown == *format!("id={id}")).unwrap().clone();
        let group: Vec<_> = changes().into_iter().zip(1..).map(|(changes, id)| (of(id), changes)).collect();
        let refused = sink.retry(&group, "test").await.unwrap();
        assert_eq!(refused.iter().map(|(held, _)| &*held.shown).collect::<Vec<_>>(), ["id=4"]);
        assert_eq!(people(&world).await, ["1 c 0", "2 a 0", "3 b 0", "4 d 0"]);
        assert_eq!(quarantine(&world).await, ["people id=4 1 5 5"]);
        assert_eq!(sink.quarantine().count(), 1);
    });
}

#[test]
fn discard_releases_and_says_what_is_lost() {
    in_world(|mut world| async move {
        narrow(&mut world).await;
        let (table, office) = (world.people(), Office::new(&world));
        let mut sink = open(&world, &office).await;
        let change = at(1, create(&table, vec![n(1), t("long name"), n(0)]));
        world.apply(&mut sink, vec![change]).await.unwrap();
        let held = only(&sink);
        sink.discard(&held, "{\"id\":1}", "asked by me").await.unwrap();
        assert!(sink.quarantine().is_empty());
        assert!(quarantine(&world).await.is_empty());
        let audit = audit(&world).await;
        assert!(
            audit[0].contains("people id=1 (1 dead letters): asked by me; lost: {\"id\":1}"),
            "{audit:?}"
        );
        let next = update(&table, vec![n(1), t("long name"), n(0)], vec![n(1), t("b"), n(1)]);
        world.apply(&mut sink, vec![next]).await.unwrap();
        assert_eq!(people(&world).await, ["1 b 1"]);
    });
}

#[test]
fn a_sink_that_no_longer_leads_releases_nothing() {
    in_world(|mut world| async move {
        narrow(&mut world).await;
        let (table, office) = (world.people(), Office::new(&world));
        let mut sink = open(&world, &office).await;
        let letter = || at(1, create(&table, vec![n(1), t("long name"), n(0)]));
        world.apply(&mut sink, vec![letter()]).await.unwrap();
        world.sql("ALTER TABLE DB.people MODIFY name VARCHAR(20)").await;
        world.sql(&format!("UPDATE `{}`.ledger SET epoch = epoch + 1", world.settings.ledger_database)).await;
        let error = retry(&mut sink, vec![letter()]).await.unwrap_err();
        assert_eq!(error.kind(), Kind::LedgerMoved, "{error}");
        assert!(people(&world).await.is_empty());
        assert_eq!(quarantine(&world).await.len(), 1);
    });
}

#[test]
fn a_late_delete_spares_a_row_of_another_spelling() {
    in_world(|mut world| async move {
        narrow(&mut world).await;
        world.sql("CREATE TABLE DB.words (word VARCHAR(20) PRIMARY KEY, v VARCHAR(3))").await;
        let words = world.table("words", vec![varchar("word", 20), varchar("v", 20)], vec![primary(&[0])]);
        let office = Office::new(&world);
        let mut sink = open(&world, &office).await;
        let row = |word: &str, v: &str| vec![t(word), t(v)];
        let gone = || at(2, delete(&words, row("a", "long value")));
        let bad = || at(1, create(&words, row("a", "long value")));
        world.apply(&mut sink, vec![bad()]).await.unwrap();
        world.apply(&mut sink, vec![gone(), at(3, create(&words, row("A", "x")))]).await.unwrap();
        assert!(retry(&mut sink, vec![bad(), gone()]).await.unwrap().is_none());
        assert_eq!(world.texts("SELECT CONCAT(word, v) FROM DB.words").await, ["Ax"]);
    });
}

#[test]
fn requests_wait_for_a_sink_and_are_answered_once() {
    in_world(|mut world| async move {
        narrow(&mut world).await;
        let office = Office::new(&world);
        let mut sink = open(&world, &office).await;
        assert!(sink.requests().await.unwrap().is_empty());
        let mut desk = DeadLetterDesk::open(&world.settings).await.unwrap();
        let chosen = Chosen { table: Some(world.people().name.clone()), key: Some("id='x\\y'".into()) };
        let first = desk.ask(Action::Retry, &chosen).await.unwrap();
        let second = desk.ask(Action::Discard, &Chosen::default()).await.unwrap();
        let requests = sink.requests().await.unwrap();
        assert_eq!(requests.len(), 2);
        assert_eq!((requests[0].id, &requests[0].chosen), (first, &chosen));
        assert_eq!((requests[1].action, &requests[1].chosen), (Action::Discard, &Chosen::default()));
        assert_eq!(desk.answer(first).await.unwrap(), None);
        let answer = cdc_mysql_sink::Answer { released: 1, refused: 2, text: "it's done".into() };
        sink.answer(&requests[0], &answer).await.unwrap();
        assert_eq!(desk.answer(first).await.unwrap(), Some(answer));
        assert!(desk.withdraw(second).await.unwrap());
        assert!(!desk.withdraw(first).await.unwrap());
        assert!(sink.requests().await.unwrap().is_empty());
    });
}

#[test]
fn a_sink_that_begins_anew_has_no_quarantine() {
    in_world(|mut world| async move {
        narrow(&mut world).await;
        let (table, office) = (world.people(), Office::new(&world));
        let mut sink = open(&world, &office).await;
        let letter = at(1, create(&table, vec![n(1), t("long name"), n(0)]));
        world.apply(&mut sink, vec![letter]).await.unwrap();
        sink.close().await;
        assert_eq!(quarantine(&world).await.len(), 1);
        LedgerAdmin::set(&world.settings, &Move::Forget, Running::Refused, "test").await.unwrap();
        assert!(quarantine(&world).await.is_empty());
    });
}
