//! The keys in quarantine, and what is asked to be done with them.
//!
//! Tables of the ledger's database, made only where a sink has dead letters: a row of
//! `ledger_quarantine` is written in the transaction that leaves the key's changes out, and deleted in
//! the one that releases it. So is one of `ledger_quarantine_keys`, which says of which columns the key is made: versions
//! before this one do not write it, and what they took in is of columns that are not known. Each row carries the version
//! of its form.

use std::sync::Arc;

use bytes::Bytes;
use cdc_sdk::cut::Place;
use cdc_sdk::{Error, Kind, Result, TableName};
use mysql_async::prelude::FromRow;
use mysql_async::{FromRowError, Row};

use super::Ledger;
use super::schema::{create_table, exists};
use crate::apply::{binary, text};
use crate::dead_letter::{Held, Quarantine, Why};
use crate::session::Session;

/// The version of a row of `ledger_quarantine` that this program writes and reads.
const FORMAT_VERSION: u32 = 1;

const QUARANTINE: &str = "name VARCHAR(190) NOT NULL COMMENT 'the sink', \
    source_database VARCHAR(64) NOT NULL, \
    source_table VARCHAR(64) NOT NULL, \
    key_hash BINARY(32) NOT NULL COMMENT 'SHA-256 of the key; zeros: the whole table', \
    format_version INT UNSIGNED NOT NULL, \
    key_bytes MEDIUMBLOB NULL COMMENT 'the datum of the key', \
    key_text VARCHAR(255) NOT NULL, \
    error_code VARCHAR(8) NOT NULL, \
    error TEXT NOT NULL COMMENT 'the first', \
    since_us BIGINT NOT NULL, \
    letters BIGINT UNSIGNED NOT NULL, \
    topic VARCHAR(249) NOT NULL, \
    partition_number INT NOT NULL, \
    first_offset BIGINT NOT NULL, \
    last_topic VARCHAR(249) NOT NULL, \
    last_partition INT NOT NULL, \
    last_offset BIGINT NOT NULL, \
    letters_from BIGINT NOT NULL COMMENT 'offset of the dead letters', \
    PRIMARY KEY (name, source_database, source_table, key_hash)";

const KEYS: &str = "name VARCHAR(190) NOT NULL COMMENT 'the sink', \
    source_database VARCHAR(64) NOT NULL, \
    source_table VARCHAR(64) NOT NULL, \
    key_hash BINARY(32) NOT NULL COMMENT 'as in ledger_quarantine', \
    format_version INT UNSIGNED NOT NULL, \
    made_of TEXT NOT NULL COMMENT 'the columns of the key in its order, with their types', \
    PRIMARY KEY (name, source_database, source_table, key_hash)";

const TABLE: &str = "ledger_quarantine";
const KEYS_TABLE: &str = "ledger_quarantine_keys";

/// In its place where there is none.
const NO_KEYS: &str = "(SELECT NULL AS name, NULL AS source_database, NULL AS source_table, NULL AS key_hash, \
    NULL AS format_version, NULL AS made_of)";

/// A row as it is read, its version apart.
struct Stored(u32, Held);

impl FromRow for Stored {
    fn from_row_opt(mut row: Row) -> Result<Self, FromRowError> {
        let read = read_row(&mut row);
        read.ok_or(FromRowError(row))
    }
}

fn read_row(row: &mut Row) -> Option<Stored> {
    let mut text = |index: usize| row.take_opt::<String, _>(index)?.ok();
    let table = TableName::new(text(1)?, text(2)?);
    let (shown, code, error) = (text(4)?, text(5)?, text(6)?);
    let (topic, last_topic) = (text(9)?, text(12)?);
    let key: Option<Vec<u8>> = row.take_opt(3)?.ok()?;
    let made_of: Option<String> = row.take_opt(16)?.ok()?;
    let mut number = |index: usize| row.take_opt::<i64, _>(index)?.ok();
    let place = |topic, partition: i64, offset| {
        Some(Place { topic, partition: i32::try_from(partition).ok()?, offset })
    };
    let version = u32::try_from(number(0)?).ok()?;
    let held = Held {
        table,
        key: key.map(Bytes::from),
        made_of: made_of.map(Arc::from),
        shown: shown.into(),
        why: Arc::new(Why { code, text: error }),
        since_us: number(7)?,
        letters: u64::try_from(number(8)?).ok()?,
        first: place(topic, number(10)?, number(11)?)?,
        last: place(last_topic, number(13)?, number(14)?)?,
        letters_from: number(15)?,
    };
    Some(Stored(version, held))
}

/// Makes the tables where they are missing.
pub(crate) async fn create(ledger: &Ledger, session: &mut Session) -> Result<()> {
    create_table(ledger, session, (TABLE, QUARANTINE), "dead letters of sinks").await?;
    create_table(ledger, session, (KEYS_TABLE, KEYS), "dead letters of sinks").await
}

/// The keys in quarantine of the sink; none where it never had dead letters.
///
/// # Errors
/// [`Kind::UnknownVersion`] for a row of another form.
pub(crate) async fn read(ledger: &Ledger, session: &mut Session) -> Result<Quarantine> {
    let mut quarantine = Quarantine::default();
    if !exists(ledger, session, TABLE).await? {
        return Ok(quarantine);
    }
    let what = || format!("the quarantine of sink '{}' could not be read", ledger.name);
    // Where only an earlier version has been there is no such table.
    let keys = match exists(ledger, session, KEYS_TABLE).await? {
        true => ledger.table(KEYS_TABLE),
        false => NO_KEYS.to_owned(),
    };
    let sql = format!(
        "SELECT GREATEST(q.format_version, COALESCE(k.format_version, 0)), source_database, source_table, key_bytes, key_text, error_code, error, since_us, \
         letters, topic, partition_number, first_offset, last_topic, last_partition, last_offset, letters_from, \
         k.made_of FROM {} q LEFT JOIN {keys} k USING (name, source_database, source_table, key_hash) \
         WHERE q.name = {}",
        ledger.table(TABLE),
        text(&ledger.name)
    );
    let rows: Vec<Stored> = session.rows(&sql).await.map_err(|r| r.into_error(what()))?;
    for Stored(version, held) in rows {
        if version != FORMAT_VERSION {
            return Err(Error::new(Kind::UnknownVersion, what())
                .detail(format!("a row has format {version}; this program knows {FORMAT_VERSION}"))
                .hint("run the version of cdc that wrote it, or a later one"));
        }
        quarantine.take_in(held);
    }
    Ok(quarantine)
}

/// Takes a key in, or more letters of one that is in.
pub(crate) async fn take_in(ledger: &Ledger, session: &mut Session, held: &Held) -> Result<()> {
    let what = || format!("the quarantine of {} {} could not be written", held.table, held.shown);
    session.run(&take_in_sql(ledger, held)).await.map_err(|s| s.refusal.into_error(what()))?;
    let Some(made_of) = &held.made_of else { return Ok(()) };
    let sql = format!(
        "REPLACE INTO {} (name, source_database, source_table, key_hash, format_version, made_of) \
         VALUES ({}, {}, {}, {}, {FORMAT_VERSION}, {})",
        ledger.table(KEYS_TABLE),
        text(&ledger.name),
        text(&held.table.database),
        text(&held.table.table),
        hash_sql(held.key.as_ref()),
        text(made_of),
    );
    session.command(&sql).await.map(|_| ()).map_err(|r| r.into_error(what()))
}

fn take_in_sql(ledger: &Ledger, held: &Held) -> Vec<u8> {
    let mut sql = format!(
        "INSERT INTO {} (name, source_database, source_table, format_version, key_text, error_code, error, \
         since_us, letters, topic, partition_number, first_offset, last_topic, last_partition, last_offset, \
         letters_from, key_hash, key_bytes) VALUES ({}, {}, {}, {FORMAT_VERSION}, {}, {}, {}, {}, {}, {}, {}, \
         {}, {}, {}, {}, {}, {}, ",
        ledger.table(TABLE),
        text(&ledger.name),
        text(&held.table.database),
        text(&held.table.table),
        text(&held.shown),
        text(&held.why.code),
        text(&held.why.text),
        held.since_us,
        held.letters,
        text(&held.first.topic),
        held.first.partition,
        held.first.offset,
        text(&held.last.topic),
        held.last.partition,
        held.last.offset,
        held.letters_from,
        hash_sql(held.key.as_ref()),
    )
    .into_bytes();
    match &held.key {
        Some(key) => binary(&mut sql, key),
        None => sql.extend_from_slice(b"NULL"),
    }
    let more = format!(
        ") ON DUPLICATE KEY UPDATE letters = letters + {}, last_topic = {}, last_partition = {}, last_offset = {}",
        held.letters,
        text(&held.last.topic),
        held.last.partition,
        held.last.offset
    );
    sql.extend_from_slice(more.as_bytes());
    sql
}

/// The key's place in the primary key. In hexadecimal digits, since a key may be any bytes.
fn hash_sql(key: Option<&Bytes>) -> String {
    let Some(key) = key else { return "REPEAT(CHAR(0), 32)".to_owned() };
    let digits: String = key.iter().map(|b| format!("{b:02x}")).collect();
    format!("UNHEX(SHA2(x'{digits}', 256))")
}

/// Releases a key: it must be in.
pub(crate) async fn release(ledger: &Ledger, session: &mut Session, held: &Held) -> Result<()> {
    let what = || format!("{} {} could not be released", held.table, held.shown);
    let sql = |table: &str| {
        format!(
            "DELETE FROM {} WHERE name = {} AND source_database = {} AND source_table = {} AND key_hash = {}",
            ledger.table(table),
            text(&ledger.name),
            text(&held.table.database),
            text(&held.table.table),
            hash_sql(held.key.as_ref())
        )
    };
    session.command(&sql(KEYS_TABLE)).await.map_err(|r| r.into_error(what()))?;
    let outcome = session.command(&sql(TABLE)).await.map_err(|r| r.into_error(what()))?;
    if outcome.affected == 1 { Ok(()) } else { Err(ledger.moved()) }
}

/// Releases all keys: of a sink that begins anew.
pub(super) async fn forget(ledger: &Ledger, session: &mut Session) -> Result<()> {
    let what = || format!("the quarantine of sink '{}' could not be emptied", ledger.name);
    for table in [TABLE, KEYS_TABLE] {
        if exists(ledger, session, table).await? {
            let sql = format!("DELETE FROM {} WHERE name = {}", ledger.table(table), text(&ledger.name));
            session.command(&sql).await.map_err(|r| r.into_error(what()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
