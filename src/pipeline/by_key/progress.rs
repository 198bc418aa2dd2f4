//! What the group as a whole has left, and how far the source is.

use std::collections::HashMap;
use std::time::Duration;

use cdc_mysql_sink::{Partition, Standing};
use cdc_sdk::cut::CutKind;
use cdc_sdk::{CutId, Error, Kind, Result};

use super::super::cut_writer::OwnTopics;
use super::super::recovery::stored_cut;
use crate::kafka::{self, Group, Log, Part};
use crate::observe::SinkView;

/// Where all partitions ended when this process started.
pub(super) struct Ends {
    kafka: kafka::Settings,
    ends: HashMap<Partition, i64>,
}

impl Ends {
    /// As they are now.
    pub fn now(kafka: &kafka::Settings, group: &Group, partitions: Vec<Partition>) -> Result<Self> {
        let ends = group.ends(&partitions)?;
        Ok(Self { kafka: kafka.clone(), ends: partitions.into_iter().zip(ends).collect() })
    }

    /// Whether the ledger has all up to there. Its offset is that behind the last record, and markers may
    /// follow: so where it is before the end, Kafka is asked whether any record is between the two.
    pub fn are_reached(&self, ledger: &HashMap<Partition, Standing>) -> Result<bool> {
        let from = |partition| ledger.get(partition).map_or(0, |standing: &Standing| standing.next_offset);
        let behind = self.ends.iter().filter(|(partition, end)| from(partition) < **end);
        let parts = behind.map(|(partition, end)| Part {
            partition: partition.clone(),
            from: from(partition),
            end: *end,
        });
        match kafka::with_records(&self.kafka, parts.collect()) {
            Ok(left) => Ok(left.is_empty()),
            // Retention took records; whoever takes the partition tells whether that matters.
            Err(error) if error.kind() == Kind::EventsMissing => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The cuts as they are written: they say how far the source is while the topics are quiet.
pub(super) struct Pulse {
    cuts: Log,
}

impl Pulse {
    /// From now on.
    pub fn open(kafka: &kafka::Settings, topics: &OwnTopics) -> Result<Self> {
        let mut cuts = Log::open(kafka, &topics.cuts)?
            .ok_or_else(|| Error::new(Kind::NothingYet, format!("there is no topic {}", topics.cuts)))?;
        cuts.seek(cuts.end()?)?;
        Ok(Self { cuts })
    }

    /// Shows what has been written since the last look, at a moment when nothing is left to read.
    pub fn show(&mut self, view: &SinkView) -> Result<()> {
        while let Some(record) = self.cuts.next(Duration::ZERO)? {
            let cut = stored_cut(&record)?.cut;
            if cut.kind == CutKind::Abandoned {
                let error = abandoned(cut.id);
                tracing::warn!("{error}");
                view.error(&error);
            }
            view.passed(cut.id, cut.committed_us);
        }
        Ok(())
    }
}

/// By key, events are applied as they are published.
fn abandoned(cut: CutId) -> Error {
    Error::new(Kind::Divergence, format!("a large transaction ended abandoned at cut {cut}"))
        .detail("the source's server has lost it in a failover; what was published of it is applied here all the same")
        .hint("compare the tables with the source, and read those that differ once more: cdc snapshot --empty-first")
}
