//! `cdc replay`: sets the ledger back to a cut, from which the sink goes on.
//!
//! Rows are idempotent upserts, so the destination ends in the state that no
//! replay would have; on the way it passes through older states, and says so.

use cdc_mysql_sink::{LedgerAdmin, Running};
use cdc_sdk::{CutId, Error, GtidSet, Kind, Result};
use tokio::task::block_in_place;

use super::cut_search::{self, Found, Wanted};
use super::cut_writer::OwnTopics;
use super::ledger_move::{self, Manner};
use super::{reach, settings};
use crate::config::SinkConfig;
use crate::kafka::Admin;

/// Where a replay begins.
#[derive(Clone, Debug, PartialEq)]
pub enum ReplayFrom {
    /// Before the first cut.
    Earliest,
    /// After this cut.
    Cut(CutId),
    /// At the last cut that is whole before this record.
    Offset {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The record's offset.
        offset: i64,
    },
    /// At the last cut whose transactions were committed before this time, µs since 1970.
    Timestamp(i64),
    /// At the last cut whose transactions are all in this set.
    Gtid(GtidSet),
}

/// Sets the ledger back, or says what it would do. With `live` also under a sink that runs.
pub async fn run(config: &SinkConfig, from: &ReplayFrom, dry_run: bool, live: bool) -> Result<String> {
    if LedgerAdmin::read_any(&settings::sink(config)).await?.is_none() {
        return Err(ledger_move::never_ran(config));
    }
    let manner = Manner {
        dry_run,
        allow_skip: false,
        running: if live { Running::Fenced } else { Running::Refused },
        reason: format!("cdc replay from {from:?}"),
    };
    let found = search(config, from).await?;
    ledger_move::run(config, found, &manner).await
}

/// The cut of that place; `None` before the first.
pub(super) async fn search(config: &SinkConfig, from: &ReplayFrom) -> Result<Option<Found>> {
    let kafka = settings::kafka(&config.kafka);
    let topics = OwnTopics::of(&config.topic_prefix);
    let wanted = match from {
        ReplayFrom::Earliest => return Ok(None),
        ReplayFrom::Cut(id) => return block_in_place(|| of_cut(config, *id)).map(Some),
        ReplayFrom::Offset { topic, partition, offset } => {
            let end = refuse_nowhere(config, topic, *partition, *offset).await?;
            Wanted::Below(block_in_place(|| {
                cut_search::cut_of_event(&kafka, (topic, *partition), (*offset, end))
            })?)
        }
        ReplayFrom::Timestamp(micros) => Wanted::Before(*micros),
        ReplayFrom::Gtid(set) => Wanted::Within(set),
    };
    block_in_place(|| cut_search::find(&kafka, &topics, &wanted))
}

/// Refuses a record's place that is none: every cut is before that, so it would mean the newest. Or one that is no more:
/// of which cut it was, nothing tells. Returns where the partition ends.
async fn refuse_nowhere(config: &SinkConfig, topic: &str, partition: i32, offset: i64) -> Result<i64> {
    let refused = |what: String| {
        Err(Error::new(Kind::Usage, what).hint(
            "cdc offsets show lists the partitions, each with the offset that follows the ledger's cut",
        ))
    };
    let admin = Admin::connect(&settings::kafka(&config.kafka))?;
    let found = if reach::has_rows_for(config, topic) { admin.partitions(topic).await? } else { None };
    let Some(count) = found else {
        return refused(format!("there is no topic {topic} with rows of '{}'", config.topic_prefix));
    };
    if !(0..count).contains(&partition) {
        return refused(format!("topic {topic} has the partitions 0 to {}, and no {partition}", count - 1));
    }
    let place = || vec![(topic.to_owned(), partition)];
    let (begins, ends) = tokio::try_join!(admin.beginnings(place()), admin.ends(place()))?;
    let [begin, end] = [begins, ends].map(|places| places.first().map_or(0, |place| place.offset));
    if end < offset {
        return refused(format!("{topic}/{partition} ends at offset {end}, before {offset}"));
    }
    if offset < begin {
        return refused(format!(
            "{topic}/{partition} begins at offset {begin}: the record at {offset} is gone"
        ));
    }
    Ok(end)
}

/// The cut of this id.
pub(super) fn of_cut(config: &SinkConfig, id: CutId) -> Result<Found> {
    let topics = OwnTopics::of(&config.topic_prefix);
    let found = cut_search::find(&settings::kafka(&config.kafka), &topics, &Wanted::Id(id))?;
    found.filter(|f| f.cut.id == id).ok_or_else(|| {
        Error::new(Kind::BadPosition, format!("there is no whole cut {id} on {}", topics.cuts))
            .hint("a cut is written INCARNATION.SEQUENCE, as cdc offsets show and the ledger print it")
    })
}
