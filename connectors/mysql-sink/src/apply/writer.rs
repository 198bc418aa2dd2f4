//! Sends packets, and checks every answer.

use cdc_sdk::value::Row;
use cdc_sdk::{Error, Kind, Result, fail};

use super::packet::{Limits, Manner, Packet, Step};
use super::rows;
use crate::batch::Applied;
use crate::session::{Outcome, Refusal, Session, Stumble};
use crate::tables::Plan;

/// Rows a statement: more are not faster, and lists of keys cost the optimizer memory.
const ROWS_MAX: usize = 1000;

/// Writes statements over a session, several a packet.
pub(crate) struct Writer<'s, 'a, R> {
    session: &'s mut Session,
    packet: Packet<'a, R>,
    bytes_max: usize,
    /// What has been done so far.
    pub applied: Applied,
}

impl<'s, 'a, R: Row + Sync> Writer<'s, 'a, R> {
    /// Packets hold up to `bytes_max` bytes, or what the server takes if that is less; a larger row goes alone.
    pub fn new(session: &'s mut Session, bytes_max: usize) -> Self {
        // Half, since what the ledger needs comes on top.
        let bytes_max = bytes_max.min(session.packet_bytes_max / 2);
        Self { session, packet: Packet::new(), bytes_max, applied: Applied::default() }
    }

    /// Adds a statement whose answer does not matter.
    pub fn control(&mut self, sql: &str) {
        self.packet.push(sql, Step::Control);
    }

    /// Adds the ledger's compare-and-set.
    pub fn ledger(&mut self, sql: &str) {
        if fail::planted("sink.ledger_apart") {
            self.control("COMMIT AND CHAIN");
        }
        self.packet.push(sql, Step::Ledger);
    }

    /// Adds rows of one table, in as many statements and packets as it takes.
    pub async fn rows(&mut self, plan: &'a Plan, manner: Manner, rows: &[&'a R]) -> Result<()> {
        let limits = self.limits();
        for rows in rows.chunks(ROWS_MAX) {
            let mut rest = rows;
            while !rest.is_empty() {
                // What a generated column rounds is a warning for each row: only of the last statement of a packet
                // can be seen that they are nothing else.
                if !plan.generated.is_empty() {
                    self.flush().await?;
                }
                let (taken, full) = self.packet.fill(plan, manner, rest, limits)?;
                if full || !plan.generated.is_empty() {
                    self.flush().await?;
                }
                rest = rest.get(taken..).unwrap_or_default();
            }
        }
        Ok(())
    }

    /// Adds a delete of rows without identity.
    pub async fn remove(&mut self, plan: &'a Plan, row: &'a R, count: u64) -> Result<()> {
        let limits = self.limits();
        loop {
            let (taken, full) = self.packet.remove(plan, row, count, limits)?;
            if full {
                self.flush().await?;
            }
            if taken {
                return Ok(());
            }
        }
    }

    fn limits(&self) -> Limits {
        Limits { bytes: self.bytes_max, server_bytes: self.session.packet_bytes_max }
    }

    /// Runs a statement by itself, after what has been gathered.
    pub async fn alone(&mut self, sql: &[u8], what: impl FnOnce() -> String) -> Result<()> {
        self.flush().await?;
        self.applied.statements += 1;
        self.session.run(sql).await.map(drop).map_err(|stumble| stumble.refusal.into_error(what()))
    }

    /// Runs a statement after an error. What had been gathered is not sent any more: should the server have rolled the
    /// transaction back, it would be one by itself.
    pub async fn after_error(&mut self, sql: &[u8]) -> Result<(), Refusal> {
        self.packet.clear(self.bytes_max);
        self.session.run(sql).await.map(drop).map_err(|stumble| stumble.refusal)
    }

    /// How long a statement that is not of rows may get.
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Sends what has been gathered.
    pub async fn flush(&mut self) -> Result<()> {
        if self.packet.steps.is_empty() {
            return Ok(());
        }
        let answer = self.session.run(&self.packet.sql).await;
        self.applied.statements += u64::try_from(self.packet.steps.len()).unwrap_or(u64::MAX);
        let steps = std::mem::take(&mut self.packet.steps);
        self.packet.clear(self.bytes_max);
        match answer {
            Ok(outcomes) => self.verify(&steps, &outcomes).await,
            Err(stumble) => Err(self.explain(&steps, stumble).await),
        }
    }

    async fn verify(&mut self, steps: &[Step<'a, R>], outcomes: &[Outcome]) -> Result<()> {
        if steps.len() != outcomes.len() {
            let what = format!("{} statements got {} answers", steps.len(), outcomes.len());
            return Err(Error::new(Kind::Bug, what));
        }
        for (number, (step, outcome)) in steps.iter().zip(outcomes).enumerate() {
            match step {
                Step::Control => {}
                Step::Ledger if outcome.affected == 1 => {}
                Step::Ledger => {
                    return Err(Error::new(Kind::LedgerMoved, "the ledger has moved under this sink"));
                }
                Step::Remove { plan, row, count } if outcome.affected != *count => {
                    return Err(absent(plan, *row, *count, outcome.affected));
                }
                Step::Remove { .. } => {}
                Step::Rows { plan, manner, rows } if outcome.warnings > 0 => {
                    let last = number + 1 == steps.len();
                    let known = last && self.draws_no_loss(plan, outcome.warnings).await?;
                    if !known {
                        self.look_into_warnings(plan, *manner, rows).await?;
                    }
                }
                Step::Rows { .. } => {}
            }
        }
        Ok(())
    }

    /// The statement drew warnings: strict mode makes errors of most losses, but not of all
    /// (digits behind the point that do not fit are a note). What is a loss is refused.
    async fn look_into_warnings(&mut self, plan: &'a Plan, manner: Manner, rows: &[&'a R]) -> Result<()> {
        // Of earlier statements of a packet the warnings are gone, and it was not told which row it was: each is
        // written again by itself, and that undone.
        for row in rows {
            self.mark("SAVEPOINT cdc_look").await?;
            self.single(plan, manner, *row).await.map_err(|r| refused(plan, *row, r))?;
            let warning = self.loss(plan).await?;
            self.mark("ROLLBACK TO SAVEPOINT cdc_look").await?;
            if let Some(warning) = warning {
                return Err(lossy(plan, *row, &warning));
            }
        }
        Ok(())
    }

    async fn mark(&mut self, sql: &str) -> Result<()> {
        let failed = |refusal: Refusal| refusal.into_error("rows could not be written once more");
        self.session.command(sql).await.map(drop).map_err(failed)
    }

    async fn loss(&mut self, plan: &Plan) -> Result<Option<String>> {
        loss(self.session, plan).await
    }

    /// Whether all warnings of the last statement can be seen (the server keeps `max_error_count`) and none is a loss.
    async fn draws_no_loss(&mut self, plan: &Plan, count: u16) -> Result<bool> {
        let warnings = warnings(self.session).await?;
        Ok(warnings.len() >= usize::from(count) && first_loss(warnings, plan).is_none())
    }

    /// The error of a packet that was refused. For rows it names the one at fault: they are tried one by
    /// one in the same transaction, which is rolled back afterwards.
    async fn explain(&mut self, steps: &[Step<'a, R>], stumble: Stumble) -> Error {
        let refusal = stumble.refusal;
        match steps.get(stumble.done) {
            Some(Step::Rows { plan, manner, rows }) => {
                let of_a_row =
                    matches!(refusal.kind, Kind::RowRefused | Kind::Divergence | Kind::MysqlRefused);
                if of_a_row && rows.len() > 1 {
                    for row in rows {
                        if let Err(refusal) = self.single(plan, *manner, *row).await {
                            return refused(plan, *row, refusal);
                        }
                    }
                }
                match rows.first() {
                    Some(row) if of_a_row && rows.len() == 1 => refused(plan, *row, refusal),
                    _ => refusal.into_error(format!("rows of {} were refused", plan.target)),
                }
            }
            Some(Step::Remove { plan, row, .. }) => refused(plan, *row, refusal),
            Some(Step::Ledger) => refusal.into_error("the ledger could not be written"),
            Some(Step::Control) | None => refusal.into_error("the destination's transaction failed"),
        }
    }

    async fn single(&mut self, plan: &Plan, manner: Manner, row: &R) -> Result<(), Refusal> {
        let mut sql = manner.head(plan).as_bytes().to_vec();
        manner.row(&mut sql, plan, row).map_err(|e| Refusal {
            kind: e.kind(),
            code: u16::MAX,
            message: e.what().to_owned(),
        })?;
        sql.extend_from_slice(manner.tail(plan).as_bytes());
        self.session.run(&sql).await.map(|_| ()).map_err(|s| s.refusal)
    }
}

/// The first warning of the last statement that tells of a value of ours that was changed.
pub(super) async fn loss(session: &mut Session, plan: &Plan) -> Result<Option<String>> {
    Ok(first_loss(warnings(session).await?, plan))
}

/// Level, code and text.
type Warning = (String, u16, String);

async fn warnings(session: &mut Session) -> Result<Vec<Warning>> {
    session.rows("SHOW WARNINGS").await.map_err(|r| r.into_error("warnings could not be read"))
}

fn first_loss(warnings: Vec<Warning>, plan: &Plan) -> Option<String> {
    let generated =
        |message: &str| plan.generated.iter().any(|c| message.contains(&format!("column '{c}' ")));
    let found = warnings.into_iter().find(|(_, code, text)| LOSSES.contains(code) && !generated(text));
    found.map(|(level, code, message)| format!("{level} {code}: {message}"))
}

/// Warnings that tell of a value that was changed on its way in: ER_BAD_NULL_ERROR, out of range, truncated,
/// wrong value, no default, wrong value for a field, division by zero, too long.
const LOSSES: [u16; 9] = [1048, 1264, 1265, 1292, 1364, 1366, 1365, 1406, 1411];

pub(super) fn refused<R: Row>(plan: &Plan, row: &R, refusal: Refusal) -> Error {
    refusal.into_error(format!("row {} of {} was refused", rows::shown_key(plan, row), plan.target))
}

pub(crate) fn too_large<R: Row>(plan: &Plan, row: &R, bytes: usize, bytes_max: usize) -> Error {
    let what =
        format!("row {} of {} is larger than the server takes", rows::shown_key(plan, row), plan.target);
    Error::new(Kind::RowRefused, what)
        .detail(format!("its statement has {bytes} bytes; max_allowed_packet leaves {bytes_max}"))
        .hint("on the destination: SET PERSIST max_allowed_packet = 1073741824;")
}

pub(super) fn lossy<R: Row>(plan: &Plan, row: &R, warning: &str) -> Error {
    let what = format!("row {} of {} would lose something", rows::shown_key(plan, row), plan.target);
    Error::new(Kind::RowRefused, what)
        .detail(warning)
        .hint("make the destination's column as wide as the source's, or set schema = \"evolve\"")
}

fn absent<R: Row>(plan: &Plan, row: &R, wanted: u64, found: u64) -> Error {
    Error::new(
        Kind::Divergence,
        format!(
            "{} has {found} of {wanted} rows {} that the source deleted",
            plan.target,
            rows::shown_key(plan, row)
        ),
    )
    .hint(
        "another writer has changed the table: put the rows back, then start the sink; or ask the source for a \
         snapshot for this sink alone, which empties its tables first: cdc snapshot -c FILE --for-me",
    )
}
