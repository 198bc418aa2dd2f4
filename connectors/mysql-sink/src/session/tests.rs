use cdc_sdk::Kind;

use super::grants::{like, parse};
use super::lock_name;
use super::refusal::kind;

#[test]
fn a_deadlock_is_tried_again_and_a_duplicate_is_not() {
    assert_eq!(kind(1213), Kind::Conflict);
    assert_eq!(kind(1205), Kind::Conflict);
    assert_eq!(kind(1062), Kind::Divergence);
    assert_eq!(kind(1242), Kind::Divergence);
    assert_eq!(kind(1406), Kind::RowRefused);
    assert_eq!(kind(1146), Kind::TableMismatch);
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
fn long_names_have_locks_of_their_own() {
    assert_eq!(lock_name("crm"), "cdc_sink_crm");
    let (a, b) = (lock_name(&"x".repeat(100)), lock_name(&"x".repeat(101)));
    assert_ne!(a, b);
    assert!(a.chars().count() <= 64 && b.chars().count() <= 64);
}
