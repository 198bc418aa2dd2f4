use std::time::{Duration, Instant};

use cdc_sdk::Kind;
use cdc_sdk::endpoint::{Endpoint, Secret, Tls, TlsMode};

use super::grants::{like, parse};
use super::line::Line;
use super::refusal::{Refusal, kind};
use super::statement::{Patience, exchange, patiently};
use super::{Purpose, Session, lock_name};

/// As for rows, but short.
const SHORT: Patience = Patience {
    slow: Duration::from_millis(200),
    unseen: Duration::from_millis(1500),
    longest: Duration::from_secs(5),
};

fn server() -> Option<Endpoint> {
    let Ok(address) = std::env::var("CDC_TEST_DEST_MYSQL") else {
        println!("SKIPPED: CDC_TEST_DEST_MYSQL is not set");
        return None;
    };
    let (host, port) = address.rsplit_once(':').unwrap();
    let setting = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    Some(Endpoint {
        host: host.to_owned(),
        port: port.parse().unwrap(),
        user: setting("CDC_TEST_MYSQL_USER", "root"),
        password: Secret(setting("CDC_TEST_MYSQL_PASSWORD", "")),
        tls: Tls { mode: TlsMode::Preferred, ..Tls::default() },
    })
}

/// How many of a packet's statements are answered, and what came in between; `seen`: whether the server knows the connection.
async fn answers(endpoint: &Endpoint, seen: bool, sql: &str) -> (usize, Option<Refusal>) {
    let mut session = Session::connect(endpoint, Purpose::Data).await.unwrap();
    if !seen {
        session.is_not_known();
    }
    let mut outcomes = Vec::new();
    let ended = exchange(&mut session, sql.as_bytes(), SHORT, &mut outcomes).await;
    (outcomes.len(), ended.err())
}

#[tokio::test]
async fn each_statement_of_a_packet_has_its_own_time() {
    let Some(endpoint) = server() else { return };
    let scans = ["DO SLEEP(0.6)"; 5].join(";");
    for seen in [true, false] {
        let (answered, refusal) = answers(&endpoint, seen, &scans).await;
        assert!(answered == 5 && refusal.is_none(), "{answered} {refusal:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_seen_at_work_is_waited_for() {
    let Some(endpoint) = server() else { return };
    let long = "DO SLEEP(0.1);DO SLEEP(3);DO SLEEP(0.1)";
    let (answered, refusal) = answers(&endpoint, true, long).await;
    assert!(answered == 3 && refusal.is_none(), "{answered} {refusal:?}");
    // Behind a proxy nobody sees it, and even what is seen ends one day.
    for (seen, sql) in [(false, long), (true, "DO 1;DO SLEEP(8)")] {
        let (answered, refusal) = answers(&endpoint, seen, sql).await;
        assert!(answered <= 1 && refusal.as_ref().is_some_and(|r| r.code == 0), "{answered} {refusal:?}");
    }
}

#[tokio::test]
async fn a_silent_line_is_given_up() {
    let Some(endpoint) = server() else { return };
    let session = Session::connect(&endpoint, Purpose::Data).await.unwrap();
    let (begun, line): (_, Line) = (Instant::now(), session.line());
    let patience = Patience { unseen: SHORT.longest, ..SHORT };
    let refusal = patiently::<()>(&line, 0, patience, std::future::pending()).await.unwrap_err();
    assert!(refusal.code == 0 && begun.elapsed() < SHORT.longest / 2, "{:?}", begun.elapsed());
}

#[test]
fn a_deadlock_is_tried_again_and_a_duplicate_is_not() {
    assert_eq!(kind(1213), Kind::Conflict);
    assert_eq!(kind(1205), Kind::Conflict);
    assert_eq!(kind(1062), Kind::Divergence);
    assert_eq!(kind(1242), Kind::Divergence);
    assert_eq!(kind(1406), Kind::RowRefused);
    assert_eq!(kind(1146), Kind::TableMismatch);
    // Offline, read-only, a group's member that is not in its place: a failover brings these for a moment.
    for code in [3032, 1290, 3100, 3797, 3798, 3799] {
        assert_eq!(kind(code), Kind::MysqlUnreachable, "{code}");
    }
    assert_eq!(kind(9999), Kind::MysqlRefused);
}

#[test]
fn a_grant_on_a_pattern_covers_the_databases_it_matches() {
    let entry = parse("GRANT SELECT, INSERT ON `crm\\_%`.* TO `cdc`@`%`").unwrap();
    assert_eq!(entry.database, "crm\\_%");
    assert!(like(&entry.database, "crm_eu") && like(&entry.database, "crm_"));
    assert!(!like(&entry.database, "crmXeu"));
    assert!(entry.has("INSERT") && !entry.has("UPDATE"));
    assert_eq!(parse("GRANT ALL PRIVILEGES ON *.* TO `a`@`%`").unwrap().database, "*");
}

#[test]
fn roles_and_proxies_are_no_grants_on_a_database() {
    assert!(parse("GRANT `writer`@`%` TO `cdc`@`%`").is_none());
    assert!(parse("GRANT PROXY ON ``@`` TO `root`@`localhost` WITH GRANT OPTION").is_none());
}

#[test]
fn names_have_locks_of_their_own() {
    assert_eq!(lock_name("crm"), "cdc_sink_crm");
    let (a, b) = (lock_name(&"x".repeat(100)), lock_name(&"x".repeat(101)));
    assert_ne!(a, b);
    assert!(a.chars().count() <= 64 && b.chars().count() <= 64);
    // As in the versions before: two that run beside each other must mean the same lock.
    assert_eq!(a, format!("cdc_sink_{}_70631dc65be48720", "x".repeat(38)));
    let as_mysql = |sink: &str| lock_name(sink).to_lowercase();
    assert!(as_mysql("CRM") != as_mysql("crm") && as_mysql("CRM") != as_mysql("Crm"));
    assert!(lock_name(&"X".repeat(48)).chars().count() <= 64);
}

/// The library gives up the connection where it finds this out by itself, which looks like a fault that passes.
#[tokio::test]
async fn a_statement_that_is_too_large_is_no_broken_connection() {
    let Some(endpoint) = server() else { return };
    let mut session = Session::connect(&endpoint, Purpose::Data).await.unwrap();
    let mut sql = b"DO 1 -- ".to_vec();
    sql.resize(session.packet_bytes_max + 1024, b'x');
    let refusal = session.run(&sql).await.unwrap_err().refusal;
    assert_eq!(refusal.kind, Kind::RowRefused, "{refusal:?}");
    let refusal = session.rows::<u8>(&sql).await.unwrap_err();
    assert_eq!(refusal.kind, Kind::RowRefused, "{refusal:?}");
    session.command("DO 1").await.unwrap();
    session.close().await;
}
