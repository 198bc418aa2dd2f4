//! Which rows are deleted before any is written, and how those that stay are written.

use std::collections::HashMap;
use std::sync::Arc;

use cdc_sdk::value::{OwnedValue, Row};
use cdc_sdk::{Error, Kind, Result};

use crate::fold::{Before, Net, TableChanges};
use crate::tables::Plan;

/// A table's rows in the order in which they are sent; each list by schema.
#[derive(Debug)]
pub(crate) struct Order<'a, R> {
    /// Rows that must be gone before any is written.
    pub deletes: Vec<Vec<&'a R>>,
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
/// A row goes first if it ends deleted, if its unique values change, or if what it was is not known:
/// then it may hold a value that another row of the batch takes.
///
/// # Errors
/// What a row's bytes get wrong.
pub(crate) fn decide<'a, R: Row>(
    changes: &'a TableChanges<'a, R>,
    plans: &[Arc<Plan>],
    converging: bool,
) -> Result<Order<'a, R>> {
    let empty = || vec![Vec::new(); changes.schemas.len()];
    let mut order = Order { deletes: empty(), upserts: empty(), replaces: empty(), gone: 0, written: 0 };
    let wanted = Wanted::of(changes, plans)?;
    // Of the table as a whole: a row may stand in the way of one of another schema.
    let some_collide = plans.iter().any(|p| p.can_collide());
    let of_source = plans.iter().all(|p| p.unique_of_source);
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
        if may_hold_anothers_value(plan, net, converging, some_collide)? && wanted.by_another(plan, net)? {
            list(&mut order.deletes, after);
        }
        let replace = plan.can_collide() && of_source && !plan.own_columns && (converging || net.read);
        list(if replace { &mut order.replaces } else { &mut order.upserts }, after);
    }
    for (rows, plan) in order.upserts.iter_mut().zip(plans) {
        in_key_order(rows, plan)?;
    }
    Ok(order)
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

/// Unique values that rows of the batch will hold. Only kept where the destination has columns of its own,
/// which a delete would lose: there a row goes only if another needs its value.
struct Wanted(Option<HashMap<Vec<String>, usize>>);

impl Wanted {
    fn of<R: Row>(changes: &TableChanges<'_, R>, plans: &[Arc<Plan>]) -> Result<Self> {
        if !plans.iter().any(|p| p.own_columns && p.can_collide()) {
            return Ok(Self(None));
        }
        let mut wanted = HashMap::new();
        for net in &changes.keyed {
            let (Some(after), Some(plan)) = (net.after, plans.get(net.schema)) else { continue };
            for tuple in tuples(plan, after)? {
                *wanted.entry(tuple).or_insert(0) += 1;
            }
        }
        Ok(Self(Some(wanted)))
    }

    fn by_another<R: Row>(&self, plan: &Plan, net: &Net<'_, R>) -> Result<bool> {
        let comparable = net.one_schema && !plan.opaque_unique;
        let (Some(wanted), Before::Row(before), true) = (&self.0, &net.before, comparable) else {
            return Ok(true);
        };
        let mine = net.after.map_or(Ok(Vec::new()), |after| tuples(plan, after))?;
        Ok(tuples(plan, *before)?.iter().any(|tuple| {
            let own = mine.iter().filter(|m| *m == tuple).count();
            wanted.get(tuple).is_some_and(|all| *all > own)
        }))
    }
}

/// The row's unique keys, each as text. Any two texts are taken to be equal, since collations may say so.
fn tuples<R: Row>(plan: &Plan, row: &R) -> Result<Vec<Vec<String>>> {
    plan.unique_keys
        .iter()
        .enumerate()
        .map(|(number, columns)| {
            let shown = values(row, columns)?.into_iter().map(|value| match value {
                OwnedValue::Text(_) => "text".to_owned(),
                other => format!("{other:?}"),
            });
            Ok(std::iter::once(number.to_string()).chain(shown).collect())
        })
        .collect()
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
