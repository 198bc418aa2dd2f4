//! The connection to the server: asks for its log and receives packets.
//!
//! The client library registers as a replica and frames packets. Everything else
//! it does with them (parsing, keeping tables) is not relied on.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use cdc_sdk::gtid::Origin;
use cdc_sdk::{Error, GtidSet, Kind, Position, Result};
use futures_util::Stream as _;
use mysql_async::prelude::Queryable;
use mysql_async::{BinlogStream, BinlogStreamRequest, Conn, GnoInterval, Sid};
use mysql_common::packets::Tag;
use tokio::time::Instant;

use super::Request;
use super::frame::Frame;
use super::place::FILE_START;

/// How long to look once more when the time is up, since who waits may have been
/// away while packets came.
const GRACE: Duration = Duration::from_secs(1);

/// What the server says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub uuid: String,
    /// `lower_case_table_names` is not 0.
    pub fold_names: bool,
}

/// A connection that receives the log.
pub(crate) struct Transport {
    stream: BinlogStream,
    silence_max: Duration,
    deadline: Instant,
    grace: bool,
    stirred: Arc<Stirred>,
    /// The task's waker and ours in front of it.
    wakers: Option<(Waker, Waker)>,
}

/// When the connection last stirred, whole event or not: a large one takes a while to arrive over a
/// slow line, and meanwhile the server sends no heartbeat. The time, not that it did: the runtime
/// also wakes for reasons of its own, mostly just after a packet.
struct Stirred {
    opened: Instant,
    after_us: AtomicU64,
}

impl Stirred {
    fn now(&self) {
        let after = u64::try_from(self.opened.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.after_us.store(after, Ordering::Relaxed);
    }

    fn last(&self) -> Instant {
        self.opened + Duration::from_micros(self.after_us.load(Ordering::Relaxed))
    }
}

/// Wakes the task, and notes that the connection did.
struct Stir {
    stirred: Arc<Stirred>,
    task: Waker,
}

impl Wake for Stir {
    fn wake(self: Arc<Self>) {
        self.stirred.now();
        self.task.wake_by_ref();
    }
}

impl Transport {
    /// Prepares the session and asks for the log. Also answers where in the file the
    /// server was asked to start.
    ///
    /// # Errors
    /// [`Kind::OtherServer`], [`Kind::Diverged`], [`Kind::Purged`], and what a
    /// connection can run into.
    pub async fn open(mut conn: Conn, request: &Request) -> Result<(Self, Server, u64)> {
        let server = identify(&mut conn).await?;
        let start = &request.start;
        if start.gtids.is_none() {
            same_server(start, &server)?;
        }
        if let Some(gtids) = &start.gtids {
            not_diverged(&mut conn, gtids).await?;
        }
        let heartbeat = request.heartbeat.max(Duration::from_secs(1));
        prepare(&mut conn, request.server_id, heartbeat).await?;
        let (stream, reads_from) = dump(conn, request).await?;
        let silence_max = heartbeat * 2;
        let opened = Instant::now();
        let stirred = Arc::new(Stirred { opened, after_us: AtomicU64::new(0) });
        let deadline = opened + silence_max;
        Ok((Self { stream, silence_max, deadline, grace: false, stirred, wakers: None }, server, reads_from))
    }

    /// The next event. May be dropped while it waits: nothing is lost.
    ///
    /// # Errors
    /// [`Kind::MysqlUnreachable`] for a connection that broke or a silence that is too
    /// long, what the server answers, [`Kind::BinlogCorrupt`].
    pub async fn next(&mut self) -> Result<Frame> {
        if Instant::now() >= self.deadline && !self.grace {
            self.grace = true;
            self.deadline = Instant::now() + GRACE;
        }
        let packet = loop {
            match self.packet().await {
                Some(packet) => break packet,
                None => {
                    let deadline = self.stirred.last() + self.silence_max;
                    if deadline <= Instant::now() {
                        return Err(silent(self.silence_max));
                    }
                    self.deadline = deadline;
                }
            }
        };
        self.deadline = Instant::now() + self.silence_max;
        self.grace = false;
        match packet {
            Some(Some(Ok(event))) => Frame::from_packet(event).map_err(|why| {
                Error::new(Kind::BinlogCorrupt, format!("an event is damaged: {}", why.0)).hint(DAMAGED)
            }),
            Some(Some(Err(error))) => Err(failure(error)),
            Some(None) => Err(Error::new(Kind::MysqlUnreachable, "the server ended the stream of its log")),
            None => {
                Err(Error::new(Kind::BinlogCorrupt, "an event is damaged: it ends too early").hint(DAMAGED))
            }
        }
    }

    /// What comes next; `None` once the time is up.
    async fn packet(&mut self) -> Option<Packet> {
        let (stream, stirred) = (&mut self.stream, &self.stirred);
        let wakers = &mut self.wakers;
        let packet = std::future::poll_fn(|context| {
            let task = context.waker();
            let (_, waker) = match wakers.take().filter(|(of, _)| of.will_wake(task)) {
                Some(known) => wakers.insert(known),
                None => {
                    let stir = Stir { stirred: Arc::clone(stirred), task: task.clone() };
                    wakers.insert((task.clone(), Waker::from(Arc::new(stir))))
                }
            };
            let mut context = Context::from_waker(waker);
            // The library takes lengths for granted in places and would panic on
            // packets that are cut short.
            let polled = AssertUnwindSafe(|| Pin::new(&mut *stream).poll_next(&mut context));
            match std::panic::catch_unwind(polled) {
                Ok(poll) => poll.map(Some),
                Err(_) => Poll::Ready(None),
            }
        });
        tokio::time::timeout_at(self.deadline, packet).await.ok()
    }
}

/// What the library gives: an event, its end or an error; `None` where it panicked.
type Packet = Option<Option<mysql_async::Result<mysql_common::binlog::events::Event>>>;

const DAMAGED: &str = "run it again; if it stays, compare with mysqlbinlog --verify-binlog-checksum, and take a new snapshot if the file is damaged";

fn silent(silence_max: Duration) -> Error {
    let what = format!("the server has not been heard of for {} s", silence_max.as_secs());
    Error::new(Kind::MysqlUnreachable, what).detail("it was asked to send a heartbeat twice as often")
}

async fn identify(conn: &mut Conn) -> Result<Server> {
    let row: Option<(String, u8)> = conn
        .query_first("SELECT @@GLOBAL.server_uuid, @@GLOBAL.lower_case_table_names")
        .await
        .map_err(failure)?;
    let (uuid, folding) =
        row.ok_or_else(|| Error::new(Kind::MysqlRefused, "the server does not tell its server_uuid"))?;
    Ok(Server { uuid, fold_names: folding != 0 })
}

pub(super) fn same_server(start: &Position, server: &Server) -> Result<()> {
    if start.server_uuid.is_empty() || start.server_uuid == server.uuid {
        return Ok(());
    }
    Err(Error::new(Kind::OtherServer, "the position is of another server")
        .detail(format!("it is of {}, and this is {}", start.server_uuid, server.uuid))
        .hint("without GTIDs a position cannot be carried over: connect to that server, or take a new snapshot; SET GLOBAL gtid_mode = ON makes it possible"))
}

/// Whether the server has had all transactions of the set. One that merely lags
/// behind has not had them yet; to a reader that is the same.
async fn not_diverged(conn: &mut Conn, gtids: &GtidSet) -> Result<()> {
    let lacking: Option<String> = conn
        .exec_first("SELECT GTID_SUBTRACT(?, @@GLOBAL.gtid_executed)", (gtids.to_string(),))
        .await
        .map_err(failure)?;
    match lacking {
        Some(lacking) if !lacking.is_empty() => {
            Err(Error::new(Kind::Diverged, "the server lacks transactions that were delivered before")
                .detail(format!("it lacks {}", lacking.replace('\n', "")))
                .hint("if it is a replica that lags behind, let it catch up; if it lost them in a failover, take a new snapshot"))
        }
        Some(_) | None => Ok(()),
    }
}

/// Tells the server, under the old and the new names, what this replica
/// understands. The uuid makes the server end an older stream of the same reader.
async fn prepare(conn: &mut Conn, server_id: u32, heartbeat: Duration) -> Result<()> {
    let period = u64::try_from(heartbeat.as_nanos()).unwrap_or(u64::MAX);
    let uuid = format!("cdc00000-0000-4000-8000-{server_id:012x}");
    let set = format!(
        "SET @source_binlog_checksum = 'CRC32', @master_binlog_checksum = 'CRC32', \
         @source_heartbeat_period = {period}, @master_heartbeat_period = {period}, \
         @replica_uuid = '{uuid}', @slave_uuid = '{uuid}'"
    );
    conn.query_drop(set).await.map_err(failure)
}

async fn dump(conn: Conn, request: &Request) -> Result<(BinlogStream, u64)> {
    let start = &request.start;
    let asked = BinlogStreamRequest::new(request.server_id);
    let (asked, reads_from) = match &start.gtids {
        Some(gtids) => (asked.with_gtid().with_gtid_set(blocks(gtids)?), FILE_START),
        None => {
            // The command has 32 bits for the offset.
            let reads_from =
                if u32::try_from(start.pos).is_ok() { start.pos.max(FILE_START) } else { FILE_START };
            (asked.with_filename(start.file.as_bytes()).with_pos(reads_from), reads_from)
        }
    };
    let stream = conn.get_binlog_stream(asked).await.map_err(failure)?;
    Ok((stream, reads_from))
}

/// The set in the command's form: intervals with an exclusive end.
fn blocks(gtids: &GtidSet) -> Result<Vec<Sid<'static>>> {
    gtids.iter().map(|(origin, intervals)| block(origin, intervals)).collect()
}

fn block(origin: &Origin, intervals: &[(u64, u64)]) -> Result<Sid<'static>> {
    let intervals = intervals.iter().map(|&(first, last)| GnoInterval::new(first, last.saturating_add(1)));
    let block = Sid::new(origin.uuid).with_intervals(intervals.collect());
    if origin.tag.is_empty() {
        return Ok(block);
    }
    let tag = Tag::new(origin.tag.clone()).map_err(|error| {
        Error::new(Kind::BadPosition, format!("'{}' is not a GTID tag", origin.tag)).caused_by(error)
    })?;
    Ok(block.with_tag(tag))
}

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
    let (kind, what, hint) =
        if says("purged") || says("Could not find first log") || says("could not find next log") {
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
        } else if says("AUTO_POSITION") || says("GTID_MODE") {
            (Kind::Unfit, "the server's gtid_mode does not fit the position", "SET GLOBAL gtid_mode = ON")
        } else {
            (Kind::MysqlRefused, "the server cannot send its log", "see the server's message")
        };
    Error::new(kind, what).detail(message.to_owned()).hint(hint)
}

#[cfg(test)]
mod tests;
