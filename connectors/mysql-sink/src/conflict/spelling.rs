//! Keys that are spelled differently and yet are one row at the destination: their net changes get one verdict.
//!
//! The source holds such a row once. So of the net changes of one group at most one ends with a row, and the others
//! with none: they say how it was spelled before. What stands at the destination is compared by the change that has
//! its spelling, and what becomes of it is decided by the change that ends with a row.

use std::collections::HashMap;
use std::sync::Arc;

use cdc_sdk::Result;
use cdc_sdk::value::Row;

use super::question::Question;
use super::{Look, Met, plan_of};
use crate::apply::rows;
use crate::fold::Net;
use crate::session::Session;
use crate::tables::{Plan, Right};

/// A net change that has no verdict of its own.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Follower {
    at: usize,
    leader: usize,
    /// The leader's own spelling stands there already: under this one there is nothing to delete.
    in_vain: bool,
}

/// Net changes of a table that have met the same row under several spellings, by their numbers.
///
/// # Errors
/// What the server says.
pub(super) async fn groups<R: Row + Sync>(
    session: &mut Session,
    nets: &[Net<'_, R>],
    looks: &[Option<Look>],
    plans: &[Arc<Plan>],
) -> Result<Vec<Vec<usize>>> {
    if looks.iter().flatten().all(|look| look.own) {
        return Ok(Vec::new());
    }
    let mut question = Question::new(session);
    for (number, (net, look)) in nets.iter().zip(looks).enumerate() {
        let plan = plan_of(plans, net)?;
        if look.is_some() {
            let spelled = spelled(plan);
            let what = |sql: &mut Vec<u8>| {
                sql.extend_from_slice(format!("TRUE,{spelled}").as_bytes());
                Ok(())
            };
            question.row(number, plan, net, what).await?;
        }
    }
    let mut groups: HashMap<(Vec<u8>, Vec<u8>), Vec<usize>> = HashMap::new();
    for answer in question.answers().await? {
        let Some(net) = nets.get(answer.number) else { continue };
        let mut plain = Vec::new();
        rows::plain_key(&mut plain, plan_of(plans, net)?, net.image)?;
        groups.entry((answer.text, plain)).or_default().push(answer.number);
    }
    let spelled_anew = |at: &usize| looks.get(*at).is_some_and(|look| look.is_some_and(|look| !look.own));
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.retain(|group| group.len() > 1 && group.iter().any(spelled_anew));
    groups.iter_mut().for_each(|group| group.sort_unstable());
    groups.sort_unstable();
    Ok(groups)
}

/// How the found row spells its key. Only text has several spellings: of all else the change itself has the value.
fn spelled(plan: &Plan) -> String {
    let texts = plan.sql.key.iter().filter_map(|(at, _)| plan.comparisons.get(*at));
    let texts = texts.filter(|comparison| comparison.right == Right::TextBytes);
    let texts: Vec<String> = texts.map(|comparison| format!("HEX({})", comparison.left)).collect();
    if texts.is_empty() { "''".to_owned() } else { format!("CONCAT_WS(',',{})", texts.join(",")) }
}

/// Leaves of each group's conflicts one, with the change that decides; returns the others.
pub(super) fn one_verdict<R>(
    nets: &[Net<'_, R>],
    looks: &[Option<Look>],
    groups: &[Vec<usize>],
    met: &mut [Option<Met>],
) -> Vec<Follower> {
    let stays = |at: &usize| nets.get(*at).is_some_and(|net| net.after.is_some());
    let is_own = |at: &usize| looks.get(*at).is_some_and(|look| look.is_some_and(|look| look.own));
    let mut followers = Vec::new();
    for group in groups {
        let mut staying = group.iter().copied().filter(stays);
        let last = staying.next();
        // Several: the source tells rows apart that are one here.
        let (None, Some(first)) = (staying.next(), group.first()) else { continue };
        let owner = group.iter().copied().find(is_own);
        let leader = last.or(owner).unwrap_or(*first);
        // Spelled as nothing in the batch: somebody has changed it here.
        let verdict = owner.map_or(Some(Met::Row), |owner| met.get(owner).copied().flatten());
        let in_vain = owner == Some(leader);
        for &at in group {
            if let Some(slot) = met.get_mut(at) {
                *slot = if at == leader { verdict } else { None };
            }
        }
        let others = group.iter().copied().filter(|at| *at != leader);
        followers.extend(others.map(|at| Follower { at, leader, in_vain }));
    }
    followers
}

/// Gives each of them its leader's verdict.
pub(super) fn follow(followers: &[Follower], stays: &mut [bool]) {
    for Follower { at, leader, in_vain } in followers {
        let with = *in_vain || stays.get(*leader).copied().unwrap_or_default();
        if let Some(slot) = stays.get_mut(*at) {
            *slot = with;
        }
    }
}
