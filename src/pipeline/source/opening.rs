//! Where a source's session goes on, and what it refuses to go on from.

use cdc_mysql_source::{Resume, Start};
use cdc_sdk::{Error, Kind, Result};

use crate::config::SourceConfig;
use crate::kafka::Admin;
use crate::pipeline::recovery::Recovered;

/// Where the stream begins.
pub(super) fn start_from(recovered: &Recovered) -> Start {
    match &recovered.last {
        None => Start::Fresh,
        Some(last) => Start::Resume(Box::new(Resume {
            position: last.position.clone(),
            snapshot: recovered.snapshot.clone(),
            inside: recovered.inside.clone(),
            dropped: recovered.dropped.clone(),
        })),
    }
}

/// Data without cuts means that the cuts were lost: a fresh start would repeat or lose changes.
pub(super) async fn refuse_lost_cuts(
    admin: &Admin,
    config: &SourceConfig,
    recovered: &Recovered,
) -> Result<()> {
    if recovered.last.is_some() || recovered.pins.is_empty() {
        return Ok(());
    }
    let mut pinned: Vec<&str> = recovered.pins.keys().map(String::as_str).collect();
    pinned.sort_unstable();
    if admin.partitions(pinned[0]).await?.is_none() {
        return Ok(());
    }
    Err(Error::new(
        Kind::CutsMissing,
        format!("topics of '{}' hold data, but its cuts are gone", config.topic_prefix),
    )
    .detail(format!("pinned topics: {}", pinned.join(", ")))
    .hint("restore the topic of cuts, or start under a new topic prefix with a new snapshot"))
}
