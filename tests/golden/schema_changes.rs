//! The schema change topic.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::record::{connector, prefix, wait_for_end, writer};
use super::written::{Writer, folder, recorded_beside};
use crate::kit::{Connect, LIMIT, Options, Server, World, until};

const PROFILE: &str = "[debezium]\nprofile = \"debezium\"\n";

/// What is there before.
const TABLES: &str = "CREATE TABLE before_all (id INT PRIMARY KEY, v VARCHAR(5));
CREATE TABLE zz_end (id INT PRIMARY KEY);
INSERT INTO zz_end VALUES (1)";

/// Statements while changes stream, separated by `;` at the end of a line.
const STATEMENTS: &str = include_str!("debezium/schema_changes.sql");

const SET: &str = "schema_changes";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs Kafka Connect and Debezium: make golden"]
async fn record_what_debezium_tells_of_statements() {
    let server = Server::start("golden_ddl", &[]);
    let options = Options { source_server: Some(server.address.clone()), ..Options::default() };
    let world = World::with("golden_ddl", &options).await;
    world.source_sql(TABLES).await;
    let connect =
        Connect::start("golden_ddl", &world.kafka, &world.registry, &[connector(&world, 1, (SET, &[]))]);
    wait_for_end(&world, &[SET], 1).await;
    world.source_sql(STATEMENTS).await;
    world.source_sql("INSERT INTO zz_end VALUES (2)").await;
    wait_for_end(&world, &[SET], 2).await;
    connect.stop();
    let prefix = prefix(&world, SET);
    writer(&world, &prefix).record_beside(&prefix, "schema_change_stream").await;
    world.end().await;
}

/// The one difference: the catalogue shows the defaults of bytes by their digits, and Debezium reads a statement.
const BYTES: [&str; 2] = [
    r#"CREATE TABLE `bent_defaults` (: .table.columns[2].defaultValueExpression "0x7879" "xy\\0""#,
    r#"CREATE TABLE `defaults` (: .table.columns[17].defaultValueExpression "0x616263" "abc""#,
];

/// The records of Debezium that say what became of a table: statement, kind and table.
fn recorded(name: &str) -> Vec<Told> {
    let recorded = std::fs::read_to_string(folder().join(format!("beside/{name}.records"))).unwrap();
    let values = recorded.lines().map(|line| serde_json::from_str(line.split_once("} ").unwrap().1).unwrap());
    told(&values.collect::<Vec<Json>>())
}

#[derive(Debug, PartialEq)]
struct Told {
    statement: String,
    snapshot: String,
    database: String,
    change: Json,
}

fn told(records: &[Json]) -> Vec<Told> {
    let text = |json: &Json| json.as_str().unwrap().to_owned();
    let told = records.iter().filter(|record| record["tableChanges"] != Json::Array(Vec::new()));
    told.map(|record| Told {
        statement: text(&record["ddl"]),
        snapshot: text(&record["source"]["snapshot"]),
        database: text(&record["databaseName"]),
        change: record["tableChanges"][0].clone(),
    })
    .collect()
}

async fn ours(world: &World) -> Vec<Told> {
    let (key_schema, value_schema, records) = Writer::ours(world).read_beside(&world.name).await;
    assert_eq!((key_schema, value_schema), recorded_beside("schema_change"));
    told(&records)
}

#[tokio::test(flavor = "multi_thread")]
async fn found_tables_are_told_as_debezium_tells_them() {
    let options = Options { partitions: 1, source: PROFILE.to_owned(), ..Options::default() };
    let world = World::with("golden_found", &options).await;
    world.source_sql(super::TABLES).await;
    for _ in 0..2 {
        // The second start finds no other table.
        let mut source = world.start_source(&["--until-caught-up"]);
        assert_eq!(source.wait(LIMIT).code(), Some(0), "{}", source.log_tail());
    }
    let by_table = |told: Vec<Told>| -> BTreeMap<String, Vec<Told>> {
        let mut tables = BTreeMap::<String, Vec<Told>>::new();
        for told in told.into_iter().filter(|told| told.change["type"] == "CREATE") {
            tables.entry(told.change["id"].as_str().unwrap().to_owned()).or_default().push(told);
        }
        tables
    };
    let theirs = by_table(recorded("schema_change"));
    let ours = by_table(ours(&world).await);
    assert_eq!(ours.len(), theirs.len());
    let differences = theirs.iter().flat_map(|(table, theirs)| differences(&ours[table], theirs));
    assert_eq!(differences.collect::<Vec<_>>(), BYTES);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_are_told_as_debezium_tells_them() {
    let options = Options { partitions: 1, source: PROFILE.to_owned(), ..Options::default() };
    let world = World::with("golden_stated", &options).await;
    world.source_sql(TABLES).await;
    let mut source = world.start_source(&[]);
    let end = format!("{0}.{0}.zz_end", world.name);
    until("the tables are read", async || Writer::ours(&world).count(&end) == 1).await;
    for (number, statement) in (2..).zip(STATEMENTS.trim_end().split(";\n")) {
        world.source_sql(statement).await;
        world.source_sql(&format!("INSERT INTO zz_end VALUES ({number})")).await;
        until(&format!("{statement} is passed"), async || Writer::ours(&world).count(&end) >= number).await;
    }
    source.stop();
    // Before it makes a table Debezium tells that there is none.
    let theirs: Vec<Told> = recorded("schema_change_stream")
        .into_iter()
        .filter(|told| !(told.snapshot == "true" && told.change["type"] == "DROP"))
        .collect();
    // Of an index Debezium tells the statement, and no table.
    let mut ours = ours(&world).await;
    ours.retain(|told| !told.statement.contains("INDEX"));
    assert_eq!(differences(&ours, &theirs), [""; 0]);
    world.end().await;
}

/// Where records say different things: what, ours, theirs.
fn differences(ours: &[Told], theirs: &[Told]) -> Vec<String> {
    let mut found = Vec::new();
    for (our, their) in ours.iter().zip(theirs) {
        let at = format!("{}: ", our.statement.lines().next().unwrap_or_default());
        differ(&at, &our.change, &their.change, &mut found);
        // Debezium takes statements about several tables apart.
        if our.statement != their.statement && !our.statement.contains("TABLE") {
            found.push(format!("{at}{}", their.statement));
        }
        if (&our.snapshot, &our.database) != (&their.snapshot, &their.database) {
            found.push(format!("{at}{our:?} {their:?}"));
        }
    }
    if ours.len() != theirs.len() {
        found.push(format!("{} records, {} of Debezium", ours.len(), theirs.len()));
    }
    found
}

fn differ(at: &str, our: &Json, their: &Json, found: &mut Vec<String>) {
    match (our, their) {
        (Json::Object(ours), Json::Object(theirs)) if ours.keys().eq(theirs.keys()) => {
            ours.iter().for_each(|(name, our)| differ(&format!("{at}.{name}"), our, &theirs[name], found));
        }
        (Json::Array(ours), Json::Array(theirs)) if ours.len() == theirs.len() => {
            let both = ours.iter().zip(theirs);
            both.enumerate().for_each(|(n, (our, their))| differ(&format!("{at}[{n}]"), our, their, found));
        }
        _ if our != their => found.push(format!("{at} {our} {their}")),
        _ => {}
    }
}
