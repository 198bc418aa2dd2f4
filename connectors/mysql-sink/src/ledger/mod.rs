//! The ledger: how far the sink has come, in rows beside the data.
//!
//! It is written in the transaction of the data that it speaks of, by a
//! compare-and-set that must affect one row: the update names the epoch and the cut
//! that this sink believes in. If another sink has been here since, it affects none,
//! and everything is rolled back. So data and progress never disagree, and of two
//! sinks only one can commit.

mod admin;
mod backup;
mod dead_letters;
pub(crate) mod quarantine;
pub(crate) mod requests;
mod schema;
mod takeover;

use std::collections::HashMap;

use cdc_sdk::cut::Place;
use cdc_sdk::name::quoted;
use cdc_sdk::{CutId, Error, Kind, Result, fail};

pub use admin::{LedgerAdmin, Mark, Move, Running};
pub use backup::Backup;
pub use dead_letters::DeadLetterDesk;
pub use requests::{Action, Answer, Chosen, Request};
pub(crate) use schema::{begun, create, create_table};
pub(crate) use takeover::{
    Registration, end_connection, end_predecessors, is_alive, other_prefix, raise_epoch, strike_dead,
};

use crate::apply::text;
use crate::batch::Advance;
use crate::session::{Refusal, Session};

/// The version of the ledger's form that this program writes and reads.
pub(crate) const FORMAT_VERSION: u32 = 1;

/// The version of a ledger that is kept by partition: its row says only that, and behind which cut partitions begin.
pub(crate) const BY_KEY_VERSION: u32 = 2;

/// How far a sink has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The last cut applied; `None` before the first.
    pub cut: Option<CutId>,
    /// The offset in `prefix.cuts` to go on reading from.
    pub cuts_offset: i64,
    /// The next offset of each data partition, by topic and number.
    pub places: HashMap<(String, i32), i64>,
    /// The highest cut ever applied. Above `cut` while a replay converges.
    pub high_water: Option<CutId>,
    /// The source's position after the cut.
    pub position: String,
    /// When the source committed the last transaction, µs since 1970.
    pub committed_us: i64,
    /// Whether the initial snapshot is through.
    pub snapshot_complete: bool,
    /// The topic prefix that the sink follows.
    pub topic_prefix: String,
    /// How often a sink of this name has been opened.
    pub epoch: u64,
    /// The backup that the destination was restored from, until the sink is past it.
    pub backup: Option<Backup>,
    /// It is kept by partition, each at a cut of its own: then `cut` is none, and `high_water` the highest of all.
    pub by_key: bool,
}

impl Progress {
    /// Whether a replay goes over what has been applied before. Until it ends the destination may
    /// show states older than it had, and rows in the way are replaced.
    pub fn converging(&self) -> bool {
        self.high_water > self.cut
    }

    /// Whether nothing was ever applied: the sink was opened and found nothing yet.
    pub fn is_fresh(&self) -> bool {
        self.cut.is_none() && self.high_water.is_none()
    }

    /// Whether rows without identity are left out: what the ledger has of them must not be done again.
    /// Over a backup the caller leaves out what the backup has, transaction by transaction.
    pub(crate) fn skips_keyless(&self) -> bool {
        self.converging() && self.backup.is_none()
    }

    /// Whether with this commit the backup lies behind.
    pub(crate) fn passes_backup(&self, advance: &Advance) -> bool {
        let past = |b: &Backup| b.lies_behind(Some(advance.cut), advance.snapshot_complete);
        self.backup.as_ref().is_some_and(past)
    }

    /// Takes over what has been committed.
    pub(crate) fn advance(&mut self, advance: Advance) {
        if self.passes_backup(&advance) {
            self.backup = None;
        }
        self.cut = Some(advance.cut);
        self.high_water = self.high_water.max(Some(advance.cut));
        self.cuts_offset = advance.cuts_offset;
        self.position = advance.position;
        self.committed_us = advance.committed_us;
        self.snapshot_complete = advance.snapshot_complete;
        for place in advance.places {
            self.places.insert((place.topic, place.partition), place.offset);
        }
    }
}

/// Where the ledger of a sink is.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    /// The database of its tables.
    pub database: String,
    /// The sink's name.
    pub name: String,
}

impl Ledger {
    /// One of its tables, quoted.
    pub fn table(&self, table: &str) -> String {
        format!("{}.{}", quoted(&self.database), quoted(table))
    }

    /// Reads the progress; `None` where this sink has never run. With `lock` the row stays locked until the
    /// transaction ends, which waits for any commit that is under way.
    ///
    /// # Errors
    /// [`Kind::LedgerMismatch`] for a ledger that is kept by partition.
    pub async fn read(&self, session: &mut Session, lock: bool) -> Result<Option<Progress>> {
        match self.read_any(session, lock).await? {
            Some(progress) if progress.by_key => Err(crate::by_key::refused(self)),
            progress => Ok(progress),
        }
    }

    /// As [`Self::read`], also of a ledger that is kept by partition.
    pub async fn read_any(&self, session: &mut Session, lock: bool) -> Result<Option<Progress>> {
        let what = || format!("the ledger of sink '{}' could not be read", self.name);
        let row = self.read_row(session, lock).await.map_err(|r| r.into_error(what()))?;
        let Some((version, mut progress)) = row else { return Ok(None) };
        if version == BY_KEY_VERSION {
            return Ok(Some(Progress { by_key: true, ..progress }));
        }
        if version != FORMAT_VERSION {
            return Err(Error::new(
                Kind::UnknownVersion,
                format!(
                    "the ledger of sink '{}' has format {version}; this program knows {FORMAT_VERSION}",
                    self.name
                ),
            )
            .hint("run the version of cdc that wrote it, or a later one"));
        }
        let sql = format!(
            "SELECT topic, partition_number, next_offset FROM {} WHERE name = {}",
            self.table("ledger_places"),
            text(&self.name)
        );
        let places: Vec<(String, i32, i64)> = session.rows(&sql).await.map_err(|r| r.into_error(what()))?;
        progress.places =
            places.into_iter().map(|(topic, partition, offset)| ((topic, partition), offset)).collect();
        progress.backup = backup::read(self, session).await?;
        Ok(Some(progress))
    }

    async fn read_row(&self, session: &mut Session, lock: bool) -> Result<Option<(u32, Progress)>, Refusal> {
        type Rest = (Option<u64>, Option<u64>, Option<u64>, Option<u64>, i64, String, i64, bool);
        let sql = |columns: &str, tail: &str| {
            format!("SELECT {columns} FROM {} WHERE name = {}{tail}", self.table("ledger"), text(&self.name))
        };
        // The version by itself: in another one the other columns may be others.
        let tail = if lock { " FOR UPDATE" } else { "" };
        let head: Option<(u32, String, u64)> =
            session.row(&sql("format_version, topic_prefix, epoch", tail)).await?;
        let Some((version, topic_prefix, epoch)) = head else { return Ok(None) };
        if version != FORMAT_VERSION {
            return Ok(Some((version, Progress { topic_prefix, epoch, ..Progress::default() })));
        }
        let columns = "incarnation, sequence, high_incarnation, high_sequence, cuts_offset, position, \
                       committed_at_us, snapshot_complete";
        let rest: Option<Rest> = session.row(&sql(columns, "")).await?;
        let Some((
            cut,
            sequence,
            high,
            high_sequence,
            cuts_offset,
            position,
            committed_us,
            snapshot_complete,
        )) = rest
        else {
            return Ok(None);
        };
        let id = |incarnation: Option<u64>, sequence: Option<u64>| {
            Some(CutId { incarnation: incarnation?, sequence: sequence? })
        };
        let progress = Progress {
            cut: id(cut, sequence),
            high_water: id(high, high_sequence),
            cuts_offset,
            position,
            committed_us,
            snapshot_complete,
            topic_prefix,
            epoch,
            places: HashMap::new(),
            backup: None,
            by_key: false,
        };
        Ok(Some((version, progress)))
    }

    /// The compare-and-set that moves the ledger from `from` to `to`. It must affect one row.
    pub fn advance_sql(&self, from: &Progress, to: &Advance) -> String {
        let high = from.high_water.max(Some(to.cut)).unwrap_or(to.cut);
        let (incarnation, sequence) = cut_sql(from.cut);
        let mut if_mine = format!(
            " AND epoch = {} AND incarnation <=> {incarnation} AND sequence <=> {sequence}",
            from.epoch
        );
        if fail::planted("sink.no_fencing") {
            if_mine.clear();
        }
        format!(
            "UPDATE {} SET incarnation = {}, sequence = {}, high_incarnation = {}, high_sequence = {}, \
             cuts_offset = {}, position = {}, committed_at_us = {}, snapshot_complete = {}, applied_at = NOW(6) \
             WHERE name = {}{if_mine}",
            self.table("ledger"),
            to.cut.incarnation,
            to.cut.sequence,
            high.incarnation,
            high.sequence,
            to.cuts_offset,
            text(&to.position),
            to.committed_us,
            u8::from(to.snapshot_complete),
            text(&self.name),
        )
    }

    /// What goes with a commit beside the compare-and-set.
    pub fn beside(&self, from: &Progress, to: &Advance) -> Vec<String> {
        let passed = from.passes_backup(to).then(|| backup::forget(self));
        self.places_of(&to.places).into_iter().chain(passed).collect()
    }

    /// The epoch and the cut as they are now; `None` where the ledger has gone.
    pub async fn stand(&self, session: &mut Session) -> Result<Option<(u64, Option<CutId>)>, Refusal> {
        let (table, name) = (self.table("ledger"), text(&self.name));
        let sql = format!("SELECT epoch, incarnation, sequence FROM {table} WHERE name = {name}");
        let row: Option<(u64, Option<u64>, Option<u64>)> = session.row(&sql).await?;
        let cut = |incarnation, sequence| Some(CutId { incarnation: incarnation?, sequence: sequence? });
        Ok(row.map(|(epoch, incarnation, sequence)| (epoch, cut(incarnation, sequence))))
    }

    /// The statement that stores partitions' offsets; `None` if there are none.
    pub fn places_of(&self, places: &[Place]) -> Option<String> {
        if places.is_empty() {
            return None;
        }
        let rows: Vec<String> = places
            .iter()
            .map(|p| format!("({},{},{},{})", text(&self.name), text(&p.topic), p.partition, p.offset))
            .collect();
        Some(format!(
            "REPLACE INTO {} (name, topic, partition_number, next_offset) VALUES {}",
            self.table("ledger_places"),
            rows.join(",")
        ))
    }

    /// What the ledger says when the compare-and-set affects no row.
    pub fn moved(&self) -> Error {
        Error::new(Kind::LedgerMoved, format!("the ledger of sink '{}' has moved under this sink", self.name))
            .hint(
                "another sink of this name has taken over, or its ledger was set to another place (cdc replay); \
                 what was not committed is rolled back, and this sink reads the ledger anew",
            )
    }
}

fn cut_sql(cut: Option<CutId>) -> (String, String) {
    match cut {
        Some(cut) => (cut.incarnation.to_string(), cut.sequence.to_string()),
        None => ("NULL".into(), "NULL".into()),
    }
}

#[cfg(test)]
mod tests;
