//! Rows of a table that the snapshot read, from its reader to the consumer.

use std::sync::Arc;

use cdc_sdk::change::Origin;
use cdc_sdk::{Table, TableName};

use super::ChunkRow;
use super::block::{Block, RowReading};
use super::key::KeyBound;
use super::progress::{Again, TableProgress, TableState};
use super::query::Paging;
use crate::session::LogEnd;
use crate::shape::ShapeId;

/// What must be known of a table before it is read.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    /// The table.
    pub table: Arc<Table>,
    /// Its number.
    pub shape: ShapeId,
    /// How it is paged; `None`: it has no identity.
    pub paging: Option<Paging>,
    /// How its rows are read.
    pub reading: Arc<RowReading>,
}

/// A chunk that was read and waits for the stream.
#[derive(Debug)]
pub(crate) struct ChunkRead {
    /// Its rows.
    pub block: Block,
    /// Where the binlog ended after the read.
    pub high: LogEnd,
    /// The key of its last row; `None` if it has no rows.
    pub last_key: Option<KeyBound>,
    /// Whether the table ends with it.
    pub last: bool,
    /// When it was read, µs since 1970.
    pub read_us: i64,
}

/// Rows of a table that the snapshot read, to be handed on as they are.
#[derive(Debug)]
pub struct Chunk {
    /// The table.
    pub table: Arc<Table>,
    /// Its shape's number, the same as in the stream's rows where the shape is the same.
    pub shape: ShapeId,
    /// When it was read, and where the binlog ended then.
    pub origin: Origin,
    /// How far the table is with it; to be stored together with the rows.
    pub progress: TableProgress,
    /// Whether it is the table's first.
    pub first: bool,
    /// Whether it is the table's last.
    pub last: bool,
    /// The one consumer that it is for; `None`: all.
    pub addressee: Option<String>,
    block: Block,
}

impl Chunk {
    pub(super) fn new(
        prepared: Prepared,
        (state, again): (TableState, Option<Again>),
        origin: Origin,
        first: bool,
        block: Block,
    ) -> Self {
        let last = matches!(state, TableState::Done { .. });
        let addressee = again.as_ref().and_then(|again| again.addressee.clone());
        let again = again.filter(|_| !last);
        let progress = TableProgress { table: prepared.table.name.clone(), state, again };
        Self { table: prepared.table, shape: prepared.shape, origin, progress, first, last, addressee, block }
    }

    /// The table's name.
    pub fn name(&self) -> &TableName {
        &self.table.name
    }

    /// How many rows it hands on; 0 for a table without rows, or when all were touched.
    pub fn len(&self) -> usize {
        self.block.len()
    }

    /// Whether it hands on no row. Its progress is to be stored all the same.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its rows, in the order of the table's key.
    pub fn rows(&self) -> impl Iterator<Item = ChunkRow<'_>> {
        self.block.rows()
    }
}

pub(super) fn origin(high: LogEnd, read_us: i64, server_id: u32) -> Origin {
    Origin { ts_us: read_us, server_id, file: high.file.into(), pos: high.pos, ..Origin::default() }
}
