//! Rows without identity: only how many of each there are can be known.
//!
//! The changes of a batch are netted as a multiset of whole rows; what is left is
//! deleted (`LIMIT n`, as a replica does it) and inserted. A row that is deleted
//! must be there: if it is not, the destination has diverged.

use std::collections::HashMap;
use std::sync::Arc;

use cdc_sdk::value::Row;
use cdc_sdk::{Error, Kind, Result};

use super::packet::Manner;
use super::rows;
use super::writer::Writer;
use crate::fold::TableChanges;
use crate::tables::Plan;

/// How many more or fewer of a row there are.
struct Balance<'a, R> {
    schema: usize,
    row: &'a R,
    count: i64,
}

/// Applies a table's changes of rows without identity.
pub(super) async fn apply<'a, R: Row + Sync>(
    writer: &mut Writer<'_, 'a, R>,
    changes: &'a TableChanges<'a, R>,
    plans: &'a [Arc<Plan>],
) -> Result<()> {
    let balances = net(changes, plans)?;
    for balance in balances.iter().filter(|b| b.count < 0) {
        let plan = plans.get(balance.schema).ok_or_else(no_plan)?;
        writer.remove(plan, balance.row, balance.count.unsigned_abs()).await?;
        writer.applied.deletes += balance.count.unsigned_abs();
    }
    for (schema, plan) in plans.iter().enumerate() {
        let added = balances.iter().filter(|b| b.schema == schema && b.count > 0);
        let rows: Vec<&'a R> =
            added.flat_map(|b| std::iter::repeat_n(b.row, usize::try_from(b.count).unwrap_or(0))).collect();
        writer.applied.upserts += u64::try_from(rows.len()).unwrap_or(u64::MAX);
        for rows in rows.chunks(1000) {
            writer.rows(plan, Manner::Insert, rows).await?;
            // Its warnings can be read only while it is the last: it cannot be done twice.
            writer.flush().await?;
        }
    }
    Ok(())
}

fn net<'a, R: Row>(changes: &TableChanges<'a, R>, plans: &[Arc<Plan>]) -> Result<Vec<Balance<'a, R>>> {
    let mut balances: Vec<Balance<'a, R>> = Vec::new();
    let mut index: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut scratch = Vec::new();
    for change in &changes.keyless {
        let schema =
            changes.schemas.iter().position(|s| Arc::ptr_eq(s, &change.table)).ok_or_else(no_plan)?;
        let plan = plans.get(schema).ok_or_else(no_plan)?;
        let images = [(change.before.as_ref(), -1), (change.after.as_ref(), 1)];
        for (row, by) in images.into_iter().filter_map(|(row, by)| Some((row?, by))) {
            scratch.clear();
            rows::tuple(&mut scratch, plan, row)?;
            let at = match index.get(&scratch) {
                Some(&at) => at,
                None => {
                    index.insert(scratch.clone(), balances.len());
                    balances.push(Balance { schema, row, count: 0 });
                    balances.len() - 1
                }
            };
            if let Some(balance) = balances.get_mut(at) {
                balance.count += by;
            }
        }
    }
    Ok(balances)
}

fn no_plan() -> Error {
    Error::new(Kind::Bug, "a schema without a plan")
}
