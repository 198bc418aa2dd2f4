//! This source writes what Debezium wrote.

use super::written::{Writer, Written};
use super::{CHANGES, FOR_SINK, ROWS, SETS, TABLES, tables};
use crate::kit::{LIMIT, Options, World};

/// Where this source does not write what Debezium writes: the table that holds such values and nothing
/// else, what differs, and why. Everything else is equal.
const DIFFERENT: [(&str, &str, &str); 8] = [
    (
        "documents",
        "record",
        "of the binlog Debezium writes JSON without spaces and 1e10 as 10000000000, of the snapshot not",
    ),
    (
        "bent_years",
        "record",
        "YEAR 0 is 2000 or 1900 with Debezium, and year 1 is 2001 (enable.time.adjuster)",
    ),
    ("bent_members", "record", "of the binlog Debezium writes the ENUM's a,b as a\\,b, of the snapshot not"),
    ("bent_stamps", "record", "of the snapshot Debezium leaves zeros at the end out, of the binlog not"),
    ("bent_floats", "record", "of the snapshot Debezium has FLOATs of six digits, of the binlog whole ones"),
    ("bent_times", "record", "24:00:00 is 00:00:00 with Debezium where times are ISO texts"),
    (
        "bent_defaults",
        "",
        "Debezium doubles the quote, takes \\0 for two letters, and drops a negative ISO time",
    ),
    ("bent_deletes", "record", "Debezium writes a tombstone without a key, which tells nothing"),
];

/// Runs this source over the tables in a set, and compares.
async fn compare(set: &str) {
    let (_, options) = SETS.into_iter().find(|(name, _)| *name == set).unwrap();
    let options: String = options.iter().map(|(name, value)| format!("\"{name}\" = \"{value}\"\n")).collect();
    let source = format!("[debezium]\nprofile = \"debezium\"\n{options}");
    let world =
        World::with(&format!("golden_{set}"), &Options { partitions: 1, source, ..Options::default() }).await;
    world.source_sql(TABLES).await;
    world.source_sql(ROWS).await;
    run_source(&world);
    world.source_sql(CHANGES).await;
    run_source(&world);
    let writer = Writer::ours(&world);
    let mut found = Vec::new();
    for table in tables() {
        differences(table, &Written::recorded(set, table), &writer.read(table).await, &mut found);
    }
    found.retain(|(table, what, _)| {
        !DIFFERENT.iter().any(|(known, part, _)| table == known && what.starts_with(part))
    });
    let found: Vec<String> =
        found.into_iter().map(|(table, what, both)| format!("{table}, {what}:{both}")).collect();
    assert!(found.is_empty(), "{set}: Debezium's, then ours:\n{}", found.join("\n"));
    world.end().await;
}

fn run_source(world: &World) {
    let mut source = world.start_source(&["--until-caught-up"]);
    assert_eq!(source.wait(LIMIT).code(), Some(0), "{}", source.log_tail());
}

/// Table, what differs, both texts.
type Difference = (String, String, String);

fn differences(table: &str, theirs: &Written, ours: &Written, found: &mut Vec<Difference>) {
    assert!(!theirs.value_schema.is_empty(), "nothing was recorded of {table}: run make golden");
    let mut compare = |what: &str, theirs: &str, ours: &str| {
        if theirs != ours {
            found.push((table.to_owned(), what.to_owned(), format!("\n  {theirs}\n  {ours}")));
        }
    };
    compare("key schema", &theirs.key_schema, &ours.key_schema);
    compare("value schema", &theirs.value_schema, &ours.value_schema);
    for number in 0..theirs.records.len().max(ours.records.len()) {
        let line = |written: &Written| written.records.get(number).cloned().unwrap_or_default();
        compare(&format!("record {number}"), &line(theirs), &line(ours));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn debeziums_defaults() {
    compare("defaults").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn precise_numbers_and_source_types() {
    compare(FOR_SINK).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn modes_of_texts() {
    compare("texts").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn modes_of_connect() {
    compare("connect").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn modes_of_microseconds_and_source_types() {
    compare("micros").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn modes_of_nanoseconds_and_no_tombstones() {
    compare("nanos").await;
}
