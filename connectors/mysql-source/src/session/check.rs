//! What must be mended before the source can run: all of it at once, each with
//! the statement that mends it.

use std::collections::BTreeMap;

use cdc_sdk::pattern::Pattern;
use cdc_sdk::{Finding, Kind, Result, Table, TableName};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::grants::Grants;
use super::{connect, is_replica, log_end, within};
use crate::catalogue::{Catalogue, Listed, list};
use crate::ddl::ColumnNotes;
use crate::decode::Charset;
use crate::settings::Settings;

/// Tables looked at one by one; of the others only the privileges count.
const TABLES_LOOKED_AT_MAX: usize = 500;
const DAY_S: u64 = 86_400;
/// Tables that each ledger of a sink has.
const LEDGER_TABLES: [&str; 3] = ["ledger", "ledger_places", "ledger_connections"];

/// Looks at the server, the account and the captured tables.
///
/// # Errors
/// Only where the server cannot be asked at all; what is wrong comes as findings.
pub async fn check(settings: &Settings) -> Result<Vec<Finding>> {
    let mut conn = connect(&settings.endpoint).await?;
    let facts = Facts::ask(&mut conn).await?;
    let mut findings = server(&facts, settings);
    let grants = grants(&mut conn).await?;
    findings.extend(account(&mut conn, &grants, settings).await?);
    let tables = list(&mut conn, &settings.selection).await?;
    findings.extend(captured(&mut conn, &facts, &grants, settings, &tables).await?);
    Ok(findings)
}

/// Variables and version of the server.
#[derive(Clone, Debug, Default)]
struct Facts {
    version: (u16, u16, u16),
    variables: BTreeMap<String, String>,
    /// Databases whose changes alone are logged (`binlog_do_db`), and those whose are not (`binlog_ignore_db`).
    logged: [Vec<String>; 2],
    is_replica: bool,
}

impl Facts {
    async fn ask(conn: &mut Conn) -> Result<Self> {
        let query = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('log_bin', 'binlog_format', 'binlog_row_image', \
             'binlog_row_metadata', 'gtid_mode', \
             'enforce_gtid_consistency', 'binlog_expire_logs_seconds', 'expire_logs_days', 'server_id', \
             'innodb_native_foreign_keys', 'binlog_checksum', 'log_replica_updates', 'log_slave_updates')";
        let rows: Vec<(String, String)> = within("reading the server's variables", conn.query(query)).await?;
        Ok(Self {
            version: conn.server_version(),
            variables: rows.into_iter().collect(),
            logged: log_filters(conn).await?,
            // Who may not ask is told so by another finding.
            is_replica: is_replica(conn).await.unwrap_or(false),
        })
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    fn is(&self, name: &str, wanted: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case(wanted))
    }
}

/// What a variable must be, and why.
struct Demand {
    name: &'static str,
    value: &'static str,
    why: &'static str,
}

const DEMANDS: [Demand; 3] = [
    Demand { name: "binlog_format", value: "ROW", why: "only then every changed row is in the binlog" },
    Demand { name: "binlog_row_image", value: "FULL", why: "only then every changed row is there whole" },
    Demand {
        name: "binlog_row_metadata",
        value: "FULL",
        why: "only then the binlog names columns, character sets and ENUM members",
    },
];

fn server(facts: &Facts, settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(version(facts));
    if !facts.is("log_bin", "ON") {
        findings.push(Finding::blocking(
            "the server writes no binlog (log_bin = OFF)",
            "my.cnf: [mysqld] log_bin = binlog, then restart the server",
        ));
    }
    findings.extend(DEMANDS.iter().filter_map(|demand| demanded(facts, demand)));
    findings.extend(gtids(facts, settings));
    findings.extend(what_is_logged(facts, settings));
    findings.extend(retention(facts));
    findings.extend(identity(facts, settings));
    findings
}

fn version(facts: &Facts) -> Option<Finding> {
    let (major, minor, patch) = facts.version;
    let known = matches!((major, minor, patch), (8, 0, 1..) | (8, 1.., _) | (9, _, _));
    (!known).then(|| {
        Finding::blocking(
            format!("MySQL {major}.{minor}.{patch} is not supported"),
            "use MySQL 8.0.1 to 9.x: before that the binlog does not name columns",
        )
    })
}

fn demanded(facts: &Facts, demand: &Demand) -> Option<Finding> {
    let Demand { name, value, why } = demand;
    match facts.get(name) {
        Some(seen) if seen.eq_ignore_ascii_case(value) => None,
        Some(seen) => Some(Finding::blocking(
            format!("{name} = {seen}: {why}"),
            format!("SET PERSIST {name} = {value}"),
        )),
        None => Some(Finding::blocking(
            format!("the server does not know {name}: {why}"),
            "use MySQL 8.0.1 or newer for the source",
        )),
    }
}

/// Without GTIDs the source works, but a snapshot needs the global lock.
fn gtids(facts: &Facts, settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !facts.is("gtid_mode", "ON") {
        let mode = facts.get("gtid_mode").unwrap_or("unknown");
        let what = format!("gtid_mode = {mode}: the position does not survive a failover");
        let mend = "SET PERSIST enforce_gtid_consistency = ON; then gtid_mode = OFF_PERMISSIVE, ON_PERMISSIVE, ON, one after the other";
        let needs_lock =
            settings.snapshot != crate::settings::SnapshotMode::NoData && !settings.allow_global_read_lock;
        findings.push(if needs_lock {
            Finding::blocking(
                format!("{what}, and the snapshot needs a global read lock of milliseconds"),
                format!("{mend}; or allow the lock: [capture] allow_global_read_lock = true"),
            )
        } else {
            Finding::warning(what, mend)
        });
    } else if !facts.is("enforce_gtid_consistency", "ON") {
        findings.push(Finding::warning(
            "enforce_gtid_consistency is not ON",
            "SET PERSIST enforce_gtid_consistency = ON",
        ));
    }
    findings
}

/// What the server does and does not log would be missing without a word.
fn what_is_logged(facts: &Facts, settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    let [only, not] = &facts.logged;
    let mend =
        "take it out of the server's options (my.cnf, SET PERSIST does not know it), then restart the server";
    let captured: Vec<&str> = not
        .iter()
        .map(String::as_str)
        .filter(|database| settings.selection.may_select_in(database))
        .collect();
    if !captured.is_empty() {
        findings.push(Finding::blocking(
            format!("binlog_ignore_db names {}: their changes are not in the binlog", captured.join(", ")),
            mend,
        ));
    } else if !not.is_empty() {
        findings.push(Finding::warning(
            format!("binlog_ignore_db names {}: statements that change captured tables from there (USE) are not in the binlog", not.join(", ")),
            mend,
        ));
    }
    if !only.is_empty() {
        let list = only.join(", ");
        findings.push(Finding::blocking(
            format!("binlog_do_db names {list}: changes of other databases, and statements that are run from there (USE), are not in the binlog"),
            mend,
        ));
    }
    let relays = ["log_replica_updates", "log_slave_updates"].iter().any(|name| facts.is(name, "ON"));
    let told = facts.get("log_replica_updates").or(facts.get("log_slave_updates")).is_some();
    if told && !relays {
        let (what, mend) = (
            "log_replica_updates = OFF: what the server receives as a replica is not in its binlog",
            "my.cnf: [mysqld] log_replica_updates = ON (before 8.0.26 log_slave_updates), then restart the server",
        );
        findings.push(if facts.is_replica {
            Finding::blocking(what, mend)
        } else {
            Finding::warning(what, mend)
        });
    }
    findings
}

/// `Binlog_Do_DB` and `Binlog_Ignore_DB`, which no variable tells.
async fn log_filters(conn: &mut Conn) -> Result<[Vec<String>; 2]> {
    let statement =
        if conn.server_version() >= (8, 2, 0) { "SHOW BINARY LOG STATUS" } else { "SHOW MASTER STATUS" };
    // Who may not ask is told so by another finding.
    let row: Option<Row> = within("asking what is logged", conn.query_first(statement)).await.unwrap_or(None);
    let names = |index: usize| -> Vec<String> {
        let list = row.as_ref().and_then(|row| row.get_opt::<String, _>(index)?.ok()).unwrap_or_default();
        list.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
    };
    Ok([names(2), names(3)])
}

fn retention(facts: &Facts) -> Option<Finding> {
    let number = |name| facts.get(name).and_then(|v| v.parse::<u64>().ok());
    let seconds = match (number("binlog_expire_logs_seconds"), number("expire_logs_days")) {
        (Some(0), Some(days)) => days * DAY_S,
        (Some(seconds), _) => seconds,
        (None, Some(days)) => days * DAY_S,
        (None, None) => 0,
    };
    (seconds > 0 && seconds < DAY_S).then(|| {
        Finding::warning(
            format!(
                "binlogs are kept for {seconds} s only: a source that stands longer needs a new snapshot"
            ),
            "SET PERSIST binlog_expire_logs_seconds = 604800",
        )
    })
}

fn identity(facts: &Facts, settings: &Settings) -> Option<Finding> {
    let server: u32 = facts.get("server_id").and_then(|v| v.parse().ok()).unwrap_or(0);
    if server == 0 {
        return Some(Finding::blocking(
            "server_id = 0: the server refuses replicas",
            "SET PERSIST server_id = 1",
        ));
    }
    (server == settings.server_id()).then(|| {
        Finding::blocking(
            format!("the server's own server_id is {server}, which this source uses"),
            format!("[mysql] server_id = {}", server.wrapping_add(1).max(1)),
        )
    })
}

async fn grants(conn: &mut Conn) -> Result<Grants> {
    let lines: Vec<String> = within("reading the account's grants", conn.query("SHOW GRANTS")).await?;
    Ok(Grants::parse(lines.iter().map(String::as_str)))
}

/// What `SHOW GRANTS` does not show (roles) is tried.
async fn account(conn: &mut Conn, grants: &Grants, settings: &Settings) -> Result<Vec<Finding>> {
    let user = &settings.endpoint.user;
    let mut findings = Vec::new();
    let lacks = |privilege: &str| {
        Finding::blocking(
            format!("the account '{user}' lacks {privilege}"),
            format!("GRANT {privilege} ON *.* TO '{user}'@'%'"),
        )
    };
    if !grants.has("REPLICATION CLIENT") && is_denied(&log_end(conn).await.map(|_| ())) {
        findings.push(lacks("REPLICATION CLIENT"));
    }
    let tried = within("trying REPLICATION SLAVE", conn.query_drop("SHOW BINLOG EVENTS LIMIT 1")).await;
    if !grants.has("REPLICATION SLAVE") && is_denied(&tried) {
        findings.push(lacks("REPLICATION SLAVE"));
    }
    Ok(findings)
}

fn is_denied(result: &Result<()>) -> bool {
    result.as_ref().is_err_and(|e| e.kind() == Kind::MysqlDenied)
}

async fn captured(
    conn: &mut Conn,
    facts: &Facts,
    grants: &Grants,
    settings: &Settings,
    tables: &[Listed],
) -> Result<Vec<Finding>> {
    if tables.is_empty() {
        return Ok(vec![Finding::warning(
            "no table matches [capture] include, or the account may not see any",
            "mend [capture] include, or GRANT SELECT on the tables to the account",
        )]);
    }
    let mut findings = denied(conn, grants, settings, tables).await?;
    if !findings.is_empty() {
        return Ok(findings);
    }
    findings.extend(ledgers(tables));
    let catalogue = Catalogue::new(settings.endpoint.clone(), &ColumnNotes::new());
    for listed in tables.iter().take(TABLES_LOOKED_AT_MAX) {
        match catalogue.table(&listed.name).await {
            Ok(Some(table)) => findings.extend(table_findings(&table, &listed.engine)),
            Ok(None) => {}
            Err(e) if e.kind() == Kind::TypeUnsupported => {
                findings.push(Finding::blocking(e.what(), exclude(&listed.name)));
            }
            Err(e) => return Err(e),
        }
    }
    findings.extend(cascades(conn, facts, settings).await?);
    Ok(findings)
}

/// A sink's ledger in a database of another name than the usual one, which wildcards leave out. Nobody can tell by
/// the names alone that it is one, so it is captured; but nobody wants that.
fn ledgers(tables: &[Listed]) -> Vec<Finding> {
    let has = |database: &str, table: &str| {
        tables.iter().any(|t| t.name.database == database && t.name.table == table)
    };
    let marked = tables.iter().filter(|t| t.name.table == LEDGER_TABLES[0]).map(|t| t.name.database.as_str());
    let ledgers = marked.filter(|database| LEDGER_TABLES.iter().all(|table| has(database, table)));
    let told = |database: &str| {
        let pattern = Pattern::database_named(database);
        Finding::warning(
            format!("`{database}` looks like the ledger of a sink, of which every commit would be captured"),
            format!("leave it out: [capture] exclude = [\"{pattern}\"]"),
        )
    };
    ledgers.map(told).collect()
}

async fn denied(
    conn: &mut Conn,
    grants: &Grants,
    settings: &Settings,
    tables: &[Listed],
) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let unsure = tables.iter().filter(|t| !grants.selects(&t.name.database));
    for listed in unsure.take(TABLES_LOOKED_AT_MAX) {
        let probe = format!("SELECT * FROM {} LIMIT 0", listed.name.sql());
        if is_denied(&within("trying SELECT", conn.query_drop(probe)).await) {
            findings.push(Finding::blocking(
                format!("the account '{}' may not read {}", settings.endpoint.user, listed.name),
                format!("GRANT SELECT ON {} TO '{}'@'%'", listed.name.sql(), settings.endpoint.user),
            ));
        }
    }
    Ok(findings)
}

fn exclude(table: &TableName) -> String {
    format!("leave the table out: [capture] exclude = [\"{table}\"]")
}

fn table_findings(table: &Table, engine: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let name = &table.name;
    for column in &table.columns {
        if let Some(charset) = column.charset.as_deref().filter(|c| Charset::from_name(c).is_none()) {
            findings.push(Finding::blocking(
                format!("{name}, column {}: the character set {charset} is not supported", column.name),
                format!("ALTER TABLE {} CONVERT TO CHARACTER SET utf8mb4, or {}", name.sql(), exclude(name)),
            ));
        }
    }
    if table.identity().is_none() {
        findings.push(Finding::warning(
            format!(
                "{name} has no primary key and no unique key without NULLs: its rows cannot be told apart"
            ),
            format!("ALTER TABLE {} ADD PRIMARY KEY (…)", name.sql()),
        ));
    }
    if !engine.eq_ignore_ascii_case("InnoDB") {
        findings.push(Finding::warning(
            format!("{name} is a {engine} table: its snapshot is not of one moment"),
            format!("ALTER TABLE {} ENGINE = InnoDB", name.sql()),
        ));
    }
    findings
}

/// Foreign keys that change rows by themselves, where the binlog does not tell.
async fn cascades(conn: &mut Conn, facts: &Facts, settings: &Settings) -> Result<Vec<Finding>> {
    if facts.version >= (9, 6, 0) && !facts.is("innodb_native_foreign_keys", "ON") {
        return Ok(Vec::new());
    }
    let query = "SELECT CONSTRAINT_SCHEMA, TABLE_NAME, CONSTRAINT_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS \
                 WHERE DELETE_RULE IN ('CASCADE', 'SET NULL', 'SET DEFAULT') \
                    OR UPDATE_RULE IN ('CASCADE', 'SET NULL', 'SET DEFAULT')";
    let rows: Vec<Row> = within("reading the foreign keys", conn.query(query)).await?;
    let keys = rows.iter().filter_map(|row| {
        let text = |index: usize| row.get_opt::<String, _>(index)?.ok();
        Some((TableName::new(text(0)?, text(1)?), text(2)?))
    });
    Ok(keys
        .filter(|(table, _)| settings.selection.selects(table))
        .map(|(table, key)| {
            Finding::warning(
                format!("{table}: what the foreign key {key} changes by itself is not in the binlog of this server"),
                "use MySQL 9.6 or newer with innodb_native_foreign_keys = OFF, or let the application do it",
            )
        })
        .collect())
}

#[cfg(test)]
mod tests;
