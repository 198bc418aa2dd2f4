//! Which of the cuts read so far are applied next, and together.

use std::collections::VecDeque;

use cdc_sdk::cut::CutKind;
use cdc_sdk::{Cut, CutId, Error, Kind, Result};

/// How large a batch may grow.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of keys and values; a single cut may be larger.
    pub bytes: u64,
    /// Events; a single cut may have more.
    pub events: u64,
    /// Cuts that may wait for the end of a run.
    pub waiting: usize,
    /// No batch spans the end of this cut: up to it a replay repeats what was applied.
    pub barrier: Option<CutId>,
}

/// A cut with the offset of the cuts topic that follows it.
pub type Placed = (i64, Cut);

/// What the sink does next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Nothing that is ready: read more cuts.
    Wait,
    /// Apply these whole cuts in one transaction.
    Batch(Vec<Placed>),
    /// Apply these cuts of one source transaction, one after the other, in one open transaction.
    Run(Vec<Placed>),
    /// These cuts were abandoned: pass them by.
    Abandoned(Vec<Placed>),
}

/// Takes cuts in their order and forms batches.
#[derive(Debug)]
pub struct Batcher {
    limits: Limits,
    waiting: VecDeque<Placed>,
}

impl Batcher {
    /// An empty one.
    pub fn new(limits: Limits) -> Self {
        Self { limits, waiting: VecDeque::new() }
    }

    /// Whether more cuts should be read before the next batch is formed.
    pub fn has_room(&self) -> bool {
        self.waiting.len() < self.limits.waiting
    }

    /// Adds the next cut of the topic.
    ///
    /// # Errors
    /// [`Kind::LedgerMismatch`] where cuts do not ascend; [`Kind::EventsMissing`] where one run
    /// has more cuts than may wait.
    pub fn push(&mut self, next_offset: i64, cut: Cut) -> Result<()> {
        if let Some((_, last)) = self.waiting.back()
            && last.id >= cut.id
        {
            return Err(Error::new(Kind::LedgerMismatch, format!("cut {} follows cut {}", cut.id, last.id))
                .hint("two sources write to one cuts topic: give each its own topic prefix"));
        }
        if !self.has_room() {
            return Err(Error::new(
                Kind::EventsMissing,
                "one source transaction spans more cuts than may wait",
            )
            .detail(format!("{} cuts wait for the end of the run", self.waiting.len())));
        }
        self.waiting.push_back((next_offset, cut));
        Ok(())
    }

    /// How large an event is to be expected in the next so many bytes: the largest of the averages
    /// that a cut has in a partition.
    pub fn event_bytes_ahead(&self, window_bytes: u64) -> u64 {
        let mut passed = 0;
        let near = self.waiting.iter().take_while(|(_, cut)| {
            let is_near = passed < window_bytes;
            passed += cut.bytes();
            is_near
        });
        near.map(|(_, cut)| cut.event_bytes()).max().unwrap_or(0)
    }

    /// Takes what is to be applied next.
    pub fn take(&mut self) -> Next {
        let Some((_, first)) = self.waiting.front() else { return Next::Wait };
        match first.kind {
            CutKind::Complete => Next::Batch(self.take_whole_cuts()),
            CutKind::Continues | CutKind::Abandoned => self.take_run(),
        }
    }

    fn take_whole_cuts(&mut self) -> Vec<Placed> {
        let (mut bytes, mut events) = (0, 0);
        let mut count = 0;
        for (_, cut) in &self.waiting {
            bytes += cut.bytes();
            events += cut.events();
            let fits = bytes <= self.limits.bytes && events <= self.limits.events;
            let joins = cut.kind == CutKind::Complete && !cut.alone && fits;
            if count > 0 && !joins {
                break;
            }
            count += 1;
            if cut.alone || self.limits.barrier == Some(cut.id) {
                break;
            }
        }
        self.waiting.drain(..count).collect()
    }

    fn take_run(&mut self) -> Next {
        let Some(last) = self.waiting.iter().position(|(_, cut)| cut.kind != CutKind::Continues) else {
            return Next::Wait;
        };
        let abandoned = self.waiting[last].1.kind == CutKind::Abandoned;
        let run = self.waiting.drain(..=last).collect();
        if abandoned { Next::Abandoned(run) } else { Next::Run(run) }
    }
}
