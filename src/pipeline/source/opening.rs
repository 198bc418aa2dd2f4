//! What a source's session begins with: its own topics, where it goes on, and what it refuses.

use cdc_mysql_source::Start;
use cdc_sdk::{Error, Kind, Result};

use crate::config::SourceConfig;
use crate::kafka::{Admin, BROKERS_TIME, TopicSpec};
use crate::pipeline::cut_writer::OwnTopics;
use crate::pipeline::recovery::Recovered;

/// Where the stream begins.
pub(super) fn start_from(recovered: &Recovered) -> Start {
    match &recovered.last {
        None => Start::Fresh,
        Some(last) => Start::Resume {
            position: last.position.clone(),
            snapshot: recovered.snapshot.clone(),
            inside: recovered.inside.clone(),
        },
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

/// Makes the topics beside the data where they are missing.
pub(super) async fn create_own_topics(admin: &Admin, topics: &OwnTopics, replication: i32) -> Result<()> {
    let spec = |name: &str, config: &[(&str, &str)]| TopicSpec {
        name: name.to_owned(),
        partitions: 1,
        replication,
        config: config.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
    };
    let forever =
        [("cleanup.policy", "delete"), ("retention.ms", "-1"), ("retention.bytes", "-1"), BROKERS_TIME];
    admin.create(spec(&topics.cuts, &forever)).await?;
    admin.create(spec(&topics.control, &forever)).await?;
    admin.create(spec(&topics.state, &[("cleanup.policy", "compact"), BROKERS_TIME])).await
}
