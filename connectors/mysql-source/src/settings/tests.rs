use super::*;
use cdc_sdk::endpoint::{Secret, Tls};

pub(crate) fn settings(name: &str) -> Settings {
    Settings {
        name: name.into(),
        topic_prefix: name.into(),
        endpoint: Endpoint {
            host: "127.0.0.1".into(),
            port: 3306,
            user: "cdc".into(),
            password: Secret::default(),
            tls: Tls::default(),
        },
        server_id: None,
        selection: Selection { include: Vec::new(), exclude: Vec::new() },
        snapshot: SnapshotMode::Initial,
        chunk_rows: 1000,
        chunk_bytes: 1 << 20,
        readers: 2,
        snapshot_rows_per_second: None,
        mark_json: true,
        allow_global_read_lock: false,
        on_unsafe_ddl: OnUnsafeDdl::Snapshot,
        skip_sinks: vec!["*".into()],
        heartbeat: Duration::from_secs(10),
    }
}

#[test]
fn a_derived_server_id_is_stable_and_large() {
    assert_eq!(settings("shop").server_id(), settings("shop").server_id());
    assert_ne!(settings("shop").server_id(), settings("crm").server_id());
    for number in 0..2000 {
        assert!(settings(&format!("s{number}")).server_id() >= 1 << 16);
    }
}

#[test]
fn a_given_server_id_wins() {
    let given = Settings { server_id: Some(7), ..settings("shop") };
    assert_eq!(given.server_id(), 7);
}

#[test]
fn lock_names_fit_and_differ() {
    let names = |name: &str| settings(name).locks().map(|(lock, _)| lock);
    let (long, longer) = (names(&"x".repeat(80)), names(&"x".repeat(81)));
    for (long, longer) in long.iter().zip(&longer) {
        assert_eq!(long.chars().count(), 64);
        assert_ne!(long, longer);
    }
    let (capital, small) = (names("Shop"), names("shop"));
    assert!(capital.iter().zip(&small).all(|(capital, small)| capital != small));
    // What versions before this one take, and one that is nobody's name.
    assert_eq!(small, ["cdc_source_shop", "cdc_prefix_shop"]);
}

#[test]
fn only_tags_of_sinks_are_skipped() {
    let with = |sinks: &[&str]| Settings {
        skip_sinks: sinks.iter().map(|s| s.to_string()).collect(),
        ..settings("shop")
    };
    assert!(with(&["*"]).skips("cdc_crm"));
    assert!(!with(&["*"]).skips("") && !with(&["*"]).skips("batch_job"));
    assert!(with(&["crm"]).skips("cdc_crm") && !with(&["crm"]).skips("cdc_hub"));
    assert!(!with(&[]).skips("cdc_crm"));
}
