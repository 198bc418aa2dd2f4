//! What the parts allow on this machine, without anything of ours between them.

use std::process::Command;
use std::time::Instant;

use cdc::kafka::{Admin, BROKERS_TIME, Publisher, Settings, TopicSpec};
use mysql_async::prelude::Queryable;

use super::Size;
use super::data::Data;
use super::debezium::PARTITIONS;
use super::job::Used;
use super::protocols::upserts;
use super::report::{Report, Run};
use crate::kit::{Options, World, variable};

/// One commit to Kafka, as a source's cut.
const COMMIT_BYTES: usize = 16 << 20;

/// A record of a row of `s`: its envelope in Avro and the key.
const RECORD_BYTES: usize = 330;

/// Rows of one statement, and statements of one transaction.
const STATEMENT_ROWS: u64 = 1000;
const TRANSACTION_STATEMENTS: u64 = 5;

/// All of them.
pub async fn measure(data: &Data, size: Size, report: &mut Report) {
    for _ in 0..size.runs {
        report.add("limit: the backlog's binlog to disk, mysqlbinlog --raw", dump(data, size));
        report.add("limit: librdkafka, prepared records in transactions of 16 MiB", produce(size).await);
        report.add("limit: prepared upserts of 1,000 rows on 4 connections", upsert(size).await);
    }
}

/// The server's log from before the backlog on, to files.
fn dump(data: &Data, size: Size) -> Run {
    let (host, port) = data.world.servers().0.rsplit_once(':').unwrap();
    let folder = data.world.file("binlog-");
    let (file, position) = data.before_backlog.as_ref().unwrap();
    let begun = Instant::now();
    let out = Command::new(variable("CDC_STACK_MYSQLBINLOG_BIN"))
        .args(["--no-defaults", "--read-from-remote-server", "--raw", "--to-last-log"])
        .args([format!("--host={host}"), format!("--port={port}")])
        .args([format!("--user={}", variable("CDC_TEST_MYSQL_USER"))])
        .args([format!("--password={}", variable("CDC_TEST_MYSQL_PASSWORD"))])
        .args([format!("--start-position={position}"), format!("--result-file={folder}"), file.clone()])
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let seconds = begun.elapsed().as_secs_f64();
    Run { rows: size.backlog_rows(), seconds, cpu_seconds: None, peak_bytes: None }
}

fn settings(world: &World) -> Settings {
    Settings { bootstrap_servers: world.kafka.clone(), ..Settings::default() }
}

/// Makes a topic as a source makes its own, and tells its name.
pub async fn topic(world: &World, name: &str, partitions: u32) -> String {
    let name = format!("{}.{name}", world.name);
    let (key, value) = BROKERS_TIME;
    let config = vec![(key.to_owned(), value.to_owned())];
    let partitions = i32::try_from(partitions).unwrap();
    let spec = TopicSpec { name: name.clone(), partitions, replication: 1, config };
    Admin::connect(&settings(world)).unwrap().create(spec).await.unwrap();
    name
}

/// Records that need no thought, through the publisher.
async fn produce(size: Size) -> Run {
    let world = World::with("limit", &Options::default()).await;
    let topic = topic(&world, "limit", PARTITIONS).await;
    let settings = settings(&world);
    let rows = size.snapshot_rows;
    // As dense as the rows are: half of it is digits of a hash.
    let records: Vec<Vec<u8>> = (0..1000_u64)
        .map(|n| {
            (0..RECORD_BYTES).map(|i| if i % 2 == 0 { b'c' } else { (n * 31 + i as u64 * 7) as u8 }).collect()
        })
        .collect();
    let mut used = Used::default();
    used.look_at(std::process::id());
    let (begun, before) = (Instant::now(), used.cpu);
    let id = world.name.clone();
    let produced = tokio::task::spawn_blocking(move || {
        let mut publisher = Publisher::open(&settings, &id, 32 << 20).unwrap();
        let mut bytes = 0;
        for row in 0..rows {
            if !publisher.in_transaction() {
                publisher.begin().unwrap();
            }
            let value = &records[(row % 1000) as usize];
            let partition = (row % u64::from(PARTITIONS)) as i32;
            publisher.send(&topic, partition, Some(&row.to_be_bytes()), Some(value), &[], 0).unwrap();
            bytes += value.len();
            if bytes >= COMMIT_BYTES || row + 1 == rows {
                publisher.commit().unwrap();
                bytes = 0;
            }
        }
    });
    produced.await.unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    used.look_at(std::process::id());
    world.end().await;
    Run { rows, seconds, cpu_seconds: Some(used.cpu - before), peak_bytes: None }
}

/// Statements that are written before the clock starts.
async fn upsert(size: Size) -> Run {
    const CLIENTS: u64 = 4;
    let world = World::with("limit", &Options::default()).await;
    let create = format!("CREATE DATABASE `{0}`;\nUSE `{0}`;\n{1}", world.name, Data::create("s"));
    world.dest_sql(&create).await;
    let rows = size.snapshot_rows / (CLIENTS * STATEMENT_ROWS) * (CLIENTS * STATEMENT_ROWS);
    let mut conns = Vec::new();
    for _ in 0..CLIENTS {
        let mut conn = world.dest_conn().await;
        conn.query_drop(format!("USE `{}`", world.name)).await.unwrap();
        conns.push(conn);
    }
    let each = rows / CLIENTS;
    let statements: Vec<Vec<String>> = (0..CLIENTS)
        .map(|c| {
            (0..each / STATEMENT_ROWS)
                .map(|n| upserts(1 + c * each + n * STATEMENT_ROWS, STATEMENT_ROWS))
                .collect()
        })
        .collect();
    let begun = Instant::now();
    let clients: Vec<_> = conns
        .into_iter()
        .zip(statements)
        .map(|(mut conn, statements)| {
            tokio::spawn(async move {
                for transaction in statements.chunks(TRANSACTION_STATEMENTS as usize) {
                    conn.query_drop("BEGIN").await.unwrap();
                    for statement in transaction {
                        conn.query_drop(statement).await.unwrap();
                    }
                    conn.query_drop("COMMIT").await.unwrap();
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    let seconds = begun.elapsed().as_secs_f64();
    world.end().await;
    Run { rows, seconds, cpu_seconds: None, peak_bytes: None }
}
