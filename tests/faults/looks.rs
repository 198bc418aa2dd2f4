//! Looks at the destination again and again, each time at all tables and the ledger
//! in one read view. From the end of the snapshot on, whenever: what it holds is what
//! the source held after exactly the transaction that `seq` names; that number and the
//! ledger never go back; and neither moves without the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Result, Row};

use super::model::{GROWN, History, SEQ, SHAPES, TABLES, digest};
use crate::kit::World;

/// Between two looks, so that they leave the machine to what they look at.
const PAUSE: Duration = Duration::from_millis(15);

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

/// All rows as lines.
pub type Lines = [Vec<String>; TABLES];

/// What the ledger says: epoch, incarnation and sequence of the cut.
type Ledger = (u64, u64, u64);

/// Looks until told to stop. A destination that is away is looked at when it is back.
pub async fn look(world: Arc<World>, history: Arc<History>, looks: Arc<Looks>, stop: Arc<AtomicBool>) {
    let mut last = None;
    while !stop.load(Ordering::Relaxed) {
        if let Ok(mut conn) = world.try_dest_conn().await {
            while !stop.load(Ordering::Relaxed) {
                let Ok(seen) = view(&mut conn, &world.name).await else { break };
                if let Some((ledger, lines)) = seen {
                    let number = judge(&lines, &history);
                    follows(last, (ledger, number));
                    let is_new = last.is_none_or(|(_, last)| last < number);
                    looks.states.fetch_add(u64::from(is_new), Ordering::Relaxed);
                    looks.count.fetch_add(1, Ordering::Relaxed);
                    looks.last.store(number, Ordering::Release);
                    last = Some((ledger, number));
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Ledger and rows at one moment; `None` before the snapshot is through.
async fn view(conn: &mut Conn, name: &str) -> Result<Option<(Ledger, Lines)>> {
    conn.query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await?;
    let sql = format!(
        "SELECT epoch, incarnation, sequence FROM cdc.ledger WHERE name = '{name}' AND snapshot_complete"
    );
    let seen = match conn.query_first(sql).await? {
        Some(ledger) => Some((ledger, rows(conn, name).await?)),
        None => None,
    };
    conn.query_drop("COMMIT").await?;
    Ok(seen)
}

/// All rows, in the view of the open transaction.
pub async fn rows(conn: &mut Conn, database: &str) -> Result<Lines> {
    conn.query_drop(format!("USE `{database}`")).await?;
    let mut lines = Lines::default();
    for (table, (shape, lines)) in SHAPES.iter().zip(&mut lines).enumerate() {
        *lines = match table {
            GROWN => {
                conn.query_map("SELECT * FROM grown", |row: Row| {
                    shape.line((0..row.len()).map(|c| row.get(c).unwrap()))
                })
                .await?
            }
            _ => conn.query(shape.select()).await?,
        };
    }
    Ok(lines)
}

/// The number of the transaction after which the source held this.
fn judge(lines: &Lines, history: &History) -> u64 {
    let number: Option<u64> =
        lines[SEQ].first().and_then(|line| line.split('|').nth(1)).and_then(|n| n.parse().ok());
    let number = number.unwrap_or_else(|| panic!("no number in seq: {:?}", lines[SEQ]));
    let seen = std::array::from_fn(|table| digest(lines[table].iter()));
    assert!(
        history.digest(number) == Some(seen),
        "the destination is not what the source held after transaction {number}:\n{}",
        history.explain(number, lines)
    );
    number
}

fn follows(last: Option<(Ledger, u64)>, now: (Ledger, u64)) {
    let Some((last_ledger, last)) = last else { return };
    let (ledger, number) = now;
    assert!(number >= last, "the destination went back from transaction {last} to {number}");
    let (cut, last_cut) = ((ledger.1, ledger.2), (last_ledger.1, last_ledger.2));
    assert!(ledger.0 >= last_ledger.0, "the ledger went back from epoch {} to {}", last_ledger.0, ledger.0);
    assert!(cut >= last_cut, "the ledger went back from cut {last_cut:?} to {cut:?}");
    assert!(
        number == last || cut > last_cut,
        "the destination went from transaction {last} to {number} while the ledger stayed at cut {cut:?}"
    );
}
