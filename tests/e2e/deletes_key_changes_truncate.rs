//! Deletes, key changes and TRUNCATE arrive, alone and mixed with other changes.

use crate::kit::World;

#[tokio::test(flavor = "multi_thread")]
async fn deletes_key_changes_truncate() {
    let world = World::new("deletes").await;
    world
        .source_sql(
            "CREATE TABLE t (a INT, b VARCHAR(20), v INT, PRIMARY KEY (b, a));\nCREATE TABLE gone (id INT PRIMARY KEY);\n\
             INSERT INTO t VALUES (1,'x',1),(2,'x',2),(1,'y',3),(3,'z',4);\nINSERT INTO gone VALUES (1),(2),(3)",
        )
        .await;
    world.catch_up();
    world.assert_equal().await;
    let mut source = world.start_source(&[]);
    let mut sink = world.start_sink(&[]);
    world
        .source_sql(
            "DELETE FROM t WHERE a=1 AND b='x';\nUPDATE t SET b='moved' WHERE a=2;\nUPDATE t SET a=9, v=9 WHERE b='y';\n\
             UPDATE t SET b='Z' WHERE b='z';\nTRUNCATE TABLE gone;\nINSERT INTO gone VALUES (2),(7);\nINSERT INTO t VALUES (1,'x',100)",
        )
        .await;
    world.until_equal().await;
    assert_eq!(world.dest_number("SELECT COUNT(*) FROM gone").await, Some(2));
    world.source_sql("TRUNCATE TABLE gone").await;
    world.until_dest("SELECT COUNT(*) FROM gone", 0).await;
    source.stop();
    sink.stop();
    world.assert_equal().await;
    world.end().await;
}
