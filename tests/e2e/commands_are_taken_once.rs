//! A command is neither lost nor repeated, whenever the source dies, and is on record with its answer.

use std::time::Duration;

use cdc::avro::records::{decode_control_value, decode_key};
use cdc::kafka::{Log, Settings};

use crate::kit::{Dice, Options, World, until, variable};

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_taken_once() {
    let options = Options { capture: "chunk_rows = 20".into(), ..Options::default() };
    let world = World::with("commands", &options).await;
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY, v INT);\nINSERT INTO t VALUES (1,1)").await;
    let settings = world.file("source.toml");
    let t = format!("{}.t", world.name);
    let (code, text) = world.cdc(&["snapshot", "-c", &settings, "--tables", &t, "--wait", "1"]);
    assert_eq!((code, text.contains("there is no topic")), (Some(4), true), "{text}");
    world.catch_up();
    // Nobody takes it now: it waits for the next source.
    let (code, text) = world.cdc(&["snapshot", "-c", &settings, "--tables", &t, "--wait", "1"]);
    assert_eq!((code, text.contains("did not take the command in 1 s")), (Some(4), true), "{text}");
    world.dest_sql("UPDATE t SET v = 0").await;
    let mut source = world.start_source(&[]);
    let mut sink = world.start_sink(&[]);
    world.until_equal().await;

    let mut dice = Dice::new("commands_are_taken_once");
    for _ in 0..6 {
        let mut asked = crate::kit::Process::start(
            &["snapshot", "-c", &settings, "--tables", &t, "--wait", "60"],
            std::path::Path::new(&world.file("asked.log")),
        );
        tokio::time::sleep(Duration::from_millis(dice.below(600))).await;
        source.kill();
        source = world.start_source(&[]);
        let status = asked.wait(Duration::from_secs(90));
        assert_eq!(status.code(), Some(0), "{}", asked.log_tail());
    }
    until("the table is read", async || world.snapshot_of("t").0 == "done").await;
    source.stop();
    sink.stop();
    let (commands, answers) = on_record(&world);
    assert_eq!(commands.len(), 7, "{commands:?}");
    assert_eq!(answers, commands, "each was answered once, in order");
    world.end().await;
}

/// The ids of the commands and of the answers that lie on the control topic.
fn on_record(world: &World) -> (Vec<String>, Vec<String>) {
    let settings = Settings { bootstrap_servers: variable("CDC_TEST_KAFKA"), ..Settings::default() };
    let mut log = Log::open(&settings, &format!("{}.control", world.name)).unwrap().unwrap();
    let (mut commands, mut answers) = (Vec::new(), Vec::new());
    log.read_all(|record| {
        let (Some(key), Some(value)) = (record.key, record.value) else { return Ok(()) };
        let (key, json) = (decode_key(&key)?, decode_control_value(&value)?);
        match key.split_once('/') {
            Some(("command", id)) => commands.push(id.to_owned()),
            Some(("answer", id)) => {
                assert!(json.contains("\"done\":true"), "{json}");
                answers.push(id.to_owned());
            }
            _ => panic!("{key}: {json}"),
        }
        Ok(())
    })
    .unwrap();
    (commands, answers)
}
