//! Which rows are deleted before any is written, and how those that stay are written.

use std::sync::Arc;

use cdc_sdk::value::{OwnedValue, Row};
use cdc_sdk::{Error, Kind, Result};

use crate::fold::{Before, Net, TableChanges};
use crate::tables::Plan;

/// A table's rows in the order in which they are sent; each list by schema.
#[derive(Debug)]
pub(crate) struct Order<'a, R> {
    /// Rows that are gone.
    pub deletes: Vec<Vec<&'a R>>,
    /// Rows that stay, but what stands at the destination of them may hold a value that another row takes.
    pub holders: Vec<Vec<&'a R>>,
    /// Rows written with a guard against hitting another.
    pub upserts: Vec<Vec<&'a R>>,
    /// Rows written so that whatever stands in their way goes.
    pub replaces: Vec<Vec<&'a R>>,
    /// How many keys end deleted.
    pub gone: u64,
    /// How many keys end with a row.
    pub written: u64,
}

/// Decides for each key.
///
/// A row that stays is a holder if its unique values change, or if what it was is not known: then it may hold a value
/// that another row of the batch takes.
///
/// # Errors
/// What a row's bytes get wrong.
pub(crate) fn decide<'a, R: Row>(
    changes: &'a TableChanges<'a, R>,
    plans: &[Arc<Plan>],
    converging: bool,
) -> Result<Order<'a, R>> {
    let empty = || vec![Vec::new(); changes.schemas.len()];
    let mut order = Order {
        deletes: empty(),
        holders: empty(),
        upserts: empty(),
        replaces: empty(),
        gone: 0,
        written: 0,
    };
    // Of the table as a whole: a row may stand in the way of one of another schema.
    let some_collide = plans.iter().any(|p| p.can_collide());
    let of_source = plans.iter().all(|p| p.unique_of_source);
    let no_own_columns = own_columns(plans).is_empty();
    for net in &changes.keyed {
        let plan = plans.get(net.schema).ok_or_else(|| Error::new(Kind::Bug, "a schema without a plan"))?;
        let list = |lists: &mut Vec<Vec<&'a R>>, row: &'a R| {
            if let Some(list) = lists.get_mut(net.schema) {
                list.push(row);
            }
        };
        let Some(after) = net.after else {
            order.gone += 1;
            list(&mut order.deletes, net.image);
            continue;
        };
        order.written += 1;
        if may_hold_anothers_value(plan, net, converging, some_collide)? {
            list(&mut order.holders, after);
        }
        let replace = plan.can_collide() && of_source && no_own_columns && (converging || net.read);
        list(if replace { &mut order.replaces } else { &mut order.upserts }, after);
    }
    for (rows, plan) in order.upserts.iter_mut().zip(plans) {
        in_key_order(rows, plan)?;
    }
    Ok(order)
}

/// Columns of the destination that no row of the batch has a value for: a delete would lose what they hold.
pub(super) fn own_columns(plans: &[Arc<Plan>]) -> Vec<&str> {
    let Some((first, others)) = plans.split_first() else { return Vec::new() };
    let by_all = |name: &&String| others.iter().all(|plan| plan.own_columns.contains(name));
    first.own_columns.iter().filter(by_all).map(String::as_str).collect()
}

/// Puts rows that are to be upserted into the order of their primary key, where that begins with an integer.
///
/// They come partition by partition, and each of those goes over the same pages of the table once more, and splits
/// them. Which row is written first makes no difference: each has a key of its own, and what could be in the way of
/// another is deleted before. Rows with the same number stay as they came.
fn in_key_order<R: Row>(rows: &mut Vec<&R>, plan: &Plan) -> Result<()> {
    let Some(column) = plan.leading_integer else { return Ok(()) };
    let mut placed = Vec::with_capacity(rows.len());
    for row in rows.iter().copied() {
        placed.push((row.rank(column)?, row));
    }
    placed.sort_by_key(|(rank, _)| *rank);
    rows.clear();
    rows.extend(placed.into_iter().map(|(_, row)| row));
    Ok(())
}

/// Whether the row that stands at the destination may hold a unique value that its new self does not.
fn may_hold_anothers_value<R: Row>(
    plan: &Plan,
    net: &Net<'_, R>,
    converging: bool,
    some_collide: bool,
) -> Result<bool> {
    // Of another schema it may hold what its new self does not show: a column that the source has dropped since.
    let collides = if net.one_schema { plan.can_collide() } else { some_collide };
    if !collides {
        return Ok(false);
    }
    if plan.opaque_unique || converging || !net.one_schema {
        return Ok(true);
    }
    match (&net.before, net.after) {
        (Before::Unknown, _) => Ok(true),
        (Before::Absent, _) | (Before::Row(_), None) => Ok(false),
        (Before::Row(before), Some(after)) => {
            Ok(values(*before, &plan.unique_columns)? != values(after, &plan.unique_columns)?)
        }
    }
}

fn values<R: Row>(row: &R, columns: &[usize]) -> Result<Vec<OwnedValue>> {
    let mut values = Vec::with_capacity(columns.len());
    row.visit(|index, value| {
        if columns.contains(&index) {
            values.push(OwnedValue::from(value));
        }
        Ok(())
    })?;
    Ok(values)
}
