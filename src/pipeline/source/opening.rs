//! Where a source's session goes on, and what it refuses to go on from.

use cdc_mysql_source::{Resume, Start};
use cdc_sdk::{Error, Kind, Result};

use crate::config::SourceConfig;
use crate::kafka::Admin;
use crate::pipeline::private;
use crate::pipeline::recovery::Recovered;

/// Topics that an error names.
const NAMED_MAX: usize = 5;

/// Where the stream begins.
pub(super) fn start_from(recovered: &Recovered) -> Start {
    match &recovered.last {
        None => Start::Fresh,
        Some(last) => Start::Resume(Box::new(Resume {
            position: last.position.clone(),
            snapshot: recovered.snapshot.clone(),
            inside: recovered.inside.clone(),
            noted: recovered.noted.clone(),
        })),
    }
}

/// Cuts, state and data are written together, in one Kafka transaction: where one of them lacks what another has, it
/// was lost.
pub(super) async fn refuse_what_was_lost(
    admin: &Admin,
    config: &SourceConfig,
    recovered: &Recovered,
) -> Result<()> {
    match recovered.last {
        Some(_) => refuse_lost_state(&config.topic_prefix, recovered),
        None => refuse_lost_cuts(admin, &config.topic_prefix).await,
    }
}

/// Data without cuts: a fresh start would repeat or lose changes, and count its cuts from the beginning again. Then
/// records of before bear the numbers of new ones, and readers take them for these.
async fn refuse_lost_cuts(admin: &Admin, prefix: &str) -> Result<()> {
    let present = admin.topics_with_prefix(&format!("{prefix}.")).await?;
    let names: Vec<&str> = present.keys().map(String::as_str).collect();
    let data = with_events(prefix, &names);
    let partitions = data.iter().flat_map(|name| (0..present[*name]).map(|n| ((*name).to_owned(), n)));
    let ends = admin.ends(partitions.collect()).await?;
    let mut used: Vec<String> = ends.into_iter().filter(|end| end.offset > 0).map(|end| end.topic).collect();
    used.dedup();
    if used.is_empty() {
        return Ok(());
    }
    Err(Error::new(Kind::CutsMissing, format!("topics of '{prefix}' hold events, but {prefix}.cuts holds no cut"))
        .detail(format!("events of before are in {}", some_of(&used)))
        .hint(format!(
            "restore {prefix}.cuts with all its records; or start under a new topic prefix with a new snapshot; or, where \
             nobody needs what the topics of this prefix hold, delete all of them, not these alone, and start anew"
        )))
}

/// A topic is pinned in the state with its first event: one that the cuts know and the state does not tells that records
/// are gone there. With them went what no other place holds: commands taken, columns dropped, keys chosen.
fn refuse_lost_state(prefix: &str, recovered: &Recovered) -> Result<()> {
    let is_missing = |topic: &&String| {
        private::addressee(prefix, topic).is_none() && !recovered.pins.contains_key(topic.as_str())
    };
    let missing: Vec<String> = recovered.named.iter().filter(is_missing).cloned().collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::new(Kind::CutsMissing, format!("{prefix}.state has lost records"))
        .detail(format!("the cuts have events in {}, of which it tells nothing", some_of(&missing)))
        .hint(format!(
            "restore {prefix}.state with the last record of each key (its cleanup.policy must be compact); or start under a \
             new topic prefix with a new snapshot"
        )))
}

/// The topics of a prefix that bear events, of tables or for one sink. Prefixes may have dots: what is of a longer
/// one, which has cuts and state of its own, is not of this one.
fn with_events<'t>(prefix: &str, topics: &[&'t str]) -> Vec<&'t str> {
    let longer: Vec<&str> = topics
        .iter()
        .filter_map(|topic| topic.strip_suffix(".cuts"))
        .filter(|other| other.len() > prefix.len() && topics.contains(&format!("{other}.state").as_str()))
        .collect();
    let is_of =
        |topic: &str, prefix: &str| topic.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.'));
    let of_table = |topic: &str| topic.get(prefix.len() + 1..).is_some_and(|rest| rest.contains('.'));
    let bears = |topic: &&&str| {
        is_of(topic, prefix)
            && !longer.iter().any(|longer| is_of(topic, longer))
            && (of_table(topic) || private::addressee(prefix, topic).is_some())
    };
    topics.iter().filter(bears).copied().collect()
}

fn some_of(topics: &[String]) -> String {
    let shown = topics.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    match topics.len().saturating_sub(NAMED_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests;
