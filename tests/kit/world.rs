//! A test's own databases, topics and settings.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use cdc::avro::records::decode_cut;
use cdc::kafka::{Admin, Log, Settings};
use cdc_sdk::Cut;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};

use super::{Process, differences, leftovers, until};

/// What a test wants otherwise than by default.
#[derive(Clone, Debug)]
pub struct Options {
    /// Partitions of each topic.
    pub partitions: u32,
    /// More lines for `[capture]`.
    pub capture: String,
    /// More sections for `source.toml`.
    pub source: String,
    /// More sections for `sink.toml`.
    pub sink: String,
    /// Another source server, as `host:port`.
    pub source_server: Option<String>,
    /// Another destination server.
    pub dest_server: Option<String>,
    /// Another broker.
    pub kafka: Option<String>,
    /// Another registry.
    pub registry: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            partitions: 4,
            capture: String::new(),
            source: String::new(),
            sink: String::new(),
            source_server: None,
            dest_server: None,
            kafka: None,
            registry: None,
        }
    }
}

/// A private world.
pub struct World {
    /// The database on both servers, the topic prefix, and the names of source and sink.
    pub name: String,
    folder: PathBuf,
    source: String,
    dest: String,
    /// The broker of this world.
    pub kafka: String,
    /// The URL of its registry.
    pub registry: String,
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

impl World {
    /// A world with an empty database on the source.
    pub async fn new(test: &str) -> Self {
        Self::with(test, &Options::default()).await
    }

    /// A world with options.
    pub async fn with(test: &str, options: &Options) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("t{}_{number}_{test}", std::process::id());
        let name = name[..name.len().min(48)].to_owned();
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(&name);
        fs::create_dir_all(&folder).unwrap();
        let source = options.source_server.clone().unwrap_or_else(|| variable("CDC_TEST_SOURCE_MYSQL"));
        let dest = options.dest_server.clone().unwrap_or_else(|| variable("CDC_TEST_DEST_MYSQL"));
        let kafka = options.kafka.clone().unwrap_or_else(|| variable("CDC_TEST_KAFKA"));
        let registry = options.registry.clone().unwrap_or_else(|| variable("CDC_TEST_REGISTRY"));
        let world = Self { name, folder, source, dest, kafka, registry };
        leftovers::sweep_once().await;
        world.write_settings(options);
        world.source_sql(&format!("CREATE DATABASE `{}`", world.name)).await;
        world
    }

    fn write_settings(&self, options: &Options) {
        let name = &self.name;
        let shared = format!(
            "[kafka]\nbootstrap_servers = \"{}\"\n[registry]\nurl = \"{}\"\n",
            self.kafka, self.registry
        );
        let (from, to) = (mysql_section(&self.source), mysql_section(&self.dest));
        let source = format!(
            "name = \"{name}\"\n{from}{shared}[capture]\ninclude = [\"{name}.*\"]\n{}\n\
             [topics]\npartitions = {}\nreplication_factor = 1\n{}",
            options.capture, options.partitions, options.source
        );
        let sink = format!("name = \"{name}\"\ntopic_prefix = \"{name}\"\n{to}{shared}{}", options.sink);
        fs::write(self.folder.join("source.toml"), source).unwrap();
        fs::write(self.folder.join("sink.toml"), sink).unwrap();
    }

    /// The path of a file of this world.
    pub fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Starts `cdc source`.
    pub fn start_source(&self, more: &[&str]) -> Process {
        self.start("source", more)
    }

    /// Starts `cdc sink`.
    pub fn start_sink(&self, more: &[&str]) -> Process {
        self.start("sink", more)
    }

    fn start(&self, role: &str, more: &[&str]) -> Process {
        self.start_with(role, more, &[])
    }

    /// Starts `cdc source` or `cdc sink` with more in its environment.
    pub fn start_with(&self, role: &str, more: &[&str], environment: &[(&str, &str)]) -> Process {
        let settings = self.file(&format!("{role}.toml"));
        let arguments = [&[role, "-c", settings.as_str()], more].concat();
        Process::start_with(&arguments, &self.folder.join(format!("{role}.log")), environment)
    }

    /// From now on the source is at another server, by its settings too.
    pub fn source_moves_to(&mut self, server: &str) {
        self.edit("source.toml", &mysql_section(&self.source), &mysql_section(server));
        server.clone_into(&mut self.source);
    }

    /// Runs `cdc` to its end; returns its exit code and what it printed.
    pub fn cdc(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let out = std::process::Command::new(env!("CARGO_BIN_EXE_cdc")).args(arguments).output().unwrap();
        let text = [out.stdout, out.stderr].concat();
        (out.status.code(), String::from_utf8_lossy(&text).into_owned())
    }

    /// What `cdc snapshot show` says.
    pub fn snapshots(&self) -> serde_json::Value {
        let (code, text) = self.cdc(&["snapshot", "show", "--json", "-c", &self.file("source.toml")]);
        assert_eq!(code, Some(0), "{text}");
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
    }

    /// State and rows read of a table, as `cdc snapshot show` says.
    pub fn snapshot_of(&self, table: &str) -> (String, u64) {
        let shown = self.snapshots();
        let found = shown["tables"].as_array().unwrap().iter().find(|t| t["table"] == table).cloned();
        let found = found.unwrap_or_else(|| panic!("{table} is not in {shown}"));
        (found["state"].as_str().unwrap().to_owned(), found["rows"].as_u64().unwrap())
    }

    /// All cuts that its source has written, in order.
    pub fn cuts(&self) -> Vec<Cut> {
        let settings = Settings { bootstrap_servers: self.kafka.clone(), ..Settings::default() };
        let mut log = Log::open(&settings, &format!("{}.cuts", self.name)).unwrap().expect("there are cuts");
        let mut cuts = Vec::new();
        log.read_all(|record| {
            cuts.push(decode_cut(&record.value.expect("a cut has a value"))?.cut);
            Ok(())
        })
        .unwrap();
        cuts
    }

    /// Tells the source something about snapshots: it must be done.
    pub fn tell(&self, arguments: &[&str]) -> String {
        let (code, text) = self.try_tell(arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {text}");
        text
    }

    /// As [`World::tell`], whatever comes of it.
    pub fn try_tell(&self, arguments: &[&str]) -> (Option<i32>, String) {
        self.cdc(&[&["snapshot"], arguments, &["-c", &self.file("source.toml")]].concat())
    }

    /// As [`World::tell`], where the source must refuse.
    pub fn tell_in_vain(&self, arguments: &[&str]) -> String {
        let (code, text) = self.try_tell(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {text}");
        assert!(text.contains("error[E062]"), "{text}");
        text
    }

    /// Replaces a text in a settings file.
    pub fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.folder.join(file);
        let settings = fs::read_to_string(&path).unwrap();
        assert!(settings.contains(from), "{settings}");
        fs::write(path, settings.replace(from, to)).unwrap();
    }

    /// Runs source and sink until each has caught up with the other side.
    pub fn catch_up(&self) {
        for role in ["source", "sink"] {
            let mut process = self.start(role, &["--until-caught-up"]);
            let status = process.wait(super::LIMIT);
            assert_eq!(status.code(), Some(0), "{role}; the log says:\n{}", process.log_tail());
        }
    }

    /// A connection to the source, in this world's database, if it can be had.
    pub async fn try_source_conn(&self) -> mysql_async::Result<Conn> {
        try_connect(&self.source, Some(&self.name)).await
    }

    /// A connection to the destination, if it can be had.
    pub async fn try_dest_conn(&self) -> mysql_async::Result<Conn> {
        try_connect(&self.dest, None).await
    }

    /// The addresses of source and destination.
    pub fn servers(&self) -> (&str, &str) {
        (&self.source, &self.dest)
    }

    /// A connection to the source, in this world's database.
    pub async fn source_conn(&self) -> Conn {
        connect(&self.source, Some(&self.name)).await
    }

    /// A connection to the destination, in no database.
    pub async fn dest_conn(&self) -> Conn {
        connect(&self.dest, None).await
    }

    /// Runs statements on the source, separated by `;` at the end of a line.
    pub async fn source_sql(&self, sql: &str) {
        run(connect(&self.source, None).await, &self.name, sql).await;
    }

    /// Runs statements on the destination.
    pub async fn dest_sql(&self, sql: &str) {
        run(connect(&self.dest, None).await, &self.name, sql).await;
    }

    /// One number from the destination; `None` while its table is not there.
    pub async fn dest_number(&self, sql: &str) -> Option<i64> {
        let mut conn = connect(&self.dest, None).await;
        conn.query_drop(format!("USE `{}`", self.name)).await.ok()?;
        conn.query_first::<Option<i64>, _>(sql).await.ok().flatten().flatten()
    }

    /// Whether the destination has a table.
    pub async fn dest_has(&self, table: &str) -> bool {
        let mut conn = connect(&self.dest, None).await;
        let sql = "SELECT 1 FROM information_schema.tables WHERE table_schema=? AND table_name=?";
        conn.exec_first::<u8, _, _>(sql, (&self.name, table)).await.unwrap().is_some()
    }

    /// All transactions that the source has executed.
    pub async fn source_gtids(&self) -> String {
        let mut conn = connect(&self.source, None).await;
        conn.query_first("SELECT @@gtid_executed").await.unwrap().unwrap()
    }

    /// Removes all binlogs of the source but the last.
    pub async fn purge_binlogs(&self) {
        let mut conn = connect(&self.source, None).await;
        let logs: Vec<mysql_async::Row> = conn.query("SHOW BINARY LOGS").await.unwrap();
        let last: String = logs.last().unwrap().get(0).unwrap();
        conn.query_drop(format!("PURGE BINARY LOGS TO '{last}'")).await.unwrap();
    }

    /// SHOW CREATE TABLE on the source.
    pub async fn source_create(&self, table: &str) -> String {
        show_create(connect(&self.source, None).await, &self.name, table).await
    }

    /// SHOW CREATE TABLE on the destination.
    pub async fn dest_create(&self, table: &str) -> String {
        show_create(connect(&self.dest, None).await, &self.name, table).await
    }

    /// Adds a route to the sink's settings.
    pub fn route(&self, from: &str, to: &str) {
        let path = self.folder.join("sink.toml");
        let settings = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("{settings}\n[[route]]\nfrom = \"{from}\"\nto = \"{to}\"\n")).unwrap();
    }

    /// Waits until both sides hold the same, byte for byte.
    pub async fn until_equal(&self) {
        let (mut source, mut dest) = (self.source_conn().await, self.dest_conn().await);
        let begun = std::time::Instant::now();
        loop {
            let found = differences(&mut source, &self.name, &mut dest, &self.name).await;
            if found.is_empty() {
                return;
            }
            let last: String = format!("{found:?}").chars().take(2000).collect();
            assert!(begun.elapsed() < super::LIMIT, "{}: still not equal: {last}", self.name);
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// Asserts that both sides hold the same now.
    pub async fn assert_equal(&self) {
        let (mut source, mut dest) = (self.source_conn().await, self.dest_conn().await);
        let found = differences(&mut source, &self.name, &mut dest, &self.name).await;
        assert!(found.is_empty(), "{}: {found:?}", self.name);
    }

    /// Waits until the destination answers a query with this number.
    pub async fn until_dest(&self, sql: &str, wanted: i64) {
        until(&format!("{sql} = {wanted}"), async || self.dest_number(sql).await == Some(wanted)).await;
    }

    /// Removes what this world made, its topics and ledger too, as far as that can be done
    /// after whatever happened.
    pub async fn sweep(&self) {
        let name = &self.name;
        for conn in [self.try_source_conn().await, self.try_dest_conn().await] {
            let Ok(mut conn) = conn else { continue };
            // What a test that failed has left prepared would be waited for without an end.
            let _ = conn.query_drop("SET SESSION lock_wait_timeout = 5").await;
            let prepared: Vec<(i32, u32, u32, String)> = conn.query("XA RECOVER").await.unwrap_or_default();
            for (.., xid) in prepared.iter().filter(|(.., xid)| xid.starts_with(&format!("{name}-"))) {
                let _ = conn.query_drop(format!("XA ROLLBACK '{xid}'")).await;
            }
            let _ = conn.query_drop(format!("DROP DATABASE IF EXISTS `{name}`")).await;
            for table in
                ["ledger", "ledger_places", "ledger_connections", "ledger_partitions", "ledger_groups"]
            {
                let _ = conn.query_drop(format!("DELETE FROM cdc.{table} WHERE name = '{name}'")).await;
            }
        }
        let patience = std::time::Duration::from_secs(10);
        let settings = Settings { bootstrap_servers: self.kafka.clone(), patience, ..Settings::default() };
        if let Ok(admin) = Admin::connect(&settings)
            && let Ok(topics) = admin.topics_with_prefix(&format!("{name}.")).await
        {
            let names: Vec<&str> = topics.keys().map(String::as_str).collect();
            let _ = admin.delete(&names).await;
        }
    }

    /// Removes settings and logs.
    pub fn forget(&self) {
        let _ = fs::remove_dir_all(&self.folder);
    }

    /// Removes what this world made. With `CDC_TEST_KEEP` its settings, logs and topics stay.
    pub async fn end(self) {
        if std::env::var_os("CDC_TEST_KEEP").is_none() {
            self.sweep().await;
            self.forget();
        }
    }
}

async fn run(mut conn: Conn, database: &str, sql: &str) {
    let _ = conn.query_drop(format!("USE `{database}`")).await;
    for statement in sql.split(";\n").map(str::trim).filter(|s| !s.is_empty()) {
        conn.query_drop(statement).await.unwrap_or_else(|e| panic!("{e}: {statement}"));
    }
}

async fn show_create(mut conn: Conn, database: &str, table: &str) -> String {
    let row: (String, String) =
        conn.query_first(format!("SHOW CREATE TABLE `{database}`.`{table}`")).await.unwrap().unwrap();
    row.1
}

/// A connection to a server, `host:port`.
pub async fn connect(server: &str, database: Option<&str>) -> Conn {
    try_connect(server, database).await.unwrap_or_else(|e| panic!("{server}: {e}"))
}

pub(super) async fn try_connect(server: &str, database: Option<&str>) -> mysql_async::Result<Conn> {
    let (host, port) = server.rsplit_once(':').unwrap();
    let opts = OptsBuilder::default()
        .ip_or_hostname(host)
        .tcp_port(port.parse().unwrap())
        .user(Some(variable("CDC_TEST_MYSQL_USER")))
        .pass(Some(variable("CDC_TEST_MYSQL_PASSWORD")))
        .db_name(database);
    Conn::new(opts).await
}

fn mysql_section(server: &str) -> String {
    let (host, port) = server.rsplit_once(':').unwrap();
    let password = variable("CDC_TEST_MYSQL_PASSWORD");
    let user = variable("CDC_TEST_MYSQL_USER");
    format!("[mysql]\nhost = \"{host}\"\nport = {port}\nuser = \"{user}\"\npassword = \"{password}\"\n")
}

/// A variable of the environment, else of the stack that `make stack` started.
pub fn variable(name: &str) -> String {
    let of_stack = || {
        let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/.stack/env")).ok()?;
        let line = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix('='))?;
        Some(line.trim_matches(['"', '\'']).to_owned())
    };
    let found = std::env::var(name).ok().or_else(of_stack);
    found.unwrap_or_else(|| panic!("{name} is not set: run `make test`, which brings up the stack"))
}
