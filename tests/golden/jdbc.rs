//! `make golden`: Debezium's JDBC sink applies what our source writes.

use super::{CHANGES, ROWS, TABLES, tables};
use crate::kit::{Connect, LIMIT, Options, World, differences, until, variable};

/// Where it does not end with the source's rows, and why. All are the sink's own (3.6.0): the records are to the byte
/// those that Debezium writes (`compare`). The test prints what each task said, or the first row that differs.
const NOT_KEPT: [(&str, &str); 10] = [
    ("times", "a TIME over a day, or negative, ends its task"),
    ("zero_times", "zero dates are NULL under Debezium's modes"),
    ("strict_times", "they are 1970 where there is no NULL, which a TIMESTAMP refuses"),
    ("places", "the axes of SRID 4326 are swapped, so latitudes over 90 end its task"),
    ("keyless", "changes of rows without a key are appended"),
    ("computed", "generated columns are written, which ends its task"),
    ("bent_floats", "the largest FLOAT is out of range, rounded to a text"),
    ("bent_times", "24:00:00 ends its task"),
    ("bent_defaults", "a negative TIME ends its task"),
    ("bent_deletes", "rows without a key are not deleted"),
];

/// Tables without a key: they can only be appended to.
const KEYLESS: [&str; 2] = ["keyless", "bent_deletes"];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs Kafka Connect and Debezium: make golden"]
async fn debeziums_jdbc_sink_applies_our_topics() {
    let modes = "[debezium]\nprofile = \"debezium\"\n\"bigint.unsigned.handling.mode\" = \"precise\"\n";
    let options = Options { partitions: 1, source: modes.to_owned(), ..Options::default() };
    let world = World::with("golden_jdbc", &options).await;
    world.dest_sql(&format!("CREATE DATABASE `{0}`;\nUSE `{0}`;\n{TABLES}", world.name)).await;
    world.source_sql(TABLES).await;
    world.source_sql(ROWS).await;
    run_source(&world);
    world.source_sql(CHANGES).await;
    run_source(&world);
    // One connector for each table: what one cannot do stops no other.
    let connectors: Vec<_> = tables().into_iter().map(|table| connector(&world, table)).collect();
    let connect = Connect::start("jdbc", &world.kafka, &world.registry, &connectors);
    until("the last table is applied", async || {
        world.dest_number("SELECT COUNT(*) FROM zz_end").await == Some(2)
    })
    .await;
    let mut found = Vec::new();
    for table in tables() {
        if let Some(why) = settled(&world, &connect, table).await {
            found.push((table, why));
        }
    }
    for (table, why) in &found {
        println!("{table}: {why}");
    }
    let known: Vec<&str> = NOT_KEPT.iter().map(|(table, _)| *table).collect();
    assert_eq!(found.iter().map(|(table, _)| *table).collect::<Vec<_>>(), known);
    world.end().await;
}

/// Waits until a table is as on the source, or for as long as that may take; says why it is not.
async fn settled(world: &World, connect: &Connect, table: &str) -> Option<String> {
    let begun = std::time::Instant::now();
    let (mut source, mut dest) = (world.source_conn().await, world.dest_conn().await);
    loop {
        let found = differences(&mut source, &world.name, &mut dest, &world.name).await;
        let line = found.into_iter().find(|line| line.starts_with(&format!("{table}:")))?;
        if let Some(why) = connect.failure(&format!("{}_{table}", world.name)) {
            return Some(why);
        }
        if begun.elapsed() > std::time::Duration::from_secs(5) {
            return Some(line);
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

fn run_source(world: &World) {
    let mut source = world.start_source(&["--until-caught-up"]);
    assert_eq!(source.wait(LIMIT).code(), Some(0), "{}", source.log_tail());
}

fn connector(world: &World, table: &str) -> Vec<(String, String)> {
    let name = &world.name;
    let keyless = KEYLESS.contains(&table);
    let own = [
        ("name", format!("{name}_{table}")),
        ("connector.class", "io.debezium.connector.jdbc.JdbcSinkConnector".to_owned()),
        ("tasks.max", "1".to_owned()),
        ("topics", format!("{name}.{name}.{table}")),
        ("connection.url", format!("jdbc:mysql://{}/{name}", world.servers().1)),
        ("connection.username", variable("CDC_TEST_MYSQL_USER")),
        ("connection.password", variable("CDC_TEST_MYSQL_PASSWORD")),
        ("collection.name.format", "${source.table}".to_owned()),
        ("insert.mode", if keyless { "insert" } else { "upsert" }.to_owned()),
        ("primary.key.mode", if keyless { "none" } else { "record_key" }.to_owned()),
        ("delete.enabled", (!keyless).to_string()),
        ("schema.evolution", "none".to_owned()),
    ];
    own.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
