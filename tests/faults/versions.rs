//! Looks at the destination where several sinks share the topics (`consistency = "key"`). A
//! state of the source is not to be seen then, but each row only goes forward: the number of
//! the transaction that wrote it last never gets smaller.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Result};

use super::looks::Looks;
use super::model::{SEQ, SEQ_ROWS, SHAPES};
use super::side::{self, Side};
use crate::kit::World;

/// By table and key, the number that was seen last.
pub type Versions = HashMap<(&'static str, i64), u64>;

/// Looks until told to stop. A destination that is away, or has not all tables, is looked at later.
pub async fn look(
    world: Arc<World>,
    side: Arc<Side>,
    looks: Arc<Looks>,
    (stop, pause): (Arc<AtomicBool>, Duration),
) {
    let mut versions = Versions::new();
    while !stop.load(Ordering::Relaxed) {
        if let Ok(mut conn) = world.try_dest_conn().await {
            while !stop.load(Ordering::Relaxed) {
                let Ok(number) = view(&mut conn, &world.name, &side, &mut versions).await else { break };
                let is_new = looks.last.swap(number, Ordering::AcqRel) < number;
                looks.states.fetch_add(u64::from(is_new), Ordering::Relaxed);
                looks.count.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(pause).await;
            }
        }
        tokio::time::sleep(pause).await;
    }
}

/// Looks at all rows, and returns the last transaction of which, and of all before it, the row in `seq` is there.
async fn view(conn: &mut Conn, name: &str, side: &Side, versions: &mut Versions) -> Result<u64> {
    conn.query_drop(format!("USE `{name}`")).await?;
    let numbered = SHAPES.iter().chain([&side::SHAPE]).filter(|shape| shape.columns.contains(&"n"));
    let mut last = 0;
    for shape in numbered {
        let rows: Vec<(i64, u64)> = conn.query(format!("SELECT id, n FROM {}", shape.name)).await?;
        go_on(versions, shape.name, &rows);
        if shape.name == SHAPES[SEQ].name && rows.len() == usize::try_from(SEQ_ROWS).unwrap() {
            last = all_up_to(&rows);
        }
    }
    side.saw_versions(|id| versions.get(&(side::SHAPE.name, id)).copied());
    Ok(last)
}

/// No row of a table goes back.
pub fn go_on(versions: &mut Versions, table: &'static str, rows: &[(i64, u64)]) {
    for (id, number) in rows {
        let before = versions.insert((table, *id), *number).unwrap_or(0);
        assert!(*number >= before, "row {id} of {table} went back from transaction {before} to {number}");
    }
}

/// The last transaction of which, and of all before it, the row in `seq` is there.
pub fn all_up_to(rows: &[(i64, u64)]) -> u64 {
    rows.iter().map(|(id, number)| next(*id, *number)).min().unwrap() - 1
}

/// The transaction that writes into that row of `seq` next.
fn next(row: i64, number: u64) -> u64 {
    let rows = SEQ_ROWS.unsigned_abs();
    match (row.unsigned_abs(), number) {
        (0, 0) => rows,
        (row, 0) => row,
        (_, number) => number + rows,
    }
}
