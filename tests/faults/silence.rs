//! A line to a database goes silent: packets get lost, and nobody is told. Source and
//! sink notice by heartbeats of their own, and go on over new connections, while the
//! databases still believe that the old ones hold their locks.

use std::time::Duration;

use cdc::kafka::{Log, Settings};
use cdc::pipeline::source::HEARTBEAT;
use cdc_mysql_sink::SILENCE_MAX;
use mysql_async::prelude::Queryable;

use super::instance::{Instance, Links, Role};
use super::proxy::Mode;
use crate::kit::{Options, World, until_within};

/// What a busy machine may add.
const SLACK: Duration = Duration::from_secs(4);

/// A source looks once more before it gives up.
const GRACE: Duration = Duration::from_secs(1);

/// After so long a database takes the lock from a connection that says nothing; then comes
/// the start of a session.
const GOES_ON: Duration = Duration::from_secs(45);

#[tokio::test(flavor = "multi_thread")]
async fn silence() {
    let world = World::new("silence").await;
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY);\nINSERT INTO t VALUES (1)").await;
    let [source, sink] = [start(&world, Role::Source).await, start(&world, Role::Sink).await];
    world.until_dest("SELECT MAX(id) FROM t", 1).await;

    // The sink is to wait for an answer when its line is dead.
    hush(&sink);
    let before = cuts(&world);
    world.source_sql("INSERT INTO t VALUES (2)").await;
    until_within("the source publishes", SLACK, async || cuts(&world) > before).await;
    hush(&source);
    world.source_sql("INSERT INTO t VALUES (3)").await;
    let notices = |who: &Instance, words| who.log_tail().contains(words);
    until_within("the source notices", HEARTBEAT * 2 + GRACE + SLACK, async || {
        notices(&source, "not been heard of for")
    })
    .await;
    until_within("the sink notices", SILENCE_MAX + SLACK, async || notices(&sink, "does not answer")).await;
    both_go_on(world, source, sink).await;
}

/// Sinks that share the topics have no lock that they could lose: they ask the server, over another line, whether it is
/// still at work for the one that is silent.
#[tokio::test(flavor = "multi_thread")]
async fn silence_by_key() {
    let options = Options { sink: "[apply]\nconsistency = \"key\"\n".into(), ..Options::default() };
    let world = World::with("silencebykey", &options).await;
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY);\nINSERT INTO t VALUES (1)").await;
    let [source, sink] = [start(&world, Role::Source).await, start(&world, Role::Sink).await];
    world.until_dest("SELECT MAX(id) FROM t", 1).await;

    // A statement that waits for a lock is not taken for silence, however long.
    let mut conn = world.dest_conn().await;
    conn.query_drop("START TRANSACTION").await.unwrap();
    conn.query_drop(format!("INSERT INTO `{}`.t VALUES (2)", world.name)).await.unwrap();
    world.source_sql("INSERT INTO t VALUES (2)").await;
    let waits = async || sink.log_tail().contains("has not answered a statement yet");
    until_within("the sink waits for the lock", GOES_ON, waits).await;
    conn.query_drop("ROLLBACK").await.unwrap();
    world.until_dest("SELECT MAX(id) FROM t", 2).await;
    assert!(!sink.log_tail().contains("silent"), "{}", sink.log_tail());

    hush(&sink);
    world.source_sql("INSERT INTO t VALUES (3)").await;
    let notices = async || sink.log_tail().contains("is silent");
    until_within("the sink notices", GOES_ON, notices).await;
    both_go_on(world, source, sink).await;
}

/// The last row arrives, and neither has given up meanwhile.
async fn both_go_on(world: World, mut source: Instance, mut sink: Instance) {
    until_within("both go on", GOES_ON, async || world.dest_number("SELECT MAX(id) FROM t").await == Some(3))
        .await;
    world.assert_equal().await;
    source.tend();
    sink.tend();
    assert_eq!(source.gave_up + sink.gave_up, 0, "{}\n{}", source.log_tail(), sink.log_tail());
    drop((source, sink));
    world.end().await;
}

async fn start(world: &World, role: Role) -> Instance {
    Instance::start(world, role, 0, Some(Links::of(world, role).await), &world.kafka)
}

/// Lets the line to its database go silent.
fn hush(instance: &Instance) {
    instance.links.as_ref().unwrap().mysql.set(Mode::Silent);
}

/// How many cuts there are, or more.
fn cuts(world: &World) -> i64 {
    let settings = Settings { bootstrap_servers: world.kafka.clone(), ..Settings::default() };
    Log::open(&settings, &format!("{}.cuts", world.name)).unwrap().unwrap().end().unwrap()
}
