//! A place in the source's binlog from which it can be read on.

use crate::gtid::{Gtid, GtidSet};

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
    /// What the log is known again by; `None` before any of it was met, and as versions before this one stored it.
    pub landmark: Option<Landmark>,
}

/// Something in the log that was read, which another log does not have in its place: after `RESET BINARY LOGS AND
/// GTIDS`, or where a server lost the end of its log, names of files and numbers of transactions are used again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Landmark {
    /// With GTIDs: the last transaction delivered. Its time goes along to every server that has it.
    Transaction {
        /// Which one; it is in the position's set.
        gtid: Gtid,
        /// When the server that first ran it committed it, µs since 1970; 0 where that is not told.
        committed_us: i64,
    },
    /// The position's file, where there is no transaction to tell it by: without GTIDs, or before the first one.
    File {
        /// When the server began it, s since 1970.
        begun_s: u32,
    },
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
