//! A sink that comes after retention has taken events halts before it applies any, and is filled by
//! a snapshot of its own, whatever dies meanwhile; other sinks do not notice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cdc::kafka::{Admin, Settings};
use mysql_async::prelude::Queryable;

use crate::kit::{Dice, LIMIT, Options, Process, World, differences, until, variable};

const ROWS: u64 = 2000;

#[tokio::test(flavor = "multi_thread")]
async fn late_joiner_is_filled_alone() {
    let options = Options { capture: "chunk_rows = 50\nrows_per_second = 1500".into(), ..Options::default() };
    let world = Arc::new(World::with("late", &options).await);
    world
        .source_sql(&format!(
            "CREATE TABLE t (id INT PRIMARY KEY, slot INT, v INT, UNIQUE KEY (slot));\n\
             CREATE TABLE log (note VARCHAR(20));\nCREATE TABLE still (id INT PRIMARY KEY, v INT);\n\
             INSERT INTO still VALUES (1,1),(2,2);\nINSERT INTO log VALUES ('a'),('a'),('b');\n\
             SET SESSION cte_max_recursion_depth=100000;\n\
             INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{ROWS}) \
             SELECT i, i, i FROM n"
        ))
        .await;
    world.catch_up();
    retention_takes_all(&world).await;
    let late = late_settings(&world);
    halts(&world, &late, "no longer hold what a new sink needs");
    assert_eq!(databases(&world).await, 0, "it has applied nothing");

    let mut source = world.start_source(&[]);
    let mut first = world.start_sink(&[]);
    // What the first sink holds of this table is bent: a row read for the other must not come here.
    world.dest_sql("UPDATE still SET v = -1 WHERE id = 1").await;
    let before = ends(&world).await;
    let stop = Arc::new(AtomicBool::new(false));
    let (code, text) = world.cdc(&["snapshot", "-c", &late, "--for-me"]);
    assert_eq!((code, text.contains("--yes")), (Some(2), true), "it asks a person: {text}");
    let (code, text) = world.cdc(&["snapshot", "-c", &late, "--for-me", "--yes"]);
    assert_eq!((code, text.contains("3 tables are read once more")), (Some(0), true), "{text}");
    let mut dice = Dice::new("late_joiner_is_filled_alone");
    let writer = tokio::spawn(write(world.clone(), stop.clone()));
    let mut sink = start(&world, &late);
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(100 + dice.below(500))).await;
        source.kill();
        sink.kill();
        source = world.start_source(&[]);
        sink = start(&world, &late);
    }
    until("it is through", async || complete(&world).await).await;
    stop.store(true, Ordering::Relaxed);
    assert!(writer.await.unwrap() > 10, "the writer ran");
    until_late_is_equal(&world).await;
    let bent = world.dest_number("SELECT v FROM still WHERE id = 1").await;
    assert_eq!(bent, Some(-1), "the first sink has not applied a row that was read for the other");
    let still = format!("{0}.{0}.still", world.name);
    assert_eq!(of(&ends(&world).await, &still), of(&before, &still), "nothing came to the table's topic");
    world.dest_sql("UPDATE still SET v = 1 WHERE id = 1").await;
    world.until_equal().await;

    comes_back_after_too_long(&world, &late, &mut sink).await;
    source.stop();
    first.stop();
    drop((source, first, sink));
    let drop_late = format!("DROP DATABASE IF EXISTS `{}_late`", world.name);
    world.dest_sql(&drop_late).await;
    Arc::into_inner(world).unwrap().end().await;
}

/// A sink that was away while rows were deleted, and whose events are gone too: no ghost stays.
async fn comes_back_after_too_long(world: &World, late: &str, sink: &mut Process) {
    sink.stop();
    world.source_sql("DELETE FROM t WHERE id % 3 = 0;\nDELETE FROM still WHERE id = 2;\nUPDATE log SET note = 'z' LIMIT 1").await;
    world.until_equal().await;
    retention_takes_all(world).await;
    // A change that it comes to, behind what is gone.
    world.source_sql("UPDATE t SET v = v + 1;\nDELETE FROM log").await;
    halts(world, late, "E035");
    let (code, text) = world.cdc(&["snapshot", "-c", late, "--for-me", "--yes"]);
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = world.cdc(&["replay", "-c", late, "--earliest", "--yes"]);
    assert_eq!((code, text.contains("is being filled")), (Some(3), true), "{text}");
    *sink = start(world, late);
    until_late_is_equal(world).await;
    until("it is through again", async || complete(world).await).await;
    sink.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn late_joiner_is_told_of_a_stop() {
    let options = Options { capture: "chunk_rows = 50\nrows_per_second = 300".into(), ..Options::default() };
    let world = World::with("latestop", &options).await;
    world
        .source_sql(
            "CREATE TABLE t (id INT PRIMARY KEY);\nSET SESSION cte_max_recursion_depth=100000;\n\
             INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1500) SELECT i FROM n",
        )
        .await;
    world.catch_up();
    retention_takes_all(&world).await;
    let late = late_settings(&world);
    let mut source = world.start_source(&[]);
    let (code, text) = world.cdc(&["snapshot", "-c", &late, "--for-me", "--yes"]);
    assert_eq!(code, Some(0), "{text}");
    let file = world.file("offsets.json");
    let (code, text) = world.cdc(&["offsets", "export", "-c", &late, &file]);
    assert!(code == Some(3) && text.contains("it is being filled by a snapshot of its own"), "{text}");
    let (code, text) = world.cdc(&["offsets", "show", "--json", "-c", &late]);
    assert!(code == Some(0) && text.contains("\"no_state\""), "{text}");
    std::fs::write(&file, text).unwrap();
    let (code, text) = world.cdc(&["offsets", "import", "-c", &late, &file, "--allow-skip", "--yes"]);
    assert!(code == Some(3) && text.contains("was no state of the source"), "{text}");
    let busy = world.tell_in_vain(&["--tables", &format!("{}.t", world.name)]);
    assert!(busy.contains("is being read for sink"), "{busy}");
    assert!(world.tell(&["stop"]).contains("1 tables are not read any further"));
    halts(&world, &late, "was stopped before its end");
    let (code, text) = world.cdc(&["snapshot", "-c", &late, "--for-me", "--yes"]);
    assert_eq!(code, Some(0), "{text}");
    let mut sink = start(&world, &late);
    until_late_is_equal(&world).await;
    until("it is through", async || complete(&world).await).await;
    sink.stop();
    source.stop();
    world.dest_sql(&format!("DROP DATABASE IF EXISTS `{}_late`", world.name)).await;
    world.end().await;
}

/// Settings of a second sink, beside the first on the same server.
fn late_settings(world: &World) -> String {
    let text = std::fs::read_to_string(world.file("sink.toml")).unwrap();
    let name = &world.name;
    let text = text.replacen(&format!("name = \"{name}\""), &format!("name = \"{name}_late\""), 1);
    let path = world.file("late.toml");
    std::fs::write(&path, format!("{text}\n[[route]]\nfrom = \"{name}.*\"\nto = \"{name}_late.*\"\n"))
        .unwrap();
    path
}

fn start(world: &World, settings: &str) -> Process {
    Process::start(&["sink", "-c", settings], std::path::Path::new(&world.file("late.log")))
}

fn halts(world: &World, settings: &str, why: &str) {
    let mut sink = start(world, settings);
    let status = sink.wait(LIMIT);
    let log = sink.log_tail();
    assert_eq!(status.code(), Some(3), "{log}");
    assert!(log.contains(why) && log.contains("--for-me"), "{log}");
}

/// Retention takes all that the tables' topics hold.
async fn retention_takes_all(world: &World) {
    let admin = admin();
    let ends = ends(world).await;
    let ends: Vec<_> = ends.into_iter().filter(|place| place.offset > 0).collect();
    admin.delete_records_before(&ends).await.unwrap();
}

async fn ends(world: &World) -> Vec<cdc_sdk::cut::Place> {
    let admin = admin();
    let topics = admin.topics_with_prefix(&format!("{0}.{0}.", world.name)).await.unwrap();
    let partitions =
        topics.into_iter().flat_map(|(topic, count)| (0..count).map(move |p| (topic.clone(), p)));
    admin.ends(partitions.collect()).await.unwrap()
}

fn of(places: &[cdc_sdk::cut::Place], topic: &str) -> Vec<i64> {
    places.iter().filter(|place| place.topic == topic).map(|place| place.offset).collect()
}

fn admin() -> Admin {
    let settings = Settings { bootstrap_servers: variable("CDC_TEST_KAFKA"), ..Settings::default() };
    Admin::connect(&settings).unwrap()
}

async fn databases(world: &World) -> i64 {
    let sql =
        format!("SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '{}_late'", world.name);
    world.dest_number(&sql).await.unwrap()
}

async fn complete(world: &World) -> bool {
    let sql = format!("SELECT snapshot_complete FROM cdc.ledger WHERE name = '{}_late'", world.name);
    world.dest_number(&sql).await == Some(1)
}

async fn until_late_is_equal(world: &World) {
    let (mut source, mut dest) = (world.source_conn().await, world.dest_conn().await);
    let begun = Instant::now();
    loop {
        let found = differences(&mut source, &world.name, &mut dest, &format!("{}_late", world.name)).await;
        if found.is_empty() {
            return;
        }
        assert!(begun.elapsed() < LIMIT, "still not equal: {found:.3?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Moves unique values about, and deletes rows without a key that the late sink does not have yet.
async fn write(world: Arc<World>, stop: Arc<AtomicBool>) -> u64 {
    let mut conn = world.source_conn().await;
    let mut dice = Dice::new("late joiner's writer");
    let mut changes = 0;
    while !stop.load(Ordering::Relaxed) {
        let id = dice.below(ROWS) + 1;
        let sql = match dice.below(6) {
            0 => format!("DELETE FROM t WHERE id={id}"),
            1 => format!("REPLACE INTO t VALUES ({id}, {}, {changes})", dice.below(ROWS) + 1),
            2 => format!("INSERT INTO log VALUES ('n{changes}')"),
            3 => "DELETE FROM log LIMIT 1".to_owned(),
            _ => format!("UPDATE t SET v=v+1 WHERE id={id}"),
        };
        conn.query_drop(sql).await.unwrap();
        changes += 1;
        // Now and then a pause, so that the table without a key can be read in one view.
        tokio::time::sleep(Duration::from_millis(dice.below(8))).await;
    }
    changes
}
