//! One table of the plan.

use std::collections::VecDeque;
use std::time::Instant;

use cdc_sdk::GtidSet;

use super::block::Block;
use super::chunk::{ChunkRead, Prepared};
use super::key::KeyBound;
use super::plan::{Limits, ReadId};
use super::progress::{Again, TableState};
use super::watch::{Outcome, Watch};
use crate::session::LogEnd;

/// Open chunks of one table: one is read while the one before it waits for the stream.
const OPEN_MAX: usize = 2;

/// A chunk between its registration and its handing out.
#[derive(Debug)]
pub(super) struct Open {
    pub id: ReadId,
    pub watch: Watch,
    /// `None` while it is being read.
    pub read: Option<ChunkRead>,
}

/// One table.
#[derive(Debug)]
pub(super) struct Entry {
    /// What the consumer has.
    pub state: TableState,
    /// What the consumer has of it must go first: it was begun in an earlier run
    /// and cannot be gone on with.
    pub restart: bool,
    /// Rows of it went out that no chunk brought, or may have: the stream's, while it waits.
    pub went_out: bool,
    /// Rows of it went by that were not handed out, and that is stored.
    pub passed_by: bool,
    /// Somebody asked for it to be read once more.
    pub again: Option<Again>,
    pub prepared: Option<Prepared>,
    /// The preparation under way.
    pub preparing: Option<ReadId>,
    pub open: VecDeque<Open>,
    /// The last chunk opened is the table's last.
    pub ends: bool,
    /// The next chunk must be read with the stream held.
    pub hold: bool,
    /// Failures in a row.
    pub failures: u32,
    pub not_before: Option<Instant>,
    /// Rows in the next chunk, at most.
    pub rows_max: u64,
    pub rows_estimated: u64,
    /// It is gone from the catalogue; where the binlog ended when that was seen.
    pub gone: Option<LogEnd>,
}

impl Entry {
    pub fn new(state: TableState, rows_max: u64, rows_estimated: u64) -> Self {
        Self {
            state,
            restart: false,
            went_out: false,
            passed_by: false,
            again: None,
            prepared: None,
            preparing: None,
            open: VecDeque::new(),
            ends: false,
            hold: false,
            failures: 0,
            not_before: None,
            rows_max,
            rows_estimated,
            gone: None,
        }
    }

    pub fn is_done(&self) -> bool {
        matches!(self.state, TableState::Done { .. })
    }

    /// What a restart must know: also that rows are there which must go first.
    pub fn stored(&self) -> (TableState, Option<Again>) {
        match self.restart && self.again.is_none() {
            true => (TableState::Reading { after: None, rows: 0 }, None),
            false => (self.state.clone(), self.again.clone()),
        }
    }

    /// What is told of it with rows that are handed out; with the last of them nobody waits for it any more.
    pub fn told(&mut self) -> (TableState, Option<Again>) {
        let again = if self.is_done() { self.again.take() } else { self.again.clone() };
        (self.state.clone(), again)
    }

    /// Whether the consumer may have rows of it.
    pub fn is_there(&self) -> bool {
        self.went_out || matches!(self.state, TableState::Reading { .. })
    }

    /// All of it is read anew; what the consumer has may stay, since it is brought once more.
    fn begin_again(&mut self) {
        self.went_out = self.is_there();
        self.state = TableState::Pending;
    }

    /// A row goes by that is not handed out, so what the consumer has of the table must go before it is read; and what was
    /// read of it may lack the row, and is not in time to be told. Whether that has to be stored.
    pub fn pass_by(&mut self) -> bool {
        self.discard_from(0);
        if !self.is_there() {
            return false;
        }
        self.begin_again();
        self.restart = true;
        !std::mem::replace(&mut self.passed_by, true)
    }

    pub fn rows(&self) -> u64 {
        match self.state {
            TableState::Pending => 0,
            TableState::Reading { rows, .. } | TableState::Done { rows } => rows,
        }
    }

    /// Whether it may be prepared or read now.
    pub fn may_start(&self, now: Instant) -> bool {
        self.preparing.is_none() && self.gone.is_none() && self.not_before.is_none_or(|at| at <= now)
    }

    /// Whether its next chunk may be opened.
    pub fn may_open(&self) -> bool {
        !self.ends
            && self.open.len() < OPEN_MAX
            && self.next_after().is_some()
            && (self.open.is_empty() || !self.hold)
    }

    /// Behind which key the next chunk begins; `None` while that is not known.
    pub fn next_after(&self) -> Option<Option<KeyBound>> {
        match self.open.back() {
            Some(open) => open.read.as_ref().map(|read| read.last_key.clone()),
            None => Some(match &self.state {
                TableState::Reading { after, .. } => after.clone(),
                TableState::Pending | TableState::Done { .. } => None,
            }),
        }
    }

    /// Throws away the open chunks from this one on; they are read again.
    pub fn discard_from(&mut self, at: usize) {
        self.open.truncate(at);
        self.ends = false;
    }

    /// Forgets all but what the consumer has.
    pub fn reset(&mut self) {
        self.discard_from(0);
        self.prepared = None;
        self.preparing = None;
        self.gone = None;
    }

    /// Takes the catalogue's answer. A table that was read by another key than it has now, or in another order of it, begins
    /// again. Without a key all that went out goes first, what the stream brought too: rows that are equal cannot be told
    /// apart, so to read them once more is to read them instead.
    pub fn take_prepared(&mut self, prepared: Prepared) {
        if let TableState::Reading { after, .. } = &self.state {
            let made =
                |bound| prepared.paging.as_ref().is_some_and(|paging| paging.made(&prepared.table, bound));
            if !after.as_ref().is_some_and(made) {
                self.begin_again();
            }
        }
        if prepared.paging.is_none() {
            self.restart |= self.is_there();
            if let Some(again) = self.again.as_mut().filter(|again| !again.empty_first) {
                again.empty_first = true;
                self.restart = true;
            }
        }
        self.prepared = Some(prepared);
    }

    /// Takes the rows of the open chunk at `at`.
    pub fn take_read(&mut self, at: usize, mut read: ChunkRead, limits: Limits) {
        self.failures = 0;
        self.not_before = None;
        self.rows_max = next_rows_max(limits, &read.block);
        let Some(open) = self.open.get_mut(at) else { return };
        match open.watch.finish(&mut read.block) {
            Outcome::Fits => {
                self.hold = false;
                self.ends = read.last;
                open.read = Some(read);
            }
            Outcome::TooMany => {
                self.discard_from(at);
                self.hold = true;
            }
        }
    }

    /// The transactions that the chunk of this number shows.
    pub fn low_mark(&mut self, id: ReadId, low: GtidSet) {
        if let Some(open) = self.open.iter_mut().find(|open| open.id == id) {
            open.watch.low_mark(low);
        }
    }

    /// Whether its chunk is being read and the stream must wait for it.
    pub fn holds_stream(&self) -> bool {
        self.hold && self.open.iter().any(|open| open.read.is_none())
    }

    /// Whether its first open chunk may be handed out where the stream stands.
    pub fn is_due(&self, file: &str, pos: u64) -> bool {
        let front = self.open.front().and_then(|open| open.read.as_ref());
        front.is_some_and(|read| read.high.is_passed_by(file, pos))
    }
}

/// As many rows as fill a chunk's bytes, by the rows of the chunk before.
fn next_rows_max(limits: Limits, block: &Block) -> u64 {
    let rows = block.rows_read() as u64;
    if rows == 0 {
        return limits.chunk_rows.max(1);
    }
    let row_bytes = (block.size() as u64 / rows).max(1);
    (limits.chunk_bytes / row_bytes).clamp(1, limits.chunk_rows.max(1))
}
