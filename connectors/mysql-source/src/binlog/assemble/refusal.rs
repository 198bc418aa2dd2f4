//! What the stream refuses, and what there is to do about it.

use cdc_sdk::{Error, Kind, Result};

use super::{Assembler, State};
use crate::binlog::event::kind;
use crate::binlog::event::query::Query;
use crate::binlog::frame::{Frame, Header};
use crate::binlog::reader::Malformed;
use crate::binlog::statement::Statement;
use crate::ddl::Sense;

/// Refuses an event by what it is; one that is known to be ignorable passes.
pub(super) fn refused(header: &Header) -> Result<()> {
    let (what, hint) = match header.kind {
        kind::INCIDENT => ("a gap: the server itself lost events (INCIDENT)", "take a new snapshot"),
        _ if header.is_ignorable() => return Ok(()),
        _ => ("an event of an unknown type", "this server is newer than this program: update the program"),
    };
    Err(Error::new(Kind::BinlogUnsupported, format!("the log holds {what}"))
        .detail(format!("event type {}", header.kind))
        .hint(hint))
}

impl Assembler {
    /// A rollback is in the log only where rows of tables without transactions stand
    /// beside others; which of the rows it takes back cannot be told. Nor can a statement be taken back
    /// that was handed out.
    pub(super) fn no_rows_yet(&self, statement: &Statement) -> Result<()> {
        match &self.state {
            State::Inside(transaction) if transaction.tally.seen.rows > 0 || transaction.altered => {
                Err(rolled_back_in_part(&statement.excerpt()))
            }
            State::Holding(held) if held.has_rows() => Err(rolled_back_in_part(&statement.excerpt())),
            State::Inside(_)
            | State::Holding(_)
            | State::Between
            | State::Announced(_)
            | State::Skipping { .. } => Ok(()),
        }
    }

    /// LOAD DATA that was logged as a statement, as any other change of rows that was.
    pub(super) fn load(&mut self, frame: &Frame, pos: u64) -> Result<()> {
        let query = Query::read_load(frame.body()).map_err(corrupt)?;
        let statement = Statement::read(&query, &self.setting.collations, self.setting.fold_names);
        match self.state {
            State::Skipping { begun } => {
                self.skip_statement(&Sense::Dml, begun);
                Ok(())
            }
            _ => self.dml(&statement, &frame.header, query.context.micros, pos),
        }
    }
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
