//! The ledger by partition: `ledger_partitions`.
//!
//! Each row has an epoch. Whoever is given a partition raises it, under the row's lock, which
//! waits for a commit under way, and reads the offset behind that commit. Every commit names the epoch
//! and the offset that it believes in, so one that comes later from elsewhere affects no row.

use cdc_sdk::cut::Place;
use cdc_sdk::{CutId, Error, Kind, Result};

use super::batch::{Partition, Standing, Step};
use crate::apply::text;
use crate::ledger::{Ledger, create_table};
use crate::session::{Refusal, Session};

/// The version of its rows.
pub(super) const ROW_VERSION: u32 = 1;

const TABLE: &str = "ledger_partitions";

const COLUMNS: &str = "name VARCHAR(190) NOT NULL COMMENT 'the sink', \
    topic VARCHAR(249) NOT NULL, \
    partition_number INT NOT NULL, \
    format_version INT UNSIGNED NOT NULL, \
    epoch BIGINT UNSIGNED NOT NULL COMMENT 'one more each time the partition is taken, or set', \
    owner CHAR(36) NOT NULL COMMENT 'token of the connection that took it; empty: nobody has it', \
    next_offset BIGINT NOT NULL, \
    incarnation BIGINT UNSIGNED NULL COMMENT 'the cut of the last event applied', \
    sequence BIGINT UNSIGNED NULL, \
    ordinal BIGINT UNSIGNED NULL COMMENT 'its number in that cut', \
    keyless TINYINT(1) NOT NULL COMMENT 'it has brought rows without a key', \
    committed_at_us BIGINT NOT NULL COMMENT 'at the source, since 1970, UTC', \
    applied_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), \
    PRIMARY KEY (name, topic, partition_number)";

const GROUPS: &str = "ledger_groups";

const GROUP_COLUMNS: &str = "name VARCHAR(190) NOT NULL PRIMARY KEY COMMENT 'the sink', \
    format_version INT UNSIGNED NOT NULL, \
    id CHAR(36) NOT NULL COMMENT 'made at random: tells this ledger from those of other destinations'";

/// A row as it was found.
pub(super) struct Row {
    pub partition: Partition,
    pub epoch: u64,
    pub standing: Standing,
}

/// Makes the tables where they are missing.
pub(super) async fn create(ledger: &Ledger, session: &mut Session) -> Result<()> {
    for table in [(TABLE, COLUMNS), (GROUPS, GROUP_COLUMNS)] {
        create_table(ledger, session, table, "progress of sinks with consistency = key").await?;
    }
    Ok(())
}

/// What tells this ledger from one of the same name at another destination.
pub(super) async fn id(ledger: &Ledger, session: &mut Session) -> Result<String, Refusal> {
    let (table, name) = (ledger.table(GROUPS), text(&ledger.name));
    let sql = format!("SELECT id FROM {table} WHERE name = {name}");
    if let Some(id) = session.row(&sql).await? {
        return Ok(id);
    }
    let insert = format!(
        "INSERT IGNORE INTO {table} (name, format_version, id) VALUES ({name}, {ROW_VERSION}, UUID())"
    );
    session.command(&insert).await?;
    let id = session.row(&sql).await?;
    id.ok_or_else(|| Refusal::unexpected(format!("{table} has no row of {name}")))
}

/// Locks the rows of these partitions until the transaction ends, and makes those that are missing.
pub(super) async fn lock(
    ledger: &Ledger,
    session: &mut Session,
    wanted: &[Partition],
    base: Option<CutId>,
) -> Result<(), Refusal> {
    let sql = format!(
        "SELECT topic, partition_number FROM {} WHERE {} FOR UPDATE",
        ledger.table(TABLE),
        among(ledger, wanted)
    );
    let there: Vec<Partition> = session.rows(&sql).await?;
    let missing = wanted.iter().filter(|p| !there.contains(p));
    let first = Standing { next_offset: 0, last: base.map(|cut| (cut, u64::MAX)), committed_us: 0 };
    let rows: Vec<String> = missing.map(|p| row_sql(ledger, p, &first)).collect();
    if rows.is_empty() {
        return Ok(());
    }
    session.command(&insert_sql(ledger, &rows)).await.map(drop)
}

/// Raises the epochs of locked rows for this owner, and reads them.
pub(super) async fn raise(
    ledger: &Ledger,
    session: &mut Session,
    wanted: &[Partition],
    owner: &str,
) -> Result<Vec<Row>, Refusal> {
    let (table, among) = (ledger.table(TABLE), among(ledger, wanted));
    let owner = text(owner);
    session.command(&format!("UPDATE {table} SET epoch = epoch + 1, owner = {owner} WHERE {among}")).await?;
    read(ledger, session, &among).await
}

type Columns = (String, i32, u32, u64, i64, Option<u64>, Option<u64>, Option<u64>, i64);

async fn read(ledger: &Ledger, session: &mut Session, condition: &str) -> Result<Vec<Row>, Refusal> {
    let sql = format!(
        "SELECT topic, partition_number, format_version, epoch, next_offset, incarnation, sequence, ordinal, \
         committed_at_us FROM {} WHERE {condition}",
        ledger.table(TABLE)
    );
    let rows: Vec<Columns> = session.rows(&sql).await?;
    rows.into_iter().map(row_of).collect()
}

fn row_of(columns: Columns) -> Result<Row, Refusal> {
    let (topic, number, version, epoch, next_offset, incarnation, sequence, ordinal, committed_us) = columns;
    if version != ROW_VERSION {
        let what = format!("the row of {topic}/{number} has format {version}, not {ROW_VERSION}");
        return Err(Refusal { kind: Kind::UnknownVersion, code: u16::MAX, message: what });
    }
    let cut = incarnation.zip(sequence).map(|(incarnation, sequence)| CutId { incarnation, sequence });
    let standing = Standing { next_offset, last: cut.zip(ordinal), committed_us };
    Ok(Row { partition: (topic, number), epoch, standing })
}

/// The rows that this owner has.
pub(super) async fn owned(ledger: &Ledger, session: &mut Session, owner: &str) -> Result<Vec<Row>, Refusal> {
    let condition = format!("name = {} AND owner = {}", text(&ledger.name), text(owner));
    read(ledger, session, &condition).await
}

/// All rows of the sink.
pub(super) async fn all(ledger: &Ledger, session: &mut Session) -> Result<Vec<Row>, Refusal> {
    read(ledger, session, &format!("name = {}", text(&ledger.name))).await
}

/// Who has these partitions, but this owner.
pub(super) async fn other_owners(
    ledger: &Ledger,
    session: &mut Session,
    wanted: &[Partition],
    mine: &str,
) -> Result<Vec<String>, Refusal> {
    let sql = format!(
        "SELECT DISTINCT owner FROM {} WHERE {} AND owner NOT IN ('', {})",
        ledger.table(TABLE),
        among(ledger, wanted),
        text(mine)
    );
    session.rows(&sql).await
}

/// The statement by which an owner lets partitions go.
pub(super) fn release_sql(ledger: &Ledger, partitions: &[Partition], owner: &str) -> String {
    format!(
        "UPDATE {} SET owner = '' WHERE {} AND owner = {}",
        ledger.table(TABLE),
        among(ledger, partitions),
        text(owner)
    )
}

/// The compare-and-set of a step. It must affect one row.
pub(super) fn step_sql(ledger: &Ledger, step: &Step, epoch: u64, keyless: bool) -> String {
    let (topic, number) = &step.partition;
    let (cut, ordinal) = last_sql(&step.to);
    format!(
        "UPDATE {} SET next_offset = {}, incarnation = {}, sequence = {}, ordinal = {ordinal}, \
         keyless = keyless OR {}, committed_at_us = {}, applied_at = NOW(6) \
         WHERE name = {} AND topic = {} AND partition_number = {number} AND epoch = {epoch} AND next_offset = {}",
        ledger.table(TABLE),
        step.to.next_offset,
        cut.0,
        cut.1,
        u8::from(keyless),
        step.to.committed_us,
        text(&ledger.name),
        text(topic),
        step.from,
    )
}

/// The statement that sets a partition to a place, whoever has it: its epoch goes up, so it must be taken anew.
pub(super) fn set_sql(ledger: &Ledger, place: &Place, to: &Standing) -> String {
    let partition = (place.topic.clone(), place.partition);
    let insert = insert_sql(ledger, &[row_sql(ledger, &partition, to)]);
    let (cut, ordinal) = last_sql(to);
    format!(
        "{insert} ON DUPLICATE KEY UPDATE epoch = epoch + 1, next_offset = {}, incarnation = {}, sequence = {}, \
         ordinal = {ordinal}, committed_at_us = {}",
        to.next_offset, cut.0, cut.1, to.committed_us
    )
}

/// The statement that makes rows.
pub(super) fn insert_sql(ledger: &Ledger, rows: &[String]) -> String {
    format!(
        "INSERT INTO {} (name, topic, partition_number, format_version, epoch, owner, next_offset, incarnation, \
         sequence, ordinal, keyless, committed_at_us) VALUES {}",
        ledger.table(TABLE),
        rows.join(",")
    )
}

/// A row for [`insert_sql`].
pub(super) fn row_sql(ledger: &Ledger, (topic, number): &Partition, to: &Standing) -> String {
    let (cut, ordinal) = last_sql(to);
    format!(
        "({}, {}, {number}, {ROW_VERSION}, 0, '', {}, {}, {}, {ordinal}, 0, {})",
        text(&ledger.name),
        text(topic),
        to.next_offset,
        cut.0,
        cut.1,
        to.committed_us
    )
}

/// What the ledger says of all partitions together: the highest cut applied anywhere, and whether any has
/// brought rows without a key.
pub(super) async fn summary(
    ledger: &Ledger,
    session: &mut Session,
) -> Result<(Option<CutId>, bool), Refusal> {
    let rows = all(ledger, session).await?;
    let highest = rows.iter().filter_map(|row| row.standing.last).map(|(cut, _)| cut).max();
    let sql = format!(
        "SELECT COUNT(*) FROM {} WHERE name = {} AND keyless",
        ledger.table(TABLE),
        text(&ledger.name)
    );
    Ok((highest, session.row::<u64>(&sql).await?.unwrap_or(0) > 0))
}

/// The statement that forgets all partitions.
pub(super) fn forget_sql(ledger: &Ledger) -> String {
    format!("DELETE FROM {} WHERE name = {}", ledger.table(TABLE), text(&ledger.name))
}

fn last_sql(standing: &Standing) -> ((String, String), String) {
    match standing.last {
        Some((cut, ordinal)) => {
            ((cut.incarnation.to_string(), cut.sequence.to_string()), ordinal.to_string())
        }
        None => (("NULL".into(), "NULL".into()), "NULL".into()),
    }
}

/// The condition that names these partitions, by topic.
fn among(ledger: &Ledger, partitions: &[Partition]) -> String {
    let mut by_topic: std::collections::BTreeMap<&str, Vec<String>> = std::collections::BTreeMap::new();
    for (topic, number) in partitions {
        by_topic.entry(topic).or_default().push(number.to_string());
    }
    let each: Vec<String> = by_topic
        .into_iter()
        .map(|(topic, numbers)| {
            format!("(topic = {} AND partition_number IN ({}))", text(topic), numbers.join(","))
        })
        .collect();
    let any = if each.is_empty() { "FALSE".to_owned() } else { each.join(" OR ") };
    format!("name = {} AND ({any})", text(&ledger.name))
}

/// What is said where the ledger cannot be read or written.
pub(super) fn unusable(ledger: &Ledger) -> impl Fn(Refusal) -> Error + use<> {
    let what = format!("the partitions in the ledger of sink '{}' could not be read or set", ledger.name);
    move |refusal| refusal.into_error(what.clone())
}
