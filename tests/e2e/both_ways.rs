//! Two databases that follow each other: nothing echoes, and rows that both sides change end equal.

use std::fs;
use std::path::Path;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::kit::{Dice, Options, Process, World, http, until, variable};

pub(super) const LAST_WRITER: &str =
    "[two_way]\nconflicts = \"last_writer\"\ntimestamp_column = \"changed_at\"\n";

pub(super) const TABLE: &str = "CREATE TABLE t (id INT PRIMARY KEY, v INT, changed_at TIMESTAMP(6) \
    DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6))";

/// The settings of the way back: other names, and the other server.
pub(super) fn turned(world: &World, role: &str) -> String {
    let (source, dest) = (port(&variable("CDC_TEST_SOURCE_MYSQL")), port(&variable("CDC_TEST_DEST_MYSQL")));
    let back = format!("{}_back", world.name);
    let settings = fs::read_to_string(world.file(&format!("{role}.toml"))).unwrap();
    let lines = settings.lines().map(|line| match line.split(" = ").next() {
        Some("name") => format!("name = \"{back}\"\n"),
        Some("topic_prefix") => format!("topic_prefix = \"{back}\"\n"),
        Some("listen") => format!("listen = \"127.0.0.1:{}\"\n", http::free_port()),
        Some("include") => format!("{line}\nsnapshot = \"no_data\"\n"),
        Some("port") => format!("{}\n", if role == "source" { &dest } else { &source }),
        _ => format!("{line}\n"),
    });
    let file = world.file(&format!("{role}_back.toml"));
    fs::write(&file, lines.collect::<String>()).unwrap();
    file
}

fn port(address: &str) -> String {
    format!("port = {}", address.rsplit_once(':').unwrap().1)
}

pub(super) fn start_with(role: &str, file: &str, environment: &[(&str, &str)]) -> Process {
    Process::start_with(&[role, "-c", file], Path::new(&file.replace(".toml", ".log")), environment)
}

fn start(role: &str, file: &str) -> Process {
    start_with(role, file, &[])
}

/// What a writer on one side does: rows of both sides made and changed, rows of its own made and deleted.
/// (Rows that one side deletes while the other changes them may end different: see the README.)
pub(super) fn statement(side: u64, round: u64, dice: &mut Dice) -> String {
    let (id, v) = (dice.below(30), dice.below(1000));
    match dice.below(6) {
        0 => format!("INSERT IGNORE INTO t (id, v) VALUES ({id}, {v})"),
        1 => format!("DELETE FROM t WHERE id = {}", 1000 + dice.below(round + 1) * 2 + side),
        2 => format!("INSERT INTO t (id, v) VALUES ({}, {v})", 1000 + round * 2 + side),
        _ => format!("UPDATE t SET v = {v} WHERE id = {id}"),
    }
}

fn statements(side: u64, dice: &mut Dice) -> Vec<String> {
    (0..150).map(|round| statement(side, round, dice)).collect()
}

async fn run(conn: &mut Conn, statements: &[String]) {
    for sql in statements {
        conn.query_drop(sql).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ways() {
    let port = http::free_port();
    let sink = format!("{LAST_WRITER}[http]\nlisten = \"127.0.0.1:{port}\"\n");
    let world = World::with("both", &Options { sink, ..Options::default() }).await;
    world.source_sql(&format!("{TABLE};\nINSERT INTO t (id, v) VALUES (1, 1), (2, 2)")).await;
    world.catch_up();
    let (back_source, back_sink) = (turned(&world, "source"), turned(&world, "sink"));
    let there = [world.start_source(&[]), world.start_sink(&[])];
    let mut back = [start("source", &back_source), start("sink", &back_sink)];

    // The way back runs once a change of the destination arrives at the source.
    let mut dest = world.dest_conn().await;
    dest.query_drop(format!("USE `{}`", world.name)).await.unwrap();
    let mut source = world.source_conn().await;
    until("the way back", async || {
        dest.query_drop("UPDATE t SET v = v + 1 WHERE id = 1").await.unwrap();
        let (here, there): (Option<i64>, Option<i64>) = (
            source.query_first("SELECT v FROM t WHERE id = 1").await.unwrap(),
            dest.query_first("SELECT v FROM t WHERE id = 1").await.unwrap(),
        );
        here > Some(1) && there > Some(1)
    })
    .await;
    world.until_equal().await;

    // What arrives is not sent back.
    let before = events(&world, &back_sink);
    world.source_sql(&format!("INSERT INTO t (id, v) VALUES {}", rows(100..600))).await;
    world.until_equal().await;
    dest.query_drop("UPDATE t SET v = 77 WHERE id = 2").await.unwrap();
    until("the answer", async || {
        source.query_first::<i64, _>("SELECT v FROM t WHERE id = 2").await.unwrap() == Some(77)
    })
    .await;
    let echoed = events(&world, &back_sink) - before;
    assert!(echoed < 100, "{echoed} events came back");

    changes_of_the_table_do_not_come_back(&world, &mut source, &mut dest).await;

    // Both sides change the same rows, and meanwhile one way stands, and goes on.
    let mut dice = Dice::new("both_ways");
    let (ours, theirs) = (statements(0, &mut dice), statements(1, &mut dice));
    back[1].kill();
    tokio::join!(run(&mut source, &ours), run(&mut dest, &theirs));
    back[1] = start("sink", &back_sink);
    let mut marks = [source, dest];
    for (number, conn) in marks.iter_mut().enumerate() {
        conn.query_drop(format!("INSERT INTO t (id, v) VALUES (-{}, 0)", number + 1)).await.unwrap();
    }
    for conn in &mut marks {
        until("both marks", async || {
            conn.query_first::<i64, _>("SELECT COUNT(*) FROM t WHERE id < 0").await.unwrap() == Some(2)
        })
        .await;
    }
    world.assert_equal().await;
    // A batch that is tried again tells its conflicts again.
    let told =
        fs::read_to_string(world.file("sink.log")).unwrap().matches("changed on both sides").count() as u64;
    let counted = http::status(port)["conflicts"].as_u64().unwrap();
    assert!((1..=told).contains(&counted), "{counted} conflicts counted, {told} in the log");
    for mut process in there.into_iter().chain(back) {
        process.stop();
    }
    world.end().await;
}

/// A column that one side adds is there on both, with its values, and a table that one side empties is empty on both, and
/// neither statement comes back.
async fn changes_of_the_table_do_not_come_back(world: &World, source: &mut Conn, dest: &mut Conn) {
    world
        .source_sql("ALTER TABLE t ADD COLUMN w INT;\nUPDATE t SET w = 5 WHERE id = 2;\nCREATE TABLE e (id INT PRIMARY KEY, changed_at TIMESTAMP(6) DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6));\nINSERT INTO e (id) VALUES (1)")
        .await;
    world.until_equal().await;
    dest.query_drop("UPDATE t SET w = 6 WHERE id = 2").await.unwrap();
    dest.query_drop("INSERT INTO e (id) VALUES (2)").await.unwrap();
    let both = "SELECT w + (SELECT COUNT(*) FROM e) FROM t WHERE id = 2";
    until("the answer", async || source.query_first::<i64, _>(both).await.unwrap() == Some(8)).await;
    world.source_sql("TRUNCATE TABLE e").await;
    until("it is empty", async || dest.query_first::<i64, _>(both).await.unwrap() == Some(6)).await;
    // An echo of the TRUNCATE would take this row away.
    world.source_sql("INSERT INTO e (id) VALUES (3)").await;
    until("the row", async || dest.query_first::<i64, _>(both).await.unwrap() == Some(7)).await;
    dest.query_drop("UPDATE t SET w = 7 WHERE id = 2").await.unwrap();
    until("the next answer", async || source.query_first::<i64, _>(both).await.unwrap() == Some(8)).await;
    world.until_equal().await;
}

fn rows(ids: std::ops::Range<i64>) -> String {
    ids.map(|id| format!("({id}, 0)")).collect::<Vec<_>>().join(",")
}

/// Offsets of the data topics that a sink has applied, summed.
pub(super) fn events(world: &World, settings: &str) -> i64 {
    let (code, text) = world.cdc(&["offsets", "show", "-c", settings, "--json"]);
    assert_eq!(code, Some(0), "{text}");
    let shown: serde_json::Value = serde_json::from_str(&text).unwrap();
    shown["offsets"].as_array().unwrap().iter().map(|place| place["offset"].as_i64().unwrap()).sum()
}
