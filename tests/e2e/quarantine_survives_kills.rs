//! A sink is killed again and again while some keys cannot be applied: what fits is never lost, what does not
//! waits, and a retry after the cause is mended ends in the state of the source.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mysql_async::prelude::Queryable;

use crate::kit::{Dice, LIMIT, Options, RESTART_MAY_MEND, World};

const KILLS: u32 = 8;
const KEYS: u64 = 60;

#[tokio::test(flavor = "multi_thread")]
async fn quarantine_survives_kills() {
    let options = Options {
        sink: "[apply]\nschema = \"none\"\n[dead_letter]\ntables = [\"*.t\"]\n".into(),
        ..Options::default()
    };
    let world = Arc::new(World::with("deadkills", &options).await);
    let tables = |width: u32| {
        format!(
            "CREATE TABLE t (id INT PRIMARY KEY, slot VARCHAR({width}) UNIQUE, v INT);\nCREATE TABLE beside (id INT PRIMARY KEY, v INT)"
        )
    };
    world.source_sql(&tables(60)).await;
    world.dest_sql(&format!("CREATE DATABASE `{}`", world.name)).await;
    world.dest_sql(&tables(12)).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn(write(world.clone(), stop.clone()));
    let mut dice = Dice::new("deadkills kills");
    let mut source = world.start_source(&[]);
    let mut sink = world.start_sink(&[]);
    for kill in 0..KILLS {
        if kill % 2 == 0 {
            tokio::time::sleep(Duration::from_millis(200 + dice.below(1500))).await;
            sink.kill();
        } else {
            let status = sink.wait(2 * LIMIT);
            // Or it gave up on something passing, before its place in the code came.
            let as_it_should = matches!(status.code(), None | Some(RESTART_MAY_MEND));
            assert!(as_it_should, "not dead by a signal ({status}): {}", sink.log_tail());
        }
        // Every other one dies when letters are stored, and the transaction that counts on them is not.
        let point = format!("sink.letters_stored:{}", 1 + dice.below(3));
        let doomed = [("CDC_FAIL_POINT", point.as_str())];
        let environment = if kill % 2 == 0 { &doomed[..] } else { &[] };
        sink = world.start_with("sink", &[], environment);
    }
    stop.store(true, Ordering::Relaxed);
    writer.await.unwrap();
    world.source_sql("REPLACE INTO beside VALUES (1000, 1)").await;
    world.until_dest("SELECT v FROM beside WHERE id = 1000", 1).await;
    assert_eq!(
        world.dest_number("SELECT SUM(v) FROM beside").await,
        source_number(&world, "SELECT SUM(v) FROM beside").await
    );
    let keys = quarantined(&world).await;
    assert!(!keys.is_empty(), "nothing was set aside");
    // All others are as at the source.
    let shown = format!(
        "SELECT COALESCE(BIT_XOR(CRC32(CONCAT_WS(' ', id, slot, v))), 0) FROM t WHERE id NOT IN ({})",
        keys.join(",")
    );
    assert_eq!(world.dest_number(&shown).await, source_number(&world, &shown).await, "{keys:?}");
    world.dest_sql("ALTER TABLE t MODIFY slot VARCHAR(60)").await;
    let (code, text) = world.cdc(&["dead-letter", "retry", "-c", &world.file("sink.toml"), "--all"]);
    assert_eq!(code, Some(0), "{text}");
    println!("quarantine_survives_kills: {KILLS} kills, {} keys had been set aside", keys.len());
    sink.assert_alive();
    source.assert_alive();
    world.until_equal().await;
    drop((source, sink));
    Arc::into_inner(world).unwrap().end().await;
}

/// The ids of the keys in quarantine.
async fn quarantined(world: &World) -> Vec<String> {
    let mut conn = world.dest_conn().await;
    let sql = "SELECT SUBSTRING(key_text, 4) FROM cdc.ledger_quarantine WHERE name = ?";
    conn.exec(sql, (&world.name,)).await.unwrap()
}

async fn source_number(world: &World, sql: &str) -> Option<i64> {
    world.source_conn().await.query_first(sql).await.unwrap()
}

async fn write(world: Arc<World>, stop: Arc<AtomicBool>) {
    let mut conn = world.source_conn().await;
    let mut dice = Dice::new("deadkills writer");
    let mut done = 0;
    while !stop.load(Ordering::Relaxed) {
        done += 1;
        let id = dice.below(KEYS);
        let sql = match dice.below(12) {
            0 => format!("DELETE FROM t WHERE id={id}"),
            1 => format!("REPLACE INTO t VALUES ({id}, 'too long a slot for it {id}', {done})"),
            2 => format!(
                "UPDATE t SET id=id+{KEYS} WHERE id={id} AND NOT EXISTS (SELECT 1 FROM (SELECT id FROM t) s WHERE s.id={id}+{KEYS})"
            ),
            _ => format!("REPLACE INTO t VALUES ({id}, 's{id}', {done})"),
        };
        for sql in [
            "START TRANSACTION",
            &sql,
            &format!("REPLACE INTO beside VALUES ({}, {done})", done % 50),
            "COMMIT",
        ] {
            conn.query_drop(sql).await.unwrap();
        }
    }
}
