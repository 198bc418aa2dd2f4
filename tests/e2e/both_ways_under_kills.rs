//! Two databases that follow each other while all four processes are killed again and again, at any moment and at the
//! worst ones: both end equal, and what came from the other side has not been sent back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::both_ways::{LAST_WRITER, TABLE, events, start_with, statement, turned};
use crate::kit::{Dice, LIMIT, Options, Process, World, until, until_within};

/// Of each process, in turn.
const KILLS: usize = 32;

/// A process that does not come to its point is killed after so long.
const WAIT_MAX: Duration = Duration::from_secs(4);

const SOURCE_POINTS: [&str; 4] =
    ["source.taken_over", "source.events_sent", "source.cut_sent", "source.cut_committed"];
const SINK_POINTS: [&str; 4] =
    ["sink.epoch_raised", "sink.rows_written", "sink.ledger_written", "sink.committed"];

#[tokio::test(flavor = "multi_thread")]
async fn both_ways_under_kills() {
    let sink = format!("{LAST_WRITER}[limits]\nwriters = 4\n");
    let world = World::with("bothkills", &Options { sink, ..Options::default() }).await;
    world.source_sql(&format!("{TABLE};\nINSERT INTO t (id, v) VALUES (1, 1), (2, 2)")).await;
    world.catch_up();
    let roads = [
        ("source", world.file("source.toml")),
        ("sink", world.file("sink.toml")),
        ("source", turned(&world, "source")),
        ("sink", turned(&world, "sink")),
    ];
    let mut processes: Vec<Process> = roads.iter().map(|(role, file)| start_with(role, file, &[])).collect();
    let mut sides = [world.source_conn().await, world.dest_conn().await];
    sides[1].query_drop(format!("USE `{}`", world.name)).await.unwrap();
    the_way_back_runs(&mut sides).await;

    let stop = Arc::new(AtomicBool::new(false));
    let [source, dest] = sides;
    let writers = [(0, source), (1, dest)].map(|(side, conn)| tokio::spawn(write(side, conn, stop.clone())));
    let mut dice = Dice::new("bothkills kills");
    for kill in 0..KILLS {
        let (role, file) = &roads[kill % roads.len()];
        let process = &mut processes[kill % roads.len()];
        process.kill();
        let points = if *role == "source" { SOURCE_POINTS } else { SINK_POINTS };
        let point = points[usize::try_from(dice.below(4)).unwrap()];
        let doomed = format!("{point}:{}", 1 + dice.below(5));
        *process = start_with(role, file, &[("CDC_FAIL_POINT", &doomed)]);
        tokio::time::sleep(Duration::from_millis(300 + dice.below(900))).await;
    }
    // The last ones die at their points, or are killed before they came to it.
    for ((role, file), process) in roads.iter().zip(&mut processes) {
        let ends = tokio::time::timeout(WAIT_MAX, until("its end", async || process.has_ended())).await;
        if ends.is_err() {
            process.kill();
        }
        *process = start_with(role, file, &[]);
    }
    stop.store(true, Ordering::Relaxed);
    let mut sides = Vec::new();
    let mut done = 0;
    for writer in writers {
        let (conn, statements) = writer.await.unwrap();
        sides.push(conn);
        done += statements;
    }
    for (side, conn) in sides.iter_mut().enumerate() {
        conn.query_drop(format!("INSERT INTO t (id, v) VALUES (-{}, 0)", side + 1)).await.unwrap();
    }
    for conn in &mut sides {
        until_within("both marks", 2 * LIMIT, async || {
            number(conn, "SELECT COUNT(*) FROM t WHERE id < 0").await == Some(2)
        })
        .await;
    }
    world.assert_equal().await;

    // Nothing goes round: what arrives does not come back.
    let before = [events(&world, &roads[1].1), events(&world, &roads[3].1)];
    sides[0].query_drop("UPDATE t SET v = v + 1").await.unwrap();
    let rows = number(&mut sides[0], "SELECT COUNT(*) FROM t").await.unwrap();
    world.until_equal().await;
    sides[1].query_drop("UPDATE t SET v = v + 1 WHERE id = -1").await.unwrap();
    until("the answer", async || number(&mut sides[0], "SELECT v FROM t WHERE id = -1").await == Some(2))
        .await;
    let [there, back] = [events(&world, &roads[1].1) - before[0], events(&world, &roads[3].1) - before[1]];
    assert!(there >= rows, "{there} events of {rows} rows");
    assert!(back < rows / 2, "{back} events came back, of {rows} rows");
    println!("both_ways_under_kills: {KILLS} kills during {done} statements");
    processes.iter_mut().for_each(Process::stop);
    world.end().await;
}

async fn number(conn: &mut Conn, sql: &str) -> Option<i64> {
    conn.query_first::<Option<i64>, _>(sql).await.unwrap().flatten()
}

/// It runs once a change of the destination arrives at the source.
async fn the_way_back_runs(sides: &mut [Conn; 2]) {
    let [source, dest] = sides;
    until("the way back", async || {
        dest.query_drop("UPDATE t SET v = v + 1 WHERE id = 1").await.unwrap();
        number(source, "SELECT v FROM t WHERE id = 1").await > Some(1)
    })
    .await;
}

async fn write(side: u64, mut conn: Conn, stop: Arc<AtomicBool>) -> (Conn, u64) {
    let mut dice = Dice::new(&format!("bothkills writer {side}"));
    let mut round = 0;
    while !stop.load(Ordering::Relaxed) {
        conn.query_drop(statement(side, round, &mut dice)).await.unwrap();
        round += 1;
        tokio::time::sleep(Duration::from_millis(dice.below(10))).await;
    }
    (conn, round)
}
