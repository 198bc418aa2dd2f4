//! Taking over from a predecessor that may not know that it is dead.
//!
//! Before a connection is used it is written down in `ledger_connections` under a
//! random token, and it holds a user lock with that token in its name. So whoever
//! comes next can tell without any privilege whether that connection still lives
//! (somebody holds the lock) and which it is (the server says who), even after a
//! restart of the server has given its number to another. The successor ends those
//! connections and waits until their locks are free: MySQL frees them after it has
//! rolled back. From then on nothing of the predecessor's can commit, and the
//! answer of a commit that got lost is settled: the ledger says how it went.

use std::time::Duration;

use cdc_sdk::{Error, Kind, Result, fail};

use super::{FORMAT_VERSION, Ledger, Progress};
use crate::apply::text;
use crate::session::{Leader, Refusal, Session, lock_name};

/// How long an ended connection may take to roll back: a large transaction takes a while.
const ROLL_BACK_MAX: Duration = Duration::from_secs(600);
/// How often that is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// ER_NO_SUCH_THREAD.
const NO_SUCH_THREAD: u16 = 1094;

/// A connection written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Registration {
    token: String,
}

impl Registration {
    /// Writes a connection down before it is used.
    pub async fn of(ledger: &Ledger, session: &mut Session) -> Result<Self> {
        let what = || format!("a connection of sink '{}' could not be registered", ledger.name);
        let token = register(ledger, session).await.map_err(|r| r.into_error(what()))?;
        token.map(|token| Self { token }).ok_or_else(|| {
            Error::new(Kind::Bug, what())
                .detail("the server gave no random identifier, or somebody holds its lock")
        })
    }

    /// The random name of the connection.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Strikes it off, when the connection is about to end in good order.
    pub async fn strike(&self, ledger: &Ledger, session: &mut Session) -> Result<(), Refusal> {
        strike(ledger, session, &self.token).await
    }
}

async fn register(ledger: &Ledger, session: &mut Session) -> Result<Option<String>, Refusal> {
    let Some(token) = session.row::<String>("SELECT UUID()").await? else { return Ok(None) };
    let lock = text(&token_lock(&token));
    if session.row::<u8>(&format!("SELECT COALESCE(GET_LOCK({lock}, 0), 0)")).await? != Some(1) {
        return Ok(None);
    }
    session
        .command(&format!(
            "INSERT INTO {} (token, name, server_uuid, connection_id) \
             VALUES ({}, {}, @@server_uuid, CONNECTION_ID())",
            ledger.table("ledger_connections"),
            text(&token),
            text(&ledger.name)
        ))
        .await?;
    Ok(Some(token))
}

fn token_lock(token: &str) -> String {
    format!("cdc_conn_{token}")
}

/// Ends every registered connection of the sink but `mine`.
pub(crate) async fn end_predecessors(
    ledger: &Ledger,
    session: &mut Session,
    mine: &[Registration],
) -> Result<()> {
    let what = || format!("the connections of an earlier sink '{}' could not be ended", ledger.name);
    if fail::planted("sink.no_fencing") {
        return Ok(());
    }
    let tokens = registered(ledger, session).await.map_err(|r| r.into_error(what()))?;
    for token in tokens.iter().filter(|t| !mine.iter().any(|m| m.token == **t)) {
        end_connection(session, token, &ledger.name).await?;
        strike(ledger, session, token).await.map_err(|r| r.into_error(what()))?;
    }
    Ok(())
}

async fn registered(ledger: &Ledger, session: &mut Session) -> Result<Vec<String>, Refusal> {
    let sql = format!(
        "SELECT token FROM {} WHERE name = {} AND server_uuid = @@server_uuid",
        ledger.table("ledger_connections"),
        text(&ledger.name)
    );
    session.rows(&sql).await
}

async fn strike(ledger: &Ledger, session: &mut Session, token: &str) -> Result<(), Refusal> {
    let sql = format!("DELETE FROM {} WHERE token = {}", ledger.table("ledger_connections"), text(token));
    session.command(&sql).await.map(drop)
}

/// Whether any registered connection of the sink lives.
pub(crate) async fn is_alive(ledger: &Ledger, session: &mut Session) -> Result<bool> {
    let what = || format!("the connections of sink '{}' could not be looked up", ledger.name);
    for token in registered(ledger, session).await.map_err(|r| r.into_error(what()))? {
        if lives(session, &token).await.map_err(|r| r.into_error(what()))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Strikes off the connections of the sink that have ended without doing so.
pub(crate) async fn strike_dead(ledger: &Ledger, session: &mut Session) -> Result<()> {
    let what = || format!("the dead connections of sink '{}' could not be struck off", ledger.name);
    for token in registered(ledger, session).await.map_err(|r| r.into_error(what()))? {
        if !lives(session, &token).await.map_err(|r| r.into_error(what()))? {
            strike(ledger, session, &token).await.map_err(|r| r.into_error(what()))?;
        }
    }
    Ok(())
}

async fn lives(session: &mut Session, token: &str) -> Result<bool, Refusal> {
    let sql = format!("SELECT IS_USED_LOCK({}) IS NOT NULL", text(&token_lock(token)));
    Ok(session.row::<u8>(&sql).await? == Some(1))
}

/// Ends a registered connection, and waits until what it had open is rolled back.
pub(crate) async fn end_connection(session: &mut Session, token: &str, name: &str) -> Result<()> {
    let what = || format!("a connection of an earlier sink '{name}' could not be ended");
    let question = format!("SELECT IS_USED_LOCK({})", text(&token_lock(token)));
    let deadline = tokio::time::Instant::now() + ROLL_BACK_MAX;
    let mut killed = false;
    while tokio::time::Instant::now() < deadline {
        let id: Option<Option<u64>> = session.row(&question).await.map_err(|r| r.into_error(what()))?;
        let Some(id) = id.flatten() else { return Ok(()) };
        if !killed {
            tracing::info!(connection = id, "ending a connection of an earlier sink");
            match session.command(&format!("KILL CONNECTION {id}")).await {
                Ok(_) => killed = true,
                Err(refusal) if refusal.code == NO_SUCH_THREAD => {}
                Err(refusal) => return Err(refusal.into_error(what())),
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Err(Error::new(Kind::Conflict, what())
        .detail(format!("it has been rolling back for {} s", ROLL_BACK_MAX.as_secs()))
        .hint("it is tried again"))
}

/// Raises the epoch and returns the progress, in one transaction that waits for any commit under way.
///
/// # Errors
/// [`Kind::LedgerMoved`] if the lock of leadership has been lost meanwhile;
/// [`Kind::LedgerMismatch`] if the ledger follows another topic prefix.
pub(crate) async fn raise_epoch(
    ledger: &Ledger,
    session: &mut Session,
    leader: &Leader,
    topic_prefix: &str,
) -> Result<Progress> {
    let what = || format!("the epoch of sink '{}' could not be raised", ledger.name);
    session.command("START TRANSACTION").await.map_err(|r| r.into_error(what()))?;
    let raised = raise(ledger, session, leader, topic_prefix).await;
    let end = if raised.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = session.command(end).await.map_err(|r| r.into_error(what()));
    let progress = raised?;
    ended?;
    Ok(progress)
}

async fn raise(
    ledger: &Ledger,
    session: &mut Session,
    leader: &Leader,
    topic_prefix: &str,
) -> Result<Progress> {
    let what = || format!("the epoch of sink '{}' could not be raised", ledger.name);
    let leads = format!("IS_USED_LOCK({}) = {}", text(&lock_name(&ledger.name)), leader.connection);
    let found = ledger.read(session, true).await?;
    let (sql, progress) = match found {
        Some(found) if found.topic_prefix != topic_prefix => {
            return Err(other_prefix(ledger, &found, topic_prefix));
        }
        Some(found) => (
            format!(
                "UPDATE {} SET epoch = epoch + 1 WHERE name = {} AND epoch = {} AND {leads}",
                ledger.table("ledger"),
                text(&ledger.name),
                found.epoch
            ),
            Progress { epoch: found.epoch + 1, ..found },
        ),
        None => (
            format!(
                "INSERT INTO {} (name, format_version, topic_prefix, epoch, cuts_offset, position, \
                 committed_at_us, snapshot_complete) SELECT {}, {FORMAT_VERSION}, {}, 1, 0, '', 0, 0 \
                 FROM DUAL WHERE {leads}",
                ledger.table("ledger"),
                text(&ledger.name),
                text(topic_prefix)
            ),
            Progress { epoch: 1, topic_prefix: topic_prefix.to_owned(), ..Progress::default() },
        ),
    };
    let outcome = session.command(&sql).await.map_err(|r| r.into_error(what()))?;
    if outcome.affected == 1 { Ok(progress) } else { Err(ledger.moved()) }
}

pub(crate) fn other_prefix(ledger: &Ledger, found: &Progress, wanted: &str) -> Error {
    Error::new(
        Kind::LedgerMismatch,
        format!("sink '{}' follows topic prefix '{}', not '{wanted}'", ledger.name, found.topic_prefix),
    )
    .hint("give this sink another name, or set topic_prefix back")
}
