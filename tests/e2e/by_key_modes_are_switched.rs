//! A ledger of whole cuts is taken over by `consistency = "key"`; back it goes only to a place before all partitions.

use crate::kit::{Process, World};

const KEY: &str = "[apply]\nconsistency = \"key\"\n";

fn replay(world: &World, place: &[&str]) -> (Option<i32>, String) {
    world.cdc(&[&["replay", "-c", &world.file("sink.toml"), "--yes"], place].concat())
}

fn ends_with(process: &mut Process, code: i32, words: &[&str]) {
    assert_eq!(process.wait(crate::kit::LIMIT).code(), Some(code), "{}", process.log_tail());
    let said = process.log_tail();
    for word in words {
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_key_modes_are_switched() {
    let world = World::new("modes").await;
    world
        .source_sql(
            "CREATE TABLE t (id INT PRIMARY KEY, v INT);\nINSERT INTO t VALUES (1,1),(2,2),(3,3),(4,4),(5,5)",
        )
        .await;
    world.catch_up();
    // What is applied is not applied again: it would be seen here.
    world.dest_sql("UPDATE t SET v=100 WHERE id=1").await;
    let settings = std::fs::read_to_string(world.file("sink.toml")).unwrap();
    std::fs::write(world.file("sink.toml"), format!("{settings}{KEY}")).unwrap();
    world.source_sql("UPDATE t SET v=v+1 WHERE id>1;\nINSERT INTO t VALUES (6,6)").await;
    world.catch_up();
    assert_eq!(world.dest_number("SELECT v FROM t WHERE id=1").await, Some(100));
    world.dest_sql("UPDATE t SET v=1 WHERE id=1").await;
    world.assert_equal().await;

    // What sets a ledger to one cut says how.
    let (code, text) = replay(&world, &["--earliest"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("consistency = \"transaction\""), "{text}");

    std::fs::write(world.file("sink.toml"), &settings).unwrap();
    ends_with(&mut world.start_sink(&[]), 3, &["E055", "cdc replay --earliest", "cdc offsets reset"]);
    let (code, text) = world.cdc(&["offsets", "show", "-c", &world.file("sink.toml")]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("E055"), "{text}");

    world.source_sql("UPDATE t SET v=v+1").await;
    std::fs::write(world.file("sink.toml"), format!("{settings}{KEY}")).unwrap();
    let mut sink = world.start_sink(&[]);
    world.start_source(&["--until-caught-up"]).wait(crate::kit::LIMIT);
    world.until_equal().await;
    std::fs::write(world.file("sink.toml"), &settings).unwrap();
    let (code, text) = replay(&world, &["--earliest"]);
    assert_eq!(code, Some(4), "sinks by key run: {text}");
    assert!(text.contains("is running"), "{text}");
    sink.stop();
    let (code, text) = replay(&world, &["--earliest"]);
    assert_eq!(code, Some(0), "{text}");
    world.catch_up();
    world.assert_equal().await;

    // And over again, from where the replay ended.
    world.source_sql("DELETE FROM t WHERE id=3;\nUPDATE t SET v=v+1").await;
    std::fs::write(world.file("sink.toml"), format!("{settings}{KEY}")).unwrap();
    world.catch_up();
    world.assert_equal().await;
    world.end().await;
}

/// Rows without a key, applied by partition, cannot be told apart by a replay.
#[tokio::test(flavor = "multi_thread")]
async fn by_key_no_way_back_with_rows_without_a_key() {
    let world = World::new("modeskeyless").await;
    let settings = std::fs::read_to_string(world.file("sink.toml")).unwrap();
    std::fs::write(world.file("sink.toml"), format!("{settings}{KEY}")).unwrap();
    world.source_sql("CREATE TABLE log (line INT);\nINSERT INTO log VALUES (1),(1),(2)").await;
    world.catch_up();
    world.source_sql("INSERT INTO log VALUES (1);\nDELETE FROM log WHERE line=2").await;
    world.catch_up();
    world.assert_equal().await;
    std::fs::write(world.file("sink.toml"), &settings).unwrap();
    let (code, text) = replay(&world, &["--earliest"]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("without a key") && text.contains("cdc offsets reset"), "{text}");
    world.dest_sql("DROP TABLE log").await;
    let (code, text) = world.cdc(&["offsets", "reset", "-c", &world.file("sink.toml"), "--yes"]);
    assert_eq!(code, Some(0), "{text}");
    world.catch_up();
    world.assert_equal().await;
    world.end().await;
}
