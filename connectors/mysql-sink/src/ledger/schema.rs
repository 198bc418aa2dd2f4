//! The ledger's tables. Their form has a version, which every row of `ledger` carries.

use cdc_sdk::Result;
use cdc_sdk::name::quoted;

use super::Ledger;
use crate::apply::text;
use crate::session::{Refusal, Session};

const LEDGER: &str = "name VARCHAR(190) NOT NULL PRIMARY KEY COMMENT 'the sink', \
    format_version INT UNSIGNED NOT NULL, \
    topic_prefix VARCHAR(255) NOT NULL, \
    epoch BIGINT UNSIGNED NOT NULL COMMENT 'one more each time a sink of the name is opened', \
    incarnation BIGINT UNSIGNED NULL COMMENT 'the last cut applied', \
    sequence BIGINT UNSIGNED NULL, \
    high_incarnation BIGINT UNSIGNED NULL COMMENT 'the highest cut ever applied', \
    high_sequence BIGINT UNSIGNED NULL, \
    cuts_offset BIGINT NOT NULL, \
    position MEDIUMTEXT NOT NULL COMMENT 'of the source after the cut', \
    committed_at_us BIGINT NOT NULL COMMENT 'at the source, since 1970, UTC', \
    snapshot_complete TINYINT(1) NOT NULL, \
    applied_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)";

const PLACES: &str = "name VARCHAR(190) NOT NULL, \
    topic VARCHAR(249) NOT NULL, \
    partition_number INT NOT NULL, \
    next_offset BIGINT NOT NULL, \
    PRIMARY KEY (name, topic, partition_number)";

const CONNECTIONS: &str = "token CHAR(36) NOT NULL PRIMARY KEY COMMENT 'its connection holds the lock cdc_conn_<token>', \
    name VARCHAR(190) NOT NULL, \
    server_uuid CHAR(36) NOT NULL, \
    connection_id BIGINT UNSIGNED NOT NULL, \
    registered_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), \
    KEY name (name)";

const AUDIT: &str = "id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, \
    at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), \
    name VARCHAR(190) NOT NULL, \
    account VARCHAR(290) NOT NULL, \
    from_cut VARCHAR(64) NOT NULL, \
    to_cut VARCHAR(64) NOT NULL, \
    from_position MEDIUMTEXT NOT NULL, \
    reason TEXT NOT NULL, \
    program VARCHAR(64) NOT NULL";

const BACKUP: &str = "name VARCHAR(190) NOT NULL PRIMARY KEY COMMENT 'the sink', \
    gtids MEDIUMTEXT NOT NULL COMMENT 'what the backup held that the destination was restored from', \
    until_incarnation BIGINT UNSIGNED NOT NULL COMMENT 'the first cut that has all of it', \
    until_sequence BIGINT UNSIGNED NOT NULL";

const TABLES: [(&str, &str); 5] = [
    ("ledger", LEDGER),
    ("ledger_places", PLACES),
    ("ledger_connections", CONNECTIONS),
    ("ledger_audit", AUDIT),
    ("ledger_backup", BACKUP),
];

/// Whether any sink has a ledger here.
pub(crate) async fn begun(ledger: &Ledger, session: &mut Session) -> Result<bool> {
    let missing = missing(ledger, session).await.map_err(|r| r.into_error(unreadable(ledger)))?;
    Ok(!missing.iter().any(|(name, _)| *name == "ledger"))
}

/// Creates what is missing of the ledger. Nothing is asked of the account where nothing is missing.
pub(crate) async fn create(ledger: &Ledger, session: &mut Session) -> Result<()> {
    let what = || format!("the ledger's tables could not be created in `{}`", ledger.database);
    let missing = missing(ledger, session).await.map_err(|r| r.into_error(unreadable(ledger)))?;
    if missing.is_empty() {
        return Ok(());
    }
    if missing.len() == TABLES.len() {
        let sql = format!("CREATE DATABASE IF NOT EXISTS {}", quoted(&ledger.database));
        session.define(&sql).await.map_err(|r| r.into_error(what()))?;
    }
    for table in missing {
        define(ledger, session, table, "progress of sinks").await.map_err(|r| r.into_error(what()))?;
    }
    Ok(())
}

/// Makes a table that only some sinks need, where it is missing: its name, its columns, and what it holds.
pub(crate) async fn create_table(
    ledger: &Ledger,
    session: &mut Session,
    table: (&str, &str),
    purpose: &str,
) -> Result<()> {
    if exists(ledger, session, table.0).await? {
        return Ok(());
    }
    let what = || format!("the ledger's table {} could not be created", ledger.table(table.0));
    define(ledger, session, table, purpose).await.map_err(|r| r.into_error(what()))
}

async fn define(
    ledger: &Ledger,
    session: &mut Session,
    (name, body): (&str, &str),
    purpose: &str,
) -> Result<(), Refusal> {
    let sql = format!(
        "CREATE TABLE IF NOT EXISTS {} ({body}) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin \
         COMMENT='cdc: {purpose}; written by them only'",
        ledger.table(name)
    );
    session.define(&sql).await
}

/// Whether a table of the ledger's database is there.
pub(crate) async fn exists(ledger: &Ledger, session: &mut Session, table: &str) -> Result<bool> {
    let sql = format!(
        "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {}",
        text(&ledger.database),
        text(table)
    );
    let what = || format!("the catalogue of {} could not be read", quoted(&ledger.database));
    let found = session.row::<u8>(&sql).await.map_err(|r| r.into_error(what()))?;
    Ok(found.is_some())
}

async fn missing(
    ledger: &Ledger,
    session: &mut Session,
) -> Result<Vec<(&'static str, &'static str)>, Refusal> {
    let sql = format!(
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = {}",
        text(&ledger.database)
    );
    let there: Vec<String> = session.rows(&sql).await?;
    Ok(TABLES.into_iter().filter(|(name, _)| !there.iter().any(|t| t == name)).collect())
}

fn unreadable(ledger: &Ledger) -> String {
    format!("the catalogue of the ledger's database `{}` could not be read", ledger.database)
}
