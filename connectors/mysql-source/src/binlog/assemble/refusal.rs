//! What the stream refuses, and what there is to do about it.

use cdc_sdk::{Error, Kind, Result};

use crate::binlog::event::kind;
use crate::binlog::frame::Header;
use crate::binlog::reader::Malformed;

/// Refuses an event by what it is; one that is known to be ignorable passes.
pub(super) fn refused(header: &Header) -> Result<()> {
    let (what, hint) = match header.kind {
        kind::BEGIN_LOAD_QUERY | kind::EXECUTE_LOAD_QUERY => (
            "a LOAD DATA that was logged as a statement instead of by rows",
            "SET GLOBAL binlog_format = ROW; and in sessions that set it; then take a new snapshot",
        ),
        kind::INCIDENT => ("a gap: the server itself lost events (INCIDENT)", "take a new snapshot"),
        _ if header.is_ignorable() => return Ok(()),
        _ => ("an event of an unknown type", "this server is newer than this program: update the program"),
    };
    Err(Error::new(Kind::BinlogUnsupported, format!("the log holds {what}"))
        .detail(format!("event type {}", header.kind))
        .hint(hint))
}

pub(super) fn xa_unsupported(what: &str) -> Error {
    Error::new(Kind::BinlogUnsupported, "the log holds an XA transaction, which needs gtid_mode = ON")
        .detail(what.to_owned())
        .hint(
            "SET PERSIST gtid_mode = ON, step by step; or let the application commit without XA; then start anew under another name, with a new snapshot",
        )
}

pub(super) fn too_many_prepared(most: usize) -> Error {
    Error::new(Kind::BinlogUnsupported, format!("more than {most} XA transactions are prepared and not decided"))
        .hint("XA RECOVER lists them; end those that nobody will end with XA COMMIT or XA ROLLBACK, then start the source again")
}

pub(super) fn contradiction(why: &str) -> Error {
    Error::new(Kind::BinlogCorrupt, format!("the log contradicts itself: {why}"))
}

pub(super) fn corrupt(why: Malformed) -> Error {
    Error::new(Kind::BinlogCorrupt, format!("an event cannot be read: {}", why.0)).hint(
        "compare with mysqlbinlog --verify-binlog-checksum; if the file is damaged, take a new snapshot",
    )
}

pub(super) fn rolled_back_in_part(statement: &str) -> Error {
    Error::new(
        Kind::BinlogUnsupported,
        "a transaction with tables of several engines was rolled back in part",
    )
    .detail(statement.to_owned())
    .hint("convert the tables to InnoDB, and take a new snapshot of what the transaction changed")
}
