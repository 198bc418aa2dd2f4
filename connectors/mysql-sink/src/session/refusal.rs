//! What MySQL's error numbers mean for a sink.
//!
//! Numbers and names are those of the MySQL manual, "Server Error Message Reference".

use cdc_sdk::{Error, Kind};

/// A statement that did not go through.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// What kind of error it is for the pipeline.
    pub kind: Kind,
    /// MySQL's error number; 0 where the connection failed.
    pub code: u16,
    /// MySQL's text.
    pub message: String,
}

/// A refusal, and how many statements of the packet had gone through before it.
#[derive(Debug)]
pub(crate) struct Stumble {
    /// Statements that were carried out.
    pub done: usize,
    /// Why the next one was not.
    pub refusal: Refusal,
}

impl Refusal {
    /// The connection cannot be used any more.
    pub fn broken(message: impl Into<String>) -> Self {
        Self { kind: Kind::MysqlUnreachable, code: 0, message: message.into() }
    }

    /// A statement has more bytes than the server takes: nothing was sent.
    pub fn too_large(bytes: usize, bytes_max: usize) -> Self {
        Self {
            kind: Kind::RowRefused,
            code: PACKET_TOO_LARGE,
            message: format!("a statement has {bytes} bytes; max_allowed_packet leaves {bytes_max}"),
        }
    }

    /// The server answered what it cannot answer.
    pub fn unexpected(message: impl Into<String>) -> Self {
        Self { kind: Kind::Bug, code: 0, message: message.into() }
    }

    /// The error that the user sees; `what` names what was being done.
    pub fn into_error(self, what: impl Into<String>) -> Error {
        let error = Error::new(self.kind, what).detail(self.message);
        match hint(self.kind, self.code) {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

impl From<mysql_async::Error> for Refusal {
    fn from(error: mysql_async::Error) -> Self {
        match error {
            mysql_async::Error::Server(server) => Self {
                kind: if is_disk_full(server.code, &server.message) {
                    Kind::DiskFull
                } else {
                    kind(server.code)
                },
                code: server.code,
                message: format!("MySQL error {} ({}): {}", server.code, server.state, server.message),
            },
            mysql_async::Error::Driver(mysql_async::DriverError::PacketTooLarge) => Self {
                kind: Kind::RowRefused,
                code: PACKET_TOO_LARGE,
                message: "the statement is larger than the server's max_allowed_packet".into(),
            },
            mysql_async::Error::Driver(
                error @ (mysql_async::DriverError::UnknownAuthPlugin { .. }
                | mysql_async::DriverError::MysqlOldPasswordDisabled
                | mysql_async::DriverError::CleartextPluginDisabled
                | mysql_async::DriverError::NoClientSslFlagFromServer),
            ) => Self { kind: Kind::MysqlDenied, code: 0, message: error.to_string() },
            other => Self::broken(other.to_string()),
        }
    }
}

/// ER_NET_PACKET_TOO_LARGE.
const PACKET_TOO_LARGE: u16 = 1153;
/// ER_DUP_ENTRY.
pub(super) const DUPLICATE: u16 = 1062;
/// ER_NO_SUCH_TABLE.
pub(crate) const NO_SUCH_TABLE: u16 = 1146;

/// ER_SERVER_OFFLINE_MODE.
const OFFLINE: u16 = 3032;

/// ER_DISK_FULL; ER_RECORD_FILE_FULL, which is what InnoDB says of a row; ER_DISK_FULL_NOWAIT, of a new table.
const DISK_FULL: [u16; 3] = [1021, 1114, 3675];

/// Files that cannot be made or written, for whatever reason: only the text tells why.
const FILE_FAILED: [u16; 6] = [3, 28, 1004, 1005, 1026, 1030];

fn is_disk_full(code: u16, message: &str) -> bool {
    let no_space = || message.contains("No space left") || message.contains("errno: 28 ");
    DISK_FULL.contains(&code) || (FILE_FAILED.contains(&code) && no_space())
}

/// What an error number means.
pub(super) fn kind(code: u16) -> Kind {
    match code {
        // Lock wait timeout, deadlock, NOWAIT, certification failed in group replication.
        1205 | 1213 | 3572 | 3101 => Kind::Conflict,
        // Access denied in its forms; password expired; account locked; not the owner of a thread.
        1044 | 1045 | 1095 | 1142 | 1143 | 1227 | 1370 | 1698 | 1820 | 1862 | 3118 | 3955 => {
            Kind::MysqlDenied
        }
        // Too many connections; shutting down; network; interrupted; read-only or offline while failing over;
        // a group's member that is not in its place (a hook refused the commit; a wait of
        // group_replication_consistency); closed after idling; killed.
        1040
        | 1053
        | 1152
        | 1158..=1161
        | 1184
        | 1203
        | 1226
        | 1290
        | 1317
        | 1836
        | 1927
        | 3024
        | OFFLINE
        | 3100
        | 3797..=3799
        | 4031 => Kind::MysqlUnreachable,
        // A duplicate of a unique key; the upsert's guard (a subquery with two rows).
        DUPLICATE | 1242 | 1586 | 1859 => Kind::Divergence,
        // NULL, range, truncation, wrong value, character, length, geometry, JSON, SRID,
        // CHECK constraint, foreign key, arithmetic, size of a packet or row, vectors.
        1048
        | PACKET_TOO_LARGE
        | 1216
        | 1217
        | 1264
        | 1265
        | 1292
        | 1366
        | 1367
        | 1406
        | 1411
        | 1416
        | 1441
        | 1451
        | 1452
        | 1467
        | 1525
        | 1690
        | 1118
        | 3105
        | 3140..=3158
        | 3617
        | 3643
        | 3732
        | 3819
        | 4025
        | 6136..=6140 => Kind::RowRefused,
        // The table, a column or the column count is not what it was.
        // So is one with a column that rows know nothing of and that has no default.
        1054 | 1109 | 1136 | 1364 | NO_SUCH_TABLE | 1049 | 1412 => Kind::TableMismatch,
        _ => Kind::MysqlRefused,
    }
}

fn hint(kind: Kind, code: u16) -> Option<&'static str> {
    match (kind, code) {
        (_, PACKET_TOO_LARGE) => Some("on the destination: SET PERSIST max_allowed_packet = 1073741824;"),
        (_, 1290 | 1836) => {
            Some("the destination is read-only: SET GLOBAL super_read_only = OFF, read_only = OFF;")
        }
        (_, OFFLINE) => Some("it is tried again; on the destination: SET GLOBAL offline_mode = OFF;"),
        (Kind::DiskFull, _) => Some(
            "make room on the destination's disk (its error log says which file could not grow); nothing of the \
             batch was applied, and it is tried again",
        ),
        (Kind::MysqlDenied, _) => Some("`cdc check` lists the GRANT statements that are missing"),
        (Kind::Divergence, _) => Some(
            "another writer has changed these rows, or the destination has a unique key that the source lacks: \
                  compare the row on both sides and mend it here, then start the sink; or ask the source for a snapshot \
                  for this sink alone, which empties its tables first: cdc snapshot -c FILE --for-me",
        ),
        (Kind::TableMismatch, _) => Some("the table was changed while the sink ran: start it again"),
        _ => None,
    }
}
