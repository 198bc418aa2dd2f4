//! pt-online-schema-change and gh-ost themselves alter a table under writes, while source and sink run.

use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mysql_async::prelude::Queryable;

use super::schema_changes::differences;
use crate::kit::{Dice, LIMIT, World, until_within, variable};

const PT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docker/native/pt-online-schema-change.sh");
const GH_OST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docker/native/gh-ost.sh");
const ROWS: u64 = 20_000;
const WRITERS: u64 = 3;

/// By triggers.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "fetches pt-online-schema-change: make online-schema-change"]
async fn pt_online_schema_change_under_writes() {
    alters_under_writes("pt_osc", |world, alter| {
        let (host, port) = world.servers().0.rsplit_once(':').unwrap();
        let place = format!("h={host},P={port},u={},D={},t=t", variable("CDC_TEST_MYSQL_USER"), world.name);
        let password = variable("CDC_TEST_MYSQL_PASSWORD");
        let place = if password.is_empty() { place } else { format!("{place},p={password}") };
        let out = Command::new(PT)
            .args(["--execute", "--no-version-check", "--recursion-method=none", "--chunk-size=500"])
            .args(["--max-load", "Threads_running=1000", "--critical-load", "Threads_running=1000"])
            .args(["--alter", alter, &place])
            .output()
            .unwrap();
        (out, "Successfully altered")
    })
    .await;
}

/// By the binlog, and then two names swapped in one RENAME.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "builds gh-ost: make online-schema-change"]
async fn gh_ost_under_writes() {
    alters_under_writes("gh_ost", |world, alter| {
        let (host, port) = world.servers().0.rsplit_once(':').unwrap();
        let socket = std::env::temp_dir().join(format!("{}.sock", world.name));
        let out = Command::new(GH_OST)
            .args([format!("--host={host}"), format!("--port={port}"), format!("--database={}", world.name)])
            .args([format!("--user={}", variable("CDC_TEST_MYSQL_USER"))])
            .args([format!("--password={}", variable("CDC_TEST_MYSQL_PASSWORD"))])
            .args([format!("--replica-server-id={}", 1_000_000 + std::process::id())])
            .args([format!("--serve-socket-file={}", socket.display()), format!("--alter={alter}")])
            .args([
                "--table=t",
                "--allow-on-master",
                "--assume-rbr",
                "--chunk-size=500",
                "--ok-to-drop-table",
            ])
            .args(["--execute"])
            .output()
            .unwrap();
        (out, "# Done")
    })
    .await;
}

/// Alters a table twice by that program, which says so when it is done.
async fn alters_under_writes(test: &str, program: impl Fn(&World, &str) -> (Output, &'static str)) {
    let mut dice = Dice::new(test);
    let world = Arc::new(World::new(test).await);
    world
        .source_sql(&format!(
            "CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, a INT NOT NULL, b VARCHAR(40) UNIQUE);\n\
             SET SESSION cte_max_recursion_depth = {ROWS};\n\
             INSERT INTO t (a,b) WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i+1 FROM n WHERE i<{ROWS}) SELECT i, CONCAT('b',i) FROM n"
        ))
        .await;
    world.catch_up();
    let (mut source, mut sink) = (world.start_source(&[]), world.start_sink(&[]));
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| tokio::spawn(write(world.clone(), stop.clone(), Dice::of(dice.bits()), number)))
        .collect();
    for alter in ["ADD COLUMN g INT NOT NULL DEFAULT 7 AFTER id, MODIFY a BIGINT NOT NULL", "DROP COLUMN g"] {
        let (out, done) = tokio::task::block_in_place(|| program(&world, alter));
        let said = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
        assert!(out.status.success() && said.contains(done), "{said}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut written = 0;
    for writer in writers {
        written += writer.await.unwrap();
    }
    until_within("both sides are equal", LIMIT, async || {
        let ended = source.has_ended() || sink.has_ended();
        assert!(!ended, "{}\n{}", source.log_tail(), sink.log_tail());
        tokio::time::sleep(Duration::from_millis(500)).await;
        differences(&world).await.is_empty()
    })
    .await;
    source.stop();
    sink.stop();
    println!("{written} statements during both changes");
    assert!(written > 100, "{written} statements are no writes to speak of");
    Arc::into_inner(world).unwrap().end().await;
}

/// Inserts, updates and deletes until it is told to stop. Returns how many were done.
async fn write(world: Arc<World>, stop: Arc<AtomicBool>, mut dice: Dice, number: u64) -> u64 {
    let mut conn = world.source_conn().await;
    let mut done = 0;
    while !stop.load(Ordering::Relaxed) {
        let id = dice.below(ROWS + done) + 1;
        let sql = match dice.below(4) {
            0 => format!("INSERT INTO t (a,b) VALUES ({id},'w{number}-{done}')"),
            1 => format!("DELETE FROM t WHERE id={id}"),
            _ => format!("UPDATE t SET a=a+1 WHERE id={id}"),
        };
        // The change's own locks may make it a victim.
        done += u64::from(conn.query_drop(sql).await.is_ok());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    done
}
