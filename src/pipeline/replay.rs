//! `cdc replay`: sets the ledger back to a cut, from which the sink goes on.
//!
//! Rows are idempotent upserts, so the destination ends in the state that no
//! replay would have; on the way it passes through older states, and says so.

use cdc_mysql_sink::{LedgerAdmin, Rewind};
use cdc_sdk::cut::Place;
use cdc_sdk::{Error, GtidSet, Kind, Result};

use super::cut_search::{self, Found, Wanted};
use super::cut_writer::OwnTopics;
use super::filling;
use super::gather::position_text;
use super::settings;
use crate::config::SinkConfig;

/// Where a replay begins.
#[derive(Clone, Debug, PartialEq)]
pub enum ReplayFrom {
    /// Before the first cut.
    Earliest,
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

/// Sets the ledger back, or says what it would do.
pub async fn run(config: SinkConfig, from: ReplayFrom, dry_run: bool) -> Result<String> {
    let settings = settings::sink(&config);
    let before = LedgerAdmin::read(&settings).await?.ok_or_else(|| {
        Error::new(Kind::LedgerMismatch, format!("the destination has no ledger of a sink '{}'", config.name))
            .hint("a sink that never ran begins at the first cut by itself: cdc sink -c …")
    })?;
    if filling::is_being_filled(&config.topic_prefix, &config.name, &before.places) {
        return Err(Error::new(
            Kind::BadPosition,
            format!("sink '{}' is being filled by a snapshot of its own", config.name),
        )
        .hint("run it until that is through (cdc status), then replay"));
    }
    let found = tokio::task::block_in_place(|| search(&config, &from))?;
    let rewind = rewind(found.as_ref());
    if let (Some(to), Some(now)) = (rewind.cut, before.cut)
        && to > now
    {
        return Err(Error::new(
            Kind::BadPosition,
            format!("cut {to} is ahead of the ledger, which stands at {now}"),
        )
        .hint("a replay goes back; to skip events is to lose them"));
    }
    let mut report =
        format!("ledger of '{}'\n  now: {}\n", config.name, describe(before.cut, &before.position));
    report += &format!("  to:  {}\n", describe(rewind.cut, &rewind.position));
    if dry_run {
        return Ok(report + "nothing was changed (dry run)\n");
    }
    LedgerAdmin::rewind(&settings, &rewind, &format!("cdc replay from {from:?}")).await?;
    Ok(report
        + "the ledger is set back, and the audit has a row of it; start the sink to replay.\n\
           Until it is past where it stood, the destination passes through older states.\n")
}

fn search(config: &SinkConfig, from: &ReplayFrom) -> Result<Option<Found>> {
    let kafka = settings::kafka(&config.kafka);
    let topics = OwnTopics::of(&config.topic_prefix);
    let wanted = match from {
        ReplayFrom::Earliest => return Ok(None),
        ReplayFrom::Offset { topic, partition, offset } => Wanted::Offset(topic, *partition, *offset),
        ReplayFrom::Timestamp(micros) => Wanted::Before(*micros),
        ReplayFrom::Gtid(set) => Wanted::Within(set),
    };
    cut_search::find(&kafka, &topics, &wanted)
}

fn rewind(found: Option<&Found>) -> Rewind {
    let Some(found) = found else {
        return Rewind {
            cut: None,
            cuts_offset: 0,
            places: Vec::new(),
            position: String::new(),
            committed_us: 0,
        };
    };
    let places = found.map.iter();
    let places = places.map(|((topic, partition), offset)| Place {
        topic: topic.clone(),
        partition: *partition,
        offset: *offset,
    });
    Rewind {
        cut: Some(found.cut.id),
        cuts_offset: found.cuts_offset,
        places: places.collect(),
        position: position_text(&found.cut.position),
        committed_us: found.cut.committed_us,
    }
}

fn describe(cut: Option<cdc_sdk::CutId>, position: &str) -> String {
    match cut {
        Some(cut) => format!("cut {cut} at {position}"),
        None => "before the first cut".to_owned(),
    }
}
