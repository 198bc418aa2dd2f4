//! `cdc replay`: sets the ledger back to a cut, from which the sink goes on.
//!
//! Rows are idempotent upserts, so the destination ends in the state that no
//! replay would have; on the way it passes through older states, and says so.

use cdc_mysql_sink::{LedgerAdmin, Running};
use cdc_sdk::{CutId, Error, GtidSet, Kind, Result};

use super::cut_search::{self, Found, Wanted};
use super::cut_writer::OwnTopics;
use super::ledger_move::{self, Manner};
use super::settings;
use crate::config::SinkConfig;

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
    let found = tokio::task::block_in_place(|| search(config, from))?;
    ledger_move::run(config, found, &manner).await
}

/// The cut of that place; `None` before the first.
pub(super) fn search(config: &SinkConfig, from: &ReplayFrom) -> Result<Option<Found>> {
    let kafka = settings::kafka(&config.kafka);
    let topics = OwnTopics::of(&config.topic_prefix);
    let wanted = match from {
        ReplayFrom::Earliest => return Ok(None),
        ReplayFrom::Cut(id) => return of_cut(config, *id).map(Some),
        ReplayFrom::Offset { topic, partition, offset } => Wanted::Offset(topic, *partition, *offset),
        ReplayFrom::Timestamp(micros) => Wanted::Before(*micros),
        ReplayFrom::Gtid(set) => Wanted::Within(set),
    };
    cut_search::find(&kafka, &topics, &wanted)
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
