//! What the pipeline hands to the sink, and what it gets back.

use std::sync::Arc;

use bytes::Bytes;
use cdc_sdk::cut::Place;
use cdc_sdk::{CutId, Error, Op, Table};

use crate::dead_letter::Origin;

/// Some changes and how far they lead.
///
/// The changes of a batch are whole cuts, so that the state after them is one
/// that the source held (inside a transaction, if the run goes on). Only their
/// order per key matters. While a replay converges ([`crate::Progress::converging`])
/// a batch with rows of tables without a key must not go over the high water.
#[derive(Clone, Debug)]
pub struct Batch<R> {
    /// The changes, for each key in commit order.
    pub changes: Vec<Change<R>>,
    /// What happens after them.
    pub end: End,
    /// Changes before them are missing, and come back with later ones of the same keys: rows in the way are
    /// replaced, as in a replay.
    pub over_holes: bool,
}

impl<R> Batch<R> {
    /// One without anything missing before it.
    pub fn new(changes: Vec<Change<R>>, end: End) -> Self {
        Self { changes, end, over_holes: false }
    }
}

/// What happens after the changes of a batch.
#[derive(Clone, Debug)]
pub enum End {
    /// More of the same source transaction follows: the destination's transaction stays open.
    More,
    /// The changes are committed together with this progress.
    Commit(Advance),
}

/// How far the sink has come with a batch: it goes into the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advance {
    /// The last cut of the batch.
    pub cut: CutId,
    /// The offset in `prefix.cuts` to go on reading from.
    pub cuts_offset: i64,
    /// The next offset of each data partition that the batch touched.
    pub places: Vec<Place>,
    /// The source's position after the cut, for people and backups: a GTID set, or `file:pos`.
    pub position: String,
    /// When the source committed the last transaction, µs since 1970; 0 where there is none.
    pub committed_us: i64,
    /// Whether the initial snapshot is through.
    pub snapshot_complete: bool,
}

/// One change of one row, with the table that it was written for.
#[derive(Clone, Debug)]
pub struct Change<R> {
    /// The source's table. One pointer for each writer schema: plans are cached by it.
    pub table: Arc<Table>,
    /// What happened.
    pub op: Op,
    /// The key's datum without framing; `None` for a table without identity and for TRUNCATE.
    /// Equal bytes mean the same row.
    pub key: Option<Bytes>,
    /// The row before it.
    pub before: Option<R>,
    /// The row after it.
    pub after: Option<R>,
    /// Which record it was: from there it is read once more where it becomes a dead letter.
    pub origin: Origin,
    /// Why it cannot be read, where its table has dead letters: then of `table` only the name counts, and
    /// without a `key` it may be of any row.
    pub unreadable: Option<Arc<Error>>,
}

/// What a batch did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Rows written.
    pub upserts: u64,
    /// Rows deleted because they are gone at the source.
    pub deletes: u64,
    /// Rows that had been changed on both sides.
    pub conflicts: u64,
    /// Statements sent, those of the ledger and the transaction included.
    pub statements: u64,
    /// Whether it is committed.
    pub committed: bool,
}
