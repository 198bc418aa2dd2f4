//! The same rows over one connection, as text and by prepared statements: which of the two costs less.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Params, Statement, Value};

use super::data::Data;
use crate::kit::World;

const STATEMENTS: u64 = 300;
const TURNS: usize = 3;
const TAIL: &str = "AS new ON DUPLICATE KEY UPDATE k=new.k,c=new.c,pad=new.pad";

/// A row's cells.
fn row(id: u64) -> (u64, u64, String, String) {
    (id, id * 7919 % 1_000_000, format!("{:0>119}", id * 31), format!("{:0>59}", id * 17))
}

/// A statement that writes so many rows from an id on, in full.
pub fn upserts(from: u64, rows: u64) -> String {
    let row = |id| {
        let (id, k, c, pad) = row(id);
        format!("({id},{k},'{c}','{pad}')")
    };
    let all: Vec<String> = (from..from + rows).map(row).collect();
    format!("INSERT INTO s (id,k,c,pad) VALUES {} {TAIL}", all.join(","))
}

fn parameters(from: u64, rows: u64) -> Params {
    let cells = |id| {
        let (id, k, c, pad) = row(id);
        [Value::UInt(id), Value::UInt(k), Value::Bytes(c.into_bytes()), Value::Bytes(pad.into_bytes())]
    };
    Params::Positional((from..from + rows).flat_map(cells).collect())
}

/// Prints microseconds for a row: the medians of runs in turns.
pub async fn measure() {
    let world = World::with("protocols", &crate::kit::Options::default()).await;
    world.dest_sql(&format!("CREATE DATABASE `{0}`;\nUSE `{0}`;\n{1}", world.name, Data::create("s"))).await;
    let mut conn = world.dest_conn().await;
    conn.query_drop(format!("USE `{}`", world.name)).await.unwrap();
    for rows in [1, 100, 1000] {
        let statement = prepare(&mut conn, rows).await;
        // Each first writes rows that are not there, and then the same once more.
        let mut found = [[Vec::new(), Vec::new()], [Vec::new(), Vec::new()]];
        for _ in 0..TURNS {
            for (protocol, found) in found.iter_mut().enumerate() {
                conn.query_drop("TRUNCATE TABLE s").await.unwrap();
                for found in found.iter_mut() {
                    let prepared = (protocol == 1).then_some(&statement);
                    let took = write(&mut conn, rows, prepared).await;
                    found.push(took.as_secs_f64() * 1e6 / (STATEMENTS * rows) as f64);
                }
            }
        }
        for (protocol, found) in ["text", "prepared"].iter().zip(&mut found) {
            let [inserts, updates] = found;
            inserts.sort_by(f64::total_cmp);
            updates.sort_by(f64::total_cmp);
            let (inserts, updates) = (inserts[TURNS / 2], updates[TURNS / 2]);
            println!(
                "{rows} rows a statement, {protocol}: {inserts:.1} us for a row that is new, {updates:.1} for one that is there"
            );
        }
    }
    world.end().await;
}

async fn prepare(conn: &mut Conn, rows: u64) -> Statement {
    let places = vec!["(?,?,?,?)"; usize::try_from(rows).unwrap()].join(",");
    conn.prep(format!("INSERT INTO s (id,k,c,pad) VALUES {places} {TAIL}")).await.unwrap()
}

/// All statements, made beforehand, in one transaction.
async fn write(conn: &mut Conn, rows: u64, prepared: Option<&Statement>) -> Duration {
    let firsts = (0..STATEMENTS).map(|n| 1 + n * rows);
    conn.query_drop("BEGIN").await.unwrap();
    let took = match prepared {
        None => {
            let all: Vec<String> = firsts.map(|from| upserts(from, rows)).collect();
            let begun = Instant::now();
            for sql in all {
                conn.query_drop(sql).await.unwrap();
            }
            begun.elapsed()
        }
        Some(statement) => {
            let all: Vec<Params> = firsts.map(|from| parameters(from, rows)).collect();
            let begun = Instant::now();
            for parameters in all {
                conn.exec_drop(statement, parameters).await.unwrap();
            }
            begun.elapsed()
        }
    };
    conn.query_drop("COMMIT").await.unwrap();
    took
}
