//! Keys leave the quarantine: their changes are applied, or given up. Between two batches.

mod prepared;

use std::sync::Arc;

use cdc_sdk::value::Row;
use cdc_sdk::{Error, Fate, Kind, Op, Result, Table};

use super::isolate::ROUNDS_MAX;
use super::{Sink, State};
use crate::apply::{self, Plans, Replay, Writer, text};
use crate::batch::{Applied, Change};
use crate::dead_letter::{Guilty, Held, Search, search};
use crate::fold::{Folded, fold};
use crate::ledger::{Answer, Request, requests};
use prepared::{Prepared, check_one_key};

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

    /// Applies the changes of keys of rows, all in one transaction, since rows may wait for each other's
    /// unique values; and releases the keys with it. Keys whose changes cannot be applied stay, and are
    /// returned with their errors.
    ///
    /// # Errors
    /// What is not the fault of a row; with fate Retry the sink is to be opened anew.
    pub async fn retry<R: Row + Sync>(
        &mut self,
        keys: &[(Held, Vec<Change<R>>)],
        reason: &str,
    ) -> Result<Vec<(Held, Error)>> {
        self.between_batches()?;
        let mut refused: Vec<(Held, Error)> = Vec::new();
        for _ in 0..ROUNDS_MAX {
            let stays = |held: &Held| refused.iter().any(|(stays, _)| stays == held);
            let left: Vec<&(Held, Vec<Change<R>>)> = keys.iter().filter(|(held, _)| !stays(held)).collect();
            if left.is_empty() {
                return Ok(refused);
            }
            let folded = fold(left.iter().flat_map(|(_, changes)| changes))?;
            let schemas: Vec<_> = folded.schemas().into_iter().cloned().collect();
            self.check_keys_there(&schemas).await?;
            let plans = self.prepare(&schemas).await?.of(&folded)?;
            self.execute("START TRANSACTION").await?;
            let Err(error) = self.retry_together(&left, &folded, &plans, reason).await else {
                left.iter().for_each(|(held, _)| self.quarantine.release(&held.table, &held.key));
                return Ok(refused);
            };
            let error = self.abandon(error).await;
            if error.fate() != Fate::Quarantine || self.state == State::Lost {
                return Err(error);
            }
            let found = self.at_fault(&left).await?;
            match (found.is_empty(), left.as_slice()) {
                (false, _) => refused.extend(found),
                (true, [(held, _)]) => refused.push((held.clone(), error)),
                (true, _) => return Err(error),
            }
        }
        Err(Error::new(Kind::DeadLettersFull, format!("given up after {ROUNDS_MAX} rounds"))
            .hint("release the keys one by one: cdc dead-letter retry --table … --key …"))
    }

    async fn retry_together<R: Row + Sync>(
        &mut self,
        keys: &[&(Held, Vec<Change<R>>)],
        folded: &Folded<'_, R>,
        plans: &Plans,
        reason: &str,
    ) -> Result<()> {
        self.still_leads().await?;
        self.late(folded, plans).await?;
        for (held, _) in keys {
            self.release_row(held, reason).await?;
        }
        self.commit(Applied::default()).await.map(|_| ())
    }

    /// The keys whose changes cannot be applied.
    async fn at_fault<R: Row + Sync>(
        &mut self,
        keys: &[&(Held, Vec<Change<R>>)],
    ) -> Result<Vec<(Held, Error)>> {
        let folded = fold(keys.iter().flat_map(|(_, changes)| changes))?;
        let plans = self.plans(&folded).await?;
        let bytes_max = self.settings.max_statement_bytes;
        let ask = Search { plans: &plans, bytes_max, replay: Replay::default(), most: keys.len() };
        self.execute("START TRANSACTION").await?;
        let found = search(&mut self.data, folded, &ask, |_| true).await;
        let undone = self.execute("ROLLBACK").await;
        let found = found?;
        undone?;
        let mut stay: Vec<(Held, Error)> = Vec::new();
        for Guilty { change, error } in found {
            let key = keys.iter().find(|(h, _)| h.table == change.table.name && h.key == change.key);
            if let Some((held, _)) = key.filter(|(held, _)| !stay.iter().any(|(h, _)| h == held)) {
                stay.push((held.clone(), error));
            }
        }
        Ok(stay)
    }

    /// Applies all changes of a table that is in quarantine as a whole, which `next` brings in their order, in
    /// one transaction, and releases it with that. On an error its rows stay as they are. `schemas` are those of the
    /// changes, each once, in the order of its first change: for them the table is made ready before.
    ///
    /// # Errors
    /// Of the changes, or of the world: with fate Retry the sink is to be opened anew.
    pub async fn retry_table<R: Row + Sync>(
        &mut self,
        held: &Held,
        schemas: &[Arc<Table>],
        next: impl FnMut() -> Result<Option<Vec<Change<R>>>>,
        reason: &str,
    ) -> Result<()> {
        self.between_batches()?;
        self.check_rows_first(&held.table)?;
        check_one_key(schemas)?;
        self.check_new_columns(schemas).await?;
        let prepared = self.prepare(schemas).await?;
        self.execute("START TRANSACTION").await?;
        match self.retry_in_order(held, &prepared, next, reason).await {
            Ok(()) => {
                self.quarantine.release(&held.table, &held.key);
                Ok(())
            }
            Err(error) => Err(self.abandon(error).await),
        }
    }

    async fn retry_in_order<R: Row + Sync>(
        &mut self,
        held: &Held,
        prepared: &Prepared,
        mut next: impl FnMut() -> Result<Option<Vec<Change<R>>>>,
        reason: &str,
    ) -> Result<()> {
        self.still_leads().await?;
        while let Some(changes) = next()? {
            match changes.as_slice() {
                // A change that was not readable before turns out to be a TRUNCATE.
                [change] if change.op == Op::Truncate => {
                    self.empty(&prepared.plan(&change.table)?.target.sql()).await?;
                }
                changes => {
                    let folded = fold(changes)?;
                    self.late(&folded, &prepared.of(&folded)?).await?;
                }
            }
        }
        self.release_row(held, reason).await?;
        self.commit(Applied::default()).await.map(|_| ())
    }

    async fn late<R: Row + Sync>(&mut self, folded: &Folded<'_, R>, plans: &Plans) -> Result<()> {
        let mut writer = Writer::new(&mut self.data, self.settings.max_statement_bytes);
        apply::apply_late(&mut writer, folded, plans).await?;
        writer.flush().await
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
        self.leads()?;
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
