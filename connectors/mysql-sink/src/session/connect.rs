//! Opening a session: address, encryption, and the settings that the
//! destination's rows depend on.

use std::sync::Arc;
use std::time::Duration;

use cdc_sdk::endpoint::{Endpoint, Kept, Tls, TlsMode};
use cdc_sdk::{Error, Kind, Result};
use mysql_async::{ClientIdentity, Conn, DriverError, Opts, OptsBuilder, SslOpts};

use super::line::Line;
use super::refusal::Refusal;

/// One connection to the destination.
pub(crate) struct Session {
    pub(super) conn: Conn,
    /// The server's version, three numbers.
    pub version: Version,
    /// How long a packet of statements may be, by the server's `max_allowed_packet`.
    pub packet_bytes_max: usize,
    /// What the server demands of tables without a primary key that this account may not turn off for itself.
    pub key_demands: Vec<String>,
    /// After an error of the connection itself nothing more is sent over it.
    pub(super) broken: bool,
    line: Line,
}

/// A server's version.
pub(crate) type Version = (u16, u16, u16);

/// What a session is for; its settings follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Rows and the ledger.
    Data,
    /// Rows beside other sessions of the same sink: it gives way to them soon.
    Writer,
    /// Reading the catalogue and DDL.
    Tables,
    /// Holding the lock. The server drops it early when it has gone silent.
    Lead,
}

/// How soon the operating system asks whether the peer of a silent connection is still there.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// How long opening a connection may take.
const CONNECT_MAX: Duration = Duration::from_secs(20);
/// The server frees the lock of a leader that has been silent for so long.
const LEAD_SILENCE_SECONDS_MAX: u32 = 30;
/// How long a statement waits for a row lock before it is tried again from the ledger.
const LOCK_WAIT_SECONDS_MAX: u32 = 20;
/// The same beside other sessions, where the lock may be held by a batch that waits for this one.
const WRITER_LOCK_WAIT_SECONDS_MAX: u32 = 1;

/// The first version whose GTIDs may have tags.
const TAGS_SINCE: Version = (8, 3, 0);

impl Session {
    /// Opens a session.
    ///
    /// # Errors
    /// [`Kind::MysqlUnreachable`], [`Kind::MysqlDenied`], or [`Kind::Settings`] for certificates that cannot be used.
    pub async fn connect(endpoint: &Endpoint, purpose: Purpose) -> Result<Self> {
        let what = || format!("destination {endpoint} cannot be reached");
        let connected = tokio::time::timeout(CONNECT_MAX, dial(endpoint)).await;
        let conn = match connected {
            Ok(conn) => conn?,
            Err(_) => return Err(Refusal::broken("no answer").into_error(what())),
        };
        let version = conn.server_version();
        let line = Line::new(Arc::new(endpoint.clone()), conn.id());
        let mut session = Self {
            conn,
            version,
            packet_bytes_max: usize::MAX,
            key_demands: Vec::new(),
            broken: false,
            line,
        };
        session.prepare(purpose).await.map_err(|r| r.into_error(what()))?;
        Ok(session)
    }

    /// From now on every transaction of this session bears a tag, by which a source there knows it.
    ///
    /// # Errors
    /// [`Kind::Settings`]: the server has no tags, or the account may not set them.
    pub async fn mark(&mut self, tag: Option<&str>) -> Result<()> {
        let Some(tag) = tag else { return Ok(()) };
        let what = || format!("transactions cannot bear the tag {tag}, by which they are not sent back");
        let mode: Option<String> =
            self.row("SELECT @@GLOBAL.gtid_mode").await.map_err(|r| r.into_error(what()))?;
        if self.version < TAGS_SINCE || mode.as_deref() != Some("ON") {
            return Err(Error::new(Kind::Settings, what())
                .hint("[two_way] needs MySQL 8.3 or later with gtid_mode = ON at the destination"));
        }
        let sql = format!(
            "SET SESSION transaction_isolation = 'REPEATABLE-READ', SESSION gtid_next = 'AUTOMATIC:{tag}'"
        );
        self.command(&sql).await.map(|_| ()).map_err(|r| {
            r.into_error(what())
                .hint("GRANT TRANSACTION_GTID_TAG, SESSION_VARIABLES_ADMIN ON *.* TO the account")
        })
    }

    async fn prepare(&mut self, purpose: Purpose) -> Result<(), Refusal> {
        self.command(&settings(purpose, self.version)).await?;
        let found: Option<(u64, u64)> =
            self.row("SELECT @@SESSION.max_allowed_packet, CONNECTION_ID()").await?;
        let (allowed, own) = found.unwrap_or_default();
        self.line.is_known_as(own);
        let allowed = usize::try_from(allowed).unwrap_or(usize::MAX);
        // The command's own byte counts too; the rest is room for the server's accounting.
        self.packet_bytes_max = allowed.saturating_sub(1024);
        match purpose {
            Purpose::Tables => self.allow_tables_without_key().await,
            Purpose::Data | Purpose::Writer | Purpose::Lead => Ok(()),
        }
    }

    /// A table is made as the source has it, also without a key. A server may be set to refuse such tables, or to give
    /// them a key of its own, which then no statement of the source can take away. Not every account may turn that off;
    /// without it tables that have a key are made as ever.
    async fn allow_tables_without_key(&mut self) -> Result<(), Refusal> {
        let sql = "SHOW SESSION VARIABLES WHERE Value = 'ON' AND Variable_name IN \
                   ('sql_require_primary_key', 'sql_generate_invisible_primary_key')";
        for (variable, _) in self.rows::<(String, String)>(sql).await? {
            match self.command(&format!("SET SESSION {variable} = 0")).await {
                Ok(_) => {}
                Err(refusal) if refusal.kind == Kind::MysqlDenied => self.key_demands.push(variable),
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(())
    }

    /// Whether it can be used no more.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// How the server is asked about this connection.
    pub(super) fn line(&self) -> Line {
        self.line.clone()
    }

    /// As behind a proxy, which has connections of its own.
    #[cfg(test)]
    pub(super) fn is_not_known(&mut self) {
        self.line.is_known_as(0);
    }

    /// The server's number for this connection.
    pub fn id(&self) -> u32 {
        self.conn.id()
    }

    /// Says goodbye to the server.
    pub async fn close(self) {
        if !self.broken
            && let Ok(Err(error)) = tokio::time::timeout(CONNECT_MAX, self.conn.disconnect()).await
        {
            tracing::debug!(%error, "a connection was not closed in good order");
        }
    }
}

/// The driver reads certificates once for all connections with the same options.
static USED: Kept<Opts> = Kept::new();

pub(super) async fn dial(endpoint: &Endpoint) -> Result<Conn> {
    let what = || format!("destination {endpoint} cannot be reached");
    let encrypted = Conn::new(USED.of(endpoint, options)).await;
    let no_tls = |e: &mysql_async::Error| {
        matches!(e, mysql_async::Error::Driver(DriverError::NoClientSslFlagFromServer))
    };
    match encrypted {
        Err(error) if endpoint.tls.mode == TlsMode::Preferred && no_tls(&error) => {
            let plain =
                Endpoint { tls: Tls { mode: TlsMode::Disabled, ..Tls::default() }, ..endpoint.clone() };
            Conn::new(options(&plain)).await.map_err(|e| Refusal::from(e).into_error(what()))
        }
        other => other.map_err(|e| Refusal::from(e).into_error(what())),
    }
}

fn options(endpoint: &Endpoint) -> Opts {
    OptsBuilder::default()
        .ip_or_hostname(endpoint.host.clone())
        .tcp_port(endpoint.port)
        .user(Some(endpoint.user.clone()))
        .pass(Some(endpoint.password.0.clone()))
        .prefer_socket(false)
        .tcp_keepalive(Some(KEEPALIVE))
        .tcp_nodelay(true)
        .stmt_cache_size(0)
        .ssl_opts(encryption(&endpoint.tls))
        .into()
}

fn encryption(tls: &Tls) -> Option<SslOpts> {
    if tls.mode == TlsMode::Disabled {
        return None;
    }
    let mut options = SslOpts::default()
        .with_danger_accept_invalid_certs(!tls.verifies())
        .with_danger_skip_domain_validation(tls.mode != TlsMode::VerifyIdentity);
    if let Some(ca) = &tls.ca {
        options = options.with_root_certs(vec![ca.clone().into()]).with_disable_built_in_roots(true);
    }
    let identity = tls.identity.as_ref().map(|i| ClientIdentity::new(i.archive().to_vec().into()));
    Some(options.with_client_identity(identity))
}

/// The session's settings, in one statement. Rows must mean the same whatever the server's defaults are:
/// no conversion of time or character set, no silent truncation, every date and every `0` as it is. That a value was
/// cut is told by notes.
/// Triggers know the sink by `@cdc_sink`, and may leave out what it writes.
/// Not NO_BACKSLASH_ESCAPES: with it the server cannot open a table one of whose expressions holds a quote, since
/// it reads its own text of it in the session's mode (seen on 9.7.4).
fn settings(purpose: Purpose, version: Version) -> String {
    let silence = match purpose {
        Purpose::Data | Purpose::Writer | Purpose::Tables => 86_400,
        Purpose::Lead => LEAD_SILENCE_SECONDS_MAX,
    };
    let lock_wait = match purpose {
        Purpose::Writer => WRITER_LOCK_WAIT_SECONDS_MAX,
        Purpose::Data | Purpose::Tables | Purpose::Lead => LOCK_WAIT_SECONDS_MAX,
    };
    let mut sql = format!(
        "SET NAMES utf8mb4 COLLATE utf8mb4_general_ci, SESSION autocommit = 1, completion_type = 'NO_CHAIN', time_zone = '+00:00', \
         sql_mode = 'STRICT_ALL_TABLES,ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION', \
         transaction_isolation = 'READ-COMMITTED', foreign_key_checks = 0, unique_checks = 1, \
         innodb_lock_wait_timeout = {lock_wait}, lock_wait_timeout = 300, \
         wait_timeout = {silence}, interactive_timeout = {silence}, net_write_timeout = 600, \
         net_read_timeout = 600, sql_safe_updates = 0, sql_select_limit = 18446744073709551615, sql_notes = 1, \
         div_precision_increment = 4, @cdc_sink = 1"
    );
    if version >= (5, 7, 12) {
        sql.push_str(", range_optimizer_max_mem_size = 0");
    }
    sql
}
