//! The sink itself: opened, given partitions, fed with batches, closed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cdc_sdk::value::Row;
use cdc_sdk::{CutId, Error, Kind, Result, Table, fail};

use super::batch::{Emptying, KeyApplied, KeyBatch, Partition, Standing, Step};
use super::{places, switch};
use crate::apply::{self, Plans, Writer};
use crate::batch::Applied;
use crate::fold::{Folded, fold};
use crate::ledger::{self, Ledger, Registration};
use crate::session::{Purpose, Refusal, Session};
use crate::settings::Settings;
use crate::tables::{Plan, Tables};

/// How often a batch that the destination rolled back (deadlock, lock wait) is tried before that is an error.
const ATTEMPTS_MAX: u32 = 6;
/// How long is waited before the first of those attempts; each further one waits twice as long.
const PAUSE_FIRST: Duration = Duration::from_millis(10);
/// How long taking partitions waits for who has their rows locked, before that connection is ended.
const TAKE_WAIT_SECONDS: u32 = 2;
/// The same for everything else.
const LOCK_WAIT_SECONDS: u32 = 20;

/// One of the sinks of a name.
///
/// After an error of kind Retry it must be opened anew. Dropped without [`KeySink::close`] it is as if the
/// process had died.
pub struct KeySink {
    settings: Settings,
    ledger: Ledger,
    data: Session,
    tables: Tables,
    registration: Registration,
    /// The cut up to which a partition without a row counts as applied.
    base: Option<CutId>,
    /// What tells this ledger from one of the same name elsewhere.
    id: String,
    /// The epochs of the partitions that are this sink's.
    epochs: HashMap<Partition, u64>,
}

/// How an attempt ended that met no error.
enum Tried {
    Done(Applied),
    /// These are not this sink's any more.
    Lost(Vec<Partition>),
}

impl KeySink {
    /// Opens one.
    ///
    /// # Errors
    /// The destination cannot be reached or refuses; the ledger is one of whole cuts that cannot be taken over.
    pub async fn open(settings: Settings) -> Result<Self> {
        settings.warn_of_routes();
        let ledger = settings.ledger();
        let mut tables = Session::connect(&settings.endpoint, Purpose::Tables).await?;
        ledger::create(&ledger, &mut tables).await?;
        places::create(&ledger, &mut tables).await?;
        let mut data = Session::connect(&settings.endpoint, Purpose::Data).await?;
        let base = switch::enter(&ledger, &mut data, &settings).await?;
        let id = places::id(&ledger, &mut data).await.map_err(places::unusable(&ledger))?;
        ledger::strike_dead(&ledger, &mut data).await?;
        let registration = Registration::of(&ledger, &mut data).await?;
        let tables = Tables::new(tables);
        Ok(Self { settings, ledger, data, tables, registration, base, id, epochs: HashMap::new() })
    }

    /// Takes partitions that this sink was given: from here on nobody else can commit for them. Returns where
    /// each stands.
    ///
    /// # Errors
    /// [`Kind::LedgerMoved`] if the ledger is not one by partition any more; or the destination refuses.
    pub async fn take(&mut self, wanted: &[Partition]) -> Result<Vec<(Partition, Standing)>> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        self.lock_wait(TAKE_WAIT_SECONDS).await?;
        let mut taken = self.try_take(wanted).await;
        for _ in 1..ATTEMPTS_MAX {
            if !matches!(&taken, Err(error) if error.kind() == Kind::Conflict) {
                break;
            }
            self.roll_back().await?;
            self.end_owners(wanted).await?;
            taken = self.try_take(wanted).await;
        }
        if taken.is_err() {
            self.roll_back().await?;
        }
        self.lock_wait(LOCK_WAIT_SECONDS).await?;
        taken
    }

    async fn try_take(&mut self, wanted: &[Partition]) -> Result<Vec<(Partition, Standing)>> {
        let unusable = places::unusable(&self.ledger);
        self.data.command("START TRANSACTION").await.map_err(&unusable)?;
        let (ledger, data) = (&self.ledger, &mut self.data);
        // Held until the end, so that nobody makes another ledger of it meanwhile.
        let base = switch::base(ledger, data, &self.settings, " LOCK IN SHARE MODE").await?;
        self.base = base.ok_or_else(|| ledger.moved())?;
        places::lock(ledger, data, wanted, self.base).await.map_err(&unusable)?;
        let rows = places::raise(ledger, data, wanted, self.registration.token()).await.map_err(&unusable)?;
        fail::point("by_key.epochs_raised");
        data.command("COMMIT").await.map_err(&unusable)?;
        Ok(rows
            .into_iter()
            .map(|row| {
                self.epochs.insert(row.partition.clone(), row.epoch);
                (row.partition, row.standing)
            })
            .collect())
    }

    /// Ends the connections of sinks that have these partitions and keep their rows locked.
    async fn end_owners(&mut self, wanted: &[Partition]) -> Result<()> {
        let owners =
            places::other_owners(&self.ledger, &mut self.data, wanted, self.registration.token()).await;
        for token in owners.map_err(places::unusable(&self.ledger))? {
            ledger::end_connection(&mut self.data, &token, &self.ledger.name).await?;
        }
        Ok(())
    }

    /// Lets partitions go that another sink is to have.
    ///
    /// # Errors
    /// The destination cannot be told.
    pub async fn release(&mut self, partitions: &[Partition]) -> Result<()> {
        let mine: Vec<Partition> =
            partitions.iter().filter(|p| self.epochs.remove(*p).is_some()).cloned().collect();
        if mine.is_empty() {
            return Ok(());
        }
        let sql = places::release_sql(&self.ledger, &mine, self.registration.token());
        self.data.command(&sql).await.map(drop).map_err(places::unusable(&self.ledger))
    }

    /// Applies a batch, and the ledger with it, in one transaction.
    ///
    /// # Errors
    /// Nothing of the batch is applied, or that is not known; with Retry the sink is opened anew.
    pub async fn apply<R: Row + Send + Sync>(&mut self, mut batch: KeyBatch<R>) -> Result<KeyApplied> {
        batch.steps.sort_by(|a, b| a.partition.cmp(&b.partition));
        let mut lost = Vec::new();
        let mut attempt = 1;
        let mut pause = PAUSE_FIRST;
        let mut looked_again = false;
        while !batch.steps.is_empty() {
            match self.attempt(&batch).await {
                Ok(Tried::Done(applied)) => return Ok(KeyApplied { applied, lost }),
                Ok(Tried::Lost(partitions)) => {
                    self.forget(&partitions);
                    batch.leave_out(&partitions);
                    lost.extend(partitions);
                }
                Err(error) if error.kind() == Kind::Conflict && attempt < ATTEMPTS_MAX => {
                    tracing::info!(%error, attempt, "the destination rolled the batch back; it is tried again");
                    self.roll_back().await?;
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                    attempt += 1;
                }
                // Another sink of the name may have changed the table for rows of another schema.
                Err(error)
                    if !looked_again && matches!(error.kind(), Kind::TableMismatch | Kind::RowRefused) =>
                {
                    self.roll_back().await?;
                    looked_again = true;
                    if !self.look_again(&batch).await? {
                        return Err(error);
                    }
                    tracing::info!(%error, "the destination's tables are looked at again");
                }
                Err(error) => return Err(self.abandon(error).await),
            }
        }
        Ok(KeyApplied { applied: Applied::default(), lost })
    }

    /// Forgets the plans of a batch. `false` where the batch had none.
    async fn look_again<R: Row>(&mut self, batch: &KeyBatch<R>) -> Result<bool> {
        let plans: Vec<Arc<Plan>> =
            batch.changes.iter().filter_map(|c| self.tables.known(&c.table)).collect();
        let mut tables: Vec<Arc<Plan>> = Vec::new();
        for plan in plans {
            if !tables.iter().any(|known| known.target == plan.target) {
                tables.push(plan);
            }
        }
        Ok(!tables.is_empty() && self.tables.look_again(&[tables]).await?)
    }

    /// One attempt: the compare-and-sets, then rows, each answer checked, then COMMIT.
    async fn attempt<R: Row + Sync>(&mut self, batch: &KeyBatch<R>) -> Result<Tried> {
        let folded = fold(&batch.changes)?;
        let plans = self.plans(&folded).await?;
        fail::point("by_key.batch_begins");
        let lost = self.fence(batch.steps.iter().map(|step| (step, batch.is_keyless(step.stream)))).await?;
        if !lost.is_empty() {
            self.roll_back().await?;
            return Ok(Tried::Lost(lost));
        }
        let mut writer = Writer::new(&mut self.data, self.settings.max_statement_bytes);
        apply::apply_by_key(&mut writer, &folded, &plans).await?;
        writer.flush().await?;
        let applied = writer.applied;
        fail::point("by_key.rows_written");
        self.commit().await?;
        Ok(Tried::Done(Applied { committed: true, ..applied }))
    }

    /// Begins the transaction with the compare-and-set of each partition. Returns those that affected no row.
    async fn fence(&mut self, steps: impl Iterator<Item = (&Step, bool)>) -> Result<Vec<Partition>> {
        let mut packet = "START TRANSACTION".to_owned();
        let (mut asked, mut lost) = (Vec::new(), Vec::new());
        for (step, keyless) in steps {
            match self.epochs.get(&step.partition) {
                Some(epoch) => {
                    packet.push(';');
                    packet.push_str(&places::step_sql(&self.ledger, step, *epoch, keyless));
                    asked.push(&step.partition);
                }
                None => lost.push(step.partition.clone()),
            }
        }
        let outcomes = self.data.run(packet.as_bytes()).await;
        let outcomes = outcomes.map_err(|s| places::unusable(&self.ledger)(s.refusal))?;
        let missed = asked.iter().zip(outcomes.iter().skip(1)).filter(|(_, outcome)| outcome.affected != 1);
        lost.extend(missed.map(|(partition, _)| (*partition).clone()));
        Ok(lost)
    }

    /// Empties a table, and sets all partitions of its topic behind the event that says so.
    ///
    /// # Errors
    /// As [`KeySink::apply`].
    pub async fn empty<R: Row + Send + Sync>(&mut self, emptying: &Emptying<R>) -> Result<KeyApplied> {
        let mut attempt = 1;
        loop {
            match self.try_empty(emptying).await {
                Ok(Tried::Lost(lost)) => {
                    self.forget(&lost);
                    return Ok(KeyApplied { applied: Applied::default(), lost });
                }
                Ok(Tried::Done(applied)) => {
                    // Those that are this sink's have been set, too: it must take them anew.
                    let moved = emptying.others.iter().map(|p| (p.topic.clone(), p.partition));
                    let lost: Vec<Partition> = moved.filter(|p| self.epochs.contains_key(p)).collect();
                    self.forget(&lost);
                    return Ok(KeyApplied { applied, lost });
                }
                Err(error) if error.kind() == Kind::Conflict && attempt < ATTEMPTS_MAX => {
                    self.roll_back().await?;
                    attempt += 1;
                }
                Err(error) => return Err(self.abandon(error).await),
            }
        }
    }

    async fn try_empty<R: Row + Sync>(&mut self, emptying: &Emptying<R>) -> Result<Tried> {
        let target = self.tables.target(&self.settings, &emptying.change.table.name).await?;
        // One that is there is changed with the rows that follow: what its columns hold may be none of their new types'.
        if !self.tables.has(&target).await? {
            self.all(&[&emptying.change.table]).await?;
        }
        let lost = self.fence(std::iter::once((&emptying.step, false))).await?;
        if !lost.is_empty() {
            self.roll_back().await?;
            return Ok(Tried::Lost(lost));
        }
        let unusable = places::unusable(&self.ledger);
        let mut others = emptying.others.clone();
        others.sort();
        for place in &others {
            let to = Standing::behind(emptying.cut, place.offset, emptying.step.to.committed_us);
            let sql = places::set_sql(&self.ledger, place, &to);
            self.data.command(&sql).await.map_err(&unusable)?;
        }
        let refused = |r: Refusal| r.into_error(format!("{target} could not be emptied"));
        let deletes = apply::delete_all(&mut self.data, &target.sql()).await.map_err(refused)?;
        fail::point("by_key.rows_written");
        self.commit().await?;
        self.tables.emptied(&emptying.change.table.name);
        Ok(Tried::Done(Applied { committed: true, deletes, ..Applied::default() }))
    }

    /// Partitions that are not this sink's any more, or were set to another place, since it took them: for a
    /// sink that has had nothing to apply for a while.
    ///
    /// # Errors
    /// The destination cannot be asked.
    pub async fn confirm(&mut self) -> Result<Vec<Partition>> {
        let rows = places::owned(&self.ledger, &mut self.data, self.registration.token()).await;
        let rows = rows.map_err(places::unusable(&self.ledger))?;
        let now: HashMap<Partition, u64> = rows.into_iter().map(|row| (row.partition, row.epoch)).collect();
        let stands = |(partition, epoch): &(&Partition, &u64)| now.get(*partition) == Some(*epoch);
        let lost: Vec<Partition> =
            self.epochs.iter().filter(|held| !stands(held)).map(|(partition, _)| partition.clone()).collect();
        self.forget(&lost);
        Ok(lost)
    }

    /// Which of these partitions another sink has taken, not only set.
    ///
    /// # Errors
    /// The destination cannot be asked.
    pub async fn taken_by_others(&mut self, partitions: &[Partition]) -> Result<bool> {
        let owners =
            places::other_owners(&self.ledger, &mut self.data, partitions, self.registration.token()).await;
        Ok(!owners.map_err(places::unusable(&self.ledger))?.is_empty())
    }

    /// Where all partitions of the name stand, whoever has them.
    ///
    /// # Errors
    /// The destination cannot be asked.
    pub async fn standings(&mut self) -> Result<HashMap<Partition, Standing>> {
        let rows = places::all(&self.ledger, &mut self.data).await.map_err(places::unusable(&self.ledger))?;
        Ok(rows.into_iter().map(|row| (row.partition, row.standing)).collect())
    }

    /// What tells this ledger from one of the same name at another destination.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Ends in good order: who comes next need not ask whether this one lives.
    pub async fn close(mut self) {
        let mine: Vec<Partition> = self.epochs.keys().cloned().collect();
        if let Err(error) = self.release(&mine).await {
            tracing::debug!(%error, "partitions stay marked as this sink's; that does no harm");
        }
        if let Err(refusal) = self.registration.strike(&self.ledger, &mut self.data).await {
            tracing::debug!(?refusal, "a registration stays; the next sink removes it");
        }
        self.data.close().await;
        self.tables.close().await;
    }

    async fn plans<R>(&mut self, folded: &Folded<'_, R>) -> Result<Plans> {
        let plans = self.all(&folded.schemas()).await?;
        Ok(folded.by_table(plans))
    }

    /// The plans of these tables; of several sinks one at a time makes or changes tables.
    async fn all(&mut self, schemas: &[&Arc<Table>]) -> Result<Vec<Arc<Plan>>> {
        for table in schemas.iter().filter(|table| self.tables.known(table).is_none()) {
            let others: Vec<&str> = table.secondary_unique_keys().map(|key| key.name.as_str()).collect();
            if !others.is_empty() && self.settings.schema.changes() {
                return Err(has_unique_keys(&table.name.to_string(), &others));
            }
        }
        let plans = self.tables.all(&self.settings, schemas).await?;
        match plans.iter().find(|plan| plan.can_collide()) {
            Some(plan) => {
                let others: Vec<&str> = plan.unique_names.iter().map(String::as_str).collect();
                Err(has_unique_keys(&plan.target.to_string(), &others))
            }
            None => Ok(plans),
        }
    }

    async fn lock_wait(&mut self, seconds: u32) -> Result<()> {
        let sql = format!("SET SESSION innodb_lock_wait_timeout = {seconds}");
        self.data.command(&sql).await.map(drop).map_err(places::unusable(&self.ledger))
    }

    /// If its answer is lost nobody knows whether it went through, until the ledger is read again.
    async fn commit(&mut self) -> Result<()> {
        let committed = self.data.command("COMMIT").await;
        fail::point("by_key.committed");
        committed.map(drop).map_err(|r| r.into_error("a commit was not confirmed"))
    }

    async fn roll_back(&mut self) -> Result<()> {
        let rolled = self.data.command("ROLLBACK").await;
        rolled.map(drop).map_err(|r| r.into_error("a transaction could not be rolled back"))
    }

    async fn abandon(&mut self, error: Error) -> Error {
        if let Err(worse) = self.roll_back().await {
            tracing::debug!(%worse, "the connection's end rolls back");
        }
        error
    }

    fn forget(&mut self, lost: &[Partition]) {
        for partition in lost {
            self.epochs.remove(partition);
        }
    }
}

fn has_unique_keys(table: &str, keys: &[&str]) -> Error {
    let named = match keys {
        [] => "a key over a generated column".to_owned(),
        keys => {
            format!("the unique key {}", keys.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", "))
        }
    };
    Error::new(Kind::NotByKey, format!("{table} has {named}, which consistency = \"key\" cannot keep"))
        .detail(
            "a value goes from one row to another in their order, and rows of different partitions have none",
        )
        .hint(
            "use consistency = \"transaction\"; or exclude the table at the source; or make the table at the \
             destination yourself, with a plain index instead, and set schema = \"none\"",
        )
}
