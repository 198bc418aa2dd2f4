//! One sink with `consistency = "key"`: snapshot and stream end equal, also where keys change, where two keys
//! differ in their spelling only, and where tables are emptied and changed.

use crate::kit::{Dice, Options, World};

fn options() -> Options {
    Options { sink: "[apply]\nconsistency = \"key\"\n".into(), ..Options::default() }
}

/// Two tables with the same words as keys: in one 'A' and 'a' are two keys, in the other they are one.
const WORDS: &str = "CREATE TABLE two (w VARCHAR(20) COLLATE utf8mb4_bin PRIMARY KEY, v INT NOT NULL);\n\
     CREATE TABLE one (w VARCHAR(20) COLLATE utf8mb4_0900_ai_ci PRIMARY KEY, v INT NOT NULL);\n\
     INSERT INTO two VALUES ('A',1),('a',2),('B',3),('b',4);\n\
     INSERT INTO one VALUES ('A',1),('B',2),('C',3)";

#[tokio::test(flavor = "multi_thread")]
async fn by_key_ends_equal() {
    let world = World::with("bykey", &options()).await;
    world.source_sql(WORDS).await;
    world
        .source_sql(
            "CREATE TABLE t (id INT PRIMARY KEY, v INT, note VARCHAR(200));\n\
             INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<900) SELECT i, i, REPEAT('x', i % 200) FROM n;\n\
             CREATE TABLE log (line VARCHAR(20));\n\
             INSERT INTO log VALUES ('one'),('two'),('two')",
        )
        .await;
    let (mut source, mut sink) = (world.start_source(&[]), world.start_sink(&[]));
    world.until_equal().await;
    // 'A' goes and 'a' stays, in a table that has both; a key is spelled anew in the one that has one.
    world
        .source_sql(
            "DELETE FROM two WHERE w='A';\nUPDATE two SET w='BB' WHERE w='B';\n\
             UPDATE one SET w='a', v=10 WHERE w='A';\nDELETE FROM one WHERE w='B';\nINSERT INTO one VALUES ('b', 20);\n\
             INSERT INTO log VALUES ('two'),('three');\nDELETE FROM log WHERE line='two' LIMIT 1",
        )
        .await;
    let mut dice = Dice::new("by key");
    for round in 0..60 {
        let (id, other) = (dice.below(900) + 1, dice.below(1200) + 1);
        world
            .source_sql(&format!(
                "UPDATE t SET v=v+1 WHERE id BETWEEN {id} AND {id}+20;\n\
                 UPDATE IGNORE t SET id={other} WHERE id={id};\nDELETE FROM t WHERE id={other}+1;\n\
                 INSERT IGNORE INTO t VALUES ({id}, {round}, 'again')"
            ))
            .await;
    }
    world.until_equal().await;
    world.source_sql("ALTER TABLE t ADD COLUMN more INT DEFAULT 7;\nUPDATE t SET more=id WHERE id<200").await;
    world.until_equal().await;
    sink.assert_alive();
    source.stop();
    sink.stop();
    world.catch_up();
    world.assert_equal().await;
    world.end().await;
}

/// An emptied table's rows of all partitions go, and none that came after.
#[tokio::test(flavor = "multi_thread")]
async fn by_key_a_table_is_emptied_in_all_its_partitions() {
    let world = World::with("bykeytrunc", &options()).await;
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)").await;
    let rows = |from: u32| {
        format!(
            "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT {from} UNION ALL SELECT i+1 FROM n WHERE i<{from}+200) \
             SELECT i, i FROM n"
        )
    };
    world.source_sql(&rows(1)).await;
    let (mut source, mut sinks) = (world.start_source(&[]), vec![world.start_sink(&[])]);
    sinks.push(world.start_sink(&[]));
    world.until_equal().await;
    // First as it happens, then from a backlog, of which a sink reads one partition far ahead of another.
    for from_backlog in [false, true] {
        if from_backlog {
            sinks.iter_mut().for_each(|sink| sink.stop());
            sinks.clear();
        }
        for round in 0..4_u32 {
            let (before, after) = (rows(1000 * round + 300), rows(1000 * round + 600));
            world
                .source_sql(&format!("REPLACE {};\nTRUNCATE t;\nREPLACE {}", &before[7..], &after[7..]))
                .await;
            world.source_sql(&format!("UPDATE t SET v=v+{round}")).await;
        }
        if from_backlog {
            source.stop();
            source = world.start_source(&["--until-caught-up"]);
            source.wait(crate::kit::LIMIT);
            source = world.start_source(&[]);
            sinks.extend([world.start_sink(&[]), world.start_sink(&[])]);
        }
        world.until_equal().await;
    }
    world.until_equal().await;
    source.stop();
    sinks.iter_mut().for_each(|sink| sink.stop());
    world.catch_up();
    world.assert_equal().await;
    world.end().await;
}
