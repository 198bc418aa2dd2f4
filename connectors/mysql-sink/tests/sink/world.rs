//! A private world for each test: databases of its own on the shared server.

use std::future::Future;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use cdc_mysql_sink::{Advance, Applied, Batch, Change, End, Origin, Settings, Sink};
use cdc_sdk::column::{ColumnType, Extra, Width};
use cdc_sdk::cut::Place;
use cdc_sdk::endpoint::{Endpoint, Secret, Tls, TlsMode};
use cdc_sdk::table::{KeyOn, KeyPart};
use cdc_sdk::{Column, CutId, Key, KeyKind, Op, OwnedRow, OwnedValue, Result, Table, TableName, Value};
use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, OptsBuilder};

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// What a test has to itself.
#[derive(Clone)]
pub struct World {
    pub settings: Settings,
    /// The database of its tables.
    pub database: String,
    /// Who may do all: the sink's own settings may name another.
    admin: Endpoint,
    next: Arc<AtomicU64>,
}

/// Runs a test in a world of its own; what it made is dropped whether it passes or not.
pub fn in_world<F, Fut>(test: F)
where
    F: FnOnce(World) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let Ok(address) = std::env::var("CDC_TEST_DEST_MYSQL") else {
        // Past the harness, which keeps what a passing test prints to itself.
        let told = b"SKIPPED: CDC_TEST_DEST_MYSQL is not set, so there is no MySQL to test against\n";
        let _ = std::io::stderr().write_all(told);
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let world = World::new(&address);
    let body = test(world.clone());
    let ended = runtime.block_on(async {
        let ended = tokio::spawn(tokio::time::timeout(Duration::from_secs(120), body)).await;
        let mut admin = world.admin().await;
        for database in [&world.database, &world.settings.ledger_database] {
            admin.query_drop(format!("DROP DATABASE IF EXISTS `{database}`")).await.unwrap();
        }
        ended
    });
    match ended {
        Ok(in_time) => in_time.expect("the test took too long"),
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}

impl World {
    fn new(address: &str) -> Self {
        let (host, port) = address.rsplit_once(':').unwrap();
        let setting = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
        let endpoint = Endpoint {
            host: host.to_owned(),
            port: port.parse().unwrap(),
            user: setting("CDC_TEST_MYSQL_USER", "root"),
            password: Secret(setting("CDC_TEST_MYSQL_PASSWORD", "")),
            tls: Tls { mode: TlsMode::Preferred, ..Tls::default() },
        };
        let id = format!("cdcsink_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let mut settings = Settings::new(id.clone(), "prefix", endpoint.clone());
        settings.ledger_database = format!("{id}_ledger");
        Self { settings, database: id, admin: endpoint, next: Arc::new(AtomicU64::new(1)) }
    }

    /// A connection for the test itself.
    pub async fn admin(&self) -> Conn {
        let e = &self.admin;
        let options = OptsBuilder::default()
            .ip_or_hostname(e.host.clone())
            .tcp_port(e.port)
            .user(Some(e.user.clone()))
            .pass(Some(e.password.0.clone()))
            .prefer_socket(false);
        let mut conn = Conn::new(options).await.unwrap();
        conn.query_drop("SET time_zone = '+00:00', sql_mode = ''").await.unwrap();
        conn
    }

    pub async fn sql(&self, sql: &str) {
        self.admin().await.query_drop(sql.replace("DB.", &format!("`{}`.", self.database))).await.unwrap();
    }

    pub async fn rows<T: FromRow + Send + 'static>(&self, sql: &str) -> Vec<T> {
        self.admin().await.query(sql.replace("DB.", &format!("`{}`.", self.database))).await.unwrap()
    }

    /// One column of text, in order.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        self.rows(sql).await
    }

    pub async fn open(&self) -> Sink {
        Sink::open(self.settings.clone(), |holder| panic!("must not stand by for {holder}")).await.unwrap()
    }

    pub async fn create_database(&self) {
        self.sql(&format!("CREATE DATABASE IF NOT EXISTS `{}`", self.database)).await;
    }

    pub fn table(&self, name: &str, columns: Vec<Column>, keys: Vec<Key>) -> Arc<Table> {
        Arc::new(Table {
            version: Table::VERSION,
            chosen_key: None,
            name: TableName::new(&self.database, name),
            columns,
            keys,
            collation: Some("utf8mb4_0900_ai_ci".into()),
            comment: String::new(),
        })
    }

    /// A table of (id INT PRIMARY KEY, name VARCHAR(20) UNIQUE, v INT).
    pub fn people(&self) -> Arc<Table> {
        let columns = vec![int("id"), nullable(varchar("name", 20)), nullable(int("v"))];
        self.table("people", columns, vec![primary(&[0]), unique("name", &[1])])
    }

    /// The next cut, with the offsets that belong to it.
    pub fn advance(&self) -> Advance {
        let sequence = self.next.fetch_add(1, Ordering::Relaxed);
        Advance {
            cut: CutId { incarnation: 1, sequence },
            cuts_offset: i64::try_from(sequence).unwrap() + 1,
            places: vec![Place {
                topic: "prefix.t".into(),
                partition: 0,
                offset: i64::try_from(sequence).unwrap() * 10,
            }],
            position: format!("uuid:1-{sequence}"),
            committed_us: 1_700_000_000_000_000,
            snapshot_complete: true,
        }
    }

    /// Applies changes as one committed batch.
    pub async fn apply(&self, sink: &mut Sink, changes: Vec<Change<OwnedRow>>) -> Result<Applied> {
        sink.apply(Batch::new(changes, End::Commit(self.advance()))).await
    }

    /// The ledger's cut as it stands at the destination.
    pub async fn ledger_sequence(&self) -> Option<u64> {
        let sql = format!("SELECT sequence FROM `{}`.ledger", self.settings.ledger_database);
        self.rows::<Option<u64>>(&sql).await.into_iter().next().flatten()
    }

    /// Connections that the sink has registered, by their numbers at the server.
    pub async fn registered(&self) -> Vec<u64> {
        let sql = format!("SELECT connection_id FROM `{}`.ledger_connections", self.settings.ledger_database);
        self.rows(&sql).await
    }

    /// Kills connections and waits until the server has ended them.
    pub async fn kill(&self, ids: &[u64]) {
        let mut admin = self.admin().await;
        for id in ids {
            let _gone_already = admin.query_drop(format!("KILL {id}")).await;
        }
        let list = ids.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
        for _ in 0..500 {
            let sql = format!("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID IN ({list})");
            if admin.query_first::<u64, _>(sql).await.unwrap() == Some(0) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("connections {list} do not end");
    }
}

pub fn column(name: &str, ty: ColumnType) -> Column {
    let text = ty.is_text();
    Column {
        name: name.into(),
        ty,
        nullable: false,
        charset: text.then(|| "utf8mb4".into()),
        collation: text.then(|| "utf8mb4_0900_ai_ci".into()),
        extra: Extra::default(),
    }
}

pub fn int(name: &str) -> Column {
    column(name, ColumnType::Integer { width: Width::Int, unsigned: false })
}

pub fn varchar(name: &str, length: u32) -> Column {
    column(name, ColumnType::Varchar { length })
}

pub fn nullable(column: Column) -> Column {
    Column { nullable: true, ..column }
}

pub fn primary(columns: &[usize]) -> Key {
    Key::new(KeyKind::Primary, "PRIMARY", parts(columns))
}

pub fn unique(name: &str, columns: &[usize]) -> Key {
    Key::new(KeyKind::Unique, name, parts(columns))
}

pub fn parts(columns: &[usize]) -> Vec<KeyPart> {
    columns.iter().map(|&c| KeyPart { on: KeyOn::Column(c), prefix: None, descending: false }).collect()
}

pub fn n(value: i64) -> OwnedValue {
    OwnedValue::Plain(Value::Int(value))
}

pub fn t(text: &str) -> OwnedValue {
    OwnedValue::Text(text.into())
}

pub const NULL: OwnedValue = OwnedValue::Plain(Value::Null);

/// The key's bytes of a row: whatever tells keys apart will do.
fn key(table: &Table, row: &OwnedRow) -> Option<Bytes> {
    let identity = table.identity()?;
    let values: Vec<_> = identity.iter().map(|&i| &row[i]).collect();
    Some(Bytes::from(format!("{values:?}")))
}

fn change(table: &Arc<Table>, op: Op, before: Option<OwnedRow>, after: Option<OwnedRow>) -> Change<OwnedRow> {
    let key = key(table, after.as_ref().or(before.as_ref()).unwrap());
    let origin = Origin::default();
    Change { table: Arc::clone(table), op, key, before, after, origin, unreadable: None }
}

pub fn create(table: &Arc<Table>, row: OwnedRow) -> Change<OwnedRow> {
    change(table, Op::Create, None, Some(row))
}

pub fn read(table: &Arc<Table>, row: OwnedRow) -> Change<OwnedRow> {
    change(table, Op::Read, None, Some(row))
}

pub fn update(table: &Arc<Table>, before: OwnedRow, after: OwnedRow) -> Change<OwnedRow> {
    change(table, Op::Update, Some(before), Some(after))
}

pub fn delete(table: &Arc<Table>, row: OwnedRow) -> Change<OwnedRow> {
    change(table, Op::Delete, Some(row), None)
}

pub fn truncate(table: &Arc<Table>) -> Change<OwnedRow> {
    let origin = Origin::default();
    Change {
        table: Arc::clone(table),
        op: Op::Truncate,
        key: None,
        before: None,
        after: None,
        origin,
        unreadable: None,
    }
}
