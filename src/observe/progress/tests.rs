use super::line;
use crate::observe::{SnapshotStatus, Status};

fn status(state: &str) -> Status {
    Status {
        role: "source".to_owned(),
        name: "shop".to_owned(),
        state: state.to_owned(),
        rows: 12,
        rows_per_second: 1_234.4,
        lag_seconds: Some(0.12),
        ..Status::default()
    }
}

#[test]
fn streaming_shows_rate_and_lag() {
    assert_eq!(line(&status("streaming")), "source shop: streaming, 1234 rows/s, lag 0.1 s, 12 rows");
    assert_eq!(line(&status("caught_up")), "source shop: caught up, 1234 rows/s, lag 0.1 s, 12 rows");
}

#[test]
fn waiting_shows_why() {
    let waiting = Status { reason: Some("no cuts yet".to_owned()), ..status("waiting") };
    assert_eq!(line(&waiting), "source shop: waiting: no cuts yet");
}

#[test]
fn a_snapshot_shows_what_is_left() {
    let snapshot = SnapshotStatus {
        tables_done: 1,
        tables_total: 2,
        rows: 10,
        rows_estimated: 20,
        paused: false,
        eta_seconds: Some(5),
    };
    let during = Status { snapshot: Some(snapshot), ..status("snapshot") };
    assert_eq!(
        line(&during),
        "source shop: snapshot: 1 of 2 tables, 10 of about 20 rows, about 5.0 s left, 1234 rows/s"
    );
    let after = Status { state: "streaming".to_owned(), ..during };
    assert!(line(&after).contains("streaming"));
}
