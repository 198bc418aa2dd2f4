//! Kafka's side of a source before it leads.

use cdc_sdk::{Error, Kind, Result};

use super::schema_changes::SchemaChanges;
use crate::avro::Registry;
use crate::avro::records::RecordIds;
use crate::config::SourceConfig;
use crate::envelope::Modes;
use crate::kafka::{self, Admin, BROKERS_TIME, Candidate, Log, Publisher, TopicSpec};
use crate::pipeline::cut_writer::OwnTopics;
use crate::pipeline::recovery::Readers;
use crate::pipeline::settings;

/// Kafka's side, as far as it concerns no other source of the name: made ready while MySQL is looked at.
pub(super) struct Shore {
    pub(super) kafka: kafka::Settings,
    pub(super) topics: OwnTopics,
    pub(super) admin: Admin,
    pub(super) registry: Registry,
    pub(super) ids: RecordIds,
    pub(super) publisher: Candidate,
    pub(super) readers: Readers,
    /// Of the control topic.
    pub(super) control: Option<Log>,
    /// Unless the user wants none of it.
    pub(super) schema_changes: Option<SchemaChanges>,
}

impl Shore {
    /// Opens it, its parts side by side.
    pub(super) async fn reach(config: &SourceConfig, modes: &Modes) -> Result<Self> {
        let kafka = settings::kafka(&config.kafka);
        let statements = modes.include_schema_changes;
        let topics = OwnTopics::of(&config.topic_prefix);
        let admin = Admin::connect(&kafka)?;
        let made = async {
            create_own_topics(&admin, &topics, config.topics.replication_factor, statements).await?;
            let (kafka, id) = (kafka.clone(), format!("cdc-source-{}", config.name));
            let (budget, known) = (settings::producer_bytes(&config.limits), topics.clone());
            let readers = aside({
                let (kafka, topics) = (kafka.clone(), topics.clone());
                move || Readers::connect(&kafka, &topics)
            });
            let control = aside({
                let (kafka, topic) = (kafka.clone(), topics.control.clone());
                move || Log::open(&kafka, &topic)
            });
            let prepare = move || Publisher::prepare(&kafka, &id, budget, &[&known.cuts, &known.state]);
            tokio::try_join!(aside(prepare), readers, control)
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
        let ((publisher, readers, control), (registry, ids, schema_changes)) =
            tokio::try_join!(made, registered)?;
        Ok(Self { kafka, topics, admin, registry, ids, publisher, readers, control, schema_changes })
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
    let forever =
        [("cleanup.policy", "delete"), ("retention.ms", "-1"), ("retention.bytes", "-1"), BROKERS_TIME];
    let compacted = [("cleanup.policy", "compact"), BROKERS_TIME];
    let mut specs = vec![spec(&topics.state, &compacted)];
    let kept =
        [&topics.cuts, &topics.control].into_iter().chain(statements.then_some(&topics.schema_changes));
    specs.extend(kept.map(|name| spec(name, &forever)));
    admin.create_all(&specs).await
}
