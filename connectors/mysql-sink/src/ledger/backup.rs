//! The backup that a destination was restored from, remembered until the sink is past it.
//!
//! A backup stands at a GTID set, and cuts stand where the source wrote them. The
//! sink begins at the last cut within the set; the cuts from there to the first that
//! has all of the set (`until`) bring transactions that the backup has, and such
//! that it lacks. Rows with a key are written again, which changes nothing in the
//! end. Rows without one are told apart by their transaction: so the set is kept
//! here, where a restart finds it, and is deleted in the commit that reaches `until`.

use cdc_sdk::{CutId, GtidSet, Result};

use super::Ledger;
use crate::apply::text;
use crate::session::Session;

/// What the destination held when it was restored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backup {
    /// All transactions that were in it.
    pub gtids: GtidSet,
    /// The first whole cut that has all of them.
    pub until: CutId,
}

impl Backup {
    /// Whether a sink at this cut is past it. While the initial snapshot goes on it is still needed: what
    /// that reads of rows without identity, the backup has.
    pub fn lies_behind(&self, cut: Option<CutId>, snapshot_complete: bool) -> bool {
        cut >= Some(self.until) && snapshot_complete
    }
}

/// The backup of a sink that is not past it yet.
pub(super) async fn read(ledger: &Ledger, session: &mut Session) -> Result<Option<Backup>> {
    let sql = format!(
        "SELECT gtids, until_incarnation, until_sequence FROM {} WHERE name = {}",
        ledger.table("ledger_backup"),
        text(&ledger.name)
    );
    let what = || format!("the backup of sink '{}' could not be read from the ledger", ledger.name);
    let row: Option<(String, u64, u64)> = session.row(&sql).await.map_err(|r| r.into_error(what()))?;
    let Some((gtids, incarnation, sequence)) = row else { return Ok(None) };
    let gtids = gtids.parse().map_err(|e: cdc_sdk::Error| e.at(what()))?;
    Ok(Some(Backup { gtids, until: CutId { incarnation, sequence } }))
}

/// The statement that stores it.
pub(super) fn store(ledger: &Ledger, backup: &Backup) -> String {
    format!(
        "REPLACE INTO {} (name, gtids, until_incarnation, until_sequence) VALUES ({}, {}, {}, {})",
        ledger.table("ledger_backup"),
        text(&ledger.name),
        text(&backup.gtids.to_string()),
        backup.until.incarnation,
        backup.until.sequence
    )
}

/// The statement that forgets it.
pub(super) fn forget(ledger: &Ledger) -> String {
    format!("DELETE FROM {} WHERE name = {}", ledger.table("ledger_backup"), text(&ledger.name))
}
