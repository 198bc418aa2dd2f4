//! Whether the next record of a partition is the one that its cut names.

use cdc_sdk::{CutId, Error, Kind, Result};

/// What to do with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is the next event of the cut.
    Take,
    /// It belongs to what has been applied already, or was written twice.
    Skip,
}

/// Guards one partition: lets a cut's events through once, in order.
///
/// It keeps the largest (cut, ordinal) it has seen, so a duplicate falls away
/// wherever it comes from.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    /// The cut being gathered and how many of its events are through.
    current: Option<(CutId, u64)>,
}

impl Gate {
    /// Begins to gather a cut. Records of earlier cuts will be skipped.
    pub fn expect(&mut self, cut: CutId) {
        if self.current.is_none_or(|(current, _)| current < cut) {
            self.current = Some((cut, 0));
        }
    }

    /// How many events of `cut` are through.
    pub fn taken(&self, cut: CutId) -> u64 {
        self.current.filter(|(current, _)| *current == cut).map_or(0, |(_, taken)| taken)
    }

    /// Passes over events of the cut that are gone, up to the record that comes next.
    pub fn pass_over(&mut self, events: u64, cut: CutId, ordinal: u64) {
        if let Some((expected, taken)) = &mut self.current {
            *taken = if cut == *expected { ordinal } else { events };
        }
    }

    /// Judges the partition's next record by its stamp.
    ///
    /// # Errors
    /// [`Kind::EventsMissing`] if the record is beyond what comes next: then records
    /// between have gone (retention, compaction, another writer).
    pub fn admit(&mut self, cut: CutId, ordinal: u64) -> Result<Admission> {
        let Some((expected, taken)) = self.current else {
            return Err(Error::new(Kind::Bug, format!("a record of cut {cut} before any cut is expected")));
        };
        if cut < expected || (cut == expected && ordinal < taken) {
            return Ok(Admission::Skip);
        }
        if cut == expected && ordinal == taken {
            self.current = Some((expected, taken + 1));
            return Ok(Admission::Take);
        }
        Err(Error::new(Kind::EventsMissing, format!("events of cut {expected} are missing"))
            .detail(format!("expected event {taken} of cut {expected}, found event {ordinal} of cut {cut}"))
            .hint(
                "retention or compaction took them, or the topic was written by something else: \
                 ask for a snapshot for this sink alone (cdc snapshot -c FILE --for-me), or restore the destination \
                 with its ledger from a backup",
            ))
    }
}
