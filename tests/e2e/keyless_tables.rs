//! Tables without a key: equal rows are counted, through the snapshot and after it.

use crate::kit::World;

#[tokio::test(flavor = "multi_thread")]
async fn keyless_tables() {
    let world = World::new("keyless").await;
    world
        .source_sql("CREATE TABLE t (a INT, b VARCHAR(10));\nINSERT INTO t VALUES (1,'x'),(1,'x'),(1,'x'),(NULL,NULL),(2,'y')")
        .await;
    world.catch_up();
    world.assert_equal().await;
    world
        .source_sql("DELETE FROM t WHERE a=1 LIMIT 1;\nUPDATE t SET b='z' WHERE a=2;\nINSERT INTO t VALUES (NULL,NULL);\nUPDATE t SET a=5 WHERE a IS NULL LIMIT 1")
        .await;
    world.catch_up();
    world.assert_equal().await;
    world.end().await;
}
