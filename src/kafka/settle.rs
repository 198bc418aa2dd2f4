//! Ends what a broker has left hanging of a predecessor's last transaction.
//!
//! Opening the transactional id ends whatever the predecessor had open, and waits
//! until its markers are written. Two things are not certain all the same where a
//! broker has just come back from a crash:
//!
//! - It may show an older end of a topic for a moment. A record written now stands
//!   behind everything; once it is seen, all before it is.
//! - It may call a transaction complete without its markers. Kafka 4.3.1 skips
//!   partitions whose leader it does not know yet as "likely deleted"
//!   (`TransactionMarkerChannelManager`, at level INFO in its log; seen by killing
//!   a busy single broker again and again). Those records are neither committed nor
//!   aborted. The next marker of the same producer settles them with its own
//!   transaction: without care they would be committed beside their repetition.
//!
//! So a record is written to each partition that hangs, and thrown away: the abort's
//! markers settle all before them. That is right as long as the cut of those records is
//! not visible, that is, hangs itself. Where the cut is visible and events hang, they
//! belong to it, and the next commit in their partition brings them.

use std::time::{Duration, Instant};

use cdc_sdk::Result;
use cdc_sdk::cut::Place;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::topic_partition_list::Offset;

use super::consumer::Consumer;
use super::publisher::{Outcome, Publisher};
use super::settings::Settings;

/// Between two looks at an end.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Waits until the committed records of a partition end at this place or after it.
fn wait_for_end(reader: &Consumer, place: &Place) -> Result<()> {
    let begun = Instant::now();
    loop {
        let ends = reader.offsets([(place.topic.as_str(), place.partition)], Offset::End)?;
        if ends.iter().all(|end| end.offset >= place.offset) {
            return Ok(());
        }
        if reader.is_enough(begun) {
            let doing = format!("waiting for the end of {}/{}", place.topic, place.partition);
            return Err(reader.fault_of(Code::OperationTimedOut, &doing));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

fn partitions(reader: &Consumer, prefix: &str) -> Result<Vec<(String, i32)>> {
    let metadata = reader.metadata(None, "looking up topics")?;
    let named = metadata.topics().iter().filter(|t| t.error().is_none() && is_of(prefix, t.name()));
    let of = |t: &rdkafka::metadata::MetadataTopic| {
        let name = t.name().to_owned();
        t.partitions().iter().map(|p| (name.clone(), p.id())).collect::<Vec<_>>()
    };
    Ok(named.flat_map(of).collect())
}

/// Whether a topic is the prefix's: statements go to the one that has no more than its name.
fn is_of(prefix: &str, topic: &str) -> bool {
    topic.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Those of the partitions in which something is neither committed nor aborted.
///
/// # Errors
/// As [`Settler::settle`].
pub fn unsettled(settings: &Settings, partitions: &[(String, i32)]) -> Result<Vec<(String, i32)>> {
    Settler::open(settings)?.unsettled(partitions)
}

/// Looks for what hangs, and ends it: two who see different ends.
pub struct Settler {
    of_committed: Consumer,
    of_all: Consumer,
}

impl Settler {
    /// Makes both at once, since each takes a moment to connect.
    ///
    /// # Errors
    /// [`cdc_sdk::Kind::Settings`].
    pub fn open(settings: &Settings) -> Result<Self> {
        let of_all = Consumer::open(settings, |config| {
            config.set("isolation.level", "read_uncommitted");
        })?;
        Ok(Self { of_committed: Consumer::open(settings, |_| {})?, of_all })
    }

    /// As [`Self::open`], and connects them: for one who has time now, and none later.
    ///
    /// # Errors
    /// [`cdc_sdk::Kind::KafkaUnreachable`], [`cdc_sdk::Kind::KafkaRefused`], [`cdc_sdk::Kind::Settings`].
    pub fn connect(settings: &Settings, topic: &str) -> Result<Self> {
        let settler = Self::open(settings)?;
        for reader in [&settler.of_all, &settler.of_committed] {
            if reader.partition_count(topic)?.is_some() {
                reader.offsets([(topic, 0)], Offset::End)?;
            }
        }
        Ok(settler)
    }

    /// Settles what hangs in the topic of the prefix, and in those that are called `<prefix>.…`; after it, the whole of the `logs` is
    /// seen, of which the first holds the cuts. Logs that do not exist yet are passed.
    ///
    /// # Errors
    /// [`cdc_sdk::Kind::KafkaUnreachable`], [`cdc_sdk::Kind::KafkaRefused`], [`cdc_sdk::Kind::Fenced`].
    pub fn settle(&self, publisher: &mut Publisher, prefix: &str, logs: &[&str]) -> Result<()> {
        let present = partitions(&self.of_committed, prefix)?;
        let (of_logs, of_data): (Vec<_>, Vec<_>) =
            self.unsettled(&present)?.into_iter().partition(|(topic, _)| logs.contains(&topic.as_str()));
        let logs: Vec<(String, i32)> =
            logs.iter().map(|log| ((*log).to_owned(), 0)).filter(|log| present.contains(log)).collect();
        let Some(cuts) = logs.first() else { return Ok(()) };
        if of_logs.contains(cuts) {
            tracing::warn!(
                target: "cdc::kafka",
                "a broker left a transaction without its end in {} partitions; it is aborted and sent again",
                of_logs.len() + of_data.len()
            );
        } else {
            if !of_data.is_empty() {
                tracing::warn!(
                    target: "cdc::kafka",
                    "a broker left committed records without their marker; the next commit there brings them: {of_data:?}"
                );
            }
            publisher.barrier(&of_logs, Outcome::Commit)?;
        }
        let hanging = if of_logs.contains(cuts) { of_data } else { Vec::new() };
        let behind = publisher.barrier(&[logs, hanging].concat(), Outcome::Abort)?;
        behind
            .iter()
            .filter(|place| place.partition == 0)
            .try_for_each(|place| wait_for_end(&self.of_committed, place))
    }

    fn unsettled(&self, partitions: &[(String, i32)]) -> Result<Vec<(String, i32)>> {
        let all = || partitions.iter().map(|(topic, partition)| (topic.as_str(), *partition));
        let committed = self.of_committed.offsets(all(), Offset::End)?;
        let written = self.of_all.offsets(all(), Offset::End)?;
        let both = committed.into_iter().zip(written);
        let open = both.filter(|(committed, written)| committed.offset < written.offset);
        Ok(open.map(|(place, _)| (place.topic, place.partition)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::is_of;

    #[test]
    fn all_topics_of_a_prefix_and_no_others() {
        let all = ["shop", "shop.cuts", "shop.shop.orders", "shops", "shop2.cuts", "a.shop"];
        let ours: Vec<&str> = all.into_iter().filter(|topic| is_of("shop", topic)).collect();
        assert_eq!(ours, ["shop", "shop.cuts", "shop.shop.orders"]);
    }
}
