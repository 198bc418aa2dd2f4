//! Batches of which something cannot be applied: see [`crate::dead_letter`].

use cdc_sdk::value::Row;
use cdc_sdk::{Error, Fate, Kind, Op, Result, fail};

use super::{Sink, State};
use crate::apply::Replay;
use crate::batch::{Applied, Batch, Change};
use crate::dead_letter::{Aside, Guilty, Held, Search, schemas, search};
use crate::fold::fold;
use crate::ledger;

/// What an attempt inside of a run goes back to.
pub(super) const MARK: &str = "SAVEPOINT cdc_batch";

/// How often more changes are set aside before that is an error. Each round finds all that is at fault by
/// itself; more than one is needed where a row that stays as it was is in the way of another.
pub(super) const ROUNDS_MAX: u32 = 32;

impl Sink {
    /// Applies a batch; what cannot be applied is set aside where the settings allow it.
    pub(super) async fn attempts_with_dead_letters<R: Row + Sync>(
        &mut self,
        batch: &Batch<R>,
    ) -> Result<Applied> {
        let mut aside = self.known(&batch.changes)?;
        let mut round = 0;
        loop {
            let error = match self.attempts(batch, &aside).await {
                Err(error) if self.may_isolate(&error) => error,
                other => return other,
            };
            round += 1;
            if round > ROUNDS_MAX {
                return Err(error.detail(format!("given up after setting keys aside {ROUNDS_MAX} times")));
            }
            let new = self.isolate(batch, &mut aside).await?;
            if new == 0 {
                return Err(error);
            }
            self.check_limit(&aside, &error)?;
            tracing::warn!(%error, keys = new, "events that cannot be applied go to the dead letters");
        }
    }

    /// Whether changes are of keys in quarantine. Costs nothing while there are none.
    pub(crate) fn holds_any<R>(&self, changes: &[Change<R>]) -> bool {
        !self.quarantine.is_empty()
            && (changes.iter().any(|c| self.quarantine.reason(&c.table.name, &c.key).is_some())
                || schemas(changes).any(|table| self.quarantine.has_other_keys(table)))
    }

    /// What of these changes is set aside before anything is tried.
    fn known<R: Row>(&self, changes: &[Change<R>]) -> Result<Aside> {
        let unreadable = changes.iter().any(|c| c.unreadable.is_some());
        if self.quarantine.is_empty() && !unreadable {
            return Ok(Aside::default());
        }
        let mut aside = Aside::of(changes, &self.quarantine);
        // A replay brings events from before a table had the key of today: what is held came after them.
        if !self.progress.converging() {
            aside.add_other_keys(changes, &self.quarantine);
        }
        if !aside.is_empty() && self.office.is_none() {
            return Err(Error::new(Kind::Bug, "dead letters have nowhere to go"));
        }
        if let Some(error) = changes.iter().find_map(|c| c.unreadable.as_deref()) {
            self.check_limit(&aside, error)?;
        }
        Ok(aside)
    }

    fn may_isolate(&self, error: &Error) -> bool {
        error.fate() == Fate::Quarantine
            && self.office.is_some()
            && !self.settings.dead_letters.is_empty()
            && self.state != State::Lost
    }

    /// Searches for what is at fault, adds it, and returns how many keys that are. Leaves the
    /// destination's transaction as it was before the batch.
    async fn isolate<R: Row + Sync>(&mut self, batch: &Batch<R>, aside: &mut Aside) -> Result<usize> {
        self.undo().await?;
        let folded = fold(batch.changes.iter().filter(|c| !aside.has(c)))?;
        let plans = self.plans(&folded).await?;
        if self.state == State::Idle {
            self.execute("START TRANSACTION").await?;
        }
        let settings = &self.settings;
        let ask = Search {
            plans: &plans,
            bytes_max: settings.max_statement_bytes,
            replay: Replay::of(&self.progress, batch.over_holes),
            most: settings.quarantined_keys_max,
        };
        let selected = |table: &_| settings.has_dead_letters(table);
        let found: Vec<Guilty<'_, R>> = search(&mut self.data, folded, &ask, selected).await?;
        self.undo().await?;
        let before = aside.new;
        aside.extend(found);
        Ok(aside.new - before)
    }

    /// Takes back what an attempt at the batch has done.
    async fn undo(&mut self) -> Result<()> {
        match self.state {
            State::Open => self.execute(&format!("ROLLBACK TO {MARK}")).await.map(|_| ()),
            State::Idle | State::Lost => self.execute("ROLLBACK").await.map(|_| ()),
        }
    }

    fn check_limit(&self, aside: &Aside, error: &Error) -> Result<()> {
        let most = self.settings.quarantined_keys_max;
        if self.quarantine.count() + aside.new <= most {
            return Ok(());
        }
        Err(Error::new(Kind::DeadLettersFull, format!("more than {most} keys would be in quarantine"))
            .detail(format!("{} are; the next: {error}", self.quarantine.count()))
            .hint("mend the cause, then: cdc dead-letter retry --all; or raise [dead_letter] keys_max"))
    }

    /// Stores the letters, then writes the quarantine into the open transaction: in this order, since the
    /// transaction leaves their changes out.
    pub(super) async fn leave<R>(&mut self, batch: &Batch<R>, aside: &Aside) -> Result<()> {
        let Some(office) = self.office.clone() else {
            return Err(Error::new(Kind::Bug, "dead letters have nowhere to go"));
        };
        let repeats = self.progress.skips_keyless();
        let letters = aside.letters(&batch.changes, repeats);
        if letters.is_empty() {
            return Ok(());
        }
        let from = office.keep(&letters).await?;
        fail::point("sink.letters_stored");
        let held = aside.held(&batch.changes, repeats, from, |origin| office.place(origin));
        for key in &held {
            ledger::quarantine::take_in(&self.ledger, &mut self.data, key).await?;
        }
        self.leaving = held;
        Ok(())
    }

    /// What the transaction said of the quarantine holds from now on.
    pub(super) fn take_in(&mut self) {
        if self.leaving.is_empty() {
            return;
        }
        self.before_run.get_or_insert_with(|| self.quarantine.clone());
        for held in self.leaving.drain(..) {
            self.quarantine.take_in(held);
        }
    }

    /// The open run is rolled back: what it said of the quarantine does not hold.
    pub(super) fn forget_run(&mut self) {
        self.leaving.clear();
        if let Some(before) = self.before_run.take() {
            self.quarantine = before;
        }
    }

    /// TRUNCATE empties a table: what its keys in quarantine wait for is past. Of what comes with it, only
    /// what cannot be read is left, and goes to the dead letters.
    pub(super) async fn release_truncated<R: Row>(&mut self, batch: &Batch<R>) -> Result<()> {
        self.leaving.clear();
        for change in batch.changes.iter().filter(|c| c.op == Op::Truncate) {
            let past = self.past(change);
            if past.is_empty() {
                continue;
            }
            for held in &past {
                ledger::quarantine::release(&self.ledger, &mut self.data, held).await?;
            }
            let table = &change.table.name;
            self.audit(&format!("TRUNCATE released the keys of {table} in quarantine")).await?;
            self.before_run.get_or_insert_with(|| self.quarantine.clone());
            past.iter().for_each(|held| self.quarantine.release(table, &held.key));
        }
        let aside = self.known(&batch.changes)?;
        if aside.is_empty() { Ok(()) } else { self.leave(batch, &aside).await }
    }

    /// Whether a TRUNCATE leaves its table alone: a replay skips rows without identity, so they must stay, too.
    pub(super) fn stays<R>(&self, truncate: &Change<R>) -> bool {
        self.progress.skips_keyless() && truncate.table.identity().is_none()
    }

    /// What in quarantine lies behind a TRUNCATE. A table that stays waits for changes that came after it, unless this
    /// replay has brought them: both stand in the one partition that a table without a key has.
    fn past<R>(&self, truncate: &Change<R>) -> Vec<Held> {
        let here = self.office.as_ref().map(|office| office.place(truncate.origin));
        let is_before = |held: &&Held| {
            let Some(here) = &here else { return false };
            (&held.first.topic, held.first.partition) == (&here.topic, here.partition)
                && held.first.offset < here.offset
        };
        let stays = self.stays(truncate);
        self.quarantine
            .of_table(&truncate.table.name)
            .filter(|held| !stays || is_before(held))
            .cloned()
            .collect()
    }
}
