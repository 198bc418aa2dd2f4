//! What happened to a row, and where it was written down.

use std::sync::Arc;

/// What a change does: the letters are Debezium's `op`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// `c`: a row was inserted.
    Create,
    /// `u`: a row was updated.
    Update,
    /// `d`: a row was deleted.
    Delete,
    /// `r`: a snapshot read the row.
    Read,
    /// `t`: all rows went at once.
    Truncate,
}

impl Op {
    /// Debezium's letter.
    pub const fn letter(self) -> &'static str {
        match self {
            Self::Create => "c",
            Self::Update => "u",
            Self::Delete => "d",
            Self::Read => "r",
            Self::Truncate => "t",
        }
    }

    /// The reverse of [`Op::letter`].
    pub fn from_letter(letter: &str) -> Option<Self> {
        match letter {
            "c" => Some(Self::Create),
            "u" => Some(Self::Update),
            "d" => Some(Self::Delete),
            "r" => Some(Self::Read),
            "t" => Some(Self::Truncate),
            _ => None,
        }
    }
}

/// One change of one row; `R` is however the rows are held.
#[derive(Clone, Copy, Debug)]
pub struct RowChange<R> {
    /// What happened.
    pub op: Op,
    /// The row before it; `None` for `c`, `r` and `t`.
    pub before: Option<R>,
    /// The row after it; `None` for `d` and `t`.
    pub after: Option<R>,
}

/// Where a change stands in the source's log: Debezium's `source` block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// When the source committed it (in a snapshot: when it was read), µs since 1970.
    pub ts_us: i64,
    /// The server that first ran the transaction.
    pub server_id: u32,
    /// The transaction's GTID, where there are any.
    pub gtid: Option<Arc<str>>,
    /// The binlog file.
    pub file: Arc<str>,
    /// Byte offset in it of the event.
    pub pos: u64,
    /// The connection that made the change, where the log tells.
    pub thread: Option<u64>,
}
