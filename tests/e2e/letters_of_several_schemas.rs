//! A table without a key waits as a whole in the dead letters while the source adds a column: a retry of more letters
//! than are applied at a time brings both schemas' rows, in one transaction that waits for no lock of its own.

use crate::kit::{Options, World};

#[tokio::test(flavor = "multi_thread")]
async fn letters_of_several_schemas_leave_together() {
    let options = Options { sink: "[dead_letter]\ntables = [\"*.log\"]\n".into(), ..Options::default() };
    let world = World::with("deadschemas", &options).await;
    world.source_sql("CREATE TABLE log (note VARCHAR(20));\nINSERT INTO log VALUES ('a'),('b')").await;
    world.catch_up();
    world.dest_sql("ALTER TABLE log ADD CONSTRAINT c CHECK (note <> 'bad')").await;
    // More than a whole table's retry applies at a time.
    world
        .source_sql(
            "SET cte_max_recursion_depth = 5000;\n\
             INSERT INTO log WITH RECURSIVE n AS (SELECT 1 i UNION ALL SELECT i+1 FROM n WHERE i<2100)\n\
             SELECT IF(i=1,'bad',CONCAT('n',i)) FROM n",
        )
        .await;
    world.source_sql("ALTER TABLE log ADD COLUMN v INT DEFAULT 7").await;
    world
        .source_sql("INSERT INTO log VALUES ('c',1),('d',2);\nDELETE FROM log WHERE note IN ('d','n5')")
        .await;
    world.catch_up();
    assert_eq!(world.dest_number("SELECT COUNT(*) FROM log").await, Some(2), "nothing of it is applied");
    world.dest_sql("ALTER TABLE log DROP CHECK c").await;
    let (code, text) = world.cdc(&["dead-letter", "retry", "-c", &world.file("sink.toml"), "--all"]);
    assert_eq!(code, Some(0), "{text}");
    world.assert_equal().await;
    world.end().await;
}
