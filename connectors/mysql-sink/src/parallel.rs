//! Several batches at work at once, committed in their order.
//!
//! Each batch gets a session of its own and writes its rows at once; the ledger and
//! COMMIT wait until the batch before it is committed. So the destination passes through
//! the same states, in the same order, as with one session.
//!
//! **Why the rows are the same, too.** Two batches at work never write the same key of a
//! table (compared by the hash of target and key; tables whose schema changed between
//! them count as a whole). What is left are secondary unique keys, and there InnoDB's
//! locks and the guard of every upsert decide: a statement that meets a row of the other
//! batch waits for it or is refused, it never goes over it. Only REPLACE would, so rows
//! read by a snapshot into tables with such keys count as the whole table; and so do tables
//! whose events tell rows apart by more than their identity (`message.key.columns`).
//!
//! **Optimistic.** Whatever goes wrong here (a lock waited for in vain, a guard, a
//! deadlock) is no error yet: everything that is not committed is rolled back and done
//! once more by [`Sink::apply`], one batch after the other. Only what fails there is an
//! error. After that a number of batches go alone, twice as many each time it happens
//! again. A commit whose answer is lost is never repeated: the sink must be opened anew.
//!
//! Batches with TRUNCATE, with rows without a key, with changes that become dead letters, of a
//! run that goes on, of a replay, and small ones go alone: they end what is at work first.

mod reach;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use cdc_sdk::value::Row;
use cdc_sdk::{Error, Kind, Op, Result, Table, fail};
use foldhash::quality;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::apply::{self, Plans, Replay, Writer};
use crate::batch::{Advance, Applied, Batch, End};
use crate::dead_letter::Quarantine;
use crate::fold::{Folded, fold};
use crate::ledger::Progress;
use crate::session::Session;
use crate::sink::Sink;
use crate::tables::{Plan, address};
use reach::{Reach, Reaching};

/// Fewer rows are sooner written than shared out.
const ROWS_MIN: usize = 500;

/// Most batches that go alone after a conflict.
const ALONE_MAX: u32 = 256;

/// Batches of a replay go alone.
const AT_THE_HEAD: Replay = Replay { converging: false, skips_keyless: false };

/// How long what is at work may take to end in good order.
const ENDS: Duration = Duration::from_secs(30);

/// A sink that applies several batches at once.
pub struct Parallel<R> {
    sink: Sink,
    idle: Vec<Session>,
    writers: usize,
    work: VecDeque<Work<R>>,
    done: VecDeque<Done>,
    /// The ledger as it will be once all that is at work is committed; without places.
    expected: Progress,
    hasher: quality::RandomState,
    /// How many batches are yet to go alone, and how many after the next conflict.
    alone: u32,
    alone_next: u32,
}

/// A batch that has been applied.
#[derive(Debug)]
pub struct Done {
    /// How far it led; `None` inside a run.
    pub advance: Option<Advance>,
    /// What it did.
    pub applied: Applied,
}

/// A batch at work.
struct Work<R> {
    batch: Arc<Batch<R>>,
    reach: Reach,
    task: Task,
    ended: Option<Ended>,
    /// Comes true when this batch is committed; the next one at work takes it.
    turn_of_next: Option<oneshot::Receiver<()>>,
}

/// A task that ends with its handle.
struct Task(JoinHandle<(Session, Outcome)>);

/// What a task left.
type Ended = std::result::Result<(Session, Outcome), tokio::task::JoinError>;

/// How a batch at work ended.
enum Outcome {
    Committed(Applied),
    /// Rolled back, or to be.
    Failed(Error),
    /// Whether it was committed is not known.
    Unknown(Error),
}

impl<R: Row + Clone + Send + Sync + 'static> Parallel<R> {
    /// Over a sink; with one writer batches go one after the other.
    ///
    /// # Errors
    /// The destination cannot be reached or refuses.
    pub async fn new(mut sink: Sink, writers: usize) -> Result<Self> {
        let mut idle = Vec::new();
        // Where others write the same rows, each row is looked at before it is written.
        if writers > 1 && !sink.is_two_way() {
            for _ in 0..writers {
                idle.push(sink.another_session().await?);
            }
        }
        let expected = without_places(sink.progress());
        Ok(Self {
            sink,
            writers: idle.len(),
            idle,
            work: VecDeque::new(),
            done: VecDeque::new(),
            expected,
            hasher: quality::RandomState::default(),
            alone: 0,
            alone_next: 1,
        })
    }

    /// Whether the sink still leads; where nothing is at work, also whether its ledger is as it left it.
    ///
    /// # Errors
    /// As [`Sink::confirm`].
    pub async fn confirm(&mut self) -> Result<()> {
        match self.work.is_empty() {
            true => self.sink.confirm().await,
            false => self.sink.leads(),
        }
    }

    /// The keys in quarantine.
    pub fn quarantine(&self) -> &Quarantine {
        self.sink.quarantine()
    }

    /// Whether what is at work goes over what has been applied before.
    pub fn is_converging(&self) -> bool {
        self.expected.converging()
    }

    /// The sink, to do something with once nothing is at work.
    ///
    /// # Errors
    /// As [`Self::settle`].
    pub async fn settled(&mut self) -> Result<&mut Sink> {
        self.settle().await?;
        Ok(&mut self.sink)
    }

    /// Takes a batch on. It may be applied before this returns, or later: see [`Self::done`].
    ///
    /// # Errors
    /// As [`Sink::apply`], for this batch or any before it.
    pub async fn apply(&mut self, batch: Batch<R>) -> Result<()> {
        self.sink.leads()?;
        if self.goes_alone(&batch) {
            self.settle().await?;
            self.alone = self.alone.saturating_sub(1);
            return self.one_by_one(vec![batch]).await;
        }
        let before = self.sink.table_changes();
        let reach = self.reach(&batch).await?;
        if self.sink.table_changes() != before {
            // Some of its plans may be of a table from before the change.
            return self.one_by_one(vec![batch]).await;
        }
        while self.idle.is_empty() || self.work.iter().any(|other| other.reach.meets(&reach)) {
            self.end_first().await?;
        }
        // What has ended meanwhile may have put a key of this batch into quarantine.
        if self.sink.holds_any(&batch.changes) {
            self.settle().await?;
            return self.one_by_one(vec![batch]).await;
        }
        self.begin(batch, reach)
    }

    /// Waits until the oldest at work has ended; for ever where nothing is at work. May be dropped and
    /// called again.
    pub async fn wait(&mut self) {
        let Some(first) = self.work.front_mut() else { return std::future::pending().await };
        if first.ended.is_none() {
            first.ended = Some((&mut first.task.0).await);
        }
    }

    /// The batches that have been applied since the last call, in order. What has failed is done once more.
    ///
    /// # Errors
    /// As [`Sink::apply`].
    pub async fn done(&mut self) -> Result<Vec<Done>> {
        while self.work.front().is_some_and(|w| w.ended.is_some() || w.task.0.is_finished()) {
            self.end_first().await?;
        }
        Ok(self.done.drain(..).collect())
    }

    /// Waits until nothing is at work.
    ///
    /// # Errors
    /// As [`Sink::apply`].
    pub async fn settle(&mut self) -> Result<()> {
        while !self.work.is_empty() {
            self.end_first().await?;
        }
        Ok(())
    }

    /// Drops what a run has brought so far: the source has abandoned it.
    ///
    /// # Errors
    /// As [`Sink::roll_back`].
    pub async fn roll_back(&mut self) -> Result<()> {
        self.settle().await?;
        self.sink.roll_back().await
    }

    /// Ends in good order: what is at work is committed, if that does not take long.
    pub async fn close(mut self) {
        if let Ok(Err(error)) = tokio::time::timeout(ENDS, self.settle()).await {
            tracing::debug!(%error, "closing");
        }
        self.work.clear();
        for session in self.idle.drain(..) {
            session.close().await;
        }
        self.sink.close().await;
    }

    fn goes_alone(&self, batch: &Batch<R>) -> bool {
        self.writers == 0
            || self.alone > 0
            || self.expected.converging()
            || batch.over_holes
            || self.expected.backup.is_some()
            || matches!(batch.end, End::More)
            || !self.sink.is_idle()
            || batch.changes.len() < ROWS_MIN
            || batch.changes.iter().any(|c| c.op == Op::Truncate || c.key.is_none() || c.unreadable.is_some())
            || self.sink.holds_any(&batch.changes)
    }

    /// What the batch writes to. Tables that are new to this sink are made first, while nothing is at work.
    async fn reach(&mut self, batch: &Batch<R>) -> Result<Reach> {
        let mut reaching = Reaching::new(self.hasher.clone(), batch.changes.len());
        for change in &batch.changes {
            while !reaching.add(change) {
                let plan = self.plan(&change.table).await?;
                reaching.meet(&change.table, plan);
            }
        }
        Ok(reaching.reach())
    }

    async fn plan(&mut self, table: &Arc<Table>) -> Result<Arc<Plan>> {
        if let Some(plan) = self.sink.known_plan(table) {
            return Ok(plan);
        }
        self.settle().await?;
        self.sink.plan(table).await
    }

    fn begin(&mut self, batch: Batch<R>, reach: Reach) -> Result<()> {
        let (Some(session), End::Commit(advance)) = (self.idle.pop(), &batch.end) else {
            return Err(Error::new(Kind::Bug, "a batch was to be shared out that goes alone"));
        };
        let advance = advance.clone();
        if self.expected.cut >= Some(advance.cut) {
            let what = format!("a batch ends at cut {}, which is at work or in the ledger", advance.cut);
            return Err(Error::new(Kind::Bug, what));
        }
        let job = Job {
            batch: Arc::new(batch),
            plans: reach.plans.clone(),
            statement_bytes_max: self.sink.statement_bytes_max(),
            ledger: self.sink.ledger_sql(&self.expected, &advance),
        };
        self.expected.advance(Advance { places: Vec::new(), ..advance });
        let (committed, turn_of_next) = oneshot::channel();
        let turn = self.work.back_mut().and_then(|before| before.turn_of_next.take());
        let batch = Arc::clone(&job.batch);
        let task = Task(tokio::spawn(job.run(session, turn, committed)));
        self.work.push_back(Work { batch, reach, task, ended: None, turn_of_next: Some(turn_of_next) });
        Ok(())
    }

    /// Waits for the oldest at work. If that has failed, all at work is done once more, one by one.
    async fn end_first(&mut self) -> Result<()> {
        if self.work.is_empty() {
            return Ok(());
        }
        self.wait().await;
        let Some(first) = self.work.pop_front() else { return Ok(()) };
        let (session, outcome) = self.ended(first.ended)?;
        match outcome {
            Outcome::Committed(applied) => {
                self.idle.push(session);
                self.alone_next = (self.alone_next / 2).max(1);
                let End::Commit(advance) = &first.batch.end else { return Ok(()) };
                self.sink.committed(advance.clone());
                self.done.push_back(Done { advance: Some(advance.clone()), applied });
                Ok(())
            }
            Outcome::Unknown(error) => Err(self.sink.lost(error)),
            Outcome::Failed(error) if error.kind() == Kind::LedgerMoved => Err(self.sink.lost(error)),
            Outcome::Failed(error) => self.once_more(first.batch, session, &error).await,
        }
    }

    /// After a conflict: those behind it have rolled back, too, since their turn never came.
    async fn once_more(&mut self, first: Arc<Batch<R>>, session: Session, error: &Error) -> Result<()> {
        tracing::info!(%error, behind = self.work.len(), "batches at work met; they are applied one by one");
        self.alone = self.alone_next;
        self.alone_next = (self.alone_next * 2).min(ALONE_MAX);
        let mut sessions = vec![session];
        let mut batches = vec![first];
        while !self.work.is_empty() {
            self.wait().await;
            let Some(work) = self.work.pop_front() else { break };
            let (session, outcome) = self.ended(work.ended)?;
            if let Outcome::Committed(_) | Outcome::Unknown(_) = outcome {
                return Err(self.sink.lost(Error::new(Kind::Bug, "a batch was committed before its turn")));
            }
            sessions.push(session);
            batches.push(work.batch);
        }
        for session in sessions {
            let usable = match session.is_broken() {
                true => self.sink.another_session().await?,
                false => session,
            };
            self.idle.push(usable);
        }
        let batches = batches.into_iter().map(Arc::unwrap_or_clone).collect();
        self.one_by_one(batches).await
    }

    async fn one_by_one(&mut self, batches: Vec<Batch<R>>) -> Result<()> {
        for batch in batches {
            let advance = match &batch.end {
                End::More => None,
                End::Commit(advance) => Some(advance.clone()),
            };
            let applied = self.sink.apply(batch).await?;
            self.done.push_back(Done { advance, applied });
        }
        self.expected = without_places(self.sink.progress());
        Ok(())
    }

    fn ended(&mut self, ended: Option<Ended>) -> Result<(Session, Outcome)> {
        let what = "a writer of the sink ended unexpectedly";
        match ended {
            Some(Ok(ended)) => Ok(ended),
            Some(Err(cause)) => Err(self.sink.lost(Error::new(Kind::Bug, what).caused_by(cause))),
            None => Err(self.sink.lost(Error::new(Kind::Bug, what))),
        }
    }
}

/// What is at work when the sink is dropped must not commit any more.
impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A batch, as a task of its own.
struct Job<R> {
    batch: Arc<Batch<R>>,
    plans: HashMap<usize, Arc<Plan>>,
    statement_bytes_max: usize,
    /// The ledger's compare-and-set, and its places.
    ledger: (String, Option<String>),
}

impl<R: Row + Sync> Job<R> {
    async fn run(
        self,
        mut session: Session,
        turn: Option<oneshot::Receiver<()>>,
        committed: oneshot::Sender<()>,
    ) -> (Session, Outcome) {
        let outcome = match self.rows_then_ledger(&mut session, turn).await {
            Err(error) => Outcome::Failed(error),
            Ok(applied) => match session.command("COMMIT").await {
                Ok(_) => Outcome::Committed(Applied {
                    statements: applied.statements + 1,
                    committed: true,
                    ..applied
                }),
                Err(refusal) => Outcome::Unknown(refusal.into_error("a commit was not confirmed")),
            },
        };
        match &outcome {
            Outcome::Committed(_) => {
                fail::point("sink.beside.committed");
                // Nobody behind it: nobody to tell.
                let _ = committed.send(());
            }
            // Before those behind it see that their turn does not come.
            Outcome::Failed(_) | Outcome::Unknown(_) => {
                if let Err(refusal) = session.command("ROLLBACK").await {
                    tracing::debug!(?refusal, "the connection's end rolls back");
                }
            }
        }
        (session, outcome)
    }

    async fn rows_then_ledger(
        &self,
        session: &mut Session,
        turn: Option<oneshot::Receiver<()>>,
    ) -> Result<Applied> {
        let folded = fold(&self.batch.changes)?;
        let plans = self.plans(&folded)?;
        let mut writer = Writer::new(session, self.statement_bytes_max);
        writer.control("START TRANSACTION");
        apply::apply(&mut writer, &folded, &plans, AT_THE_HEAD).await?;
        writer.flush().await?;
        fail::point("sink.beside.rows_written");
        if let Some(turn) = turn
            && turn.await.is_err()
        {
            return Err(Error::new(Kind::Conflict, "the batch before this one was rolled back"));
        }
        writer.ledger(&self.ledger.0);
        if let Some(places) = &self.ledger.1 {
            writer.control(places);
        }
        writer.flush().await?;
        Ok(writer.applied)
    }

    fn plans(&self, folded: &Folded<'_, R>) -> Result<Plans> {
        let plan = |schema: &&Arc<Table>| {
            let plan = self.plans.get(&address(schema)).cloned();
            plan.ok_or_else(|| Error::new(Kind::Bug, "a schema without a plan"))
        };
        folded.tables.iter().map(|table| table.schemas.iter().map(plan).collect()).collect()
    }
}

/// Enough for the ledger's compare-and-set.
fn without_places(progress: &Progress) -> Progress {
    let mut progress = progress.clone();
    progress.places.clear();
    progress
}
