use super::{LastError, SnapshotStatus, Status, seconds_text};

#[test]
fn a_status_of_another_version_is_read() {
    let status: Status = serde_json::from_str(r#"{"role":"sink","name":"crm","later":{"x":1}}"#).unwrap();
    assert_eq!((status.role.as_str(), status.name.as_str(), status.lag_seconds), ("sink", "crm", None));
}

#[test]
fn a_status_survives_json() {
    let status = Status {
        lag_seconds: Some(0.25),
        snapshot: Some(SnapshotStatus { tables_total: 3, eta_seconds: Some(9), ..SnapshotStatus::default() }),
        last_error: Some(LastError { code: "E010".to_owned(), ..LastError::default() }),
        ..Status::default()
    };
    assert_eq!(serde_json::from_str::<Status>(&serde_json::to_string(&status).unwrap()).unwrap(), status);
}

#[test]
fn it_reads_as_a_table() {
    let status = Status {
        role: "sink".to_owned(),
        name: "crm".to_owned(),
        state: "standby".to_owned(),
        reason: Some("'crm' works elsewhere".to_owned()),
        lag_seconds: Some(75.0),
        last_error: Some(LastError {
            at: "now".to_owned(),
            code: "E010".to_owned(),
            text: "a\n  hint: b".to_owned(),
        }),
        ..Status::default()
    };
    let text = status.to_string();
    for line in [
        "sink       crm (version ",
        "\nstate      standby: 'crm' works elsewhere\n",
        "\nlag        1 min 15 s\n",
        "\ncut        none yet (0 since the start)\n",
        "\nlast error now: a\n             hint: b",
    ] {
        assert!(text.contains(line), "{line:?} in\n{text}");
    }
}

#[test]
fn a_snapshot_says_how_long_it_takes() {
    let mut snapshot = SnapshotStatus {
        tables_done: 1,
        tables_total: 3,
        rows: 50,
        rows_estimated: 200,
        paused: false,
        eta_seconds: Some(3_660),
    };
    assert_eq!(snapshot.to_string(), "1 of 3 tables, 50 of about 200 rows, about 1 h 1 min left");
    snapshot.eta_seconds = None;
    assert_eq!(snapshot.to_string(), "1 of 3 tables, 50 of about 200 rows");
    snapshot.paused = true;
    let text = "1 of 3 tables, 50 of about 200 rows, paused: cdc snapshot resume";
    assert_eq!(snapshot.to_string(), text);
}

#[test]
fn durations_read_well() {
    for (seconds, text) in [
        (0.04, "0.0 s"),
        (59.9, "59.9 s"),
        (60.0, "1 min 0 s"),
        (3_599.0, "59 min 59 s"),
        (3_600.0, "1 h 0 min"),
        (90_000.0, "25 h 0 min"),
    ] {
        assert_eq!(seconds_text(seconds), text);
    }
}
