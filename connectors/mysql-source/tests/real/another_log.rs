//! A log that was reset, or left by `gtid_mode`, is never read on as if it were the one that was read: its numbers and
//! names are the same, what stands under them is not.

use cdc_mysql_source::{Settings, SnapshotMode, Source, Start};
use cdc_sdk::{Error, Kind};
use mysql_async::prelude::Queryable;

use crate::kit::{Model, Outcome, World, until_caught_up, until_complete};
use crate::private_servers::Server;

const MAKE: &str =
    "CREATE TABLE a (id INT PRIMARY KEY, v INT NOT NULL);\nINSERT INTO a VALUES (1, 1), (2, 2)";
const RESET: &str = "RESET BINARY LOGS AND GTIDS";
/// As many transactions as any position here has, and more.
const MANY: i32 = 80;

async fn many(world: &mut World) -> Outcome {
    for id in 0..MANY {
        world.run(&format!("INSERT INTO a VALUES ({}, 0)", 1000 + id)).await?;
    }
    Ok(())
}

/// A source that has delivered all there is: its snapshot, and `streamed` behind that.
async fn caught_up(world: &mut World, settings: &Settings, streamed: &str) -> Outcome<(Source, Model)> {
    let mut model = Model::default();
    let mut source = model.open(settings, Start::Fresh).await?;
    until_complete(&mut source, &mut model).await?;
    world.run(streamed).await?;
    until_caught_up(&mut source, &mut model).await?;
    Ok((source, model))
}

async fn refusal(settings: &Settings, model: &mut Model) -> Outcome<Error> {
    let start = model.resume();
    let opened = async {
        let mut source = model.open(settings, start).await?;
        until_caught_up(&mut source, model).await
    };
    let error = opened.await.err().ok_or("the log was read on")?;
    Ok(*error.downcast::<Error>()?)
}

async fn same(world: &mut World, model: &Model) -> Outcome {
    let there: Option<usize> = world.admin.query_first("SELECT COUNT(*) FROM a").await?;
    assert_eq!(Some(model.tables.get(&world.table("a")).map_or(0, |rows| rows.len())), there);
    Ok(())
}

const AWAY: &str = "SET GLOBAL gtid_mode = ON_PERMISSIVE;\nSET GLOBAL gtid_mode = OFF_PERMISSIVE";
const BACK: &str = "SET GLOBAL gtid_mode = ON_PERMISSIVE;\nSET GLOBAL gtid_mode = ON";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_without_a_gtid_are_not_passed_over() -> Outcome {
    let Some(server) = Server::start("anonymous", &[])? else { return Ok(()) };
    for (number, streamed) in ["", "INSERT INTO a VALUES (10, 10)"].into_iter().enumerate() {
        let name = format!("anonymous{number}");
        let mut world = World::at(&name, server.address(), "root", "").await?;
        world.run(MAKE).await?;
        let settings = world.settings(&name)?;
        let (source, mut model) = caught_up(&mut world, &settings, streamed).await?;
        drop(source);
        world.run(&format!("{AWAY};\nINSERT INTO a VALUES (3, 3)")).await?;
        world.run(&format!("{BACK};\nINSERT INTO a VALUES (4, 4)")).await?;
        let error = refusal(&settings, &mut model).await?;
        assert_eq!(error.kind(), Kind::Purged, "{error}");

        let settings = Settings { snapshot: SnapshotMode::WhenNeeded, ..settings };
        let start = model.resume();
        let mut source = model.open(&settings, start).await?;
        until_complete(&mut source, &mut model).await?;
        until_caught_up(&mut source, &mut model).await?;
        same(&mut world, &model).await?;

        // Under a source that runs, and once more where the mode is back, as its hint says it must be.
        world.run(&format!("{AWAY};\nINSERT INTO a VALUES (5, 5)")).await?;
        let error = until_caught_up(&mut source, &mut model).await.err().ok_or("it went on")?;
        assert_eq!(error.downcast::<Error>()?.kind(), Kind::Purged);
        drop(source);
        world.run(&format!("{BACK};\nINSERT INTO a VALUES (6, 6)")).await?;
        let settings = Settings { snapshot: SnapshotMode::Initial, ..settings };
        assert_eq!(refusal(&settings, &mut model).await?.kind(), Kind::Purged);
        world.end().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_that_are_used_again_are_not_taken_for_what_they_were() -> Outcome {
    let without = ["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"];
    for (name, options) in [("reset", &[][..]), ("resetfile", &without[..])] {
        let Some(server) = Server::start(name, options)? else { return Ok(()) };
        for (number, streamed) in ["", "INSERT INTO a VALUES (10, 10)"].into_iter().enumerate() {
            let name = format!("{name}{number}");
            let mut world = World::at(&name, server.address(), "root", "").await?;
            world.run(&format!("{RESET};\n{MAKE}")).await?;
            let settings = Settings { allow_global_read_lock: true, ..world.settings(&name)? };
            let (mut source, mut model) = caught_up(&mut world, &settings, streamed).await?;
            source.confirm().await?;
            // A file is known by the second in which it was begun.
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            world.run(RESET).await?;
            let error = source.confirm().await.err().ok_or("the reset was not seen")?;
            assert_eq!(error.kind(), Kind::Diverged, "{error}");
            drop(source);
            many(&mut world).await?;
            let error = refusal(&settings, &mut model).await?;
            assert_eq!(error.kind(), Kind::Diverged, "{error}");
            world.end().await?;
        }
    }
    Ok(())
}

/// What is no other log: files that end, go and come, and a server that is stopped in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_goes_on_in_other_files_is_the_same() -> Outcome {
    let Some(server) = Server::start("samelog", &[])? else { return Ok(()) };
    for (number, streamed) in ["", "INSERT INTO a VALUES (10, 10)"].into_iter().enumerate() {
        let name = format!("samelog{number}");
        let mut world = World::at(&name, server.address(), "root", "").await?;
        world.run(MAKE).await?;
        let settings = world.settings(&name)?;
        let (source, mut model) = caught_up(&mut world, &settings, streamed).await?;
        drop(source);
        for between in [
            "FLUSH BINARY LOGS",
            "",
            "INSERT INTO a VALUES (11, 11);\nFLUSH BINARY LOGS;\nINSERT INTO a VALUES (12, 12)",
            "PURGE",
        ] {
            if between == "PURGE" {
                // All that was delivered goes, and nothing else.
                world.run("FLUSH BINARY LOGS").await?;
                let logs: Vec<mysql_async::Row> = world.admin.query("SHOW BINARY LOGS").await?;
                let last: String = logs.last().and_then(|row| row.get(0)).ok_or("no binlogs")?;
                world.run(&format!("PURGE BINARY LOGS TO '{last}'")).await?;
            } else {
                world.run(between).await?;
            }
            let start = model.resume();
            let mut source = model.open(&settings, start).await?;
            until_caught_up(&mut source, &mut model).await?;
            source.confirm().await?;
            same(&mut world, &model).await?;
        }
        world.run("INSERT INTO a VALUES (13, 13)").await?;
        let start = model.resume();
        let mut source = model.open(&settings, start).await?;
        until_caught_up(&mut source, &mut model).await?;
        same(&mut world, &model).await?;
        world.end().await?;
    }
    Ok(())
}
