//! What a failure of the connection means to who reads the log.

use std::io::ErrorKind;

use cdc_sdk::{Error, Kind};
use mysql_async::IoError;

/// The server's code for everything that is wrong with a stream of its log.
const ER_SOURCE_FATAL: u16 = 1236;

/// What a failure of the connection means.
pub(crate) fn failure(error: mysql_async::Error) -> Error {
    match &error {
        mysql_async::Error::Server(server) => match server.code {
            ER_SOURCE_FATAL => fatal(&server.message),
            1044 | 1045 | 1142 | 1227 => Error::new(Kind::MysqlDenied, "the server refused the account")
                .detail(server.message.clone())
                .hint("GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO the account"),
            // Shutdown, killed, too many connections.
            1053 | 1317 | 1927 | 3169 | 1040 | 1203 => {
                Error::new(Kind::MysqlUnreachable, "the server ended the connection")
                    .detail(server.message.clone())
            }
            _ => Error::new(Kind::MysqlRefused, "the server refused a statement").caused_by(error),
        },
        // That of [`super::packets`], not the system's.
        mysql_async::Error::Io(IoError::Io(silence))
            if silence.kind() == ErrorKind::TimedOut && silence.get_ref().is_some() =>
        {
            Error::new(Kind::MysqlUnreachable, silence.to_string())
        }
        mysql_async::Error::Io(_)
        | mysql_async::Error::Driver(mysql_async::DriverError::ConnectionClosed) => {
            Error::new(Kind::MysqlUnreachable, "the connection to the server broke").caused_by(error)
        }
        mysql_async::Error::Driver(mysql_async::DriverError::PacketTooLarge) => {
            Error::new(Kind::Unfit, "an event is larger than this connection takes").caused_by(error)
        }
        mysql_async::Error::Driver(_) | mysql_async::Error::Other(_) | mysql_async::Error::Url(_) => {
            Error::new(Kind::MysqlUnreachable, "the connection to the server failed").caused_by(error)
        }
    }
}

/// Error 1236 by its text, which is all that tells its causes apart
/// (`sql/rpl_binlog_sender.cc`).
fn fatal(message: &str) -> Error {
    let says = |part: &str| message.contains(part);
    let (kind, what, hint) = if says("purged")
        || says("Could not find first log")
        || says("could not find next log")
    {
        (
            Kind::Purged,
            "the log at the position is no longer on the server",
            "take a new snapshot; keep logs longer: SET GLOBAL binlog_expire_logs_seconds",
        )
    } else if says("has more GTIDs than") || says("impossible position") || says("position > file size") {
        (
            Kind::Diverged,
            "the position is not in the server's log",
            "the server lost transactions, or is another one: take a new snapshot",
        )
    } else if says("with the same server_uuid") || says("with the same server_id") {
        (
            Kind::Fenced,
            "another reader with the same server_id has taken over",
            "give each reader its own mysql.server_id",
        )
    } else if says("max_allowed_packet") {
        (
            Kind::Unfit,
            "an event is larger than the server sends",
            "SET GLOBAL max_allowed_packet = 1073741824; then connect again",
        )
    } else if says("bogus data") || says("corrupt") || says("checksum") || says("truncated") {
        (
            Kind::BinlogCorrupt,
            "the server cannot read its log",
            "compare with mysqlbinlog --verify-binlog-checksum, and take a new snapshot",
        )
    } else if says("anonymous transaction") {
        // Also where gtid_mode is ON again: whoever begins behind them has not read them.
        (
            Kind::Purged,
            "behind the source's position the log holds transactions without a GTID: gtid_mode was away from ON",
            "read everything anew: [capture] snapshot = \"when_needed\", then start again; or start under another name. Leave gtid_mode = ON",
        )
    } else if says("AUTO_POSITION") || says("GTID_MODE") {
        (Kind::Unfit, "the server's gtid_mode does not fit the position", "SET GLOBAL gtid_mode = ON")
    } else {
        (Kind::MysqlRefused, "the server cannot send its log", "see the server's message")
    };
    Error::new(kind, what).detail(message.to_owned()).hint(hint)
}
