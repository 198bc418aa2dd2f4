//! What is to be read, what is being read, and what may be handed out: the
//! snapshot's state, without any I/O.
//!
//! Each table goes `Pending → Reading → Done`; that state changes only when a
//! chunk is handed out, so it is always what the consumer has. Beside it stand up
//! to two open chunks of the table (one being read, one waiting for the stream),
//! which may be thrown away at any time: they are read again from the last key
//! that was handed out.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use cdc_sdk::{Error, Gtid, GtidSet, Kind, Result, Table, TableName};

use super::block::KeyMaker;
use super::chunk::{Chunk, ChunkRead, Prepared, origin};
use super::entry::{Entry, Open};
use super::key::KeyBound;
use super::progress::{SnapshotProgress, TableProgress, TableState};
use super::view::View;
use super::watch::Watch;
use crate::session::LogEnd;

/// Which piece of work: answers to one that is not open any more are thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ReadId(pub u64);

/// How long a table rests whose rows in the stream have other columns than its reader knows.
const OTHER_COLUMNS_PAUSE: Duration = Duration::from_millis(200);

/// Failures in a row of one table after which the snapshot stops.
const ATTEMPTS_MAX: u32 = 5;

/// Something for a reader to do.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    /// Read the table's catalogue.
    Prepare(TableName),
    /// Read a chunk: behind which key (`None`: from the start), rows at most, and which rows (`None`: all).
    Chunk(Prepared, Option<KeyBound>, u64, Option<String>),
    /// Read tables whole, in one view.
    View(Vec<Prepared>),
}

/// Limits of a chunk and of the whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Rows in a chunk.
    pub chunk_rows: u64,
    /// Bytes in a chunk.
    pub chunk_bytes: u64,
    /// Tables that are read at once.
    pub readers: usize,
    /// No GTIDs: all tables are read in one view, opened under a lock.
    pub locked: bool,
    /// The server's number, for the rows' origin.
    pub server_id: u32,
}

/// Why a reading failed, and when to try again.
#[derive(Debug)]
pub(crate) struct Failed {
    /// What happened.
    pub error: Error,
    /// Whether the server ended it for taking too long.
    pub too_slow: bool,
    /// When to try again.
    pub again: Instant,
}

/// A table that went without a word in the stream.
#[derive(Debug)]
pub(crate) struct Gone {
    /// What is to be stored of it.
    pub progress: TableProgress,
    /// Whether the consumer may have rows of it.
    pub is_there: bool,
}

/// The snapshot's state.
#[derive(Debug)]
pub(crate) struct Plan {
    limits: Limits,
    tables: BTreeMap<TableName, Entry>,
    /// Tables that wait for a reader, in order.
    waiting: VecDeque<TableName>,
    /// Tables that are being read, at most as many as there are readers.
    active: Vec<TableName>,
    view: Option<View>,
    views_touched: u32,
    last_id: u64,
    /// Nothing more is begun.
    paused: bool,
    given_up: VecDeque<GivenUp>,
}

impl Plan {
    /// No tables yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            tables: BTreeMap::new(),
            waiting: VecDeque::new(),
            active: Vec::new(),
            view: None,
            views_touched: 0,
            last_id: 0,
            paused: false,
            given_up: VecDeque::new(),
        }
    }

    /// Adds a table, or replaces what is known of it.
    pub fn put(&mut self, table: TableName, state: TableState, rows_estimated: u64, row_bytes: u64) {
        let by_bytes = self.limits.chunk_bytes.checked_div(row_bytes).unwrap_or(self.limits.chunk_rows);
        let rows_max = by_bytes.clamp(1, self.limits.chunk_rows.max(1));
        let done = matches!(state, TableState::Done { .. });
        self.unqueue(&table);
        if !done {
            self.waiting.push_back(table.clone());
        }
        self.tables.insert(table, Entry::new(state, rows_max, rows_estimated));
    }

    /// Goes on with a table as it was stored in an earlier run.
    pub fn go_on(&mut self, stored: &TableProgress, rows_estimated: u64, row_bytes: u64) {
        // What was read in a view cannot be gone on with.
        let locked = self.limits.locked;
        let torn = matches!(&stored.state, TableState::Reading { after, .. } if locked || after.is_none());
        let state = if torn { TableState::Pending } else { stored.state.clone() };
        self.put(stored.table.clone(), state, rows_estimated, row_bytes);
        if let Some(entry) = self.tables.get_mut(&stored.table) {
            // That run may have handed out what the stream brought of it.
            entry.went_out = true;
        }
        match stored.again.clone() {
            Some(again) => self.asked(&stored.table, again),
            None if torn => self.restart(&stored.table),
            None => {}
        }
    }

    /// What the consumer has of the table must go before its first chunk.
    pub fn restart(&mut self, table: &TableName) {
        if let Some(entry) = self.tables.get_mut(table) {
            entry.restart = true;
        }
    }

    /// Forgets a table.
    pub fn remove(&mut self, table: &TableName) {
        self.unqueue(table);
        self.tables.remove(table);
    }

    fn unqueue(&mut self, table: &TableName) {
        self.waiting.retain(|t| t != table);
        self.active.retain(|t| t != table);
        self.view.take_if(|view| !view.is_served() && view.includes(table));
    }

    /// Whether it is known.
    pub fn knows(&self, table: &TableName) -> bool {
        self.tables.contains_key(table)
    }

    /// All tables that are known.
    pub fn names(&self) -> impl Iterator<Item = &TableName> {
        self.tables.keys()
    }

    /// Whether all tables are through, and what is not has been told.
    pub fn is_complete(&self) -> bool {
        self.waiting.is_empty() && self.active.is_empty() && !self.is_giving_up()
    }

    /// Whether the stream must not be read on.
    pub fn holds_stream(&self) -> bool {
        self.view.as_ref().is_some_and(View::holds_stream)
            || self.active().any(|(_, entry)| entry.holds_stream())
    }

    fn active(&self) -> impl Iterator<Item = (&TableName, &Entry)> {
        self.active.iter().filter_map(|name| Some((name, self.tables.get(name)?)))
    }

    /// The next thing for a reader to do, and its number. To be asked only
    /// between two transactions: what is watched begins here.
    pub fn next_work(&mut self, now: Instant) -> Option<(ReadId, Work)> {
        if self.paused {
            return None;
        }
        self.activate();
        self.last_id += 1;
        let id = ReadId(self.last_id);
        let work =
            self.preparation(id, now).or_else(|| self.whole(id, now)).or_else(|| self.chunk(id, now))?;
        Some((id, work))
    }

    fn activate(&mut self) {
        let readers = if self.limits.locked { usize::MAX } else { self.limits.readers.max(1) };
        while self.active.len() < readers {
            let Some(name) = self.waiting.pop_front() else { return };
            self.active.push(name);
        }
    }

    fn preparation(&mut self, id: ReadId, now: Instant) -> Option<Work> {
        let (name, _) = self.active().find(|(_, entry)| entry.prepared.is_none() && entry.may_start(now))?;
        let name = name.clone();
        self.tables.get_mut(&name)?.preparing = Some(id);
        Some(Work::Prepare(name))
    }

    /// One view at a time: of all tables where they are locked, else of one without identity.
    fn whole(&mut self, id: ReadId, now: Instant) -> Option<Work> {
        if self.view.is_some() {
            return None;
        }
        let ready = |entry: &&Entry| entry.may_start(now) && (self.limits.locked || is_keyless(entry));
        let present = || self.active().map(|(_, entry)| entry).filter(|entry| entry.gone.is_none());
        let prepared: Vec<Prepared> = if self.limits.locked {
            // All of them or none: they must be of one moment.
            present().map(|entry| entry.prepared.clone().filter(|_| ready(&entry))).collect::<Option<_>>()?
        } else {
            present().find(ready).and_then(|entry| entry.prepared.clone()).into_iter().collect()
        };
        if prepared.is_empty() {
            return None;
        }
        let names = prepared.iter().map(|p| p.table.name.clone()).collect();
        self.view = Some(View::new(id, names, self.limits.locked));
        Some(Work::View(prepared))
    }

    fn chunk(&mut self, id: ReadId, now: Instant) -> Option<Work> {
        if self.limits.locked {
            return None;
        }
        let ready =
            |entry: &Entry| entry.may_start(now) && entry.may_open() && is_keyed(entry) && !entry.restart;
        let name = self.active().find(|(_, entry)| ready(entry))?.0.clone();
        let entry = self.tables.get_mut(&name)?;
        let prepared = entry.prepared.clone()?;
        let after = entry.next_after()?;
        let names = prepared.paging.as_ref()?.names(&prepared.table);
        entry.open.push_back(Open { id, watch: Watch::new(names), read: None });
        let condition = entry.again.as_ref().and_then(|again| again.condition.clone());
        Some(Work::Chunk(prepared, after, entry.rows_max, condition))
    }

    /// When a table that waits after a failure may be tried again, if any does.
    pub fn next_retry(&self, now: Instant) -> Option<Instant> {
        self.active().filter_map(|(_, entry)| entry.not_before).filter(|at| *at > now).min()
    }

    /// A table's catalogue was read; `Err`: there is no such table, and the binlog ended there.
    pub fn prepared(&mut self, table: &TableName, id: ReadId, prepared: Result<Prepared, LogEnd>) {
        let Some(entry) = self.tables.get_mut(table).filter(|entry| entry.preparing == Some(id)) else {
            return;
        };
        entry.preparing = None;
        match prepared {
            Ok(prepared) => entry.take_prepared(prepared),
            Err(end) => entry.gone = Some(end),
        }
    }

    /// The reader of a chunk has its low mark: transactions in it are in the chunk.
    pub fn low_mark(&mut self, table: &TableName, id: ReadId, low: GtidSet) {
        if let Some(entry) = self.tables.get_mut(table) {
            entry.low_mark(id, low);
        }
    }

    /// A chunk was read.
    pub fn chunk_read(&mut self, table: &TableName, id: ReadId, read: ChunkRead) {
        let limits = self.limits;
        let Some(entry) = self.tables.get_mut(table) else { return };
        if let Some(at) = entry.open.iter().position(|open| open.id == id) {
            entry.take_read(at, read, limits);
        }
    }

    /// A reading failed in a way that another try may mend.
    ///
    /// # Errors
    /// The failure itself after too many in a row.
    pub fn failed(&mut self, table: &TableName, id: ReadId, failure: Failed) -> Result<()> {
        let of_view = self.view.take_if(|view| view.id == id).is_some();
        let Some(entry) = self.tables.get_mut(table) else { return Ok(()) };
        let at = entry.open.iter().position(|open| open.id == id);
        if entry.preparing != Some(id) && at.is_none() && !of_view {
            return Ok(());
        }
        // Perhaps the table was altered under the reader: it is looked up again, and what was read of it before
        // cannot be handed out without what was known of it then.
        entry.discard_from(0);
        entry.preparing = None;
        entry.prepared = None;
        entry.failures += 1;
        if entry.failures >= ATTEMPTS_MAX && entry.again.is_some() {
            self.give_up(table, &failure.error);
            return Ok(());
        }
        if entry.failures >= ATTEMPTS_MAX {
            return Err(failure.error.at(format!("the snapshot of {table}, tried {ATTEMPTS_MAX} times")));
        }
        tracing::warn!(table = %table, error = %failure.error, "reading for the snapshot failed; it is tried again");
        if failure.too_slow {
            entry.rows_max = (entry.rows_max / 2).max(1);
        }
        entry.not_before = Some(failure.again);
        Ok(())
    }

    /// Whether rows of this table in the transaction must be shown to [`Plan::touch`].
    pub fn watches(&self, table: &TableName, gtid: Option<&Gtid>) -> bool {
        self.tables.get(table).is_some_and(|entry| entry.open.iter().any(|open| open.watch.concerns(gtid)))
    }

    /// Makes keys out of rows of this shape of the table, as its open chunks know
    /// them; `None` where it lacks a column of the key.
    pub fn key_maker(&self, table: &Table) -> Option<KeyMaker> {
        let open = self.tables.get(&table.name)?.open.front()?;
        KeyMaker::new(table, open.watch.names())
    }

    /// The stream touched the row of this key, before or after the change.
    pub fn touch(&mut self, table: &TableName, gtid: Option<&Gtid>, key: &[u8]) {
        let Some(entry) = self.tables.get_mut(table) else { return };
        for open in entry.open.iter_mut().filter(|open| open.watch.concerns(gtid)) {
            match &mut open.read {
                Some(read) => read.block.drop_key(key),
                None => open.watch.touch(key),
            }
        }
    }

    /// The stream touched rows of the table, whichever: a view of it may not be of the right moment.
    pub fn touch_view(&mut self, table: &TableName, gtid: Option<&Gtid>) {
        if let Some(view) = &mut self.view {
            view.touch(table, gtid);
        }
    }

    /// Rows of the stream have other columns than those that chunks are read with: the table was changed, and no statement
    /// in the log says so. What came of a chunk after them would lack their new columns.
    pub fn meet_columns(&mut self, table: &Table, now: Instant) {
        let Some(entry) = self.tables.get(&table.name).filter(|entry| !entry.is_done()) else { return };
        let is_known = entry.prepared.as_ref().is_none_or(|prepared| has_columns_of(&prepared.table, table));
        if is_known {
            return;
        }
        self.altered(&table.name);
        // Or the statement is still to come, and the stream has more such rows before it.
        if let Some(entry) = self.tables.get_mut(&table.name) {
            entry.not_before = Some(now + OTHER_COLUMNS_PAUSE);
        }
    }

    /// The table changed in a way that its open chunks do not survive.
    pub fn altered(&mut self, table: &TableName) {
        self.view.take_if(|view| !view.is_served() && view.includes(table));
        if let Some(entry) = self.tables.get_mut(table) {
            entry.reset();
        }
    }

    /// The next chunk that may be handed out, now that the stream stands at
    /// `file`, `pos` between two transactions. The caller hands it out at once:
    /// the table's state moves with it.
    ///
    /// # Errors
    /// [`Kind::Bug`] where the state contradicts itself.
    pub fn take_ready(&mut self, file: &str, pos: u64) -> Result<Option<Chunk>> {
        let due = self.active().find(|(_, entry)| entry.is_due(file, pos)).map(|(name, _)| name.clone());
        let Some(name) = due else { return Ok(None) };
        let entry = self.tables.get_mut(&name).ok_or_else(|| lost(&name))?;
        let read = entry.open.pop_front().and_then(|open| open.read).ok_or_else(|| lost(&name))?;
        let prepared = entry.prepared.clone().ok_or_else(|| lost(&name))?;
        let first = matches!(entry.state, TableState::Pending);
        let rows = entry.rows() + read.block.rows_read() as u64;
        entry.state = match read.last_key {
            _ if read.last => TableState::Done { rows },
            None => return Err(lost(&name)),
            after => TableState::Reading { after, rows },
        };
        let told = entry.told();
        if read.last {
            self.unqueue(&name);
        }
        let origin = origin(read.high, read.read_us, self.limits.server_id);
        Ok(Some(Chunk::new(prepared, told, origin, first, read.block)))
    }

    /// Tables that are gone from the server and whose end the stream has passed
    /// without a word: dropped where the binlog does not tell. They count as done.
    pub fn take_gone(&mut self, file: &str, pos: u64) -> Option<Gone> {
        let passed = |entry: &Entry| entry.gone.as_ref().is_some_and(|end| end.is_passed_by(file, pos));
        let name = self.active().find(|(_, entry)| passed(entry))?.0.clone();
        let entry = self.tables.get_mut(&name)?;
        let is_there = entry.is_there() || entry.restart || entry.again.is_some();
        let rows = entry.rows();
        self.put(name.clone(), TableState::Done { rows }, rows, 0);
        Some(Gone { progress: TableProgress::of(name, TableState::Done { rows }), is_there })
    }

    /// Tables of which a consumer has rows that must go now: those of the view
    /// being served, which brings all rows anew; and those whose first chunk is about
    /// to be registered, since what the stream brought before that is in the chunks.
    /// Those that are read for everybody, else those for one addressee.
    pub fn take_restarts(&mut self) -> Option<Restarts> {
        let in_view =
            |name: &TableName| self.view.as_ref().is_some_and(|v| v.is_served() && v.includes(name));
        let by_chunk = |entry: &Entry| is_keyed(entry) && !self.limits.locked;
        let due = self.active().filter(|(name, entry)| entry.restart && (by_chunk(entry) || in_view(name)));
        let of = |entry: &Entry| entry.again.as_ref().and_then(|again| again.addressee.clone());
        let due: Vec<(Option<String>, TableName)> =
            due.map(|(name, entry)| (of(entry), name.clone())).collect();
        let addressee = due.iter().map(|(addressee, _)| addressee.clone()).min()?;
        let due = due.into_iter().filter(|(of, _)| *of == addressee).map(|(_, name)| name).collect();
        Some(self.restarted(addressee, due))
    }

    /// The state of every table, as it is to be stored.
    pub fn all_progress(&self) -> Vec<TableProgress> {
        let entries = self.tables.iter();
        entries
            .map(|(table, entry)| {
                let (state, again) = entry.stored();
                TableProgress { table: table.clone(), state, again }
            })
            .collect()
    }

    /// The state of one table, as it is to be stored.
    pub fn progress_of(&self, table: &TableName) -> Option<TableProgress> {
        let (state, again) = self.tables.get(table)?.stored();
        Some(TableProgress { table: table.clone(), state, again })
    }

    /// All tables together.
    pub fn summary(&self) -> SnapshotProgress {
        let mut sum = SnapshotProgress { paused: self.is_held_up(), ..SnapshotProgress::default() };
        for entry in self.tables.values() {
            sum.tables_total += 1;
            sum.tables_done += u64::from(entry.is_done());
            sum.rows += entry.rows();
            sum.rows_estimated +=
                if entry.is_done() { entry.rows() } else { entry.rows_estimated.max(entry.rows()) };
        }
        sum
    }
}

fn is_keyless(entry: &Entry) -> bool {
    entry.prepared.as_ref().is_some_and(|prepared| prepared.paging.is_none())
}

fn is_keyed(entry: &Entry) -> bool {
    entry.prepared.as_ref().is_some_and(|prepared| prepared.paging.is_some())
}

fn has_columns_of(one: &Table, other: &Table) -> bool {
    one.columns.iter().map(|column| &column.name).eq(other.columns.iter().map(|column| &column.name))
}

fn lost(table: &TableName) -> Error {
    Error::new(Kind::Bug, format!("the snapshot of {table} lost its chunk"))
}

mod again;
mod passing;
mod whole;

pub use again::Reading;
pub(crate) use again::{GivenUp, Restarts};
pub(crate) use passing::Passing;

#[cfg(test)]
mod tests;
