//! A table's new schema is one that its subject's rule in the registry forbids: the source stops and says so, or, by
//! setting, the table goes on in a new topic, exactly once and in order for sinks, while the old one gets copies.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use cdc::avro::{Plan, Registry, RegistrySettings, frame_id};
use cdc::kafka::{Events, From, Settings};
use cdc_sdk::Value::{self, Int};
use cdc_sdk::{OwnedRow, OwnedValue, Row};

use crate::kit::{LIMIT, Options, World};

/// How long after its last record a topic counts as read.
const SILENCE: Duration = Duration::from_millis(500);

fn rule(world: &World, subject: &str, level: &str) {
    let url = format!("{}/config/{subject}", world.registry);
    let out = Command::new("curl")
        .args(["-fsS", "--noproxy", "*", "-X", "PUT", "-H", "Content-Type: application/json"])
        .args(["-d", &format!("{{\"compatibility\":\"{level}\"}}"), &url])
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_the_registry_forbids_stops_the_source() {
    let world = World::new("forbidden").await;
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY, a INT);\nINSERT INTO t VALUES (1,1)").await;
    world.catch_up();
    let subject = format!("{0}.{0}.t-value", world.name);
    rule(&world, &subject, "BACKWARD");
    world.source_sql("ALTER TABLE t ADD COLUMN b INT;\nINSERT INTO t VALUES (2,2,2)").await;
    world.catch_up();
    world.assert_equal().await;
    world.source_sql("ALTER TABLE t MODIFY a VARCHAR(9);\nINSERT INTO t VALUES (3,'x',3)").await;
    let mut source = world.start_source(&["--until-caught-up"]);
    assert_eq!(source.wait(LIMIT).code(), Some(3), "{}", source.log_tail());
    let log = source.log_tail();
    for said in ["error[E044]", &subject, "BACKWARD", "on_incompatible = \"new_topic\"", "detail:"] {
        assert!(log.contains(said), "{said} is not in {log}");
    }
    // One of the ways out.
    rule(&world, &subject, "NONE");
    world.catch_up();
    world.assert_equal().await;
    world.end().await;
}

/// A topic of one partition as its readers have it.
struct Topic {
    /// The rows by key, after all events.
    rows: BTreeMap<Vec<u8>, OwnedRow>,
    /// Events beside tombstones that carry a stamp, and those that do not.
    stamped: usize,
    copies: usize,
}

async fn read(world: &World, name: &str) -> Topic {
    let settings = Settings { bootstrap_servers: world.kafka.clone(), ..Settings::default() };
    let registry =
        Registry::new(RegistrySettings { url: world.registry.clone(), ..RegistrySettings::default() })
            .unwrap();
    let mut events = Events::open(&settings, "checker", 8 << 20).unwrap();
    events.ensure(name, 0, From::Earliest).unwrap();
    let mut topic = Topic { rows: BTreeMap::new(), stamped: 0, copies: 0 };
    let (mut stamps, mut wait) = (Vec::new(), Duration::from_secs(10));
    while let Some(event) = events.next(name, 0, wait).unwrap() {
        wait = SILENCE;
        let Some(value) = &event.value else { continue };
        match event.stamp {
            Some(stamp) => topic.stamped += usize::from(!stamps.contains(&stamp)),
            None => topic.copies += 1,
        }
        stamps.extend(event.stamp);
        let schema = registry.schema(frame_id(value).unwrap()).await.unwrap();
        let decoded = Arc::new(Plan::parse(&schema).unwrap()).decode(value).unwrap();
        let Some(key) = event.key else {
            topic.rows.clear();
            continue;
        };
        match decoded.after {
            Some(row) => {
                let mut owned = OwnedRow::new();
                row.visit(|_, value| {
                    owned.push(OwnedValue::from(value));
                    Ok(())
                })
                .unwrap();
                topic.rows.insert(key[5..].to_vec(), owned);
            }
            None => drop(topic.rows.remove(&key[5..])),
        }
    }
    topic
}

/// What the column behind the key is in each row, in order of the keys.
fn first_values(topic: &Topic) -> Vec<Value<'_>> {
    topic.rows.values().map(|row| row[1].as_value()).collect()
}

/// Sources that die, one after the other, each at a place of its own.
async fn dies_on_its_way(world: &World, places: &[&str]) {
    for place in places {
        let point = [("CDC_FAIL_POINT", format!("source.{place}"))];
        let point = point.each_ref().map(|(name, place)| (*name, place.as_str()));
        let mut source = world.start_with("source", &["--until-caught-up"], &point);
        assert_eq!(source.wait(LIMIT).code(), None, "it dies at {place}: {}", source.log_tail());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_goes_on_in_a_new_topic() {
    let source = "on_incompatible = \"new_topic\"\n".to_owned();
    let world = World::with("versions", &Options { source, partitions: 1, ..Options::default() }).await;
    let first = format!("{0}.{0}.t", world.name);
    let [second, third, fourth] = ["v2", "v3", "v4"].map(|version| format!("{first}.{version}"));
    world
        .source_sql(
            "CREATE TABLE t (id INT PRIMARY KEY, a INT, c VARCHAR(9));\nCREATE TABLE u (id INT PRIMARY KEY);\n\
             INSERT INTO t VALUES (1,1,'one'),(2,2,'two'),(3,3,'three')",
        )
        .await;
    world.catch_up();
    rule(&world, &format!("{first}-value"), "BACKWARD");

    // No default, so nobody could read the rows before with the new schema. Rows before lie on the one topic, those
    // after on the other.
    world
        .source_sql(
            "UPDATE t SET a=10 WHERE id=1;\nALTER TABLE t ADD COLUMN n INT NOT NULL;\nUPDATE t SET a=11 WHERE id=1;\n\
             INSERT INTO u VALUES (1);\nDELETE FROM t WHERE id=2;\nINSERT INTO t VALUES (4,4,'four',4)",
        )
        .await;
    let places = ["cut_sent:3", "cut_committed:3", "cut_committed:2"];
    dies_on_its_way(&world, &places).await;
    world.catch_up();
    world.assert_equal().await;
    let (one, two) = (read(&world, &first).await, read(&world, &second).await);
    assert_eq!((one.stamped, one.copies), (4, 3), "three rows and an update; then copies");
    assert_eq!((two.stamped, two.copies), (3, 0));
    assert_eq!(first_values(&one), [Int(11), Int(3), Int(4)], "as copies told it");

    // An INT's readers cannot read a BIGINT. The table is read again, on three topics.
    rule(&world, &format!("{second}-value"), "FORWARD");
    world.source_sql("ALTER TABLE t MODIFY a BIGINT;\nUPDATE t SET a=12 WHERE id=1").await;
    dies_on_its_way(&world, &["cut_committed:2"]).await;
    world.catch_up();
    world.assert_equal().await;
    for name in [&first, &second, &third] {
        assert_eq!(first_values(&read(&world, name).await), [Int(12), Int(3), Int(4)], "{name}");
    }

    // A number that no INT holds ends the copies, also of what comes after.
    let grows = "BEGIN;\nUPDATE t SET a=13 WHERE id=1;\nUPDATE t SET a=5000000000 WHERE id=3;\nCOMMIT";
    world.source_sql(&format!("{grows};\nUPDATE t SET a=20 WHERE id=1")).await;
    dies_on_its_way(&world, &["events_sent:2"]).await;
    world.catch_up();
    world.assert_equal().await;
    world.source_sql("UPDATE t SET a=14 WHERE id=1").await;
    world.catch_up();
    for name in [&first, &second] {
        assert_eq!(first_values(&read(&world, name).await), [Int(13), Int(3), Int(4)], "{name}");
    }
    let three = read(&world, &third).await;
    assert_eq!(first_values(&three), [Int(14), Int(5_000_000_000), Int(4)]);

    // A text is no number: nothing can be copied.
    rule(&world, &format!("{third}-value"), "FULL");
    world.source_sql("ALTER TABLE t MODIFY a VARCHAR(20);\nUPDATE t SET a='text' WHERE id=4").await;
    dies_on_its_way(&world, &["events_sent:3"]).await;
    world.catch_up();
    world.assert_equal().await;
    assert_eq!(first_values(&read(&world, &third).await), first_values(&three));
    assert_eq!(read(&world, &fourth).await.rows.len(), 3);

    // All of it once more, over all topics in order.
    world.dest_sql(&format!("DROP DATABASE `{}`", world.name)).await;
    let (code, said) = world.cdc(&["offsets", "reset", "--yes", "-c", &world.file("sink.toml")]);
    assert_eq!(code, Some(0), "{said}");
    world.catch_up();
    world.assert_equal().await;

    // Partitions by themselves would have no order between the topics.
    world.edit("sink.toml", "topic_prefix", "apply = { consistency = \"key\" }\ntopic_prefix");
    let mut sink = world.start_sink(&["--until-caught-up"]);
    assert_eq!(sink.wait(LIMIT).code(), Some(3), "{}", sink.log_tail());
    assert!(sink.log_tail().contains("error[E058]"), "{}", sink.log_tail());
    world.end().await;
}
