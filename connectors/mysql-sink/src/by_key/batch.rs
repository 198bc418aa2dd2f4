//! What the pipeline hands over, and what it gets back.

use cdc_sdk::cut::Place;
use cdc_sdk::{CutId, Op};

use crate::batch::{Applied, Change};

/// A partition of a topic.
pub type Partition = (String, i32);

/// Where a partition stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The offset of the next record.
    pub next_offset: i64,
    /// The last event that is applied, or counts as applied: its cut, and its ordinal there. What is not
    /// after it is skipped.
    pub last: Option<(CutId, u64)>,
    /// When the source committed that event, µs since 1970; 0 where that is not known.
    pub committed_us: i64,
}

impl Standing {
    /// Behind all events of a cut.
    pub fn behind(cut: CutId, next_offset: i64, committed_us: i64) -> Self {
        Self { next_offset, last: Some((cut, u64::MAX)), committed_us }
    }
}

/// How far a batch leads in one partition.
#[derive(Clone, Debug)]
pub struct Step {
    /// Which.
    pub partition: Partition,
    /// Its number in the origin of its changes.
    pub stream: u32,
    /// The offset that the ledger must hold before.
    pub from: i64,
    /// What it holds after.
    pub to: Standing,
}

/// Changes of some partitions, for each partition in its order.
#[derive(Clone, Debug)]
pub struct KeyBatch<R> {
    /// The changes.
    pub changes: Vec<Change<R>>,
    /// One for each partition that it leads on, those without a change included.
    pub steps: Vec<Step>,
}

impl<R> KeyBatch<R> {
    /// Leaves out what was lost to another sink.
    pub(super) fn leave_out(&mut self, lost: &[Partition]) {
        let (gone, kept) =
            std::mem::take(&mut self.steps).into_iter().partition(|s| lost.contains(&s.partition));
        self.steps = kept;
        let gone: Vec<Step> = gone;
        self.changes.retain(|change| !gone.iter().any(|step| step.stream == change.origin.stream));
    }

    /// Whether a partition brings rows without a key: replaying those would count them twice.
    pub(super) fn is_keyless(&self, stream: u32) -> bool {
        let keyless = |c: &Change<R>| c.key.is_none() && c.op != Op::Truncate;
        self.changes.iter().any(|change| change.origin.stream == stream && keyless(change))
    }
}

/// What became of a batch.
#[derive(Clone, Debug, Default)]
pub struct KeyApplied {
    /// What is committed.
    pub applied: Applied,
    /// Partitions that are not this sink's any more, or were set to another place: nothing of theirs is applied.
    pub lost: Vec<Partition>,
}

/// A table that the source emptied.
#[derive(Clone, Debug)]
pub struct Emptying<R> {
    /// The event.
    pub change: Change<R>,
    /// How far it leads in its own partition.
    pub step: Step,
    /// The cut that the event is in.
    pub cut: CutId,
    /// Where the topic's other partitions stand behind that cut.
    pub others: Vec<Place>,
}
