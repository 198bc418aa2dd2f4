//! A table is dropped whose schema the registry has lost: its rows downstream can only be taken away with it, so the source
//! stops there rather than go on without a word.

use reqwest::Client;
use serde_json::{Value, json};

use crate::kit::{World, variable};

#[tokio::test(flavor = "multi_thread")]
async fn registry_lost_a_subject() {
    let world = World::new("subject").await;
    world
        .source_sql(
            "CREATE TABLE t (id INT PRIMARY KEY, v INT);\nINSERT INTO t VALUES (1,1),(2,2);\n\
             CREATE TABLE u (id INT PRIMARY KEY);\nINSERT INTO u VALUES (1)",
        )
        .await;
    world.catch_up();
    let subject = format!("{}/subjects/{1}.{1}.t-value", variable("CDC_TEST_REGISTRY"), world.name);
    let client = Client::new();
    let latest = client.get(format!("{subject}/versions/latest")).send().await.unwrap();
    let latest: Value = serde_json::from_slice(&latest.bytes().await.unwrap()).unwrap();
    let deleted = client.delete(&subject).send().await.unwrap();
    assert!(deleted.status().is_success(), "{deleted:?}");
    world.source_sql("DROP TABLE t;\nINSERT INTO u VALUES (2)").await;
    let source = world.file("source.toml");
    let (code, text) = world.cdc(&["source", "-c", &source, "--until-caught-up"]);
    assert_eq!(code, Some(3), "{text}");
    for said in ["E041", &format!("{0}.{0}.t", world.name), "restore the subject"] {
        assert!(text.contains(said), "{said}: {text}");
    }

    let schema = json!({ "schema": latest["schema"] }).to_string();
    let restored = client.post(format!("{subject}/versions"));
    let restored = restored.header("content-type", "application/json").body(schema).send().await.unwrap();
    assert!(restored.status().is_success(), "{restored:?}");
    world.catch_up();
    assert_eq!(world.dest_number("SELECT COUNT(*) FROM t").await, Some(0));
    assert_eq!(world.dest_number("SELECT COUNT(*) FROM u").await, Some(2));
    world.end().await;
}
