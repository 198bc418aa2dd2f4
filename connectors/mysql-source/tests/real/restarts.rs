//! A source that ends in the middle of its snapshot goes on where it was stored, and
//! one whose position is not to be had says so before it reads a byte.

use std::collections::HashSet;

use cdc_mysql_source::{ColumnNotes, Event, Resume, Settings, SnapshotMode, Source, Start};
use cdc_sdk::{GtidSet, Kind, Position};
use mysql_async::prelude::Queryable;

use crate::kit::{Model, Outcome, World, next, number, until_caught_up, until_complete};

const MAKE: &str = "CREATE TABLE a (id INT PRIMARY KEY, v BIGINT NOT NULL);\n\
     INSERT INTO a WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 900) SELECT i, 0 FROM s;\n\
     CREATE TABLE b LIKE a;\n\
     INSERT INTO b SELECT * FROM a";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn goes_on_behind_the_last_row_stored() -> Outcome {
    let Some(mut world) = World::new("restart").await? else { return Ok(()) };
    world.run(MAKE).await?;
    let settings = Settings { chunk_rows: 40, readers: 2, ..world.settings("restart")? };
    let mut model = Model::default();
    let mut starts = 0;
    let mut start = Start::Fresh;
    let mut rows_read = 0;
    while !model.complete {
        let mut source = model.open(&settings, start).await?;
        starts += 1;
        world
            .run(&format!(
                "UPDATE a SET v = v + 1 WHERE id IN ({starts}, {}, 890);\nDELETE FROM b WHERE id = {}",
                starts * 60,
                900 - starts
            ))
            .await?;
        let mut chunks = 0;
        while chunks < 3 && !model.complete {
            let event = next(&mut source).await?;
            if let Event::Chunk(chunk) = &event {
                chunks += 1;
                rows_read += chunk.len();
            }
            model.apply(event, source.position())?;
        }
        let progress = source.progress();
        assert!(progress.rows <= progress.rows_estimated && progress.tables_total == 2, "{progress:?}");
        start = model.resume();
    }
    assert!(starts > 10, "only {starts} starts");
    assert!(rows_read <= 1800, "rows were read again: {rows_read}");
    let mut source = model.open(&settings, start).await?;
    until_caught_up(&mut source, &mut model).await?;
    for table in ["a", "b"] {
        let there: Vec<(i64, i64)> = world.admin.query(format!("SELECT id, v FROM {table}")).await?;
        let held = model.tables.get(&world.table(table)).into_iter().flat_map(|rows| rows.values());
        let held: HashSet<(i64, i64)> = held.filter_map(|r| Some((number(&r[0])?, number(&r[1])?))).collect();
        assert_eq!(there.into_iter().collect::<HashSet<_>>(), held, "{table}");
    }
    world.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_data_means_none() -> Outcome {
    let Some(mut world) = World::new("nodata").await? else { return Ok(()) };
    world.run(MAKE).await?;
    let settings = Settings { snapshot: SnapshotMode::NoData, ..world.settings("nodata")? };
    let mut model = Model::default();
    let mut source = model.open(&settings, Start::Fresh).await?;
    until_complete(&mut source, &mut model).await?;
    world.run("INSERT INTO a VALUES (1000, 5)").await?;
    until_caught_up(&mut source, &mut model).await?;
    assert_eq!(model.chunks, 0);
    assert_eq!(model.tables.values().map(|rows| rows.len()).sum::<usize>(), 1);
    world.end().await
}

async fn refusal(settings: &Settings, position: Position) -> Outcome<cdc_sdk::Error> {
    let start = Start::Resume(Box::new(Resume {
        position,
        snapshot: Vec::new(),
        inside: None,
        noted: ColumnNotes::new(),
    }));
    match Source::open(settings.clone(), start).await {
        Ok(_) => Err("the position was taken".into()),
        Err(error) => Ok(error),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn positions_that_are_not_to_be_had() -> Outcome {
    let Some(mut world) = World::new("positions").await? else { return Ok(()) };
    world.run(MAKE).await?;
    let settings = Settings { snapshot: SnapshotMode::Initial, ..world.settings("positions")? };
    let here = Source::open(settings.clone(), Start::Fresh).await?.position().clone();

    let mut ahead: GtidSet = here.gtids.clone().unwrap_or_default();
    ahead.extend(&"ffffffff-0000-0000-0000-000000000001:1-5".parse()?);
    let error = refusal(&settings, Position { gtids: Some(ahead), ..here.clone() }).await?;
    assert_eq!(error.kind(), Kind::Diverged, "{error}");

    let stranger =
        Position { gtids: None, server_uuid: "ffffffff-0000-0000-0000-000000000001".into(), ..here.clone() };
    assert_eq!(refusal(&settings, stranger).await?.kind(), Kind::OtherServer);
    let gone = Position { gtids: None, file: "binlog.999999".into(), ..here.clone() };
    assert_eq!(refusal(&settings, gone).await?.kind(), Kind::Purged);
    let beyond = Position { gtids: None, pos: here.pos + (1 << 40), ..here.clone() };
    assert_eq!(refusal(&settings, beyond).await?.kind(), Kind::Diverged);

    let purged: Option<String> = world.admin.query_first("SELECT @@global.gtid_purged").await?;
    if purged.is_some_and(|set| !set.is_empty()) {
        let error = refusal(&settings, Position { gtids: Some(GtidSet::default()), ..here }).await?;
        assert_eq!(error.kind(), Kind::Purged, "{error}");
        assert!(error.hint_text().is_some());
    }
    world.end().await
}
