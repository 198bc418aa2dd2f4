use super::*;
use crate::settings::tests::settings;

fn good() -> Facts {
    let variables = [
        ("log_bin", "ON"),
        ("binlog_format", "ROW"),
        ("binlog_row_image", "FULL"),
        ("binlog_row_metadata", "FULL"),
        ("gtid_mode", "ON"),
        ("enforce_gtid_consistency", "ON"),
        ("binlog_expire_logs_seconds", "2592000"),
        ("server_id", "1"),
    ];
    Facts {
        version: (9, 7, 4),
        variables: variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        logged: [Vec::new(), Vec::new()],
        is_replica: false,
    }
}

fn with(name: &str, value: &str) -> Vec<Finding> {
    let mut facts = good();
    facts.variables.insert(name.into(), value.into());
    server(&facts, &settings("shop"))
}

#[test]
fn a_fit_server_has_no_findings() {
    assert_eq!(server(&good(), &settings("shop")), []);
}

#[test]
fn each_setting_is_named_with_what_mends_it() {
    for (name, bad) in [
        ("log_bin", "OFF"),
        ("binlog_format", "STATEMENT"),
        ("binlog_row_image", "MINIMAL"),
        ("binlog_row_metadata", "MINIMAL"),
        ("gtid_mode", "OFF"),
        ("server_id", "0"),
    ] {
        let findings = with(name, bad);
        assert_eq!(findings.len(), 1, "{name}");
        assert!(findings.iter().all(|f| f.blocks && f.mend.contains(name)), "{findings:?}");
    }
}

#[test]
fn all_that_is_wrong_comes_at_once() {
    let mut facts = good();
    facts.variables.insert("binlog_format".into(), "MIXED".into());
    facts.variables.insert("binlog_row_image".into(), "NOBLOB".into());
    facts.version = (5, 6, 51);
    assert_eq!(server(&facts, &settings("shop")).len(), 3);
}

#[test]
fn what_the_server_does_not_log_is_told() {
    let found = |change: &dyn Fn(&mut Facts)| {
        let mut facts = good();
        change(&mut facts);
        let mut settings = settings("shop");
        settings.selection.include.extend(Pattern::parse("shop.*"));
        let findings = server(&facts, &settings);
        assert_eq!(findings.len(), 1, "{findings:?}");
        findings[0].blocks
    };
    assert!(found(&|facts| facts.logged[1] = vec!["other".into(), "shop".into()]));
    assert!(!found(&|facts| facts.logged[1] = vec!["other".into()]));
    assert!(found(&|facts| facts.logged[0] = vec!["shop".into()]));
    for name in ["log_replica_updates", "log_slave_updates"] {
        let off = |facts: &mut Facts| drop(facts.variables.insert(name.into(), "OFF".into()));
        assert!(!found(&off));
        assert!(found(&|facts| {
            off(facts);
            facts.is_replica = true;
        }));
        assert_eq!(with(name, "ON"), []);
    }
}

#[test]
fn without_gtids_it_runs_where_the_lock_is_allowed() {
    let mut facts = good();
    facts.variables.insert("gtid_mode".into(), "OFF".into());
    let allowed = Settings { allow_global_read_lock: true, ..settings("shop") };
    assert!(server(&facts, &allowed).iter().all(|f| !f.blocks));
}

#[test]
fn short_retention_is_a_warning() {
    assert!(with("binlog_expire_logs_seconds", "3600").iter().any(|f| !f.blocks));
    assert_eq!(with("binlog_expire_logs_seconds", "0"), []);
}

#[test]
fn our_number_must_not_be_the_servers() {
    let ours = settings("shop").server_id();
    assert!(with("server_id", &ours.to_string()).iter().any(|f| f.blocks && f.mend.contains("server_id")));
}

#[test]
fn a_ledger_under_another_name_is_told_of() {
    let listed = |database: &str, table: &str| Listed {
        name: TableName::new(database, table),
        rows_estimated: 0,
        row_bytes: 0,
        engine: "InnoDB".into(),
    };
    let books = ["ledger", "ledger_places"].map(|table| listed("books", table));
    let own = LEDGER_TABLES.map(|table| listed("cdc.crm", table));
    let findings = ledgers(&[books.to_vec(), own.to_vec()].concat());
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert!(!finding.blocks && finding.mend.contains("exclude = [\"`cdc.crm`.*\"]"), "{finding}");
}
