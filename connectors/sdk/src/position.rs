//! A place in the source's binlog from which it can be read on.

use crate::gtid::GtidSet;

/// Where the source stands after some whole number of transactions, or inside one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// `@@server_uuid` of the server that `file` belongs to.
    pub server_uuid: String,
    /// All transactions that are through; `None` where the server runs without GTIDs.
    pub gtids: Option<GtidSet>,
    /// The binlog file on that server.
    pub file: String,
    /// Byte offset in it, 64 bits wide (event headers have 32; lengths are summed).
    pub pos: u64,
    /// How far into the next transaction the reader is; `None` between transactions.
    pub partial: Option<Partial>,
}

/// How much of a transaction has been delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Partial {
    /// Rows delivered, captured or not.
    pub rows: u64,
    /// A running hash over the images of those rows: a restart that counts to
    /// `rows` and finds another hash is not reading the same transaction.
    pub hash: u64,
}
