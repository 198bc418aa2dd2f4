//! A database of its own per test, and a model that events are applied to.

use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

use cdc_mysql_source::{
    ColumnNotes, Event, OnUnsafeDdl, Resume, Settings, SnapshotMode, Source, Start, TableProgress,
};
use cdc_sdk::endpoint::{Endpoint, Secret, Tls};
use cdc_sdk::pattern::{Pattern, Selection};
use cdc_sdk::{OwnedRow, OwnedValue, Position, Row, Table, TableName};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};

pub type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// How long any single wait may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A database of its own.
pub struct World {
    endpoint: Endpoint,
    pub database: String,
    pub admin: Conn,
}

impl World {
    /// `None`, loudly, where no server is named.
    pub async fn new(test: &str) -> Outcome<Option<Self>> {
        let Ok(address) = std::env::var("CDC_TEST_SOURCE_MYSQL") else {
            eprintln!("NOT RUN: {test} needs CDC_TEST_SOURCE_MYSQL (see .stack/env)");
            return Ok(None);
        };
        let user = std::env::var("CDC_TEST_MYSQL_USER").unwrap_or_else(|_| "root".into());
        let password = std::env::var("CDC_TEST_MYSQL_PASSWORD").unwrap_or_default();
        Self::at(test, &address, &user, &password).await.map(Some)
    }

    /// On a server of the test's own.
    pub async fn at(test: &str, address: &str, user: &str, password: &str) -> Outcome<Self> {
        let (host, port) = address.split_once(':').ok_or("the server's address is not host:port")?;
        let endpoint = Endpoint {
            host: host.to_owned(),
            port: port.parse()?,
            user: user.to_owned(),
            password: Secret(password.to_owned()),
            tls: Tls::default(),
        };
        let database = format!("cdc_src_{test}_{}", std::process::id());
        let mut admin = connect(&endpoint).await?;
        admin.query_drop(format!("DROP DATABASE IF EXISTS {database}")).await?;
        admin.query_drop(format!("CREATE DATABASE {database}")).await?;
        admin.query_drop(format!("USE {database}")).await?;
        Ok(Self { endpoint, database, admin })
    }

    pub fn endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }

    pub async fn connect(&self) -> Outcome<Conn> {
        let mut conn = connect(&self.endpoint).await?;
        conn.query_drop(format!("USE {}", self.database)).await?;
        Ok(conn)
    }

    pub async fn run(&mut self, statements: &str) -> Outcome {
        for statement in statements.split(";\n").map(str::trim).filter(|s| !s.is_empty()) {
            self.admin.query_drop(statement).await.map_err(|e| format!("{statement}: {e}"))?;
        }
        Ok(())
    }

    pub fn settings(&self, name: &str) -> Outcome<Settings> {
        let include = vec![Pattern::parse(&format!("{}.*", self.database))?];
        Ok(Settings {
            name: format!("{name}_{}", self.database),
            topic_prefix: format!("{name}_{}", self.database),
            endpoint: self.endpoint(),
            server_id: None,
            selection: Selection { include, exclude: Vec::new() },
            snapshot: SnapshotMode::Initial,
            chunk_rows: 50,
            chunk_bytes: 1 << 20,
            readers: 3,
            snapshot_rows_per_second: None,
            mark_json: true,
            allow_global_read_lock: false,
            on_unsafe_ddl: OnUnsafeDdl::Snapshot,
            skip_sinks: vec!["*".into()],
            heartbeat: Duration::from_secs(2),
        })
    }

    pub fn table(&self, name: &str) -> TableName {
        TableName::new(self.database.clone(), name)
    }

    pub async fn end(mut self) -> Outcome {
        self.admin.query_drop(format!("DROP DATABASE {}", self.database)).await?;
        Ok(())
    }
}

async fn connect(endpoint: &Endpoint) -> Outcome<Conn> {
    let options = OptsBuilder::default()
        .ip_or_hostname(&endpoint.host)
        .tcp_port(endpoint.port)
        .user(Some(&endpoint.user))
        .pass(Some(&endpoint.password.0))
        .prefer_socket(false);
    let mut conn = Conn::new(options).await?;
    conn.query_drop("SET NAMES utf8mb4").await?;
    conn.query_drop("SET time_zone = '+00:00', sql_mode = ''").await?;
    Ok(conn)
}

/// What a consumer holds: tables as maps from key to row, and what it would store.
#[derive(Default)]
pub struct Model {
    pub tables: HashMap<TableName, HashMap<String, OwnedRow>>,
    /// Rows of tables without identity, with how often.
    pub bags: HashMap<TableName, HashMap<String, i64>>,
    pub progress: HashMap<TableName, TableProgress>,
    pub position: Position,
    pub complete: bool,
    pub chunks: u64,
    pub emptied: Vec<TableName>,
    /// Rows whose column `v`, which writers only let grow, shrank: the snapshot took them back.
    pub backwards: Vec<String>,
    in_transaction: bool,
}

impl Model {
    /// Applies one event, after which the source is at that position; what may only come between transactions is
    /// held to that.
    pub fn apply(&mut self, event: Event, position: &Position) -> Outcome {
        match event {
            Event::Begin(_) => self.in_transaction = true,
            Event::Rows(mut rows) => {
                let table = rows.table.clone();
                while let Some(change) = rows.next_row()? {
                    if let Some(before) = change.before {
                        self.remove(&table, &owned(&before)?)?;
                    }
                    if let Some(after) = change.after {
                        self.upsert(&table, owned(&after)?);
                    }
                }
            }
            Event::Ddl(ddl) => {
                for table in &ddl.emptied {
                    self.tables.remove(table);
                    self.bags.remove(table);
                    self.emptied.push(table.clone());
                }
                self.store(ddl.progress);
            }
            Event::Commit(_) => {
                self.in_transaction = false;
                self.position = position.clone();
            }
            Event::Progress(progress) => self.store(vec![*progress]),
            Event::Chunk(chunk) => {
                self.between("a chunk")?;
                self.chunks += 1;
                for row in chunk.rows() {
                    self.upsert(&chunk.table, owned(&row)?);
                }
                self.store(vec![chunk.progress.clone()]);
            }
            Event::SnapshotComplete => {
                self.between("the snapshot's end")?;
                self.complete = true;
            }
            Event::Idle => {}
        }
        Ok(())
    }

    fn between(&self, what: &str) -> Outcome {
        if self.in_transaction { Err(format!("{what} came inside a transaction").into()) } else { Ok(()) }
    }

    pub fn store(&mut self, progress: Vec<TableProgress>) {
        for one in progress {
            self.progress.insert(one.table.clone(), one);
        }
    }

    fn upsert(&mut self, table: &Table, row: OwnedRow) {
        let Some(key) = key(table, &row) else {
            *self.bags.entry(table.name.clone()).or_default().entry(format!("{row:?}")).or_default() += 1;
            return;
        };
        let old = self.tables.entry(table.name.clone()).or_default().insert(key.clone(), row.clone());
        let version = |row: &OwnedRow| table.column_index("v").and_then(|at| row.get(at)).and_then(number);
        if let (Some(old), Some(new)) = (old.as_ref().and_then(version), version(&row))
            && new < old
        {
            self.backwards.push(format!("{} {key}: {old} -> {new}", table.name));
        }
    }

    fn remove(&mut self, table: &Table, row: &OwnedRow) -> Outcome {
        match key(table, row) {
            Some(key) => {
                self.tables.entry(table.name.clone()).or_default().remove(&key);
            }
            None => {
                let left =
                    self.bags.entry(table.name.clone()).or_default().entry(format!("{row:?}")).or_default();
                *left -= 1;
                if *left < 0 {
                    return Err(format!("{}: a row went that was not there: {row:?}", table.name).into());
                }
            }
        }
        Ok(())
    }

    pub fn resume(&self) -> Start {
        let snapshot = self.progress.values().cloned().collect();
        Start::Resume(Box::new(Resume {
            position: self.position.clone(),
            snapshot,
            inside: None,
            noted: ColumnNotes::new(),
        }))
    }

    /// Opens a source where this model stands, and notes what it says at its start.
    pub async fn open(&mut self, settings: &Settings, start: Start) -> Outcome<Source> {
        let source = Source::open(settings.clone(), start).await?;
        self.position = source.position().clone();
        self.store(source.all_progress());
        self.complete = false;
        Ok(source)
    }
}

pub fn owned(row: &impl Row) -> Outcome<OwnedRow> {
    let mut values = Vec::new();
    row.visit(|_, value| {
        values.push(OwnedValue::from(value));
        Ok(())
    })?;
    Ok(values)
}

fn key(table: &Table, row: &OwnedRow) -> Option<String> {
    let identity = table.identity()?;
    Some(identity.iter().map(|&c| format!("{:?}|", row.get(c))).collect())
}

pub fn number(value: &OwnedValue) -> Option<i64> {
    match value.as_value() {
        cdc_sdk::Value::Int(v) => Some(v),
        cdc_sdk::Value::UInt(v) => i64::try_from(v).ok(),
        _ => None,
    }
}

/// The next event, under a limit. Waiting is given up and begun anew all the time, as
/// a pipeline with other things to do does: nothing may be lost by that.
pub async fn next(source: &mut Source) -> Outcome<Event> {
    let begun = std::time::Instant::now();
    let mut patience = Duration::from_micros(500);
    while begun.elapsed() < PATIENCE {
        if let Ok(event) = tokio::time::timeout(patience, source.next()).await {
            return Ok(event?);
        }
        patience = (patience * 2).min(Duration::from_millis(200));
    }
    Err("no event in time".into())
}

/// Applies events until the snapshot is complete.
pub async fn until_complete(source: &mut Source, model: &mut Model) -> Outcome {
    let begun = std::time::Instant::now();
    while !model.complete {
        let event = next(source).await?;
        model.apply(event, source.position())?;
        if begun.elapsed() > PATIENCE {
            return Err(
                format!("the snapshot is not complete after {PATIENCE:?}: {:?}", source.progress()).into()
            );
        }
    }
    Ok(())
}

/// Applies events until the source has handed out all that is committed now.
pub async fn until_caught_up(source: &mut Source, model: &mut Model) -> Outcome {
    let target = source.end().await?;
    let begun = std::time::Instant::now();
    while !source.reached(&target) {
        let event = next(source).await?;
        model.apply(event, source.position())?;
        if begun.elapsed() > PATIENCE {
            return Err(format!("not caught up after {PATIENCE:?}: {source:?}").into());
        }
    }
    Ok(())
}
