//! The connection on which the server sends its log. Of all connections this one is our own: the client library
//! unpacks a compressed transaction whole before it hands on any of it, and copies every event.
//!
//! - [`connect`] (with [`auth`]) opens it, [`statement`] runs what must be known before;
//! - [`packets`] takes what comes apart, without a copy where an event fits the buffer;
//! - [`payload`] unpacks compressed transactions as they come, in bounded memory.

mod auth;
mod connect;
mod failure;
mod packets;
mod payload;
mod statement;

use std::time::Duration;

use bytes::{Buf as _, Bytes};
use cdc_sdk::endpoint::Endpoint;
use cdc_sdk::gtid::Origin;
use cdc_sdk::position::Landmark;
use cdc_sdk::{Error, Gtid, GtidSet, Kind, Position, Result};
use mysql_common::packets::binlog_request::BinlogRequest;
use mysql_common::packets::{ComRegisterSlave, GnoInterval, Sid, Tag};

use super::Request;
use super::event::kind;
use super::frame::{Frame, Header};
use super::place::FILE_START;
use super::reader::Malformed;
use crate::session;
use connect::bytes;
use failure::failure;
use packets::Packets;
use payload::{Payload, Step};
use statement::{is_end, run, server_error, tell, unexpected};

/// What the connection gives; its failures are the client library's.
type Wire<T> = std::result::Result<T, mysql_async::Error>;

/// What stands before an event in its packet.
const OK: u8 = 0x00;
const ERROR: u8 = 0xff;
/// Compressed transactions of up to so many bytes are taken whole and their checksum compared before any of it
/// is used. Of larger ones it is compared before their end is handed on.
const CHECKED_FIRST_MAX: usize = 1 << 20;

/// What the server says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub uuid: String,
    /// `lower_case_table_names` is not 0.
    pub fold_names: bool,
    /// It has the position's landmark, and shows it before anything else that is not delivered.
    pub has_landmark: bool,
}

/// A connection that receives the log.
pub(crate) struct Dump {
    packets: Packets,
    /// The checksum's algorithm, as the last format description says.
    algorithm: Option<u8>,
    payload: Payload,
}

impl Dump {
    /// Connects and asks for the log. Also answers where in the file the server was asked to start.
    ///
    /// # Errors
    /// [`Kind::OtherServer`], [`Kind::Diverged`], [`Kind::Purged`], and what a
    /// connection can run into.
    pub async fn open(endpoint: &Endpoint, request: &Request) -> Result<(Self, Server, u64)> {
        let connecting = async {
            let mut packets = connect::connect(endpoint).await?;
            packets.expect_within(session::STATEMENT_TIMEOUT);
            Ok(packets)
        };
        let mut packets = session::opened_in_time(connecting)
            .await
            .map_err(|e| session::server_error(e, &format!("connecting to {endpoint}")))?;
        let mut server = identify(&mut packets).await?;
        match &request.start.gtids {
            None => same_server(&request.start, &server)?,
            Some(gtids) => not_diverged(&mut packets, gtids).await?,
        }
        let known_from = known_from(&mut packets, &request.start, &server).await?;
        server.has_landmark = request.start.gtids.is_none() || !matches!(known_from, KnownFrom::Set);
        let (command, reads_from) = command(request, known_from)?;
        let heartbeat = request.heartbeat.max(Duration::from_secs(1));
        run(&mut packets, &preparation(request.server_id, heartbeat)).await.map_err(failure)?;
        tell(&mut packets, &bytes(&ComRegisterSlave::new(request.server_id))).await.map_err(failure)?;
        packets.command(&command).await.map_err(failure)?;
        packets.expect_within(heartbeat * 2);
        Ok((Self { packets, algorithm: None, payload: Payload::default() }, server, reads_from))
    }

    /// The next event. May be dropped while it waits: nothing is lost.
    ///
    /// # Errors
    /// [`Kind::MysqlUnreachable`] for a connection that broke or a silence that is too
    /// long, what the server answers, [`Kind::BinlogCorrupt`].
    pub async fn next(&mut self) -> Result<Frame> {
        loop {
            match self.payload.step().map_err(damaged)? {
                Step::Event(frame) => return Ok(frame),
                Step::Hungry => match self.packets.next_part().await.map_err(failure)? {
                    Some(part) => self.payload.feed(part).map_err(damaged)?,
                    None => return Err(damaged(Malformed("it ends too early"))),
                },
                Step::Over => match self.next_outside().await? {
                    Some(frame) => return Ok(frame),
                    None => continue,
                },
            }
        }
    }

    /// The next event, where it has come: nothing is waited for. `None`: [`Self::next`] may have to wait.
    ///
    /// # Errors
    /// Those of [`Self::next`].
    pub fn at_hand(&mut self) -> Result<Option<Frame>> {
        match self.payload.step().map_err(damaged)? {
            Step::Event(frame) => Ok(Some(frame)),
            Step::Over if !self.payload.has_packet_open() => {
                let packet = self.packets.at_hand().map_err(failure)?;
                packet.map(|packet| self.event(packet)).transpose()
            }
            Step::Over | Step::Hungry => Ok(None),
        }
    }

    /// The next event as the server sends it; `None` for the end of one that was taken in parts.
    async fn next_outside(&mut self) -> Result<Option<Frame>> {
        if self.payload.has_packet_open() {
            return match self.packets.next_part().await.map_err(failure)? {
                None => {
                    self.payload.close_packet();
                    Ok(None)
                }
                Some(_) => Err(damaged(Malformed("it is longer than it says"))),
            };
        }
        if self.packets.is_within() {
            let packet = self.packets.next().await.map_err(failure)?;
            return self.event(packet).map(Some);
        }
        let (start, length) = self.packets.peek(1 + payload::START_LEN).await.map_err(failure)?;
        let in_parts = length.is_none_or(|length| length > CHECKED_FIRST_MAX);
        let event = start.split_first().filter(|(first, _)| **first == OK).map(|(_, event)| event);
        if let Some(event) = event.filter(|event| in_parts && Header::is_payload(event)) {
            let frame = self.payload.begin_in_parts(event, self.algorithm).map_err(damaged)?;
            return Ok(Some(frame));
        }
        let packet = self.packets.next().await.map_err(failure)?;
        self.event(packet).map(Some)
    }

    /// An event that is whole in its packet.
    fn event(&mut self, mut packet: Bytes) -> Result<Frame> {
        match packet.first() {
            Some(&OK) => {}
            Some(&ERROR) => return Err(failure(server_error(&packet))),
            Some(_) if is_end(&packet) => {
                return Err(Error::new(Kind::MysqlUnreachable, "the server ended the stream of its log"));
            }
            Some(_) | None => return Err(failure(unexpected(&packet))),
        }
        packet.advance(1);
        let frame = Frame::read(packet, &mut self.algorithm).map_err(damaged)?;
        if frame.header.kind == kind::TRANSACTION_PAYLOAD {
            self.payload.begin_whole(&frame).map_err(damaged)?;
        }
        Ok(frame)
    }
}

fn damaged(why: Malformed) -> Error {
    Error::new(Kind::BinlogCorrupt, format!("an event is damaged: {}", why.0)).hint(DAMAGED)
}

const DAMAGED: &str = "run it again; if it stays, compare with mysqlbinlog --verify-binlog-checksum, and take a new snapshot if the file is damaged";

async fn identify(packets: &mut Packets) -> Result<Server> {
    let row = run(packets, "SELECT @@GLOBAL.server_uuid, @@GLOBAL.lower_case_table_names").await;
    match row.map_err(failure)?.as_deref() {
        Some([Some(uuid), Some(folding)]) => {
            Ok(Server { uuid: uuid.clone(), fold_names: folding != "0", has_landmark: false })
        }
        _ => Err(Error::new(Kind::MysqlRefused, "the server does not tell its server_uuid")),
    }
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
async fn not_diverged(packets: &mut Packets, gtids: &GtidSet) -> Result<()> {
    let statement = format!("SELECT GTID_SUBTRACT('{gtids}', @@GLOBAL.gtid_executed)");
    match run(packets, &statement).await.map_err(failure)?.as_deref() {
        Some([Some(lacking)]) if !lacking.is_empty() => {
            Err(Error::new(Kind::Diverged, "the server lacks transactions that were delivered before")
                .detail(format!("it lacks {}", lacking.replace('\n', "")))
                .hint("if it is a replica that lags behind, let it catch up; if it lost them in a failover, take a new snapshot"))
        }
        Some(_) | None => Ok(()),
    }
}

/// Tells the server, under the old and the new names, what this replica
/// understands. The uuid makes the server end an older stream of the same reader. Kafka may hold the reader up
/// for long, hence `net_write_timeout`.
fn preparation(server_id: u32, heartbeat: Duration) -> String {
    let period = u64::try_from(heartbeat.as_nanos()).unwrap_or(u64::MAX);
    let uuid = format!("cdc00000-0000-4000-8000-{server_id:012x}");
    format!(
        "SET SESSION net_write_timeout = 600, \
         @source_binlog_checksum = 'CRC32', @master_binlog_checksum = 'CRC32', \
         @source_heartbeat_period = {period}, @master_heartbeat_period = {period}, \
         @replica_uuid = '{uuid}', @slave_uuid = '{uuid}'"
    )
}

/// From where on a log is asked for by GTID, beside the set: so that what it is known by comes once more.
enum KnownFrom<'a> {
    /// This transaction, be it in the set.
    Transaction(&'a Gtid),
    /// The beginning of the position's file.
    File,
    /// Wherever the server finds that the set ends.
    Set,
}

async fn known_from<'a>(
    packets: &mut Packets,
    start: &'a Position,
    server: &Server,
) -> Result<KnownFrom<'a>> {
    match &start.landmark {
        Some(Landmark::Transaction { gtid, .. }) => {
            // One that was purged since, or that came to this server with a backup, is not in its log.
            let statement = format!("SELECT GTID_SUBSET('{gtid}', @@GLOBAL.gtid_purged)");
            let answer = run(packets, &statement).await.map_err(failure)?;
            let is_purged = matches!(answer.as_deref(), Some([Some(purged)]) if purged != "0");
            Ok(if is_purged { KnownFrom::Set } else { KnownFrom::Transaction(gtid) })
        }
        Some(Landmark::File { .. }) if start.server_uuid == server.uuid => Ok(KnownFrom::File),
        Some(Landmark::File { .. }) | None => Ok(KnownFrom::Set),
    }
}

/// The command that asks for the log, and where in the file it asks to start.
fn command(request: &Request, known_from: KnownFrom<'_>) -> Result<(Vec<u8>, u64)> {
    let start = &request.start;
    let asked = BinlogRequest::new(request.server_id);
    let (asked, reads_from) = match &start.gtids {
        Some(gtids) => {
            let asked = asked.with_use_gtid(true);
            let asked = match known_from {
                KnownFrom::Transaction(gtid) => asked.with_sids(blocks(&without(gtids, gtid))?),
                KnownFrom::File => asked.with_filename(start.file.as_bytes()).with_sids(blocks(gtids)?),
                KnownFrom::Set => asked.with_sids(blocks(gtids)?),
            };
            (asked, FILE_START)
        }
        None => {
            // The command has 32 bits for the offset.
            let reads_from =
                if u32::try_from(start.pos).is_ok() { start.pos.max(FILE_START) } else { FILE_START };
            (asked.with_filename(start.file.as_bytes()).with_pos(reads_from), reads_from)
        }
    };
    Ok((bytes(&asked.as_cmd()), reads_from))
}

fn without(gtids: &GtidSet, gtid: &Gtid) -> GtidSet {
    let mut one = GtidSet::default();
    one.insert(gtid);
    gtids.minus(&one)
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

#[cfg(test)]
mod tests;
