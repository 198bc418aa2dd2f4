use std::time::Duration;

use cdc_sdk::cut::{CutKind, Touched};
use cdc_sdk::{Cut, CutId, Error, Kind, Position};

use super::{SILENCE, SinkView, SnapshotProgress, SourceView};
use crate::observe::clock::now_us;
use crate::observe::{SetAside, State};

fn cut(sequence: u64, committed_us: i64) -> Cut {
    Cut {
        id: CutId { incarnation: 2, sequence },
        kind: CutKind::Complete,
        alone: false,
        snapshot_complete: true,
        position: Position { file: "binlog.000007".to_owned(), pos: 4_567, ..Position::default() },
        committed_us,
        written_us: committed_us,
        transactions: 3,
        touched: vec![Touched { topic: "t".to_owned(), partition: 0, events: 5, bytes: 700 }],
        previous_ends: Vec::new(),
        map_slice: Vec::new(),
    }
}

#[test]
fn nothing_is_known_before_the_first_cut() {
    let status = SourceView::new("shop").view().status();
    assert_eq!(
        (status.role.as_str(), status.name.as_str(), status.state.as_str()),
        ("source", "shop", "starting")
    );
    assert_eq!((status.cut, status.lag_seconds, status.committed_at), (None, None, None));
}

#[test]
fn a_cut_tells_position_lag_and_counts() {
    let view = SourceView::new("shop");
    view.rows(5);
    view.cut(&cut(9, now_us() - 2_000_000), Duration::from_millis(20));
    let status = view.view().status();
    assert_eq!(status.cut.as_deref(), Some("2.9"));
    assert_eq!(status.position.as_deref(), Some("binlog.000007:4567"));
    assert_eq!((status.rows, status.bytes, status.cuts), (5, 700, 1));
    let lag = status.lag_seconds.unwrap();
    assert!((2.0..10.0).contains(&lag), "{lag}");
}

#[test]
fn a_heartbeat_says_that_nothing_is_behind_it() {
    let view = SinkView::new("crm");
    let committed = now_us() - 60_000_000;
    view.cut(CutId { incarnation: 1, sequence: 1 }, committed);
    assert!(view.view().status().lag_seconds.unwrap() >= 60.0);
    view.passed(CutId { incarnation: 1, sequence: 2 }, 0);
    let status = view.view().status();
    assert_eq!((status.lag_seconds, status.cut.as_deref()), (Some(0.0), Some("1.2")));
    // What was committed last stays known.
    assert_eq!(status.committed_at, Some(crate::observe::rfc3339(committed)));
}

#[test]
fn a_clock_that_is_behind_the_sources_shows_no_negative_lag() {
    let view = SinkView::new("crm");
    view.cut(CutId::default(), now_us() + 5_000_000);
    assert_eq!(view.view().status().lag_seconds, Some(0.0));
}

#[test]
fn a_silence_longer_than_heartbeats_is_lag() {
    let view = SinkView::new("crm");
    view.cut(CutId::default(), 0);
    let long_ago = std::time::Instant::now().checked_sub(SILENCE + Duration::from_secs(100));
    // A machine that has just started has no instant that long ago.
    let Some(long_ago) = long_ago else { return };
    if let Some(cut) = &mut view.view().latest().cut {
        cut.at = long_ago;
    }
    let lag = view.view().status().lag_seconds.unwrap();
    assert!((100.0..110.0).contains(&lag), "{lag}");
}

#[test]
fn a_snapshot_has_an_end_in_sight_once_it_has_a_rate() {
    let view = SourceView::new("shop");
    let progress = |rows| SnapshotProgress {
        tables_done: 0,
        tables_total: 2,
        rows,
        rows_estimated: 10_000,
        paused: false,
    };
    view.snapshot(&progress(0));
    assert_eq!(view.view().status().snapshot.unwrap().eta_seconds, None);
    view.view().tick();
    std::thread::sleep(Duration::from_millis(20));
    view.snapshot(&progress(5_000));
    view.view().tick();
    assert!(view.view().status().snapshot.unwrap().eta_seconds.is_some());
    view.snapshot(&SnapshotProgress { tables_done: 2, ..progress(9_000) });
    let done = view.view().status().snapshot.unwrap();
    assert_eq!((done.tables_done, done.eta_seconds), (2, None));
}

#[test]
fn states_and_errors_show() {
    let view = SinkView::new("crm");
    view.state(State::Standby("'crm' works elsewhere".to_owned()));
    view.error(&Error::new(Kind::MysqlUnreachable, "db1:3306 is gone").hint("see that it runs"));
    let status = view.view().status();
    assert_eq!((status.state.as_str(), status.reason.as_deref()), ("standby", Some("'crm' works elsewhere")));
    let error = status.last_error.unwrap();
    assert_eq!(error.code, "E010");
    assert!(error.text.contains("db1:3306 is gone") && error.text.contains("see that it runs"));
}

#[test]
fn metrics_are_named_with_units_and_say_the_pipelines_name() {
    let view = SourceView::new("shop");
    view.rows(5);
    view.cut(&cut(1, 0), Duration::from_millis(3));
    view.error(&Error::new(Kind::Purged, "gone"));
    view.state(State::Streaming);
    let text = view.view().metrics_text();
    for line in [
        "# TYPE cdc_source_rows counter",
        "cdc_source_rows_total{name=\"shop\"} 5",
        "cdc_source_bytes_total{name=\"shop\"} 700",
        "cdc_source_cuts_total{name=\"shop\"} 1",
        "cdc_source_transactions_total{name=\"shop\"} 3",
        "cdc_source_commit_duration_seconds_count{name=\"shop\"} 1",
        "cdc_source_lag_seconds{name=\"shop\"} 0.0",
        "cdc_source_errors_total{name=\"shop\",code=\"E014\"} 1",
        "cdc_source_state{name=\"shop\",state=\"streaming\"} 1",
        "cdc_source_state{name=\"shop\",state=\"starting\"} 0",
        "cdc_snapshot_rows_total{name=\"shop\"} 0",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[test]
fn a_sink_has_its_own_names_and_no_snapshot() {
    let view = SinkView::new("crm");
    view.applied(4, Duration::from_millis(3));
    view.bytes(9);
    view.buffered(77);
    let text = view.view().metrics_text();
    for line in [
        "cdc_sink_rows_total{name=\"crm\"} 4",
        "cdc_sink_bytes_total{name=\"crm\"} 9",
        "cdc_sink_apply_duration_seconds_count{name=\"crm\"} 1",
        "cdc_sink_buffered_bytes{name=\"crm\"} 77",
        "cdc_sink_lag_seconds{name=\"crm\"} NaN",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    assert!(!text.contains("cdc_snapshot"), "{text}");
}

#[test]
fn what_is_set_aside_is_shown_until_it_is_released() {
    let view = SinkView::new("crm");
    let orders = SetAside {
        table: "shop.orders".to_owned(),
        keys: 2,
        letters: 5,
        since: "then".to_owned(),
        code: "E050".to_owned(),
        error: "error[E050]: too long\n  hint: widen it".to_owned(),
    };
    view.set_aside(vec![orders.clone()]);
    assert!(view.is_set_aside());
    let status = view.view().status();
    assert_eq!(status.set_aside, [orders]);
    let text = status.to_string();
    let line = "set aside  shop.orders is no past state of the source: 2 of its keys are in quarantine since then, \
                with 5 dead letters\n           error[E050]: too long\n";
    assert!(text.contains(line), "{text}");
    let text = view.view().metrics_text();
    for line in [
        "cdc_sink_quarantined_keys{name=\"crm\",table=\"shop.orders\"} 2",
        "cdc_sink_dead_letters{name=\"crm\",table=\"shop.orders\"} 5",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    view.set_aside(Vec::new());
    assert!(!view.view().metrics_text().contains("shop.orders"));
    assert!(view.view().status().set_aside.is_empty());
}
