//! A database of its own on the test server, and a stream over it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cdc_sdk::endpoint::{Endpoint, Secret, Tls, TlsMode};
use cdc_sdk::pattern::{Pattern, Selection};
use cdc_sdk::{OwnedRow, OwnedValue, Position, Result, Row, Table, TableName};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};

use crate::binlog::{BinlogEvent, Collation, Collations, Enrich, Enriched, Met, Request, Stream};
use crate::ddl::Effect;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A test's own database.
pub struct Lab {
    pub conn: Conn,
    pub database: String,
    _turn: Turn,
}

/// All labs share one log. What stops every reader of it, such as an XA transaction,
/// must not meet the reader of another test.
static LOG: RwLock<()> = RwLock::const_new(());

#[expect(dead_code, reason = "held, not read")]
enum Turn {
    WithOthers(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

/// What the stream brought, rows taken out.
#[derive(Debug)]
pub enum Seen {
    Begin(crate::binlog::Begin),
    Row(Table, Option<OwnedRow>, Option<OwnedRow>),
    Ddl(crate::binlog::Ddl),
    Commit(Ended),
}

/// A transaction's end.
#[derive(Debug)]
pub struct Ended {
    /// That of the stream after it.
    pub position: Position,
    pub committed_us: i64,
}

/// A catalogue that knows nothing beside, and counts.
#[derive(Debug, Default)]
pub struct Nothing {
    pub asked: Mutex<Vec<TableName>>,
}

impl Enrich for std::sync::Arc<Nothing> {
    async fn enrich(&self, from_map: Table, _: Met) -> Result<Enriched> {
        tokio::task::yield_now().await;
        self.asked.lock().unwrap().push(from_map.name.clone());
        Ok(Enriched { table: from_map, changed_later: None })
    }

    fn altered(&self, _: &[Effect]) {}
}

static NEXT: AtomicU32 = AtomicU32::new(1);

/// The address in `.stack/env`, from the environment or the file itself.
fn address() -> Option<(String, u16)> {
    const KEY: &str = "CDC_TEST_SOURCE_MYSQL";
    let from_file = || {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.stack/env")).ok()?;
        text.lines().find_map(|l| l.strip_prefix(KEY)?.strip_prefix('=').map(str::to_owned))
    };
    let address = std::env::var(KEY).ok().or_else(from_file)?;
    let (host, port) = address.split_once(':')?;
    Some((host.to_owned(), port.parse().ok()?))
}

/// The server, unencrypted.
pub fn endpoint() -> Option<Endpoint> {
    let (host, port) = address()?;
    let tls = Tls { mode: TlsMode::Disabled, ..Tls::default() };
    Some(Endpoint { host, port, user: "root".into(), password: Secret::default(), tls })
}

pub async fn connect() -> Option<Conn> {
    let (host, port) = address()?;
    let options = OptsBuilder::default()
        .ip_or_hostname(host)
        .tcp_port(port)
        .user(Some("root"))
        .prefer_socket(false)
        .max_allowed_packet(Some(1 << 30));
    let mut conn = Conn::new(options).await.ok()?;
    conn.query_drop("SET time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES', NAMES utf8mb4")
        .await
        .ok()?;
    Some(conn)
}

impl Lab {
    /// `None` where there is no server to test with.
    pub async fn open(name: &str) -> Option<Self> {
        Self::with(name, Turn::WithOthers(LOG.read().await)).await
    }

    /// While no other lab is open.
    pub async fn open_alone(name: &str) -> Option<Self> {
        Self::with(name, Turn::Alone(LOG.write().await)).await
    }

    async fn with(name: &str, turn: Turn) -> Option<Self> {
        let mut conn = connect().await?;
        let database = format!("hs_{}_{name}", std::process::id());
        conn.query_drop(format!("DROP DATABASE IF EXISTS {database}")).await.unwrap();
        conn.query_drop(format!("CREATE DATABASE {database} CHARACTER SET utf8mb4")).await.unwrap();
        conn.query_drop(format!("USE {database}")).await.unwrap();
        Some(Self { conn, database, _turn: turn })
    }

    pub async fn run(&mut self, statement: impl AsRef<str>) {
        let statement = statement.as_ref();
        self.conn.query_drop(statement).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
    }

    /// The one text that a query answers.
    pub async fn text(&mut self, query: &str) -> String {
        self.conn.query_first(query).await.unwrap().unwrap()
    }

    pub fn table(&self, table: &str) -> TableName {
        TableName::new(&self.database, table)
    }

    /// Where the log ends now.
    pub async fn now(&mut self) -> Position {
        let row: mysql_async::Row = self.conn.query_first("SHOW BINARY LOG STATUS").await.unwrap().unwrap();
        let gtids: String = row.get(4).unwrap();
        Position {
            server_uuid: String::new(),
            gtids: Some(gtids.parse().unwrap()),
            file: row.get(0).unwrap(),
            pos: row.get(1).unwrap(),
            partial: None,
            landmark: None,
        }
    }

    pub async fn stream(&mut self, start: Position) -> Stream {
        self.stream_with(start, std::sync::Arc::new(Nothing::default())).await.unwrap()
    }

    pub async fn stream_with(
        &mut self,
        start: Position,
        catalogue: std::sync::Arc<Nothing>,
    ) -> Result<Stream> {
        self.stream_as(endpoint().unwrap(), start, catalogue).await
    }

    /// With another account, or encrypted.
    pub async fn stream_as(
        &mut self,
        endpoint: Endpoint,
        start: Position,
        catalogue: std::sync::Arc<Nothing>,
    ) -> Result<Stream> {
        let request = Request {
            server_id: 7_000_000
                + std::process::id() % 100_000 * 1000
                + NEXT.fetch_add(1, Ordering::Relaxed) % 1000,
            start,
            heartbeat: Duration::from_secs(5),
            // What comes is compared with what the server prints.
            mark_json: false,
        };
        let include = vec![Pattern::parse(&format!("{}.*", self.database)).unwrap()];
        let exclude = vec![Pattern::parse("*.uncaptured*").unwrap()];
        let collations = collations(&mut self.conn).await;
        Stream::open(endpoint, request, Selection { include, exclude }, collations, catalogue).await
    }

    /// All up to now.
    pub async fn read_from(&mut self, start: Position) -> Vec<Seen> {
        let end = self.now().await;
        let mut stream = self.stream(start).await;
        read_to(&mut stream, &end).await
    }

    pub async fn close(mut self) {
        let database = self.database.clone();
        self.run(format!("DROP DATABASE {database}")).await;
        self.conn.disconnect().await.unwrap();
    }
}

pub async fn collations(conn: &mut Conn) -> Collations {
    let rows: Vec<(u32, String, String, u8)> = conn
        .query(
            "SELECT c.id, c.collation_name, c.character_set_name, s.maxlen FROM information_schema.collations c \
             JOIN information_schema.character_sets s USING (character_set_name)",
        )
        .await
        .unwrap();
    rows.into_iter().map(|(id, name, charset, maxlen)| (id, Collation { name, charset, maxlen })).collect()
}

pub fn owned(row: &impl Row) -> Result<OwnedRow> {
    let mut all = OwnedRow::new();
    row.visit(|_, value| {
        all.push(OwnedValue::from(value));
        Ok(())
    })?;
    Ok(all)
}

/// Reads until the stream has passed a place.
pub async fn read_to(stream: &mut Stream, end: &Position) -> Vec<Seen> {
    let mut seen = Vec::new();
    loop {
        let (file, pos) = stream.place();
        let between = matches!(seen.last(), None | Some(Seen::Commit(_)));
        if between && (file, pos) >= (end.file.as_str(), end.pos) {
            return seen;
        }
        match stream.next().await.unwrap() {
            BinlogEvent::Begin(begin) => seen.push(Seen::Begin(begin)),
            BinlogEvent::Ddl(ddl) => seen.push(Seen::Ddl(*ddl)),
            BinlogEvent::Commit(commit) => {
                let position = stream.position().clone();
                seen.push(Seen::Commit(Ended { position, committed_us: commit.committed_us }));
            }
            BinlogEvent::Idle => {}
            BinlogEvent::Rows(mut rows) => {
                let table = (*rows.table).clone();
                while let Some(change) = rows.next_row().unwrap() {
                    let before = change.before.map(|row| owned(&row).unwrap());
                    let after = change.after.map(|row| owned(&row).unwrap());
                    seen.push(Seen::Row(table.clone(), before, after));
                }
            }
        }
    }
}
