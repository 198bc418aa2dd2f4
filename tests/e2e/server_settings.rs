//! Settings of the source's server that change what its log looks like, several on one server, and
//! transactions of odd makes.

use mysql_async::prelude::Queryable;

use super::schema_changes::differences;
use crate::kit::{Dice, LIMIT, Options, Process, Server, World, until};

/// Without checksums, with statements beside the rows, with keys that the server makes up, names in small
/// letters, JSON in part, compressed transactions.
const OPTIONS: [&str; 6] = [
    "--binlog-checksum=NONE",
    "--binlog-rows-query-log-events=ON",
    "--sql-generate-invisible-primary-key=ON",
    "--lower-case-table-names=1",
    "--binlog-row-value-options=PARTIAL_JSON",
    "--binlog-transaction-compression=ON",
];

/// Larger than one packet of the protocol, by its two images.
const LARGE_BYTES: usize = 17 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn server_settings() {
    let server = Server::start("settings", &OPTIONS);
    let options = Options { source_server: Some(server.address.clone()), ..Options::default() };
    let world = World::with("settings", &options).await;
    world
        .source_sql(
            "CREATE TABLE Orders (Id INT PRIMARY KEY, J JSON, Note TEXT);\n\
             CREATE TABLE NoKey (V INT, W VARCHAR(10));\nCREATE TABLE Large (Id INT PRIMARY KEY, B LONGBLOB);\n\
             INSERT INTO ORDERS VALUES (1, JSON_OBJECT('a', 1, 'pad', REPEAT('x', 200)), 'snapshot');\n\
             INSERT INTO nokey VALUES (1, 'same'), (1, 'same');\nINSERT INTO large VALUES (1, 'small')",
        )
        .await;
    let mut processes = [world.start_source(&[]), world.start_sink(&[])];
    world.until_equal().await;
    let mut conn = world.source_conn().await;
    for statement in [
        "UPDATE oRdErS SET j = JSON_SET(j, '$.a', 2, '$.b', CAST('[1, {}]' AS JSON)) WHERE id = 1",
        "INSERT INTO NOKEY VALUES (1, 'same'), (2, NULL)",
        "UPDATE nokey SET v = 3 WHERE my_row_id = 2",
        "DELETE FROM nokey WHERE v = 1 LIMIT 1",
        "ALTER TABLE Orders ADD COLUMN Extra INT DEFAULT 7",
        "INSERT INTO orders (id, j) VALUES (2, NULL)",
        "CREATE TABLE Later (V INT)",
        "INSERT INTO LATER VALUES (1), (1)",
        "RENAME TABLE Later TO Latest",
        "INSERT INTO latest VALUES (2)",
        "TRUNCATE TABLE NoKey",
        "INSERT INTO nokey VALUES (9, 'after')",
    ] {
        conn.query_drop(statement).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
    }
    conn.exec_drop("UPDATE large SET b = REPEAT('y', ?) WHERE id = 1", (LARGE_BYTES,)).await.unwrap();
    // The same in packets of the protocol as they are: neither the log nor Kafka makes them smaller.
    conn.query_drop("SET SESSION binlog_transaction_compression = OFF").await.unwrap();
    let mut dice = Dice::of(17);
    let noise: Vec<u8> = (0..LARGE_BYTES / 8).flat_map(|_| dice.bits().to_le_bytes()).collect();
    conn.exec_drop("UPDATE large SET b = ? WHERE id = 1", (noise,)).await.unwrap();
    let log: mysql_async::Row = conn.query_first("SHOW BINARY LOG STATUS").await.unwrap().unwrap();
    assert!(log.get::<u64, _>(1) > Some(2 * LARGE_BYTES as u64), "the log is compressed");
    conn.query_drop("SET SESSION binlog_transaction_compression = ON").await.unwrap();
    let sum = "SELECT CAST(CRC32(b) AS SIGNED) FROM large";
    let noise: i64 = conn.query_first(sum).await.unwrap().unwrap();
    savepoints(&mut conn).await;
    world.until_dest(sum, noise).await;
    // What a table was called stays, without rows.
    world.until_dest("SELECT COUNT(*) FROM latest", 3).await;
    world.until_dest("SELECT COUNT(*) FROM later", 0).await;
    world.dest_sql("DROP TABLE later").await;
    world.until_equal().await;
    processes.iter_mut().for_each(Process::stop);
    // What was logged while nobody read is read later.
    conn.query_drop("UPDATE orders SET j = JSON_REMOVE(j, '$.b') WHERE id = 1").await.unwrap();
    conn.query_drop("SET GLOBAL binlog_checksum = CRC32").await.unwrap();
    conn.query_drop("UPDATE orders SET note = 'with a checksum' WHERE id = 2").await.unwrap();
    world.catch_up();
    world.assert_equal().await;
    world.dest_sql(&format!("DROP DATABASE `{}`", world.name)).await;
}

/// What is rolled back to a savepoint never was.
async fn savepoints(conn: &mut mysql_async::Conn) {
    for statement in [
        "BEGIN",
        "INSERT INTO orders (id, note) VALUES (10, 'stays')",
        "SAVEPOINT one",
        "INSERT INTO orders (id, note) VALUES (11, 'goes')",
        "UPDATE orders SET note = 'goes' WHERE id = 10",
        "SAVEPOINT two",
        "DELETE FROM orders WHERE id = 10",
        "ROLLBACK TO SAVEPOINT one",
        "INSERT INTO orders (id, note) VALUES (12, 'stays')",
        "RELEASE SAVEPOINT one",
        "COMMIT",
        "BEGIN",
        "INSERT INTO orders (id, note) VALUES (13, 'goes')",
        "ROLLBACK",
    ] {
        conn.query_drop(statement).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
    }
}

/// Only without GTIDs does the server let tables of both kinds into one transaction. Its log is encrypted and
/// compressed.
#[tokio::test(flavor = "multi_thread")]
async fn tables_without_transactions_inside_of_some() {
    let options = [
        "--gtid-mode=OFF",
        "--enforce-gtid-consistency=OFF",
        "--binlog-encryption=ON",
        "--binlog-transaction-compression=ON",
    ];
    let server = Server::start("engines", &options);
    let options = Options {
        source_server: Some(server.address.clone()),
        capture: "allow_global_read_lock = true".into(),
        ..Options::default()
    };
    let world = World::with("engines", &options).await;
    world
        .source_sql(
            "CREATE TABLE orders (id INT PRIMARY KEY, note TEXT);\n\
             CREATE TABLE plain (id INT PRIMARY KEY, v INT) ENGINE = MyISAM;\n\
             INSERT INTO orders VALUES (1, 'one');\nINSERT INTO plain VALUES (1, 1)",
        )
        .await;
    world.catch_up();
    let mut conn = world.source_conn().await;
    for statement in [
        "BEGIN",
        "INSERT INTO orders VALUES (2, 'two')",
        "INSERT INTO plain VALUES (2, 2)",
        "UPDATE orders SET note = 'both' WHERE id = 2",
        "UPDATE plain SET v = 3",
        "COMMIT",
        // What a table without transactions has taken stays.
        "BEGIN",
        "INSERT INTO plain VALUES (3, 3)",
        "INSERT INTO orders VALUES (3, 'goes')",
        "INSERT INTO plain VALUES (4, 4)",
        "ROLLBACK",
        "BEGIN",
        "INSERT INTO orders VALUES (4, 'stays')",
        "SAVEPOINT s",
        "INSERT INTO orders VALUES (5, 'goes')",
        "INSERT INTO plain VALUES (5, 5)",
        "ROLLBACK TO SAVEPOINT s",
        "COMMIT",
    ] {
        conn.query_drop(statement).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
    }
    savepoints(&mut conn).await;
    world.catch_up();
    world.assert_equal().await;
    let log: mysql_async::Row = conn.query_first("SHOW BINARY LOGS").await.unwrap().unwrap();
    assert_eq!(log.get::<String, _>(2).as_deref(), Some("Yes"), "the log is not encrypted");
    world.dest_sql(&format!("DROP DATABASE `{}`", world.name)).await;
}

/// What a session has by the server's settings: a SELECT begins a transaction, and so does each end of one. And it ends
/// after two rows, which is set later.
const OF_SESSIONS: [&str; 2] = ["--autocommit=0", "--completion-type=CHAIN"];

#[tokio::test(flavor = "multi_thread")]
async fn session_settings() {
    let server = Server::start("sessions", &OF_SESSIONS);
    let capture = "chunk_rows = 10\nrows_per_second = 60\nreaders = 1\n".to_owned();
    let options = Options { source_server: Some(server.address.clone()), capture, ..Options::default() };
    let world = World::with("sessions", &options).await;
    let mut conn = world.source_conn().await;
    for statement in [
        "SET SESSION autocommit = 1, completion_type = 0",
        "SET GLOBAL sql_select_limit = 2",
        "CREATE TABLE a_keyless (v INT)",
        "INSERT INTO a_keyless VALUES (1), (2), (3), (4)",
        "CREATE TABLE t (id INT PRIMARY KEY, v INT NOT NULL)",
        "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) SELECT i, 1 FROM n",
    ] {
        conn.query_drop(statement).await.unwrap();
    }
    let mut processes = [world.start_source(&[]), world.start_sink(&[])];
    let some = async || world.dest_number("SELECT MAX(id) FROM t").await >= Some(10);
    until("the first chunk has arrived", some).await;
    // Their chunks are not read yet.
    conn.query_drop("UPDATE t SET v = 2 WHERE id > 200").await.unwrap();
    conn.query_drop("DELETE FROM t WHERE id = 300").await.unwrap();
    world.until_dest("SELECT COUNT(*) FROM t", 299).await;
    processes.iter_mut().for_each(Process::stop);
    world.catch_up();
    assert_eq!(world.dest_number("SELECT SUM(v) FROM t").await, Some(200 + 2 * 99));
    assert_eq!(world.dest_number("SELECT COUNT(*) FROM a_keyless").await, Some(4));
    world.dest_sql(&format!("DROP DATABASE `{}`", world.name)).await;
}

/// A value that a column cannot hold is cut with a note, which a server may be set not to take.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_cut_is_told_by_a_server_that_takes_no_notes() {
    let server = Server::start("notes", &["--max-error-count=0"]);
    let sink = "[apply]\nschema = \"none\"\n".to_owned();
    let options = Options { dest_server: Some(server.address.clone()), sink, ..Options::default() };
    let world = World::with("notes", &options).await;
    world
        .source_sql("CREATE TABLE t (id INT PRIMARY KEY, d DECIMAL(10,3));\nINSERT INTO t VALUES (1, 1.234)")
        .await;
    world.dest_sql("SET GLOBAL sql_notes = 0").await;
    world.dest_sql(&format!("CREATE DATABASE `{}`", world.name)).await;
    world.dest_sql("CREATE TABLE t (id INT PRIMARY KEY, d DECIMAL(10,1))").await;
    let mut source = world.start_source(&["--until-caught-up"]);
    assert!(source.wait(LIMIT).success(), "{}", source.log_tail());
    let mut sink = world.start_sink(&["--until-caught-up"]);
    assert_eq!(sink.wait(LIMIT).code(), Some(3), "{}", sink.log_tail());
    assert!(sink.log_tail().contains("max_error_count"), "{}", sink.log_tail());
    world.dest_sql("SET GLOBAL max_error_count = 64").await;
    let mut sink = world.start_sink(&["--until-caught-up"]);
    assert_eq!(sink.wait(LIMIT).code(), Some(3), "{}", sink.log_tail());
    assert!(sink.log_tail().contains("E050"), "{}", sink.log_tail());
    assert_eq!(world.dest_number("SELECT COUNT(*) FROM t").await, Some(0), "nothing is cut");
    world.dest_sql(&format!("DROP DATABASE `{}`", world.name)).await;
}

/// What is worked out from a TIMESTAMP is so in the time zone of the session that writes, and stored: the source's value
/// arrives, also where it says which row is meant.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_session_works_out_arrives_as_it_is() {
    let world = World::new("zones").await;
    let mut conn = world.source_conn().await;
    for statement in [
        "SET time_zone = '+05:00'",
        "CREATE TABLE g (id INT PRIMARY KEY, ts TIMESTAMP NOT NULL, d DATE AS (DATE(ts)) STORED, h INT AS (HOUR(ts)) STORED, \
         x DECIMAL(20,10) AS (id / 7) STORED, y INT AS (h + 1) STORED, z INT AS (id * 2) STORED)",
        "CREATE TABLE u (id INT PRIMARY KEY, u INT, ts TIMESTAMP NOT NULL, d DATE AS (DATE(ts)) STORED, UNIQUE KEY (u, d))",
        "CREATE TABLE k (id INT, ts TIMESTAMP NOT NULL, d DATE AS (DATE(ts)) STORED NOT NULL, v INT, PRIMARY KEY (id, d))",
        "INSERT INTO g (id, ts) VALUES (1, '2024-01-01 02:00:00')",
        "INSERT INTO u (id, u, ts) VALUES (1, 1, '2024-01-01 02:00:00'), (2, 1, '2023-12-31 12:00:00')",
        "INSERT INTO k (id, ts, v) VALUES (1, '2024-01-01 02:00:00', 1), (2, '2024-01-01 12:00:00', 2)",
    ] {
        conn.query_drop(statement).await.unwrap();
    }
    world.catch_up();
    assert_eq!(differences(&world).await, Vec::<String>::new());
    for statement in [
        "INSERT INTO g (id, ts) VALUES (2, '2024-06-01 03:00:00')",
        "INSERT INTO u (id, u, ts) VALUES (3, 1, '2024-01-02 02:00:00')",
        "INSERT INTO k (id, ts, v) VALUES (3, '2024-01-01 03:00:00', 3)",
        "UPDATE k SET v = 9, ts = '2024-01-02 01:00:00' WHERE id = 3",
        "DELETE FROM k WHERE id = 1",
    ] {
        conn.query_drop(statement).await.unwrap();
    }
    world.catch_up();
    assert_eq!(differences(&world).await, Vec::<String>::new());
    world.end().await;
}
