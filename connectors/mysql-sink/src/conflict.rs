//! Rows that were changed on both sides, neither knowing of the other: found before they are
//! written, and settled by a policy.
//!
//! **What a conflict is.** A change event says what its row was before. If the row that stands at the
//! destination is neither that nor already what the event makes of it, somebody else has changed it
//! meanwhile. It is compared byte for byte, by the server, under a lock that lasts until COMMIT; the
//! transaction is REPEATABLE READ, so that the lock also holds the gap where a row is missing.
//!
//! **A key that is spelled anew** ('A' becomes 'a', which a collation calls equal) is a delete of the one spelling
//! and a create of the other, and both find the one row. They are one change: looked at together, with one verdict
//! (`spelling`). Else the create could lose against the very row that the delete takes away.
//!
//! **Where both sides end equal.** As long as rows are made and changed, each side asks the same question
//! of the same two versions, and the policies answer alike: one side wins on both (`SourceWins` here is
//! `DestinationWins` there), or the later time does, equal times being settled by the rows' bytes. For the
//! last writer a row's time must not go back on any side: then both end with its latest version.
//!
//! **Where they may not.** A row that is gone has no version: nothing tells whether it was never there, or was
//! made, changed and deleted meanwhile. So a row that one side deletes while the other makes or changes it
//! may end different, though most cases are found and counted, and the change then stays. Who needs those,
//! too, marks rows as deleted, or chooses `Stop`.

mod question;
mod spelling;

use std::sync::Arc;

use cdc_sdk::value::Row;
use cdc_sdk::{Error, Kind, Result};

use crate::apply::{Plans, rows};
use crate::fold::{Before, Folded, Net};
use crate::session::Session;
use crate::settings::TwoWay;
use crate::tables::Plan;
use question::Question;

/// Takes out of the batch what loses against the destination's rows. Returns how many rows had been
/// changed on both sides.
///
/// # Errors
/// [`Kind::Divergence`] where the policy is to stop; what the destination refuses.
pub(crate) async fn settle<R: Row + Sync>(
    session: &mut Session,
    policy: &TwoWay,
    folded: &mut Folded<'_, R>,
    plans: &Plans,
) -> Result<u64> {
    let mut conflicts = 0;
    for (changes, plans) in folded.tables.iter_mut().zip(plans) {
        let nets = std::mem::take(&mut changes.keyed);
        let looks = look(session, &nets, plans).await?;
        let mut met: Vec<_> = nets.iter().zip(&looks).map(|(net, look)| met(net, *look)).collect();
        let groups = spelling::groups(session, &nets, &looks, plans).await?;
        let followers = spelling::one_verdict(&nets, &looks, &groups, &mut met);
        conflicts += met.iter().filter(|m| m.is_some()).count() as u64;
        let mut stays = losers(session, policy, &nets, &met, plans).await?;
        spelling::follow(&followers, &mut stays);
        for (mut net, (met, stays)) in nets.into_iter().zip(met.into_iter().zip(stays)) {
            if stays {
                continue;
            }
            if met.is_some() {
                // What stands there is not what the source thinks: its unique values are not known.
                net.before = Before::Unknown;
            }
            changes.keyed.push(net);
        }
    }
    Ok(conflicts)
}

/// What stands at the destination in place of what the source has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Met {
    /// Another row.
    Row,
    /// None: it was deleted.
    Nothing,
}

/// What is seen of the row that has a net change's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    /// It is what the source knew, or what it made of it.
    same: bool,
    /// Its key is spelled as in the change, to the byte.
    own: bool,
}

/// Looks at the rows of the net changes of a table; `None`: there is none.
async fn look<R: Row + Sync>(
    session: &mut Session,
    nets: &[Net<'_, R>],
    plans: &[Arc<Plan>],
) -> Result<Vec<Option<Look>>> {
    let mut question = Question::new(session);
    for (number, net) in nets.iter().enumerate() {
        let plan = plan_of(plans, net)?;
        question
            .row(number, plan, net, |sql| {
                same(sql, plan, net)?;
                sql.push(b',');
                match plan.sql.delete_in_list {
                    // Numbers have one spelling.
                    true => sql.extend_from_slice(b"TRUE"),
                    false => rows::exact_key(sql, plan, net.image)?,
                }
                Ok(())
            })
            .await?;
    }
    let mut looks = vec![None; nets.len()];
    for answer in question.answers().await? {
        if let Some(slot) = looks.get_mut(answer.number) {
            *slot = Some(Look { same: answer.truth, own: answer.text == b"1" });
        }
    }
    Ok(looks)
}

/// Whether the row is what the source knew, or what it is to become.
fn same<R: Row>(sql: &mut Vec<u8>, plan: &Plan, net: &Net<'_, R>) -> Result<()> {
    if !net.one_schema {
        // Between two schemas there is a statement, which goes alone: not met in one batch.
        sql.extend_from_slice(b"TRUE");
        return Ok(());
    }
    let before = match &net.before {
        Before::Row(row) => Some(*row),
        Before::Absent | Before::Unknown => None,
    };
    let images = [before, net.after];
    for (number, image) in images.into_iter().flatten().enumerate() {
        sql.extend_from_slice(if number > 0 { b" OR (" } else { b"(" });
        rows::condition(sql, plan, image)?;
        sql.push(b')');
    }
    if images.iter().all(Option::is_none) {
        sql.extend_from_slice(b"FALSE");
    }
    Ok(())
}

/// The conflict, as far as one net change alone can tell.
fn met<R>(net: &Net<'_, R>, look: Option<Look>) -> Option<Met> {
    match (look.map(|look| look.same), &net.before, net.after) {
        (Some(true), _, _) => None,
        (Some(false), _, _) => Some(Met::Row),
        (None, Before::Row(_), Some(_)) => Some(Met::Nothing),
        (None, Before::Row(_), None) | (None, Before::Absent | Before::Unknown, _) => None,
    }
}

/// For each net change whether the destination's row stays as it is.
async fn losers<R: Row + Sync>(
    session: &mut Session,
    policy: &TwoWay,
    nets: &[Net<'_, R>],
    met: &[Option<Met>],
    plans: &[Arc<Plan>],
) -> Result<Vec<bool>> {
    let conflicts =
        || nets.iter().zip(met).enumerate().filter_map(|(at, (net, met))| Some((at, net, (*met)?)));
    let mut stays = vec![false; nets.len()];
    let mut question = Question::new(session);
    for (at, net, met) in conflicts() {
        let plan = plan_of(plans, net)?;
        let key = || rows::shown_key(plan, net.image);
        tracing::info!(table = %plan.target, key = %key(), ?met, "changed on both sides");
        let loses = match (policy, met, net.after) {
            (TwoWay::Stop, _, _) => return Err(stopped(plan, &key())),
            (TwoWay::SourceWins, _, _) | (TwoWay::LastWriter { .. }, Met::Nothing, _) => false,
            (TwoWay::DestinationWins, _, _) | (TwoWay::LastWriter { .. }, Met::Row, None) => true,
            (TwoWay::LastWriter { column }, Met::Row, Some(after)) => {
                question
                    .row(at, plan, net, |sql| {
                        later(sql, plan, after, column)?;
                        sql.extend_from_slice(b",NULL");
                        Ok(())
                    })
                    .await?;
                false
            }
        };
        if let Some(slot) = stays.get_mut(at) {
            *slot = loses;
        }
    }
    for answer in question.answers().await? {
        if let Some(slot) = stays.get_mut(answer.number) {
            *slot = answer.truth;
        }
    }
    Ok(stays)
}

fn stopped(plan: &Plan, key: &str) -> Error {
    Error::new(Kind::Divergence, format!("row {key} of {} was changed on both sides", plan.target)).hint(
        "make the row equal on one side, or choose who wins: \
         [two_way] conflicts = \"source_wins\", \"destination_wins\" or \"last_writer\"",
    )
}

fn plan_of<'p, R>(plans: &'p [Arc<Plan>], net: &Net<'_, R>) -> Result<&'p Plan> {
    let plan = plans.get(net.schema).ok_or_else(|| Error::new(Kind::Bug, "a schema without a plan"))?;
    Ok(plan)
}

/// Whether the row has the later time, or at the same time the greater bytes.
fn later<R: Row>(sql: &mut Vec<u8>, plan: &Plan, row: &R, column: &str) -> Result<()> {
    let time = plan.names.iter().position(|name| name.eq_ignore_ascii_case(column));
    let time = time.ok_or_else(|| {
        Error::new(Kind::TableMismatch, format!("{} has no column `{column}`", plan.target))
            .hint("[two_way] timestamp_column must be in every table that goes both ways")
    })?;
    sql.extend_from_slice(b"CASE");
    for first in [true, false] {
        rows::compare(sql, plan, row, |out, index, left, right| {
            if (index == time) == first {
                let parts: [&[u8]; 9] =
                    [b" WHEN NOT (", left, b" <=> ", right, b") THEN IFNULL(", left, b" > ", right, b", "];
                out.extend(parts.concat());
                out.extend([left, b" IS NOT NULL)"].concat());
            }
        })?;
    }
    sql.extend_from_slice(b" ELSE FALSE END");
    Ok(())
}
