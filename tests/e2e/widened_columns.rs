//! A column that only becomes wider costs no row: its table is neither emptied at the destination nor read again.

use super::schema_changes::differences;
use crate::kit::{Process, World, until};

const TABLE: &str = "CREATE TABLE t (id INT PRIMARY KEY, a INT UNSIGNED, b VARCHAR(20) NOT NULL, c DECIMAL(6,2), d VARBINARY(3));\n\
    INSERT INTO t VALUES (1,4000000000,'one',1.25,x'00'),(2,NULL,'two',NULL,NULL),(3,0,'',-9999.99,x'ffffff')";

const WIDEN: [&str; 7] = [
    "INSERT INTO t VALUES (4,1,'four',0,'d')",
    "ALTER TABLE t MODIFY a BIGINT COMMENT 'from here on, more', MODIFY COLUMN b VARCHAR(300) NOT NULL DEFAULT 'x'",
    "INSERT INTO t VALUES (5,-5000000000,REPEAT('b',300),0.5,'e')",
    "ALTER TABLE t MODIFY c DECIMAL(20,2) AFTER id, MODIFY d BLOB, MODIFY b TEXT NOT NULL, ADD INDEX (c)",
    "INSERT INTO t VALUES (6,123456789012345678.25,6,REPEAT('c',5000),REPEAT('f',5000))",
    "UPDATE t SET c=c+1 WHERE id=3",
    "DELETE FROM t WHERE id=2",
];

/// A world in which the destination has something of each row that goes when the row does.
async fn witnessed(name: &str) -> (World, [Process; 2]) {
    let world = World::new(name).await;
    world.source_sql(TABLE).await;
    world.catch_up();
    world.dest_sql("ALTER TABLE t ADD COLUMN seen INT;\nUPDATE t SET seen=1").await;
    let running = [world.start_source(&[]), world.start_sink(&[])];
    (world, running)
}

/// The source has met all rows then, and asked the catalogue of what they are.
async fn until_applied(world: &World) {
    until("both sides hold the same rows", async || differences(world).await.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn widened_columns_keep_their_rows() {
    let (world, running) = witnessed("widened").await;
    for statement in WIDEN {
        world.source_sql(statement).await;
        until_applied(&world).await;
    }
    assert_eq!(world.dest_number("SELECT SUM(seen) FROM t").await, Some(2));
    let kinds = "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema=DATABASE() AND column_type IN \
                 ('bigint','text','decimal(20,2)','blob')";
    assert_eq!(world.dest_number(kinds).await, Some(4));

    // What may change values has the rows read again.
    world.source_sql("ALTER TABLE t MODIFY a BIGINT NOT NULL DEFAULT 0").await;
    world.until_dest("SELECT COUNT(*) FROM t WHERE seen=1", 0).await;
    until_applied(&world).await;
    drop(running);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn widened_columns_of_keys_are_read_again() {
    let (world, running) = witnessed("widekey").await;
    world.source_sql(WIDEN[0]).await;
    until_applied(&world).await;
    world.source_sql("ALTER TABLE t MODIFY id BIGINT").await;
    world.until_dest("SELECT COUNT(*) FROM t WHERE seen=1", 0).await;
    until_applied(&world).await;
    drop(running);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn widened_columns_of_another_character_set_are_read_again() {
    let (world, running) = witnessed("wideset").await;
    world.source_sql("INSERT INTO t (id,b) VALUES (4,'\u{1F600}')").await;
    until_applied(&world).await;
    // No row tells of the new set, which is that of a column without one.
    let cuts = "ALTER TABLE t DEFAULT CHARACTER SET latin1;\nSET sql_mode='';\nALTER TABLE t MODIFY b VARCHAR(30)";
    world.source_sql(cuts).await;
    world.until_dest("SELECT COUNT(*) FROM t WHERE seen=1", 0).await;
    until_applied(&world).await;
    assert_eq!(world.dest_number("SELECT COUNT(*) FROM t WHERE id=4 AND b='?'").await, Some(1));
    drop(running);
    world.end().await;
}
