//! Looks at the destination again and again: whenever, what it holds is what the
//! source held after exactly the transaction that `seq` names, and that number
//! never goes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Result};

use super::model::{History, SEQ, SHAPES, TABLES, digest};
use crate::kit::World;

/// Between two looks, so that they leave the machine to what they look at.
const PAUSE: Duration = Duration::from_millis(20);

/// What was seen.
#[derive(Default)]
pub struct Looks {
    /// How many looks.
    pub count: AtomicU64,
    /// How many different states.
    pub states: AtomicU64,
    /// The last state's number.
    pub last: AtomicU64,
}

/// Looks until told to stop. A destination that is away is looked at when it is back.
pub async fn look(world: Arc<World>, history: Arc<History>, looks: Arc<Looks>, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        if let Ok(mut conn) = world.try_dest_conn().await {
            while !stop.load(Ordering::Relaxed) {
                let Ok(lines) = rows(&mut conn, &world.name).await else { break };
                judge(&lines, &history, &looks);
                tokio::time::sleep(PAUSE).await;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// All rows at one moment, as lines.
pub async fn rows(conn: &mut Conn, database: &str) -> Result<[Vec<String>; TABLES]> {
    conn.query_drop(format!("USE `{database}`")).await?;
    conn.query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await?;
    let mut lines: [Vec<String>; TABLES] = Default::default();
    for (shape, lines) in SHAPES.iter().zip(&mut lines) {
        *lines = conn.query(shape.select()).await?;
    }
    conn.query_drop("COMMIT").await?;
    Ok(lines)
}

fn judge(lines: &[Vec<String>; TABLES], history: &History, looks: &Looks) {
    let number: Option<u64> =
        lines[SEQ].first().and_then(|line| line.split('|').nth(1)).and_then(|n| n.parse().ok());
    let number = number.unwrap_or_else(|| panic!("no number in seq: {:?}", lines[SEQ]));
    let last = looks.last.load(Ordering::Relaxed);
    assert!(number >= last, "the destination went back from transaction {last} to {number}");
    let seen = std::array::from_fn(|table| digest(lines[table].iter()));
    assert!(
        history.digest(number) == Some(seen),
        "the destination is not what the source held after transaction {number}:\n{}",
        history.explain(number, lines)
    );
    let first = looks.count.fetch_add(1, Ordering::Relaxed) == 0;
    if first || number > last {
        looks.states.fetch_add(1, Ordering::Relaxed);
    }
    looks.last.store(number, Ordering::Release);
}
