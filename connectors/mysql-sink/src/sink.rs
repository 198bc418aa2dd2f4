//! The sink itself: opened, fed with batches, closed.

mod isolate;
mod release;

use cdc_sdk::value::Row;
use cdc_sdk::{Error, Kind, Op, Result, Table, fail};
use std::sync::Arc;
use std::time::Duration;

use crate::apply::{self, Plans, Replay, Writer};
use crate::batch::{Advance, Applied, Batch, Change, End};
use crate::conflict;
use crate::dead_letter::{Aside, DeadLetters, Held, Quarantine};
use crate::fold::{Folded, fold};
use crate::ledger::{self, Ledger, Progress, Registration};
use crate::session::{Leader, Purpose, Session};
use crate::settings::Settings;
use crate::tables::{Plan, Tables, strange_keys_named};

/// How often a batch that the destination rolled back (deadlock, lock wait) is tried before that is an error.
const ATTEMPTS_MAX: u32 = 5;
/// How long is waited before the first of those attempts; each further one waits four times as long.
const PAUSE_FIRST: Duration = Duration::from_millis(10);
/// ER_TRUNCATE_ILLEGAL_FK: the table is referenced by foreign keys.
const TRUNCATE_REFERENCED: u16 = 1701;

/// A sink that leads: no other of its name writes while it does.
///
/// After an error of kind Retry it must be opened anew, which reads from the
/// ledger what was committed. Dropped without [`Sink::close`] it is as if the
/// process had died: the destination rolls back what was open.
pub struct Sink {
    settings: Settings,
    ledger: Ledger,
    leader: Leader,
    data: Session,
    tables: Tables,
    registrations: Vec<Registration>,
    progress: Progress,
    state: State,
    /// Where dead letters go; `None`: nowhere.
    office: Option<Arc<dyn DeadLetters>>,
    quarantine: Quarantine,
    /// The quarantine as it was before the open run changed it.
    before_run: Option<Quarantine>,
    /// What the attempt under way adds to it.
    leaving: Vec<Held>,
}

/// Where the sink stands in its destination transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between transactions. Set by `open`, by a commit and by a rollback.
    Idle,
    /// Inside a source transaction that goes on with the next batch. Set by a batch that ends with `More`.
    Open,
    /// What is committed is not known, or another leads. Set by a broken connection; only `open` leads out.
    Lost,
}

impl Sink {
    /// Opens the sink: waits until it leads (`standing_by` is told who does meanwhile), ends what is left
    /// of its predecessor, and reads the ledger.
    ///
    /// # Errors
    /// The destination cannot be reached or refuses; the ledger follows another topic prefix or has an unknown form.
    pub async fn open(settings: Settings, standing_by: impl FnMut(&str)) -> Result<Self> {
        let leader = Leader::stand_by(&settings.endpoint, &settings.name, standing_by).await?;
        let lost = leader.lost();
        tokio::select! {
            lost = lost => Err(lost),
            opened = Self::lead(settings, leader) => opened,
        }
    }

    async fn lead(settings: Settings, leader: Leader) -> Result<Self> {
        settings.warn_of_routes();
        let ledger = settings.ledger();
        let mut tables = Session::connect(&settings.endpoint, Purpose::Tables).await?;
        ledger::create(&ledger, &mut tables).await?;
        let mut data = Session::connect(&settings.endpoint, Purpose::Data).await?;
        let tag = settings.tag();
        tables.mark(tag.as_deref()).await?;
        data.mark(tag.as_deref()).await?;
        let registrations =
            vec![Registration::of(&ledger, &mut tables).await?, Registration::of(&ledger, &mut data).await?];
        // Whose ledger is another kind's must not end that one's connections.
        ledger.read(&mut data, false).await?;
        ledger::end_predecessors(&ledger, &mut data, &registrations).await?;
        fail::point("sink.predecessors_ended");
        let progress = ledger::raise_epoch(&ledger, &mut data, &leader, &settings.topic_prefix).await?;
        fail::point("sink.epoch_raised");
        let quarantine = ledger::quarantine::read(&ledger, &mut data).await?;
        if !settings.dead_letters.is_empty() || !quarantine.is_empty() {
            ledger::quarantine::create(&ledger, &mut tables).await?;
        }
        let tables = Tables::new(tables);
        Ok(Self {
            settings,
            ledger,
            leader,
            data,
            tables,
            registrations,
            progress,
            state: State::Idle,
            office: None,
            quarantine,
            before_run: None,
            leaving: Vec::new(),
        })
    }

    /// Where dead letters go from now on. Without it an event that cannot be applied stops the sink.
    pub fn send_dead_letters_to(&mut self, office: Arc<dyn DeadLetters>) {
        self.office = Some(office);
    }

    /// The keys in quarantine: of what is committed, and of the run that is open.
    pub fn quarantine(&self) -> &Quarantine {
        &self.quarantine
    }

    /// Waits until this sink is known to lead no more, for one that waits for an answer meanwhile: on a
    /// line that went silent none comes. Whatever it was doing is to be dropped then.
    pub fn lost_lead(&self) -> impl Future<Output = Error> + Send + use<> {
        self.leader.lost()
    }

    /// How far it has come.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Applies a batch. On success with [`End::Commit`] data and ledger are committed; on any error nothing
    /// of the batch, nor of the run that it goes on with, is.
    ///
    /// # Errors
    /// The error's fate says what to do; with Retry the sink is opened anew.
    pub async fn apply<R: Row + Clone + Send + Sync>(&mut self, batch: Batch<R>) -> Result<Applied> {
        self.ready(&batch)?;
        let truncates = batch.changes.iter().filter(|c| c.op == Op::Truncate).count();
        let rows = batch.changes.iter().any(|c| c.op != Op::Truncate && c.unreadable.is_none());
        let done = match truncates > 0 && !rows {
            true => self.truncate(&batch).await,
            false => self.attempts_with_dead_letters(&batch).await,
        };
        match (done, batch.end) {
            (Ok(applied), End::Commit(advance)) => {
                self.state = State::Idle;
                self.progress.advance(advance);
                self.take_in();
                self.before_run = None;
                Ok(applied)
            }
            (Ok(applied), End::More) => {
                self.state = State::Open;
                self.take_in();
                Ok(applied)
            }
            (Err(error), _) => Err(self.abandon(error).await),
        }
    }

    /// Drops what a run has brought so far: the source has abandoned it.
    ///
    /// # Errors
    /// If the destination cannot be told; then the connection's end does it.
    pub async fn roll_back(&mut self) -> Result<()> {
        if self.state == State::Open {
            let rolled = self.data.command("ROLLBACK").await;
            self.forget_run();
            self.state = if rolled.is_ok() { State::Idle } else { State::Lost };
            rolled.map_err(|r| r.into_error("an abandoned transaction could not be rolled back"))?;
        }
        Ok(())
    }

    /// Ends in good order: an open run is rolled back, and the next sink of the name need not wait.
    pub async fn close(mut self) {
        let ended = self.roll_back().await;
        for registration in &self.registrations {
            if let Err(refusal) = registration.strike(&self.ledger, &mut self.data).await {
                tracing::debug!(?refusal, "a registration stays; the next sink removes it");
            }
        }
        if let Err(error) = ended {
            tracing::debug!(%error, "closing");
        }
        self.data.close().await;
        self.tables.close().await;
        self.leader.step_down().await;
    }

    /// Whether this sink still leads and the ledger is as it left it: for a caller that has had nothing to
    /// apply for a while. A commit would find out by itself.
    ///
    /// # Errors
    /// [`Kind::LedgerMoved`] if it must be opened anew; or the destination cannot be asked.
    pub async fn confirm(&mut self) -> Result<()> {
        self.leads()?;
        let stand = self.ledger.stand(&mut self.data).await;
        let stand = stand.map_err(|r| {
            self.state = State::Lost;
            r.into_error("the ledger could not be looked at")
        })?;
        // The cut, too: a destination that was restored with its ledger has the epoch of then, which may be that of now.
        if stand == Some((self.progress.epoch, self.progress.cut)) {
            return Ok(());
        }
        self.state = State::Lost;
        Err(self.ledger.moved())
    }

    /// Whether this sink still leads, as far as it knows.
    pub(crate) fn leads(&self) -> Result<()> {
        match self.state {
            State::Lost => {
                Err(Error::new(Kind::LedgerMoved, "this sink must be opened anew after its last error"))
            }
            State::Idle | State::Open => self.leader.confirm(),
        }
    }

    /// Whether it is between transactions.
    pub(crate) fn is_idle(&self) -> bool {
        self.state == State::Idle
    }

    /// Whether the destination has writers of its own.
    pub(crate) fn is_two_way(&self) -> bool {
        self.settings.two_way.is_some()
    }

    /// One more session for rows, written down before it is used. It gives way sooner than the sink's own.
    pub(crate) async fn another_session(&mut self) -> Result<Session> {
        let mut session = Session::connect(&self.settings.endpoint, Purpose::Writer).await?;
        self.registrations.push(Registration::of(&self.ledger, &mut session).await?);
        Ok(session)
    }

    /// The plan of a table that this sink has written before.
    pub(crate) fn known_plan(&self, table: &Arc<Table>) -> Option<Arc<Plan>> {
        self.tables.known(table)
    }

    /// The plan of a table; makes or changes the destination's as the settings allow.
    pub(crate) async fn plan(&mut self, table: &Arc<Table>) -> Result<Arc<Plan>> {
        self.tables.plan(&self.settings, table, 0).await
    }

    /// How often a table was changed: plans that were made before are stale.
    pub(crate) fn table_changes(&self) -> u64 {
        self.tables.changes()
    }

    /// What moves the ledger from one place to the next.
    pub(crate) fn ledger_sql(&self, from: &Progress, to: &Advance) -> (String, Option<String>) {
        (self.ledger.advance_sql(from, to), self.ledger.places_of(&to.places))
    }

    /// Bytes of a statement at most.
    pub(crate) fn statement_bytes_max(&self) -> usize {
        self.settings.max_statement_bytes
    }

    /// Takes over what another session of this sink has committed.
    pub(crate) fn committed(&mut self, advance: Advance) {
        self.progress.advance(advance);
    }

    /// After an error that leaves open what is committed: this sink must be opened anew.
    pub(crate) fn lost(&mut self, error: Error) -> Error {
        self.state = State::Lost;
        error
    }

    /// Whether a batch may be applied now.
    fn ready<R>(&mut self, batch: &Batch<R>) -> Result<()> {
        if let Err(error) = self.leads() {
            self.state = State::Lost;
            return Err(error);
        }
        let End::Commit(advance) = &batch.end else { return Ok(()) };
        if self.progress.cut >= Some(advance.cut) {
            let what = format!("a batch ends at cut {}, which the ledger has", advance.cut);
            return Err(Error::new(Kind::Bug, what));
        }
        let over_the_end = self.progress.converging() && Some(advance.cut) > self.progress.high_water;
        let without_key = |c: &&Change<R>| c.key.is_none() && c.op != Op::Truncate && c.unreadable.is_none();
        let keyless = batch.changes.iter().find(without_key);
        match keyless.filter(|_| over_the_end) {
            None => Ok(()),
            // Some of its rows are at the destination and some are not, and nothing tells which.
            Some(change) => Err(Error::new(
                Kind::Bug,
                format!("a batch with rows of {} goes over the end of what is replayed", change.table.name),
            )
            .detail(format!("it ends at cut {}", advance.cut))
            .hint("a batch must end at the ledger's high water")),
        }
    }

    /// Applies all but what is set aside; what the destination rolled back for reasons of its own is tried
    /// again, unless an earlier batch of the run went with it.
    async fn attempts<R: Row + Sync>(&mut self, batch: &Batch<R>, aside: &Aside) -> Result<Applied> {
        let mut pause = PAUSE_FIRST;
        let mut attempt = 1;
        let mut looked_again = false;
        loop {
            let mut folded = match aside.is_empty() {
                true => fold(&batch.changes)?,
                false => fold(batch.changes.iter().filter(|c| !aside.has(c)))?,
            };
            let plans = self.plans(&folded).await?;
            match self.transact(batch, aside, &mut folded, &plans).await {
                Err(error) if self.may_repeat(&error) && attempt < ATTEMPTS_MAX => {
                    tracing::info!(%error, attempt, "the destination rolled the batch back; it is tried again");
                    self.data
                        .command("ROLLBACK")
                        .await
                        .map_err(|r| r.into_error("a batch was rolled back"))?;
                    tokio::time::sleep(pause).await;
                    pause *= 4;
                    attempt += 1;
                }
                // Somebody else has changed the table.
                Err(error) if error.kind() == Kind::TableMismatch && self.state == State::Idle => {
                    let undone = self.data.command("ROLLBACK").await;
                    undone.map_err(|r| r.into_error("a batch was rolled back"))?;
                    if looked_again || !self.tables.look_again(&plans).await? {
                        return Err(error);
                    }
                    tracing::info!(%error, "the destination's tables are looked at again");
                    looked_again = true;
                }
                Err(error) => return Err(strange_keys_named(error, &plans)),
                applied => return applied,
            }
        }
    }

    fn may_repeat(&self, error: &Error) -> bool {
        error.kind() == Kind::Conflict && self.state == State::Idle
    }

    async fn plans<R>(&mut self, folded: &Folded<'_, R>) -> Result<Plans> {
        let plans = self.tables.all(&self.settings, &folded.schemas()).await?;
        Ok(folded.by_table(plans))
    }

    /// One attempt: rows, then the ledger, each answer checked, then COMMIT.
    async fn transact<R: Row + Sync>(
        &mut self,
        batch: &Batch<R>,
        aside: &Aside,
        folded: &mut Folded<'_, R>,
        plans: &Plans,
    ) -> Result<Applied> {
        let mut conflicts = 0;
        let mut begin = self.state == State::Idle;
        if let Some(two_way) = &self.settings.two_way {
            if std::mem::take(&mut begin) {
                self.data.command("START TRANSACTION").await.map_err(|r| r.into_error("no transaction"))?;
            }
            conflicts = conflict::settle(&mut self.data, two_way, folded, plans).await?;
        }
        let mut writer = Writer::new(&mut self.data, self.settings.max_statement_bytes);
        writer.applied.conflicts = conflicts;
        match self.state {
            State::Idle if begin => writer.control("START TRANSACTION"),
            State::Open if self.office.is_some() => writer.control(isolate::MARK),
            State::Idle | State::Open | State::Lost => {}
        }
        apply::apply(&mut writer, folded, plans, Replay::of(&self.progress, batch.over_holes)).await?;
        self.leaving.clear();
        if !aside.is_empty() {
            writer.flush().await?;
            let applied = writer.applied;
            self.leave(batch, aside).await?;
            writer = Writer::new(&mut self.data, self.settings.max_statement_bytes);
            writer.applied = applied;
        }
        fail::point("sink.rows_written");
        if let End::Commit(advance) = &batch.end {
            writer.ledger(&self.ledger.advance_sql(&self.progress, advance));
            for sql in self.ledger.beside(&self.progress, advance) {
                writer.control(&sql);
            }
        }
        writer.flush().await?;
        let applied = writer.applied;
        match batch.end {
            End::More => {
                fail::point("sink.inside_transaction");
                Ok(applied)
            }
            End::Commit(_) => self.commit(applied).await,
        }
    }

    /// If its answer is lost nobody knows whether it went through, until the ledger is read again.
    async fn commit(&mut self, applied: Applied) -> Result<Applied> {
        fail::point("sink.ledger_written");
        let committed = self.data.command("COMMIT").await;
        fail::point("sink.committed");
        match committed {
            Ok(_) => Ok(Applied { statements: applied.statements + 1, committed: true, ..applied }),
            Err(refusal) => {
                self.state = State::Lost;
                Err(refusal.into_error("a commit was not confirmed"))
            }
        }
    }

    /// TRUNCATE commits by itself, so it goes before the ledger: if the process dies between the two, it is done
    /// again, which changes nothing. It comes before the table is changed to what follows: what its columns held
    /// may be none of their new types'.
    async fn truncate<R: Row>(&mut self, batch: &Batch<R>) -> Result<Applied> {
        let End::Commit(advance) = &batch.end else {
            return Err(Error::new(Kind::Bug, "TRUNCATE inside a transaction that goes on"));
        };
        if self.state != State::Idle {
            return Err(Error::new(Kind::Bug, "TRUNCATE inside an open transaction"));
        }
        let mut referenced = Vec::new();
        let truncates = batch.changes.iter().filter(|c| c.op == Op::Truncate);
        let emptied: Vec<_> = truncates.filter(|c| !self.stays(c)).collect();
        emptied.iter().for_each(|change| self.tables.emptied(&change.table.name));
        for change in emptied {
            let target = self.tables.target(&self.settings, &change.table.name).await?;
            if self.tables.has(&target).await? {
                match self.data.command(&format!("TRUNCATE TABLE {}", target.sql())).await {
                    Ok(_) => fail::point("sink.table_emptied"),
                    Err(refusal) if refusal.code == TRUNCATE_REFERENCED => referenced.push(target),
                    Err(refusal) => {
                        return Err(refusal.into_error(format!("{target} could not be truncated")));
                    }
                }
            }
            self.tables.plan(&self.settings, &change.table, 0).await?;
            self.tables.emptied(&change.table.name);
        }
        self.execute("START TRANSACTION").await?;
        let mut applied = Applied::default();
        for target in referenced {
            applied.deletes += self.empty(&target.sql()).await?;
        }
        self.release_truncated(batch).await?;
        self.advance(advance).await?;
        self.commit(applied).await
    }

    async fn empty(&mut self, table: &str) -> Result<u64> {
        let deleted = apply::delete_all(&mut self.data, table).await;
        deleted.map_err(|r| r.into_error("a statement at the destination failed"))
    }

    async fn advance(&mut self, advance: &Advance) -> Result<()> {
        if self.execute(&self.ledger.advance_sql(&self.progress, advance)).await? != 1 {
            return Err(self.ledger.moved());
        }
        for sql in self.ledger.beside(&self.progress, advance) {
            self.execute(&sql).await?;
        }
        Ok(())
    }

    async fn execute(&mut self, sql: &str) -> Result<u64> {
        let outcome = self.data.command(sql).await;
        outcome.map(|o| o.affected).map_err(|r| r.into_error("a statement at the destination failed"))
    }

    /// Rolls back after an error. If that cannot be done, or the ledger is another's, the sink is lost.
    async fn abandon(&mut self, error: Error) -> Error {
        let rolled = self.data.command("ROLLBACK").await;
        self.forget_run();
        let lost = rolled.is_err() || self.state == State::Lost || error.kind() == Kind::LedgerMoved;
        self.state = if lost { State::Lost } else { State::Idle };
        error
    }
}
