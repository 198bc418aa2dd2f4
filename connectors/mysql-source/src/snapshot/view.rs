//! Tables read whole in one view: those without identity, and all of them where
//! there are no GTIDs.
//!
//! # Why it is right
//!
//! Rows without identity cannot be dropped one by one, so the view must be the
//! state of the table at one place of the binlog, and be handed out exactly there.
//! The marks are taken as for a chunk: what the stream has delivered is waited for,
//! then `L` is `@@gtid_executed`, then the view is opened, then `H` is the binlog's end.
//! A transaction before `H` and outside of `L` may or may not be in the view. If the
//! stream meets none that touches the table, the view shows the table as it is at `H`:
//! all that touched it before `H` is in `L` and hence in the view, and nothing after `H`
//! is. Otherwise the view is given up and another one is opened; only the
//! milliseconds between `L` and `H` must be free of writes to this table.
//!
//! At `H` the stream is held until all rows are handed out. What the stream brought of
//! the table before `H` is not handed out: it is in the view. Rows that have been handed
//! out when the process ends cannot be told from new ones, so the next run begins with a
//! truncation; and so does a view of a table of which rows went out otherwise, since it had a key then
//! (`plan/passing.rs`).
//!
//! Without GTIDs there is no `L`. The views of all readers are then opened while
//! `FLUSH TABLES WITH READ LOCK` keeps every commit away, for milliseconds, and `H` is
//! taken under the same lock: no transaction lies between, so nothing need be watched.
//!
//! While a view is open, the server keeps old versions of rows: the price of a table
//! without a key.

use std::sync::{Arc, Mutex, PoisonError};

use cdc_sdk::{Error, Gtid, GtidSet, Kind, Result, TableName};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::sync::mpsc;

use super::block::Block;
use super::chunk::Prepared;
use super::plan::ReadId;
use super::query;
use super::reader::{Report, Shared, executed, is_shape, now_us, shown};
use crate::session::{LogEnd, log_end, server_error, within};

/// Rows of a table in a view.
#[derive(Debug)]
pub(crate) struct ViewBatch {
    /// The table.
    pub prepared: Prepared,
    /// Some of its rows.
    pub block: Block,
    /// Whether they are its last.
    pub last: bool,
    /// When they were read, µs since 1970.
    pub read_us: i64,
}

/// A view that was opened.
#[derive(Debug)]
pub(crate) struct ViewOpen {
    /// What it shows for certain; `None`: it is exactly the state at `high`.
    pub(super) low: Option<GtidSet>,
    /// Where the binlog ended after it was opened.
    pub(super) high: LogEnd,
    pub(super) batches: mpsc::Receiver<Result<ViewBatch>>,
}

/// A view, from the order to open it on.
#[derive(Debug)]
pub(crate) struct View {
    pub id: ReadId,
    tables: Vec<TableName>,
    /// Opened under the lock: nothing need be watched.
    locked: bool,
    touched: bool,
    open: Option<ViewOpen>,
    served: bool,
}

impl View {
    pub(super) fn new(id: ReadId, tables: Vec<TableName>, locked: bool) -> Self {
        Self { id, tables, locked, touched: false, open: None, served: false }
    }

    pub(super) fn includes(&self, table: &TableName) -> bool {
        self.tables.contains(table)
    }

    pub(super) fn into_names(self) -> Vec<TableName> {
        self.tables
    }

    pub(super) fn is_served(&self) -> bool {
        self.served
    }

    /// Whether the stream must wait: for the rows; under the lock also for the mark,
    /// since nothing is watched that lies behind it.
    pub(super) fn holds_stream(&self) -> bool {
        self.served || (self.locked && self.open.is_none())
    }

    pub(super) fn open(&mut self, open: ViewOpen) {
        self.open = Some(open);
    }

    pub(super) fn high(&self) -> Option<LogEnd> {
        self.open.as_ref().map(|open| open.high.clone())
    }

    pub(super) fn touch(&mut self, table: &TableName, gtid: Option<&Gtid>) {
        let low = self.open.as_ref().and_then(|open| open.low.as_ref());
        let is_shown = matches!((low, gtid), (Some(low), Some(gtid)) if low.contains(gtid));
        if !self.locked && !is_shown && self.includes(table) {
            self.touched = true;
        }
    }

    /// The stream stands here between two transactions. Whether the view was
    /// touched, once the stream has reached it.
    pub(super) fn meet(&mut self, file: &str, pos: u64) -> Option<bool> {
        let reached = self.open.as_ref().is_some_and(|open| open.high.is_passed_by(file, pos));
        if self.served || !reached {
            return None;
        }
        self.served = !self.touched;
        Some(self.touched)
    }

    /// The next rows; `None` after the last. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<ViewBatch>> {
        match &mut self.open {
            Some(open) => open.batches.recv().await,
            None => None,
        }
    }
}

/// Tables to be read in one view.
#[derive(Debug)]
pub(crate) struct ViewOrder {
    /// Its number.
    pub id: ReadId,
    /// What the stream had delivered when it was ordered; `None`: under the lock.
    pub since: Option<GtidSet>,
    /// The tables.
    pub tables: Vec<Prepared>,
}

type Queue = Arc<Mutex<Vec<Prepared>>>;

impl Shared {
    /// Opens the view, reports it, and sends the rows as fast as they are taken.
    pub async fn view(self, order: ViewOrder) {
        let name = order.tables.first().map(|p| p.table.name.clone());
        if let Err(error) = self.serve(order.id, order.since, order.tables).await
            && let Some(table) = name
        {
            self.failure(table, order.id, error.into()).await;
        }
        self.report(Report::Idle(None)).await;
    }

    async fn serve(&self, id: ReadId, since: Option<GtidSet>, tables: Vec<Prepared>) -> Result<()> {
        let (conns, low, high) = match since {
            Some(since) => {
                let mut conn = self.open().await?;
                shown(&mut conn, &since).await?;
                let low = executed(&mut conn).await?;
                open_view(&mut conn).await?;
                let high = log_end(&mut conn).await?;
                (vec![conn], Some(low), high)
            }
            None => {
                let readers =
                    usize::try_from(self.settings.readers).unwrap_or(1).clamp(1, tables.len().max(1));
                let (conns, high) = self.under_lock(readers).await?;
                (conns, None, high)
            }
        };
        let (sender, batches) = mpsc::channel(1);
        self.report(Report::View { id, open: ViewOpen { low, high, batches } }).await;
        let queue: Queue = Arc::new(Mutex::new(tables.into_iter().rev().collect()));
        let mut workers = tokio::task::JoinSet::new();
        for conn in conns {
            workers.spawn(work(
                conn,
                queue.clone(),
                self.settings.chunk_rows,
                self.settings.chunk_bytes,
                sender.clone(),
            ));
        }
        drop(sender);
        while workers.join_next().await.is_some() {}
        Ok(())
    }

    /// One view per reader, all of the same moment.
    async fn under_lock(&self, readers: usize) -> Result<(Vec<Conn>, LogEnd)> {
        let mut conns = Vec::with_capacity(readers);
        for _ in 0..readers {
            conns.push(self.open().await?);
        }
        let mut lock = self.open().await?;
        // Who waits for the lock makes all writers wait behind it: not for long.
        within("preparing the lock", lock.query_drop("SET SESSION lock_wait_timeout = 5")).await?;
        within("taking the global read lock", lock.query_drop("FLUSH TABLES WITH READ LOCK")).await?;
        for conn in &mut conns {
            open_view(conn).await?;
        }
        let high = log_end(&mut lock).await?;
        within("giving the lock back", lock.query_drop("UNLOCK TABLES")).await?;
        Ok((conns, high))
    }
}

async fn open_view(conn: &mut Conn) -> Result<()> {
    let settings = "SET SESSION max_execution_time = 0, net_write_timeout = 28800";
    within("setting up a view", conn.query_drop(settings)).await?;
    within("setting up a view", conn.query_drop("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        .await?;
    let statement = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
    within("opening a view", conn.query_drop(statement)).await
}

/// Reads one table after the other until the queue is empty or nobody listens.
async fn work(
    mut conn: Conn,
    queue: Queue,
    chunk_rows: u32,
    chunk_bytes: u64,
    sender: mpsc::Sender<Result<ViewBatch>>,
) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Some(prepared) = next else { return };
        let name = prepared.table.name.clone();
        let limits = (chunk_rows as usize, chunk_bytes);
        match table(&mut conn, prepared, limits, &sender).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                let _ = sender.send(Err(ended(error, &name))).await;
                return;
            }
        }
    }
}

/// Why a view ended early. What an alteration of the table explains passes: the table is read again, from the
/// first row, as it is called then and in its new shape.
fn ended(error: Error, table: &TableName) -> Error {
    if !is_shape(error.kind()) {
        return error.at(format!("the view of {table}"));
    }
    Error::new(
        Kind::MysqlUnreachable,
        format!("the view of {table} ended: the table was altered under it, or is gone"),
    )
    .detail(error.to_string())
    .hint("it is read again")
}

/// `false`: nobody listens any more. The savepoint lets go of the table's metadata lock.
async fn table(
    conn: &mut Conn,
    prepared: Prepared,
    limits: (usize, u64),
    sender: &mpsc::Sender<Result<ViewBatch>>,
) -> Result<bool> {
    let failed = |e| server_error(e, "reading a table in one view");
    within("setting a savepoint", conn.query_drop("SAVEPOINT before_table")).await?;
    let mut answer =
        conn.exec_iter(query::whole(&prepared.table, prepared.reading.kinds), ()).await.map_err(failed)?;
    let mut block = Block::default();
    while let Some(row) = answer.next().await.map_err(failed)? {
        if block.rows_read() > 0 && (block.rows_read() >= limits.0 || block.size() as u64 >= limits.1) {
            let block = std::mem::take(&mut block);
            let batch = ViewBatch { prepared: prepared.clone(), block, last: false, read_us: now_us() };
            if sender.send(Ok(batch)).await.is_err() {
                return Ok(false);
            }
        }
        block.push(&prepared.reading, row)?;
    }
    answer.drop_result().await.map_err(failed)?;
    within("going back to the savepoint", conn.query_drop("ROLLBACK TO SAVEPOINT before_table")).await?;
    let batch = ViewBatch { prepared, block, last: true, read_us: now_us() };
    sender
        .send(Ok(batch))
        .await
        .map_err(|_| Error::new(Kind::Bug, "nobody listens to the view"))
        .map(|()| true)
}
