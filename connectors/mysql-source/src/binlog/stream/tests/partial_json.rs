//! JSON values written in part: what a real server makes of random documents under random changes,
//! compared with what it says that it holds.

use std::collections::BTreeMap;

use mysql_async::Params;
use mysql_async::prelude::Queryable;

use cdc_sdk::{OwnedRow, OwnedValue, Value};

use super::lab::{Lab, Seen};

/// Updates of the default run.
const UPDATES: usize = 400;
/// So many events hold differences, at least: what is not worth it the server writes whole.
const PARTIAL_MIN: usize = UPDATES / 2;

/// A generator of numbers (splitmix64), so that a seed makes the same documents again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) >> 1).unwrap() % end
    }

    fn pick<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }

    fn path(&mut self) -> String {
        let mut path = "$".to_owned();
        for _ in 0..=self.below(4) {
            if self.below(5) < 2 {
                path += self.pick(&["[0]", "[1]", "[2]", "[7]", "[last]", "[last-1]", "[last-9]"]);
            } else {
                path += ".";
                path += &serde_json::to_string(self.key()).unwrap();
            }
        }
        path
    }

    fn key(&mut self) -> &'static str {
        self.pick(&["a", "b", "cc", "k.1", "q\"", "ä😀", "s p", "$", "a[0]", "", "b\\s\n", "*", "last"])
    }

    fn value(&mut self) -> String {
        let scalars = [
            "NULL",
            "TRUE",
            "7",
            "-70000",
            "40000",
            "5000000000",
            "18446744073709551615",
            "1.5e0",
            "2.50",
            "'x'",
            "'ä😀\"\\n'",
            "REPEAT('y', 300)",
            "TIMESTAMP'2024-02-29 12:34:56.789'",
            "JSON_ARRAY(JSON_OBJECT('a', JSON_ARRAY(1, 2)), 3)",
            "JSON_OBJECT('a', JSON_ARRAY(), 'cc', JSON_OBJECT('b', 1.5e0))",
        ];
        self.pick(&scalars).to_owned()
    }

    /// A document over the limit of small ones, too, with filling that makes differences worth while.
    fn document(&mut self) -> String {
        let filling = self.pick(&["500", "3000", "70000"]);
        let mut members = vec![format!("'filling', REPEAT('z', {filling})")];
        for key in ["a", "b", "cc", "ä😀", "k.1"] {
            let value = self.value();
            let nested = match self.below(3) {
                0 => value,
                1 => format!("JSON_ARRAY({value}, {}, JSON_OBJECT('a', {value}))", self.value()),
                _ => format!("JSON_OBJECT('b', {value}, 'q\"', JSON_ARRAY({value}))"),
            };
            members.push(format!("'{key}', {nested}"));
        }
        let object = format!("JSON_OBJECT({})", members.join(", "));
        if self.below(4) == 0 { format!("JSON_ARRAY(1, {object}, 2, 70000)") } else { object }
    }

    /// What becomes of a column, with the paths as parameters.
    fn change(&mut self, column: &str, paths: &mut Vec<String>) -> String {
        let mut changed = column.to_owned();
        for _ in 0..=self.below(3) {
            let function = self.pick(&["JSON_SET", "JSON_SET", "JSON_REPLACE", "JSON_REMOVE"]);
            let mut arguments = vec![changed];
            for _ in 0..=self.below(2) {
                arguments.push("?".to_owned());
                paths.push(self.path());
                if function != "JSON_REMOVE" {
                    arguments.push(self.value());
                }
            }
            changed = format!("{function}({})", arguments.join(", "));
        }
        changed
    }
}

type Documents = BTreeMap<i64, [Option<String>; 2]>;

async fn held(lab: &mut Lab) -> Documents {
    let rows: Vec<(i64, Option<String>, Option<String>)> =
        lab.conn.query("SELECT id, CAST(j AS CHAR), CAST(k AS CHAR) FROM t").await.unwrap();
    rows.into_iter().map(|(id, j, k)| (id, [j, k])).collect()
}

fn take(documents: &mut Documents, row: &OwnedRow) {
    let OwnedValue::Plain(Value::Int(id)) = row[0] else { panic!("{row:?}") };
    let text = |value: &OwnedValue| match value {
        OwnedValue::Json(text) => Some(text.clone()),
        OwnedValue::Plain(Value::Null) => None,
        other => panic!("{other:?}"),
    };
    documents.insert(id, [text(&row[1]), text(&row[3])]);
}

#[tokio::test]
async fn documents_written_in_part_are_what_the_server_holds() {
    let Some(mut lab) = Lab::open("diffs").await else { return };
    let seed = std::env::var("CDC_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(5);
    println!("partial JSON: CDC_TEST_SEED={seed}");
    let mut dice = Dice(seed);
    lab.run("CREATE TABLE t (id INT PRIMARY KEY, j JSON, a TEXT, k JSON)").await;
    let start = lab.now().await;
    lab.run("SET binlog_row_value_options = PARTIAL_JSON").await;
    let mut expected = Vec::new();
    for id in 0..4 {
        let (j, k) = (dice.document(), dice.document());
        lab.run(format!("INSERT INTO t VALUES ({id}, {j}, 'a', {k})")).await;
        expected.push(held(&mut lab).await);
    }
    let updates = std::env::var("CDC_JSON_UPDATES").ok().and_then(|n| n.parse().ok()).unwrap_or(UPDATES);
    for update in 0..updates {
        let mut paths = Vec::new();
        let mut sets = vec!["a = IF(a = 'a', 'b', 'a')".to_owned()];
        for column in ["j", "k"] {
            match dice.below(30) {
                0 => sets.push(format!("{column} = {}", dice.document())),
                1 if update % 3 == 0 => sets.push(format!("{column} = NULL")),
                2..8 => {}
                _ => sets.push(format!("{column} = {}", dice.change(column, &mut paths))),
            }
        }
        let id = dice.below(6);
        let which = if id < 4 { format!("id = {id}") } else { "TRUE".to_owned() };
        let sql = format!("UPDATE t SET {} WHERE {which}", sets.join(", "));
        // A path may be one that a function does not take.
        if lab.conn.exec_drop(&sql, Params::from(paths)).await.is_ok() {
            expected.push(held(&mut lab).await);
        }
    }
    let end = lab.now().await;
    let mut documents = Documents::new();
    let mut seen = 0;
    let mut stream = lab.stream(start.clone()).await;
    for one in super::lab::read_to(&mut stream, &end).await {
        match one {
            Seen::Row(_, _, Some(row)) => take(&mut documents, &row),
            // Others write to the same log.
            Seen::Commit(_) if expected.get(seen) == Some(&documents) => seen += 1,
            Seen::Commit(_) if seen == 0 || documents == expected[seen - 1] => {}
            Seen::Commit(_) => panic!("after {seen} changes: {documents:?}\nnot {:?}", expected[seen]),
            _ => {}
        }
    }
    assert_eq!(seen, expected.len());
    let partial = written_in_part(&mut lab, &start, &end).await;
    println!("partial JSON: {seen} transactions, {partial} events with differences");
    assert!(partial >= PARTIAL_MIN, "only {partial} events hold differences");
    lab.close().await;
}

/// How many events with differences the log has between two places.
async fn written_in_part(lab: &mut Lab, from: &cdc_sdk::Position, to: &cdc_sdk::Position) -> usize {
    let logs: Vec<mysql_async::Row> = lab.conn.query("SHOW BINARY LOGS").await.unwrap();
    let mut count = 0;
    for file in logs.iter().map(|log| log.get::<String, _>(0).unwrap()) {
        if !(&from.file..=&to.file).contains(&&file) {
            continue;
        }
        let first = if file == from.file { from.pos } else { 4 };
        let events = format!("SHOW BINLOG EVENTS IN '{file}' FROM {first}");
        let rows: Vec<mysql_async::Row> = lab.conn.query(events).await.unwrap();
        let kind = |row: &mysql_async::Row| row.get::<String, _>(2).unwrap();
        let at = |row: &mysql_async::Row| row.get::<u64, _>(1).unwrap();
        let before = |row: &mysql_async::Row| file != to.file || at(row) < to.pos;
        count += rows.iter().filter(|row| before(row) && kind(row) == "Update_rows_partial").count();
    }
    count
}
