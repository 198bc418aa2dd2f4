//! Statements that change tables while they are captured, and while they are read.

use std::collections::HashMap;

use cdc_mysql_source::{Event, OnUnsafeDdl, Settings, Start};
use cdc_sdk::{Kind, TableName};
use mysql_async::prelude::Queryable;

use crate::kit::{Model, Outcome, World, next, until_caught_up, until_complete};

const MAKE: &str = "CREATE TABLE a (id INT PRIMARY KEY, n INT);\n\
     INSERT INTO a WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 900) SELECT i, i FROM s";

/// Rows of each table, there and held, by number.
async fn counts(
    world: &mut World,
    model: &Model,
) -> Outcome<(HashMap<String, usize>, HashMap<String, usize>)> {
    let names: Vec<String> = world.admin.query("SHOW TABLES").await?;
    let mut there = HashMap::new();
    for name in names {
        let count: Option<usize> = world.admin.query_first(format!("SELECT COUNT(*) FROM `{name}`")).await?;
        there.insert(name, count.unwrap_or(0));
    }
    there.retain(|_, count| *count > 0);
    let held = model
        .tables
        .iter()
        .map(|(name, rows)| (name.table.clone(), rows.len()))
        .filter(|(_, count)| *count > 0);
    Ok((there, held.collect()))
}

async fn holds(world: &mut World, model: &Model, after: &str) -> Outcome {
    let (there, held) = counts(world, model).await?;
    if there == held { Ok(()) } else { Err(format!("after {after}: there {there:?}, held {held:?}").into()) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_statement_leaves_what_the_source_has() -> Outcome {
    let Some(mut world) = World::new("ddl").await? else { return Ok(()) };
    world.run(MAKE).await?;
    let settings = Settings { chunk_rows: 100, ..world.settings("ddl")? };
    let mut model = Model::default();
    let mut source = model.open(&settings, Start::Fresh).await?;
    until_complete(&mut source, &mut model).await?;
    for statement in [
        "CREATE TABLE c (id INT PRIMARY KEY) SELECT id FROM a LIMIT 10",
        "CREATE TABLE l LIKE a;\nINSERT INTO l VALUES (1, 1)",
        "TRUNCATE TABLE a;\nINSERT INTO a VALUES (1, 1), (2, 2)",
        "ALTER TABLE a ADD COLUMN more VARCHAR(10) DEFAULT 'm';\nINSERT INTO a VALUES (3, 3, 'x')",
        "RENAME TABLE a TO old, l TO a;\nINSERT INTO a VALUES (7, 7)",
        "ALTER TABLE old MODIFY n SMALLINT",
        "ALTER TABLE a DROP PRIMARY KEY, ADD PRIMARY KEY (n);\nINSERT INTO a VALUES (8, 8)",
        "CREATE TABLE p (id INT PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20))",
        "INSERT INTO p VALUES (1), (2), (11)",
        "ALTER TABLE p DROP PARTITION p0",
        "SET SESSION binlog_format = STATEMENT;\nCREATE TEMPORARY TABLE a (id INT);\nTRUNCATE TABLE a;\nALTER TABLE a RENAME a9;\nDROP TEMPORARY TABLE a9;\nSET SESSION binlog_format = ROW",
        "CREATE INDEX k ON c (id);\nANALYZE TABLE c;\nOPTIMIZE TABLE c",
        "DROP TABLE c",
        "CREATE TABLE c (id INT PRIMARY KEY, other INT);\nINSERT INTO c VALUES (5, 5)",
    ] {
        world.run(statement).await?;
        until_caught_up(&mut source, &mut model).await.map_err(|e| format!("{statement}: {e}"))?;
        holds(&mut world, &model, statement).await?;
    }
    assert!(model.complete);
    // What is stored is enough to go on.
    let start = model.resume();
    drop(source);
    let mut source = model.open(&settings, start).await?;
    world.run("INSERT INTO c VALUES (6, 6)").await?;
    until_caught_up(&mut source, &mut model).await?;
    holds(&mut world, &model, "a restart").await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_during_the_snapshot() -> Outcome {
    let Some(mut world) = World::new("ddlsnap").await? else { return Ok(()) };
    world.run(&format!("{MAKE};\nCREATE TABLE d LIKE a;\nINSERT INTO d SELECT * FROM a;\nCREATE TABLE e LIKE a;\nINSERT INTO e SELECT * FROM a")).await?;
    let settings = Settings { chunk_rows: 20, readers: 2, ..world.settings("ddlsnap")? };
    let mut model = Model::default();
    let mut source = model.open(&settings, Start::Fresh).await?;
    let statements = [
        "ALTER TABLE a ADD COLUMN x INT DEFAULT 4",
        "ALTER TABLE a ADD INDEX (n)",
        "DROP TABLE d",
        "CREATE TABLE d (k VARCHAR(9) PRIMARY KEY);\nINSERT INTO d VALUES ('one')",
        "TRUNCATE TABLE e;\nINSERT INTO e VALUES (1, 1), (800, 1)",
        "ALTER TABLE a DROP COLUMN n",
        "RENAME TABLE e TO f;\nINSERT INTO f VALUES (2, 2)",
    ];
    let mut statements = statements.iter();
    let mut chunks = 0;
    while !model.complete {
        let event = next(&mut source).await?;
        let is_chunk = matches!(event, Event::Chunk(_));
        model.apply(event, source.position())?;
        if is_chunk {
            chunks += 1;
            if chunks % 4 == 0
                && let Some(statement) = statements.next()
            {
                world.run(statement).await?;
            }
        }
    }
    for statement in statements {
        world.run(statement).await?;
    }
    until_caught_up(&mut source, &mut model).await?;
    holds(&mut world, &model, "statements during the snapshot").await?;
    let of_a = model.tables.get(&world.table("a")).and_then(|rows| rows.values().next()).map(Vec::len);
    assert!(of_a.is_some());
    world.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unsafe_statement_stops_where_that_was_chosen() -> Outcome {
    let Some(mut world) = World::new("ddlstop").await? else { return Ok(()) };
    world.run(&format!("{MAKE};\nCREATE TABLE p (id INT PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20));\nINSERT INTO p VALUES (1)")).await?;
    let settings = Settings { on_unsafe_ddl: OnUnsafeDdl::Stop, ..world.settings("ddlstop")? };
    let mut model = Model::default();
    let mut source = model.open(&settings, Start::Fresh).await?;
    until_complete(&mut source, &mut model).await?;
    world.run("ALTER TABLE p DROP PARTITION p0").await?;
    let error = match until_caught_up(&mut source, &mut model).await {
        Ok(()) => return Err("it went on".into()),
        Err(error) => error,
    };
    let error = error.downcast::<cdc_sdk::Error>()?;
    assert_eq!(error.kind(), Kind::UnsafeDdl, "{error}");
    assert!(error.what().contains(&TableName::new(world.database.clone(), "p").to_string()));
    world.end().await
}

/// Far more rows change while a chunk is read than are remembered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_changes_during_a_chunk() -> Outcome {
    let Some(mut world) = World::new("flood").await? else { return Ok(()) };
    world
        .run(
            "CREATE TABLE a (id INT PRIMARY KEY, v BIGINT NOT NULL);\n\
             SET SESSION cte_max_recursion_depth = 1000000;\n\
             INSERT INTO a WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 60000) SELECT i, 0 FROM s",
        )
        .await?;
    let settings = Settings { chunk_rows: 100_000, readers: 1, ..world.settings("flood")? };
    let mut model = Model::default();
    let mut source = model.open(&settings, Start::Fresh).await?;
    let mut conn = world.connect().await?;
    let writer = tokio::spawn(async move {
        for _ in 0..4 {
            conn.query_drop("UPDATE a SET v = v + 1").await?;
        }
        Outcome::Ok(())
    });
    until_complete(&mut source, &mut model).await?;
    writer.await??;
    until_caught_up(&mut source, &mut model).await?;
    assert_eq!(model.backwards, Vec::<String>::new());
    holds(&mut world, &model, "the flood").await?;
    let four = format!("{:?}", cdc_sdk::OwnedValue::Plain(cdc_sdk::Value::Int(4)));
    let rows = model.tables.get(&world.table("a")).into_iter().flat_map(|rows| rows.values());
    assert!(rows.into_iter().all(|row| format!("{:?}", row[1]) == four));
    world.end().await
}
