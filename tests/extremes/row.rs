use mysql_async::prelude::Queryable;

use super::gauge::{Gauge, LIMIT_BYTES};
use super::stage::Stage;
use crate::kit::Options;

const ROW_BYTES: usize = 64_000_000;
/// Rows that are there before the source is.
const FIRST: u64 = 3;

const SUM: &str = "SELECT CAST(SUM(CRC32(v) + id) AS SIGNED) FROM t";

#[ignore = "minutes and gigabytes: make extremes"]
#[tokio::test(flavor = "multi_thread")]
async fn row_of_64_mb() {
    let stage = Stage::set("xrow", Options::default(), false).await;
    let mut gauge = Gauge::new("rows of 64 MB");
    stage.world.source_sql("CREATE TABLE t (id INT PRIMARY KEY, v LONGBLOB NOT NULL)").await;
    let mut conn = stage.world.source_conn().await;
    for id in 0..FIRST {
        conn.exec_drop("INSERT INTO t VALUES (?, ?)", (id, noise(id))).await.unwrap();
    }
    let (mut source, mut sink) = (stage.world.start_source(&[]), stage.world.start_sink(&[]));
    let wanted = stage.source_number(SUM).await;
    let equal = async || stage.world.dest_number(SUM).await == wanted;
    stage.until(&mut gauge, (&mut source, &mut sink), "snapshot", equal).await;
    for id in FIRST..2 * FIRST {
        conn.exec_drop("INSERT INTO t VALUES (?, ?)", (id, noise(id))).await.unwrap();
    }
    for id in 0..FIRST {
        conn.exec_drop("UPDATE t SET v = ? WHERE id = ?", (noise(id + 100), id)).await.unwrap();
    }
    conn.query_drop("DELETE FROM t WHERE id = 0").await.unwrap();
    let wanted = stage.source_number(SUM).await;
    let equal = async || stage.world.dest_number(SUM).await == wanted;
    stage.until(&mut gauge, (&mut source, &mut sink), "inserts, updates, a delete", equal).await;
    stage.assert_same("SELECT CAST(SUM(CRC32(SHA2(v, 256)) + LENGTH(v)) AS SIGNED) FROM t").await;
    source.stop();
    sink.stop();
    stage.end();
    gauge.tell(LIMIT_BYTES + 5 * ROW_BYTES as u64);
}

/// Letters of a byte each that take two in UTF-8.
const LETTERS: u64 = 30_000_000;

#[ignore = "minutes and gigabytes: make extremes"]
#[tokio::test(flavor = "multi_thread")]
async fn text_that_doubles() {
    let stage = Stage::set("xtext", Options::default(), false).await;
    let mut gauge = Gauge::new("a text that doubles in UTF-8");
    let table = "CREATE TABLE t (id INT PRIMARY KEY, v LONGTEXT CHARACTER SET latin1 NOT NULL)";
    stage.world.source_sql(table).await;
    let mut conn = stage.world.source_conn().await;
    let letters = |seed: u64| {
        let bytes = noise(seed).into_iter().take(usize::try_from(LETTERS).unwrap());
        bytes.map(|byte| byte | 0x80).collect::<Vec<u8>>()
    };
    let insert = "INSERT INTO t VALUES (?, CONVERT(CAST(? AS BINARY) USING latin1))";
    conn.exec_drop(insert, (0, letters(0))).await.unwrap();
    let (mut source, mut sink) = (stage.world.start_source(&[]), stage.world.start_sink(&[]));
    conn.exec_drop(insert, (1, letters(1))).await.unwrap();
    conn.query_drop("UPDATE t SET v = CONCAT(v, 'end') WHERE id = 0").await.unwrap();
    let wanted = stage.source_number(SUM).await;
    let equal = async || stage.world.dest_number(SUM).await == wanted;
    stage.until(&mut gauge, (&mut source, &mut sink), "snapshot, insert, update", equal).await;
    stage.assert_same("SELECT CAST(SUM(CRC32(SHA2(v, 256)) + LENGTH(v)) AS SIGNED) FROM t").await;
    source.stop();
    sink.stop();
    stage.end();
    gauge.tell(LIMIT_BYTES + 5 * 2 * LETTERS);
}

/// Bytes that no compression shrinks.
fn noise(seed: u64) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ (seed + 1);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..ROW_BYTES / 8).flat_map(|_| next().to_le_bytes()).collect()
}
