//! What a destination has already, because it was restored from a backup.
//!
//! Between the cut that a sink began at and the one that has all of the backup, the
//! topics bring transactions that the backup holds and such that it lacks. Rows with
//! a key are written again. Of rows without one each change counts, so those of
//! transactions in the backup are left out here, one by one.

use cdc_mysql_sink::Backup;
use cdc_sdk::{Cut, Error, Gtid, Kind, Op, Result, Table};

/// The backup, until the sink is past it.
#[derive(Debug)]
pub struct Overlap {
    backup: Option<Backup>,
    /// Whether all up to the cut under way is in the backup.
    covers_cut: bool,
    /// Whether the cut under way is the last that needs it.
    ends: bool,
}

impl Overlap {
    /// As the ledger says.
    pub fn new(backup: Option<Backup>) -> Self {
        Self { backup, covers_cut: false, ends: false }
    }

    /// Goes on to the next cut, whose position has the whole GTID set.
    pub fn begin(&mut self, cut: &Cut) {
        if self.ends {
            self.backup = None;
        }
        let Some(backup) = &self.backup else { return };
        self.ends = backup.lies_behind(Some(cut.id), cut.snapshot_complete);
        self.covers_cut = cut.position.gtids.as_ref().is_some_and(|gtids| gtids.is_subset(&backup.gtids));
    }

    /// Whether a change is to be left out. Only where that depends on it, its transaction's GTID is asked for.
    ///
    /// # Errors
    /// [`Kind::Divergence`] for a row without identity that a snapshot read after the backup was
    /// taken: whether the backup has it, nothing tells.
    pub fn has(&self, table: &Table, op: Op, gtid: impl FnOnce() -> Result<Option<String>>) -> Result<bool> {
        let Some(backup) = self.backup.as_ref().filter(|_| table.identity().is_none()) else {
            return Ok(false);
        };
        if self.covers_cut {
            return Ok(true);
        }
        match gtid()?.filter(|_| op != Op::Read) {
            Some(gtid) => Ok(backup.gtids.contains(&gtid.parse::<Gtid>()?)),
            None => Err(read_anew(table)),
        }
    }
}

fn read_anew(table: &Table) -> Error {
    let name = &table.name;
    Error::new(
        Kind::Divergence,
        format!("{name} has no key, and a snapshot read it after the backup was taken"),
    )
    .detail("the destination was restored from that backup: which of these rows it has, nothing tells")
    .hint(
        "take a backup of the source that is newer than the snapshot of this table, restore it, \
             then: cdc offsets reset, and cdc sink --from-gtid",
    )
}

#[cfg(test)]
mod tests;
