//! Rows that were read for one sink alone count only while its ledger says that it is being filled: where the
//! request's sender was gone before the source took it, where that was stopped, and in a replay, they are passed over.

use cdc::kafka::{Admin, Settings};

use crate::kit::{Options, World, until, variable};

#[tokio::test(flavor = "multi_thread")]
async fn rows_for_one_sink_need_its_ledger() {
    let options = Options { capture: "chunk_rows = 50\nrows_per_second = 400".into(), ..Options::default() };
    let world = World::with("forme", &options).await;
    world
        .source_sql(
            "CREATE TABLE t (id INT PRIMARY KEY, v INT);\nINSERT INTO t WITH RECURSIVE n(i) AS \
             (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<800) SELECT i, i FROM n",
        )
        .await;
    world.catch_up();
    let sink = world.file("sink.toml");
    let (code, text) = world.cdc(&["snapshot", "-c", &sink, "--for-me", "--yes", "--wait", "1"]);
    assert!(code != Some(0) && text.contains("passes over what the source reads for it"), "{text}");
    let mut source = world.start_source(&[]);
    until("the source reads for the sink", async || world.snapshot_of("t").1 > 0).await;
    assert!(world.tell(&["stop"]).contains("1 tables are not read any further"));
    source.stop();
    world.source_sql("UPDATE t SET v = -1 WHERE id = 700").await;
    world.catch_up();
    world.assert_equal().await;

    replayed(&world).await;
    let own = format!("{0}.snapshot-for-{0}", world.name);
    let settings = Settings { bootstrap_servers: variable("CDC_TEST_KAFKA"), ..Settings::default() };
    let admin = Admin::connect(&settings).unwrap();
    let end = admin.ends(vec![(own, 0)]).await.unwrap();
    assert!(end[0].offset > 0, "there were rows for the sink");
    admin.delete_records_before(&end).await.unwrap();
    replayed(&world).await;
    world.end().await;
}

/// A replay over all of it, with what the ledger has, ends equal.
async fn replayed(world: &World) {
    let (code, text) = world.cdc(&["replay", "-c", &world.file("sink.toml"), "--earliest", "--yes"]);
    assert_eq!(code, Some(0), "{text}");
    world.catch_up();
    world.assert_equal().await;
}
