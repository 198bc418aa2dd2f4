//! Tables whose key changes while they are read, and keys by which a table is not read as any other: in the end the
//! consumer has the rows that are there.

use std::collections::BTreeMap;

use cdc_mysql_source::{ColumnNotes, Event, Resume, Settings, Source, Start};
use cdc_sdk::pattern::Pattern;
use mysql_async::Row;
use mysql_async::prelude::Queryable;

use crate::kit::{Model, Outcome, World, next, number, until_caught_up, until_complete};

/// The values of column `v`, which is the table's last, with how often each is there.
async fn holds(world: &mut World, model: &Model, table: &str) -> Outcome {
    let rows: Vec<Row> = world.admin.query(format!("SELECT v FROM {table}")).await?;
    let mut there: BTreeMap<i64, i64> = BTreeMap::new();
    for row in rows {
        *there.entry(row.get(0).ok_or("no v")?).or_default() += 1;
    }
    let name = world.table(table);
    let mut held: BTreeMap<i64, i64> = BTreeMap::new();
    for row in model.tables.get(&name).into_iter().flat_map(|rows| rows.values()) {
        *held.entry(row.last().and_then(number).ok_or("no v")?).or_default() += 1;
    }
    for (row, count) in model.bags.get(&name).into_iter().flatten().filter(|(_, count)| **count > 0) {
        let v = row.rsplit(['(', ')']).find_map(|part| part.parse().ok()).ok_or("no v")?;
        *held.entry(v).or_default() += count;
    }
    if held == there {
        return Ok(());
    }
    let lost = there.keys().filter(|v| !held.contains_key(v)).count();
    Err(format!("{table}: {} rows there, {} held, {lost} of them lost", there.len(), held.len()).into())
}

/// Applies events until so many chunks have come.
async fn until_chunks(source: &mut Source, model: &mut Model, count: u32) -> Outcome {
    let mut chunks = 0;
    while chunks < count {
        let event = next(source).await?;
        chunks += u32::from(matches!(event, Event::Chunk(_)));
        model.apply(event, source.position())?;
    }
    Ok(())
}

const NUMBERS: &str = "WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 900)";

/// Tables by their names, with a statement that changes the order of their key.
fn turned() -> Vec<(&'static str, &'static str, &'static str, &'static str)> {
    vec![
        ("desc", "id INT NOT NULL, PRIMARY KEY (id)", "i", "DROP PRIMARY KEY, ADD PRIMARY KEY (id DESC)"),
        ("first", "a INT NOT NULL, UNIQUE u1 (a)", "i", "ADD UNIQUE KEY a0 (a DESC)"),
        (
            "binary",
            "k VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci PRIMARY KEY",
            "CONCAT(IF(i % 2, 'a-', 'B-'), i)",
            "CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        ),
        (
            "charset",
            "k VARCHAR(20) CHARACTER SET latin1 PRIMARY KEY",
            "CONCAT('ä', i)",
            "CONVERT TO CHARACTER SET utf8mb4",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_order_of_a_key_changes_while_the_table_is_read() -> Outcome {
    for down in [false, true] {
        let Some(mut world) = World::new("turned").await? else { return Ok(()) };
        for (name, key, value, _) in turned() {
            world
                .run(&format!("CREATE TABLE t_{name} ({key}, v INT);\nINSERT INTO t_{name} {NUMBERS} SELECT {value}, i FROM s"))
                .await?;
        }
        let settings = Settings { chunk_rows: 20, readers: 4, ..world.settings("turned")? };
        let mut model = Model::default();
        let mut source = model.open(&settings, Start::Fresh).await?;
        until_chunks(&mut source, &mut model, 12).await?;
        let alter = |(name, _, _, statement)| format!("ALTER TABLE t_{name} {statement}");
        let statements: Vec<String> = turned().into_iter().map(alter).collect();
        if down {
            drop(source);
            world.run(&statements.join(";\n")).await?;
            source = model.open(&settings, model.resume()).await?;
        } else {
            world.run(&statements.join(";\n")).await?;
        }
        until_complete(&mut source, &mut model).await?;
        until_caught_up(&mut source, &mut model).await?;
        for (name, ..) in turned() {
            holds(&mut world, &model, &format!("t_{name}"))
                .await
                .map_err(|e| format!("down: {down}: {e}"))?;
        }
        world.end().await?;
    }
    Ok(())
}

/// Of a table that is half read and of one that waits, both with rows that the stream brought; live, and behind a source
/// that was down, where the catalogue is ahead; for good, and with the key back in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_goes_while_the_table_is_read_or_waits() -> Outcome {
    for (down, back) in [(false, false), (false, true), (true, false), (true, true)] {
        let Some(mut world) = World::new("keygoes").await? else { return Ok(()) };
        for table in ["half", "waits"] {
            let rows = format!("INSERT INTO {table} {NUMBERS} SELECT i, i FROM s");
            world.run(&format!("CREATE TABLE {table} (id INT PRIMARY KEY, v INT);\n{rows}")).await?;
        }
        let slowly = Some(4000);
        let settings = Settings {
            chunk_rows: 20,
            readers: 1,
            snapshot_rows_per_second: slowly,
            ..world.settings("keygoes")?
        };
        let mut model = Model::default();
        let mut source = model.open(&settings, Start::Fresh).await?;
        until_chunks(&mut source, &mut model, 3).await?;
        world.run("INSERT INTO half VALUES (1001, 1001);\nINSERT INTO waits VALUES (1001, 1001)").await?;
        while !model.tables.contains_key(&world.table("waits")) {
            let event = next(&mut source).await?;
            model.apply(event, source.position())?;
        }
        assert!(model.chunks < 40, "the table is through already");
        let key = if back { ";\nALTER TABLE t ADD PRIMARY KEY (id)" } else { "" };
        let of = |table: &str| {
            format!(
                "ALTER TABLE t DROP PRIMARY KEY;\nDELETE FROM t WHERE id = 880;\nINSERT INTO t VALUES (1000, 1000);\n\
                 UPDATE t SET v = 5000 WHERE id = 890;\nDELETE FROM t WHERE id IN (3, 1001){key}"
            )
            .replace(" t ", &format!(" {table} "))
        };
        let statements = format!("{};\n{}", of("half"), of("waits"));
        if down {
            drop(source);
            world.run(&statements).await?;
            let settings = Settings { readers: 2, snapshot_rows_per_second: None, ..settings };
            source = model.open(&settings, model.resume()).await?;
        } else {
            world.run(&statements).await?;
        }
        until_complete(&mut source, &mut model).await?;
        until_caught_up(&mut source, &mut model).await?;
        for table in ["half", "waits"] {
            holds(&mut world, &model, table).await.map_err(|e| format!("down: {down}, back: {back}: {e}"))?;
        }
        world.end().await?;
    }
    Ok(())
}

/// An index that other statements do not see, days that no month has, a collation that sorts otherwise than it
/// compares, members of an ENUM that look like numbers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_are_not_read_as_any_other() -> Outcome {
    let Some(mut world) = World::new("oddkeys").await? else { return Ok(()) };
    world
        .run(
            "CREATE TABLE unseen (a INT NOT NULL, b INT NOT NULL, v INT, UNIQUE z_b (b), UNIQUE a_a (a) INVISIBLE);\n\
             INSERT INTO unseen VALUES (1, 5, 1), (2, 4, 2), (3, 3, 3), (4, 2, 4), (5, 1, 5);\n\
             SET SESSION sql_mode = 'ALLOW_INVALID_DATES';\n\
             CREATE TABLE days (k DATE PRIMARY KEY, v INT);\n\
             INSERT INTO days VALUES ('0000-00-00', 0), ('2020-00-00', 1), ('2020-02-28', 2), ('2020-02-31', 3), ('2020-03-01', 4), ('2021-04-31', 5);\n\
             CREATE TABLE moments (k DATETIME(3) PRIMARY KEY, v INT);\n\
             INSERT INTO moments VALUES ('2020-02-28 01:02:03.5', 1), ('2020-02-31 01:02:03.5', 2), ('2020-02-31 01:02:03.6', 3), ('2020-03-01', 4);\n\
             CREATE TABLE czech (k VARCHAR(20) CHARACTER SET cp1250 COLLATE cp1250_czech_cs, v INT, PRIMARY KEY (k(5)));\n\
             INSERT INTO czech VALUES ('Ä', 1), ('ä', 2), ('A ', 3), ('aA', 4);\n\
             CREATE TABLE members (e ENUM('3', '1', 'c', 'd', '2') NOT NULL, d INT NOT NULL, v INT, PRIMARY KEY (e, d DESC));\n\
             CREATE TABLE downward (e ENUM('3', '1', 'c', 'd', '2') NOT NULL, d INT NOT NULL, v INT, PRIMARY KEY (e DESC, d))",
        )
        .await?;
    for table in ["members", "downward"] {
        // Also the member 0, which is none.
        world
            .run(&format!(
                "INSERT IGNORE INTO {table} {NUMBERS} SELECT IF(i < 10, 'none', 1 + i MOD 5), i, i FROM s"
            ))
            .await?;
    }
    let settings = Settings { chunk_rows: 2, ..world.settings("oddkeys")? };
    let mut model = Model::default();
    let mut source = model.open(&settings, Start::Fresh).await?;
    until_complete(&mut source, &mut model).await?;
    for table in ["unseen", "days", "moments", "czech", "members", "downward"] {
        holds(&mut world, &model, table).await?;
    }
    world.end().await
}

/// Rows behind small ones that are too large to be taken off the line for nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_rows_behind_small_ones() -> Outcome {
    let Some(mut world) = World::new("largerows").await? else { return Ok(()) };
    world
        .run(&format!(
            "CREATE TABLE t (id INT PRIMARY KEY, b LONGBLOB, v INT);\n\
             INSERT INTO t {NUMBERS} SELECT i, REPEAT('x', IF(i < 400 OR i > 460, 10, 200000)), i FROM s"
        ))
        .await?;
    let settings = Settings { chunk_rows: 10_000, chunk_bytes: 100_000, ..world.settings("largerows")? };
    let mut model = Model::default();
    let mut source = model.open(&settings, Start::Fresh).await?;
    until_complete(&mut source, &mut model).await?;
    holds(&mut world, &model, "t").await?;
    world.end().await
}

/// It goes while nothing of it is told, and another of its name comes: with the old one's rows and columns it has nothing
/// to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_while_it_was_left_out() -> Outcome {
    let Some(mut world) = World::new("leftout").await? else { return Ok(()) };
    world.run("CREATE TABLE t (id INT PRIMARY KEY, gone INT, v INT);\nINSERT INTO t VALUES (1, 1, 1), (2, 2, 2)").await?;
    let settings = world.settings("leftout")?;
    let mut without = settings.clone();
    without.selection.exclude = vec![Pattern::parse(&format!("{}.t", world.database))?];
    let mut model = Model::default();
    let mut source = model.open(&settings, Start::Fresh).await?;
    until_complete(&mut source, &mut model).await?;
    drop(source);
    let mut source = model.open(&without, model.resume()).await?;
    world.run("DROP TABLE t").await?;
    until_caught_up(&mut source, &mut model).await?;
    drop(source);
    let mut source = model.open(&settings, model.resume()).await?;
    let mut noted = ColumnNotes::new();
    while !model.complete {
        let event = next(&mut source).await?;
        if let Event::Ddl(ddl) = &event {
            noted.extend(ddl.noted.clone());
        }
        model.apply(event, source.position())?;
    }
    world.run("CREATE TABLE t (id INT PRIMARY KEY, v INT);\nINSERT INTO t VALUES (3, 3)").await?;
    until_caught_up(&mut source, &mut model).await?;
    holds(&mut world, &model, "t").await?;
    assert!(noted.get(&world.table("t")).is_some_and(|noted| noted.dropped.contains("*")), "{noted:?}");
    // What is stored is enough to go on.
    drop(source);
    let (position, snapshot) = (model.position.clone(), model.progress.values().cloned().collect());
    let resume = Resume { position, snapshot, inside: None, noted };
    let mut source = model.open(&settings, Start::Resume(Box::new(resume))).await?;
    until_caught_up(&mut source, &mut model).await?;
    holds(&mut world, &model, "t").await?;
    world.end().await
}
