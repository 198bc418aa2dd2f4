//! A connection ends at a commit, before the server has it or with its answer lost. The sink's ledger, and the source's
//! transactional id, tell which it was: nothing is there twice, and nothing is missing.

use super::ground::Ground;
use super::instance::{Instance, Links, Role};
use super::own::Part;
use super::proxy::{Mode, Proxy};
use super::topics;
use crate::kit::{Options, World, until};

/// How often each kind of commit gets lost, in each of the two ways.
const TIMES: i64 = 2;

#[tokio::test(flavor = "multi_thread")]
async fn lost_commits_are_looked_up() {
    let ground = Ground::open("lostcommits", &[Part::Broker], false, 1).await;
    let options = Options { kafka: ground.address(Part::Broker).await, ..Options::default() };
    let world = World::with("lostcommits", &options).await;
    world
        .source_sql(
            "CREATE TABLE side (id INT PRIMARY KEY, pad VARCHAR(100));\nCREATE TABLE bag (id INT, pad VARCHAR(100))",
        )
        .await;
    let kafka = ground.kafka(0).unwrap();
    let source = Instance::start(&world, Role::Source, 0, None, &kafka.address);
    let links = Links::of(&world, Role::Sink).await;
    let sink = Instance::start(&world, Role::Sink, 0, Some(links), &world.kafka);
    let mut rows = 0;
    write(&world, &mut rows).await;
    arrives(&world, rows).await;
    for mode in [Mode::LoseCommit, Mode::LoseCommitAnswer].repeat(usize::try_from(TIMES).unwrap()) {
        for proxy in [&sink.links.as_ref().unwrap().mysql, &*kafka] {
            lose(proxy, mode, &world, &mut rows).await;
            arrives(&world, rows).await;
        }
    }
    world.assert_equal().await;
    let (_, seen) = topics::read(&world).await;
    for ((_, id), changes) in &seen {
        let wanted = if id.starts_with('-') { 2 } else { 1 };
        assert_eq!(changes.len(), wanted, "changes of {id} in Kafka: {changes:?}");
    }
    assert_eq!(i64::try_from(seen.len()).unwrap(), 2 * rows, "rows in Kafka");
    drop((source, sink));
    world.end().await;
}

/// One row with a key, and two that are equal.
async fn write(world: &World, rows: &mut i64) {
    *rows += 1;
    let sql = format!(
        "BEGIN;\nINSERT INTO side VALUES ({rows}, 'x');\nINSERT INTO bag VALUES (-{rows}, 'y'), (-{rows}, 'y');\nCOMMIT"
    );
    world.source_sql(&sql).await;
}

async fn arrives(world: &World, rows: i64) {
    world.until_dest("SELECT COUNT(*) FROM side", rows).await;
    world.until_dest("SELECT COUNT(*) FROM bag", 2 * rows).await;
}

/// Writes until a commit has gone.
async fn lose(proxy: &Proxy, mode: Mode, world: &World, rows: &mut i64) {
    proxy.set(mode);
    write(world, rows).await;
    until("a commit gets lost", async || proxy.mode() != mode).await;
    proxy.set(Mode::Pass);
}
