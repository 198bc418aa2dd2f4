//! With `cleanup.policy=compact,delete` what is gone may have no later record of its key: a sink goes over no hole
//! there. For the source such a topic is compacted all the same.

use cdc::kafka::{Admin, Settings, TopicSpec};

use crate::kit::{Options, World};

fn admin(world: &World) -> Admin {
    let settings = Settings { bootstrap_servers: world.kafka.clone(), ..Settings::default() };
    Admin::connect(&settings).unwrap()
}

/// Makes the topic of a table before the source does.
async fn make_topic(world: &World, table: &str) {
    let config = vec![("cleanup.policy".to_owned(), "compact,delete".to_owned())];
    let name = format!("{0}.{0}.{table}", world.name);
    admin(world).create(TopicSpec { name, partitions: 1, replication: 1, config }).await.unwrap();
}

/// Deletes all that the topic of `t` holds, as retention does with what is old.
async fn delete_all(world: &World) {
    let admin = admin(world);
    let ends = admin.ends(vec![(format!("{0}.{0}.t", world.name), 0)]).await.unwrap();
    admin.delete_records_before(&ends).await.unwrap();
}

fn source_catches_up(world: &World) {
    let (code, text) = world.cdc(&["source", "-c", &world.file("source.toml"), "--until-caught-up"]);
    assert_eq!(code, Some(0), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn compacted_and_deleted_by_age() {
    let world = World::with("compdel", &Options { partitions: 1, ..Options::default() }).await;
    make_topic(&world, "t").await;
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY, v INT);\nINSERT INTO t VALUES (1,0),(2,0)").await;
    world.catch_up();
    let sink = world.file("sink.toml");
    world.source_sql("UPDATE t SET v = 1 WHERE id = 1").await;
    source_catches_up(&world);
    delete_all(&world).await;
    world.source_sql("UPDATE t SET v = 2 WHERE id = 2").await;
    source_catches_up(&world);
    let (code, text) = world.cdc(&["sink", "-c", &sink, "--until-caught-up"]);
    assert_eq!(code, Some(3), "{text}");
    for said in ["E035", "compact,delete", "hint"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(!text.contains("converge"), "{text}");
    assert_eq!(world.dest_number("SELECT SUM(v) FROM t").await, Some(0), "nothing was applied");

    let (code, text) = world.cdc(&["replay", "-c", &sink, "--yes", "--earliest"]);
    assert_eq!((code, text.contains("E035")), (Some(3), true), "{text}");

    make_topic(&world, "without").await;
    world.source_sql("CREATE TABLE without (v INT);\nINSERT INTO without VALUES (1)").await;
    let source = world.file("source.toml");
    let (code, text) = world.cdc(&["source", "-c", &source, "--until-caught-up"]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("is compacted"), "{text}");
    world.end().await;
}
