//! Transactions, positions, restarts.

use cdc_sdk::{Kind, OwnedValue, Value};

use super::lab::{Lab, Seen, read_to};
use crate::binlog::BinlogEvent;
use crate::ddl::{ColumnChange, Effect};

/// Leaves out transactions of other tests on the same server.
fn own(seen: Vec<Seen>) -> Vec<Seen> {
    let mut kept: Vec<Seen> = Vec::new();
    for one in seen {
        if matches!((&one, kept.last()), (Seen::Commit(_), Some(Seen::Begin(_)))) {
            kept.pop();
        } else {
            kept.push(one);
        }
    }
    kept
}

fn shape(seen: &[Seen]) -> String {
    seen.iter()
        .map(|one| match one {
            Seen::Begin(_) => "B",
            Seen::Row(_, None, Some(_)) => "c",
            Seen::Row(_, Some(_), Some(_)) => "u",
            Seen::Row(_, Some(_), None) => "d",
            Seen::Row(..) => "?",
            Seen::Ddl(_) => "D",
            Seen::Commit(_) => "C ",
        })
        .collect()
}

#[tokio::test]
async fn a_transaction_is_begin_rows_commit() {
    let Some(mut lab) = Lab::open("road").await else { return };
    let start = lab.now().await;
    lab.run("CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(20))").await;
    lab.run("BEGIN").await;
    lab.run("INSERT INTO t VALUES (1, 'x'), (2, 'y')").await;
    lab.run("UPDATE t SET a = 'z' WHERE id = 2").await;
    lab.run("DELETE FROM t WHERE id = 1").await;
    lab.run("COMMIT").await;
    let seen = own(lab.read_from(start.clone()).await);
    assert_eq!(shape(&seen), "BDC BccudC ");
    let Seen::Begin(begin) = &seen[3] else { panic!() };
    let Seen::Commit(first) = &seen[2] else { panic!() };
    let Seen::Commit(commit) = &seen[8] else { panic!() };
    assert!(begin.origin.pos >= first.position.pos);
    assert!(begin.origin.gtid.is_some() && begin.origin.thread.is_some());
    let now_us = i64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_micros()).unwrap();
    assert!((now_us - commit.committed_us).abs() < 60_000_000);
    let gtids = commit.position.gtids.clone().unwrap();
    let mut expected = start.gtids.clone().unwrap();
    expected.insert(&begin.origin.gtid.as_ref().unwrap().parse().unwrap());
    assert!(expected.is_subset(&gtids));
    assert_eq!(commit.position.server_uuid.len(), 36);

    // From the first commit's position on, the rest and nothing else; by file too.
    let end = lab.now().await;
    for gtids in [first.position.gtids.clone(), None] {
        let from = cdc_sdk::Position { gtids, ..first.position.clone() };
        let mut stream = lab.stream(from).await;
        assert_eq!(shape(&own(read_to(&mut stream, &end).await)), "BccudC ");
    }
    lab.close().await;
}

#[tokio::test]
async fn a_restart_inside_a_transaction_goes_on_at_the_next_row() {
    let Some(mut lab) = Lab::open("partial").await else { return };
    lab.run("CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(2000))").await;
    lab.run("CREATE TABLE uncaptured (id INT PRIMARY KEY)").await;
    let start = lab.now().await;
    lab.run("BEGIN").await;
    for block in 0..4 {
        lab.run("INSERT INTO uncaptured VALUES (".to_owned() + &block.to_string() + ")").await;
        let rows: Vec<String> = (0..10).map(|i| format!("({}, REPEAT('x', 1500))", block * 10 + i)).collect();
        lab.run(format!("INSERT INTO t VALUES {}", rows.join(","))).await;
    }
    lab.run("COMMIT").await;
    let end = lab.now().await;

    let mut partials = Vec::new();
    let mut stream = lab.stream(start).await;
    let mut start = stream.position().clone();
    while partials.len() < 40 {
        match stream.next().await.unwrap() {
            BinlogEvent::Begin(_) => start = stream.position().clone(),
            BinlogEvent::Rows(mut rows) => {
                let count = rows.len();
                let mut walked = 0;
                let mut cursor = rows.cursor();
                while cursor.next_row().unwrap().is_some() {
                    walked += 1;
                }
                assert_eq!(walked, count);
                while rows.next_row().unwrap().is_some() {
                    partials.push(rows.partial().unwrap());
                }
                assert_eq!(rows.remaining_bytes(), 0);
            }
            BinlogEvent::Commit(_) | BinlogEvent::Ddl(_) | BinlogEvent::Idle => {}
        }
    }
    assert_eq!(partials.len(), 40);
    assert_eq!(partials[39].rows, 44);
    for (index, partial) in partials.iter().enumerate().step_by(7).chain([(39, &partials[39])]) {
        let from = cdc_sdk::Position { partial: Some(*partial), ..start.clone() };
        let mut stream = lab.stream(from).await;
        let seen = read_to(&mut stream, &end).await;
        let ids: Vec<_> = seen
            .iter()
            .filter_map(|s| match s {
                Seen::Row(_, _, Some(row)) => Some(row[0].clone()),
                _ => None,
            })
            .collect();
        let expected: Vec<_> = (index as i64 + 1..40).map(|id| OwnedValue::Plain(Value::Int(id))).collect();
        assert_eq!(ids, expected);
        let Some(Seen::Commit(commit)) = seen.last() else { panic!() };
        assert_eq!(commit.position.partial, None);
    }
    // Another transaction is found out.
    let mut other = partials[5];
    other.hash ^= 1;
    let from = cdc_sdk::Position { partial: Some(other), ..start.clone() };
    let mut stream = lab.stream(from).await;
    let error = loop {
        if let Err(error) = stream.next().await {
            break error;
        }
    };
    assert_eq!(error.kind(), Kind::ResumeMismatch);
    lab.close().await;
}

#[tokio::test]
async fn tagged_transactions_and_rotations_are_followed() {
    let Some(mut lab) = Lab::open("tagged").await else { return };
    lab.run("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let start = lab.now().await;
    lab.run("SET gtid_next = 'AUTOMATIC:hs_tag'").await;
    lab.run("INSERT INTO t VALUES (1)").await;
    lab.run("SET gtid_next = 'AUTOMATIC'").await;
    lab.run("FLUSH BINARY LOGS").await;
    lab.run("INSERT INTO t VALUES (2)").await;
    let seen = own(lab.read_from(start).await);
    let begins: Vec<_> = seen
        .iter()
        .filter_map(|s| match s {
            Seen::Begin(b) => Some(b.origin.clone()),
            _ => None,
        })
        .collect();
    assert!(begins[0].gtid.as_ref().unwrap().contains(":hs_tag:"), "{begins:?}");
    assert!(begins[0].file < begins[1].file);
    assert!(begins[0].ts_us > 0);
    let Some(Seen::Commit(commit)) = seen.last() else { panic!() };
    let position = commit.position.clone();
    assert!(position.gtids.as_ref().unwrap().to_string().contains("hs_tag"));
    lab.run("INSERT INTO t VALUES (3)").await;
    assert_eq!(shape(&own(lab.read_from(position).await)), "BcC ");
    lab.close().await;
}

#[tokio::test]
async fn statements_tell_what_they_did() {
    let Some(mut lab) = Lab::open("ddl").await else { return };
    let start = lab.now().await;
    lab.run("CREATE TABLE a (id INT PRIMARY KEY)").await;
    lab.run("ALTER TABLE a ADD COLUMN b INT DEFAULT 5").await;
    lab.run("RENAME TABLE a TO c").await;
    lab.run("TRUNCATE c").await;
    lab.run("CREATE TABLE s SELECT 1 AS x UNION SELECT 2").await;
    lab.run("CREATE TABLE uncaptured_t (id INT)").await;
    lab.run("CREATE VIEW v AS SELECT * FROM c").await;
    lab.run("DROP TABLE c, s").await;
    let seen = own(lab.read_from(start).await);
    assert_eq!(shape(&seen), "BDC BDC BDC BDC BDccC BDC ");
    let effects: Vec<Effect> = seen
        .iter()
        .filter_map(|s| match s {
            Seen::Ddl(ddl) => Some(ddl.effects.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    let name = |table: &str| lab.table(table);
    assert_eq!(
        effects,
        [
            Effect::Create(name("a")),
            Effect::Reshape(name("a")),
            Effect::Column {
                table: name("a"),
                name: "b".to_owned(),
                change: ColumnChange::Added { default: Some("5".to_owned()) }
            },
            Effect::Rename { from: name("a"), to: name("c") },
            Effect::Truncate(name("c")),
            Effect::Create(name("s")),
            Effect::Drop(name("c")),
            Effect::Drop(name("s")),
        ]
    );
    lab.close().await;
}

#[tokio::test]
async fn what_cannot_be_read_stops_with_a_hint() {
    let Some(mut lab) = Lab::open_alone("refuse").await else { return };
    lab.run("CREATE TABLE t (id INT PRIMARY KEY, j JSON)").await;
    lab.run("INSERT INTO t VALUES (0, '{\"a\": \"some text that is long enough to be worth it\"}')").await;
    let cases: [(&[&str], Kind); 3] = [
        (
            &[
                "SET binlog_row_value_options = PARTIAL_JSON, binlog_row_image = MINIMAL",
                "UPDATE t SET j = JSON_SET(j, '$.a', 'b')",
                "SET binlog_row_value_options = '', binlog_row_image = FULL",
            ],
            Kind::RowMismatch,
        ),
        (
            &["SET binlog_format = STATEMENT", "INSERT INTO t VALUES (3, NULL)", "SET binlog_format = ROW"],
            Kind::BinlogUnsupported,
        ),
        (
            &[
                "SET binlog_row_image = MINIMAL",
                "UPDATE t SET id = 9 WHERE id = 0",
                "SET binlog_row_image = FULL",
            ],
            Kind::RowMismatch,
        ),
    ];
    for (statements, kind) in cases {
        let start = lab.now().await;
        for statement in statements {
            lab.run(statement).await;
        }
        let mut stream = lab.stream(start).await;
        let error = loop {
            if let Err(error) = stream.next().await {
                break error;
            }
        };
        assert_eq!(error.kind(), kind, "{statements:?}: {error}");
        assert!(error.hint_text().is_some(), "{error}");
    }
    lab.close().await;
}

#[tokio::test]
async fn what_is_not_captured_may_do_as_it_likes() {
    let Some(mut lab) = Lab::open_alone("free").await else { return };
    lab.run("CREATE TABLE t (id INT PRIMARY KEY, j JSON)").await;
    lab.run("CREATE TABLE uncaptured (id INT PRIMARY KEY, a JSON, j JSON)").await;
    let start = lab.now().await;
    for statement in [
        "INSERT INTO uncaptured VALUES (0, '{}', '{\"a\": \"some text that is long enough to be worth it\"}')",
        "SET binlog_row_value_options = PARTIAL_JSON",
        "UPDATE uncaptured SET j = JSON_SET(j, '$.a', 'b')",
        "SET binlog_row_value_options = ''",
        "SET binlog_row_image = MINIMAL",
        "UPDATE uncaptured SET id = 9 WHERE id = 0",
        "SET binlog_row_image = FULL",
        "XA START 'x'",
        "INSERT INTO uncaptured VALUES (5, NULL, NULL)",
        "XA END 'x'",
        "XA PREPARE 'x'",
        "XA COMMIT 'x'",
        "CREATE DATABASE hs_elsewhere",
        "CREATE TABLE hs_elsewhere.t (id INT)",
        "SET binlog_format = STATEMENT",
        "INSERT INTO hs_elsewhere.t VALUES (RAND())",
        "SET binlog_format = ROW",
        "DROP DATABASE hs_elsewhere",
    ] {
        lab.run(statement).await;
    }
    assert_eq!(shape(&own(lab.read_from(start).await)), "");
    // One phase is a commit like any other.
    let start = lab.now().await;
    for statement in
        ["XA START 'y'", "INSERT INTO t VALUES (6, NULL)", "XA END 'y'", "XA COMMIT 'y' ONE PHASE"]
    {
        lab.run(statement).await;
    }
    assert_eq!(shape(&own(lab.read_from(start).await)), "BcC ");
    lab.close().await;
}

#[tokio::test]
async fn compressed_transactions_are_like_any_other() {
    let Some(mut lab) = Lab::open("zip").await else { return };
    lab.run("CREATE TABLE t (id INT PRIMARY KEY, a TEXT)").await;
    let start = lab.now().await;
    lab.run("SET binlog_transaction_compression = ON").await;
    lab.run("INSERT INTO t VALUES (1, REPEAT('x', 5000)), (2, NULL)").await;
    lab.run("UPDATE t SET a = 'y'").await;
    lab.run("SET binlog_transaction_compression = OFF").await;
    lab.run("DELETE FROM t").await;
    let seen = own(lab.read_from(start.clone()).await);
    assert_eq!(shape(&seen), "BccC BuuC BddC ");
    // A place is passed when all before it is handed out, not before.
    let mut stream = lab.stream(start).await;
    let mut at_begin = (String::new(), 0);
    let mut compressed = 0;
    while compressed < 2 {
        let event = stream.next().await.unwrap();
        let place = (stream.place().0.to_owned(), stream.place().1);
        match event {
            BinlogEvent::Begin(_) => at_begin = place,
            BinlogEvent::Rows(_) => {
                compressed += 1;
                assert_eq!(place, at_begin);
            }
            BinlogEvent::Commit(_) => {
                let position = stream.position();
                assert_eq!(place, (position.file.clone(), position.pos));
            }
            BinlogEvent::Ddl(_) | BinlogEvent::Idle => {}
        }
    }
    let Seen::Commit(first) = &seen[3] else { panic!() };
    let rest = own(lab.read_from(first.position.clone()).await);
    assert_eq!(shape(&rest), "BuuC BddC ");
    let by_file = cdc_sdk::Position { gtids: None, ..first.position.clone() };
    assert_eq!(shape(&own(lab.read_from(by_file).await)), "BuuC BddC ");
    lab.close().await;
}

#[tokio::test]
async fn waiting_may_be_given_up_and_heartbeats_come() {
    let Some(mut lab) = Lab::open("wait").await else { return };
    lab.run("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let start = lab.now().await;
    let mut stream = lab.stream(start).await;
    let mut rows = 0;
    for id in 0..200 {
        lab.run(format!("INSERT INTO t VALUES ({id})")).await;
        for _ in 0..4 {
            let waited = tokio::time::timeout(std::time::Duration::from_micros(300), stream.next()).await;
            if let Ok(event) = waited {
                rows += u32::from(matches!(event.unwrap(), BinlogEvent::Rows(_)));
            }
        }
    }
    while rows < 200 {
        rows += u32::from(matches!(stream.next().await.unwrap(), BinlogEvent::Rows(_)));
    }
    let end = lab.now().await;
    read_to(&mut stream, &end).await;
    let before = std::time::Instant::now();
    stream.next().await.unwrap();
    assert!(before.elapsed() < std::time::Duration::from_secs(10));
    lab.close().await;
}

#[tokio::test]
async fn positions_that_are_not_there_are_told_apart() {
    let Some(mut lab) = Lab::open("gone").await else { return };
    let mut start = lab.now().await;
    start.gtids.as_mut().unwrap().insert(&"3e11fa47-71ca-11e1-9e33-c80aa9429562:7".parse().unwrap());
    let catalogue = std::sync::Arc::new(super::lab::Nothing::default());
    let error = lab.stream_with(start.clone(), catalogue.clone()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Diverged, "{error}");
    let missing = cdc_sdk::Position { gtids: None, file: "binlog.999999".into(), ..start.clone() };
    let mut stream = lab.stream(missing).await;
    assert_eq!(stream.next().await.unwrap_err().kind(), Kind::Purged);
    let beyond = cdc_sdk::Position { gtids: None, pos: start.pos + 1_000_000_000, ..start.clone() };
    let mut stream = lab.stream(beyond).await;
    let error = loop {
        if let Err(error) = stream.next().await {
            break error;
        }
    };
    assert_eq!(error.kind(), Kind::Diverged, "{error}");
    let other = cdc_sdk::Position { gtids: None, server_uuid: "x".into(), ..start };
    let error = lab.stream_with(other, catalogue).await.unwrap_err();
    assert_eq!(error.kind(), Kind::OtherServer);
    lab.close().await;
}
