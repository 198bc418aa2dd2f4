//! What the driver and the server report → what the user is told, and whether
//! trying again can help.

use cdc_sdk::{Error, Kind};
use mysql_async::Error as DriverFailure;

/// Access denied, lacking privileges, unknown or locked accounts
/// (MySQL server error reference).
const DENIED: [u16; 11] = [1044, 1045, 1142, 1143, 1227, 1370, 1396, 1698, 1820, 1862, 3118];
/// What passes by itself: too many connections, shutdown, killed, lock waits, deadlock, interrupted, offline for a moment,
/// closed after idling.
const PASSING: [u16; 14] =
    [1040, 1053, 1077, 1158, 1159, 1160, 1161, 1203, 1205, 1213, 1317, 3032, 3169, 4031];
const TABLE_MISSING: [u16; 3] = [1049, 1051, 1146];
const TOO_SLOW: [u16; 2] = [3024, 1969];

/// The error of a failed statement; `doing` says what was being done.
pub(crate) fn server_error(failure: DriverFailure, doing: &str) -> Error {
    let kind = kind_of(&failure);
    let error = Error::new(kind, doing).detail(failure.to_string());
    match kind {
        Kind::MysqlDenied => error.hint(
            "GRANT REPLICATION SLAVE, REPLICATION CLIENT, SELECT ON *.* TO the account, or mend the password",
        ),
        Kind::MysqlUnreachable => {
            error.hint("it is tried again; see whether the server runs and can be reached")
        }
        _ => error,
    }
}

fn kind_of(failure: &DriverFailure) -> Kind {
    match failure {
        DriverFailure::Server(e) if DENIED.contains(&e.code) => Kind::MysqlDenied,
        DriverFailure::Server(e) if PASSING.contains(&e.code) => Kind::MysqlUnreachable,
        DriverFailure::Server(_) => Kind::MysqlRefused,
        DriverFailure::Io(_) | DriverFailure::Driver(_) => Kind::MysqlUnreachable,
        DriverFailure::Other(_) | DriverFailure::Url(_) => Kind::MysqlRefused,
    }
}

/// Whether the table (or its database) is not there.
pub(crate) fn is_missing_table(failure: &DriverFailure) -> bool {
    matches!(failure, DriverFailure::Server(e) if TABLE_MISSING.contains(&e.code))
}

/// Whether `max_execution_time` ended the statement.
pub(crate) fn is_too_slow(failure: &DriverFailure) -> bool {
    matches!(failure, DriverFailure::Server(e) if TOO_SLOW.contains(&e.code))
}
