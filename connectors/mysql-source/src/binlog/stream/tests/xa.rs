//! XA transactions on a real server: what is handed out when, from every place to begin at.

use cdc_sdk::{OwnedValue, Position, Value};

use super::lab::{Lab, Seen, read_to};
use crate::binlog::BinlogEvent;
use crate::ddl::Effect;

/// The ids of rows that came, in order; `|` where a transaction with any ends, `!` where all tables
/// are to be read again.
fn ids(seen: &[Seen]) -> String {
    let mut text = String::new();
    for one in seen {
        match one {
            Seen::Row(_, _, Some(row)) => match row[0] {
                OwnedValue::Plain(Value::Int(id)) => text += &format!(" {id}"),
                ref other => panic!("{other:?}"),
            },
            Seen::Ddl(ddl) if ddl.effects == [Effect::Unknown { table: None }] => text += " !",
            Seen::Commit(_) if !text.is_empty() && !text.ends_with('|') => text += " |",
            _ => {}
        }
    }
    text
}

impl Lab {
    /// Prepares a transaction, which lets go of its connection.
    async fn prepare(&mut self, xid: &str, statement: &str) {
        for statement in [&format!("XA START {xid}"), statement, &format!("XA END {xid}")] {
            self.run(statement).await;
        }
        self.run(format!("XA PREPARE {xid}")).await;
    }
}

/// XIDs are the server's, so other tests must not have the same.
fn xid(name: &str) -> String {
    format!("'{name}-{}'", std::process::id())
}

#[tokio::test]
async fn rows_come_when_they_are_committed_wherever_one_begins() {
    let Some(mut lab) = Lab::open_alone("xa").await else { return };
    lab.run("CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(20))").await;
    lab.run("CREATE TABLE uncaptured (id INT PRIMARY KEY)").await;
    let start = lab.now().await;
    let [a, b, c, d] = ["a", "b", "c", "d"].map(xid);
    // XA PREPARE has 32 bits for the number at the end.
    let [a, d] = [a, d].map(|xid| format!("{xid},'',4294967297"));
    let mut starts = Vec::new();
    lab.prepare(&a, "INSERT INTO t VALUES (1, 'a'), (2, 'a')").await;
    lab.run("INSERT INTO t VALUES (10, 'plain')").await;
    lab.prepare(&b, "INSERT INTO t VALUES (3, 'b')").await;
    lab.prepare(&c, "INSERT INTO uncaptured VALUES (4)").await;
    starts.push(lab.now().await);
    lab.run("FLUSH BINARY LOGS").await;
    lab.run("INSERT INTO t VALUES (11, 'plain')").await;
    lab.run(format!("XA ROLLBACK {b}")).await;
    lab.prepare(&d, "INSERT INTO t VALUES (5, 'd')").await;
    lab.run("INSERT INTO t VALUES (12, 'plain')").await;
    lab.run(format!("XA COMMIT {d}")).await;
    lab.run(format!("XA COMMIT {a}")).await;
    lab.run(format!("XA COMMIT {c}")).await;
    lab.run("INSERT INTO t VALUES (13, 'plain')").await;
    let end = lab.now().await;

    let mut stream = lab.stream(start.clone()).await;
    let seen = read_to(&mut stream, &end).await;
    assert_eq!(ids(&seen), " 10 | 11 | 12 | 5 | 1 2 | 13 |");
    let (reached, there) = (stream.position().gtids.clone().unwrap(), end.gtids.clone().unwrap());
    assert!(there.is_subset(&reached), "{there} is not in {reached}: something was left open");
    // From after each transaction the rest comes, however the log lies.
    for (index, one) in seen.iter().enumerate() {
        let Seen::Commit(commit) = one else { continue };
        let mut stream = lab.stream(commit.position.clone()).await;
        let rest = read_to(&mut stream, &end).await;
        assert_eq!(ids(&rest), ids(&seen[index + 1..]), "from {:?}", commit.position);
    }
    // From where a and b were prepared, by a source that has read nothing before: c's rows do not
    // matter, which it cannot know.
    let mut stream = lab.stream(starts.remove(0)).await;
    let rest = read_to(&mut stream, &end).await;
    assert_eq!(ids(&rest), " 11 | 12 | 5 | ! | ! | 13 |");
    lab.close().await;
}

/// More than is held of transactions that are not decided.
const LARGE_ROWS: i64 = 20;

#[tokio::test]
async fn rows_that_are_too_many_to_hold_are_read_again() {
    let Some(mut lab) = Lab::open_alone("xalarge").await else { return };
    lab.run("CREATE TABLE t (id INT PRIMARY KEY, a MEDIUMTEXT)").await;
    let start = lab.now().await;
    let [small, large, one] = ["small", "large", "one"].map(xid);
    let fill = |from: i64| {
        let rows: Vec<String> =
            (0..LARGE_ROWS).map(|i| format!("({}, REPEAT('x', 1000000))", from + i)).collect();
        format!("INSERT INTO t VALUES {}", rows.join(","))
    };
    lab.prepare(&small, "INSERT INTO t VALUES (1, 'small')").await;
    lab.prepare(&large, &fill(100)).await;
    lab.run("INSERT INTO t VALUES (2, 'plain')").await;
    lab.run(format!("XA COMMIT {large}")).await;
    lab.run("INSERT INTO t VALUES (3, 'plain')").await;
    for statement in [
        format!("XA START {one}"),
        fill(200),
        format!("XA END {one}"),
        format!("XA COMMIT {one} ONE PHASE"),
        format!("XA COMMIT {small}"),
    ] {
        lab.run(statement).await;
    }
    let end = lab.now().await;
    let many = |from: i64| (from..from + LARGE_ROWS).map(|id| format!(" {id}")).collect::<String>();
    let (first, second) = (many(100), many(200));
    let seen = lab.read_from(start.clone()).await;
    assert_eq!(ids(&seen), format!(" 2 |{first} | 3 |{second} | 1 |"));

    // A restart inside of it goes on at the next row.
    let mut stream = lab.stream(start).await;
    let from = loop {
        if let BinlogEvent::Rows(mut rows) = stream.next().await.unwrap()
            && rows.len() == 1
            && stream.position().gtids.is_some()
        {
            let change = rows.next_row().unwrap().unwrap();
            let after = super::lab::owned(&change.after.unwrap()).unwrap();
            if after[0] == OwnedValue::Plain(Value::Int(107)) {
                break Position { partial: Some(rows.partial().unwrap()), ..stream.position().clone() };
            }
        }
    };
    let mut stream = lab.stream(from).await;
    let rest = read_to(&mut stream, &end).await;
    let left: String = (108..100 + LARGE_ROWS).map(|id| format!(" {id}")).collect();
    assert_eq!(ids(&rest), format!("{left} | 3 |{second} | 1 |"));
    lab.close().await;
}
