//! Topics in Debezium's format that do not carry their tables: under the profile of that name, and as Debezium itself
//! writes them, without cuts.

use cdc::kafka::{Admin, Log, Outbox, Record, Settings, TopicSpec, partition};

use crate::kit::{Dice, LIMIT, Options, World};

fn kafka(world: &World) -> Settings {
    Settings { bootstrap_servers: world.kafka.clone(), ..Settings::default() }
}

async fn world(test: &str, sink: &str) -> World {
    let (source, sink) = ("[debezium]\nprofile = \"debezium\"\n".to_owned(), sink.to_owned());
    World::with(test, &Options { source, sink, partitions: 1, ..Options::default() }).await
}

const BY_KEY: &str = "[apply]\nconsistency = \"key\"\n";

fn source_catches_up(world: &World) {
    let (code, text) = world.cdc(&["source", "-c", &world.file("source.toml"), "--until-caught-up"]);
    assert_eq!(code, Some(0), "{text}");
}

fn sink(world: &World) -> (Option<i32>, String) {
    world.cdc(&["sink", "-c", &world.file("sink.toml"), "--until-caught-up"])
}

/// The sink is to follow copies of the source's topics, not those themselves.
fn follow_copies(world: &World) {
    let more = format!("written_by = \"debezium\"\nexclude_topics = [\"{0}.{0}.*\"]\n[mysql]", world.name);
    world.edit("sink.toml", "[mysql]", &more);
}

/// The records of a table's topic, without the headers that tell of cuts.
fn records(world: &World, table: &str) -> Vec<Record> {
    tokio::task::block_in_place(|| {
        let mut log = Log::open(&kafka(world), &format!("{0}.{0}.{table}", world.name)).unwrap().unwrap();
        let end = log.end().unwrap();
        let next = || log.next_until(end).unwrap().map(|record| Record { headers: Vec::new(), ..record });
        std::iter::from_fn(next).collect()
    })
}

async fn write(world: &World, topic: &str, records: &[Record]) {
    write_over(world, topic, 1, records).await;
}

/// As Debezium's producer, which takes the whole key for a record's partition, the id of its schema too.
async fn write_over(world: &World, topic: &str, partitions: i32, records: &[Record]) {
    let spec = TopicSpec { name: topic.to_owned(), partitions, replication: 1, config: Vec::new() };
    Admin::connect(&kafka(world)).unwrap().create(spec).await.unwrap();
    tokio::task::block_in_place(|| {
        let outbox = Outbox::open(&kafka(world), 1 << 20).unwrap();
        for record in records {
            outbox.send(topic, partition(record.key.as_deref(), partitions), record).unwrap();
        }
        outbox.flush().unwrap();
    });
}

/// Few rows that change many times, keys too, and go and come again.
fn changes(dice: &mut Dice) -> String {
    let one = |_| {
        let (id, other, v) = (dice.below(40), dice.below(40), dice.below(1000));
        match dice.below(6) {
            0 => format!("DELETE FROM `t-t` WHERE id={id}"),
            1 => format!("UPDATE IGNORE `t-t` SET id={other}, v={v} WHERE id={id}"),
            2 | 3 => format!("INSERT INTO `t-t` VALUES ({id},{v}) ON DUPLICATE KEY UPDATE v=v+1"),
            _ => format!("UPDATE `t-t` SET v=v+{v} WHERE id BETWEEN {id} AND {id}+5"),
        }
    };
    (0..200).map(one).collect::<Vec<_>>().join(";\n")
}

/// Two sinks share the partitions; the second half comes while they are at the first.
#[tokio::test(flavor = "multi_thread")]
async fn several_partitions_and_sinks() {
    let world = world("dbzparts", BY_KEY).await;
    let mut dice = Dice::new("several_partitions_and_sinks");
    world.source_sql("CREATE TABLE `t-t` (id INT PRIMARY KEY, v INT)").await;
    world.source_sql("INSERT INTO `t-t` VALUES (1,1),(2,2),(3,3)").await;
    world.source_sql(&changes(&mut dice)).await;
    source_catches_up(&world);
    let topic = format!("{}.d.t", world.name);
    follow_copies(&world);
    let first = records(&world, "t-t");
    write_over(&world, &topic, 4, &first).await;
    let mut sinks = [world.start_sink(&[]), world.start_sink(&[])];
    world.source_sql(&changes(&mut dice)).await;
    source_catches_up(&world);
    write_over(&world, &topic, 4, &records(&world, "t-t")[first.len()..]).await;
    world.until_equal().await;
    for sink in &mut sinks {
        sink.assert_alive();
        sink.stop();
    }
    let mut again = world.start_sink(&["--until-caught-up"]);
    assert_eq!(again.wait(LIMIT).code(), Some(0), "{}", again.log_tail());
    world.assert_equal().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_whose_schemas_are_one_stay_two() {
    let world = world("oneschema", "").await;
    world
        .source_sql(
            "CREATE TABLE `t-1` (id INT PRIMARY KEY, v INT);\nCREATE TABLE t_1 (id INT PRIMARY KEY, v INT);\n\
             INSERT INTO `t-1` VALUES (1,1),(2,2);\nINSERT INTO t_1 VALUES (1,10),(3,30)",
        )
        .await;
    world.catch_up();
    world
        .source_sql("UPDATE `t-1` SET v=5;\nUPDATE t_1 SET v=6 WHERE id=1;\nDELETE FROM t_1 WHERE id=3")
        .await;
    world.catch_up();
    world.assert_equal().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_share_a_topic_without_cuts_are_refused() {
    let world = world("sharedtopic", BY_KEY).await;
    world.source_sql("CREATE TABLE aa (id INT PRIMARY KEY);\nCREATE TABLE bb (id INT PRIMARY KEY)").await;
    world.source_sql("INSERT INTO aa VALUES (1);\nINSERT INTO bb VALUES (1)").await;
    source_catches_up(&world);
    follow_copies(&world);
    let both = [records(&world, "aa"), records(&world, "bb")].concat();
    write(&world, &format!("{}.d.both", world.name), &both).await;
    let (code, text) = sink(&world);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("share the topic"), "{text}");
    world.end().await;
}

/// Of what a compaction leaves, tombstones are all that tells of deletions and changed keys.
#[tokio::test(flavor = "multi_thread")]
async fn tombstones_delete_where_the_events_are_gone() {
    let world = world("tombstones", BY_KEY).await;
    world
        .source_sql(
            "CREATE TABLE `t-t` (id INT PRIMARY KEY, v INT);\nINSERT INTO `t-t` VALUES (1,1),(2,2),(3,3)",
        )
        .await;
    source_catches_up(&world);
    let topic = format!("{}.d.t", world.name);
    follow_copies(&world);
    let before = records(&world, "t-t");
    write(&world, &topic, &before).await;
    assert_eq!(sink(&world).0, Some(0));
    world
        .source_sql(
            "DELETE FROM `t-t` WHERE id=2;\nUPDATE `t-t` SET id=30 WHERE id=3;\nUPDATE `t-t` SET v=9 WHERE id=1",
        )
        .await;
    source_catches_up(&world);
    let all = records(&world, "t-t");
    let is_last = |at: usize| all[at + 1..].iter().all(|later| later.key != all[at].key);
    let left: Vec<Record> =
        (before.len()..all.len()).filter(|at| is_last(*at)).map(|at| all[at].clone()).collect();
    assert_eq!(left.iter().filter(|record| record.value.is_none()).count(), 2, "tombstones alone");
    write(&world, &topic, &left).await;
    let (code, text) = sink(&world);
    assert_eq!(code, Some(0), "{text}");
    world.assert_equal().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_there_get_the_default_of_a_column_that_comes() {
    let world = world("addeddefault", "").await;
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY, v INT);\nINSERT INTO t VALUES (1,1),(2,2)").await;
    world.catch_up();
    world
        .source_sql(
            "ALTER TABLE t ADD COLUMN c INT NOT NULL DEFAULT 7, ADD COLUMN n VARCHAR(10) DEFAULT 'new';\n\
             INSERT INTO t (id,v) VALUES (4,4)",
        )
        .await;
    world.catch_up();
    let rows = "SELECT COUNT(*) FROM t WHERE c = 7 AND n = 'new'";
    assert_eq!(world.dest_number(rows).await, Some(3));
    world.end().await;
}

/// With cuts nothing may be missing without a word.
#[tokio::test(flavor = "multi_thread")]
async fn by_key_refuses_compacted_topics() {
    let options = Options { sink: BY_KEY.to_owned(), ..Options::default() };
    let world = World::with("bykeycompact", &options).await;
    world.edit("source.toml", "[topics]\n", "[topics]\ncleanup_policy = \"compact\"\n");
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY);\nINSERT INTO t VALUES (1)").await;
    source_catches_up(&world);
    let (code, text) = sink(&world);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("E058") && text.contains("is compacted"), "{text}");
    world.end().await;
}
