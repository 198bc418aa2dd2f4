//! Topics of ours that somebody made beforehand, or altered: whether they keep what is looked for in them later.
//!
//! A missing topic is made with the right settings; one that is there is left as it is. Where age took records away
//! nothing would fail: a source without its state takes old commands once more and forgets columns that were dropped.

use cdc_sdk::{Error, Finding, Kind, Result};

use super::cut_writer::OwnTopics;
use super::{dead_letter, settings};
use crate::config::{SinkConfig, SourceConfig};
use crate::kafka::{Admin, Keeps};

/// What a source's own topics would lose.
///
/// # Errors
/// [`Kind::KafkaUnreachable`].
pub async fn source(config: &SourceConfig, admin: &Admin) -> Result<Vec<Finding>> {
    let OwnTopics { cuts, state, control, .. } = OwnTopics::of(&config.topic_prefix);
    let topics =
        [(cuts.as_str(), Keeps::All), (control.as_str(), Keeps::All), (state.as_str(), Keeps::LastOfEachKey)];
    findings(admin, &topics, &config.kafka.bootstrap_servers).await
}

/// What the topic of a sink's dead letters would lose, where it has one.
///
/// # Errors
/// As [`source`].
pub async fn sink(config: &SinkConfig) -> Result<Vec<Finding>> {
    if config.dead_letter.tables.is_empty() {
        return Ok(Vec::new());
    }
    let admin = Admin::connect(&settings::kafka(&config.kafka))?;
    let letters = dead_letter::topic(&config.topic_prefix);
    findings(&admin, &[(letters.as_str(), Keeps::All)], &config.kafka.bootstrap_servers).await
}

async fn findings(admin: &Admin, topics: &[(&str, Keeps)], servers: &str) -> Result<Vec<Finding>> {
    match admin.losing(topics).await {
        Err(refused) if refused.kind() == Kind::KafkaRefused => Ok(vec![not_known(&refused, topics)]),
        found => Ok(found?.into_iter().map(|found| finding(found, servers)).collect()),
    }
}

fn finding((topic, keeps, settings): (&str, Keeps, String), servers: &str) -> Finding {
    let (what, wanted) = (keeps.loss(), keeps.settings());
    let wanted: Vec<String> = wanted.iter().map(|(name, value)| format!("{name}={value}")).collect();
    Finding::blocking(
        format!("topic {topic} has {settings}: {what} would be deleted, and nothing would say so"),
        format!(
            "kafka-configs.sh --bootstrap-server {servers} --alter --entity-type topics --entity-name {topic} \
             --add-config {}",
            wanted.join(",")
        ),
    )
}

fn not_known(refused: &Error, topics: &[(&str, Keeps)]) -> Finding {
    let names: Vec<&str> = topics.iter().map(|(name, _)| *name).collect();
    Finding::warning(
        format!("whether {} keep their records is not known: {}", names.join(", "), refused.what()),
        "allow the account DescribeConfigs on them, or see yourself that no age or size deletes what they hold",
    )
}
