//! Keys leave the quarantine: their changes are applied, or given up. Between two batches.

use cdc_sdk::value::Row;
use cdc_sdk::{Error, Kind, Op, Result};

use super::{Sink, State};
use crate::apply::{self, Writer, text};
use crate::batch::{Applied, Change};
use crate::dead_letter::Held;
use crate::fold::fold;
use crate::ledger::{Answer, Request, requests};

/// Longest text in the audit, in characters.
const AUDIT_CHARS_MAX: usize = 15_000;

impl Sink {
    /// What people ask to be done with the quarantine.
    ///
    /// # Errors
    /// If the destination cannot be asked.
    pub async fn requests(&mut self) -> Result<Vec<Request>> {
        self.between_batches()?;
        requests::open(&self.ledger, &mut self.data).await
    }

    /// Says what came of a request.
    ///
    /// # Errors
    /// If that cannot be written.
    pub async fn answer(&mut self, request: &Request, answer: &Answer) -> Result<()> {
        self.between_batches()?;
        requests::answer(&self.ledger, &mut self.data, request.id, answer).await
    }

    /// Applies a key's changes, which `next` brings in their order, all in one transaction, and releases the
    /// key with it. On an error the key stays where it is.
    ///
    /// # Errors
    /// Of the changes, or of the world: with fate Retry the sink is to be opened anew.
    pub async fn retry<R: Row + Sync>(
        &mut self,
        held: &Held,
        next: impl FnMut() -> Result<Option<Vec<Change<R>>>>,
        reason: &str,
    ) -> Result<Applied> {
        self.between_batches()?;
        self.execute("START TRANSACTION").await?;
        match self.retry_in_transaction(held, next, reason).await {
            Ok(applied) => {
                let applied = self.commit(applied).await?;
                self.quarantine.release(&held.table, &held.key);
                Ok(applied)
            }
            Err(error) => Err(self.abandon(error).await),
        }
    }

    async fn retry_in_transaction<R: Row + Sync>(
        &mut self,
        held: &Held,
        mut next: impl FnMut() -> Result<Option<Vec<Change<R>>>>,
        reason: &str,
    ) -> Result<Applied> {
        self.still_leads().await?;
        let mut sum = Applied::default();
        while let Some(changes) = next()? {
            let applied = match changes.as_slice() {
                [change] if change.op == Op::Truncate => self.emptied(change).await?,
                changes => self.late(changes).await?,
            };
            sum.upserts += applied.upserts;
            sum.deletes += applied.deletes;
            sum.statements += applied.statements;
        }
        self.release_row(held, reason).await?;
        Ok(sum)
    }

    /// A change that was not readable before turns out to be a TRUNCATE.
    async fn emptied<R>(&mut self, change: &Change<R>) -> Result<Applied> {
        let plan = self.tables.plan(&self.settings, &change.table).await?;
        let deletes = self.empty(&plan.target.sql()).await?;
        Ok(Applied { deletes, ..Applied::default() })
    }

    async fn late<R: Row + Sync>(&mut self, changes: &[Change<R>]) -> Result<Applied> {
        let folded = fold(changes)?;
        let plans = self.plans(&folded).await?;
        let mut writer = Writer::new(&mut self.data, self.settings.max_statement_bytes);
        apply::apply_late(&mut writer, &folded, &plans).await?;
        writer.flush().await?;
        Ok(writer.applied)
    }

    /// Releases a key without its changes; `lost` goes into the audit.
    ///
    /// # Errors
    /// If that cannot be written.
    pub async fn discard(&mut self, held: &Held, lost: &str, reason: &str) -> Result<()> {
        self.between_batches()?;
        self.execute("START TRANSACTION").await?;
        let released = match self.still_leads().await {
            Ok(()) => self.release_row(held, &format!("{reason}; lost: {lost}")).await,
            lost => lost,
        };
        if let Err(error) = released {
            return Err(self.abandon(error).await);
        }
        self.commit(Applied::default()).await?;
        self.quarantine.release(&held.table, &held.key);
        Ok(())
    }

    async fn release_row(&mut self, held: &Held, reason: &str) -> Result<()> {
        crate::ledger::quarantine::release(&self.ledger, &mut self.data, held).await?;
        let Held { table, shown, letters, .. } = held;
        self.audit(&format!("{table} {shown} ({letters} dead letters): {reason}")).await
    }

    fn between_batches(&self) -> Result<()> {
        self.confirm()?;
        match self.state {
            State::Idle => Ok(()),
            State::Open | State::Lost => {
                Err(Error::new(Kind::Bug, "keys are to be released inside of a source transaction"))
            }
        }
    }

    /// Reads the ledger's row for this transaction: nobody else commits until it ends.
    async fn still_leads(&mut self) -> Result<()> {
        let sql = format!(
            "SELECT epoch FROM {} WHERE name = {} FOR UPDATE",
            self.ledger.table("ledger"),
            text(&self.ledger.name)
        );
        let what = || format!("the ledger of sink '{}' could not be read", self.ledger.name);
        let epoch = self.data.row::<u64>(&sql).await.map_err(|r| r.into_error(what()))?;
        if epoch == Some(self.progress.epoch) { Ok(()) } else { Err(self.ledger.moved()) }
    }

    /// Writes into the audit what happened to the quarantine.
    pub(super) async fn audit(&mut self, reason: &str) -> Result<()> {
        let reason: String = reason.chars().take(AUDIT_CHARS_MAX).collect();
        let cut = self.progress.cut.map_or_else(|| "before the first".to_owned(), |cut| cut.to_string());
        let sql = format!(
            "INSERT INTO {} (name, account, from_cut, to_cut, from_position, reason, program) \
             VALUES ({}, USER(), {cut}, {cut}, {}, {}, {})",
            self.ledger.table("ledger_audit"),
            text(&self.ledger.name),
            text(&self.progress.position),
            text(&reason),
            text(concat!("cdc ", env!("CARGO_PKG_VERSION"))),
            cut = text(&cut),
        );
        self.execute(&sql).await.map(|_| ())
    }
}
