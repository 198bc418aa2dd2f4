//! `message.key.columns` that would put the changes of a row in no order, or that nobody could read, is refused: by name,
//! at the start, with the statement that makes it so, or by the sink that cannot keep it.

use cdc::kafka::{Admin, Settings, TopicSpec};

use crate::kit::{LIMIT, Options, World, variable};

fn options(keys: &str, more: &str, sink: &str) -> Options {
    let source = format!("{more}[debezium]\n\"message.key.columns\" = '{keys}'\n");
    Options { source, sink: sink.to_owned(), ..Options::default() }
}

/// Runs the source, which must stop for a person and say all of this.
fn assert_source_stops(world: &World, code: i32, words: &[&str]) {
    assert_stops(world.start_source(&["--until-caught-up"]), code, words);
}

fn assert_stops(mut process: crate::kit::Process, code: i32, words: &[&str]) {
    assert_eq!(process.wait(LIMIT).code(), Some(code), "{}", process.log_tail());
    let said = process.log_tail();
    for word in words {
        assert!(said.contains(word), "{word}: {said}");
    }
}

const ORDERS: &str = "CREATE TABLE orders (customer INT, id INT, status INT NOT NULL, PRIMARY KEY (customer, id));\n\
    INSERT INTO orders VALUES (1,1,1),(1,2,1)";

/// A key that rows share and that is no part of what identifies them.
#[tokio::test(flavor = "multi_thread")]
async fn record_keys_without_order_are_refused() {
    let world = World::with("reckeyno", &options(r".*\.orders:status", "", "")).await;
    world.source_sql(ORDERS).await;
    let table = format!("{}.orders", world.name);
    assert_source_stops(&world, 3, &["error[E027]", &table, "(status)", "(customer, id)", "in no order"]);
    world.edit("source.toml", "orders:status", "orders:customer,stat");
    assert_source_stops(&world, 3, &["error[E027]", &table, "a column stat", "it has customer, id, status"]);
    world.edit("source.toml", "orders:customer,stat", "orders:cust(");
    assert_source_stops(&world, 3, &["error[E027]", "a column cust("]);
    world.edit("source.toml", r".*\.orders:cust(", r".*\.orders(:customer");
    assert_source_stops(&world, 2, &["line", "no regular expression"]);
    world.edit("source.toml", r".*\.orders(:customer", r".*\.orders:customer;nobody.t:x");
    let mut source = world.start_source(&[]);
    let mut sink = world.start_sink(&[]);
    world.until_equal().await;
    assert!(source.log_tail().contains("nobody.t:x"), "{}", source.log_tail());
    // A statement later the same choice has no order any more.
    world
        .source_sql(
            "ALTER TABLE orders DROP PRIMARY KEY, ADD PRIMARY KEY (id);\nINSERT INTO orders VALUES (1,3,1)",
        )
        .await;
    assert_eq!(source.wait(LIMIT).code(), Some(3), "{}", source.log_tail());
    assert!(source.log_tail().contains("error[E027]"), "{}", source.log_tail());
    sink.stop();
    world.end().await;
}

/// What rows share a compaction would take away, and a schema without the table does not tell.
#[tokio::test(flavor = "multi_thread")]
async fn record_keys_that_rows_share_are_refused_where_they_would_lose_rows() {
    let world =
        World::with("reckeycomp", &options(r".*\.orders:customer", "cleanup_policy = \"compact\"\n", ""))
            .await;
    world.source_sql(ORDERS).await;
    assert_source_stops(&world, 3, &["error[E027]", "compaction", "cleanup_policy"]);
    world.edit("source.toml", "cleanup_policy = \"compact\"\n", "");
    world.edit("source.toml", "[debezium]\n", "[debezium]\nprofile = \"debezium\"\n");
    assert_source_stops(&world, 3, &["error[E027]", "profile", "no sink could know"]);
    world.edit("source.toml", "profile = \"debezium\"\n", "");
    // Somebody has made the topic, and compacts it.
    let settings = Settings { bootstrap_servers: variable("CDC_TEST_KAFKA"), ..Settings::default() };
    let topic = format!("{}.{}.orders", world.name, world.name);
    let admin = Admin::connect(&settings).unwrap();
    let config = vec![("cleanup.policy".to_owned(), "compact".to_owned())];
    admin.create(TopicSpec { name: topic.clone(), partitions: 4, replication: 1, config }).await.unwrap();
    assert_source_stops(&world, 3, &["error[E027]", &topic, "is compacted"]);
    // A key that no two rows share may be compacted.
    world.edit("source.toml", "orders:customer", "orders:status,id,customer");
    world.catch_up();
    world.assert_equal().await;
    world.end().await;
}

/// Records of a topic keep their key: with another one rows would go to other partitions.
#[tokio::test(flavor = "multi_thread")]
async fn record_keys_that_change_are_refused() {
    let world = World::with("reckeychange", &options(r".*\.orders:id", "", "")).await;
    world.source_sql(ORDERS).await;
    world.catch_up();
    world.edit("source.toml", "orders:id", "orders:customer");
    assert_source_stops(&world, 3, &["error[E033]", "(id)", "(customer)", "new topic prefix"]);
    world.edit("source.toml", "orders:customer", "nothing:id");
    assert_source_stops(&world, 3, &["error[E033]", "what identifies a row"]);
    world.edit("source.toml", "nothing:id", "orders:ID");
    world.source_sql("DELETE FROM orders WHERE id=1").await;
    world.catch_up();
    world.assert_equal().await;
    world.end().await;
}

/// A row that goes from one partition to another while its identity stays is not for sinks that take partitions one by
/// one, nor for dead letters.
#[tokio::test(flavor = "multi_thread")]
async fn record_keys_that_leave_the_identity_are_refused_by_sinks() {
    let sink = "[dead_letter]\ntables = [\"*.orders\"]\n";
    let world = World::with("reckeysink", &options(r".*\.orders:customer,id,status", "", sink)).await;
    world.source_sql(ORDERS).await;
    assert!(world.start_source(&["--until-caught-up"]).wait(LIMIT).success());
    assert_stops(world.start_sink(&[]), 3, &["error[E027]", "[dead_letter]", "message.key.columns"]);
    assert!(!world.dest_has("orders").await, "it is refused before it is made");
    world.edit("sink.toml", "*.orders", "*.others");
    world.source_sql("UPDATE orders SET status=2 WHERE id=2").await;
    world.catch_up();
    world.assert_equal().await;
    world.edit("sink.toml", "[dead_letter]\ntables = [\"*.others\"]", "[apply]\nconsistency = \"key\"");
    world.source_sql("UPDATE orders SET status=3 WHERE id=2").await;
    assert!(world.start_source(&["--until-caught-up"]).wait(LIMIT).success());
    assert_stops(world.start_sink(&[]), 3, &["error[E058]", "orders", "message.key.columns"]);
    world.end().await;
}
