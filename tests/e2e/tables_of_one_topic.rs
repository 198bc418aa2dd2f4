//! Letters that Kafka does not take in a topic's name become `_`: two tables may come to one name. They are refused
//! before either's rows are there, also where the second one comes when the first has long been delivered.

use crate::kit::{LIMIT, Options, World};

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_would_share_a_topic_are_refused() {
    let world = World::with("onetopic", &Options::default()).await;
    let refused = |when: &str| {
        let (code, text) = world.cdc(&["source", "-c", &world.file("source.toml"), "--until-caught-up"]);
        assert_eq!(code, Some(2), "{when}: {text}");
        assert!(
            text.contains("share the topic") && text.contains("exclude one of the two"),
            "{when}: {text}"
        );
    };
    world.source_sql("CREATE TABLE 订单 (id INT PRIMARY KEY);\nCREATE TABLE 客户 (id INT PRIMARY KEY)").await;
    refused("both at the first start");
    world.source_sql("DROP TABLE 客户;\nINSERT INTO 订单 VALUES (1)").await;
    world.catch_up();
    let mut source = world.start_source(&[]);
    world.source_sql("CREATE TABLE 客户 (id INT PRIMARY KEY);\nINSERT INTO 客户 VALUES (7)").await;
    assert_eq!(source.wait(LIMIT).code(), Some(2), "while it runs: {}", source.log_tail());
    refused("at the start after that");
    let mut sink = world.start_sink(&["--until-caught-up"]);
    assert!(sink.wait(LIMIT).success(), "{}", sink.log_tail());
    assert_eq!(world.dest_number("SELECT SUM(id) FROM 订单").await, Some(1));
    world.end().await;
}
