//! What tests of earlier runs left on the shared stack because they failed: a broker
//! that keeps the topics of a hundred runs takes minutes to start.

use std::process::Command;
use std::time::Duration;

use cdc::kafka::{Admin, Settings};
use mysql_async::prelude::Queryable;
use tokio::sync::OnceCell;

use super::variable;
use super::world::try_connect;

static SWEPT: OnceCell<()> = OnceCell::const_new();

/// Removes databases and topics of test processes that are no more, once in a process and
/// unless `CDC_TEST_KEEP` is set. What cannot be removed now stays for the next run.
pub async fn sweep_once() {
    if std::env::var_os("CDC_TEST_KEEP").is_none() {
        SWEPT.get_or_init(sweep).await;
    }
}

async fn sweep() {
    for server in ["CDC_TEST_SOURCE_MYSQL", "CDC_TEST_DEST_MYSQL"] {
        let Ok(mut conn) = try_connect(&variable(server), None).await else { continue };
        let names: Vec<String> = conn.query("SHOW DATABASES").await.unwrap_or_default();
        for name in names.iter().filter(|name| is_left_over(name)) {
            let _ = conn.query_drop(format!("DROP DATABASE IF EXISTS `{name}`")).await;
        }
    }
    let bootstrap_servers = variable("CDC_TEST_KAFKA");
    let settings = Settings { bootstrap_servers, patience: Duration::from_secs(10), ..Settings::default() };
    let Ok(admin) = Admin::connect(&settings) else { return };
    let Ok(topics) = admin.topics_with_prefix("").await else { return };
    let names: Vec<&str> = topics.keys().map(String::as_str).filter(|name| is_left_over(name)).collect();
    let _ = admin.delete(&names).await;
}

/// Whether a name begins as a test's does, a letter, a process and a separator, and that
/// process has ended.
fn is_left_over(name: &str) -> bool {
    let digits = name.strip_prefix(['t', 'k']).unwrap_or_default();
    let (process, rest) = digits.split_at(digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(0));
    rest.starts_with(['_', '.']) && process.parse::<u32>().is_ok_and(|process| !is_alive(process))
}

fn is_alive(process: u32) -> bool {
    let answer = Command::new("kill").args(["-0", &process.to_string()]).output();
    answer.is_ok_and(|answer| answer.status.success())
}

#[test]
fn only_names_of_ended_processes_are_left_over() {
    let own = std::process::id();
    for kept in [format!("t{own}_0_bank"), "shop".to_owned(), "t_1".to_owned(), "tables.x".to_owned()] {
        assert!(!is_left_over(&kept), "{kept}");
    }
    // Beyond the largest number a process can have.
    assert!(is_left_over("t4194305_0_bank.cuts") && is_left_over("k4194305.3.many.t1"));
}
