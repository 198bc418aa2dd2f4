//! Kafka's side of a source before it leads.

use cdc_sdk::{Error, Kind, Result};
use futures_util::future::OptionFuture;

use super::schema_changes::SchemaChanges;
use crate::avro::Registry;
use crate::avro::records::RecordIds;
use crate::config::SourceConfig;
use crate::envelope::Modes;
use crate::kafka::{self, Admin, BROKERS_TIME, Candidate, Keeps, Log, Publisher, TopicSpec};
use crate::pipeline::cut_writer::OwnTopics;
use crate::pipeline::recovery::{self, Readers, Recovered};
use crate::pipeline::settings;

/// Kafka's side, as far as it concerns no other source of the prefix: made ready while MySQL is looked at.
pub(super) struct Shore {
    pub(super) kafka: kafka::Settings,
    pub(super) topics: OwnTopics,
    pub(super) admin: Admin,
    pub(super) registry: Registry,
    pub(super) ids: RecordIds,
    pub(super) heir: Heir,
    /// Of the control topic.
    pub(super) control: Option<Log>,
    /// Unless the user wants none of it.
    pub(super) schema_changes: Option<SchemaChanges>,
}

impl Shore {
    /// Opens it, its parts side by side.
    pub(super) async fn reach(config: &SourceConfig, modes: &Modes, admin: Admin) -> Result<Self> {
        let kafka = settings::kafka(&config.kafka);
        let statements = modes.include_schema_changes;
        let topics = OwnTopics::of(&config.topic_prefix);
        let made = async {
            create_own_topics(&admin, &topics, config.topics.replication_factor, statements).await?;
            let readers = aside({
                let (kafka, topics) = (kafka.clone(), topics.clone());
                move || Readers::connect(&kafka, &topics)
            });
            let control = aside({
                let (kafka, topic) = (kafka.clone(), topics.control.clone());
                move || Log::open(&kafka, &topic)
            });
            let budget = settings::producer_bytes(&config.limits);
            let prepare = |id: String| {
                let (kafka, known) = (kafka.clone(), topics.clone());
                aside(move || Publisher::prepare(&kafka, &id, budget, &[&known.cuts, &known.state]))
            };
            let former = OptionFuture::from(former_id(&config.name, &config.topic_prefix).map(&prepare));
            let publisher = prepare(transactional_id(&config.topic_prefix));
            let (publisher, former, readers, control) = tokio::join!(publisher, former, readers, control);
            Ok((Heir { publisher: publisher?, former: former.transpose()?, readers: readers? }, control?))
        };
        let registered = async {
            let settings = settings::registry(&config.registry);
            let registry = aside(|| Registry::new(settings)).await?;
            let ids = RecordIds::register(&registry, &topics.cuts, &topics.state, &topics.control);
            let schema_changes = async {
                match statements {
                    true => SchemaChanges::register(&registry, &topics.schema_changes).await.map(Some),
                    false => Ok(None),
                }
            };
            let (ids, schema_changes) = tokio::try_join!(ids, schema_changes)?;
            Ok((registry, ids, schema_changes))
        };
        let ((heir, control), (registry, ids, schema_changes)) = tokio::try_join!(made, registered)?;
        Ok(Self { kafka, topics, admin, registry, ids, heir, control, schema_changes })
    }
}

/// Who is to go on where the last run ended.
pub(super) struct Heir {
    publisher: Candidate,
    /// The id that versions before wrote under, where it is another.
    former: Option<Candidate>,
    readers: Readers,
}

impl Heir {
    /// Takes the prefix over from whoever wrote it, then reads what is left: in this order no more can come.
    pub(super) fn take_over(
        self,
        kafka: &kafka::Settings,
        prefix: &str,
        topics: &OwnTopics,
    ) -> Result<(Publisher, Recovered)> {
        end_former(self.former)?;
        let mut publisher = self.publisher.take_over()?;
        let recovered = recovery::recover(self.readers, kafka, prefix, topics, &mut publisher)?;
        Ok((publisher, recovered))
    }
}

/// By the prefix, as which all sources of its topics are one, whatever their names and their servers: Kafka lets only
/// one of an id write.
fn transactional_id(prefix: &str) -> String {
    format!("cdc-source-{prefix}")
}

/// The id was made of the name once. What a process of such a version has open under it must end, too, before
/// anything is read of what was committed.
fn former_id(name: &str, prefix: &str) -> Option<String> {
    (name != prefix).then(|| format!("cdc-source-{name}"))
}

/// Ends what is open under the former id, and fences who wrote it.
fn end_former(former: Option<Candidate>) -> Result<()> {
    match former.map(Candidate::take_over).transpose() {
        Err(refused) if refused.kind() == Kind::KafkaRefused => {
            tracing::warn!(error = %refused, "a source of an older version and this name would not be fenced");
            Ok(())
        }
        ended => ended.map(drop),
    }
}

/// Runs on another thread what blocks, or takes a while.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|e| Err(Error::new(Kind::Bug, "a part of the start ended unexpectedly").caused_by(e)))
}

async fn create_own_topics(
    admin: &Admin,
    topics: &OwnTopics,
    replication: i32,
    statements: bool,
) -> Result<()> {
    let spec = |name: &str, config: &[(&str, &str)]| TopicSpec {
        name: name.to_owned(),
        partitions: 1,
        replication,
        config: config.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
    };
    let [forever, compacted] =
        [Keeps::All, Keeps::LastOfEachKey].map(|keeps| [keeps.settings(), &[BROKERS_TIME]].concat());
    let mut specs = vec![spec(&topics.state, &compacted)];
    let kept =
        [&topics.cuts, &topics.control].into_iter().chain(statements.then_some(&topics.schema_changes));
    specs.extend(kept.map(|name| spec(name, &forever)));
    admin.create_all(&specs).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_of_one_prefix_write_under_one_id() {
        // With the prefix that a source has by default, the id is the one that it had.
        assert_eq!(
            (transactional_id("shop"), former_id("shop", "shop")),
            ("cdc-source-shop".to_owned(), None)
        );
        assert_eq!(former_id("shop-b", "shop"), Some("cdc-source-shop-b".to_owned()));
    }
}
