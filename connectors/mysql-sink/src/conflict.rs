//! Rows that were changed on both sides, neither knowing of the other: found before they are
//! written, and settled by a policy.
//!
//! **What a conflict is.** A change event says what its row was before. If the row that stands at the
//! destination is neither that nor already what the event makes of it, somebody else has changed it
//! meanwhile. It is compared byte for byte, by the server, under a lock that lasts until COMMIT; the
//! transaction is REPEATABLE READ, so that the lock also holds the gap where a row is missing.
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

use cdc_sdk::value::Row;
use cdc_sdk::{Error, Kind, Result};

use crate::apply::{Plans, rows};
use crate::fold::{Before, Folded, Net};
use crate::session::Session;
use crate::settings::TwoWay;
use crate::tables::Plan;

/// Rows asked about at once.
const ROWS_MAX: usize = 200;
/// Bytes of such a question after which it is sent.
const BYTES_MAX: usize = 1 << 20;

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
        let found = find(session, &nets, plans).await?;
        conflicts += found.iter().filter(|f| f.is_some()).count() as u64;
        let stays = losers(session, policy, &nets, &found, plans).await?;
        for (mut net, (found, stays)) in nets.into_iter().zip(found.into_iter().zip(stays)) {
            if stays {
                continue;
            }
            if found.is_some() {
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

/// The conflicts among the net changes of a table.
async fn find<R: Row + Sync>(
    session: &mut Session,
    nets: &[Net<'_, R>],
    plans: &[std::sync::Arc<Plan>],
) -> Result<Vec<Option<Met>>> {
    let mut question = Question::default();
    let mut answers: Vec<Option<bool>> = vec![None; nets.len()];
    for (number, net) in nets.iter().enumerate() {
        let plan = plan_of(plans, net)?;
        question.begin(number);
        question.same(plan, net)?;
        question.end(plan, net)?;
        if question.is_full() {
            question.ask(session, &mut answers).await?;
        }
    }
    question.ask(session, &mut answers).await?;
    Ok(nets.iter().zip(answers).map(|(net, answer)| met(net, answer)).collect())
}

/// `answer`: whether the destination's row is as it should be; `None`: there is none.
fn met<R>(net: &Net<'_, R>, answer: Option<bool>) -> Option<Met> {
    match (answer, &net.before, net.after) {
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
    found: &[Option<Met>],
    plans: &[std::sync::Arc<Plan>],
) -> Result<Vec<bool>> {
    let conflicts =
        || nets.iter().zip(found).enumerate().filter_map(|(at, (net, met))| Some((at, net, (*met)?)));
    let mut stays = vec![false; nets.len()];
    let mut question = Question::default();
    let mut answers: Vec<Option<bool>> = vec![None; nets.len()];
    for (at, net, met) in conflicts() {
        let plan = plan_of(plans, net)?;
        let key = || rows::shown_key(plan, net.image);
        tracing::info!(table = %plan.target, key = %key(), ?met, "changed on both sides");
        let loses = match (policy, met, net.after) {
            (TwoWay::Stop, _, _) => return Err(stopped(plan, &key())),
            (TwoWay::SourceWins, _, _) | (TwoWay::LastWriter { .. }, Met::Nothing, _) => false,
            (TwoWay::DestinationWins, _, _) | (TwoWay::LastWriter { .. }, Met::Row, None) => true,
            (TwoWay::LastWriter { column }, Met::Row, Some(after)) => {
                question.begin(at);
                question.later(plan, after, column)?;
                question.end(plan, net)?;
                if question.is_full() {
                    question.ask(session, &mut answers).await?;
                }
                false
            }
        };
        if let Some(slot) = stays.get_mut(at) {
            *slot = loses;
        }
    }
    question.ask(session, &mut answers).await?;
    for (slot, answer) in stays.iter_mut().zip(answers) {
        *slot |= answer == Some(true);
    }
    Ok(stays)
}

fn stopped(plan: &Plan, key: &str) -> Error {
    Error::new(Kind::Divergence, format!("row {key} of {} was changed on both sides", plan.target)).hint(
        "make the row equal on one side, or choose who wins: \
         [two_way] conflicts = \"source_wins\", \"destination_wins\" or \"last_writer\"",
    )
}

fn plan_of<'p, R>(plans: &'p [std::sync::Arc<Plan>], net: &Net<'_, R>) -> Result<&'p Plan> {
    let plan = plans.get(net.schema).ok_or_else(|| Error::new(Kind::Bug, "a schema without a plan"))?;
    Ok(plan)
}

/// Many small SELECTs in one, each of one row with its number and one truth.
#[derive(Default)]
struct Question {
    sql: Vec<u8>,
    rows: usize,
}

impl Question {
    fn begin(&mut self, number: usize) {
        if self.rows > 0 {
            self.push(" UNION ALL ");
        }
        self.rows += 1;
        self.push(&format!("(SELECT {number}, "));
    }

    fn end<R: Row>(&mut self, plan: &Plan, net: &Net<'_, R>) -> Result<()> {
        self.push(&format!(" FROM {} WHERE ", plan.target.sql()));
        let in_list = plan.sql.delete_in_list;
        if let (true, Some((_, name))) = (in_list, plan.sql.key.first()) {
            self.push(&format!("{name} IN ("));
        }
        rows::key(&mut self.sql, plan, net.image)?;
        self.push(if in_list { ") FOR UPDATE)" } else { " FOR UPDATE)" });
        Ok(())
    }

    /// Whether the row is what the source knew, or what it is to become.
    fn same<R: Row>(&mut self, plan: &Plan, net: &Net<'_, R>) -> Result<()> {
        if !net.one_schema {
            // Between two schemas there is a statement, which goes alone: not met in one batch.
            self.push("TRUE");
            return Ok(());
        }
        let before = match &net.before {
            Before::Row(row) => Some(*row),
            Before::Absent | Before::Unknown => None,
        };
        let images = [before, net.after];
        for (number, image) in images.into_iter().flatten().enumerate() {
            self.push(if number > 0 { " OR (" } else { "(" });
            rows::condition(&mut self.sql, plan, image)?;
            self.push(")");
        }
        if images.iter().all(Option::is_none) {
            self.push("FALSE");
        }
        Ok(())
    }

    /// Whether the row has the later time, or at the same time the greater bytes.
    fn later<R: Row>(&mut self, plan: &Plan, row: &R, column: &str) -> Result<()> {
        let time = plan.names.iter().position(|name| name.eq_ignore_ascii_case(column));
        let time = time.ok_or_else(|| {
            Error::new(Kind::TableMismatch, format!("{} has no column `{column}`", plan.target))
                .hint("[two_way] timestamp_column must be in every table that goes both ways")
        })?;
        self.push("CASE");
        for first in [true, false] {
            rows::compare(&mut self.sql, plan, row, |out, index, left, right| {
                if (index == time) == first {
                    let parts: [&[u8]; 9] = [
                        b" WHEN NOT (",
                        left,
                        b" <=> ",
                        right,
                        b") THEN IFNULL(",
                        left,
                        b" > ",
                        right,
                        b", ",
                    ];
                    out.extend(parts.concat());
                    out.extend([left, b" IS NOT NULL)"].concat());
                }
            })?;
        }
        self.push(" ELSE FALSE END");
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.rows >= ROWS_MAX || self.sql.len() >= BYTES_MAX
    }

    /// Asks, and begins anew.
    async fn ask(&mut self, session: &mut Session, answers: &mut [Option<bool>]) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let found: Vec<(u64, Option<bool>)> = session
            .rows(&self.sql)
            .await
            .map_err(|r| r.into_error("rows could not be compared with the destination's"))?;
        for (number, truth) in found {
            let slot = usize::try_from(number).ok().and_then(|number| answers.get_mut(number));
            if let Some(slot) = slot {
                *slot = Some(truth.unwrap_or_default());
            }
        }
        self.sql.clear();
        self.rows = 0;
        Ok(())
    }

    fn push(&mut self, sql: &str) {
        self.sql.extend_from_slice(sql.as_bytes());
    }
}
