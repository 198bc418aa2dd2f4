//! The destination is set back to an older dump of its own, ledger included:
//! it catches up by itself.

use crate::kit::dump::{dump, restore};
use crate::kit::{World, variable};

#[tokio::test(flavor = "multi_thread")]
async fn destination_restored_from_its_older_dump() {
    let world = World::new("restore").await;
    world
        .source_sql("CREATE TABLE t (id INT PRIMARY KEY, v INT);\nINSERT INTO t VALUES (1,1),(2,2),(3,3)")
        .await;
    world.catch_up();
    let older = dump_of(&world);
    world
        .source_sql("UPDATE t SET v=v*10;\nDELETE FROM t WHERE id=2;\nINSERT INTO t VALUES (4,4);\nUPDATE t SET id=5 WHERE id=1")
        .await;
    world.catch_up();
    world.assert_equal().await;
    restore(&variable("CDC_TEST_DEST_MYSQL"), &older);
    assert_eq!(world.dest_number("SELECT v FROM t WHERE id=2").await, Some(2), "the older state is back");
    world.catch_up();
    world.assert_equal().await;
    world.end().await;
}

/// The world's tables and its rows of the ledger, in one dump each (the ledger is shared with other tests).
fn dump_of(world: &World) -> Vec<u8> {
    let server = variable("CDC_TEST_DEST_MYSQL");
    let run =
        |more: &[&str]| dump(&server, &[&["--single-transaction", "--set-gtid-purged=OFF"], more].concat());
    let mine = format!("--where=name='{}'", world.name);
    let tables = run(&["--databases", &world.name]);
    let ledger = run(&["--no-create-info", "--replace", &mine, "cdc", "ledger", "ledger_places"]);
    let forget = format!("DELETE FROM ledger_places WHERE name='{}';\n", world.name);
    [tables, b"\nUSE cdc;\n".to_vec(), forget.into_bytes(), ledger].concat()
}
