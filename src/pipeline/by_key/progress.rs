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
    /// follow: so where it is before the end, Kafka is asked whether any record is between the two. What retention has
    /// taken does not count: whoever took the partition up has looked whether that matters.
    pub fn are_reached(&self, group: &Group, ledger: &HashMap<Partition, Standing>) -> Result<bool> {
        let from = |partition: &Partition| {
            ledger.get(partition).map_or(0, |standing: &Standing| standing.next_offset)
        };
        let behind = self.ends.iter().filter(|(partition, end)| from(partition) < **end);
        let (behind, ends): (Vec<Partition>, Vec<i64>) =
            behind.map(|(partition, end)| (partition.clone(), *end)).unzip();
        let beginnings = group.beginnings(&behind)?;
        let parts = behind.into_iter().zip(ends).zip(beginnings).map(|((partition, end), beginning)| Part {
            from: from(&partition).max(beginning),
            end,
            partition,
        });
        let parts = parts.filter(|part| part.from < part.end).collect();
        match kafka::with_records(&self.kafka, parts) {
            Ok(left) => Ok(left.is_empty()),
            // Retention was faster than this look: the next one tells.
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
    ///
    /// # Errors
    /// [`Kind::NothingYet`] where there is no such topic.
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

/// Whether sinks of this name work for another destination: Kafka would give them some of the partitions, and
/// neither destination would have all. Each tells the group whose offsets it stores.
pub(super) struct Rivals {
    /// Who this sink works for.
    pub id: String,
    /// What others had told before this one began: a destination of before, perhaps.
    before: HashMap<Partition, (i64, String)>,
}

impl Rivals {
    /// From now on nobody else may tell anything.
    pub fn now(group: &Group, id: &str, partitions: &[Partition]) -> Result<Self> {
        let told = group.told(partitions)?;
        let before = told.into_iter().map(|(partition, offset, who)| (partition, (offset, who))).collect();
        Ok(Self { id: id.to_owned(), before })
    }

    /// Looks who has told something since.
    ///
    /// # Errors
    /// [`Kind::LedgerMismatch`].
    pub fn refuse(&self, group: &Group, name: &str, partitions: &[Partition]) -> Result<()> {
        let other = group.told(partitions)?.into_iter().find(|(partition, offset, who)| {
            let new = self.before.get(partition) != Some(&(*offset, who.clone()));
            new && !who.is_empty() && *who != self.id
        });
        let Some(((topic, number), _, who)) = other else { return Ok(()) };
        let what = format!("sinks named '{name}' work for another destination, too");
        Err(Error::new(Kind::LedgerMismatch, what)
            .detail(format!("they share one consumer group: {topic}/{number} goes to the ledger {who}, this is {}", self.id))
            .hint(
                "neither destination gets all: stop them, give one of the two another name, empty its destination, and \
                 begin it anew (cdc offsets reset); compare the other with the source",
            ))
    }
}

/// By key, events are applied as they are published.
fn abandoned(cut: CutId) -> Error {
    Error::new(Kind::Divergence, format!("a large transaction ended abandoned at cut {cut}"))
        .detail("the source's server has lost it in a failover; what was published of it is applied here all the same")
        .hint("compare the tables with the source, and read those that differ once more: cdc snapshot --empty-first")
}
