//! The readers: each task does one piece of work on a connection of its own and
//! reports. What a chunk needs of the server, in this order, is the method of the
//! module above.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cdc_sdk::{Error, Fate, GtidSet, Kind, Result, TableName, fail};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value as Cell};
use tokio::sync::mpsc;

use super::block::{Block, RowReading};
use super::chunk::{ChunkRead, Prepared};
use super::json_kinds::LIST_BYTES_MAX;
use super::key::KeyBound;
use super::plan::{Failed, ReadId};
use super::query::{JsonKinds, Pages, Paging};
use super::view::ViewOpen;
use crate::catalogue::Catalogue;
use crate::session::{
    LogEnd, connect, is_missing_table, is_too_slow, log_end, server_error, wait_for, within,
};
use crate::settings::Settings;
use crate::shape;

/// How long a reader waits for the engine to show what the stream has delivered.
const SHOW_WAIT: Duration = Duration::from_secs(30);
/// How long the server may work on one chunk.
const CHUNK_TIME_MAX: Duration = Duration::from_secs(30);
/// Pause before a failed piece of work is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// What all readers of a snapshot share.
#[derive(Clone)]
pub(crate) struct Shared {
    /// Endpoint and limits.
    pub settings: Arc<Settings>,
    /// The server that streams.
    pub server_uuid: Arc<str>,
    /// Where tables are looked up.
    pub catalogue: Catalogue,
    /// Where reports go.
    pub reports: mpsc::Sender<Report>,
}

/// What a reader has to say.
#[derive(Debug)]
pub(crate) enum Report {
    /// A table's catalogue was read; `Err`: there is no such table.
    Prepared { table: TableName, id: ReadId, prepared: Result<Prepared, LogEnd> },
    /// A chunk shows these transactions.
    Low { table: TableName, id: ReadId, low: GtidSet },
    /// A chunk was read.
    Read { table: TableName, id: ReadId, read: Box<ChunkRead> },
    /// A view is open.
    View { id: ReadId, open: ViewOpen },
    /// It failed in a way that another try may mend.
    Failed { table: TableName, id: ReadId, failed: Failed },
    /// It failed for good.
    Broken(Error),
    /// A piece of work has ended, well or not; its connection can be used again.
    Idle(Option<Conn>),
}

/// A chunk to be read.
#[derive(Debug)]
pub(crate) struct ChunkOrder {
    /// Its number.
    pub id: ReadId,
    /// What the stream had delivered when it was registered.
    pub since: GtidSet,
    /// The table and how it is paged.
    pub prepared: Prepared,
    /// Behind which key.
    pub after: Option<KeyBound>,
    /// Rows at most.
    pub rows_max: u64,
    /// Only rows for which this holds; `None`: all.
    pub condition: Option<String>,
}

/// A statement's failure, before it is known whether another try helps.
pub(super) enum Failure {
    Server(mysql_async::Error),
    Other(Error),
    TooSlow(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl Shared {
    /// Reads a table's catalogue, once the engine shows all that the stream delivered.
    pub async fn prepare(self, conn: Option<Conn>, id: ReadId, name: TableName, since: GtidSet) {
        let mut slot = conn;
        let outcome = self.prepared(&mut slot, &name, &since).await;
        match outcome {
            Ok(prepared) => self.report(Report::Prepared { table: name, id, prepared }).await,
            Err(e) => {
                slot = None;
                self.failure(name, id, e.into()).await;
            }
        }
        self.report(Report::Idle(slot)).await;
    }

    async fn prepared(
        &self,
        slot: &mut Option<Conn>,
        name: &TableName,
        since: &GtidSet,
    ) -> Result<Result<Prepared, LogEnd>> {
        let conn = self.connected(slot).await?;
        shown(conn, since).await?;
        let Some(table) = self.catalogue.table(name).await? else {
            return Ok(Err(log_end(conn).await?));
        };
        let kinds = if self.settings.mark_json { JsonKinds::Asked } else { JsonKinds::Left };
        let reading = Arc::new(RowReading::of(&table, kinds)?);
        let (shape, table) = shape::intern(table);
        let paging = Paging::of(&table);
        Ok(Ok(Prepared { table, shape, paging, reading }))
    }

    /// Reads one chunk.
    pub async fn chunk(self, conn: Option<Conn>, order: ChunkOrder) {
        let mut slot = conn;
        let (name, id) = (order.prepared.table.name.clone(), order.id);
        match self.read(&mut slot, order).await {
            Ok(read) => self.report(Report::Read { table: name, id, read: Box::new(read) }).await,
            Err(failure) => {
                // The connection may be in any state.
                slot = None;
                self.failure(name, id, failure).await;
            }
        }
        self.report(Report::Idle(slot)).await;
    }

    async fn read(&self, slot: &mut Option<Conn>, order: ChunkOrder) -> Result<ChunkRead, Failure> {
        let table = &order.prepared.table;
        let paging = order.prepared.paging.as_ref().ok_or_else(|| no_identity(&table.name))?;
        let conn = self.connected(slot).await?;
        shown(conn, &order.since).await?;
        let (statement, bound) = self.statement(conn, &order, paging).await?;
        let mut swapped = None;
        match fail::planted("source.marks_swapped") {
            true => swapped = Some(log_end(conn).await?),
            false => self.low_mark(conn, &order).await?,
        }
        fail::point("source.chunk_marked");
        let (block, rest) = self.select(conn, &order.prepared, paging, &statement).await?;
        if rest == Rest::Left {
            self.leave(slot).await?;
        }
        let conn = self.connected(slot).await?;
        let high = match swapped {
            None => log_end(conn).await?,
            Some(high) => self.low_mark(conn, &order).await.map(|()| high)?,
        };
        let whole = rest == Rest::None;
        let last = match bound {
            Bound::Rows => whole && (block.rows_read() as u64) < order.rows_max,
            Bound::Key(_) => false,
            Bound::End => whole,
        };
        let last_key = match bound {
            Bound::Key(key) if whole => Some(key),
            Bound::Key(_) | Bound::Rows | Bound::End => last_key(&order.prepared, paging, &block),
        };
        Ok(ChunkRead { block, high, last_key, last, read_us: now_us() })
    }

    /// Tells what every view opened from now on shows.
    async fn low_mark(&self, conn: &mut Conn, order: &ChunkOrder) -> Result<()> {
        let low = executed(conn).await?;
        self.report(Report::Low { table: order.prepared.table.name.clone(), id: order.id, low }).await;
        Ok(())
    }

    /// What reads the chunk, and where that ends. Under a condition a chunk is as many rows of the
    /// table as without one, of which those are read that it holds for: so each takes as long as
    /// any other, however few they are, and the reading is gone on with where it stood.
    async fn statement(
        &self,
        conn: &mut Conn,
        order: &ChunkOrder,
        paging: &Paging,
    ) -> Result<(String, Bound), Failure> {
        let (table, after) = (&order.prepared.table, order.after.as_ref());
        let pages = Pages { table, paging, kinds: order.prepared.reading.kinds };
        let Some(condition) = &order.condition else {
            return Ok((pages.chunk(after, order.rows_max)?, Bound::Rows));
        };
        let boundary = pages.boundary(after, order.rows_max)?;
        let (block, _) = self.select(conn, &order.prepared, paging, &boundary).await?;
        let upto = last_key(&order.prepared, paging, &block);
        let statement = pages.part((after, upto.as_ref()), condition)?;
        Ok((statement, upto.map_or(Bound::End, Bound::Key)))
    }

    /// Goes on over another connection where more is on the line than is worth taking off it. The server ends the
    /// statement: else who drops its connection takes all of it off.
    async fn leave(&self, slot: &mut Option<Conn>) -> Result<()> {
        let Some(left) = slot.take() else { return Ok(()) };
        let conn = self.connected(slot).await?;
        let kill = within("ending a statement", conn.query_drop(format!("KILL QUERY {}", left.id()))).await;
        match kill {
            Err(unreachable) if unreachable.kind() == Kind::MysqlUnreachable => Err(unreachable),
            // It may have ended by itself.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// The rows, until they have the bytes of a chunk, and what became of the others.
    async fn select(
        &self,
        conn: &mut Conn,
        prepared: &Prepared,
        paging: &Paging,
        statement: &str,
    ) -> Result<(Block, Rest), Failure> {
        let read = async {
            let mut block = Block::new(&paging.columns);
            // What follows a full block belongs to the next chunk; it is read off the wire and let go, unless it is
            // much: rows behind small ones may be so large that all of them together take longer than is allowed.
            let (mut rest, mut passed) = (Rest::None, 0);
            let mut answer = conn.exec_iter(statement, ()).await.map_err(Failure::Server)?;
            while let Some(row) = answer.next().await.map_err(Failure::Server)? {
                if block.rows_read() > 0 && block.size() as u64 >= self.settings.chunk_bytes {
                    rest = Rest::Passed;
                    passed += bytes_of(&row);
                    if passed > self.settings.chunk_bytes {
                        return Ok((block, Rest::Left));
                    }
                    continue;
                }
                block.push(&prepared.reading, row)?;
            }
            answer.drop_result().await.map_err(Failure::Server)?;
            Ok((block, rest))
        };
        let name = &prepared.table.name;
        match tokio::time::timeout(CHUNK_TIME_MAX * 2, read).await {
            Ok(Err(Failure::Server(e))) if is_too_slow(&e) => {
                Err(Failure::TooSlow(server_error(e, &format!("reading a chunk of {name}"))))
            }
            Ok(result) => result,
            Err(_) => Err(Failure::TooSlow(Error::new(
                Kind::MysqlUnreachable,
                format!("a chunk of {name} was not read in {} s", CHUNK_TIME_MAX.as_secs() * 2),
            ))),
        }
    }

    /// The reader's connection, opened and set up if it is not there.
    async fn connected<'c>(&self, slot: &'c mut Option<Conn>) -> Result<&'c mut Conn> {
        if slot.is_none() {
            *slot = Some(self.open().await?);
        }
        slot.as_mut().ok_or_else(|| Error::new(Kind::Bug, "a reader has no connection"))
    }

    /// A connection to the server that streams, and to no other.
    pub async fn open(&self) -> Result<Conn> {
        let mut conn = connect(&self.settings.endpoint).await?;
        let limit = format!(
            "SET SESSION max_execution_time = {}, character_set_results = NULL, group_concat_max_len = {LIST_BYTES_MAX}",
            CHUNK_TIME_MAX.as_millis()
        );
        within("setting up a reader", conn.query_drop(limit)).await?;
        let uuid: Option<String> =
            within("asking which server it is", conn.query_first("SELECT @@server_uuid")).await?;
        if uuid.as_deref() == Some(&*self.server_uuid) {
            return Ok(conn);
        }
        Err(Error::new(
            Kind::MysqlUnreachable,
            "a reader of the snapshot was connected to another server than the stream",
        )
        .detail(format!("the stream reads {}, this is {}", self.server_uuid, uuid.unwrap_or_default()))
        .hint("name one server in [mysql] host, not a load balancer"))
    }

    /// Reports a failure.
    pub(super) async fn failure(&self, table: TableName, id: ReadId, failure: Failure) {
        let missing = matches!(&failure, Failure::Server(e) if is_missing_table(e));
        let (error, too_slow) = match failure {
            Failure::Server(e) => (server_error(e, &format!("reading a chunk of {table}")), false),
            Failure::Other(e) => (e, false),
            Failure::TooSlow(e) => (e, true),
        };
        // A table that is altered or gone meanwhile is prepared anew.
        let again = missing || too_slow || error.fate() == Fate::Retry || is_shape(error.kind());
        let report = if again {
            Report::Failed {
                table,
                id,
                failed: Failed { error, too_slow, again: Instant::now() + RETRY_PAUSE },
            }
        } else {
            Report::Broken(error.at(format!("the snapshot of {table}")))
        };
        self.report(report).await;
    }

    /// Nobody listens when the source has been dropped; then nothing matters any more.
    pub(super) async fn report(&self, report: Report) {
        let _ = self.reports.send(report).await;
    }
}

/// What became of the rows of an answer that are more than a chunk holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    /// There were none.
    None,
    /// They were taken off the line.
    Passed,
    /// They are still on it.
    Left,
}

fn bytes_of(row: &Row) -> u64 {
    let cells = (0..row.len()).filter_map(|at| row.as_ref(at));
    cells.map(|cell| if let Cell::Bytes(bytes) = cell { bytes.len() as u64 } else { 8 }).sum()
}

/// Where a chunk's statement ends.
enum Bound {
    /// After a number of rows, or with the table.
    Rows,
    /// At this key.
    Key(KeyBound),
    /// With the table.
    End,
}

fn last_key(prepared: &Prepared, paging: &Paging, block: &Block) -> Option<KeyBound> {
    Some(paging.bound(&prepared.table, block.last_key(&prepared.reading)?))
}

/// Failures that an alteration of the table under the reader explains.
pub(super) fn is_shape(kind: Kind) -> bool {
    matches!(kind, Kind::RowMismatch | Kind::Snapshot | Kind::MysqlRefused)
}

fn no_identity(table: &TableName) -> Error {
    Error::new(Kind::Bug, format!("{table} has no identity to page by"))
}

/// Waits until the engine shows all of a set.
pub(super) async fn shown(conn: &mut Conn, set: &GtidSet) -> Result<()> {
    if wait_for(conn, set, SHOW_WAIT).await? {
        return Ok(());
    }
    Err(Error::new(
        Kind::MysqlUnreachable,
        format!("transactions that the binlog holds did not show in {} s", SHOW_WAIT.as_secs()),
    )
    .hint("does semi-synchronous replication hold up commits?"))
}

/// `@@gtid_executed`: every view opened from now on shows all of it.
pub(super) async fn executed(conn: &mut Conn) -> Result<GtidSet> {
    let query = conn.query_first("SELECT @@global.gtid_executed");
    let set: Option<String> = within("reading the low mark", query).await?;
    set.unwrap_or_default().parse()
}

pub(super) fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
