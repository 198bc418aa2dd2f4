//! Where a partition begins after the ledger's offset, the cuts tell whether an event is missing or markers only.

use cdc::kafka::{Admin, Settings};
use cdc_sdk::cut::Place;

use crate::kit::{LIMIT, Options, World, variable};

/// Removes what the topic of `t` holds.
async fn delete_records(world: &World) {
    let settings = Settings { bootstrap_servers: variable("CDC_TEST_KAFKA"), ..Settings::default() };
    let admin = Admin::connect(&settings).unwrap();
    let topic = format!("{0}.{0}.t", world.name);
    let partitions = admin.partitions(&topic).await.unwrap().unwrap();
    let ends = admin.ends((0..partitions).map(|p| (topic.clone(), p)).collect()).await.unwrap();
    let places: Vec<Place> = ends.into_iter().filter(|place| place.offset > 0).collect();
    admin.delete_records_before(&places).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn by_key_survives_retention() {
    let sink = "[apply]\nconsistency = \"key\"\n".to_owned();
    let world = World::with("bykeyretention", &Options { sink, ..Options::default() }).await;
    world
        .source_sql(
            "CREATE TABLE t (id INT PRIMARY KEY, v INT);\nINSERT INTO t VALUES (1,1),(2,2),(3,3),(4,4)",
        )
        .await;
    world.catch_up();
    delete_records(&world).await;
    world.catch_up();
    world.source_sql("UPDATE t SET v=v+1;\nINSERT INTO t VALUES (5,5)").await;
    world.catch_up();
    world.assert_equal().await;

    world.source_sql("UPDATE t SET v=v+1").await;
    world.start_source(&["--until-caught-up"]).wait(LIMIT);
    delete_records(&world).await;
    let mut sink = world.start_sink(&[]);
    assert_eq!(sink.wait(LIMIT).code(), Some(3), "{}", sink.log_tail());
    assert!(sink.log_tail().contains("E035"), "{}", sink.log_tail());
    world.end().await;
}
