//! A place that is misspelt is refused: every cut is before it, so a ledger would be set over all that waits. And one is
//! free to choose among the cuts of an idle source, which have nothing between them.

use crate::kit::World;

/// Runs a command about the sink; returns its exit code and what it printed.
fn sink(world: &World, arguments: &[&str]) -> (Option<i32>, String) {
    world.cdc(&[arguments, &["-c", &world.file("sink.toml")]].concat())
}

/// The cut that the ledger is at.
fn ledger(world: &World) -> String {
    let (code, text) = sink(world, &["offsets", "show", "--json"]);
    assert_eq!(code, Some(0), "{text}");
    let shown: serde_json::Value = serde_json::from_str(&text).unwrap();
    shown["cut"].to_string()
}

fn source_runs(world: &World) {
    let (code, text) = world.cdc(&["source", "-c", &world.file("source.toml"), "--until-caught-up"]);
    assert_eq!(code, Some(0), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn places_that_are_none_are_refused() {
    let world = World::new("nowhere").await;
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY, v INT);\nINSERT INTO t VALUES (1,1)").await;
    world.catch_up();
    world.source_sql("UPDATE t SET v = 2").await;
    source_runs(&world);
    let (at, name) = (ledger(&world), &world.name);
    for (place, why) in [
        (format!("{name}.{name}.misspelt:0:1"), "there is no topic"),
        (format!("{name}.cuts:0:1"), "there is no topic"),
        (format!("other.{name}.t:0:1"), "there is no topic"),
        (format!("{name}.{name}.t:4:0"), "the partitions 0 to 3"),
        (format!("{name}.{name}.t:0:1000000"), "ends at offset"),
    ] {
        for command in [&["replay", "--live"][..], &["offsets", "set", "--allow-skip"]] {
            let (code, text) = sink(&world, &[command, &["--from-offset", &place, "--yes"]].concat());
            assert_eq!(code, Some(2), "{command:?} {place}: {text}");
            assert!(text.contains("error[E001]") && text.contains(why), "{place}: {text}");
        }
    }
    assert_eq!(ledger(&world), at);
    let later = ["replay", "--from-timestamp", "2100-01-01T00:00:00Z", "--yes"];
    let (code, text) = sink(&world, &later);
    assert!(code == Some(3) && text.contains("is ahead of the ledger"), "an update would be lost: {text}");

    world.catch_up();
    let at = ledger(&world);
    source_runs(&world);
    let (code, text) = sink(&world, &later);
    assert_eq!(code, Some(0), "nothing is between: {text}");
    assert!(!text.contains("never applied"), "{text}");
    assert_ne!(ledger(&world), at);
    world.catch_up();
    world.assert_equal().await;

    // A sink of that name never ran.
    let (code, text) = sink(&world, &["dead-letter", "list"]);
    assert_eq!(code, Some(0), "{text}");
    world.edit("sink.toml", &format!("name = \"{name}\"\ntopic_prefix"), "name = \"misspelt\"\ntopic_prefix");
    for command in [&["list"][..], &["retry", "--all"], &["discard", "--all", "--yes"]] {
        let (code, text) = sink(&world, &[&["dead-letter"], command].concat());
        assert!(code == Some(3) && text.contains("error[E055]"), "{command:?}: {text}");
    }
    world.end().await;
}
