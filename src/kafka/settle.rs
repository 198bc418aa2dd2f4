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
//! An end is therefore given to all that hangs, each its own:
//!
//! - Of the source's own logs first. Where the cut itself hangs, nobody has seen it: a record is written behind it
//!   and thrown away, and the abort's markers settle all before them. What was in that transaction is sent again.
//! - Then of the events, by the cut that the first of them belongs to. Where readers see that cut, its events are
//!   committed, now: an abort of a later transaction in their partition would take them with it. A marker takes a
//!   record, so the last of them is written again, which readers of cuts pass over by its stamp, and which tells all
//!   others the same state twice. Where nobody sees that cut, they are aborted.
//!
//! One case stays: a broker leaves events of a cut that is seen without their markers, and the source dies within
//! its next transaction, which has touched their partitions. Opening the id aborts both. A sink that comes there
//! says so (E035) and stops.
//!
//! A publisher that lives through a broker's crash has no predecessor, but hangs the same: it looks by itself
//! ([`super::publisher`]), else its next cut would show the one before, and the next abort take its events.

use std::time::{Duration, Instant};

use cdc_sdk::cut::Place;
use cdc_sdk::{CutId, Result};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::topic_partition_list::Offset;

use super::consumer::Consumer;
use super::log::Log;
use super::publisher::{Outcome, Publisher};
use super::record::Record;
use super::settings::Settings;
use super::stamp::Stamp;

/// Within so many offsets of its end the last record of a transaction is looked for.
const LAST_WITHIN: i64 = 16;

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
/// As [`Settler::settle_logs`].
pub fn unsettled(settings: &Settings, partitions: &[(String, i32)]) -> Result<Vec<(String, i32)>> {
    Settler::open(settings)?.unsettled(partitions)
}

/// Records of a partition that are neither committed nor aborted, from one offset up to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hanging {
    pub topic: String,
    pub partition: i32,
    from: i64,
    end: i64,
}

impl Hanging {
    fn place(&self) -> (String, i32) {
        (self.topic.clone(), self.partition)
    }

    /// The first of them and the last. What stands between two records of a transaction is no more than records of
    /// its own, so the last is found near the end.
    ///
    /// # Errors
    /// As [`Log::next`].
    pub fn first_and_last(&self, settings: &Settings) -> Result<Option<(Record, Record)>> {
        let mut log = Log::of_all(settings, &self.topic, self.partition, self.from)?;
        let Some(first) = log.next_until(self.end)? else { return Ok(None) };
        let mut last = first.clone();
        log.seek(self.end.saturating_sub(LAST_WITHIN).max(self.from))?;
        while let Some(record) = log.next_until(self.end)? {
            last = record;
        }
        Ok(Some((first, last)))
    }
}

/// What hangs of a prefix while its logs are settled.
pub struct Unsettled {
    /// Whether the last cut hung.
    cut: bool,
    events: Vec<Hanging>,
}

/// Looks for what hangs, and ends it: two who see different ends.
pub struct Settler {
    of_committed: Consumer,
    of_all: Consumer,
    settings: Settings,
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
        Ok(Self { of_committed: Consumer::open(settings, |_| {})?, of_all, settings: settings.clone() })
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

    /// Settles the `logs` of the prefix, of which the first holds the cuts, and says what else hangs in the topic of the
    /// prefix and in those that are called `<prefix>.…`; after it, the whole of the logs is seen. Logs that do not exist
    /// yet are passed.
    ///
    /// # Errors
    /// [`cdc_sdk::Kind::KafkaUnreachable`], [`cdc_sdk::Kind::KafkaRefused`], [`cdc_sdk::Kind::Fenced`].
    pub fn settle_logs(&self, publisher: &mut Publisher, prefix: &str, logs: &[&str]) -> Result<Unsettled> {
        let present = partitions(&self.of_committed, prefix)?;
        let (of_logs, events): (Vec<_>, Vec<_>) =
            self.hanging(&present)?.into_iter().partition(|h| logs.contains(&h.topic.as_str()));
        let logs: Vec<(String, i32)> =
            logs.iter().map(|log| ((*log).to_owned(), 0)).filter(|log| present.contains(log)).collect();
        let Some(cuts) = logs.first() else { return Ok(Unsettled { cut: false, events }) };
        let of_logs: Vec<(String, i32)> = of_logs.iter().map(Hanging::place).collect();
        let cut = of_logs.contains(cuts);
        if cut {
            tracing::warn!(
                target: "cdc::kafka",
                "a broker left a transaction without its end in {} partitions; it is aborted and sent again",
                of_logs.len() + events.len()
            );
        } else {
            publisher.barrier(&of_logs, Outcome::Commit)?;
        }
        let behind = publisher.barrier(&logs, Outcome::Abort)?;
        behind.iter().try_for_each(|place| wait_for_end(&self.of_committed, place))?;
        Ok(Unsettled { cut, events })
    }

    /// Settles the events that hang, where `last` is the last cut that readers see. In the topics that are `shared` with
    /// others, whose records are not ours to repeat, an empty record does.
    ///
    /// # Errors
    /// As [`Self::settle_logs`], and [`cdc_sdk::Kind::UnknownVersion`] for a stamp of a later version.
    pub fn settle_events(
        &self,
        publisher: &mut Publisher,
        unsettled: &Unsettled,
        last: Option<CutId>,
        shared: &[&str],
    ) -> Result<()> {
        let (mut unseen, mut seen, mut seen_by_others) = (Vec::new(), Vec::new(), Vec::new());
        for hanging in &unsettled.events {
            let Some((first, end)) = hanging.first_and_last(&self.settings)? else { continue };
            let headers = first.headers.iter().map(|(name, value)| (name.as_str(), Some(value.as_slice())));
            let is_seen = match Stamp::decode(headers)? {
                Some(stamp) => last.is_some_and(|last| stamp.cut <= last),
                None => !unsettled.cut,
            };
            if !is_seen {
                unseen.push(hanging.place());
            } else if shared.contains(&hanging.topic.as_str()) {
                seen_by_others.push(hanging.place());
            } else {
                seen.push((hanging.place(), end));
            }
        }
        publisher.barrier(&unseen, Outcome::Abort)?;
        publisher.barrier(&seen_by_others, Outcome::Commit)?;
        publisher.commit_again(&seen)
    }

    fn unsettled(&self, partitions: &[(String, i32)]) -> Result<Vec<(String, i32)>> {
        Ok(self.hanging(partitions)?.iter().map(Hanging::place).collect())
    }

    /// What hangs in these partitions.
    ///
    /// # Errors
    /// As [`Self::settle_logs`].
    pub(super) fn hanging(&self, partitions: &[(String, i32)]) -> Result<Vec<Hanging>> {
        let all = || partitions.iter().map(|(topic, partition)| (topic.as_str(), *partition));
        let committed = self.of_committed.offsets(all(), Offset::End)?;
        let written = self.of_all.offsets(all(), Offset::End)?;
        let both = committed.into_iter().zip(written);
        let open = both.filter(|(committed, written)| committed.offset < written.offset);
        let hanging = |(committed, written): (Place, Place)| Hanging {
            topic: committed.topic,
            partition: committed.partition,
            from: committed.offset,
            end: written.offset,
        };
        Ok(open.map(hanging).collect())
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
