//! Of two sinks of one name one works; the other stands by, takes over, and fences the first.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cdc_mysql_sink::{Batch, End, LedgerAdmin, Mark, Move, Running, Sink};
use cdc_sdk::{Fate, Kind};
use mysql_async::prelude::Queryable;

use crate::world::*;

#[test]
fn the_second_stands_by_and_takes_over_when_the_first_dies() {
    in_world(|world| async move {
        let people = world.people();
        let mut first = world.open().await;
        world.apply(&mut first, vec![create(&people, vec![n(1), t("a"), n(1)])]).await.unwrap();
        let open = vec![create(&people, vec![n(2), t("b"), n(1)])];
        first.apply(Batch::new(open, End::More)).await.unwrap();
        let told = Arc::new(AtomicU32::new(0));
        let second = {
            let (settings, told) = (world.settings.clone(), Arc::clone(&told));
            tokio::spawn(async move {
                Sink::open(settings, |holder| {
                    assert!(holder.contains("connection"), "{holder}");
                    told.fetch_add(1, Ordering::Relaxed);
                })
                .await
            })
        };
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert!(!second.is_finished());
        assert!(told.load(Ordering::Relaxed) >= 1);
        // The first loses its lock, but lives on: a zombie with a transaction open.
        let mut admin = world.admin().await;
        let sql = format!("SELECT IS_USED_LOCK('cdc_sink_{}')", world.settings.name);
        let lock: Option<Option<u64>> = admin.query_first(sql).await.unwrap();
        world.kill(&[lock.flatten().unwrap()]).await;
        let mut second = second.await.unwrap().unwrap();
        assert_eq!(second.progress().epoch, 2);
        world.apply(&mut second, vec![create(&people, vec![n(3), t("b"), n(1)])]).await.unwrap();
        let late = vec![create(&people, vec![n(4), t("d"), n(1)])];
        let error = world.apply(&mut first, late).await.unwrap_err();
        assert_eq!(error.fate(), Fate::Retry, "{error}");
        assert_eq!(world.texts("SELECT name FROM DB.people ORDER BY id").await, ["a", "b"]);
    });
}

#[test]
fn a_zombie_whose_connection_was_not_ended_cannot_commit() {
    in_world(|world| async move {
        let people = world.people();
        let mut zombie = world.open().await;
        world.apply(&mut zombie, vec![create(&people, vec![n(1), t("a"), n(1)])]).await.unwrap();
        // Another has been here: as if its registration had been lost.
        let ledger = format!("`{}`.ledger", world.settings.ledger_database);
        world.sql(&format!("UPDATE {ledger} SET epoch = epoch + 1")).await;
        let late = vec![create(&people, vec![n(2), t("b"), n(1)])];
        let error = world.apply(&mut zombie, late).await.unwrap_err();
        assert_eq!(error.kind(), Kind::LedgerMoved, "{error}");
        let again = world.apply(&mut zombie, vec![]).await.unwrap_err();
        assert_eq!(again.kind(), Kind::LedgerMoved, "{again}");
        assert_eq!(world.texts("SELECT name FROM DB.people").await, ["a"]);
    });
}

#[test]
fn a_ledger_is_not_rewound_under_a_running_sink() {
    in_world(|world| async move {
        let people = world.people();
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![create(&people, vec![n(1), t("a"), n(1)])]).await.unwrap();
        let to = Move::To(Mark::default());
        let error = LedgerAdmin::set(&world.settings, &to, Running::Refused, "test").await.unwrap_err();
        assert_eq!(error.kind(), Kind::Conflict, "{error}");
        assert!(error.what().contains("connection"), "{error}");
        sink.close().await;
        assert!(world.registered().await.is_empty());
    });
}

#[test]
fn a_ledger_of_another_prefix_is_refused() {
    in_world(|mut world| async move {
        world.open().await.close().await;
        world.settings.topic_prefix = "other".into();
        let error = Sink::open(world.settings.clone(), |_| {}).await.err().unwrap();
        assert_eq!(error.kind(), Kind::LedgerMismatch, "{error}");
        world.settings.topic_prefix = "prefix".into();
        let ledger = format!("`{}`.ledger", world.settings.ledger_database);
        world.sql(&format!("UPDATE {ledger} SET format_version = 77")).await;
        let error = Sink::open(world.settings.clone(), |_| {}).await.err().unwrap();
        assert_eq!(error.kind(), Kind::UnknownVersion, "{error}");
    });
}

#[test]
fn a_ledger_that_was_restored_under_an_idle_sink_has_moved() {
    in_world(|world| async move {
        let people = world.people();
        let mut sink = world.open().await;
        sink.confirm().await.unwrap();
        for id in [1, 2] {
            world
                .apply(&mut sink, vec![create(&people, vec![n(id), t(&id.to_string()), n(1)])])
                .await
                .unwrap();
        }
        sink.confirm().await.unwrap();
        // Rows and ledger of an older dump, with the epoch that is still this sink's.
        world.sql("DELETE FROM DB.people WHERE id = 2").await;
        world.sql(&format!("UPDATE `{}`.ledger SET sequence = 1", world.settings.ledger_database)).await;
        let error = sink.confirm().await.unwrap_err();
        assert_eq!((error.kind(), error.fate()), (Kind::LedgerMoved, Fate::Retry), "{error}");
    });
}
