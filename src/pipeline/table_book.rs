//! Which topic and which codec a table's rows take.
//!
//! A table is met for the first time at its first row. Then its topic is created
//! or found, its partition count pinned (in `prefix.state`, so that a key keeps its
//! partition for ever), and its schemas registered. After that a look-up is one
//! probe of a map.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use cdc_mysql_source::ShapeId;
use cdc_sdk::{Error, Kind, Result, Table, TableName};
use futures_util::future::try_join_all;

use super::cut_writer::DataTopic;
use super::private;
use crate::avro::{Plan, Registry, TableCodec};
use crate::config::TopicsConfig;
use crate::envelope::{self, Modes};
use crate::kafka::{Admin, BROKERS_TIME, TopicSpec};

/// Tables whose schemas are registered side by side.
const REGISTERED_AT_ONCE: usize = 8;

/// A table's way to Kafka.
pub struct TableRoad {
    /// Where its events go.
    pub topic: DataTopic,
    /// How they are written.
    pub codec: TableCodec,
}

/// All tables met in this run.
pub struct TableBook {
    admin: Admin,
    registry: Registry,
    modes: Modes,
    prefix: String,
    settings: TopicsConfig,
    pins: HashMap<String, i32>,
    topics: HashMap<String, (TableName, DataTopic)>,
    roads: HashMap<ShapeId, Arc<TableRoad>>,
    /// Partition counts of the topics that were there at the start.
    present: BTreeMap<String, i32>,
}

/// A partition count that is to be stored with the next cut.
pub struct NewPin {
    /// The topic.
    pub topic: String,
    /// Its partition count.
    pub partitions: i32,
}

impl TableBook {
    /// An empty book; `pins` are the partition counts stored so far.
    pub fn new(
        admin: Admin,
        registry: Registry,
        modes: Modes,
        prefix: String,
        settings: TopicsConfig,
        pins: HashMap<String, i32>,
    ) -> Self {
        let (topics, roads, present) = Default::default();
        Self { admin, registry, modes, prefix, settings, pins, topics, roads, present }
    }

    /// The road of a shape met before.
    pub fn known(&self, shape: ShapeId) -> Option<Arc<TableRoad>> {
        self.roads.get(&shape).cloned()
    }

    /// Makes the roads of many tables at once: their topics in one request, their
    /// schemas several at a time.
    pub async fn prepare(&mut self, tables: &[(ShapeId, Arc<Table>)]) -> Result<Vec<NewPin>> {
        self.present = self.admin.topics_with_prefix(&format!("{}.", self.prefix)).await?;
        let missing: Vec<TopicSpec> = tables
            .iter()
            .map(|(_, table)| self.spec(&envelope::topic_name(&self.prefix, &table.name), self.wanted(table)))
            .filter(|spec| !self.present.contains_key(&spec.name) && !self.pins.contains_key(&spec.name))
            .collect();
        self.admin.create_all(&missing).await?;
        self.present.extend(missing.into_iter().map(|spec| (spec.name, spec.partitions)));
        let mut pins = Vec::new();
        for some in tables.chunks(REGISTERED_AT_ONCE) {
            let mut topics = Vec::new();
            for (_, table) in some {
                let (topic, pin) = self.topic(table).await?;
                topics.push(topic);
                pins.extend(pin);
            }
            let roads = some.iter().zip(topics).map(|((_, table), topic)| self.road(table, topic));
            let roads = try_join_all(roads).await?;
            self.roads.extend(some.iter().zip(roads).map(|((shape, _), road)| (*shape, Arc::new(road))));
        }
        Ok(pins)
    }

    /// Makes the road of a new shape.
    pub async fn open(
        &mut self,
        shape: ShapeId,
        table: &Arc<Table>,
    ) -> Result<(Arc<TableRoad>, Option<NewPin>)> {
        let (topic, pin) = self.topic(table).await?;
        let road = Arc::new(self.road(table, topic).await?);
        self.roads.insert(shape, road.clone());
        Ok((road, pin))
    }

    /// The topic with what is read for one sink alone: one partition, since one reader follows it; never
    /// compacted, since rows of all tables share it.
    pub async fn private(&mut self, sink: &str) -> Result<DataTopic> {
        let name = private::topic(&self.prefix, sink);
        if let Some((_, topic)) = self.topics.get(&name) {
            return Ok(topic.clone());
        }
        let mut spec = self.spec(&name, 1);
        spec.config.retain(|(key, _)| key != "cleanup.policy");
        spec.config.push(("cleanup.policy".to_owned(), "delete".to_owned()));
        self.admin.create(spec).await?;
        let topic = DataTopic { index: self.topics.len(), name: name.as_str().into(), partitions: 1 };
        self.topics.insert(name, (TableName::new("", sink), topic.clone()));
        Ok(topic)
    }

    /// The shape that a table had when it was last written, by an earlier run too;
    /// `None` if it never was.
    pub async fn last_written(&self, name: &TableName) -> Result<Option<Arc<Table>>> {
        let topic = envelope::topic_name(&self.prefix, name);
        let Some(schema) = self.registry.latest_of(&topic).await? else { return Ok(None) };
        Ok(Some(Plan::parse(&schema)?.table().clone()))
    }

    /// Registers the schemas of a table.
    async fn road(&self, table: &Arc<Table>, topic: DataTopic) -> Result<TableRoad> {
        let mut codec = TableCodec::new(table, &self.modes, &topic.name)?;
        let key_id = match codec.key_schema() {
            Some(schema) => Some(self.registry.register(&format!("{}-key", topic.name), schema).await?),
            None => None,
        };
        let value_id = self.registry.register(&format!("{}-value", topic.name), codec.value_schema()).await?;
        codec.set_ids(key_id, value_id);
        Ok(TableRoad { topic, codec })
    }

    fn wanted(&self, table: &Table) -> i32 {
        if table.identity().is_some() { self.settings.partitions } else { 1 }
    }

    async fn topic(&mut self, table: &Table) -> Result<(DataTopic, Option<NewPin>)> {
        let name = envelope::topic_name(&self.prefix, &table.name);
        if let Some((owner, topic)) = self.topics.get(&name) {
            if *owner != table.name {
                return Err(Error::new(
                    Kind::Settings,
                    format!("{} and {owner} share the topic {name}", table.name),
                )
                .hint("topic names keep only letters, digits, '.', '_' and '-': exclude one of the two"));
            }
            return Ok((topic.clone(), None));
        }
        let (partitions, pin) = self.pinned(&name, self.wanted(table)).await?;
        let topic = DataTopic { index: self.topics.len(), name: name.as_str().into(), partitions };
        self.topics.insert(name, (table.name.clone(), topic.clone()));
        Ok((topic, pin))
    }

    /// The topic's partition count: the pinned one, or that of a topic that is
    /// there, or a new topic's.
    async fn pinned(&mut self, name: &str, wanted: i32) -> Result<(i32, Option<NewPin>)> {
        let present = match self.present.get(name) {
            Some(present) => Some(*present),
            None => self.admin.partitions(name).await?,
        };
        match (self.pins.get(name).copied(), present) {
            (Some(pinned), Some(present)) if pinned == present => return Ok((pinned, None)),
            (Some(pinned), present) => return Err(pin_broken(name, pinned, present)),
            (None, _) => {}
        }
        let partitions = match present {
            Some(present) => present,
            None => {
                self.admin.create(self.spec(name, wanted)).await?;
                wanted
            }
        };
        self.pins.insert(name.to_owned(), partitions);
        Ok((partitions, Some(NewPin { topic: name.to_owned(), partitions })))
    }

    fn spec(&self, name: &str, partitions: i32) -> TopicSpec {
        let (key, value) = BROKERS_TIME;
        let mut config = vec![
            ("cleanup.policy".to_owned(), self.settings.cleanup_policy.to_string()),
            (key.to_owned(), value.to_owned()),
        ];
        if let Some(retention) = self.settings.retention_ms {
            config.push(("retention.ms".to_owned(), retention.to_string()));
        }
        TopicSpec { name: name.to_owned(), partitions, replication: self.settings.replication_factor, config }
    }
}

fn pin_broken(name: &str, pinned: i32, present: Option<i32>) -> Error {
    let what = match present {
        Some(present) => format!("topic {name} has {present} partitions, but {pinned} are pinned"),
        None => format!("topic {name} is gone, but its {pinned} partitions are pinned"),
    };
    Error::new(Kind::TopicChanged, what).hint(
        "a key must keep its partition: restore the topic as it was, or start under a new topic prefix \
         with a new snapshot",
    )
}
