//! The stream and the snapshot, woven into one sequence of events.
//!
//! One task owns the stream and the snapshot's plan, so that "registered with the
//! stream" is one step of one loop: no lock, no race. Readers are tasks of their own
//! that only report. In each turn the loop hands out what is due, gives idle
//! readers work, and then waits for whichever comes first: a report, rows of a
//! view, or the stream's next event.
//!
//! **Invariant:** chunks, [`Event::SnapshotComplete`] and new registrations happen
//! only between two transactions.

mod confirm;
mod ddl;
mod open;
mod readers;
mod request;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cdc_sdk::change::Origin;
use cdc_sdk::{Gtid, GtidSet, Position, Result, Table, TableName};

use crate::binlog::{Begin, BinlogEvent, Commit, Rows, Stream};
use crate::catalogue::Catalogue;
use crate::ddl::{ColumnNotes, Effect};
use crate::session::{LogEnd, connect, log_end};
use crate::settings::Settings;
use crate::shape::{self, ShapeId};
use crate::snapshot::plan::{GivenUp, Passing, Plan, Restarts};
use crate::snapshot::view::ViewBatch;
use crate::snapshot::{Chunk, SnapshotProgress, TableProgress};
use readers::Readers;
pub use request::{Request, Stopped, Taken};

/// Pause before a view that was touched is opened again.
const VIEW_PAUSE: Duration = Duration::from_millis(50);

/// So many events of the log are handed out before readers, timers and the consumer's own waits have their turn.
const IN_A_ROW_MAX: u32 = 64;

/// From where to begin.
#[derive(Clone, Debug)]
pub enum Start {
    /// At the first start: from now on, with a snapshot by the settings.
    Fresh,
    /// After what was delivered.
    Resume(Box<Resume>),
}

/// What was delivered, as it was stored.
#[derive(Clone, Debug)]
pub struct Resume {
    /// The position of the last cut.
    pub position: Position,
    /// How far the snapshot of each table is.
    pub snapshot: Vec<TableProgress>,
    /// The transaction that the position lies inside of, where that is known.
    pub inside: Option<Gtid>,
    /// What statements have said of columns.
    pub noted: ColumnNotes,
}

/// What comes next. A transaction is `Begin`, any number of `Rows`, `Progress` and `Ddl`, `Commit`.
/// The others come only between transactions.
#[derive(Debug)]
pub enum Event {
    /// A transaction starts.
    Begin(Begin),
    /// Rows of one captured table changed.
    Rows(Box<Rows>),
    /// A statement changed captured tables. Also made up by the snapshot, without a
    /// statement, where a table that is read anew must be emptied first; then a
    /// [`Event::Commit`] follows, without a `Begin`.
    Ddl(Box<DdlEvent>),
    /// The transaction is committed.
    Commit(Commit),
    /// In place of rows that are not handed out: how far their table is then, to be stored with their transaction.
    Progress(Box<TableProgress>),
    /// Rows that the snapshot read.
    Chunk(Box<Chunk>),
    /// All captured tables have been read. Comes once more when a table had to be
    /// read again, and after each start where nothing is left to read.
    SnapshotComplete,
    /// Nothing, but the stream lives.
    Idle,
}

/// A statement that changed captured tables, and what follows from it.
#[derive(Clone, Debug, Default)]
pub struct DdlEvent {
    /// The statement; empty where there was none.
    pub statement: String,
    /// The session's default database.
    pub database: String,
    /// What it did, to captured tables only, table by table (no `DropDatabase`, and
    /// `Unknown` with its table).
    pub effects: Vec<Effect>,
    /// Tables whose rows downstream must go before anything that follows.
    pub emptied: Vec<TableName>,
    /// What is to be stored of the tables, in the same Kafka transaction.
    pub progress: Vec<TableProgress>,
    /// Tables whose columns came or went, with all that is to be known of these, to be stored likewise.
    pub noted: ColumnNotes,
    /// The one consumer that is meant; `None`: all.
    pub addressee: Option<String>,
    /// What was being read once more, of the tables whose progress this has, will not come to its end: why.
    pub given_up: Option<String>,
    /// The statement's transaction and place.
    pub origin: Origin,
}

/// A place in the binlog that is to be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target(LogEnd);

/// The transaction that is being handed out.
#[derive(Debug)]
struct Transaction {
    gtid: Option<Gtid>,
    /// A sink has applied it: it came from the other side, and is not sent back. Chunks of the
    /// snapshot still see it, since what they read may be older.
    echo: bool,
}

/// A MySQL server's changes, and the rows that were there before.
pub struct Source {
    settings: Arc<Settings>,
    stream: Stream,
    catalogue: Catalogue,
    plan: Plan,
    readers: Readers,
    /// Events to hand out before anything else.
    out: VecDeque<Event>,
    transaction: Option<Transaction>,
    /// Events of the log since all else had its turn.
    in_a_row: u32,
    /// Whether the consumer was told that the snapshot is complete.
    told_complete: bool,
    /// Tables that were captured once and are not now.
    left_out: Vec<TableProgress>,
    noted: ColumnNotes,
    /// What the server had executed when it was asked last.
    executed: GtidSet,
}

impl Source {
    /// The next event. May be dropped while it waits: nothing is lost.
    ///
    /// # Errors
    /// Those of the stream ([`Stream::next`]); those of the snapshot's readers after
    /// several tries; [`cdc_sdk::Kind::UnsafeDdl`] where the settings say to stop.
    /// After an error the source is done: open another one where it was last stored.
    pub async fn next(&mut self) -> Result<Event> {
        loop {
            if let Some(event) = self.at_hand()? {
                return Ok(event);
            }
            self.in_a_row = 0;
            match self.happens().await? {
                Happening::Event(event) => {
                    if let Some(event) = self.take(event)? {
                        return Ok(event);
                    }
                }
                Happening::Report(report) => self.readers.take(*report, &mut self.plan)?,
                Happening::Rows(batch) => self.serve(batch)?,
                Happening::Time => {}
            }
        }
    }

    /// The next event, where nothing must be waited for; never for long, so that all else has its turn.
    ///
    /// # Errors
    /// Those of [`Source::next`].
    pub fn at_hand(&mut self) -> Result<Option<Event>> {
        loop {
            if self.transaction.is_none() && self.out.is_empty() {
                self.between()?;
            }
            if let Some(event) = self.out.pop_front() {
                return Ok(Some(event));
            }
            if self.in_a_row == IN_A_ROW_MAX || self.plan.holds_stream() {
                return Ok(None);
            }
            let Some(event) = self.stream.at_hand()? else { return Ok(None) };
            self.in_a_row += 1;
            if let Some(event) = self.take(event)? {
                return Ok(Some(event));
            }
        }
    }

    /// Waits for whatever comes first. Loses nothing when dropped: each branch
    /// gives up what it took only by completing.
    async fn happens(&mut self) -> Result<Happening> {
        let timer = self.readers.wake_at(&self.plan, Instant::now());
        let held = self.plan.holds_stream();
        let sleep = async {
            match timer {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            event = self.stream.next(), if !held => event.map(Happening::Event),
            report = self.readers.next_report() => report.map(|r| Happening::Report(Box::new(r))),
            batch = served(&mut self.plan) => Ok(Happening::Rows(batch.transpose()?.map(Box::new))),
            () = sleep => Ok(Happening::Time),
        }
    }

    /// Between two transactions: what is due goes out, and idle readers get work.
    fn between(&mut self) -> Result<()> {
        // Inside a transaction that is gone on with after a restart, it is only not known yet.
        let inside = self.stream.position().partial.is_some();
        if inside || (self.told_complete && self.plan.is_complete()) {
            return Ok(());
        }
        let (file, pos) = self.stream.place();
        let place = LogEnd { file: file.to_owned(), pos };
        if let Some(chunk) = self.plan.take_ready(&place.file, place.pos)? {
            self.out.push_back(Event::Chunk(Box::new(chunk)));
            return Ok(());
        }
        if let Some(gone) = self.plan.take_gone(&place.file, place.pos) {
            self.gone(vec![gone.progress], gone.is_there);
            return Ok(());
        }
        if let Some(GivenUp { addressee, progress, why }) = self.plan.take_given_up() {
            self.made_up(DdlEvent { progress, addressee, given_up: Some(why), ..DdlEvent::default() });
            return Ok(());
        }
        self.plan.meet_view(&place.file, place.pos, Instant::now() + VIEW_PAUSE)?;
        if let Some(Restarts { addressee, progress }) = self.plan.take_restarts() {
            let emptied = progress.iter().map(|of| of.table.clone()).collect();
            self.made_up(DdlEvent { emptied, progress, addressee, ..DdlEvent::default() });
            return Ok(());
        }
        self.readers.dispatch(&mut self.plan, self.stream.position());
        if !self.plan.is_complete() {
            self.told_complete = false;
        } else if !self.told_complete {
            self.told_complete = true;
            self.out.push_back(Event::SnapshotComplete);
        }
        Ok(())
    }

    /// An event that no statement stands behind: tables to be emptied, progress to be stored.
    fn made_up(&mut self, event: DdlEvent) {
        let position = self.stream.position();
        let origin = Origin { file: position.file.as_str().into(), pos: position.pos, ..Origin::default() };
        let effects = event.emptied.iter().cloned().map(Effect::Truncate).collect();
        self.out.push_back(Event::Ddl(Box::new(DdlEvent { effects, origin, ..event })));
        self.out.push_back(Event::Commit(Commit { committed_us: 0 }));
    }

    /// What an event of the log is to the consumer, if anything.
    fn take(&mut self, event: BinlogEvent) -> Result<Option<Event>> {
        Ok(Some(match event {
            BinlogEvent::Begin(begin) => {
                let gtid = begin.gtid.clone();
                let echo = gtid.as_ref().is_some_and(|gtid| self.settings.skips(&gtid.origin.tag));
                self.transaction = Some(Transaction { gtid, echo });
                if echo {
                    return Ok(None);
                }
                Event::Begin(begin)
            }
            BinlogEvent::Rows(rows) => {
                self.watch(&rows)?;
                if self.is_echo() {
                    return Ok(None);
                }
                match self.plan.meet_rows(&rows.table) {
                    Passing::Open => Event::Rows(rows),
                    Passing::Hidden(Some(progress)) => Event::Progress(Box::new(progress)),
                    Passing::Hidden(None) => return Ok(None),
                }
            }
            BinlogEvent::Ddl(ddl) => Event::Ddl(Box::new(self.ddl(*ddl)?)),
            BinlogEvent::Commit(commit) => {
                self.transaction = None;
                Event::Commit(commit)
            }
            BinlogEvent::Idle => Event::Idle,
        }))
    }

    fn is_echo(&self) -> bool {
        self.transaction.as_ref().is_some_and(|transaction| transaction.echo)
    }

    /// Shows the rows to the chunks that are open.
    fn watch(&mut self, rows: &Rows) -> Result<()> {
        let gtid = self.transaction.as_ref().and_then(|t| t.gtid.clone());
        let name = &rows.table.name;
        self.plan.meet_columns(&rows.table, Instant::now());
        self.plan.touch_view(name, gtid.as_ref());
        if !self.plan.watches(name, gtid.as_ref()) {
            return Ok(());
        }
        let Some(mut keys) = self.plan.key_maker(&rows.table) else {
            // Another shape than the chunks have: a statement lies between.
            self.plan.altered(name);
            return Ok(());
        };
        let mut cursor = rows.cursor();
        while let Some(change) = cursor.next_row()? {
            for image in [change.before, change.after].into_iter().flatten() {
                self.plan.touch(name, gtid.as_ref(), keys.key(&image)?);
            }
        }
        Ok(())
    }

    /// Rows of a view, or its end.
    fn serve(&mut self, batch: Option<Box<ViewBatch>>) -> Result<()> {
        match batch {
            Some(batch) => {
                let chunk = self.plan.take_batch(*batch)?;
                self.out.push_back(Event::Chunk(Box::new(chunk)));
                Ok(())
            }
            None => self.plan.end_view(),
        }
    }

    /// How far the snapshot is.
    pub fn progress(&self) -> SnapshotProgress {
        self.plan.summary()
    }

    /// The state of every captured table, to be stored at the start.
    pub fn all_progress(&self) -> Vec<TableProgress> {
        let mut all = self.plan.all_progress();
        all.extend_from_slice(&self.left_out);
        all
    }

    /// After the last whole transaction that was handed out.
    pub fn position(&self) -> &Position {
        self.stream.position()
    }

    /// The end of the server's binlog now.
    ///
    /// # Errors
    /// What a connection can run into.
    pub async fn end(&self) -> Result<Target> {
        let mut conn = connect(&self.settings.endpoint).await?;
        log_end(&mut conn).await.map(Target)
    }

    /// Whether everything up to the target has been handed out, the snapshot included.
    pub fn reached(&self, target: &Target) -> bool {
        let (file, pos) = self.stream.place();
        let idle = self.out.is_empty() && self.transaction.is_none();
        idle && self.told_complete && self.plan.is_complete() && target.0.is_passed_by(file, pos)
    }

    /// A captured table's shape as it was last met; looked up where it was not met yet.
    /// `None`: not captured, or not there.
    ///
    /// # Errors
    /// Those of the catalogue.
    pub async fn shape_of(&self, name: &TableName) -> Result<Option<(ShapeId, Arc<Table>)>> {
        if !self.settings.selection.selects(name) {
            return Ok(None);
        }
        match shape::latest(name) {
            Some(known) => Ok(Some(known)),
            None => Ok(self.catalogue.table(name).await?.map(shape::intern)),
        }
    }

    /// Whether a table is captured.
    pub fn captures(&self, name: &TableName) -> bool {
        self.settings.selection.selects(name)
    }

    /// A captured table as it is after a statement, or later. `None`: not captured, or not there any more.
    ///
    /// # Errors
    /// Those of the catalogue.
    pub async fn table_after(&self, name: &TableName, statement: &Origin) -> Result<Option<Table>> {
        if !self.captures(name) {
            return Ok(None);
        }
        let set = statement.gtid.as_deref().map_or_else(|| Ok(GtidSet::default()), str::parse)?;
        self.catalogue.table_after(name, &set).await
    }

    /// The statement that would make a table as it is now.
    ///
    /// # Errors
    /// Those of the catalogue.
    pub async fn statement_of(&self, name: &TableName) -> Result<Option<String>> {
        self.catalogue.statement(name).await
    }
}

/// What the loop waited for.
enum Happening {
    Event(BinlogEvent),
    Report(Box<crate::snapshot::reader::Report>),
    Rows(Option<Box<ViewBatch>>),
    Time,
}

async fn served(plan: &mut Plan) -> Option<Result<ViewBatch>> {
    match plan.served() {
        Some(view) => view.next().await,
        None => std::future::pending().await,
    }
}

fn pending(table: &TableName) -> TableProgress {
    TableProgress::of(table.clone(), crate::snapshot::TableState::Pending)
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source")
            .field("stream", &self.stream)
            .field("progress", &self.progress())
            .finish_non_exhaustive()
    }
}
