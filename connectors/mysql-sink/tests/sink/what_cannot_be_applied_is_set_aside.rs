//! Only the key at fault goes to the dead letters; the rest of the batch is one transaction with the ledger.

use std::sync::Arc;

use cdc_mysql_sink::{Batch, Change, End, Parallel};
use cdc_sdk::{Error, Kind, OwnedRow};

use crate::office::*;
use crate::world::*;

#[test]
fn only_the_guilty_keys_are_set_aside() {
    in_world(|mut world| async move {
        narrow(&mut world).await;
        let (table, office) = (world.people(), Office::new(&world));
        let mut sink = open(&world, &office).await;
        let name = |id: i64| if id == 77 || id == 150 { "long name".to_owned() } else { format!("{id}") };
        let rows = (0..200).map(|id| at(id, create(&table, vec![n(id), t(&name(id)), n(0)])));
        let applied = world.apply(&mut sink, rows.collect()).await.unwrap();
        assert!(applied.committed);
        assert_eq!(applied.upserts, 198);
        assert_eq!(world.rows::<i64>("SELECT COUNT(*) FROM DB.people").await, [198]);
        assert_eq!(world.ledger_sequence().await, Some(1));
        assert_eq!(office.shown(), ["id=77 E050", "id=150 E050"]);
        assert_eq!(office.offsets(), [77, 150]);
        assert_eq!(quarantine(&world).await, ["people id=150 1 150 150", "people id=77 1 77 77"]);
        assert_eq!(sink.quarantine().count(), 2);
    });
}

#[test]
fn later_changes_follow_after_a_kill_too() {
    in_world(|mut world| async move {
        narrow(&mut world).await;
        let (table, office) = (world.people(), Office::new(&world));
        let row = |id, name: &str, v| vec![n(id), t(name), n(v)];
        let mut sink = open(&world, &office).await;
        let first = vec![at(0, create(&table, row(1, "a", 1))), at(1, create(&table, row(2, "b", 1)))];
        world.apply(&mut sink, first).await.unwrap();
        let second = vec![
            at(2, update(&table, row(1, "a", 1), row(1, "long name", 2))),
            at(3, update(&table, row(2, "b", 1), row(2, "b", 2))),
        ];
        world.apply(&mut sink, second).await.unwrap();
        // It would fit, but what it changes is not there.
        let third = vec![at(4, update(&table, row(1, "long name", 2), row(1, "c", 3)))];
        world.apply(&mut sink, third).await.unwrap();
        assert_eq!(people(&world).await, ["1 a 1", "2 b 2"]);
        // As if the process had been killed.
        drop(sink);
        let mut sink = open(&world, &office).await;
        assert_eq!(sink.quarantine().count(), 1);
        let fourth = vec![
            at(5, update(&table, row(1, "c", 3), row(1, "d", 4))),
            at(6, update(&table, row(2, "b", 2), row(2, "b", 3))),
        ];
        world.apply(&mut sink, fourth).await.unwrap();
        let fifth = vec![at(7, delete(&table, row(1, "d", 4)))];
        world.apply(&mut sink, fifth).await.unwrap();
        assert_eq!(people(&world).await, ["1 a 1", "2 b 3"]);
        assert_eq!(office.offsets(), [2, 4, 5, 7]);
        assert_eq!(quarantine(&world).await, ["people id=1 4 2 7"]);
    });
}

#[test]
fn nothing_is_committed_before_its_letters_are_safe() {
    in_world(|mut world| async move {
        narrow(&mut world).await;
        let (table, office) = (world.people(), Office::new(&world));
        let mut sink = open(&world, &office).await;
        world.apply(&mut sink, vec![at(0, create(&table, vec![n(1), t("a"), n(0)]))]).await.unwrap();
        office.closes(true);
        let changes = || {
            vec![
                at(1, create(&table, vec![n(2), t("long name"), n(0)])),
                at(2, create(&table, vec![n(3), t("c"), n(0)])),
            ]
        };
        let error = world.apply(&mut sink, changes()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::KafkaUnreachable, "{error}");
        assert_eq!(people(&world).await, ["1 a 0"]);
        assert_eq!(world.ledger_sequence().await, Some(1));
        assert!(quarantine(&world).await.is_empty());
        assert!(sink.quarantine().is_empty());
        office.closes(false);
        world.apply(&mut sink, changes()).await.unwrap();
        assert_eq!(office.ledgers(), [Some(1)], "the letters came before the commit");
        assert_eq!(world.ledger_sequence().await, Some(3));
        assert_eq!(people(&world).await, ["1 a 0", "3 c 0"]);
    });
}

#[test]
fn a_row_that_hits_another_over_a_unique_key_is_set_aside() {
    in_world(|mut world| async move {
        narrow(&mut world).await;
        world.sql("INSERT INTO DB.people VALUES (9, 'in', 9)").await;
        let (table, office) = (world.people(), Office::new(&world));
        let mut sink = open(&world, &office).await;
        let rows = [(1, "a"), (2, "IN"), (3, "c")];
        let rows = rows.map(|(id, name)| at(id, create(&table, vec![n(id), t(name), n(0)])));
        world.apply(&mut sink, rows.into()).await.unwrap();
        assert_eq!(people(&world).await, ["1 a 0", "3 c 0", "9 in 9"]);
        assert_eq!(office.shown(), ["id=2 E052"]);
    });
}

#[test]
fn a_row_that_stays_is_not_deleted_for_another() {
    in_world(|mut world| async move {
        narrow(&mut world).await;
        let (table, office) = (world.people(), Office::new(&world));
        let row = |id, name: &str| vec![n(id), t(name), n(0)];
        let mut sink = open(&world, &office).await;
        let first =
            vec![create(&table, row(1, "a")), create(&table, row(2, "b")), create(&table, row(3, "c"))];
        world.apply(&mut sink, first).await.unwrap();
        // 2 takes the name of 1, and 3 that of 2; but 1 cannot take its new one.
        let second = vec![
            at(1, update(&table, row(1, "a"), row(1, "long name"))),
            at(2, update(&table, row(2, "b"), row(2, "a"))),
            at(3, update(&table, row(3, "c"), row(3, "b"))),
            at(4, create(&table, row(4, "c"))),
            at(5, create(&table, row(5, "e"))),
        ];
        world.apply(&mut sink, second).await.unwrap();
        assert_eq!(people(&world).await, ["1 a 0", "2 b 0", "3 c 0", "5 e 0"]);
        assert_eq!(quarantine(&world).await.len(), 4);
        let mut codes = office.shown();
        codes.sort();
        codes.dedup();
        assert_eq!(codes, ["id=1 E050", "id=2 E052", "id=3 E052", "id=4 E052"]);
    });
}

#[test]
fn tables_that_were_not_chosen_stop_the_sink() {
    in_world(|mut world| async move {
        narrow(&mut world).await;
        world.settings.dead_letters.clear();
        let (table, office) = (world.people(), Office::new(&world));
        let mut sink = open(&world, &office).await;
        let changes = vec![at(1, create(&table, vec![n(1), t("long name"), n(0)]))];
        assert_eq!(world.apply(&mut sink, changes).await.unwrap_err().kind(), Kind::RowRefused);
        assert!(office.offsets().is_empty());
        assert_eq!(world.ledger_sequence().await, None);
    });
}

#[test]
fn too_many_keys_stop_the_sink() {
    in_world(|mut world| async move {
        narrow(&mut world).await;
        world.settings.quarantined_keys_max = 2;
        let (table, office) = (world.people(), Office::new(&world));
        let mut sink = open(&world, &office).await;
        let bad = |id: i64| at(id, create(&table, vec![n(id), t(&format!("long {id}")), n(0)]));
        world.apply(&mut sink, vec![bad(1), bad(2)]).await.unwrap();
        let error = world.apply(&mut sink, vec![bad(3)]).await.unwrap_err();
        assert_eq!(error.kind(), Kind::DeadLettersFull, "{error}");
        assert_eq!(world.ledger_sequence().await, Some(1));
        assert_eq!(sink.quarantine().count(), 2);
        // More of the same keys is no more keys.
        world.apply(&mut sink, vec![bad(1), bad(2)]).await.unwrap();
    });
}

#[test]
fn a_run_keeps_what_came_before_and_forgets_what_is_rolled_back() {
    in_world(|mut world| async move {
        narrow(&mut world).await;
        let (table, office) = (world.people(), Office::new(&world));
        let row = |id: i64| at(id, create(&table, vec![n(id), t(&format!("{id}")), n(0)]));
        let bad = |id: i64| at(id, create(&table, vec![n(id), t(&format!("long {id}")), n(0)]));
        let mut sink = open(&world, &office).await;
        let more = |changes| Batch::new(changes, End::More);
        sink.apply(more(vec![row(1), bad(2)])).await.unwrap();
        sink.apply(more(vec![bad(3), row(4)])).await.unwrap();
        assert_eq!(sink.quarantine().count(), 2);
        sink.roll_back().await.unwrap();
        assert!(sink.quarantine().is_empty());
        assert!(quarantine(&world).await.is_empty());
        assert!(people(&world).await.is_empty());
        sink.apply(more(vec![row(1), row(2)])).await.unwrap();
        sink.apply(more(vec![bad(3), row(4)])).await.unwrap();
        // Its row is deleted first, since its unique value changes; that must not stay.
        let (before, after) = (vec![n(2), t("2"), n(0)], vec![n(2), t("long 2"), n(0)]);
        sink.apply(more(vec![at(7, update(&table, before, after))])).await.unwrap();
        world.apply(&mut sink, vec![row(5), bad(3), bad(6)]).await.unwrap();
        assert_eq!(people(&world).await, ["1 1 0", "2 2 0", "4 4 0", "5 5 0"]);
        let held = ["people id=2 1 7 7", "people id=3 2 3 3", "people id=6 1 6 6"];
        assert_eq!(quarantine(&world).await, held);
    });
}

#[test]
fn batches_at_once_wait_for_a_key_that_goes() {
    in_world(|mut world| async move {
        narrow(&mut world).await;
        world.sql("ALTER TABLE DB.people MODIFY name VARCHAR(6)").await;
        let (table, office) = (world.people(), Office::new(&world));
        let mut work = Parallel::new(open(&world, &office).await, 3).await.unwrap();
        for batch in 0..12_i64 {
            let name =
                |id: i64| if batch == 3 && id == 5 { "a long name".to_owned() } else { id.to_string() };
            // Key 5 is in every batch, all others in one each.
            let ids = std::iter::once(5).chain(batch * 1000 + 10..batch * 1000 + 610);
            let row = |id| vec![n(id), t(&name(id)), n(batch)];
            let changes: Vec<_> = ids.map(|id| at(batch, create(&table, row(id)))).collect();
            work.apply(Batch::new(changes, End::Commit(world.advance()))).await.unwrap();
        }
        work.settle().await.unwrap();
        work.close().await;
        assert_eq!(world.rows::<i64>("SELECT v FROM DB.people WHERE id = 5").await, [2]);
        assert_eq!(world.rows::<i64>("SELECT COUNT(*) FROM DB.people").await, [12 * 600 + 1]);
        assert_eq!(quarantine(&world).await, ["people id=5 9 3 11"]);
        assert_eq!(world.ledger_sequence().await, Some(12));
    });
}

#[test]
fn truncate_releases_the_keys_of_its_table() {
    in_world(|mut world| async move {
        narrow(&mut world).await;
        let (table, office) = (world.people(), Office::new(&world));
        let mut sink = open(&world, &office).await;
        let row = |name: &str| at(1, create(&table, vec![n(1), t(name), n(0)]));
        world.apply(&mut sink, vec![row("long name")]).await.unwrap();
        world.apply(&mut sink, vec![truncate(&table)]).await.unwrap();
        assert!(quarantine(&world).await.is_empty());
        assert!(sink.quarantine().is_empty());
        world.apply(&mut sink, vec![row("a")]).await.unwrap();
        assert_eq!(people(&world).await, ["1 a 0"]);
        assert_eq!(office.offsets(), [1]);
    });
}

#[test]
fn a_table_without_a_key_is_one_key() {
    in_world(|mut world| async move {
        narrow(&mut world).await;
        world.sql("CREATE TABLE DB.log (note VARCHAR(3))").await;
        let log = world.table("log", vec![varchar("note", 20)], vec![]);
        let (table, office) = (world.people(), Office::new(&world));
        let mut sink = open(&world, &office).await;
        let note = |offset, text: &str| at(offset, create(&log, vec![t(text)]));
        let person = |id: i64| at(100 + id, create(&table, vec![n(id), t(&id.to_string()), n(0)]));
        world.apply(&mut sink, vec![note(1, "a"), person(1)]).await.unwrap();
        world.apply(&mut sink, vec![note(2, "b"), note(3, "long note"), person(2)]).await.unwrap();
        world.apply(&mut sink, vec![note(4, "c"), person(3)]).await.unwrap();
        assert_eq!(world.texts("SELECT note FROM DB.log").await, ["a"]);
        assert_eq!(people(&world).await.len(), 3);
        assert_eq!(office.offsets(), [2, 3, 4]);
        assert_eq!(quarantine(&world).await, ["log * 3 2 4"]);
    });
}

#[test]
fn what_cannot_be_read_is_set_aside_by_its_key_or_with_its_table() {
    in_world(|mut world| async move {
        narrow(&mut world).await;
        let (table, office) = (world.people(), Office::new(&world));
        let mut sink = open(&world, &office).await;
        let row = |id: i64| at(id, create(&table, vec![n(id), t(&id.to_string()), n(0)]));
        let unreadable = |change: Change<OwnedRow>| Change {
            unreadable: Some(Arc::new(Error::new(Kind::Decode, "not to be read"))),
            before: None,
            after: None,
            ..change
        };
        world.apply(&mut sink, vec![row(1), unreadable(row(2)), row(3)]).await.unwrap();
        world.apply(&mut sink, vec![row(2), row(4)]).await.unwrap();
        assert_eq!(people(&world).await, ["1 1 0", "3 3 0", "4 4 0"]);
        assert_eq!(office.offsets(), [2, 2]);
        let keyless = Change { key: None, ..unreadable(row(9)) };
        world.apply(&mut sink, vec![keyless, row(5)]).await.unwrap();
        world.apply(&mut sink, vec![row(6)]).await.unwrap();
        assert_eq!(people(&world).await.len(), 3);
        assert_eq!(office.offsets(), [2, 2, 9, 5, 6]);
    });
}
