//! Offsets are exported for a system that subscribes by itself, imported, set and
//! reset; nothing is left out unless the user says so, and every move is on record.

use std::time::{Duration, Instant};

use cdc::kafka::{Events, From, Settings};

use crate::kit::{LIMIT, World, variable};

/// Runs `cdc offsets …`.
fn offsets(world: &World, arguments: &[&str]) -> (Option<i32>, String) {
    let sink = world.file("sink.toml");
    world.cdc(&[&["offsets", arguments[0], "-c", &sink], &arguments[1..]].concat())
}

/// As [`offsets`], and it must work.
fn done(world: &World, arguments: &[&str]) -> String {
    let (code, text) = offsets(world, arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {text}");
    text
}

async fn audits(world: &World) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM cdc.ledger_audit WHERE name='{}'", world.name);
    world.dest_number(&sql).await.unwrap()
}

/// Events that a subscriber gets that begins at an exported map and skips what the cut covers: `wanted`, unless
/// some do not come, or more do.
fn subscribed(file: &str, wanted: usize) -> usize {
    let text = std::fs::read_to_string(file).unwrap();
    let map: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(map["version"], 1);
    let cut: cdc_sdk::CutId = map["cut"].as_str().unwrap().parse().unwrap();
    let settings = Settings { bootstrap_servers: variable("CDC_TEST_KAFKA"), ..Settings::default() };
    let mut events = Events::open(&settings, "third", 16 << 20).unwrap();
    let number = |place: &serde_json::Value, name: &str| place[name].as_i64().unwrap();
    let places: Vec<(String, i32, i64)> = map["offsets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| {
            let partition = i32::try_from(number(p, "partition")).unwrap();
            (p["topic"].as_str().unwrap().to_owned(), partition, number(p, "offset"))
        })
        .collect();
    for (topic, partition, offset) in &places {
        events.ensure(topic, *partition, From::Offset(*offset)).unwrap();
    }
    let (begun, mut seen, mut last_look) = (Instant::now(), 0, false);
    while !last_look {
        last_look = seen >= wanted || begun.elapsed() > LIMIT;
        for (topic, partition, _) in &places {
            while let Some(event) = events.next(topic, *partition, Duration::from_millis(100)).unwrap() {
                seen += usize::from(event.stamp.unwrap().cut > cut);
            }
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_handed_on() {
    let world = World::new("handed").await;
    world
        .source_sql(
            "CREATE TABLE t (id INT PRIMARY KEY, v INT);\nINSERT INTO t VALUES (1,1),(2,2),(3,3),(4,4),(5,5);\nCREATE TABLE log (note INT);\nINSERT INTO log VALUES (1),(1)",
        )
        .await;
    world.catch_up();
    let (file, by_set) = (world.file("offsets.json"), world.file("by_set.json"));
    done(&world, &["export", &file]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), done(&world, &["show", "--json"]));
    let set = world.source_gtids().await;
    world.source_sql("UPDATE t SET v=v+10;\nINSERT INTO t VALUES (6,6)").await;
    world.catch_up();
    done(&world, &["export", &by_set, "--from-gtid", &set]);
    for map in [&file, &by_set] {
        assert_eq!(subscribed(map, 6), 6, "five updates and an insert, each once: {map}");
    }

    let newest = world.file("newest.json");
    done(&world, &["export", &newest]);
    let stands = done(&world, &["show"]);
    let shown = done(&world, &["import", &file, "--dry-run"]);
    assert!(shown.contains("nothing was changed"), "{shown}");
    assert_eq!(done(&world, &["show"]), stands, "a dry run");
    let (code, text) = offsets(&world, &["import", &file]);
    assert_eq!(code, Some(2), "nobody was asked: {text}");
    assert_eq!(audits(&world).await, 0);

    done(&world, &["import", &file, "--yes"]);
    assert_ne!(done(&world, &["show"]), stands);
    assert_eq!(audits(&world).await, 1);
    world.dest_sql("UPDATE t SET v=0").await;
    for forward in
        [&["import", &newest, "--yes"][..], &["set", "--from-gtid", &world.source_gtids().await, "--yes"]]
    {
        let (code, text) = offsets(&world, forward);
        assert_eq!(code, Some(3), "{text}");
        assert!(text.contains("never be applied") && text.contains("--allow-skip"), "{text}");
    }
    assert_eq!(audits(&world).await, 1, "what is refused is not done");
    world.catch_up();
    world.assert_equal().await;

    let json: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let cut = json["cut"].as_str().unwrap();
    let shown: serde_json::Value =
        serde_json::from_str(&done(&world, &["show", "--cut", cut, "--json"])).unwrap();
    assert_eq!(shown["offsets"], json["offsets"], "of the same cut");
    world.dest_sql("UPDATE t SET v=0").await;
    done(&world, &["set", "--cut", cut, "--yes"]);
    world.catch_up();
    world.assert_equal().await;

    done(&world, &["import", &file, "--yes"]);
    world.dest_sql("UPDATE t SET v=0").await;
    done(&world, &["import", &newest, "--allow-skip", "--yes"]);
    assert_eq!(audits(&world).await, 4);
    world.catch_up();
    assert_eq!(world.dest_number("SELECT SUM(v) FROM t").await, Some(0), "left out, as was wished");

    world.dest_sql("DROP TABLE t;\nDROP TABLE log").await;
    let (code, text) = world.cdc(&["offsets", "reset", "-c", &world.file("sink.toml"), "--yes"]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(audits(&world).await, 5);
    world.catch_up();
    world.assert_equal().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_does_not_belong_is_refused() {
    let world = World::new("alien").await;
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY);\nINSERT INTO t VALUES (1)").await;
    world.catch_up();
    let file = world.file("offsets.json");
    done(&world, &["export", &file]);
    let good = std::fs::read_to_string(&file).unwrap();
    let json: serde_json::Value = serde_json::from_str(&good).unwrap();
    let at = format!("\"cuts_offset\": {}", json["cuts_offset"]);
    let cut = json["cut"].as_str().unwrap();
    for (from, to, wanted) in [
        ("\"version\": 1", "\"version\": 9", "E036"),
        (world.name.as_str(), "other", "E055"),
        (at.as_str(), "\"cuts_offset\": 0", "disagree"),
        (cut, "77.1", "no whole cut 77.1"),
        ("\"offsets\"", "\"offset\"", "E004"),
    ] {
        std::fs::write(&file, good.replace(from, to)).unwrap();
        let (code, text) = offsets(&world, &["import", &file, "--yes"]);
        assert_eq!(code, Some(3), "{from}: {text}");
        assert!(text.contains(wanted), "{from}: {text}");
    }
    assert_eq!(audits(&world).await, 0);
    world.end().await;
}
