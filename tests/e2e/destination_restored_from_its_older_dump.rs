//! The destination is set back to an older dump of its own, ledger included:
//! it catches up by itself.

use std::process::{Command, Stdio};

use crate::kit::{World, variable};

#[tokio::test(flavor = "multi_thread")]
async fn destination_restored_from_its_older_dump() {
    let world = World::new("restore").await;
    world
        .source_sql("CREATE TABLE t (id INT PRIMARY KEY, v INT);\nINSERT INTO t VALUES (1,1),(2,2),(3,3)")
        .await;
    world.catch_up();
    let dump = dump(&world);
    world
        .source_sql("UPDATE t SET v=v*10;\nDELETE FROM t WHERE id=2;\nINSERT INTO t VALUES (4,4);\nUPDATE t SET id=5 WHERE id=1")
        .await;
    world.catch_up();
    world.assert_equal().await;
    restore(&dump);
    assert_eq!(world.dest_number("SELECT v FROM t WHERE id=2").await, Some(2), "the older state is back");
    world.catch_up();
    world.assert_equal().await;
    world.end().await;
}

fn client(variable_of_tool: &str) -> Command {
    let server = variable("CDC_TEST_DEST_MYSQL");
    let (host, port) = server.rsplit_once(':').unwrap();
    let mut command = Command::new(variable(variable_of_tool));
    command.args(["-h", host, "-P", port, "-u", &variable("CDC_TEST_MYSQL_USER")]);
    let password = variable("CDC_TEST_MYSQL_PASSWORD");
    if !password.is_empty() {
        command.arg(format!("-p{password}"));
    }
    command
}

/// The world's tables and its rows of the ledger, in one dump each (the ledger is shared with other tests).
fn dump(world: &World) -> Vec<u8> {
    let run = |more: &[&str]| {
        let out = client("CDC_STACK_MYSQLDUMP_BIN")
            .args(["--single-transaction", "--set-gtid-purged=OFF"])
            .args(more)
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(out.status.success(), "mysqldump");
        out.stdout
    };
    let mine = format!("--where=name='{}'", world.name);
    let tables = run(&["--databases", &world.name]);
    let ledger = run(&["--no-create-info", "--replace", &mine, "cdc", "ledger", "ledger_places"]);
    let forget = format!("DELETE FROM ledger_places WHERE name='{}';\n", world.name);
    [tables, b"\nUSE cdc;\n".to_vec(), forget.into_bytes(), ledger].concat()
}

fn restore(dump: &[u8]) {
    use std::io::Write;
    let mut child = client("CDC_STACK_MYSQL_BIN").stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(dump).unwrap();
    assert!(child.wait().unwrap().success(), "mysql");
}
