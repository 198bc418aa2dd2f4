//! Replay from the beginning, an offset, a time and a GTID set ends in the state
//! that no replay would have, leaves a row of audit, and never skips ahead.

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
    let audit = format!("SELECT COUNT(*) FROM cdc.ledger_audit WHERE name='{}'", world.name);
    assert_eq!(world.dest_number(&audit).await, Some(4));
    world.end().await;
}
