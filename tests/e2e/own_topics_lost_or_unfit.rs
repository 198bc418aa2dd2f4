//! A source's own topics: made beforehand with settings by which they would lose records, or lost. Nothing is written
//! over that: cuts that count from the beginning again would make old records pass for new ones.

use cdc::kafka::{Admin, Settings, TopicSpec};

use crate::kit::World;

fn admin(world: &World) -> Admin {
    let settings = Settings { bootstrap_servers: world.kafka.clone(), ..Settings::default() };
    Admin::connect(&settings).unwrap()
}

fn source(world: &World, command: &[&str]) -> (Option<i32>, String) {
    world.cdc(&[command, &["-c", &world.file("source.toml")]].concat())
}

fn refused(world: &World, expected: &[&str]) {
    let (code, text) = source(world, &["source", "--until-caught-up"]);
    assert_eq!(code, Some(3), "{text}");
    for said in expected {
        assert!(text.contains(said), "{said} is not in {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn own_topics_lost_or_unfit() {
    let world = World::new("own").await;
    let (admin, name) = (admin(&world), &world.name);
    let [cuts, state] = ["cuts", "state"].map(|own| format!("{name}.{own}"));
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY, v INT);\nINSERT INTO t VALUES (1,1),(2,1)").await;

    let week = [("cleanup.policy", "delete"), ("retention.ms", "604800000")];
    let config: Vec<_> = week.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let spec = |name: &String| TopicSpec {
        name: name.clone(),
        partitions: 1,
        replication: 1,
        config: config.clone(),
    };
    admin.create_all(&[spec(&cuts), spec(&state)]).await.unwrap();
    let (code, text) = source(&world, &["check"]);
    assert_eq!(code, Some(1), "{text}");
    let mends = [
        format!("--entity-name {cuts} --add-config cleanup.policy=delete,retention.ms=-1,retention.bytes=-1"),
        format!("--entity-name {state} --add-config cleanup.policy=compact"),
    ];
    assert!(mends.iter().all(|mend| text.contains(mend)), "{text}");
    refused(&world, &["error[E003]", &mends[0], &mends[1]]);
    admin.delete(&[&cuts, &state]).await.unwrap();

    world.catch_up();
    let (code, text) = source(&world, &["check"]);
    assert_eq!(code, Some(0), "those that a source makes itself: {text}");
    admin.delete(&[&state]).await.unwrap();
    refused(&world, &["error[E034]", "state has lost records", &format!("{name}.{name}.t")]);

    // Nothing is left that tells of pins: the data topics alone tell that there was a source.
    admin.delete(&[&cuts, &state]).await.unwrap();
    world.source_sql("UPDATE t SET v = 2;\nDELETE FROM t WHERE id = 2").await;
    refused(&world, &["error[E034]", "holds no cut", &format!("{name}.{name}.t"), "new topic prefix"]);
    world.end().await;
}
