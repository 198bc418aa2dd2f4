//! Replay from the beginning, an offset, a time and a GTID set ends in the state
//! that no replay would have, leaves a row of audit, and never skips ahead.

use cdc::kafka::{Admin, Log, Settings};

use crate::kit::World;

#[tokio::test(flavor = "multi_thread")]
async fn replay_converges() {
    let world = World::new("replay").await;
    world
        .source_sql(
            "CREATE TABLE t (id INT PRIMARY KEY, slot INT, v INT, UNIQUE KEY (slot));\nCREATE TABLE log (note VARCHAR(20));\n\
             INSERT INTO t VALUES (1,1,1),(2,2,2),(3,3,3);\nINSERT INTO log VALUES ('a'),('b')",
        )
        .await;
    world.catch_up();
    let between = world.source_gtids().await;
    let time_ms =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis().to_string();
    world
        .source_sql(
            "UPDATE t SET slot=slot+10;\nUPDATE t SET slot=1 WHERE id=3;\nDELETE FROM t WHERE id=2;\nUPDATE t SET id=20 WHERE id=1;\n\
             INSERT INTO t VALUES (1,2,5);\nINSERT INTO log VALUES ('a');\nDELETE FROM log WHERE note='b'",
        )
        .await;
    world.catch_up();
    world.assert_equal().await;
    let sink = world.file("sink.toml");
    let offset = format!("{}.{}.log:0:1", world.name, world.name);
    let ways: [&[&str]; 4] = [
        &["--earliest"],
        &["--from-gtid", &between],
        &["--from-timestamp", &time_ms],
        &["--from-offset", &offset],
    ];
    for way in ways {
        let (code, dry) = world.cdc(&[&["replay", "-c", &sink, "--dry-run"], way].concat());
        assert_eq!(code, Some(0), "{way:?}: {dry}");
        assert!(dry.contains("nothing was changed"), "{dry}");
        let (code, text) = world.cdc(&[&["replay", "-c", &sink, "--yes"], way].concat());
        assert_eq!(code, Some(0), "{way:?}: {text}");
        let (code, shown) = world.cdc(&["offsets", "show", "-c", &sink]);
        assert_eq!(code, Some(0), "{shown}");
        world.catch_up();
        world.assert_equal().await;
    }
    from_a_record_behind_restarts(&world).await;
    let audit = format!("SELECT COUNT(*) FROM cdc.ledger_audit WHERE name='{}'", world.name);
    assert_eq!(world.dest_number(&audit).await, Some(5));
    world.end().await;
}

/// Where the source was started anew, offsets cannot be counted by the cuts: markers take some. What the record asked for
/// brought is applied once more all the same.
async fn from_a_record_behind_restarts(world: &World) {
    world.source_sql("INSERT INTO t VALUES (30,30,0)").await;
    world.catch_up();
    for _ in 0..2 {
        world.source_sql("UPDATE t SET v = v + 1 WHERE id = 30").await;
        world.catch_up();
    }
    world.dest_sql("UPDATE t SET v = 999 WHERE id = 30").await;
    let (partition, offset) = last_event(world, "t").await;
    let place = format!("{0}.{0}.t:{partition}:{offset}", world.name);
    let (code, text) =
        world.cdc(&["replay", "-c", &world.file("sink.toml"), "--from-offset", &place, "--yes"]);
    assert_eq!(code, Some(0), "{text}");
    world.catch_up();
    world.assert_equal().await;
}

/// Where the last event of a table's topic is.
async fn last_event(world: &World, table: &str) -> (i32, i64) {
    let settings = Settings { bootstrap_servers: world.kafka.clone(), ..Settings::default() };
    let topic = format!("{0}.{0}.{table}", world.name);
    let partitions: Vec<_> = (0..4).map(|partition| (topic.clone(), partition)).collect();
    let ends = Admin::connect(&settings).unwrap().ends(partitions).await.unwrap();
    let mut events = Vec::new();
    tokio::task::block_in_place(|| {
        for end in ends {
            let mut log = Log::of_partition(&settings, &topic, end.partition, 0).unwrap();
            while let Some(record) = log.next_until(end.offset).unwrap() {
                events.push((record.timestamp_ms, end.partition, record.offset));
            }
        }
    });
    let (_, partition, offset) = events.into_iter().max().unwrap();
    (partition, offset)
}
