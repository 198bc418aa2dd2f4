//! A destination restored from a backup of the source begins where the backup stands:
//! nothing is lost, nothing comes twice, and what does not fit is refused.

use std::time::Duration;

use cdc::kafka::{Admin, Settings};
use cdc_sdk::GtidSet;
use cdc_sdk::cut::Place;

use crate::kit::dump::{backup, restore};
use crate::kit::{LIMIT, World, until, variable};

/// Runs the source until it has caught up.
fn publish(world: &World) {
    let mut source = world.start_source(&["--until-caught-up"]);
    assert_eq!(source.wait(LIMIT).code(), Some(0), "{}", source.log_tail());
}

fn back_up(world: &World) -> (Vec<u8>, String) {
    backup(&variable("CDC_TEST_SOURCE_MYSQL"), &world.name)
}

fn restore_at_dest(dump: &[u8]) {
    restore(&variable("CDC_TEST_DEST_MYSQL"), dump);
}

fn begin_at(world: &World, set: &str) -> (Option<i32>, String) {
    world.cdc(&["sink", "-c", &world.file("sink.toml"), "--until-caught-up", "--from-gtid", set])
}

/// How many rows of the ledger's table are this world's.
async fn ledger_rows(world: &World, table: &str) -> Option<i64> {
    world.dest_number(&format!("SELECT COUNT(*) FROM cdc.{table} WHERE name='{}'", world.name)).await
}

/// The set without the transactions of a tag.
fn without(set: &str, tag: &str) -> String {
    let set: GtidSet = set.trim_start_matches('+').parse().unwrap();
    let text = set.to_string();
    text.split(',').filter(|part| !part.contains(tag)).collect::<Vec<_>>().join(",")
}

const TABLES: &str = "CREATE TABLE t (id INT PRIMARY KEY, slot INT, v INT, UNIQUE KEY (slot));\nCREATE TABLE log (note VARCHAR(20));\n\
                      INSERT INTO t VALUES (1,1,1),(2,2,2),(3,3,3);\nINSERT INTO log VALUES ('a'),('a'),('b')";

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_between_two_cuts() {
    let world = World::new("between").await;
    world.source_sql(TABLES).await;
    publish(&world);
    // The backup lacks an early transaction and has later ones, as that of a parallel replica may: so
    // wherever the cuts end, some bring both what it has and what it lacks.
    let tag = format!("early{}", std::process::id());
    world
        .source_sql(&format!(
            "SET gtid_next='AUTOMATIC:{tag}';\nINSERT INTO log VALUES ('early');\nSET gtid_next='AUTOMATIC';\n\
             UPDATE t SET slot=slot+10;\nDELETE FROM t WHERE id=2;\nINSERT INTO log VALUES ('a'),('c');\n\
             DELETE FROM log WHERE note='b';\nINSERT INTO t VALUES (4,4,4)"
        ))
        .await;
    let (dump, set) = back_up(&world);
    let set = without(&set, &tag);
    world
        .source_sql(
            "INSERT INTO log VALUES ('a');\nUPDATE t SET slot=2, v=9 WHERE id=1;\nDELETE FROM t WHERE id=4;\n\
             DELETE FROM log WHERE note='c';\nINSERT INTO t VALUES (2,11,7)",
        )
        .await;
    publish(&world);
    restore_at_dest(&dump);
    world.dest_sql("DELETE FROM log WHERE note='early'").await;
    let (code, text) = begin_at(&world, &set);
    assert_eq!(code, Some(0), "{text}");
    let topic = format!("{0}.{0}.t", world.name);
    assert!(text.contains(&topic) && text.contains("applied again"), "the map is shown: {text}");
    world.assert_equal().await;
    assert_eq!(ledger_rows(&world, "ledger_backup").await, Some(0), "the sink is past the backup");
    assert_eq!(ledger_rows(&world, "ledger_audit").await, Some(1));
    let (code, text) = begin_at(&world, &set);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("E055") && text.contains("cdc replay --from-gtid"), "{text}");
    world.source_sql("TRUNCATE t;\nTRUNCATE log;\nINSERT INTO log VALUES ('d')").await;
    world.catch_up();
    world.assert_equal().await;
    // A replay finds the rows without a key as they are.
    let (code, text) = world.cdc(&["replay", "-c", &world.file("sink.toml"), "--from-gtid", &set, "--yes"]);
    assert_eq!(code, Some(0), "{text}");
    world.catch_up();
    world.assert_equal().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_taken_while_all_runs() {
    let world = World::new("running").await;
    world.source_sql(TABLES).await;
    let mut source = world.start_source(&[]);
    let mut writer = world.source_conn().await;
    let writing = tokio::spawn(async move {
        use mysql_async::prelude::Queryable;
        for round in 10..600 {
            for sql in [
                format!("INSERT INTO t VALUES ({round},{round},0)"),
                format!("UPDATE t SET slot=slot+1000, v=v+1 WHERE id IN ({},{round})", round - 5),
                format!("INSERT INTO log VALUES ('n{}')", round % 7),
                format!("DELETE FROM log WHERE note='n{}' LIMIT 1", (round + 3) % 7),
                format!("DELETE FROM t WHERE id={}", round - 7),
            ] {
                writer.query_drop(&sql).await.unwrap();
            }
        }
    });
    let state = world.file("source.log");
    until("the snapshot is through", async || {
        std::fs::read_to_string(&state).unwrap_or_default().contains("streaming")
    })
    .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    // Held up for a moment, so that a cut brings what is before the backup and what is after it.
    source.signal("STOP");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let (dump, set) = tokio::task::block_in_place(|| back_up(&world));
    tokio::time::sleep(Duration::from_millis(200)).await;
    source.signal("CONT");
    restore_at_dest(&dump);
    // The newest cut may be behind the backup for a moment; then it is refused, and again tried.
    let mut sink = world.start_sink(&["--from-gtid", &set]);
    until("a position", async || {
        if sink.has_ended() && ledger_rows(&world, "ledger").await == Some(0) {
            assert!(sink.log_tail().contains("beyond the newest cut"), "{}", sink.log_tail());
            sink = world.start_sink(&["--from-gtid", &set]);
        }
        ledger_rows(&world, "ledger").await == Some(1)
    })
    .await;
    writing.await.unwrap();
    world.until_equal().await;
    until("past the backup", async || ledger_rows(&world, "ledger_backup").await == Some(0)).await;
    sink.stop();
    source.stop();
    world.assert_equal().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused() {
    let world = World::new("unfit").await;
    let before = world.source_gtids().await;
    world.source_sql(TABLES).await;
    publish(&world);
    let within = world.source_gtids().await;
    world.source_sql("INSERT INTO t VALUES (5,5,5);\nINSERT INTO log VALUES ('e')").await;
    let ahead = world.source_gtids().await;
    let diverged = format!("{within},4e11fa47-71ca-11e1-9e33-c80aa9429562:1-7");
    for (set, wanted) in
        [(&ahead, "beyond the newest cut"), (&diverged, "E015"), (&before, "older than the first cut")]
    {
        let (code, text) = begin_at(&world, set);
        assert_eq!(code, Some(3), "{text}");
        assert!(text.contains(wanted) && text.contains("hint"), "{wanted}: {text}");
    }
    publish(&world);
    let settings = Settings { bootstrap_servers: variable("CDC_TEST_KAFKA"), ..Settings::default() };
    let admin = Admin::connect(&settings).unwrap();
    let log = (format!("{0}.{0}.log", world.name), 0);
    let end = admin.ends(vec![log.clone()]).await.unwrap()[0].offset;
    admin.delete_records_before(&[Place { topic: log.0.clone(), partition: 0, offset: end }]).await.unwrap();
    let (code, text) = begin_at(&world, &within);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("E035") && text.contains(&log.0) && text.contains("snapshot"), "{text}");
    assert_eq!(ledger_rows(&world, "ledger").await.unwrap_or(0), 0, "nothing was set");
    // What is gone is not needed by a backup that has it. What this one lacks is of another database, so
    // that it ends at a cut that brings nothing.
    let tag = format!("other{}", std::process::id());
    let other = format!("{}_other", world.name);
    world
        .source_sql(&format!(
            "SET gtid_next='AUTOMATIC:{tag}';\nCREATE DATABASE {other};\nSET gtid_next='AUTOMATIC';\nDROP DATABASE {other}"
        ))
        .await;
    let (dump, set) = back_up(&world);
    let set = without(&set, &tag);
    publish(&world);
    restore_at_dest(&dump);
    let (code, text) = begin_at(&world, &set);
    assert_eq!(code, Some(0), "{text}");
    world.source_sql("INSERT INTO log VALUES ('f');\nINSERT INTO t VALUES (6,6,6)").await;
    world.catch_up();
    world.assert_equal().await;
    world.end().await;
}
