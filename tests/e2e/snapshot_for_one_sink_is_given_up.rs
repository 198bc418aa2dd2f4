//! A snapshot for one sink whose topic takes no row as large as the tables' is refused, or given up at the next start:
//! the source goes on, the sink is told, and `cdc snapshot show` says why.

use cdc::kafka::{Admin, LARGEST_RECORD, Settings, TopicSpec};

use crate::kit::{LIMIT, Options, Process, World, until, variable};

/// What the table's topic takes, set by a person; and what brokers take by default.
const TABLE: &str = "3000000";
const DEFAULT: &str = "1048588";

#[tokio::test(flavor = "multi_thread")]
async fn snapshot_for_one_sink_is_given_up() {
    let world = World::with("forlarge", &Options::default()).await;
    let name = world.name.clone();
    let (table, own) = (format!("{name}.{name}.t"), format!("{name}.snapshot-for-{name}"));
    let admin = admin();
    admin.create(topic(&table, 4, TABLE)).await.unwrap();
    admin.create(topic(&own, 1, DEFAULT)).await.unwrap();
    world
        .source_sql(
            "CREATE TABLE t (id INT PRIMARY KEY, v LONGBLOB);\nINSERT INTO t VALUES (1, RANDOM_BYTES(1000))",
        )
        .await;
    let large: Vec<String> = (0..1600).map(|_| "RANDOM_BYTES(1000)".to_owned()).collect();
    world.source_sql(&format!("INSERT INTO t VALUES (2, CONCAT({}))", large.join(","))).await;
    world.catch_up();

    let mut source = world.start_source(&[]);
    let (code, text) = ask(&world);
    assert!(code == Some(2) && text.contains("takes records of 1048588 bytes at most"), "{code:?}: {text}");
    assert!(text.contains("--add-config max.message.bytes=3000000"), "{text}");

    // Made by the source, it takes what the table's takes.
    admin.delete(&[&own]).await.unwrap();
    source.stop();
    let mut source = world.start_source(&[]);
    world.tell(&["pause"]);
    let (code, text) = ask(&world);
    assert_eq!(code, Some(0), "{text}");
    let sizes = admin.largest_records(&[&own, "forlarge.nowhere"]).await.unwrap();
    assert_eq!(sizes.into_iter().collect::<Vec<_>>(), [(own.clone(), 3_000_000)]);

    // Somebody makes it small before anything was sent.
    source.stop();
    admin.delete(&[&own]).await.unwrap();
    admin.create(topic(&own, 1, DEFAULT)).await.unwrap();
    let mut source = world.start_source(&[]);
    until("it is given up", async || world.snapshots()["given_up"][0]["sink"] == *name).await;
    let (_, shown) = world.cdc(&["snapshot", "show", "-c", &world.file("source.toml")]);
    assert!(shown.contains("alone: given up, 1 tables") && shown.contains("1048588 bytes"), "{shown}");
    let mut sink = Process::start(&["sink", "-c", &world.file("sink.toml")], world.file("sink.log").as_ref());
    let (status, log) = (sink.wait(LIMIT), sink.log_tail());
    assert!(status.code() == Some(3) && log.contains("was stopped before its end"), "{log}");

    source.stop();
    admin.delete(&[&own]).await.unwrap();
    let mut source = world.start_source(&[]);
    let (code, text) = ask(&world);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(world.snapshots()["given_up"][0]["sink"], serde_json::Value::Null, "it was asked for again");
    world.tell(&["resume"]);
    let mut sink = world.start_sink(&[]);
    let complete = format!("SELECT snapshot_complete FROM cdc.ledger WHERE name = '{name}'");
    world.until_dest(&complete, 1).await;
    world.until_equal().await;
    sink.stop();
    source.stop();
    world.end().await;
}

fn ask(world: &World) -> (Option<i32>, String) {
    world.cdc(&["snapshot", "-c", &world.file("sink.toml"), "--for-me", "--yes"])
}

fn topic(name: &str, partitions: i32, bytes: &str) -> TopicSpec {
    let config = vec![(LARGEST_RECORD.to_owned(), bytes.to_owned())];
    TopicSpec { name: name.to_owned(), partitions, replication: -1, config }
}

fn admin() -> Admin {
    let settings = Settings { bootstrap_servers: variable("CDC_TEST_KAFKA"), ..Settings::default() };
    Admin::connect(&settings).unwrap()
}
