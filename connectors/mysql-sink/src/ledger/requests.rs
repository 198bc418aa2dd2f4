//! What people ask a sink to do with its quarantine, and what came of it.
//!
//! A request is a row: it outlives whoever asked, is on record, and is done by whichever sink of
//! the name leads, between two batches. `state` goes from `asked` to `done`, or to `withdrawn` by who asked.

use std::fmt;

use cdc_sdk::{Error, Kind, Result, TableName};

use super::Ledger;
use super::schema::{create_table, exists};
use crate::apply::text;
use crate::session::{Refusal, Session};

/// The version of a request that this program writes and reads.
const FORMAT_VERSION: u32 = 1;
/// Requests that are looked at in one go.
const REQUESTS_MAX: u32 = 100;
/// Longest answer, in characters.
const ANSWER_CHARS_MAX: usize = 60_000;

const REQUESTS: &str = "id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, \
    name VARCHAR(190) NOT NULL COMMENT 'the sink', \
    format_version INT UNSIGNED NOT NULL, \
    action VARCHAR(16) NOT NULL, \
    source_database VARCHAR(64) NULL COMMENT 'NULL: all tables', \
    source_table VARCHAR(64) NULL, \
    key_text VARCHAR(255) NULL COMMENT 'NULL: all keys', \
    account VARCHAR(290) NOT NULL, \
    asked_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), \
    state VARCHAR(16) NOT NULL, \
    released BIGINT UNSIGNED NULL, \
    refused BIGINT UNSIGNED NULL, \
    answer MEDIUMTEXT NULL, \
    answered_at TIMESTAMP(6) NULL, \
    KEY name (name, state)";

const TABLE: &str = "ledger_requests";

/// What is to be done with keys in quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Apply their changes, and release those that this works for.
    Retry,
    /// Release them; their changes are lost.
    Discard,
}

/// Which keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// Of this table of the source; `None`: of all.
    pub table: Option<TableName>,
    /// The one that is shown so; `None`: all.
    pub key: Option<String>,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its number.
    pub id: u64,
    /// What to do.
    pub action: Action,
    /// With which keys.
    pub chosen: Chosen,
    /// Who asked.
    pub account: String,
}

/// What came of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Keys released.
    pub released: u64,
    /// Keys that stay.
    pub refused: u64,
    /// What was done with each, for people.
    pub text: String,
}

impl Action {
    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Discard => "discard",
        }
    }

    fn of(word: &str) -> Option<Self> {
        [Self::Retry, Self::Discard].into_iter().find(|action| action.word() == word)
    }
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.table, &self.key) {
            (None, None) => f.write_str("all keys"),
            (None, Some(key)) => write!(f, "key {key}"),
            (Some(table), None) => write!(f, "all keys of {table}"),
            (Some(table), Some(key)) => write!(f, "key {key} of {table}"),
        }
    }
}

/// Makes the table where it is missing.
pub(crate) async fn create(ledger: &Ledger, session: &mut Session) -> Result<()> {
    create_table(ledger, session, (TABLE, REQUESTS), "dead letters of sinks").await
}

/// Writes a request down; returns its number.
pub(crate) async fn ask(
    ledger: &Ledger,
    session: &mut Session,
    action: Action,
    chosen: &Chosen,
) -> Result<u64> {
    let or_null = |value: Option<&str>| value.map_or_else(|| "NULL".to_owned(), text);
    let sql = format!(
        "INSERT INTO {} (name, format_version, action, source_database, source_table, key_text, account, state) \
         VALUES ({}, {FORMAT_VERSION}, {}, {}, {}, {}, USER(), 'asked')",
        ledger.table(TABLE),
        text(&ledger.name),
        text(action.word()),
        or_null(chosen.table.as_ref().map(|t| t.database.as_str())),
        or_null(chosen.table.as_ref().map(|t| t.table.as_str())),
        or_null(chosen.key.as_deref()),
    );
    let what = || format!("the request to sink '{}' could not be written", ledger.name);
    session.command(&sql).await.map_err(|r| r.into_error(what()))?;
    let id = session.row::<u64>("SELECT LAST_INSERT_ID()").await.map_err(|r| r.into_error(what()))?;
    id.ok_or_else(|| Error::new(Kind::Bug, what()))
}

/// Requests that nobody has answered, oldest first.
pub(crate) async fn open(ledger: &Ledger, session: &mut Session) -> Result<Vec<Request>> {
    if !exists(ledger, session, TABLE).await? {
        return Ok(Vec::new());
    }
    type Row = (u64, u32, String, Option<String>, Option<String>, Option<String>, String);
    let sql = format!(
        "SELECT id, format_version, action, source_database, source_table, key_text, account FROM {} \
         WHERE name = {} AND state = 'asked' ORDER BY id LIMIT {REQUESTS_MAX}",
        ledger.table(TABLE),
        text(&ledger.name)
    );
    let what = || format!("the requests to sink '{}' could not be read", ledger.name);
    let rows: Vec<Row> = session.rows(&sql).await.map_err(|r| r.into_error(what()))?;
    let mut requests = Vec::with_capacity(rows.len());
    for (id, version, action, database, table, key, account) in rows {
        // Of a newer program: it is left for that.
        let (FORMAT_VERSION, Some(action)) = (version, Action::of(&action)) else { continue };
        let table = database.zip(table).map(|(database, table)| TableName { database, table });
        requests.push(Request { id, action, chosen: Chosen { table, key }, account });
    }
    Ok(requests)
}

/// Says what came of a request.
pub(crate) async fn answer(ledger: &Ledger, session: &mut Session, id: u64, answer: &Answer) -> Result<()> {
    let shown: String = answer.text.chars().take(ANSWER_CHARS_MAX).collect();
    let sql = format!(
        "UPDATE {} SET state = 'done', released = {}, refused = {}, answer = {}, answered_at = NOW(6) \
         WHERE id = {id} AND state = 'asked'",
        ledger.table(TABLE),
        answer.released,
        answer.refused,
        text(&shown)
    );
    let what = || format!("the answer of sink '{}' could not be written", ledger.name);
    session.command(&sql).await.map(|_| ()).map_err(|r: Refusal| r.into_error(what()))
}

/// What came of a request; `None` while nothing has.
pub(crate) async fn answered(ledger: &Ledger, session: &mut Session, id: u64) -> Result<Option<Answer>> {
    let sql = format!(
        "SELECT released, refused, answer FROM {} WHERE id = {id} AND state = 'done'",
        ledger.table(TABLE)
    );
    let what = || format!("the answer of sink '{}' could not be read", ledger.name);
    let row: Option<(u64, u64, String)> = session.row(&sql).await.map_err(|r| r.into_error(what()))?;
    Ok(row.map(|(released, refused, text)| Answer { released, refused, text }))
}

/// Takes a request back; `false` where it has been answered.
pub(crate) async fn withdraw(ledger: &Ledger, session: &mut Session, id: u64) -> Result<bool> {
    let sql =
        format!("UPDATE {} SET state = 'withdrawn' WHERE id = {id} AND state = 'asked'", ledger.table(TABLE));
    let what = || format!("the request to sink '{}' could not be withdrawn", ledger.name);
    let outcome = session.command(&sql).await.map_err(|r| r.into_error(what()))?;
    Ok(outcome.affected == 1)
}
