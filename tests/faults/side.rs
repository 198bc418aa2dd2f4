//! Writers beside the main one, each with rows of its own in one table: commits of
//! several connections are on their way at once, most of all during the snapshot. What
//! one of them has written is, at any moment, what it wrote up to some transaction.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Result};

use super::changes::{ByKey, OfKey, READ, Seen};
use super::looks::Looks;
use super::model::{Shape, digest};
use super::workload::{AHEAD_MAX, reconnect, run};
use crate::kit::{Dice, World};

/// How many they are.
pub const WRITERS: usize = 2;

/// The number of their table, behind those of the model.
pub const SIDE: usize = super::model::TABLES;

pub static SHAPE: Shape = Shape {
    name: "side",
    create: "id INT PRIMARY KEY, n BIGINT NOT NULL",
    columns: &["id", "n"],
    texts: &[],
    keyed: true,
};

/// Rows of each, of which the first is in every transaction.
pub const ROWS: u64 = 300;

/// Rows of one writer begin at multiples of this.
const STRIDE: u64 = 1000;

/// Most rows of a transaction.
const AT_ONCE: u64 = 8;

const WAIT_SNAPSHOT_MS: u64 = 10;
const WAIT_MS: u64 = 150;

/// Transactions after which a snapshot has had enough of them: where it takes long, more would only be a backlog.
const SNAPSHOT_MAX: u64 = 1500;

/// What each of them has done.
#[derive(Default)]
pub struct Side {
    writers: [Mutex<Journal>; WRITERS],
    committed: [AtomicU64; WRITERS],
    /// The last transaction of each that was seen at the destination.
    pub seen: [AtomicU64; WRITERS],
}

#[derive(Default)]
struct Journal {
    /// The rows that each transaction wrote, from number 1 on.
    written: Vec<Vec<u64>>,
    /// The digest after each, from number 0 on.
    digests: Vec<u64>,
}

/// Makes the table.
pub async fn create(world: &World, side: &Side) {
    world.source_sql(&format!("CREATE TABLE side ({})", SHAPE.create)).await;
    side.begin();
    for writer in 0..WRITERS {
        let values: Vec<String> = (0..ROWS).map(|row| format!("({},0)", id(writer, row))).collect();
        world.source_sql(&format!("INSERT INTO side VALUES {}", values.join(","))).await;
    }
}

/// Its rows at first, as lines.
pub fn first_lines(writer: usize) -> Vec<String> {
    (0..ROWS).map(|row| format!("{}|0", id(writer, row))).collect()
}

fn id(writer: usize, row: u64) -> u64 {
    writer as u64 * STRIDE + row
}

/// Whose row that is.
pub fn writer_of(id: i64) -> usize {
    usize::try_from(id.unsigned_abs() / STRIDE).unwrap()
}

/// The row that is in each of a writer's transactions.
pub fn first_of(writer: usize) -> i64 {
    i64::try_from(id(writer, 0)).unwrap()
}

impl Side {
    /// Notes what is there at first.
    pub fn begin(&self) {
        for (writer, journal) in self.writers.iter().enumerate() {
            journal.lock().unwrap().digests.push(digest(first_lines(writer).iter()));
        }
    }

    /// Writes until told to stop.
    pub async fn write(
        self: Arc<Self>,
        world: Arc<World>,
        writer: usize,
        looks: Arc<Looks>,
        stop: Arc<AtomicBool>,
        mut dice: Dice,
    ) {
        let mut conn = reconnect(&world).await;
        let mut state = vec![0; usize::try_from(ROWS).unwrap()];
        for number in 1_u64.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let mut rows: Vec<u64> = (0..dice.below(AT_ONCE)).map(|_| dice.below(ROWS)).collect();
            rows.push(0);
            rows.sort_unstable();
            rows.dedup();
            rows.iter().for_each(|row| state[usize::try_from(*row).unwrap()] = number);
            let ids: Vec<String> = rows.iter().map(|row| id(writer, *row).to_string()).collect();
            self.plan(writer, rows, &state);
            let sql = format!("UPDATE side SET n={number} WHERE id IN ({})", ids.join(","));
            let question = format!("SELECT n FROM side WHERE id={}", id(writer, 0));
            run(&world, &mut conn, &sql, &question, number).await;
            self.committed[writer].store(number, Ordering::Release);
            let streaming = looks.count.load(Ordering::Relaxed) > 0;
            let far = streaming && number - self.seen[writer].load(Ordering::Relaxed) > AHEAD_MAX;
            let wait = if streaming || number > SNAPSHOT_MAX { WAIT_MS } else { WAIT_SNAPSHOT_MS };
            tokio::time::sleep(Duration::from_millis(dice.below(wait) + if far { WAIT_MS } else { 0 })).await;
        }
    }

    /// Notes which rows the next transaction of a writer writes, and all of them after it.
    pub fn plan(&self, writer: usize, rows: Vec<u64>, state: &[u64]) {
        let lines: Vec<String> =
            (0..).zip(state).map(|(row, n)| format!("{}|{n}", id(writer, row))).collect();
        let mut journal = self.writers[writer].lock().unwrap();
        journal.written.push(rows);
        journal.digests.push(digest(lines.iter()));
    }

    /// Whether all that was committed was seen.
    pub fn has_arrived(&self) -> bool {
        let all = self.committed.iter().zip(&self.seen);
        all.into_iter().all(|(made, seen)| seen.load(Ordering::Acquire) >= made.load(Ordering::Acquire))
    }

    /// How many transactions they made.
    pub fn commits(&self) -> u64 {
        self.committed.iter().map(|number| number.load(Ordering::Relaxed)).sum()
    }

    /// Looks at their rows, in the view of the open transaction, and notes how far they are.
    pub async fn look(&self, conn: &mut Conn) -> Result<()> {
        let line = "CONCAT_WS('|', id, n)";
        let sql = format!(
            "SELECT id DIV {STRIDE} AS writer, MAX(n), CAST(SUM(CRC32({line}) + {}) AS UNSIGNED) FROM side GROUP BY writer",
            super::model::A_ROW
        );
        let found: Vec<(usize, u64, u64)> = conn.query(sql).await?;
        self.saw(&found);
        Ok(())
    }

    /// Notes for each writer the transaction that its rows name, and their digest.
    pub fn saw(&self, found: &[(usize, u64, u64)]) {
        assert_eq!(found.len(), WRITERS, "each writer beside has its rows");
        for &(writer, number, digest) in found {
            let last = self.seen[writer].load(Ordering::Relaxed);
            assert!(
                number >= last,
                "writer {writer} beside: the destination went back from {last} to {number}"
            );
            assert!(
                self.had(writer, number, digest),
                "this is not what writer {writer} beside had written with its transaction {number}"
            );
            self.seen[writer].store(number, Ordering::Release);
        }
    }

    /// Whether that is what a writer's rows were after that transaction of its own.
    pub fn had(&self, writer: usize, number: u64, digest: u64) -> bool {
        let journal = self.writers[writer].lock().unwrap();
        journal.digests.get(usize::try_from(number).unwrap()) == Some(&digest)
    }

    /// Notes how far they are by the row that each of their transactions writes.
    pub fn saw_versions(&self, version: impl Fn(i64) -> Option<u64>) {
        for (writer, seen) in self.seen.iter().enumerate() {
            seen.store(version(first_of(writer)).unwrap_or(0), Ordering::Release);
        }
    }

    /// Compares with what was published, which is taken out of it.
    pub fn compare(&self, seen: &mut ByKey) {
        for writer in 0..WRITERS {
            let of_first = seen.get(&(SIDE, id(writer, 0).to_string()));
            let first = of_first.and_then(|changes| {
                let streamed = changes.iter().find(|(op, ..)| *op != READ)?;
                streamed.2.as_ref()?.split('|').nth(1)?.parse::<usize>().ok()
            });
            let written = std::mem::take(&mut self.writers[writer].lock().unwrap().written);
            let first = first.unwrap_or(written.len() + 1);
            let mut state = vec![0; usize::try_from(ROWS).unwrap()];
            let mut changes: Vec<Vec<Seen>> = vec![Vec::new(); state.len()];
            let mut begin = state.clone();
            for (number, rows) in (1..).zip(written) {
                if number == first {
                    begin.clone_from(&state);
                }
                for row in rows {
                    let key = id(writer, row);
                    let at = usize::try_from(row).unwrap();
                    let before = std::mem::replace(&mut state[at], number);
                    if number >= first {
                        let line = |n: usize| Some(format!("{key}|{n}"));
                        changes[at].push(("u", line(before), line(number)));
                    }
                }
            }
            for (row, changes) in (0..).zip(&changes) {
                let key = id(writer, row).to_string();
                let seen = seen.remove(&(SIDE, key.clone())).unwrap_or_default();
                let rows = vec![format!("{key}|{}", begin[usize::try_from(row).unwrap()])];
                OfKey {
                    name: format!("side key {key} from transaction {first} on"),
                    keyed: true,
                    rows,
                    changes,
                    readings: 1,
                }
                .compare(&seen);
            }
        }
    }
}
