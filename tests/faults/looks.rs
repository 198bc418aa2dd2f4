//! Looks at the destination again and again, each time at all tables and the ledger
//! in one read view. From the end of the snapshot on, whenever: what it holds is what
//! the source held after exactly the transaction that `seq` names; that number and the
//! ledger never go back; and neither moves without the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Result, Row};

use super::model::{Digest, GROWN, History, SHAPES, TABLES, digest};
use super::side::Side;
use crate::kit::World;

/// Between two looks, so that they leave the machine to what they look at.
pub const PAUSE: Duration = Duration::from_millis(25);

/// The same where many worlds are looked at at once.
pub const LONG_PAUSE: Duration = Duration::from_millis(500);

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
type Lines = [Vec<String>; TABLES];

/// What the ledger says: epoch, incarnation and sequence of the cut.
pub type Ledger = (u64, u64, u64);

/// Looks until told to stop. A destination that is away is looked at when it is back.
pub async fn look(
    world: Arc<World>,
    history: Arc<History>,
    side: Arc<Side>,
    looks: Arc<Looks>,
    (stop, pause): (Arc<AtomicBool>, Duration),
) {
    let mut last = None;
    while !stop.load(Ordering::Relaxed) {
        if let Ok(mut conn) = world.try_dest_conn().await {
            while !stop.load(Ordering::Relaxed) {
                let Ok(seen) = view(&mut conn, &world.name, &history, &side).await else { break };
                if let Some((ledger, number)) = seen {
                    follows(last, (ledger, number));
                    let is_new = last.is_none_or(|(_, last)| last < number);
                    looks.states.fetch_add(u64::from(is_new), Ordering::Relaxed);
                    looks.count.fetch_add(1, Ordering::Relaxed);
                    looks.last.store(number, Ordering::Release);
                    last = Some((ledger, number));
                }
                tokio::time::sleep(pause).await;
            }
        }
        tokio::time::sleep(pause).await;
    }
}

/// Ledger and state at one moment; `None` before the snapshot is through.
async fn view(conn: &mut Conn, name: &str, history: &History, side: &Side) -> Result<Option<(Ledger, u64)>> {
    conn.query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await?;
    let sql = format!(
        "SELECT epoch, incarnation, sequence FROM cdc.ledger WHERE name = '{name}' AND snapshot_complete"
    );
    let seen = match conn.query_first(sql).await? {
        Some(ledger) => Some((ledger, state(conn, name, history).await?)),
        None => None,
    };
    if seen.is_some() {
        side.look(conn).await?;
    }
    conn.query_drop("COMMIT").await?;
    Ok(seen)
}

/// The number of the transaction after which the source held what is here, in the view of the
/// open transaction.
pub async fn state(conn: &mut Conn, database: &str, history: &History) -> Result<u64> {
    conn.query_drop(format!("USE `{database}`")).await?;
    let number: Option<Option<u64>> = conn.query_first("SELECT MAX(n) FROM seq").await?;
    let number = number.flatten().unwrap_or_else(|| panic!("there is no number in seq"));
    let seen = digest_of_all(conn).await?;
    if !history.has(number, &seen) {
        let mut lines = Lines::default();
        for (table, lines) in lines.iter_mut().enumerate() {
            *lines = rows(conn, table).await?;
        }
        panic!(
            "this is not what the source held after transaction {number}:\n{}",
            history.explain(number, &lines)
        );
    }
    Ok(number)
}

/// Whether the destination holds what the source did after that transaction.
pub async fn has_all(world: &World, history: &History, number: u64) -> bool {
    let Ok(mut conn) = world.try_dest_conn().await else { return false };
    let seen = async {
        conn.query_drop(format!("USE `{}`", world.name)).await?;
        digest_of_all(&mut conn).await
    };
    seen.await.is_ok_and(|seen| history.has(number, &seen))
}

/// The digest of all tables of the connection's database.
async fn digest_of_all(conn: &mut Conn) -> Result<Digest> {
    let mut seen = Digest::default();
    for (table, shape) in SHAPES.iter().enumerate() {
        seen[table] = match table {
            GROWN => digest(rows(conn, table).await?.iter()),
            _ => conn.query_first(shape.select_digest()).await?.unwrap_or_default(),
        };
    }
    Ok(seen)
}

/// All rows of a table as lines.
async fn rows(conn: &mut Conn, table: usize) -> Result<Vec<String>> {
    let shape = &SHAPES[table];
    if table != GROWN {
        return conn.query(shape.select()).await;
    }
    let line = |row: Row| {
        let columns = row.columns();
        let names = columns.iter().map(mysql_async::Column::name_str);
        shape.line(names.zip(0..).map(|(name, c)| (name, row.get(c).unwrap())))
    };
    conn.query_map("SELECT * FROM grown", line).await
}

/// What is seen now may come after what was seen last.
pub fn follows(last: Option<(Ledger, u64)>, now: (Ledger, u64)) {
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
