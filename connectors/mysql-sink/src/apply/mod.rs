//! Apply: folded changes as statements, in an order in which none hits another's row.
//!
//! For each table first every row goes that is to be deleted, then every row
//! whose unique values may be needed by another, then rows are written. Written
//! first, a row that takes a value from another would hit that other row over
//! the unique key, and MySQL would change it instead without an error. A guard in
//! the statement turns what is left of that danger into an error: a divergence.
//!
//! Where the destination has columns of its own no row goes for what may be: rows
//! are written as they stand, under that guard. Only if it says that one is in
//! another's way do they go, and get back what only the destination had (`kept`).
//!
//! Statements go in packets of bounded size, each packet one round trip; every
//! answer is checked before COMMIT is sent by itself.

mod decide;
mod json;
mod kept;
mod keyless;
mod literal;
mod misfit;
mod packet;
mod probe;
pub(crate) mod rows;
mod writer;

use decide::Order;
pub(crate) use decide::decide;
use kept::Kept;
pub(crate) use literal::{Form, binary, shown_value, text};
pub(crate) use misfit::{Danger, Members, Misfit};
pub(crate) use packet::Manner;
#[cfg(test)]
pub(crate) use packet::{Limits, Packet};
pub(crate) use probe::Probe;
pub(crate) use writer::{Writer, too_large};

use std::sync::Arc;

use cdc_sdk::value::Row;
use cdc_sdk::{Kind, Result, fail};

use crate::fold::{Folded, TableChanges};
use crate::ledger::Progress;
use crate::session::{Refusal, Session};
use crate::tables::Plan;

/// The plans of a batch: for each table, for each of its schemas.
pub(crate) type Plans = Vec<Vec<Arc<Plan>>>;

/// What of a batch the destination may have already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Replay {
    /// Some of it: rows in the way are replaced.
    pub converging: bool,
    /// All changes of rows without identity: they must not be done again.
    pub skips_keyless: bool,
}

impl Replay {
    /// As the ledger says, and the batch.
    pub fn of(progress: &Progress, over_holes: bool) -> Self {
        let converging = progress.converging() || over_holes;
        Self { converging, skips_keyless: progress.skips_keyless() }
    }
}

/// Rows a statement where a table is emptied.
const DELETE_ROWS_MAX: u64 = 10_000;

/// Empties a table row by row, within the transaction of the ledger, so that nobody sees it half empty. Returns
/// how many rows went.
pub(crate) async fn delete_all(session: &mut Session, table: &str) -> Result<u64, Refusal> {
    let sql = format!("DELETE FROM {table} LIMIT {DELETE_ROWS_MAX}");
    let mut deleted = 0;
    loop {
        let affected = session.command(&sql).await?.affected;
        deleted += affected;
        if affected < DELETE_ROWS_MAX {
            return Ok(deleted);
        }
    }
}

/// Writes all tables of a batch.
pub(crate) async fn apply<'a, R: Row + Sync>(
    writer: &mut Writer<'_, 'a, R>,
    folded: &'a Folded<'a, R>,
    plans: &'a Plans,
    replay: Replay,
) -> Result<()> {
    for (changes, plans) in folded.tables.iter().zip(plans) {
        apply_keyed(writer, changes, plans, replay.converging, Manner::Delete).await?;
        if !replay.skips_keyless {
            keyless::apply(writer, changes, plans).await?;
        }
    }
    Ok(())
}

/// Writes what had been set aside, after changes of other keys. A row that is gone is deleted only where its
/// key is spelled just so: of keys that a collation calls equal another may have taken its place.
pub(crate) async fn apply_late<'a, R: Row + Sync>(
    writer: &mut Writer<'_, 'a, R>,
    folded: &'a Folded<'a, R>,
    plans: &'a Plans,
) -> Result<()> {
    for (changes, plans) in folded.tables.iter().zip(plans) {
        apply_keyed(writer, changes, plans, false, Manner::DeleteExact).await?;
        keyless::apply(writer, changes, plans).await?;
    }
    Ok(())
}

/// Writes all tables of a batch of which other partitions know nothing. A row that is gone is deleted only where
/// its key is spelled just so: of keys that a collation calls equal, another partition may have written the other.
pub(crate) async fn apply_by_key<'a, R: Row + Sync>(
    writer: &mut Writer<'_, 'a, R>,
    folded: &'a Folded<'a, R>,
    plans: &'a Plans,
) -> Result<()> {
    for (changes, plans) in folded.tables.iter().zip(plans) {
        // Numbers have one spelling, and stand in a list.
        let numbers = plans.iter().all(|plan| plan.sql.delete_in_list);
        let delete = if numbers { Manner::Delete } else { Manner::DeleteExact };
        apply_keyed(writer, changes, plans, false, delete).await?;
        keyless::apply(writer, changes, plans).await?;
    }
    Ok(())
}

/// The changes of rows without a key, by themselves.
pub(crate) async fn apply_keyless<'a, R: Row + Sync>(
    writer: &mut Writer<'_, 'a, R>,
    changes: &'a TableChanges<'a, R>,
    plans: &'a [Arc<Plan>],
) -> Result<()> {
    keyless::apply(writer, changes, plans).await?;
    writer.flush().await
}

async fn apply_keyed<'a, R: Row + Sync>(
    writer: &mut Writer<'_, 'a, R>,
    changes: &'a TableChanges<'a, R>,
    plans: &'a [Arc<Plan>],
    converging: bool,
    delete: Manner,
) -> Result<()> {
    let order = decide(changes, plans, converging)?;
    let upserts_first = fail::planted("sink.upserts_first");
    if upserts_first {
        write(writer, plans, &order).await?;
    }
    send(writer, plans, delete, &order.deletes).await?;
    let own = decide::own_columns(plans);
    if own.is_empty() || order.holders.iter().all(Vec::is_empty) {
        send(writer, plans, delete, &order.holders).await?;
        if !upserts_first {
            write(writer, plans, &order).await?;
        }
    } else {
        writer.flush().await?;
        match write_at_once(writer, plans, &order).await {
            Err(error) if error.kind() == Kind::Divergence => {
                // What was written is what it is to be, and is written again.
                let kept = Kept::make(writer, plans, &own).await?;
                let written = write_around(writer, plans, delete, &order, &kept).await;
                kept.end(writer, written).await?;
            }
            written => written?,
        }
    }
    writer.applied.deletes += order.gone;
    writer.applied.upserts += order.written;
    Ok(())
}

async fn write_at_once<'a, R: Row + Sync>(
    writer: &mut Writer<'_, 'a, R>,
    plans: &'a [Arc<Plan>],
    order: &Order<'a, R>,
) -> Result<()> {
    write(writer, plans, order).await?;
    writer.flush().await
}

/// Rows that may be in another's way go meanwhile; their own columns are kept.
async fn write_around<'a, R: Row + Sync>(
    writer: &mut Writer<'_, 'a, R>,
    plans: &'a [Arc<Plan>],
    delete: Manner,
    order: &Order<'a, R>,
    kept: &Kept,
) -> Result<()> {
    kept.keep(writer, plans, &order.holders).await?;
    send(writer, plans, delete, &order.holders).await?;
    write(writer, plans, order).await?;
    kept.give_back(writer).await
}

/// The rows that stay.
async fn write<'a, R: Row + Sync>(
    writer: &mut Writer<'_, 'a, R>,
    plans: &'a [Arc<Plan>],
    order: &Order<'a, R>,
) -> Result<()> {
    send(writer, plans, Manner::Upsert, &order.upserts).await?;
    send(writer, plans, Manner::Replace, &order.replaces).await
}

async fn send<'a, R: Row + Sync>(
    writer: &mut Writer<'_, 'a, R>,
    plans: &'a [Arc<Plan>],
    manner: Manner,
    rows: &[Vec<&'a R>],
) -> Result<()> {
    for (plan, rows) in plans.iter().zip(rows) {
        writer.rows(plan, manner, rows).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
