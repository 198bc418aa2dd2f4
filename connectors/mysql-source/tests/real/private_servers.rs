//! What needs a server of its own: one without GTIDs, one whose commits stall.
//!
//! The stack's script (`CDC_STACK_MYSQL_SCRIPT`) starts and drops them.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cdc_mysql_source::{Event, Settings, SnapshotMode, Start};
use cdc_sdk::Kind;
use mysql_async::prelude::Queryable;

use crate::kit::{Model, Outcome, World, next, number, until_caught_up, until_complete};

/// A server of its own, dropped at the end.
pub struct Server {
    script: String,
    name: String,
    address: String,
}

impl Server {
    pub fn start(name: &str, options: &[&str]) -> Outcome<Option<Self>> {
        let Ok(script) = std::env::var("CDC_STACK_MYSQL_SCRIPT") else {
            eprintln!("NOT RUN: {name} needs CDC_STACK_MYSQL_SCRIPT (see .stack/env)");
            return Ok(None);
        };
        let name = format!("src-{name}-{}", std::process::id());
        let output = Command::new(&script).arg("start").arg(&name).args(options).output()?;
        let printed = String::from_utf8(output.stdout)?;
        let address = printed.split_whitespace().last().filter(|_| output.status.success());
        let address =
            address.ok_or_else(|| format!("{name}: {}", String::from_utf8_lossy(&output.stderr)))?;
        Ok(Some(Self { address: address.to_owned(), script, name }))
    }

    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new(&self.script).arg("drop").arg(&self.name).output();
    }
}

const MAKE: &str = "CREATE TABLE a (id INT PRIMARY KEY, v BIGINT NOT NULL);\n\
     INSERT INTO a WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 900) SELECT i, 0 FROM s;\n\
     CREATE TABLE b LIKE a;\nINSERT INTO b SELECT * FROM a;\n\
     CREATE TABLE bag (x INT);\nINSERT INTO bag SELECT id FROM a";

async fn sums(world: &mut World, model: &Model) -> Outcome {
    for table in ["a", "b"] {
        let there: Vec<(i64, i64)> =
            world.admin.query(format!("SELECT id, v FROM {table} ORDER BY id")).await?;
        let held = model.tables.get(&world.table(table)).into_iter().flat_map(|rows| rows.values());
        let mut held: Vec<(i64, i64)> = held.filter_map(|r| Some((number(&r[0])?, number(&r[1])?))).collect();
        held.sort_unstable();
        assert_eq!(held.len(), there.len(), "{table}");
        assert!(held == there, "{table} differs");
    }
    let there: Option<i64> = world.admin.query_first("SELECT COUNT(*) FROM bag").await?;
    let held: i64 = model.bags.get(&world.table("bag")).into_iter().flat_map(|rows| rows.values()).sum();
    assert_eq!(Some(held), there, "bag");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_gtids() -> Outcome {
    let options = ["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"];
    let Some(server) = Server::start("nogtid", &options)? else { return Ok(()) };
    let mut world = World::at("nogtid", &server.address, "root", "").await?;
    world.run(MAKE).await?;
    let settings = world.settings("nogtid")?;
    let mut model = Model::default();
    let refused = model.open(&settings, Start::Fresh).await.err().ok_or("the lock was not asked for")?;
    assert_eq!(refused.downcast::<cdc_sdk::Error>()?.kind(), Kind::Unfit);

    let stop = Arc::new(AtomicBool::new(false));
    let (mut conn, end) = (world.connect().await?, stop.clone());
    let writer = tokio::spawn(async move {
        let mut n = 0;
        while !end.load(Ordering::Relaxed) {
            n += 1;
            conn.query_drop(format!("UPDATE a SET v = v + 1 WHERE id = {}", 1 + n % 950)).await?;
            conn.query_drop(format!("DELETE FROM b WHERE id = {}", n * 7 % 1000)).await?;
            conn.query_drop(format!("INSERT INTO bag VALUES ({n})")).await?;
        }
        Outcome::Ok(())
    });
    let settings = Settings { allow_global_read_lock: true, ..settings };
    let mut source = model.open(&settings, Start::Fresh).await?;
    // It ends in the middle once, and the tables that are not through begin anew.
    let mut chunks = 0;
    while chunks < 30 {
        let event = next(&mut source).await?;
        chunks += u32::from(matches!(event, Event::Chunk(_)));
        model.apply(event, source.position())?;
    }
    drop(source);
    let start = model.resume();
    let mut source = model.open(&settings, start).await?;
    let outcome = until_complete(&mut source, &mut model).await;
    stop.store(true, Ordering::Relaxed);
    writer.await??;
    outcome?;
    until_caught_up(&mut source, &mut model).await?;
    assert_eq!(model.backwards, Vec::<String>::new());
    sums(&mut world, &model).await?;
    world.end().await
}

/// Semi-synchronous replication without a replica: commits are in the binlog, and
/// sent, long before the engine shows them. A chunk that did not wait for them would
/// read rows as they were, and the stream would not bring the changes again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_stall() -> Outcome {
    let options = [
        "--plugin-load-add=semisync_source.so",
        "--rpl-semi-sync-source-timeout=5000",
        "--rpl-semi-sync-source-wait-no-replica=ON",
        "--rpl-semi-sync-source-wait-point=AFTER_SYNC",
    ];
    let Some(server) = Server::start("stall", &options)? else { return Ok(()) };
    let mut world = World::at("stall", &server.address, "root", "").await?;
    world.run(MAKE).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = Vec::new();
    for number in 0..3u64 {
        let (mut conn, end) = (world.connect().await?, stop.clone());
        tasks.push(tokio::spawn(async move {
            let mut n = number;
            while !end.load(Ordering::Relaxed) {
                n += 3;
                conn.query_drop(format!("UPDATE a SET v = v + 1 WHERE id = {}", 1 + n % 900)).await?;
            }
            Outcome::Ok(())
        }));
    }
    // Waiting is ended by switching it off, and starts again with the next commit.
    let (mut conn, end) = (world.connect().await?, stop.clone());
    tasks.push(tokio::spawn(async move {
        while !end.load(Ordering::Relaxed) {
            conn.query_drop("SET GLOBAL rpl_semi_sync_source_enabled = ON").await?;
            tokio::time::sleep(Duration::from_millis(200)).await;
            conn.query_drop("SET GLOBAL rpl_semi_sync_source_enabled = OFF").await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Outcome::Ok(())
    }));
    let settings = Settings { chunk_rows: 100, ..world.settings("stall")? };
    let mut outcome = Ok(());
    let mut model = Model::default();
    for _ in 0..4 {
        model = Model::default();
        let mut source = model.open(&settings, Start::Fresh).await?;
        outcome = until_complete(&mut source, &mut model).await;
        if outcome.is_err() || !model.backwards.is_empty() {
            break;
        }
    }
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await??;
    }
    outcome?;
    assert_eq!(model.backwards, Vec::<String>::new());
    let start = model.resume();
    let mut source = model.open(&settings, start).await?;
    until_caught_up(&mut source, &mut model).await?;
    sums(&mut world, &model).await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purged_position_is_read_anew_where_that_was_chosen() -> Outcome {
    let Some(server) = Server::start("purged", &[])? else { return Ok(()) };
    let mut world = World::at("purged", &server.address, "root", "").await?;
    world.run(MAKE).await?;
    world.run("CREATE TABLE gone LIKE a;\nINSERT INTO gone VALUES (1, 1)").await?;
    let settings = world.settings("purged")?;
    let mut model = Model::default();
    let mut source = model.open(&settings, Start::Fresh).await?;
    until_complete(&mut source, &mut model).await?;
    drop(source);
    world.run("DROP TABLE gone;\nDELETE FROM a WHERE id < 100;\nDELETE FROM bag;\nFLUSH BINARY LOGS;\nINSERT INTO bag VALUES (1), (1)").await?;
    let last: Vec<mysql_async::Row> = world.admin.query("SHOW BINARY LOGS").await?;
    let last: String = last.last().and_then(|row| row.get(0)).ok_or("no binlogs")?;
    world.run(&format!("PURGE BINARY LOGS TO '{last}'")).await?;

    let start = model.resume();
    let refused = model.open(&settings, start.clone()).await.err().ok_or("the purged position was taken")?;
    let refused = refused.downcast::<cdc_sdk::Error>()?;
    assert_eq!(refused.kind(), Kind::Purged, "{refused}");

    let settings = Settings { snapshot: SnapshotMode::WhenNeeded, ..settings };
    let mut source = model.open(&settings, start).await?;
    until_complete(&mut source, &mut model).await?;
    world.run("UPDATE a SET v = 9 WHERE id = 500").await?;
    until_caught_up(&mut source, &mut model).await?;
    sums(&mut world, &model).await?;
    let left = model.tables.get(&world.table("gone")).map_or(0, |rows| rows.len());
    assert_eq!(left, 0, "a table that went while nobody read");
    world.end().await
}
