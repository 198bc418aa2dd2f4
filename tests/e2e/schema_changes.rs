//! Tables change while they are captured: during the snapshot, while both processes run, and while the source is
//! down. Rows before and after each statement arrive as they are.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};

use crate::kit::{LIMIT, Options, World, until};

/// A table `T` of some rows, and what becomes of it. Each case has tables of its own, called by its number.
const CASES: [(&str, &str); 42] = [
    ("add at the end", "ALTER TABLE T ADD COLUMN x INT;\nINSERT INTO T VALUES (1001,1,'n',1,5)"),
    (
        "add in front",
        "ALTER TABLE T ADD COLUMN x VARCHAR(9) NOT NULL DEFAULT 'd' FIRST;\nINSERT INTO T VALUES ('x',1001,1,'n',1)",
    ),
    (
        "add instantly in the middle",
        "ALTER TABLE T ADD COLUMN x INT DEFAULT 7 AFTER a, ALGORITHM=INSTANT;\nUPDATE T SET x=8 WHERE id<5",
    ),
    (
        "add with an expression",
        "ALTER TABLE T ADD COLUMN x INT DEFAULT (a * 2);\nINSERT INTO T (id) VALUES (1001)",
    ),
    (
        "a default that goes once the column is there",
        "ALTER TABLE T ADD COLUMN x INT NOT NULL DEFAULT 5;\nALTER TABLE T ALTER COLUMN x DROP DEFAULT;\n\
      INSERT INTO T (id,x) VALUES (1001,9)",
    ),
    (
        "a default that becomes another",
        "ALTER TABLE T ADD COLUMN x INT NOT NULL DEFAULT 5, ADD COLUMN y CHAR(3) DEFAULT 'a';\nINSERT INTO T (id) VALUES (1001);\n\
      ALTER TABLE T ALTER x SET DEFAULT 6, ALTER y SET DEFAULT 'b';\nINSERT INTO T (id) VALUES (1002)",
    ),
    (
        "an instant by the session's time zone",
        "SET time_zone='+05:00';\nALTER TABLE T ADD COLUMN x TIMESTAMP NOT NULL DEFAULT '2020-01-01 00:00:00';\n\
      INSERT INTO T (id) VALUES (1001);\nSET time_zone=DEFAULT",
    ),
    (
        "the time, where that is a TIMESTAMP's default",
        "SET explicit_defaults_for_timestamp=OFF;\nALTER TABLE T ADD COLUMN x TIMESTAMP;\nUPDATE T SET a=9 WHERE id=4;\n\
      SET explicit_defaults_for_timestamp=ON",
    ),
    (
        "a generated column gets another expression, then none",
        "ALTER TABLE T ADD g INT AS (a + 1) STORED;\nALTER TABLE T MODIFY g INT AS (a + 100) STORED;\nUPDATE T SET a=9 WHERE id=4;\n\
      ALTER TABLE T MODIFY g INT;\nUPDATE T SET g=77 WHERE id=5;\nINSERT INTO T (id,a,g) VALUES (1001,1,3)",
    ),
    (
        "a key that counts gets another name",
        "ALTER TABLE T MODIFY id INT AUTO_INCREMENT;\nALTER TABLE T RENAME COLUMN id TO number;\nINSERT INTO T (a) VALUES (5)",
    ),
    ("the primary key goes", "ALTER TABLE T DROP COLUMN id;\nINSERT INTO T (a) VALUES (5)"),
    (
        "a unique key comes and goes",
        "UPDATE T SET a=id;\nALTER TABLE T ADD UNIQUE KEY u (a);\nUPDATE T SET a=1000 WHERE id=4;\nALTER TABLE T DROP INDEX u;\n\
      INSERT INTO T (id,a) VALUES (1001,5)",
    ),
    ("drop", "ALTER TABLE T DROP COLUMN a;\nINSERT INTO T VALUES (1001,'n',1)"),
    (
        "drop instantly, and add again",
        "ALTER TABLE T DROP COLUMN a, ALGORITHM=INSTANT;\nALTER TABLE T ADD COLUMN a INT, ALGORITHM=INSTANT;\nUPDATE T SET a=5 WHERE id=3",
    ),
    (
        "a column comes and another of its name goes, at once",
        "ALTER TABLE T ADD COLUMN a BIGINT, DROP COLUMN a;\nINSERT INTO T (id,a) VALUES (1001,9)",
    ),
    (
        "defaults that the catalogue does not show as they are",
        "ALTER TABLE T ADD x VARBINARY(4) DEFAULT 0x00ff, ADD y BINARY(4) NOT NULL DEFAULT 0x01000200, ADD z VARCHAR(9) DEFAULT '\u{1F600}';\n\
      UPDATE T SET a=9 WHERE id=4",
    ),
    ("rename a column", "ALTER TABLE T RENAME COLUMN a TO z;\nINSERT INTO T (id,z) VALUES (1001,9)"),
    (
        "swap two names",
        "ALTER TABLE T RENAME COLUMN a TO b, RENAME COLUMN b TO a;\nINSERT INTO T (id,a,b) VALUES (1001,'t',5)",
    ),
    ("widen", "ALTER TABLE T MODIFY a BIGINT, MODIFY b TEXT;\nUPDATE T SET a=9223372036854775807 WHERE id=4"),
    ("narrow", "ALTER TABLE T MODIFY b VARCHAR(3);\nUPDATE T SET b='n' WHERE id=4"),
    ("another type", "ALTER TABLE T MODIFY a VARCHAR(20);\nUPDATE T SET a='text' WHERE id=4"),
    (
        "another character set",
        "ALTER TABLE T CONVERT TO CHARACTER SET latin1;\nUPDATE T SET b='caf\u{e9}' WHERE id=4",
    ),
    (
        "reorder",
        "ALTER TABLE T MODIFY c DECIMAL(10,2) AFTER id, MODIFY b VARCHAR(20) FIRST;\nINSERT INTO T (id,c) VALUES (1001,3)",
    ),
    (
        "another key",
        "ALTER TABLE T DROP PRIMARY KEY, ADD PRIMARY KEY (a,id);\nUPDATE T SET a=a+1 WHERE id<10;\nDELETE FROM T WHERE id=20",
    ),
    (
        "a key of fewer columns",
        "ALTER TABLE T DROP PRIMARY KEY, ADD PRIMARY KEY (a);\nUPDATE T SET a=-1 WHERE id=2",
    ),
    ("a unique key", "ALTER TABLE T ADD UNIQUE KEY u (a);\nUPDATE T SET a=a+1000 WHERE id<10"),
    ("rename a table", "RENAME TABLE T TO T_new;\nINSERT INTO T_new (id) VALUES (1001)"),
    (
        "swap by renames",
        "CREATE TABLE T_b LIKE T;\nINSERT INTO T_b (id) VALUES (1),(2);\nRENAME TABLE T TO T_x, T_b TO T, T_x TO T_b;\nINSERT INTO T (id) VALUES (1001);\nINSERT INTO T_b (id) VALUES (1002)",
    ),
    (
        "swap by two statements",
        "CREATE TABLE T_b LIKE T;\nINSERT INTO T_b (id) VALUES (3);\nRENAME TABLE T TO T_old;\nRENAME TABLE T_b TO T;\nUPDATE T SET a=4",
    ),
    (
        "drop and create",
        "DROP TABLE T;\nCREATE TABLE T (k VARCHAR(9) PRIMARY KEY, a JSON);\nINSERT INTO T VALUES ('k','[1]')",
    ),
    (
        "create from select",
        "CREATE TABLE T_s (id INT PRIMARY KEY) SELECT id,a FROM T;\nUPDATE T_s SET a=0 WHERE id<9",
    ),
    (
        "partitions",
        "ALTER TABLE T PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (50), PARTITION p1 VALUES LESS THAN (2000));\n\
      INSERT INTO T (id) VALUES (1001);\nALTER TABLE T REORGANIZE PARTITION p1 INTO (PARTITION p2 VALUES LESS THAN (100), PARTITION p3 VALUES LESS THAN (3000));\n\
      ALTER TABLE T DROP PARTITION p0;\nALTER TABLE T TRUNCATE PARTITION p2;\nUPDATE T SET a=6 WHERE id=150",
    ),
    // Rows change hands without events, in both tables.
    (
        "a partition changes hands",
        "ALTER TABLE T PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (50), PARTITION p1 VALUES LESS THAN (2000));\n\
      CREATE TABLE T_w LIKE T;\nALTER TABLE T_w REMOVE PARTITIONING;\nINSERT INTO T_w (id,a) VALUES (10,-10),(11,-11);\n\
      ALTER TABLE T EXCHANGE PARTITION p0 WITH TABLE T_w;\nUPDATE T SET a=7 WHERE id=10;\nUPDATE T_w SET a=8 WHERE id=3",
    ),
    (
        "partitions that keep their rows",
        "ALTER TABLE T PARTITION BY HASH (id) PARTITIONS 4;\nALTER TABLE T ADD PARTITION PARTITIONS 2;\nUPDATE T SET a=6 WHERE id=6;\n\
      ALTER TABLE T COALESCE PARTITION 3;\nINSERT INTO T (id) VALUES (1001);\nALTER TABLE T REBUILD PARTITION p0;\n\
      ALTER TABLE T OPTIMIZE PARTITION p0;\nDELETE FROM T WHERE id<5;\nALTER TABLE T REMOVE PARTITIONING;\nUPDATE T SET a=5 WHERE id=5",
    ),
    // The log has the rows alone: their columns are told by themselves.
    (
        "behind the log's back",
        "UPDATE T SET a=3 WHERE id=4;\nSET sql_log_bin=0;\nALTER TABLE T ADD COLUMN x VARCHAR(9) FIRST, MODIFY a VARCHAR(20), MODIFY b TEXT AFTER c;\n\
      SET sql_log_bin=1;\nINSERT INTO T VALUES ('x',1001,'a',1,'b');\nUPDATE T SET a='text' WHERE id=5;\nDELETE FROM T WHERE id=6",
    ),
    (
        "keys over the values of a list",
        "ALTER TABLE T ADD COLUMN j JSON;\nUPDATE T SET j=JSON_OBJECT('n', JSON_ARRAY(id,id+1000));\n\
      ALTER TABLE T ADD INDEX m ((CAST(j->'$.n' AS UNSIGNED ARRAY))), ADD UNIQUE KEY u ((CAST(j->'$.n' AS UNSIGNED ARRAY)));\n\
      BEGIN;\nDELETE FROM T WHERE id=7;\nUPDATE T SET j='{\"n\": [7]}' WHERE id=8;\nUPDATE T SET j='{\"n\": [8,1007]}' WHERE id=9;\n\
      INSERT INTO T (id,j) VALUES (7,'{\"n\": [9,1008]}');\nCOMMIT;\nUPDATE T SET j=NULL WHERE id=10",
    ),
    (
        "a temporary table has the name",
        "CREATE TEMPORARY TABLE T (x VARCHAR(9));\nINSERT INTO T VALUES ('x');\nALTER TABLE T ADD COLUMN y INT;\nTRUNCATE TABLE T;\n\
      DROP TABLE T;\nUPDATE T SET a=4 WHERE id=4",
    ),
    (
        "one character set after another",
        "ALTER TABLE T CONVERT TO CHARACTER SET utf16;\nUPDATE T SET b='\u{e9}\u{6f22}' WHERE id=4;\nALTER TABLE T CONVERT TO CHARACTER SET utf8mb4;\n\
      UPDATE T SET b='\u{1F600}' WHERE id=5",
    ),
    (
        "what is checked, and in what order rows lie",
        "ALTER TABLE T ADD CONSTRAINT T_k CHECK (a < 5000);\nINSERT INTO T (id,a) VALUES (1001,4999);\nALTER TABLE T ALTER CHECK T_k NOT ENFORCED;\n\
      UPDATE T SET a=6000 WHERE id=4;\nALTER TABLE T DROP CHECK T_k;\nALTER TABLE T ORDER BY b, a;\nDELETE FROM T WHERE id=5",
    ),
    // A view is no table: what is written through it is its table's.
    (
        "views and likenesses",
        "CREATE TABLE T_l LIKE T;\nINSERT INTO T_l SELECT * FROM T WHERE id<20;\nCREATE TABLE T_m LIKE T_l;\nINSERT INTO T_m (id) VALUES (1);\n\
      CREATE VIEW T_v AS SELECT * FROM T;\nUPDATE T_v SET a=77 WHERE id=3;\nCREATE OR REPLACE VIEW T_v AS SELECT id, a FROM T;\n\
      INSERT INTO T_v VALUES (1001,1);\nRENAME TABLE T_v TO T_u;\nDROP VIEW T_u",
    ),
    // As gh-ost does it: a ghost filled in chunks while changes go to both, then both renamed at once.
    (
        "a ghost table",
        "CREATE TABLE _T_gho LIKE T;\nALTER TABLE _T_gho ADD COLUMN g INT NOT NULL DEFAULT 1 AFTER id;\n\
      INSERT IGNORE INTO _T_gho (id,a,b,c) SELECT id,a,b,c FROM T WHERE id<100 LOCK IN SHARE MODE;\nUPDATE T SET a=1 WHERE id=5;\n\
      REPLACE INTO _T_gho (id,a,b,c) SELECT id,a,b,c FROM T WHERE id=5;\nINSERT IGNORE INTO _T_gho (id,a,b,c) SELECT id,a,b,c FROM T WHERE id>=100;\n\
      RENAME TABLE T TO _T_del, _T_gho TO T;\nINSERT INTO T (id) VALUES (1001);\nDROP TABLE _T_del",
    ),
    // As pt-online-schema-change does it: triggers keep the new table in step while it is filled.
    (
        "triggers",
        "CREATE TABLE _T_new LIKE T;\nALTER TABLE _T_new MODIFY a BIGINT;\n\
      CREATE TRIGGER T_ins AFTER INSERT ON T FOR EACH ROW REPLACE INTO _T_new VALUES (NEW.id,NEW.a,NEW.b,NEW.c);\n\
      CREATE TRIGGER T_del AFTER DELETE ON T FOR EACH ROW DELETE IGNORE FROM _T_new WHERE id<=>OLD.id;\n\
      INSERT LOW_PRIORITY IGNORE INTO _T_new SELECT * FROM T LOCK IN SHARE MODE;\nINSERT INTO T VALUES (1001,1,'t',1);\nDELETE FROM T WHERE id=7;\n\
      RENAME TABLE T TO _T_old, _T_new TO T;\nDROP TRIGGER T_ins;\nDROP TRIGGER T_del;\nDROP TABLE _T_old;\nUPDATE T SET a=9000000000 WHERE id=8",
    ),
];

const ROWS: u32 = 160;

fn table(number: usize) -> String {
    format!("t{number}")
}

fn make() -> String {
    let rows: Vec<String> = (1..=ROWS).map(|id| format!("({id},{id},'r{}',{id}.25)", id % 90)).collect();
    let rows = rows.join(",");
    let each = (0..CASES.len()).map(|number| {
        let table = table(number);
        format!("CREATE TABLE {table} (id INT PRIMARY KEY, a INT NOT NULL DEFAULT 0, b VARCHAR(20), c DECIMAL(10,2));\nINSERT INTO {table} VALUES {rows}")
    });
    each.collect::<Vec<_>>().join(";\n")
}

fn change(number: usize) -> String {
    words(CASES[number].1, &table(number))
}

/// The statements with the table's name for `T`, alone or as a part of a name.
fn words(statements: &str, table: &str) -> String {
    let mut out = String::new();
    for word in statements.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
        let (name, rest) =
            word.split_at(word.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(word.len()));
        let is_table = name == "T" || name.starts_with("T_") || name.starts_with("_T_");
        out.push_str(&if is_table { name.replacen('T', table, 1) } else { name.to_owned() });
        out.push_str(rest);
    }
    out
}

/// All rows of the source's columns at a server, as bytes.
async fn rows(
    conn: &mut Conn,
    database: &str,
    table: &str,
    columns: &str,
) -> Result<Vec<Vec<Value>>, mysql_async::Error> {
    conn.query_drop("SET NAMES utf8mb4").await?;
    let found: Vec<Row> =
        conn.query(format!("SELECT {columns} FROM `{database}`.`{table}` ORDER BY {columns}")).await?;
    Ok(found.into_iter().map(Row::unwrap).collect())
}

/// What of the source's tables the destination has otherwise. It may have more columns, which the source dropped.
pub(super) async fn differences(world: &World) -> Vec<String> {
    let (mut source, mut dest) = (world.source_conn().await, world.dest_conn().await);
    let tables: Vec<String> = source.query("SHOW TABLES").await.unwrap();
    let mut found = Vec::new();
    for table in tables {
        let sql = "SELECT GROUP_CONCAT('`', column_name, '`' ORDER BY ordinal_position) FROM information_schema.columns \
                   WHERE table_schema=? AND table_name=?";
        let columns: String = source.exec_first(sql, (&world.name, &table)).await.unwrap().unwrap();
        let here = rows(&mut source, &world.name, &table, &columns).await.unwrap();
        match rows(&mut dest, &world.name, &table, &columns).await {
            Ok(there) if there == here => {}
            Ok(there) => found.push(format!("{table}: {} and {} rows", here.len(), there.len())),
            Err(error) => found.push(format!("{table}: {error}")),
        }
    }
    found
}

async fn assert_kept(world: &World, when: &str) {
    let found = differences(world).await;
    let named: Vec<String> = found
        .into_iter()
        .map(|line| {
            let number: String =
                line.trim_start_matches(['_', 't']).chars().take_while(char::is_ascii_digit).collect();
            format!("{}: {line}", CASES[number.parse::<usize>().unwrap()].0)
        })
        .collect();
    assert!(named.is_empty(), "{when}: {named:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_change_while_the_source_is_down() {
    let world = World::new("ddl_down").await;
    world.source_sql(&make()).await;
    world.catch_up();
    for number in 0..CASES.len() {
        world.source_sql(&change(number)).await;
    }
    world.catch_up();
    assert_kept(&world, "while the source was down").await;
    world.end().await;
}

/// Ways in which a column goes.
const GOES: [&str; 5] = [
    "ALTER TABLE T DROP COLUMN a",
    "ALTER TABLE T RENAME COLUMN a TO z",
    "ALTER TABLE T CHANGE a z INT",
    "DROP TABLE T;\nCREATE TABLE T (id INT PRIMARY KEY);\nINSERT INTO T VALUES (1)",
    "CREATE TABLE T_b (id INT PRIMARY KEY);\nINSERT INTO T_b VALUES (1);\nRENAME TABLE T TO T_x, T_b TO T;\nDROP TABLE T_x",
];

/// At the destination the first column is still there, with its values, when the second one of that name comes.
#[tokio::test(flavor = "multi_thread")]
async fn a_column_goes_before_a_restart_and_comes_after_it() {
    let world = World::new("ddl_apart").await;
    let each = async |statements: &[&str]| {
        for (number, statements) in statements.iter().cycle().take(GOES.len()).enumerate() {
            world.source_sql(&words(statements, &table(number))).await;
        }
        world.catch_up();
    };
    each(&["CREATE TABLE T (id INT PRIMARY KEY, a INT);\nINSERT INTO T VALUES (1,1),(2,2)"]).await;
    each(&GOES).await;
    each(&["INSERT INTO T (id) VALUES (3)"]).await;
    each(&["ALTER TABLE T ADD COLUMN A INT DEFAULT 5;\nINSERT INTO T (id,A) VALUES (4,4)"]).await;
    assert_eq!(differences(&world).await, Vec::<String>::new());
    world.end().await;
}

/// What a column is declared as that comes and goes.
const SHORT_LIVED: [&str; 12] = [
    "INT NOT NULL DEFAULT 5",
    "INT DEFAULT '-7'",
    "BIGINT UNSIGNED NOT NULL DEFAULT 18446744073709551615",
    "DECIMAL(9,3) NOT NULL DEFAULT 1.5",
    "DOUBLE NOT NULL DEFAULT -1.5e+3",
    "BOOLEAN NOT NULL DEFAULT TRUE",
    "BIT(3) NOT NULL DEFAULT b'101'",
    "VARCHAR(20) NOT NULL DEFAULT 'a''b\\\\\\n\\%ä'",
    "VARCHAR(20) CHARACTER SET latin1 DEFAULT \"é\" COMMENT 'x'",
    "DATE NOT NULL DEFAULT '2020-1-5'",
    "DATETIME(3) DEFAULT '2020-01-05 10:11:12.5'",
    "ENUM('a','b') NOT NULL DEFAULT 'b'",
];

/// Their default is not in the catalogue any more when the first row of such columns is read; in the tables with odd
/// numbers that is by another process than the one that has read of the column's coming.
#[tokio::test(flavor = "multi_thread")]
async fn columns_come_and_go_before_their_rows_are_read() {
    let world = World::new("ddl_short").await;
    let mut before = Vec::new();
    for part in 0..3 {
        for (number, declared) in SHORT_LIVED.iter().enumerate() {
            for (way, at) in [(0, [0, 1, 1]), (1, [0, 1, 2])] {
                let table = table(2 * number + way);
                let make = format!(
                    "CREATE TABLE {table} (id INT PRIMARY KEY, a INT);\nINSERT INTO {table} VALUES (1,1),(2,2)"
                );
                let come = format!("ALTER TABLE {table} ADD COLUMN c {declared} AFTER id");
                let go = format!("INSERT INTO {table} (id,a) VALUES (3,3)");
                for sql in [make, come, go].iter().zip(at).filter(|(_, at)| *at == part).map(|(sql, _)| sql) {
                    world.source_sql(sql).await;
                }
                if at[2] == part {
                    let mut conn = world.source_conn().await;
                    before.push((table.clone(), rows(&mut conn, &world.name, &table, "id,c").await.unwrap()));
                    world.source_sql(&format!("ALTER TABLE {table} DROP COLUMN c")).await;
                }
            }
        }
        world.catch_up();
    }
    let mut conn = world.dest_conn().await;
    for (table, expected) in before {
        let found = rows(&mut conn, &world.name, &table, "id,c").await.unwrap();
        assert_eq!(found, expected, "{table}");
    }
    world.end().await;
}

/// By the time the log is read, the catalogue has a key that the rows in it did not have.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_comes_after_rows_that_it_would_not_tell_apart() {
    let world = World::new("ddl_key").await;
    world.source_sql("CREATE TABLE t (a INT NOT NULL, b INT)").await;
    world.catch_up();
    world
        .source_sql(
            "INSERT INTO t VALUES (7,1),(7,2);\nDELETE FROM t WHERE b=2;\nALTER TABLE t ADD UNIQUE KEY u (a);\n\
             INSERT INTO t VALUES (8,1)",
        )
        .await;
    world.catch_up();
    assert_eq!(differences(&world).await, Vec::<String>::new());
    world.end().await;
}

/// The same where the table has another key: rows that the new one would refuse are made different while the source
/// stands. It reads what came before with the catalogue of later.
#[tokio::test(flavor = "multi_thread")]
async fn a_unique_key_counts_from_its_own_place_on() {
    let world = World::new("ddl_unique").await;
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY, a INT, UNIQUE KEY old (id, a))").await;
    world.source_sql("INSERT INTO t VALUES (1,7),(2,7)").await;
    world.catch_up();
    world
        .source_sql(
            "INSERT INTO t VALUES (3,9);\nUPDATE t SET a=8 WHERE id=2;\nALTER TABLE t ADD UNIQUE KEY u (a);\n\
             INSERT INTO t VALUES (4,10)",
        )
        .await;
    world.catch_up();
    assert_eq!(differences(&world).await, Vec::<String>::new());
    let made = world.dest_create("t").await;
    assert!(made.contains("UNIQUE KEY `old`") && made.contains("UNIQUE KEY `u`"), "{made}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_change_while_both_run() {
    let world = World::new("ddl_live").await;
    world.source_sql(&make()).await;
    world.catch_up();
    let (mut source, mut sink) = (world.start_source(&[]), world.start_sink(&[]));
    for number in 0..CASES.len() {
        world.source_sql(&change(number)).await;
    }
    // Looked at seldom: each look reads all tables on both sides.
    let begun = Instant::now();
    while begun.elapsed() < LIMIT && !differences(&world).await.is_empty() {
        let ended = source.has_ended() || sink.has_ended();
        assert!(!ended, "{}\n{}", source.log_tail(), sink.log_tail());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    source.stop();
    sink.stop();
    assert_kept(&world, "while both ran").await;
    world.end().await;
}

/// A statement over several tables tells of each that it may change, also where it changes none of its rows. Nothing goes
/// downstream then, and the default that existing rows got is not known there when it becomes another.
#[tokio::test(flavor = "multi_thread")]
async fn a_default_is_told_by_rows_only() {
    let world = World::new("ddl_no_rows").await;
    let two = "CREATE TABLE t (id INT PRIMARY KEY, a INT); INSERT INTO t VALUES (1,1),(2,2);\n\
        CREATE TABLE u (id INT PRIMARY KEY, v INT); INSERT INTO u VALUES (1,1)";
    world.source_sql(two).await;
    world.catch_up();
    let (mut source, mut sink) = (world.start_source(&[]), world.start_sink(&[]));
    let none = "ALTER TABLE t ADD COLUMN x INT DEFAULT 7;\n\
        UPDATE u LEFT JOIN t ON t.id = u.id + 1000 SET u.v = u.v + 1, t.a = 1";
    world.source_sql(none).await;
    until("that statement is through", async || world.dest_number("SELECT v FROM u").await == Some(2)).await;
    world.source_sql("ALTER TABLE t ALTER x SET DEFAULT 5;\nINSERT INTO t (id) VALUES (3)").await;
    until("the last row is through", async || {
        world.dest_number("SELECT COUNT(*) FROM t WHERE x=5").await > Some(0)
    })
    .await;
    source.stop();
    sink.stop();
    world.catch_up();
    assert_eq!(differences(&world).await, Vec::<String>::new());
    world.end().await;
}

/// A column with a key cannot become a TEXT at the destination while the key stands on the whole of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_comes_to_stand_on_the_beginning_of_a_text() {
    let world = World::new("ddl_prefix").await;
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY, b VARCHAR(20), KEY k (b), UNIQUE KEY u (b, id)); INSERT INTO t VALUES (1,'a')").await;
    world.catch_up();
    let change = "ALTER TABLE t DROP KEY k, DROP KEY u, MODIFY b TEXT, ADD KEY k (b(10)), ADD UNIQUE KEY u (b(10), id);\n\
        INSERT INTO t VALUES (2,'b')";
    world.source_sql(change).await;
    world.catch_up();
    assert_eq!(differences(&world).await, Vec::<String>::new());
    let parts = "SELECT COUNT(*) FROM information_schema.statistics WHERE table_schema=DATABASE() AND table_name='t' AND sub_part=10";
    assert_eq!(world.dest_number(parts).await, Some(2));
    world.end().await;
}

/// How fast tables are read that change meanwhile, rows a second: they would take a minute and more.
const SLOW: &str = "rows_per_second = 120";

#[tokio::test(flavor = "multi_thread")]
async fn tables_change_during_the_snapshot() {
    // As many readers as tables: each is read in part when its case comes, as far as the rate goes.
    let capture = format!("chunk_rows = 40\nreaders = {}\n{SLOW}", CASES.len());
    let world = World::with("ddl_snap", &Options { capture, ..Options::default() }).await;
    world.source_sql(&make()).await;
    let mut source = world.start_source(&[]);
    until("some rows are read", async || {
        assert!(!source.has_ended(), "{}", source.log_tail());
        read(&world).values().any(|(_, rows)| *rows > 0)
    })
    .await;
    let begun = read(&world);
    let in_part = begun.values().filter(|(state, rows)| state == "reading" && *rows > 0).count();
    assert!(in_part > 0, "{begun:?}");
    for number in 0..CASES.len() {
        world.source_sql(&change(number)).await;
    }
    let left = read(&world);
    assert!(left.values().any(|(state, _)| state != "done"), "the snapshot was over before: {left:?}");
    source.stop();
    world.edit("source.toml", SLOW, "");
    world.catch_up();
    assert_kept(&world, "during the snapshot").await;
    world.end().await;
}

/// State and rows read of each table, as `cdc snapshot show` says; empty before the source's first cut.
fn read(world: &World) -> BTreeMap<String, (String, u64)> {
    let (code, text) = world.cdc(&["snapshot", "show", "--json", "-c", &world.file("source.toml")]);
    if code != Some(0) {
        return BTreeMap::new();
    }
    let shown: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    let tables = shown["tables"].as_array().unwrap().iter();
    let of = |t: &serde_json::Value| (t["state"].as_str().unwrap().to_owned(), t["rows"].as_u64().unwrap());
    tables.map(|t| (t["table"].as_str().unwrap().to_owned(), of(t))).collect()
}
