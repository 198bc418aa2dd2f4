//! Which changes of a batch cannot be applied.
//!
//! Runs inside of a transaction that the caller rolls back afterwards. Only tables that may
//! have dead letters are tried; whatever else goes wrong comes back as the next attempt's error.

use std::collections::HashMap;
use std::sync::Arc;

use cdc_sdk::value::Row;
use cdc_sdk::{Error, Fate, Kind, Result, TableName};

use crate::apply::{self, Manner, Plans, Probe, Replay, Writer, decide};
use crate::batch::Change;
use crate::fold::{Before, Folded, Net, TableChanges};
use crate::session::Session;
use crate::tables::Plan;

/// A change that cannot be applied: one of its key's in the batch.
#[derive(Debug)]
pub(crate) struct Guilty<'a, R> {
    /// Names table and key.
    pub change: &'a Change<R>,
    /// What is wrong.
    pub error: Error,
}

/// What is searched.
pub(crate) struct Search<'p> {
    /// How the rows are written.
    pub plans: &'p Plans,
    /// Bytes of a statement at most.
    pub bytes_max: usize,
    /// What of it the destination may have already.
    pub replay: Replay,
    /// How many are enough: the search ends soon after.
    pub most: usize,
}

/// Finds the changes at fault. What it finds need not be all: the next attempt may meet more, since a row
/// that stays as it was may be in the way of another.
///
/// # Errors
/// What is not the fault of a row.
pub(crate) async fn search<'a, R: Row + Sync>(
    session: &mut Session,
    folded: Folded<'a, R>,
    ask: &Search<'_>,
    selected: impl Fn(&TableName) -> bool,
) -> Result<Vec<Guilty<'a, R>>> {
    let mut found = Vec::new();
    for (table, plans) in folded.tables.into_iter().zip(ask.plans) {
        let chosen = table.schemas.first().is_some_and(|schema| selected(&schema.name));
        if chosen && found.len() <= ask.most {
            found.extend(of_table(session, table, plans, ask).await?);
        }
    }
    Ok(found)
}

async fn of_table<'a, R: Row + Sync>(
    session: &mut Session,
    mut table: TableChanges<'a, R>,
    plans: &[Arc<Plan>],
    ask: &Search<'_>,
) -> Result<Vec<Guilty<'a, R>>> {
    let mut probe = Probe::new(session, ask.bytes_max);
    let mut found = Vec::new();
    let mut readable = Vec::with_capacity(table.keyed.len());
    for net in table.keyed {
        match words(&probe, plans, &net) {
            Ok(()) => readable.push(net),
            Err(error) if error.fate() == Fate::Quarantine => {
                found.push(Guilty { change: net.change, error });
            }
            Err(error) => return Err(error),
        }
    }
    table.keyed = readable;
    found.extend(keyed(&mut probe, &table, plans, ask).await?);
    if let (Some(change), false) = (table.keyless.first().copied(), ask.replay.skips_keyless)
        && let Some(error) = keyless(&mut probe, &table, plans, ask).await?
    {
        found.push(Guilty { change, error });
    }
    Ok(found)
}

/// Whether all that is needed of a net change can be read and put into words.
fn words<R: Row>(probe: &Probe<'_>, plans: &[Arc<Plan>], net: &Net<'_, R>) -> Result<()> {
    let plan = plans.get(net.schema).ok_or_else(no_plan)?;
    if let Before::Row(before) = net.before {
        before.visit(|_, _| Ok(()))?;
    }
    probe.words(plan, Manner::Delete, net.image)?;
    match net.after {
        Some(after) => probe.words(plan, Manner::Upsert, after),
        None => Ok(()),
    }
}

async fn keyed<'a, R: Row + Sync>(
    probe: &mut Probe<'_>,
    table: &TableChanges<'a, R>,
    plans: &[Arc<Plan>],
    ask: &Search<'_>,
) -> Result<Vec<Guilty<'a, R>>> {
    let whose: HashMap<usize, &'a Change<R>> =
        table.keyed.iter().map(|net| (address(net.image), net.change)).collect();
    let order = decide(table, plans, ask.replay.converging)?;
    // All of it is undone: no matter what a delete takes along.
    let lists = [
        (Manner::Delete, &order.deletes),
        (Manner::Delete, &order.holders),
        (Manner::Upsert, &order.upserts),
        (Manner::Replace, &order.replaces),
    ];
    let mut found = Vec::new();
    for (manner, lists) in lists {
        for (plan, rows) in plans.iter().zip(lists) {
            for (row, error) in probe.rows(plan, manner, rows, ask.most).await? {
                let change = whose.get(&address(row)).copied();
                let change = change.ok_or_else(|| Error::new(Kind::Bug, "a row of no change was refused"))?;
                found.push(Guilty { change, error });
            }
        }
    }
    Ok(found)
}

/// What is wrong with rows without a key: their table is one key.
async fn keyless<R: Row + Sync>(
    probe: &mut Probe<'_>,
    table: &TableChanges<'_, R>,
    plans: &[Arc<Plan>],
    ask: &Search<'_>,
) -> Result<Option<Error>> {
    probe.mark().await?;
    let mut writer = Writer::new(probe.session(), ask.bytes_max);
    match apply::apply_keyless(&mut writer, table, plans).await {
        Ok(()) => Ok(None),
        Err(error) if error.fate() == Fate::Quarantine => {
            probe.back().await?;
            Ok(Some(error))
        }
        Err(error) => Err(error),
    }
}

fn address<R>(row: &R) -> usize {
    std::ptr::from_ref(row).addr()
}

fn no_plan() -> Error {
    Error::new(Kind::Bug, "a schema without a plan")
}
