//! Backups by `mysqldump`, and bringing them back.

use std::io::Write;
use std::process::{Command, Stdio};

use super::variable;

/// A client program, told which server (`host:port`).
pub fn client(variable_of_tool: &str, server: &str) -> Command {
    let (host, port) = server.rsplit_once(':').unwrap();
    let mut command = Command::new(variable(variable_of_tool));
    command.args(["-h", host, "-P", port, "-u", &variable("CDC_TEST_MYSQL_USER")]);
    let password = variable("CDC_TEST_MYSQL_PASSWORD");
    if !password.is_empty() {
        command.arg(format!("-p{password}"));
    }
    command
}

/// What `mysqldump` writes with these arguments.
pub fn dump(server: &str, arguments: &[&str]) -> Vec<u8> {
    let out =
        client("CDC_STACK_MYSQLDUMP_BIN", server).args(arguments).stderr(Stdio::inherit()).output().unwrap();
    assert!(out.status.success(), "mysqldump");
    out.stdout
}

/// Runs a dump at a server.
pub fn restore(server: &str, dump: &[u8]) {
    let mut child = client("CDC_STACK_MYSQL_BIN", server).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(dump).unwrap();
    assert!(child.wait().unwrap().success(), "mysql");
}

/// A consistent backup of one database of the source, with the GTID set that it stands at (after a `+`).
pub fn backup(server: &str, database: &str) -> (Vec<u8>, String) {
    let flags =
        ["--single-transaction", "--source-data=2", "--set-gtid-purged=COMMENTED", "--databases", database];
    let sql = dump(server, &flags);
    let text = String::from_utf8_lossy(&sql);
    let (_, set) = text.split_once("GTID_PURGED=").expect("the dump names its GTID set");
    let set = set.split('\'').nth(1).unwrap();
    (sql.clone(), set.split_whitespace().collect())
}
