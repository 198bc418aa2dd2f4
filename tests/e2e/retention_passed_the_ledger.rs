//! Retention deletes what a sink has applied: no harm. What it has not applied: it says so and stops.

use cdc::kafka::{Admin, Settings};

use crate::kit::{World, variable};

/// Deletes all that the table's topic holds, as retention does with an idle one.
async fn delete_all(world: &World) {
    let settings = Settings { bootstrap_servers: variable("CDC_TEST_KAFKA"), ..Settings::default() };
    let admin = Admin::connect(&settings).unwrap();
    let topic = format!("{0}.{0}.t", world.name);
    let ends = admin.ends((0..4).map(|partition| (topic.clone(), partition)).collect()).await.unwrap();
    admin.delete_records_before(&ends).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_passed_the_ledger() {
    let world = World::new("retention").await;
    world
        .source_sql(
            "CREATE TABLE t (id INT PRIMARY KEY, v INT);\nINSERT INTO t VALUES (1,1),(2,2),(3,3),(4,4)",
        )
        .await;
    world.catch_up();
    world.source_sql("UPDATE t SET v = v + 1").await;
    world.catch_up();
    delete_all(&world).await;
    world.source_sql("UPDATE t SET v = v + 1").await;
    world.catch_up();
    world.assert_equal().await;

    let (source, sink) = (world.file("source.toml"), world.file("sink.toml"));
    let (code, text) = world.cdc(&["replay", "-c", &sink, "--earliest", "--yes"]);
    assert_eq!(code, Some(3), "older data is gone: {text}");
    assert!(text.contains("E035") && text.contains("--for-me"), "{text}");
    for last in [false, true] {
        world.source_sql("UPDATE t SET v = v + 1").await;
        let (code, text) = world.cdc(&["source", "-c", &source, "--until-caught-up"]);
        assert_eq!(code, Some(0), "{text}");
        if !last {
            delete_all(&world).await;
        }
    }
    let (code, text) = world.cdc(&["sink", "-c", &sink, "--until-caught-up"]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("are missing") && text.contains("hint"), "{text}");
    delete_all(&world).await;
    let (code, text) = world.cdc(&["sink", "-c", &sink, "--until-caught-up"]);
    assert_eq!(code, Some(3), "{text}");
    world.end().await;
}

/// No record is left then whose stamp would tell what is missing.
#[tokio::test(flavor = "multi_thread")]
async fn retention_emptied_a_partition_before_its_first_read() {
    let world = World::new("emptied").await;
    world.source_sql("CREATE TABLE u (id INT PRIMARY KEY);\nINSERT INTO u VALUES (1)").await;
    world.catch_up();
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY, v INT);\nINSERT INTO t VALUES (1,1)").await;
    let (code, text) = world.cdc(&["source", "-c", &world.file("source.toml"), "--until-caught-up"]);
    assert_eq!(code, Some(0), "{text}");
    delete_all(&world).await;
    let (code, text) = world.cdc(&["sink", "-c", &world.file("sink.toml"), "--until-caught-up"]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("E035") && text.contains("are missing") && text.contains("--for-me"), "{text}");
    world.end().await;
}
