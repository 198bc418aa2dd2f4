//! A replay over a newer destination ends in the state that no replay would have.

use cdc_mysql_sink::{Advance, Batch, Change, End};
use cdc_mysql_sink::{LedgerAdmin, Mark, Move, Running, SchemaMode, Sink};
use cdc_sdk::column::Generated;
use cdc_sdk::cut::Place;
use cdc_sdk::table::{KeyOn, KeyPart};
use cdc_sdk::{CutId, Key, KeyKind, Kind, OwnedRow};

use crate::world::*;

fn advance(sequence: u64) -> Advance {
    Advance {
        cut: CutId { incarnation: 1, sequence },
        cuts_offset: 100 + i64::try_from(sequence).unwrap(),
        places: vec![Place {
            topic: "prefix.t".into(),
            partition: 0,
            offset: i64::try_from(sequence).unwrap(),
        }],
        position: String::new(),
        committed_us: 0,
        snapshot_complete: true,
    }
}

async fn replay(sink: &mut Sink, history: &[Vec<Change<OwnedRow>>], from: usize) {
    for (index, changes) in history.iter().enumerate().skip(from) {
        let end = End::Commit(advance(u64::try_from(index).unwrap() + 1));
        sink.apply(Batch::new(changes.clone(), end)).await.unwrap();
    }
}

#[test]
fn from_every_earlier_cut() {
    in_world(|world| async move {
        let people = world.people();
        let log = world.table("log", vec![int("v")], vec![]);
        let row = |id, name: &str| vec![n(id), t(name), n(id)];
        let history = vec![
            vec![create(&people, row(1, "a")), create(&people, row(2, "b")), create(&log, vec![n(1)])],
            vec![
                update(&people, row(1, "a"), row(1, "x")),
                update(&people, row(2, "b"), row(2, "a")),
                create(&log, vec![n(1)]),
            ],
            vec![delete(&people, row(1, "x")), create(&people, row(3, "x")), delete(&log, vec![n(1)])],
            vec![update(&people, row(2, "a"), row(2, "b")), create(&people, row(4, "a"))],
            vec![delete(&people, row(3, "x")), create(&people, row(1, "x"))],
        ];
        let state = || async {
            let mut all = world.texts("SELECT CONCAT_WS(' ', id, name, v) FROM DB.people ORDER BY id").await;
            all.extend(world.texts("SELECT CAST(v AS CHAR) FROM DB.log").await);
            all
        };
        let mut sink = world.open().await;
        replay(&mut sink, &history, 0).await;
        sink.close().await;
        let wanted = state().await;
        assert_eq!(wanted, ["1 x 1", "2 b 2", "4 a 4", "1"]);
        for from in 0..history.len() {
            let cut =
                from.checked_sub(1).map(|_| CutId { incarnation: 1, sequence: u64::try_from(from).unwrap() });
            let to = Move::To(Mark { cut, cuts_offset: 7, ..Mark::default() });
            LedgerAdmin::set(&world.settings, &to, Running::Refused, "a test").await.unwrap();
            let mut sink = world.open().await;
            assert!(sink.progress().converging());
            assert_eq!((sink.progress().cut, sink.progress().cuts_offset), (cut, 7));
            assert!(sink.progress().places.is_empty());
            replay(&mut sink, &history, from).await;
            assert!(!sink.progress().converging());
            sink.close().await;
            assert_eq!(state().await, wanted, "from {from}");
        }
        let audit = format!(
            "SELECT CONCAT(reason, ': ', from_cut, ' to ', to_cut) FROM `{}`.ledger_audit",
            world.settings.ledger_database
        );
        assert_eq!(world.texts(&audit).await[..2], ["a test: 1.5 to before the first", "a test: 1.5 to 1.1"]);
        let read = LedgerAdmin::read(&world.settings).await.unwrap().unwrap();
        assert_eq!(read.high_water, Some(CutId { incarnation: 1, sequence: 5 }));
    });
}

#[test]
fn a_batch_with_keyless_rows_does_not_go_over_the_end_of_what_is_replayed() {
    in_world(|world| async move {
        let log = world.table("log", vec![int("v")], vec![]);
        let people = world.people();
        let mut sink = world.open().await;
        replay(&mut sink, &[vec![create(&log, vec![n(1)])], vec![]], 0).await;
        sink.close().await;
        let to = Move::To(Mark::default());
        LedgerAdmin::set(&world.settings, &to, Running::Refused, "a test").await.unwrap();
        let mut sink = world.open().await;
        let batch = |changes| Batch::<OwnedRow>::new(changes, End::Commit(advance(3)));
        let error =
            sink.apply(batch(vec![create(&log, vec![n(1)]), create(&log, vec![n(2)])])).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Bug, "{error}");
        // Rows with a key may be written again.
        sink.apply(batch(vec![create(&people, vec![n(1), t("a"), n(1)])])).await.unwrap();
        assert!(!sink.progress().converging());
    });
}

/// Rows 1 and 2 have changed names, and what row 2 became is gone: its next change brings it back.
#[test]
fn behind_a_hole_rows_in_the_way_are_replaced() {
    in_world(|world| async move {
        let people = world.people();
        let row = |id, name: &str| vec![n(id), t(name), n(id)];
        let mut sink = world.open().await;
        world
            .apply(&mut sink, vec![create(&people, row(1, "a")), create(&people, row(2, "b"))])
            .await
            .unwrap();
        let taken = vec![update(&people, row(1, "a"), row(1, "b"))];
        let whole = Batch::new(taken.clone(), End::Commit(world.advance()));
        assert_eq!(sink.apply(whole).await.unwrap_err().kind(), Kind::Divergence);
        let over = Batch { over_holes: true, ..Batch::new(taken, End::Commit(world.advance())) };
        sink.apply(over).await.unwrap();
        world.apply(&mut sink, vec![update(&people, row(2, "a"), row(2, "c"))]).await.unwrap();
        let people = world.texts("SELECT CONCAT_WS(' ', id, name, v) FROM DB.people ORDER BY id").await;
        assert_eq!(people, ["1 b 1", "2 c 2"]);
    });
}

#[test]
fn a_snapshot_puts_right_what_has_diverged() {
    in_world(|world| async move {
        let people = world.people();
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![create(&people, vec![n(1), t("a"), n(1)])]).await.unwrap();
        world.sql("UPDATE DB.people SET id = 9").await;
        world.apply(&mut sink, vec![read(&people, vec![n(1), t("A"), n(1)])]).await.unwrap();
        assert_eq!(world.texts("SELECT CONCAT_WS(' ', id, name) FROM DB.people").await, ["1 A"]);
    });
}

/// Over a key that the source has not, or that tells fewer rows apart here, both rows are right: neither makes way.
#[test]
fn a_snapshot_takes_no_row_away_for_a_key_that_the_source_has_not() {
    in_world(|mut world| async move {
        world.create_database().await;
        world.settings.schema = SchemaMode::None;
        let kinds = ["UNIQUE (name)", "UNIQUE (name(2))", "UNIQUE ((LOWER(name)))"];
        for (number, unique_here) in kinds.iter().enumerate() {
            let table = format!("t{number}");
            world
                .sql(&format!("CREATE TABLE DB.{table} (id INT PRIMARY KEY, name VARCHAR(9), {unique_here})"))
                .await;
            let mut exact = varchar("name", 9);
            exact.collation = Some("utf8mb4_bin".into());
            let keys = [vec![primary(&[0])], vec![primary(&[0]), unique("name", &[1])]];
            for (columns, keys) in
                [vec![int("id"), varchar("name", 9)], vec![int("id"), exact]].into_iter().zip(keys)
            {
                let source = world.table(&table, columns, keys);
                let mut sink = world.open().await;
                let rows = vec![read(&source, vec![n(1), t("Bob")]), read(&source, vec![n(2), t("bob")])];
                let error = world.apply(&mut sink, rows).await.unwrap_err();
                assert_eq!(error.kind(), Kind::Divergence, "{unique_here}: {error}");
                assert!(world.texts(&format!("SELECT name FROM DB.{table}")).await.is_empty());
                sink.close().await;
            }
        }
    });
}

/// The one row was read while the source had the key, the other was made after that was dropped.
#[test]
fn nor_does_a_row_make_way_for_one_of_an_older_schema() {
    in_world(|mut world| async move {
        let with_key = world.people();
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![create(&with_key, vec![n(9), t("z"), n(9)])]).await.unwrap();
        sink.close().await;
        world.settings.schema = SchemaMode::Extend;
        let columns = with_key.columns.clone();
        let without = world.table("people", columns, vec![primary(&[0])]);
        let mut sink = world.open().await;
        let rows =
            vec![read(&with_key, vec![n(1), t("a"), n(1)]), create(&without, vec![n(2), t("a"), n(2)])];
        let error = world.apply(&mut sink, rows).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Divergence, "{error}");
        assert_eq!(world.texts("SELECT name FROM DB.people").await, ["z"]);
    });
}

/// Keys that the sink made itself are known again, whatever they stand on.
#[test]
fn a_snapshot_puts_right_what_has_diverged_over_keys_that_no_row_shows() {
    in_world(|mut world| async move {
        world.settings.schema = SchemaMode::Evolve;
        let on = |on, prefix| vec![KeyPart { on, prefix, descending: false }];
        let expression = "concat(lower(`name`),_utf8mb4'\\'s')";
        let mut made = nullable(varchar("made", 30));
        made.extra.generated = Some(Generated { expression: expression.into(), stored: false });
        let kinds = [
            ("prefix", on(KeyOn::Column(1), Some(3))),
            ("expression", on(KeyOn::Expression(expression.into()), None)),
            ("generated", on(KeyOn::Column(2), None)),
        ];
        let mut sink = world.open().await;
        for (name, parts) in kinds {
            let key = Key::new(KeyKind::Unique, "u", parts);
            let columns = vec![int("id"), nullable(varchar("name", 20)), made.clone()];
            let source = world.table(name, columns, vec![primary(&[0]), key]);
            let row = |id| vec![n(id), t("Anna"), t("anna's")];
            world.apply(&mut sink, vec![create(&source, row(1))]).await.unwrap();
            world.sql(&format!("UPDATE DB.{name} SET id = 9")).await;
            world.apply(&mut sink, vec![read(&source, row(1))]).await.unwrap();
            let found = world.texts(&format!("SELECT CONCAT_WS(' ', id, made) FROM DB.{name}")).await;
            assert_eq!(found, ["1 anna's"], "{name}");
        }
    });
}
