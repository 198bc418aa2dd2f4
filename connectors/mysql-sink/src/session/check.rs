//! Whether the destination is fit, all findings at once.

use cdc_sdk::pattern::SYSTEM_DATABASES;
use cdc_sdk::{Finding, Result};

use super::connect::{Purpose, Session};
use super::grants::Grants;
use super::refusal::Refusal;
use crate::settings::{SchemaMode, Settings};

/// The oldest version with what the sink uses: several user locks a session,
/// range access for lists of row constructors, `transaction_isolation` by its name.
const VERSION_MIN: (u16, u16, u16) = (5, 7, 20);
/// Rows up to this size must fit a statement.
const PACKET_BYTES_MIN: u64 = 64 << 20;
/// Triggers that are told of one by one.
const TRIGGERS_SHOWN_MAX: usize = 20;

/// Checks the destination. What blocks is refused by [`crate::Sink::open`] or by the first row sooner or later.
///
/// # Errors
/// Only if the destination cannot be asked.
pub async fn check(settings: &Settings) -> Result<Vec<Finding>> {
    let mut session = Session::connect(&settings.endpoint, Purpose::Tables).await?;
    let findings = examine(&mut session, settings).await;
    session.close().await;
    findings.map_err(|r| r.into_error(format!("destination {} could not be checked", settings.endpoint)))
}

async fn examine(session: &mut Session, settings: &Settings) -> Result<Vec<Finding>, Refusal> {
    let mut findings = Vec::new();
    server(session, &mut findings).await?;
    let grants = Grants::read(session).await?;
    findings.extend(missing_grants(&grants, settings));
    findings.extend(key_demands(session, &grants, settings));
    if let Err(error) = session.mark(settings.tag().as_deref()).await {
        let mend = format!(
            "SET PERSIST gtid_mode = ON; GRANT TRANSACTION_GTID_TAG, SESSION_VARIABLES_ADMIN ON *.* TO {};",
            grants.account
        );
        findings.push(Finding::blocking(error.to_string(), mend));
    }
    targets(session, settings, &mut findings).await?;
    Ok(findings)
}

async fn server(session: &mut Session, findings: &mut Vec<Finding>) -> Result<(), Refusal> {
    type Facts = (String, u8, u8, u64, String, u32);
    let sql = "SELECT VERSION(), @@GLOBAL.read_only, @@GLOBAL.super_read_only, @@GLOBAL.max_allowed_packet, \
               @@GLOBAL.default_storage_engine, @@GLOBAL.max_error_count";
    let Some((version, read_only, super_read_only, packet, engine, notes)) =
        session.row::<Facts>(sql).await?
    else {
        return Ok(());
    };
    if notes == 0 {
        findings.push(Finding::blocking(
            "max_error_count = 0: the server does not tell when it cuts a value",
            "SET PERSIST max_error_count = 1024;",
        ));
    }
    if version.contains("MariaDB") || session.version < VERSION_MIN {
        findings.push(Finding::blocking(
            format!("the destination is version {version}; MySQL 5.7.20 or later is needed"),
            "upgrade the server",
        ));
    }
    if read_only != 0 || super_read_only != 0 {
        let what = format!(
            "the destination is read-only (read_only = {read_only}, super_read_only = {super_read_only})"
        );
        let mend = "SET PERSIST super_read_only = OFF; SET PERSIST read_only = OFF;";
        findings.push(Finding::blocking(what, mend).passing());
    }
    if packet < PACKET_BYTES_MIN {
        findings.push(Finding::warning(
            format!("max_allowed_packet = {packet}: a row larger than that is refused"),
            "SET PERSIST max_allowed_packet = 1073741824;",
        ));
    }
    if !engine.eq_ignore_ascii_case("InnoDB") {
        findings.push(Finding::warning(
            format!("default_storage_engine = {engine}; tables that the sink creates are InnoDB"),
            "SET PERSIST default_storage_engine = InnoDB;",
        ));
    }
    Ok(())
}

fn missing_grants(grants: &Grants, settings: &Settings) -> Vec<Finding> {
    let account = &grants.account;
    let ledger = &settings.ledger_database;
    let mut findings = Vec::new();
    let lacks = grants.lacking(ledger, &["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE"]);
    if !lacks.is_empty() {
        let lacks = lacks.join(", ");
        findings.push(Finding::blocking(
            format!("{account} lacks {lacks} on the ledger's database `{ledger}`"),
            format!("GRANT {lacks} ON `{ledger}`.* TO {account};"),
        ));
    }
    let needed: &[&str] = match settings.schema {
        SchemaMode::Evolve | SchemaMode::Extend => {
            &["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "INDEX", "DROP"]
        }
        SchemaMode::Check | SchemaMode::None => &["SELECT", "INSERT", "UPDATE", "DELETE", "DROP"],
    };
    let databases = routed_databases(settings);
    if databases.is_empty() {
        findings.extend(nowhere(grants, needed));
    }
    for database in databases {
        let lacks = grants.lacking(&database, needed);
        if !lacks.is_empty() {
            let lacks = lacks.join(", ");
            findings.push(Finding::blocking(
                format!("{account} lacks {lacks} on `{database}`"),
                format!("GRANT {lacks} ON `{database}`.* TO {account};"),
            ));
        }
    }
    findings
}

/// Tables without a primary key cannot be made as they are: only a warning, since there may be none.
fn key_demands(session: &Session, grants: &Grants, settings: &Settings) -> Vec<Finding> {
    if !settings.schema.changes() {
        return Vec::new();
    }
    let account = &grants.account;
    let demands = session.key_demands.iter().map(|variable| {
        Finding::warning(
            format!(
                "{variable} = ON, and {account} may not turn it off for its sessions: a table without a primary key, or one \
                 that loses it, may stop the sink"
            ),
            format!("GRANT SESSION_VARIABLES_ADMIN ON *.* TO {account};"),
        )
    });
    demands.collect()
}

/// The databases that routes name, each once.
fn routed_databases(settings: &Settings) -> Vec<String> {
    let mut databases: Vec<String> = settings.routes.iter().filter_map(|r| r.to.database()).collect();
    databases.sort_unstable();
    databases.dedup();
    databases
}

/// Which databases the topics lead to is known only when they are read. But an account that may
/// not do it in any database may not do it there.
fn nowhere(grants: &Grants, needed: &[&str]) -> Option<Finding> {
    let lacks: Vec<&str> = needed.iter().copied().filter(|p| !grants.anywhere(p)).collect();
    (!lacks.is_empty()).then(|| {
        let (lacks, account) = (lacks.join(", "), &grants.account);
        Finding::blocking(
            format!("{account} has {lacks} on no database"),
            format!("GRANT {lacks} ON `<database>`.* TO {account};"),
        )
    })
}

/// Tables that exist already in the databases that routes name. Without routes it is only known when
/// rows come; then a table that does not fit is refused. Triggers are not: they are told of wherever they are.
async fn targets(
    session: &mut Session,
    settings: &Settings,
    findings: &mut Vec<Finding>,
) -> Result<(), Refusal> {
    let named: Vec<String> = routed_databases(settings).iter().map(|d| crate::apply::text(d)).collect();
    if named.is_empty() {
        let others = [SYSTEM_DATABASES.as_slice(), &[settings.ledger_database.as_str()]].concat();
        let others: Vec<String> = others.into_iter().map(crate::apply::text).collect();
        return triggers(
            session,
            &format!("NOT IN ({})", others.join(", ")),
            ", should it write there",
            findings,
        )
        .await;
    }
    let databases = named.join(", ");
    let engines: Vec<(String, String, Option<String>)> = session
        .rows(&format!(
            "SELECT TABLE_SCHEMA, TABLE_NAME, ENGINE FROM information_schema.TABLES \
             WHERE TABLE_TYPE = 'BASE TABLE' AND ENGINE <> 'InnoDB' AND TABLE_SCHEMA IN ({databases})"
        ))
        .await?;
    findings.extend(engines.into_iter().map(|(database, table, engine)| {
        let engine = engine.unwrap_or_default();
        Finding::blocking(
            format!("`{database}`.`{table}` is {engine}, which has no transactions"),
            format!("ALTER TABLE `{database}`.`{table}` ENGINE = InnoDB;"),
        )
    }));
    if settings.by_key {
        unique_keys(session, &databases, findings).await?;
    }
    triggers(session, &format!("IN ({databases})"), "", findings).await
}

/// Triggers in databases of which this holds, as far as the account may see them.
async fn triggers(
    session: &mut Session,
    databases: &str,
    reserve: &str,
    findings: &mut Vec<Finding>,
) -> Result<(), Refusal> {
    let triggers: Vec<(String, String, String)> = session
        .rows(&format!(
            "SELECT TRIGGER_SCHEMA, TRIGGER_NAME, EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS \
             WHERE TRIGGER_SCHEMA {databases} ORDER BY TRIGGER_SCHEMA, TRIGGER_NAME"
        ))
        .await?;
    let count = triggers.len();
    let shown = triggers.into_iter().take(TRIGGERS_SHOWN_MAX);
    findings.extend(shown.map(|(database, trigger, table)| {
        Finding::warning(
            format!("trigger `{trigger}` on `{database}`.`{table}` fires on what the sink writes{reserve}"),
            format!(
                "DROP TRIGGER `{database}`.`{trigger}`; or let its body be: IF @cdc_sink IS NULL THEN … END IF"
            ),
        )
    }));
    if count > TRIGGERS_SHOWN_MAX {
        findings.push(Finding::warning(
            format!("{} more triggers fire on what the sink writes{reserve}", count - TRIGGERS_SHOWN_MAX),
            "SELECT TRIGGER_SCHEMA, TRIGGER_NAME FROM information_schema.TRIGGERS;",
        ));
    }
    Ok(())
}

/// Tables that a sink by key could not write, should it meet them.
async fn unique_keys(
    session: &mut Session,
    databases: &str,
    findings: &mut Vec<Finding>,
) -> Result<(), Refusal> {
    let sql = format!(
        "SELECT TABLE_SCHEMA, TABLE_NAME, GROUP_CONCAT(INDEX_NAME ORDER BY INDEX_NAME SEPARATOR ', ') FROM \
         (SELECT DISTINCT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME FROM information_schema.STATISTICS \
         WHERE NON_UNIQUE = 0 AND TABLE_SCHEMA IN ({databases})) AS found \
         GROUP BY TABLE_SCHEMA, TABLE_NAME HAVING COUNT(*) > 1"
    );
    let tables: Vec<(String, String, String)> = session.rows(&sql).await?;
    findings.extend(tables.into_iter().map(|(database, table, keys)| {
        Finding::warning(
            format!(
                "`{database}`.`{table}` has more than one unique key ({keys}): with consistency = \"key\" the sink \
                 stops at its first row"
            ),
            "exclude the table at the source; or make all but one plain indexes, and set schema = \"none\"",
        )
    }));
    Ok(())
}
