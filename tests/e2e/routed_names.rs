//! Tables go to the database that a route names.

use crate::kit::{Options, World, differences};

#[tokio::test(flavor = "multi_thread")]
async fn routed_names() {
    let world = World::with("routes", &Options::default()).await;
    let routed = format!("{}_x", world.name);
    world.route(&format!("{}.*", world.name), &format!("{routed}.*"));
    world.source_sql("CREATE TABLE t (id INT PRIMARY KEY, v INT);\nINSERT INTO t VALUES (1,1),(2,2)").await;
    world.catch_up();
    world.source_sql("UPDATE t SET v=3 WHERE id=1;\nDELETE FROM t WHERE id=2").await;
    world.catch_up();
    let (mut source, mut dest) = (world.source_conn().await, world.dest_conn().await);
    let found = differences(&mut source, &world.name, &mut dest, &routed).await;
    assert!(found.is_empty(), "{found:?}");
    world.dest_sql(&format!("DROP DATABASE `{routed}`")).await;
    world.end().await;
}
