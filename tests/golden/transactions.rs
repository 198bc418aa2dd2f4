//! The transaction topic says of our transactions what Debezium's said of the same ones, and each event where it
//! stands: also across a restart inside a transaction.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::written::{Writer, folder, recorded_beside};
use super::{CHANGES, ROWS, TABLES, tables};
use crate::kit::{LIMIT, Options, World};

const PROVIDED: &str = "[debezium]\nprofile = \"debezium\"\n\"provide.transaction.metadata\" = \"true\"\n";

/// Runs this source until it has caught up. `dies_at` is the place in its code where it dies first.
fn run_source(world: &World, dies_at: Option<&str>) {
    let environment = dies_at.map(|place| ("CDC_FAIL_POINT", place));
    let mut source = world.start_with("source", &["--until-caught-up"], environment.as_slice());
    let code = source.wait(LIMIT).code();
    assert_eq!(code == Some(0), dies_at.is_none(), "{}", source.log_tail());
}

/// What END records say, without ids and times: how many events of which table.
fn ends(records: &[Json]) -> Vec<(Json, Json)> {
    let ends = records.iter().filter(|record| record["status"] == "END");
    ends.map(|end| (end["event_count"].clone(), end["data_collections"].clone())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_are_told_as_debezium_tells_them() {
    let options = Options { partitions: 1, source: PROVIDED.to_owned(), ..Options::default() };
    let world = World::with("golden_transactions", &options).await;
    world.source_sql(TABLES).await;
    world.source_sql(ROWS).await;
    run_source(&world, None);
    world.source_sql(CHANGES).await;
    run_source(&world, None);
    let recorded = std::fs::read_to_string(folder().join("beside/transaction.records")).unwrap();
    let theirs = recorded.lines().map(|line| serde_json::from_str(line.split_once("} ").unwrap().1).unwrap());
    let theirs: Vec<Json> = theirs.collect();
    let (key_schema, value_schema, ours) =
        Writer::ours(&world).read_beside(&format!("{}.transaction", world.name)).await;
    assert_eq!(ends(&ours), ends(&theirs));
    assert_eq!((key_schema, value_schema), recorded_beside("transaction"));
    let begun = ours.iter().filter(|record| record["status"] == "BEGIN").count();
    assert_eq!(begun * 2, ours.len());
    for table in tables() {
        orders(&world, table).await;
    }
    world.end().await;
}

/// The last event of a transaction in a table is as many as END said, and each is one more than the one before.
async fn orders(world: &World, table: &str) {
    let topic = format!("{0}.{0}.{table}", world.name);
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    for event in Writer::ours(world).events(&topic).await {
        let block = &event["transaction"];
        let Some(id) = block["id"].as_str() else {
            assert_eq!(event["op"], "r", "{event}");
            continue;
        };
        let order = last.entry(id.to_owned()).or_default();
        *order += 1;
        assert_eq!(block["data_collection_order"], *order, "{event}");
        assert_eq!(block["total_order"], *order, "one table a transaction: {event}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_inside_a_transaction_goes_on_counting() {
    const ROWS: u64 = 3000;
    let limits = format!("{PROVIDED}[limits]\ncut_bytes = 65536\n");
    let options = Options { partitions: 1, source: limits, ..Options::default() };
    let world = World::with("golden_inside", &options).await;
    world.source_sql("CREATE TABLE a (id INT PRIMARY KEY, v VARCHAR(200));\nCREATE TABLE b LIKE a").await;
    run_source(&world, None);
    let rows = |from: u64| -> String {
        let rows: Vec<String> = (from..from + 500).map(|id| format!("({id},REPEAT('x',150))")).collect();
        rows.join(",")
    };
    let inserts: Vec<String> =
        (0..ROWS / 500).map(|n| format!("INSERT INTO a VALUES {}", rows(n * 500))).collect();
    world
        .source_sql(&format!(
            "BEGIN;\nINSERT INTO b VALUES (1,'');\n{};\nINSERT INTO b VALUES (2,'');\nCOMMIT",
            inserts.join(";\n")
        ))
        .await;
    run_source(&world, Some("source.inside_transaction:2"));
    run_source(&world, None);
    let (_, _, told) = Writer::ours(&world).read_beside(&format!("{}.transaction", world.name)).await;
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[1]["event_count"], ROWS + 2);
    let orders: Vec<u64> = Writer::ours(&world)
        .events(&format!("{0}.{0}.b", world.name))
        .await
        .iter()
        .map(|event| event["transaction"]["total_order"].as_u64().unwrap())
        .collect();
    assert_eq!(orders, [1, ROWS + 2]);
    world.end().await;
}
