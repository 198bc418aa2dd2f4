//! The server's log as a stream of transactions.
//!
//! What is relied on, and why it is right:
//!
//! - **Nothing is used unchecked.** Each event's CRC32 is compared before a byte of it
//!   is used ([`frame`]), and each length before it is read ([`reader`]). A large compressed
//!   transaction is one event: its CRC32 is compared before its end is handed out ([`dump`]).
//! - **A position is between transactions.** It moves when a transaction's end has been
//!   handed out, never before. A transaction whose identifier is in the position's
//!   GTID set is left out, so a server that sends one again does no harm.
//! - **Inside a transaction** rows are counted with a running hash ([`tally`]), captured
//!   or not, so that a restart goes on at the very next row or stops.
//! - **Nothing is skipped in silence.** A kind of event or statement that is not known
//!   to be harmless stops the stream with an error that says what it was.
//! - **Waiting is bounded.** The server is asked for heartbeats; a silence of twice
//!   their period is an error, since a dead connection looks just like an idle server.
//!
//! The parts, in the order of the data: [`dump`] → [`frame`] → [`event`] →
//! [`assemble`] (with [`shapes`], [`place`] and [`tally`]) → [`stream`].

pub(crate) mod reader;

mod collations;
mod dump;

pub(crate) mod frame;

pub(crate) mod event;

mod assemble;
mod partial_json;
mod place;
mod rows;
mod shape;
mod shapes;
mod statement;
mod stream;
mod tally;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use cdc_sdk::change::Origin;
use cdc_sdk::{Gtid, Position, Result, Table};

use crate::ddl::Effect;

pub use collations::{Collation, Collations};
pub use rows::{Cursor, Rows};
pub use stream::Stream;

/// From where to read, and as whom.
#[derive(Clone, Debug)]
pub struct Request {
    /// The replica's `server_id`: no other replica of the server may have it.
    pub server_id: u32,
    /// Where to start: by GTID set where it has one, else by file and position.
    pub start: Position,
    /// How often the server is to say that it is there while nothing happens. A
    /// silence of twice that is an error. At least a second.
    pub heartbeat: Duration,
    /// Whether JSON is printed with the marks of [`cdc_sdk::json`].
    pub mark_json: bool,
}

/// What the log says next. A transaction is `Begin`, any number of `Rows` and `Ddl`,
/// `Commit`; statements that commit by themselves come as such a transaction too.
#[derive(Debug)]
pub enum BinlogEvent {
    /// A transaction starts.
    Begin(Begin),
    /// Rows of one captured table changed.
    Rows(Box<Rows>),
    /// A statement changed captured tables, or may have.
    Ddl(Box<Ddl>),
    /// The transaction is committed.
    Commit(Commit),
    /// Nothing that is captured, but [`Stream::place`] may have moved.
    Idle,
}

/// The start of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begin {
    /// Which transaction, when committed, and where it stands.
    pub origin: Origin,
    /// Its identifier once more, where it has one.
    pub gtid: Option<Gtid>,
}

/// The end of a transaction: the position is after it now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// When the server that first ran it committed it, µs since 1970.
    pub committed_us: i64,
}

/// A statement that changed tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ddl {
    /// The statement.
    pub statement: String,
    /// The session's default database.
    pub database: String,
    /// What it did to captured tables; not empty.
    pub effects: Vec<Effect>,
    /// Its transaction, with the place of the statement.
    pub origin: Origin,
}

/// How a shape was met. Times are those of the server's statements, in seconds since 1970.
#[derive(Clone, Debug, Default)]
pub struct Met {
    /// When the statement began that its first rows are of.
    pub at: u32,
    /// When the last statement began that changed the table, of those in the log before.
    pub changed_at: Option<u32>,
    /// The table as the log had it before.
    pub before: Option<Arc<Table>>,
}

/// A table with what is known of it beside the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enriched {
    /// The table.
    pub table: Table,
    /// It has been changed at that second, after the rows that it was met with: what these need not obey yet is not
    /// told. Of later rows it is to be asked again.
    pub changed_later: Option<u32>,
}

/// What knows more of a table than the log tells: defaults, generated columns, other
/// keys. It never decides how rows are read.
pub trait Enrich: Send + Sync + 'static {
    /// The table with what is known beside. Asked once for each new shape. Columns
    /// must stay those of the log, else the answer is not used.
    ///
    /// # Errors
    /// Whatever keeps it from answering; the stream ends with it.
    fn enrich(&self, from_map: Table, met: Met) -> impl Future<Output = Result<Enriched>> + Send;

    /// A statement has changed tables: what is kept of them is out of date.
    fn altered(&self, effects: &[Effect]);
}
