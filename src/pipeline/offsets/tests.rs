use std::collections::HashMap;

use cdc_mysql_sink::Backup;
use cdc_sdk::{CutId, GtidSet};

use super::*;

#[test]
fn a_ledger_says_why_its_destination_is_no_state() {
    let cut = |sequence| Some(CutId { incarnation: 1, sequence });
    let row = |topic: &str, value| HashMap::from([((topic.to_owned(), filling::NO_PARTITION), value)]);
    let good = Progress { cut: cut(5), high_water: cut(5), snapshot_complete: true, ..Progress::default() };
    let why = |progress: Progress| no_state(("shop", "crm"), &progress, &Quarantine::default());
    assert_eq!(why(good.clone()), None);
    assert_eq!(why(Progress::default()), None, "nothing was applied yet");
    assert_eq!(why(Progress { places: row("shop.snapshot-for-crm", 1), ..good.clone() }), None, "filled");
    let backup = Some(Backup { gtids: GtidSet::default(), until: CutId { incarnation: 1, sequence: 9 } });
    for (progress, wanted) in [
        (Progress { places: row("shop.snapshot-for-crm", 0), ..good.clone() }, "being filled"),
        (Progress { places: row("shop.cuts", 7), ..good.clone() }, "compaction"),
        (Progress { high_water: cut(6), ..good.clone() }, "up to cut 1.6"),
        (Progress { high_water: cut(9), backup, ..good.clone() }, "a backup"),
        (Progress { snapshot_complete: false, ..good.clone() }, "not all been read"),
    ] {
        let found = why(progress).unwrap_or_default();
        assert!(found.contains(wanted), "{wanted}: {found:?}");
    }
}
