//! How a source begins: what is stored is held against the server before a byte
//! of its binlog is read.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use cdc_sdk::position::Landmark;
use cdc_sdk::{Error, Gtid, GtidSet, Kind, Position, Result, TableName};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::readers::Readers;
use super::{Source, Start};
use crate::binlog::{Collation, Collations, Request, Stream};
use crate::catalogue::{Catalogue, list};
use crate::ddl::ColumnNotes;
use crate::session::{
    LogEnd, SHOW_WAIT, Server, connect, file_number, is_replica, log_end, wait_for, within,
};
use crate::settings::{Settings, SnapshotMode};
use crate::shape;
use crate::snapshot::plan::{Limits, Plan};
use crate::snapshot::reader::Shared;
use crate::snapshot::{TableProgress, TableState};

/// The first version that has the function JSON_TABLE, by which a snapshot learns the kinds of JSON's scalars.
const JSON_TABLE: (u16, u16, u16) = (8, 0, 4);

/// Where to begin, once it is sure that this can be had.
struct Beginning {
    position: Position,
    progress: Vec<TableProgress>,
    noted: ColumnNotes,
    /// What was delivered before does not connect to what comes: all of it goes.
    anew: bool,
    /// The tables that were delivered before that.
    before: Vec<TableProgress>,
}

impl Source {
    /// Opens the stream at the start, and plans the snapshot. Nothing is read yet.
    ///
    /// # Errors
    /// [`Kind::Purged`], [`Kind::Diverged`], [`Kind::OtherServer`]: the position is not to be had
    /// there, with the ways out. [`Kind::Unfit`]: the snapshot needs a setting. What a
    /// connection can run into.
    pub async fn open(settings: Settings, start: Start) -> Result<Self> {
        shape::forget(|name| settings.selection.selects(name));
        let mut conn = connect(&settings.endpoint).await?;
        let mark_json = settings.mark_json && conn.server_version() >= JSON_TABLE;
        let settings = Arc::new(Settings { mark_json, ..settings });
        // First the position, then the tables: what is made in between is in the stream.
        let server = Server::ask(&mut conn).await?;
        let mut beginning = begin(&mut conn, &server, &settings, start).await?;
        let catalogue = Catalogue::new(settings.endpoint.clone(), &beginning.noted);
        let end = log_end(&mut conn).await?;
        let stream = match stream(&mut conn, &settings, &beginning.position, &catalogue, &end).await {
            // The log does not have all that follows.
            Err(e) if is_needed(&e, &settings) && !beginning.anew => {
                beginning = anew(&mut conn, &server, beginning.progress, beginning.noted, &e).await?;
                stream(&mut conn, &settings, &beginning.position, &catalogue, &end).await?
            }
            stream => stream?,
        };
        let plan = plan(&mut conn, &server, &settings, &beginning).await?;
        let left_out = left_out(&settings, &beginning.progress);
        let vanished = vanished(&settings, &plan, &beginning.before);
        drop(conn);
        let server_uuid: Arc<str> = server.uuid.as_str().into();
        let readers = Readers::new(|reports| Shared {
            settings: settings.clone(),
            server_uuid: server_uuid.clone(),
            catalogue: catalogue.clone(),
            reports,
        });
        let mut source = Self {
            settings,
            stream,
            catalogue,
            plan,
            readers,
            out: VecDeque::new(),
            transaction: None,
            in_a_row: 0,
            told_complete: false,
            left_out,
            noted: beginning.noted,
            executed: server.executed,
        };
        if !vanished.is_empty() {
            source.gone(vanished, true);
        }
        Ok(source)
    }
}

async fn begin(conn: &mut Conn, server: &Server, settings: &Settings, start: Start) -> Result<Beginning> {
    let (mut position, progress, inside, noted) = match start {
        Start::Fresh => {
            let position = server.position(&log_end(conn).await?);
            return Ok(Beginning {
                position,
                progress: Vec::new(),
                noted: ColumnNotes::new(),
                anew: false,
                before: Vec::new(),
            });
        }
        Start::Resume(resume) => (resume.position, resume.snapshot, resume.inside, resume.noted),
    };
    match verify(conn, server, &position).await {
        Ok(()) => {
            verify_landmark(conn, server, &mut position).await?;
            if is_lost(conn, server, &position, inside).await? {
                position.partial = None;
            }
            Ok(Beginning { position, progress, noted, anew: false, before: Vec::new() })
        }
        Err(e) if is_needed(&e, settings) => anew(conn, server, progress, noted, &e).await,
        Err(e) => Err(e),
    }
}

/// Whether what is wrong with the position is mended by reading everything anew, where that was chosen.
fn is_needed(error: &Error, settings: &Settings) -> bool {
    error.kind() == Kind::Purged && settings.snapshot == SnapshotMode::WhenNeeded
}

async fn anew(
    conn: &mut Conn,
    server: &Server,
    before: Vec<TableProgress>,
    noted: ColumnNotes,
    why: &Error,
) -> Result<Beginning> {
    tracing::warn!(error = %why, "the binlog from the position on is not to be had; all tables are read anew");
    let position = server.position(&log_end(conn).await?);
    Ok(Beginning { position, progress: Vec::new(), noted, anew: true, before })
}

/// The stream from a position on. The server has shown that its log is the one that was read; where that can be mended
/// here, also that it can be read up to `end`, or to what is new.
async fn stream(
    conn: &mut Conn,
    settings: &Settings,
    position: &Position,
    catalogue: &Catalogue,
    end: &LogEnd,
) -> Result<Stream> {
    let request = Request {
        server_id: settings.server_id(),
        start: position.clone(),
        heartbeat: settings.heartbeat,
        mark_json: settings.mark_json,
    };
    let collations = collations(conn).await?;
    let (endpoint, selection) = (settings.endpoint.clone(), settings.selection.clone());
    let mut stream = Stream::open(endpoint, request, selection, collations, catalogue.clone()).await?;
    let until = (settings.snapshot == SnapshotMode::WhenNeeded).then_some(end);
    stream.meet(until).await?;
    Ok(stream)
}

/// Whether the rest of a transaction that was delivered in part will never come: another server
/// has taken over, and does not have it. The same server may show it late, but has it in its log.
///
/// # Errors
/// [`Kind::Diverged`]: the server may yet receive it, since it follows another one.
async fn is_lost(
    conn: &mut Conn,
    server: &Server,
    position: &Position,
    inside: Option<Gtid>,
) -> Result<bool> {
    let (Some(gtids), Some(gtid), true) = (&position.gtids, inside, position.partial.is_some()) else {
        return Ok(false);
    };
    if server.uuid == position.server_uuid || gtids.contains(&gtid) {
        return Ok(false);
    }
    let mut wanted = GtidSet::default();
    wanted.insert(&gtid);
    if wait_for(conn, &wanted, SHOW_WAIT).await? {
        return Ok(false);
    }
    if is_replica(conn).await? {
        return Err(Error::new(
            Kind::Diverged,
            "the server does not have a transaction that the source has delivered in part, and follows another server",
        )
        .detail(format!("not on the server yet: {gtid}"))
        .hint("let the replica catch up; if it is to take over without that transaction, end its replication first (STOP REPLICA; RESET REPLICA ALL), then what was delivered of it is withdrawn"));
    }
    tracing::warn!(%gtid, "the server that took over does not have the transaction that was being delivered: it is abandoned");
    Ok(true)
}

async fn verify(conn: &mut Conn, server: &Server, position: &Position) -> Result<()> {
    match &position.gtids {
        Some(gtids) => verify_gtids(conn, server, gtids).await,
        None => verify_file(conn, server, position).await,
    }
}

async fn verify_gtids(conn: &mut Conn, server: &Server, gtids: &GtidSet) -> Result<()> {
    if !server.gtids {
        return Err(Error::new(
            Kind::OtherServer,
            "the position is a set of GTIDs, and this server has gtid_mode off",
        )
        .hint("connect to a server with gtid_mode = ON, or start anew under another name"));
    }
    let missing = server.purged.minus(gtids);
    if !missing.is_empty() {
        return Err(purged(gtids, &missing));
    }
    // The binlog is ahead of what the engine shows: what was delivered may be about to show.
    wait_for(conn, gtids, SHOW_WAIT).await?;
    let executed = Server::ask(conn).await?.executed;
    let unknown = gtids.minus(&executed);
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Error::new(Kind::Diverged, "the source has delivered transactions that this server does not have")
        .detail(format!("delivered and not on the server: {unknown}"))
        .hint("connect to the server that has them; if they were lost in a failover, start anew under another name, with a new snapshot"))
}

pub(super) fn purged(gtids: &GtidSet, missing: &GtidSet) -> Error {
    Error::new(Kind::Purged, "the binlog after the source's position is no longer on the server")
        .detail(format!("the source stands at {gtids}; purged and not delivered: {missing} (where others with higher numbers were delivered, it may be an XA transaction that was prepared there and not decided since)"))
        .hint("connect to a server that still has it (a replica with log_replica_updates = OFF never has); or read everything anew: [capture] snapshot = \"when_needed\"")
}

/// The server's binlogs in their order, with their sizes.
async fn logs(conn: &mut Conn) -> Result<Vec<(String, u64)>> {
    let rows: Vec<mysql_async::Row> = within("listing the binlogs", conn.query("SHOW BINARY LOGS")).await?;
    let log = |row: &mysql_async::Row| Some((row.get_opt(0)?.ok()?, row.get_opt(1)?.ok()?));
    Ok(rows.iter().filter_map(log).collect())
}

/// Before any transaction the log is known by its file, from which it is then read on. One that was purged holds
/// nothing that is missing, or its transactions were.
async fn verify_landmark(conn: &mut Conn, server: &Server, position: &mut Position) -> Result<()> {
    let by_file = position.gtids.is_some() && matches!(position.landmark, Some(Landmark::File { .. }));
    if !by_file || position.server_uuid != server.uuid {
        return Ok(());
    }
    let logs = logs(conn).await?;
    if logs.iter().any(|(name, _)| *name == position.file) {
        return Ok(());
    }
    if logs.first().is_some_and(|(first, _)| file_number(&position.file) < file_number(first)) {
        position.landmark = None;
        return Ok(());
    }
    let there: Vec<&str> = logs.iter().map(|(name, _)| name.as_str()).collect();
    Err(Error::new(Kind::Diverged, format!("{} is not on the server, nor was it purged", position.file))
        .detail(format!("there: {}", there.join(", ")))
        .hint("its log was reset (RESET BINARY LOGS AND GTIDS), or it was restored from a backup: start anew under another name, with a new snapshot"))
}

pub(super) async fn verify_file(conn: &mut Conn, server: &Server, position: &Position) -> Result<()> {
    if position.server_uuid != server.uuid {
        return Err(Error::new(
            Kind::OtherServer,
            "the position has no GTIDs, so it is of one server, and this is another",
        )
        .detail(format!("position of {}; this is {}", position.server_uuid, server.uuid))
        .hint("connect to that server, or start anew under another name"));
    }
    let logs = logs(conn).await?;
    match logs.into_iter().find(|(name, _)| *name == position.file).map(|(_, size)| size) {
        Some(size) if position.pos <= size => Ok(()),
        Some(size) => Err(Error::new(
            Kind::Diverged,
            format!("{} ends at {size}, and the source stands at {}", position.file, position.pos),
        )
        .hint("the server lost the end of its binlog (sync_binlog = 1 prevents that); start anew under another name")),
        None => Err(Error::new(Kind::Purged, format!("{} is no longer on the server", position.file))
            .hint("read everything anew: [capture] snapshot = \"when_needed\"; keep binlogs longer (binlog_expire_logs_seconds)")),
    }
}

async fn plan(conn: &mut Conn, server: &Server, settings: &Settings, beginning: &Beginning) -> Result<Plan> {
    let listed = list(conn, &settings.selection).await?;
    let locked = beginning.position.gtids.is_none();
    let server_id: Option<u32> =
        within("asking the server's number", conn.query_first("SELECT @@server_id")).await?;
    let mut plan = Plan::new(Limits {
        chunk_rows: u64::from(settings.chunk_rows),
        chunk_bytes: settings.chunk_bytes,
        readers: usize::try_from(settings.readers).unwrap_or(usize::MAX),
        locked,
        server_id: server_id.unwrap_or(0),
    });
    let mut stored: HashMap<&TableName, &TableProgress> =
        beginning.progress.iter().map(|p| (&p.table, p)).collect();
    for table in listed {
        let found = stored.remove(&table.name);
        if let Some(found) = found {
            plan.go_on(found, table.rows_estimated, table.row_bytes);
            continue;
        }
        let unread = if settings.snapshot == SnapshotMode::NoData {
            TableState::Done { rows: 0 }
        } else {
            TableState::Pending
        };
        plan.put(table.name.clone(), unread, table.rows_estimated, table.row_bytes);
        if beginning.anew {
            plan.restart(&table.name);
        }
    }
    // Tables that are not there any more: the stream will tell of their end, if it is ahead. Else it passes where
    // the catalogue has none of the name, and what the consumer has of them goes.
    for (_, gone) in stored.into_iter().filter(|(name, _)| settings.selection.selects(name)) {
        plan.go_on(gone, 0, 0);
    }
    if locked && !plan.is_complete() && !settings.allow_global_read_lock {
        return Err(needs_lock(server));
    }
    Ok(plan)
}

/// Tables that went while nobody read, by statements that are purged: nothing in the stream will tell of their end.
fn vanished(settings: &Settings, plan: &Plan, before: &[TableProgress]) -> Vec<TableProgress> {
    let gone = before.iter().filter(|p| settings.selection.selects(&p.table) && !plan.knows(&p.table));
    gone.map(|p| TableProgress::of(p.table.clone(), TableState::Done { rows: 0 })).collect()
}

/// Tables that were captured and are not any more: what happens to them from now on is not
/// delivered. So should one be captured again, what the consumer has of it must go first.
fn left_out(settings: &Settings, stored: &[TableProgress]) -> Vec<TableProgress> {
    if settings.snapshot == SnapshotMode::NoData {
        return Vec::new();
    }
    let left = stored.iter().filter(|p| !settings.selection.selects(&p.table));
    left.map(|p| TableProgress::of(p.table.clone(), TableState::Reading { after: None, rows: 0 })).collect()
}

pub(super) fn needs_lock(server: &Server) -> Error {
    let why =
        if server.gtids { "the position has no GTIDs" } else { "the server runs without GTIDs (gtid_mode)" };
    Error::new(Kind::Unfit, format!("{why}: a snapshot needs a global read lock of milliseconds")).hint(
        "allow it: [capture] allow_global_read_lock = true; or SET PERSIST gtid_mode = ON, step by step",
    )
}

/// The server's collations, by which the binlog names character sets.
async fn collations(conn: &mut Conn) -> Result<Collations> {
    let query = "SELECT k.ID, k.COLLATION_NAME, k.CHARACTER_SET_NAME, c.MAXLEN FROM information_schema.COLLATIONS k \
                 JOIN information_schema.CHARACTER_SETS c ON c.CHARACTER_SET_NAME = k.CHARACTER_SET_NAME";
    let rows: Vec<(u32, String, String, u8)> = within("reading the collations", conn.query(query)).await?;
    Ok(rows
        .into_iter()
        .map(|(id, name, charset, maxlen)| (id, Collation { name, charset, maxlen }))
        .collect())
}
