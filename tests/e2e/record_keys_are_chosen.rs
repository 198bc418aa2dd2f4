//! `message.key.columns`: records have the key that the user chose, and the destination is the same as ever. A key that
//! rows share, one that holds more than the table's, one that is another key of it, and one of a table that has none;
//! each through snapshot, stream, restarts and replays, while rows change what they are keyed by.

use std::collections::{HashMap, HashSet};

use cdc::kafka::{Log, Record, Settings};

use crate::kit::{Dice, Options, World, until, variable};

const SHARED: &str = "orders";
const WIDER: &str = "stock";
const OTHER: &str = "people";
const TURNED: &str = "turned";
const KEYLESS: &str = "log";

const TABLES: &str = "CREATE TABLE orders (id INT, customer VARCHAR(20) COLLATE utf8mb4_0900_ai_ci, v INT, note VARCHAR(40), PRIMARY KEY (id, customer));\n\
    CREATE TABLE stock (id INT PRIMARY KEY, place VARCHAR(20), v INT);\n\
    CREATE TABLE people (id INT PRIMARY KEY, mail VARCHAR(20) COLLATE utf8mb4_bin NOT NULL, v INT, UNIQUE KEY (mail));\n\
    CREATE TABLE turned (a INT, b VARCHAR(20), v INT, PRIMARY KEY (a, b));\n\
    CREATE TABLE log (who VARCHAR(20), line INT)";

/// The column that each table's records are keyed by, or one of them.
const KEYED_BY: [(&str, &str); 5] =
    [(SHARED, "customer"), (WIDER, "place"), (OTHER, "mail"), (TURNED, "b"), (KEYLESS, "who")];

fn options(sink: &str) -> Options {
    let keys = r".*\.Orders:customer;.*\.stock:place,id;.*\.people:MAIL;.*\.turned:b,a;.*\.log:who";
    let source = format!(
        "[debezium]\n\"message.key.columns\" = '{keys}'\n[limits]\ncut_interval_ms = 20\ncut_bytes = 65536\n"
    );
    Options { source, sink: sink.to_owned(), ..Options::default() }
}

/// A statement at random. What meets a key that is there does nothing, at the source already.
fn statement(dice: &mut Dice, tables: &[&str]) -> String {
    let table = tables[dice.below(tables.len() as u64) as usize];
    let (id, word, other) = (dice.below(40), dice.below(9), dice.below(9));
    let identity = match table {
        KEYLESS => "line",
        TURNED => "a",
        _ => "id",
    };
    let (_, by) = KEYED_BY.iter().find(|(of, _)| *of == table).unwrap();
    let (word, other) = (format!("{}{word}", ["k", "K"][dice.below(2) as usize]), format!("k{other}"));
    match dice.below(8) {
        0..3 if table == KEYLESS => format!("INSERT INTO log VALUES ('{word}',{id})"),
        0..3 => format!("INSERT IGNORE INTO {table} ({identity},{by},v) VALUES ({id},'{word}',{id})"),
        3 => format!("UPDATE IGNORE {table} SET {by}='{word}' WHERE {identity}={id}"),
        4 => format!(
            "UPDATE IGNORE {table} SET {identity}={id} WHERE {by}='{other}' ORDER BY {identity} LIMIT 1"
        ),
        5 => format!("DELETE FROM {table} WHERE {identity}={id} ORDER BY {by} LIMIT 1"),
        6 if table == WIDER => format!("UPDATE stock SET place=NULL WHERE id={id}"),
        _ if table == KEYLESS => format!("UPDATE log SET line=line+1 WHERE who='{other}'"),
        _ => format!("UPDATE IGNORE {table} SET v=v+1 WHERE {by}='{other}'"),
    }
}

/// Some transactions at random.
async fn changes(world: &World, dice: &mut Dice, tables: &[&str], transactions: u32) {
    let mut statements = vec![];
    for _ in 0..transactions {
        statements.push("BEGIN".to_owned());
        statements.extend((0..=dice.below(8)).map(|_| statement(dice, tables)));
        statements.push("COMMIT".to_owned());
    }
    world.source_sql(&statements.join(";\n")).await;
}

/// A transaction over several cuts, in which rows go from key to key and back.
const LARGE: &str = "BEGIN;\n\
    REPLACE INTO stock WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i+1 FROM n WHERE i<1400) SELECT i, 'k1', 0 FROM n;\n\
    UPDATE stock SET place='k3' WHERE id>=1000;\nUPDATE stock SET place=IF(id%3=0,'k1',NULL) WHERE id>=1000;\n\
    DELETE FROM stock WHERE id>=1000 AND id%5=0;\n\
    REPLACE INTO orders (id,customer,v) SELECT id, 'k1', v FROM stock;\n\
    UPDATE IGNORE orders SET customer=CONCAT('k',id%7) WHERE id>=1000;\nUPDATE orders SET v=v+1 WHERE id>=1000;\n\
    UPDATE people SET mail=CONCAT('x',mail);\nUPDATE people SET mail=SUBSTR(mail,2) WHERE id%2=0;\n\
    UPDATE people SET mail=SUBSTR(mail,2) WHERE id%2=1;\n\
    COMMIT";

/// The records of a table, by partition.
fn records(world: &World, table: &str) -> Vec<Vec<Record>> {
    let settings = Settings { bootstrap_servers: variable("CDC_TEST_KAFKA"), ..Settings::default() };
    let topic = format!("{}.{}.{table}", world.name, world.name);
    let of_partition = |partition| {
        let mut log = Log::of_partition(&settings, &topic, partition, 0).unwrap();
        let end = log.end().unwrap();
        std::iter::from_fn(|| log.next_until(end).unwrap()).collect()
    };
    let partitions = if table == KEYLESS { 1 } else { 4 };
    tokio::task::block_in_place(|| (0..partitions).map(of_partition).collect())
}

fn count(records: &[Vec<Record>], counts: impl Fn(&Record) -> bool) -> usize {
    records.iter().flatten().filter(|record| counts(record)).count()
}

/// How many partitions hold records of each key.
fn partitions_of_keys(records: &[Vec<Record>]) -> HashMap<Vec<u8>, usize> {
    let keys = |records: &Vec<Record>| -> HashSet<Vec<u8>> {
        records.iter().filter_map(|r| r.key.clone()).collect()
    };
    records.iter().flat_map(keys).fold(HashMap::new(), |mut found, key| {
        *found.entry(key).or_insert(0) += 1;
        found
    })
}

/// Keys that are shared are few, lie in one partition each, and no tombstone is written for them.
fn assert_records(world: &World) {
    for (table, has_tombstones, keys_max) in [
        (SHARED, false, 18),
        (WIDER, true, 9999),
        (OTHER, true, 36),
        (TURNED, true, 800),
        (KEYLESS, false, 18),
    ] {
        let records = records(world, table);
        assert_eq!(count(&records, |r| r.key.is_none()), 0, "{table}: records without a key");
        assert_eq!(count(&records, |r| r.value.is_none()) > 0, has_tombstones, "{table}: tombstones");
        let keys = partitions_of_keys(&records);
        assert!(keys.len() <= keys_max && keys.len() > 5, "{table}: {} keys", keys.len());
        assert!(keys.values().all(|partitions| *partitions == 1), "{table}: a key in several partitions");
    }
}

fn replay(world: &World) {
    let (code, text) = world.cdc(&["replay", "-c", &world.file("sink.toml"), "--earliest", "--yes"]);
    assert_eq!(code, Some(0), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn record_keys_are_chosen() {
    let tables = KEYED_BY.map(|(table, _)| table);
    let mut dice = Dice::new("record keys");
    let world = World::with("reckeys", &options("")).await;
    world.source_sql(TABLES).await;
    changes(&world, &mut dice, &tables, 60).await;
    // The snapshot is read while the stream changes its rows; the source starts anew between.
    for _ in 0..2 {
        let (mut source, mut sink) = (world.start_source(&[]), world.start_sink(&[]));
        changes(&world, &mut dice, &tables, 60).await;
        world.source_sql(LARGE).await;
        world.until_equal().await;
        source.stop();
        changes(&world, &mut dice, &tables, 20).await;
        world.source_sql(LARGE).await;
        sink.stop();
    }
    world.catch_up();
    world.assert_equal().await;
    assert_records(&world);
    for _ in 0..2 {
        replay(&world);
        changes(&world, &mut dice, &tables, 10).await;
        world.catch_up();
        world.assert_equal().await;
    }
    // Read once more, while rows change.
    let (mut source, mut sink) = (world.start_source(&[]), world.start_sink(&[]));
    world.tell(&["--tables", &format!("{}.*", world.name)]);
    changes(&world, &mut dice, &tables, 40).await;
    for table in tables {
        until("the table is read", async || world.snapshot_of(table).0 == "done").await;
    }
    world.until_equal().await;
    source.stop();
    sink.stop();
    // A chosen column of an identity that changes with a statement, and a table that is emptied.
    world
        .source_sql(
            "ALTER TABLE orders ADD COLUMN more INT, DROP PRIMARY KEY, ADD PRIMARY KEY (customer, id, v)",
        )
        .await;
    world.source_sql("TRUNCATE people").await;
    changes(&world, &mut dice, &tables, 20).await;
    world.catch_up();
    world.assert_equal().await;
    world.end().await;
}

/// With partitions applied each by itself a shared key and a table without one are the same as ever.
#[tokio::test(flavor = "multi_thread")]
async fn record_keys_are_chosen_by_key() {
    let tables = [SHARED, TURNED, KEYLESS];
    let mut dice = Dice::new("record keys by key");
    let world = World::with("reckeysby", &options("[apply]\nconsistency = \"key\"\n")).await;
    let made: Vec<&str> =
        TABLES.split(";\n").filter(|sql| tables.iter().any(|t| sql.contains(&format!(" {t} ")))).collect();
    // Spelled anew and back, a key that a collation calls equal is a thing of its own there.
    world.source_sql(&made.join(";\n").replace("utf8mb4_0900_ai_ci", "utf8mb4_bin")).await;
    world.source_sql("ALTER TABLE turned MODIFY b VARCHAR(20) COLLATE utf8mb4_bin").await;
    changes(&world, &mut dice, &tables, 60).await;
    let mut sinks = [world.start_sink(&[]), world.start_sink(&[])];
    for _ in 0..2 {
        let mut source = world.start_source(&[]);
        changes(&world, &mut dice, &tables, 100).await;
        world.until_equal().await;
        source.stop();
        changes(&world, &mut dice, &tables, 20).await;
    }
    sinks.iter_mut().for_each(|sink| sink.stop());
    world.catch_up();
    world.assert_equal().await;
    world.end().await;
}

/// Of two rows that share a key one waits in the dead letters, and the other goes on.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_share_a_key_wait_each_by_itself() {
    let sink = "[apply]\nschema = \"none\"\n[dead_letter]\ntables = [\"*.orders\"]\n";
    let world = World::with("reckeysdead", &options(sink)).await;
    let table = TABLES.split(";\n").next().unwrap();
    world.source_sql(table).await;
    world.dest_sql(&format!("CREATE DATABASE `{}`", world.name)).await;
    world.dest_sql(&table.replace("note VARCHAR(40)", "note VARCHAR(4)")).await;
    world.source_sql("INSERT INTO orders VALUES (1,'a',1,'x'),(2,'a',2,'x'),(3,'b',3,'x')").await;
    world.catch_up();
    world.source_sql("UPDATE orders SET note='too long for it' WHERE id=1").await;
    world.source_sql("UPDATE orders SET v=v+10;\nINSERT INTO orders VALUES (4,'a',4,'x')").await;
    world.catch_up();
    let file = world.file("sink.toml");
    assert_eq!(world.dest_number("SELECT SUM(id*100+v) FROM orders").await, Some(1000 + 1 + 12 + 13 + 4));
    let (_, list) = world.cdc(&["dead-letter", "list", "-c", &file]);
    assert!(list.contains("id=1, customer='a'"), "{list}");
    // It is deleted and made anew, also under another key, and all of that waits.
    world.source_sql("UPDATE orders SET customer='A' WHERE id=1;\nDELETE FROM orders WHERE id=2").await;
    world.source_sql("UPDATE orders SET customer='a', v=77 WHERE id=1").await;
    world.catch_up();
    world.dest_sql("ALTER TABLE orders MODIFY note VARCHAR(40)").await;
    let (code, text) = world.cdc(&["dead-letter", "retry", "-c", &file, "--all"]);
    assert_eq!(code, Some(0), "{text}");
    world.assert_equal().await;
    world.source_sql("UPDATE orders SET v=v+1").await;
    world.catch_up();
    world.assert_equal().await;
    world.end().await;
}
