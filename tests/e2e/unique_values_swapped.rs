//! Two rows swap a unique value, within a transaction and across several that
//! one batch holds; no row is overwritten through the unique key.

use crate::kit::World;

#[tokio::test(flavor = "multi_thread")]
async fn unique_values_swapped() {
    let world = World::new("swap").await;
    world
        .source_sql(
            "CREATE TABLE t (id INT PRIMARY KEY, slot INT, name VARCHAR(20), UNIQUE KEY slot (slot), UNIQUE KEY name (name));\n\
             INSERT INTO t VALUES (1,1,'one'),(2,2,'two'),(3,3,'three'),(4,NULL,NULL),(5,NULL,NULL)",
        )
        .await;
    world.catch_up();
    world.assert_equal().await;
    world
        .source_sql(
            "BEGIN;\nUPDATE t SET slot=-1 WHERE id=1;\nUPDATE t SET slot=1 WHERE id=2;\nUPDATE t SET slot=2 WHERE id=1;\nCOMMIT;\n\
             UPDATE t SET name='x' WHERE id=1;\nUPDATE t SET name='one' WHERE id=3;\nUPDATE t SET name='three' WHERE id=1;\n\
             DELETE FROM t WHERE id=2;\nINSERT INTO t VALUES (6,1,'two');\nUPDATE t SET slot=9 WHERE id=4;\n\
             UPDATE t SET id=7, slot=3 WHERE id=3;\nINSERT INTO t VALUES (3,30,'thirty')",
        )
        .await;
    world.catch_up();
    world.assert_equal().await;
    world.end().await;
}
