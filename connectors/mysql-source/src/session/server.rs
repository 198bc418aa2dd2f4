//! What the server says of itself: who it is, what it has executed, where its
//! binlog ends.

use std::time::Duration;

use cdc_sdk::{Error, GtidSet, Kind, Position, Result};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::within;

/// What a source must know of its server before it reads a byte.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// `@@server_uuid`.
    pub uuid: String,
    /// Whether `gtid_mode=ON`: every transaction has a GTID.
    pub gtids: bool,
    /// `@@gtid_executed`; empty without GTIDs.
    pub executed: GtidSet,
    /// `@@gtid_purged`: no longer in the binlog.
    pub purged: GtidSet,
}

/// The end of the binlog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogEnd {
    /// The file.
    pub file: String,
    /// Byte offset in it.
    pub pos: u64,
}

impl LogEnd {
    /// Whether the place `file`, `pos` is at or past this end. Files are ordered
    /// by the number behind the last dot, which grows beyond six digits.
    pub(crate) fn is_passed_by(&self, file: &str, pos: u64) -> bool {
        let (mine, theirs) = (file_number(&self.file), file_number(file));
        theirs > mine || (theirs == mine && pos >= self.pos)
    }
}

/// What files are ordered by.
pub(crate) fn file_number(file: &str) -> u64 {
    file.rsplit('.').next().and_then(|n| n.parse().ok()).unwrap_or(0)
}

impl Server {
    /// Asks the server.
    ///
    /// # Errors
    /// What the server answers; [`Kind::BadPosition`] for sets that cannot be read.
    pub(crate) async fn ask(conn: &mut Conn) -> Result<Self> {
        let query = "SELECT @@server_uuid, @@gtid_mode, @@global.gtid_executed, @@global.gtid_purged";
        let row = within("reading the server's state", conn.query_first(query)).await?;
        let (uuid, mode, executed, purged): (String, String, String, String) =
            row.ok_or_else(|| Error::new(Kind::MysqlRefused, "the server's state is empty"))?;
        Ok(Self {
            uuid,
            gtids: mode.eq_ignore_ascii_case("ON"),
            executed: executed.parse()?,
            purged: purged.parse()?,
        })
    }

    /// Where a source without history starts: after all that is executed now.
    pub(crate) fn position(&self, end: &LogEnd) -> Position {
        Position {
            server_uuid: self.uuid.clone(),
            gtids: self.gtids.then(|| self.executed.clone()),
            file: end.file.clone(),
            pos: end.pos,
            partial: None,
            landmark: None,
        }
    }
}

/// The end of the binlog. The server takes it under its log's lock, so it never
/// lies inside a transaction, and every transaction that any reader can see lies before it.
///
/// # Errors
/// [`Kind::Unfit`] where there is no binlog; else what the server answers.
pub(crate) async fn log_end(conn: &mut Conn) -> Result<LogEnd> {
    let statement =
        if conn.server_version() >= (8, 2, 0) { "SHOW BINARY LOG STATUS" } else { "SHOW MASTER STATUS" };
    let row: Option<Row> = within("asking where the binlog ends", conn.query_first(statement)).await?;
    let found = row.and_then(|row| {
        let file = row.get_opt::<String, _>(0)?.ok()?;
        let pos = row.get_opt::<u64, _>(1)?.ok()?;
        Some(LogEnd { file, pos })
    });
    found.ok_or_else(|| {
        Error::new(Kind::Unfit, "the server writes no binlog")
            .hint("start it with log_bin (my.cnf: [mysqld] log_bin=binlog)")
    })
}

/// Whether the server is set up to follow another one, be it at work or not.
///
/// # Errors
/// What the server answers.
pub(crate) async fn is_replica(conn: &mut Conn) -> Result<bool> {
    let statement =
        if conn.server_version() >= (8, 0, 22) { "SHOW REPLICA STATUS" } else { "SHOW SLAVE STATUS" };
    let row: Option<Row> =
        within("asking whether the server is a replica", conn.query_first(statement)).await?;
    Ok(row.is_some())
}

/// How long transactions that a log holds may take to show, where nobody minds their not being there at all.
pub(crate) const SHOW_WAIT: Duration = Duration::from_secs(10);

/// Waits until the engine shows all of a set (`WAIT_FOR_EXECUTED_GTID_SET`).
/// `false` after `limit`.
///
/// # Errors
/// What the server answers.
pub(crate) async fn wait_for(conn: &mut Conn, set: &GtidSet, limit: Duration) -> Result<bool> {
    if set.is_empty() {
        return Ok(true);
    }
    let seconds = limit.as_secs().max(1);
    let statement = format!("SELECT WAIT_FOR_EXECUTED_GTID_SET('{set}', {seconds})");
    let answer: Option<u8> = within("waiting for transactions to show", conn.query_first(statement)).await?;
    Ok(answer == Some(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_ordered_by_number() {
        let end = LogEnd { file: "binlog.999999".into(), pos: 500 };
        assert!(!end.is_passed_by("binlog.999999", 499));
        assert!(end.is_passed_by("binlog.999999", 500));
        assert!(end.is_passed_by("binlog.1000000", 4));
        assert!(!end.is_passed_by("binlog.000001", 9999));
    }
}
