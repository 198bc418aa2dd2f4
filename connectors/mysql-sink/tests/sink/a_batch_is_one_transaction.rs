//! Rows and ledger become visible together or not at all.

use std::time::Duration;

use cdc_mysql_sink::{Batch, End};
use cdc_sdk::{Fate, Kind};
use mysql_async::prelude::Queryable;

use crate::world::*;

#[test]
fn a_run_of_batches_is_invisible_until_its_end() {
    in_world(|world| async move {
        let people = world.people();
        let mut sink = world.open().await;
        let changes = vec![create(&people, vec![n(1), t("a"), n(1)])];
        sink.apply(Batch::new(changes, End::More)).await.unwrap();
        assert!(world.texts("SELECT name FROM DB.people").await.is_empty());
        world.apply(&mut sink, vec![create(&people, vec![n(2), t("b"), n(1)])]).await.unwrap();
        assert_eq!(world.texts("SELECT name FROM DB.people ORDER BY id").await, ["a", "b"]);
        assert_eq!(world.ledger_sequence().await, Some(1));
    });
}

#[test]
fn a_table_first_seen_inside_a_run_does_not_commit_it() {
    in_world(|world| async move {
        let people = world.people();
        let other = world.table("other", vec![int("id")], vec![primary(&[0])]);
        let mut sink = world.open().await;
        sink.apply(Batch::new(vec![create(&people, vec![n(1), t("a"), n(1)])], End::More)).await.unwrap();
        sink.apply(Batch::new(vec![create(&other, vec![n(1)])], End::More)).await.unwrap();
        assert!(world.texts("SELECT name FROM DB.people").await.is_empty());
        sink.roll_back().await.unwrap();
        world.apply(&mut sink, vec![create(&other, vec![n(2)])]).await.unwrap();
        assert!(world.texts("SELECT name FROM DB.people").await.is_empty());
        assert_eq!(world.rows::<i64>("SELECT id FROM DB.other").await, [2]);
    });
}

#[test]
fn rows_are_not_visible_before_the_ledger_is() {
    in_world(|world| async move {
        let people = world.people();
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![create(&people, vec![n(1), t("a"), n(1)])]).await.unwrap();
        let mut admin = world.admin().await;
        admin.query_drop("START TRANSACTION").await.unwrap();
        let sql = format!("SELECT * FROM `{}`.ledger FOR UPDATE", world.settings.ledger_database);
        admin.query_drop(sql).await.unwrap();
        let applying = {
            let (world, people) = (world.clone(), people.clone());
            tokio::spawn(async move {
                world.apply(&mut sink, vec![create(&people, vec![n(2), t("b"), n(1)])]).await
            })
        };
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(world.texts("SELECT name FROM DB.people").await, ["a"]);
        admin.query_drop("ROLLBACK").await.unwrap();
        assert!(applying.await.unwrap().unwrap().committed);
        assert_eq!(world.texts("SELECT name FROM DB.people ORDER BY id").await, ["a", "b"]);
    });
}

#[test]
fn a_connection_killed_before_the_commit_leaves_nothing() {
    in_world(|world| async move {
        let people = world.people();
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![create(&people, vec![n(1), t("a"), n(1)])]).await.unwrap();
        let changes = vec![create(&people, vec![n(2), t("b"), n(1)])];
        sink.apply(Batch::new(changes, End::More)).await.unwrap();
        world.kill(&world.registered().await).await;
        let error = world.apply(&mut sink, vec![]).await.unwrap_err();
        assert_eq!(error.fate(), Fate::Retry, "{error}");
        drop(sink);
        let mut waited = 0;
        let sink = cdc_mysql_sink::Sink::open(world.settings.clone(), |_| waited += 1).await.unwrap();
        assert_eq!(sink.progress().cut.map(|c| c.sequence), Some(1));
        assert_eq!(sink.progress().places.values().copied().collect::<Vec<_>>(), [10]);
        assert_eq!(world.texts("SELECT name FROM DB.people").await, ["a"]);
    });
}

#[test]
fn a_lost_sink_applies_nothing_until_it_is_opened_anew() {
    in_world(|world| async move {
        let people = world.people();
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![create(&people, vec![n(1), t("a"), n(1)])]).await.unwrap();
        world.kill(&world.registered().await).await;
        for id in 2..4 {
            let changes = vec![create(&people, vec![n(id), t("x"), n(1)])];
            assert_eq!(world.apply(&mut sink, changes).await.unwrap_err().fate(), Fate::Retry);
        }
        assert_eq!(world.texts("SELECT name FROM DB.people").await, ["a"]);
    });
}

#[test]
fn a_deadlock_is_tried_again_within_the_batch() {
    in_world(|world| async move {
        let people = world.people();
        let mut sink = world.open().await;
        let (a, b) = (vec![n(1), t("a"), n(1)], vec![n(2), t("b"), n(1)]);
        world.apply(&mut sink, vec![create(&people, a.clone()), create(&people, b.clone())]).await.unwrap();
        let mut admin = world.admin().await;
        let name = format!("`{}`.people", world.database);
        // Heavier than the batch, so that the batch is the victim.
        admin.query_drop("START TRANSACTION").await.unwrap();
        let many: Vec<String> = (100..400).map(|id| format!("({id}, 'p{id}', 0)")).collect();
        admin.query_drop(format!("INSERT INTO {name} VALUES {}", many.join(","))).await.unwrap();
        admin.query_drop(format!("UPDATE {name} SET v = 9 WHERE id = 2")).await.unwrap();
        let applying = {
            let (world, people) = (world.clone(), people.clone());
            let (mut c, mut d) = (a.clone(), b.clone());
            (c[2], d[2]) = (n(5), n(6));
            let changes = vec![update(&people, a, c), update(&people, b, d)];
            tokio::spawn(async move { world.apply(&mut sink, changes).await })
        };
        tokio::time::sleep(Duration::from_millis(300)).await;
        admin.query_drop(format!("UPDATE {name} SET v = 9 WHERE id = 1")).await.unwrap();
        admin.query_drop("COMMIT").await.unwrap();
        let applied = applying.await.unwrap().unwrap();
        assert!(applied.committed);
        assert_eq!(world.texts("SELECT CAST(v AS CHAR) FROM DB.people WHERE id < 3").await, ["5", "6"]);
    });
}

#[test]
fn a_batch_of_many_packets_is_whole() {
    in_world(|mut world| async move {
        world.settings.max_statement_bytes = 4096;
        let people = world.people();
        let mut sink = world.open().await;
        let large = "x".repeat(15);
        let changes: Vec<_> =
            (0..3000).map(|id| create(&people, vec![n(id), t(&format!("{large}{id}")), n(id)])).collect();
        let applied = world.apply(&mut sink, changes).await.unwrap();
        assert_eq!(applied.upserts, 3000);
        assert!(applied.statements > 30, "{applied:?}");
        assert_eq!(
            world.rows::<(u64, i64)>("SELECT COUNT(*), SUM(v) FROM DB.people").await,
            [(3000, 4_498_500)]
        );
        let changes: Vec<_> =
            (0..2999).map(|id| delete(&people, vec![n(id), t(&format!("{large}{id}")), n(id)])).collect();
        assert_eq!(world.apply(&mut sink, changes).await.unwrap().deletes, 2999);
        assert_eq!(world.rows::<i64>("SELECT id FROM DB.people").await, [2999]);
    });
}

#[test]
fn a_row_larger_than_a_packet_goes_alone() {
    in_world(|world| async move {
        let blob = cdc_sdk::ColumnType::Blob { size: cdc_sdk::column::BlobSize::Long };
        let files = world.table("files", vec![int("id"), column("body", blob)], vec![primary(&[0])]);
        let mut sink = world.open().await;
        let row = |id, bytes: usize| vec![n(id), cdc_sdk::OwnedValue::Bytes(vec![b'\''; bytes])];
        let rows =
            vec![create(&files, row(1, 10)), create(&files, row(2, 3 << 20)), create(&files, row(3, 10))];
        world.apply(&mut sink, rows).await.unwrap();
        let found = world.rows::<(i64, u64)>("SELECT id, LENGTH(body) FROM DB.files ORDER BY id").await;
        assert_eq!(found, [(1, 10), (2, 3 << 20), (3, 10)]);
    });
}

#[test]
fn a_cut_that_the_ledger_has_is_refused() {
    in_world(|world| async move {
        let mut sink = world.open().await;
        let advance = world.advance();
        let batch = || Batch::<cdc_sdk::OwnedRow>::new(vec![], End::Commit(advance.clone()));
        sink.apply(batch()).await.unwrap();
        assert_eq!(sink.apply(batch()).await.unwrap_err().kind(), Kind::Bug);
    });
}
