//! An event that the destination cannot hold goes to the dead letters with its key; everything else goes on,
//! also over a kill; once the cause is mended a retry brings both sides together again.

use cdc::kafka::{Admin, Log, Outbox, Record, Settings};
use cdc_sdk::cut::Place;
use serde_json::Value as Json;

use crate::kit::{Options, Process, World, http, until, variable};

/// A world whose table `orders` has dead letters, and is narrower at the destination.
async fn world(test: &str) -> World {
    let port = http::free_port();
    let sink = format!(
        "[apply]\nschema = \"none\"\n[dead_letter]\ntables = [\"*.orders\"]\n[http]\nlisten = \"127.0.0.1:{port}\"\n"
    );
    let world = World::with(test, &Options { sink, ..Options::default() }).await;
    let tables = |width: u32| {
        format!(
            "CREATE TABLE orders (id INT PRIMARY KEY, note VARCHAR({width}) UNIQUE, v INT);\n\
             CREATE TABLE other (id INT PRIMARY KEY, v INT)"
        )
    };
    world.source_sql(&tables(100)).await;
    world.dest_sql(&format!("CREATE DATABASE `{}`", world.name)).await;
    world.dest_sql(&tables(4)).await;
    world
}

fn status(world: &World) -> Json {
    let (_, text) = world.cdc(&["status", "-c", &world.file("sink.toml"), "--json"]);
    serde_json::from_str(&text).unwrap_or_default()
}

fn settings() -> Settings {
    Settings { bootstrap_servers: variable("CDC_TEST_KAFKA"), ..Settings::default() }
}

/// All letters, each with its slip.
fn letters(world: &World) -> Vec<(Json, Record)> {
    tokio::task::block_in_place(|| {
        let mut log = Log::open(&settings(), &format!("{}.dead-letter", world.name)).unwrap().unwrap();
        let mut all = Vec::new();
        log.read_all(|record| {
            let (name, slip) = record.headers.last().unwrap();
            assert_eq!(name, "cdc.dead-letter");
            all.push((serde_json::from_slice(slip).unwrap(), record));
            Ok(())
        })
        .unwrap();
        all
    })
}

/// The record that a slip names.
fn original(slip: &Json) -> Record {
    tokio::task::block_in_place(|| {
        let offset = slip["offset"].as_i64().unwrap();
        let partition = i32::try_from(slip["partition"].as_i64().unwrap()).unwrap();
        let topic = slip["topic"].as_str().unwrap();
        let mut log = Log::of_partition(&settings(), topic, partition, offset).unwrap();
        log.next_until(offset + 1).unwrap().unwrap()
    })
}

/// What the destination's orders are, and the others'.
async fn rows(world: &World) -> Option<i64> {
    world.dest_number("SELECT SUM(id*1000+v) FROM orders").await
}

async fn set_aside(world: &World, keys: i64, letters: i64) {
    until(&format!("{keys} keys with {letters} letters"), async || {
        let status = status(world);
        let table = &status["set_aside"][0];
        (table["keys"].as_i64(), table["letters"].as_i64()) == (Some(keys), Some(letters))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_applied_waits() {
    let world = world("deadletter").await;
    world.source_sql("INSERT INTO orders VALUES (1,'a',1),(2,'b',1);\nINSERT INTO other VALUES (1,1)").await;
    let mut source = world.start_source(&[]);
    let mut sink = world.start_sink(&[]);
    world.until_dest("SELECT COUNT(*) FROM orders", 2).await;
    world
        .source_sql(
            "START TRANSACTION;\nUPDATE orders SET note='far too long', v=2 WHERE id=1;\n\
             INSERT INTO orders VALUES (3,'c',1);\nUPDATE other SET v=2;\nCOMMIT",
        )
        .await;
    world.until_dest("SELECT v FROM other WHERE id=1", 2).await;
    assert_eq!(rows(&world).await, Some(6003), "the rest of the transaction is there");
    set_aside(&world, 1, 1).await;
    let shown = status(&world);
    assert_eq!(shown["set_aside"][0]["code"], "E050", "{shown}");
    let (_, text) = world.cdc(&["status", "-c", &world.file("sink.toml")]);
    assert!(text.contains("orders is no past state of the source: 1 of its keys"), "{text}");

    // It would fit, but follows; and so it does after a kill.
    world.source_sql("UPDATE orders SET note='d', v=3 WHERE id=1").await;
    set_aside(&world, 1, 2).await;
    sink.kill();
    world.source_sql("UPDATE orders SET v=4 WHERE id IN (1,2)").await;
    let mut sink = world.start_sink(&[]);
    world.until_dest("SELECT v FROM orders WHERE id=2", 4).await;
    set_aside(&world, 1, 3).await;
    assert_eq!(world.dest_number("SELECT v FROM orders WHERE id=1").await, Some(1), "it stays as it was");

    let letters = letters(&world);
    assert_eq!(letters.len(), 3);
    for (slip, letter) in &letters {
        let original = original(slip);
        assert_eq!((&letter.key, &letter.value), (&original.key, &original.value));
        assert_eq!(letter.headers[..letter.headers.len() - 1], original.headers);
        assert_eq!((slip["sink"].as_str(), slip["key"].as_str()), (Some(world.name.as_str()), Some("id=1")));
        assert!(slip["cut"].is_string() && slip["ordinal"].is_u64() && slip["source"]["gtid"].is_string());
    }
    retry(&world, &mut sink).await;
    source.stop();
    sink.stop();
    world.end().await;
}

/// A retry fails as long as the cause is there, and then mends it all.
async fn retry(world: &World, sink: &mut Process) {
    let file = world.file("sink.toml");
    world.source_sql("UPDATE orders SET note='long again', v=5 WHERE id=1").await;
    set_aside(world, 1, 4).await;
    let (code, text) = world.cdc(&["dead-letter", "retry", "-c", &file, "--all"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("E050") && text.contains("still in quarantine: 1"), "{text}");
    let (code, list) = world.cdc(&["dead-letter", "list", "-c", &file]);
    assert!(code == Some(0) && list.contains("id=1") && list.contains("4 letters"), "{list}");
    let (code, text) = world.cdc(&["offsets", "export", "-c", &file, &world.file("offsets.json")]);
    assert!(code == Some(3) && text.contains("1 keys are in quarantine"), "{text}");
    world.dest_sql("ALTER TABLE orders MODIFY note VARCHAR(100)").await;
    let table = format!("{}.orders", world.name);
    let (code, text) = world.cdc(&["dead-letter", "retry", "-c", &file, "--table", &table, "--key", "id=1"]);
    assert_eq!(code, Some(0), "{text}");
    sink.assert_alive();
    until("nothing is set aside", async || {
        status(world)["set_aside"].as_array().is_some_and(std::vec::Vec::is_empty)
    })
    .await;
    world.until_equal().await;
    world.source_sql("UPDATE orders SET v=9 WHERE id=1").await;
    world.until_equal().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_sink_the_command_releases() {
    let world = world("deadalone").await;
    world.source_sql("INSERT INTO orders VALUES (1,'too long',1),(2,'long too',2),(3,'c',3)").await;
    world.catch_up();
    assert_eq!(rows(&world).await, Some(3003));
    let file = world.file("sink.toml");
    let (code, text) = world.cdc(&["dead-letter", "discard", "-c", &file, "--key", "id=1"]);
    assert_eq!(code, Some(2), "nobody confirms it: {text}");
    let (code, text) = world.cdc(&["dead-letter", "discard", "-c", &file, "--key", "id=9", "--yes"]);
    assert!(code == Some(2) && text.contains("not in quarantine"), "{text}");
    let (code, text) = world.cdc(&["dead-letter", "discard", "-c", &file, "--key", "id=1", "--yes"]);
    assert!(code == Some(0) && text.contains("lost: id=1, note='too long', v=1"), "{text}");
    let audit = format!(
        "SELECT COUNT(*) FROM cdc.ledger_audit WHERE name='{}' AND reason LIKE '%orders id=1 %lost: id=1%'",
        world.name
    );
    assert_eq!(world.dest_number(&audit).await, Some(1));
    world.dest_sql("ALTER TABLE orders MODIFY note VARCHAR(100)").await;
    let (code, text) = world.cdc(&["dead-letter", "retry", "-c", &file, "--all"]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(rows(&world).await, Some(5005));
    let (_, list) = world.cdc(&["dead-letter", "list", "-c", &file, "--json"]);
    assert!(list.contains("\"keys\": []"), "{list}");
    // The discarded row comes with its next change.
    world.source_sql("UPDATE orders SET v=7 WHERE id=1").await;
    world.catch_up();
    world.assert_equal().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_without_a_key_waits_as_a_whole() {
    let options = Options {
        sink: "[apply]\nschema = \"none\"\n[dead_letter]\ntables = [\"*.log\"]\n".into(),
        ..Options::default()
    };
    let world = World::with("deadlog", &options).await;
    world.source_sql("CREATE TABLE log (note VARCHAR(100));\nCREATE TABLE other (id INT PRIMARY KEY)").await;
    world.dest_sql(&format!("CREATE DATABASE `{}`", world.name)).await;
    world.dest_sql("CREATE TABLE log (note VARCHAR(4));\nCREATE TABLE other (id INT PRIMARY KEY)").await;
    world.source_sql("INSERT INTO log VALUES ('a'),('a'),('b')").await;
    world.catch_up();
    world
        .source_sql(
            "INSERT INTO log VALUES ('far too long'),('a');\nDELETE FROM log WHERE note='b';\n\
             UPDATE log SET note='c' WHERE note='a' LIMIT 1;\nINSERT INTO other VALUES (1)",
        )
        .await;
    world.catch_up();
    assert_eq!(world.dest_number("SELECT COUNT(*) FROM log").await, Some(3), "nothing of it is applied");
    assert_eq!(world.dest_number("SELECT COUNT(*) FROM other").await, Some(1));
    // As a sink would that was killed before it knew that its letters are stored.
    tokio::task::block_in_place(|| {
        let outbox = Outbox::open(&settings(), 1 << 20).unwrap();
        for (_, letter) in letters(&world) {
            outbox.send(&format!("{}.dead-letter", world.name), 0, &letter).unwrap();
        }
        outbox.flush().unwrap();
    });
    assert_eq!(letters(&world).len(), 8);
    world.dest_sql("ALTER TABLE log MODIFY note VARCHAR(100)").await;
    let file = world.file("sink.toml");
    let (code, text) = world.cdc(&["dead-letter", "retry", "-c", &file, "--key", "*"]);
    assert_eq!(code, Some(0), "{text}");
    world.assert_equal().await;
    // What waited once does not come again with what waits later.
    world.dest_sql("ALTER TABLE log ADD CONSTRAINT c CHECK (note <> 'bad')").await;
    world.source_sql("INSERT INTO log VALUES ('d'),('bad');\nINSERT INTO log VALUES ('e')").await;
    world.catch_up();
    world.dest_sql("ALTER TABLE log DROP CHECK c").await;
    let (code, text) = world.cdc(&["dead-letter", "retry", "-c", &file, "--all"]);
    assert_eq!(code, Some(0), "{text}");
    world.assert_equal().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_that_are_gone_are_told() {
    let world = world("deadgone").await;
    world.source_sql("INSERT INTO orders VALUES (1,'too long',1)").await;
    world.catch_up();
    let topic = format!("{}.dead-letter", world.name);
    let admin = Admin::connect(&settings()).unwrap();
    admin.delete_records_before(&[Place { topic, partition: 0, offset: 1 }]).await.unwrap();
    world.dest_sql("ALTER TABLE orders MODIFY note VARCHAR(100)").await;
    let file = world.file("sink.toml");
    let (code, text) = world.cdc(&["dead-letter", "retry", "-c", &file, "--all"]);
    assert!(code == Some(1) && text.contains("E057"), "nothing is taken for applied: {text}");
    let (code, text) = world.cdc(&["dead-letter", "discard", "-c", &file, "--all", "--yes"]);
    assert!(code == Some(0) && text.contains("lost: its letters are not there"), "{text}");
    world.source_sql("UPDATE orders SET v=2").await;
    world.catch_up();
    world.assert_equal().await;
    world.end().await;
}
