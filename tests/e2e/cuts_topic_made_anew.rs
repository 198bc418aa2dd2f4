//! Topics that were lost and made anew: a ledger of before is not taken for one of theirs, however long they have become.

use cdc::kafka::{Admin, Log, Settings};
use mysql_async::prelude::Queryable;

use crate::kit::{Process, World, until};

fn settings(world: &World) -> Settings {
    Settings { bootstrap_servers: world.kafka.clone(), ..Settings::default() }
}

async fn delete_topics(world: &World) {
    let admin = Admin::connect(&settings(world)).unwrap();
    let topics = admin.topics_with_prefix(&format!("{}.", world.name)).await.unwrap();
    admin.delete(&topics.keys().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
}

fn end_of_cuts(world: &World) -> i64 {
    tokio::task::block_in_place(|| {
        let log = Log::look(&settings(world), &format!("{}.cuts", world.name)).unwrap();
        log.map_or(0, |log| log.end().unwrap())
    })
}

/// The ledger's cut and offset.
async fn ledger(world: &World) -> ((u64, u64), i64) {
    let mut conn = world.dest_conn().await;
    let sql = "SELECT incarnation, sequence, cuts_offset FROM cdc.ledger WHERE name = ?";
    let (incarnation, sequence, offset) = conn.exec_first(sql, (&world.name,)).await.unwrap().unwrap();
    ((incarnation, sequence), offset)
}

#[tokio::test(flavor = "multi_thread")]
async fn cuts_topic_made_anew() {
    let world = World::new("anew").await;
    world
        .source_sql(
            "CREATE TABLE t (id INT PRIMARY KEY, v INT);\nINSERT INTO t VALUES (1,0),(2,0);\n\
             CREATE TABLE still (id INT PRIMARY KEY);\nINSERT INTO still VALUES (1);\n\
             CREATE TABLE without (note VARCHAR(9));\nINSERT INTO without VALUES ('a'),('a')",
        )
        .await;
    for _ in 0..3 {
        world.catch_up();
        world.source_sql("UPDATE t SET v = v + 1").await;
    }
    world.catch_up();
    world.assert_equal().await;
    let (cut, offset) = ledger(&world).await;

    delete_topics(&world).await;
    // The new topics tell of this only in the snapshot, whose cuts are all below the ledger's.
    world.source_sql("INSERT INTO still VALUES (2)").await;
    let mut source = world.start_source(&[]);
    let goes_beyond = async || {
        world.source_sql("UPDATE t SET v = v + 1 WHERE id = 1").await;
        end_of_cuts(&world) > offset
    };
    until("the new cuts go beyond the ledger's offset", goes_beyond).await;
    source.stop();
    let sink = world.file("sink.toml");
    let (code, text) = world.cdc(&["sink", "-c", &sink, "--until-caught-up"]);
    assert_eq!(code, Some(3), "{text}");
    for said in
        ["E034", "were made anew", &format!("cut {}.{}", cut.0, cut.1), "--for-me", "offsets reset", "hint"]
    {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert_eq!(ledger(&world).await, (cut, offset), "nothing was applied");
    assert_eq!(world.dest_number("SELECT COUNT(*) FROM still").await, Some(1));

    // The way out that it names.
    let mut source = world.start_source(&[]);
    let (code, text) = world.cdc(&["snapshot", "-c", &sink, "--for-me", "--yes"]);
    assert_eq!(code, Some(0), "{text}");
    world.source_sql("INSERT INTO without VALUES ('b')").await;
    let filled = format!("SELECT snapshot_complete FROM cdc.ledger WHERE name = '{}'", world.name);
    let mut sink = world.start_sink(&[]);
    world.until_dest(&filled, 1).await;
    world.until_equal().await;
    [&mut source, &mut sink].into_iter().for_each(Process::stop);
    world.end().await;
}
