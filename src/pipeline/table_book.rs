//! Which topic and which codec a table's rows take.
//!
//! A table is met for the first time at its first row. Then its topic is created
//! or found, its partition count pinned (in `prefix.state`, so that a key keeps its
//! partition for ever), and its schemas registered. After that a look-up is one
//! probe of a map.

mod record_sizes;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem::take;
use std::sync::Arc;

use cdc_mysql_source::ShapeId;
use cdc_sdk::{Error, Kind, Result, Table, TableName};
use futures_util::future::{OptionFuture, join, try_join_all};

use super::cut_writer::DataTopic;
use super::private;
use super::record_keys::{self, RecordKeys};
use super::recovery::{self, Recovered};
use super::versions::{Copies, Fed, Versions};
use crate::avro::{Plan, Registry, TableCodec};
use crate::config::{CleanupPolicy, OnIncompatible, TopicsConfig};
use crate::envelope::{self, Modes};
use crate::kafka::{Admin, BROKERS_TIME, TopicSpec};

/// Tables whose schemas are registered side by side.
const REGISTERED_AT_ONCE: usize = 8;

/// New topics that one schema may ask for: the subjects of earlier ones may be there, from other times.
const REFUSALS_MAX: u32 = 100;

/// A table's way to Kafka.
pub struct TableRoad {
    /// Where its events go.
    pub topic: DataTopic,
    /// How they are written.
    pub codec: TableCodec,
    /// Older topics of the table that get copies.
    pub copies: Vec<Copies>,
}

/// All tables met in this run.
pub struct TableBook {
    admin: Admin,
    registry: Registry,
    modes: Modes,
    prefix: String,
    settings: TopicsConfig,
    pins: HashMap<String, i32>,
    versions: HashMap<String, Versions>,
    keys: RecordKeys,
    topics: HashMap<String, DataTopic>,
    /// Whose each first topic is: of all tables that are captured, met or not.
    owners: HashMap<String, TableName>,
    roads: HashMap<ShapeId, Arc<TableRoad>>,
    /// Partition counts of the topics that were there at the start.
    present: BTreeMap<String, i32>,
    /// Which topics brokers compact, as far as that was asked for.
    compacted: HashMap<String, bool>,
}

/// A record of `prefix.state` that is to be stored with the next cut.
pub struct Stored {
    /// Its key.
    pub key: String,
    /// What it says.
    pub json: String,
}

impl TableBook {
    /// An empty book, with what was stored of topics and keys so far.
    pub fn new(
        admin: Admin,
        registry: Registry,
        modes: Modes,
        prefix: String,
        settings: TopicsConfig,
        recovered: &mut Recovered,
    ) -> Self {
        let (pins, versions) = (take(&mut recovered.pins), take(&mut recovered.versions));
        let keys = RecordKeys::new(&modes, settings.cleanup_policy, take(&mut recovered.chosen_keys));
        let (topics, owners, roads, present, compacted) = Default::default();
        Self {
            admin,
            registry,
            modes,
            prefix,
            settings,
            pins,
            versions,
            keys,
            topics,
            owners,
            roads,
            present,
            compacted,
        }
    }

    /// Gives each table that is captured its topic's name, before any of them is made.
    ///
    /// # Errors
    /// [`Kind::Settings`] where two would share one: their rows could not be told apart by the records' keys.
    pub fn claim<'t>(&mut self, tables: impl IntoIterator<Item = &'t TableName>) -> Result<()> {
        tables.into_iter().try_for_each(|table| self.own(table))
    }

    fn own(&mut self, table: &TableName) -> Result<()> {
        let base = self.base(table);
        match self.owners.get(&base) {
            Some(owner) if owner == table => Ok(()),
            Some(owner) => {
                Err(Error::new(Kind::Settings, format!("{table} and {owner} share the topic {base}"))
                    .hint("topic names keep only letters, digits, '.', '_' and '-': exclude one of the two"))
            }
            None => {
                self.owners.insert(base, table.clone());
                Ok(())
            }
        }
    }

    /// Whether the user chose, or had chosen, the key of a table's records.
    pub fn has_chosen_key(&self, name: &TableName) -> bool {
        self.keys.concern(&self.base(name), name)
    }

    /// Refuses a table whose records cannot have the key that is chosen for them.
    pub fn check_key(&mut self, table: &Arc<Table>) -> Result<()> {
        let table = self.keys.of(table)?;
        let base = self.base(&table.name);
        let is_new = !self.pins.contains_key(&base);
        if is_new { Ok(()) } else { self.keys.pin(&base, &table, is_new).map(drop) }
    }

    /// Says which of the keys that are chosen are for no table.
    pub fn tell_idle_keys(&self, tables: &[&TableName]) {
        for entry in self.keys.idle(tables) {
            tracing::warn!(entry, "\"message.key.columns\": no table that is captured matches");
        }
    }

    /// The road of a shape met before.
    pub fn known(&self, shape: ShapeId) -> Option<Arc<TableRoad>> {
        self.roads.get(&shape).cloned()
    }

    /// Makes the roads of many tables at once: their topics in one request, their
    /// schemas several at a time.
    pub async fn prepare(&mut self, tables: &[(ShapeId, Arc<Table>)]) -> Result<Vec<Stored>> {
        let keyed = |(shape, table): &(ShapeId, Arc<Table>)| Ok((*shape, self.keys.of(table)?));
        let tables: Vec<(ShapeId, Arc<Table>)> = tables.iter().map(keyed).collect::<Result<_>>()?;
        // What goes on in another topic is opened when its turn comes, and so is what is about to.
        let tables: Vec<_> =
            tables.iter().filter(|(_, table)| !self.versions.contains_key(&self.base(&table.name))).collect();
        self.present = self.admin.topics_with_prefix(&format!("{}.", self.prefix)).await?;
        let missing: Vec<TopicSpec> = tables
            .iter()
            .map(|(_, table)| (table, self.base(&table.name)))
            .filter(|(_, name)| !self.present.contains_key(name) && !self.pins.contains_key(name))
            .map(|(table, name)| self.spec_of(table, &name))
            .collect();
        self.admin.create_all(&missing).await?;
        self.present.extend(missing.into_iter().map(|spec| (spec.name, spec.partitions)));
        let mut stored = Vec::new();
        for some in tables.chunks(REGISTERED_AT_ONCE) {
            let mut topics = Vec::new();
            for (_, table) in some {
                let (topic, pins) = self.topic(table).await?;
                topics.push(topic);
                stored.extend(pins);
            }
            let roads = some.iter().zip(topics).map(|((_, table), topic)| async {
                match self.codec(table, &topic.name).await {
                    Err(refused) if self.takes_new_topic(&refused) => Ok(None),
                    made => made.map(|codec| Some(TableRoad { topic, codec, copies: Vec::new() })),
                }
            });
            let roads = try_join_all(roads).await?;
            let roads =
                some.iter().zip(roads).filter_map(|((shape, _), road)| Some((*shape, Arc::new(road?))));
            self.roads.extend(roads);
        }
        Ok(stored)
    }

    /// Makes the road of a new shape.
    pub async fn open(
        &mut self,
        shape: ShapeId,
        table: &Arc<Table>,
    ) -> Result<(Arc<TableRoad>, Vec<Stored>)> {
        let table = &self.keys.of(table)?;
        let mut stored = Vec::new();
        let mut refusals = 0..REFUSALS_MAX;
        let before = self.versions.get(&self.base(&table.name)).cloned();
        let (topic, codec) = loop {
            let (topic, pins) = self.topic(table).await?;
            stored.extend(pins);
            match self.codec(table, &topic.name).await {
                Err(refused) if self.takes_new_topic(&refused) && refusals.next().is_some() => {
                    self.go_on(table, &topic.name, &refused).await?;
                }
                made => break (topic, made?),
            }
        };
        let copies = self.copies(table).await?;
        if self.versions.get(&self.base(&table.name)) != before.as_ref() {
            stored.extend(self.stored_versions(&table.name)?);
        }
        let road = Arc::new(TableRoad { topic, codec, copies });
        self.roads.insert(shape, road.clone());
        Ok((road, stored))
    }

    fn base(&self, name: &TableName) -> String {
        envelope::topic_name(&self.prefix, name)
    }

    fn takes_new_topic(&self, refused: &Error) -> bool {
        refused.kind() == Kind::SchemaIncompatible
            && self.settings.on_incompatible == OnIncompatible::NewTopic
    }

    /// The table's next topic. Roads of its earlier shapes lead to the old one: they are no more.
    async fn go_on(&mut self, table: &Table, topic: &str, refused: &Error) -> Result<()> {
        let base = self.base(&table.name);
        let before = self.last_written(&table.name).await?;
        let mut versions = self.versions.remove(&base).unwrap_or_else(|| Versions::first(topic));
        versions.go_on(&base, before.map(|table| (*table).clone()), |name| self.pins.contains_key(name));
        let why = refused.detail_text().unwrap_or_default();
        tracing::warn!(table = %table.name, from = topic, to = versions.topic, why, "the table goes on in a new topic");
        self.versions.insert(base, versions);
        self.roads.retain(|_, road| road.codec.table().name != table.name);
        Ok(())
    }

    /// How the older topics get copies; those that cannot get any are left out for good.
    async fn copies(&mut self, table: &Arc<Table>) -> Result<Vec<Copies>> {
        let base = self.base(&table.name);
        let fed = self.versions.get(&base).map(|versions| versions.fed.clone()).unwrap_or_default();
        let mut copies = Vec::new();
        for Fed { topic, table: old } in fed {
            let codec = match self.codec(&Arc::new(old), &topic).await {
                Err(refused) if refused.kind() == Kind::SchemaIncompatible => None,
                made => Some(made?),
            };
            let there = self.admin.partitions(&topic).await?;
            let made =
                codec.zip(there).and_then(|(codec, partitions)| Copies::of(table, codec, &topic, partitions));
            match made {
                Some(made) => copies.push(made),
                None => self.leave(&table.name, &topic, "its columns cannot be had from the table's"),
            }
        }
        Ok(copies)
    }

    /// An older topic of a table gets no more copies.
    pub fn leave(&mut self, table: &TableName, topic: &str, why: &str) {
        tracing::warn!(%table, topic, why, "the older topic gets no more of the table's rows");
        let base = self.base(table);
        if let Some(versions) = self.versions.get_mut(&base) {
            versions.fed.retain(|fed| fed.topic != topic);
        }
    }

    /// Where a table's events go, to be stored, if not to its first topic.
    pub fn stored_versions(&self, table: &TableName) -> Result<Option<Stored>> {
        let base = self.base(table);
        let Some(versions) = self.versions.get(&base) else { return Ok(None) };
        Ok(Some(Stored { key: recovery::versions_key(&base), json: versions.to_json()? }))
    }

    /// The topic with what is read for one sink alone: one partition, since one reader follows it; never
    /// compacted, since rows of all tables share it.
    pub async fn private(&mut self, sink: &str) -> Result<DataTopic> {
        let name = private::topic(&self.prefix, sink);
        if let Some(topic) = self.topics.get(&name) {
            return Ok(topic.clone());
        }
        let mut spec = self.spec(&name, 1, CleanupPolicy::Delete);
        spec.config.extend(self.as_large_as_tables().await?);
        self.admin.create(spec).await?;
        let topic = DataTopic { index: self.topics.len(), name: name.as_str().into(), partitions: 1 };
        self.topics.insert(name, topic.clone());
        Ok(topic)
    }

    /// The shape that a table had when it was last written, by an earlier run too;
    /// `None` if it never was.
    ///
    /// # Errors
    /// [`Kind::SchemaRefused`] where it was, and the registry has lost its schema.
    pub async fn last_written(&self, name: &TableName) -> Result<Option<Arc<Table>>> {
        let topic = self.newest(name);
        match self.registry.latest_of(&topic).await? {
            Some(schema) => Ok(Some(Plan::parse(&schema)?.table().clone())),
            // Its schemas are registered before the first cut that says how many partitions it has.
            None if self.pins.contains_key(&topic) => Err(schema_lost(name, &topic)),
            None => Ok(None),
        }
    }

    /// The topic that a table's events take now.
    fn newest(&self, name: &TableName) -> String {
        let base = self.base(name);
        self.versions.get(&base).map_or(base, |versions| versions.topic.clone())
    }

    /// Registers the schemas of a table.
    async fn codec(&self, table: &Arc<Table>, topic: &str) -> Result<TableCodec> {
        let mut codec = TableCodec::new(table, &self.modes, topic)?;
        let (key, value) = (format!("{topic}-key"), format!("{topic}-value"));
        let key_id =
            OptionFuture::from(codec.key_schema().map(|schema| self.registry.register(&key, schema)));
        let value_id = self.registry.register(&value, codec.value_schema());
        // At once: a restart waits for each table's, one table after the other as their rows come.
        let (key_id, value_id) = join(key_id, value_id).await;
        codec.set_ids(key_id.transpose()?, value_id?);
        Ok(codec)
    }

    fn wanted(&self, table: &Table) -> i32 {
        if table.identity().is_some() { self.settings.partitions } else { 1 }
    }

    async fn topic(&mut self, table: &Table) -> Result<(DataTopic, Vec<Stored>)> {
        let (base, name) = (self.base(&table.name), self.newest(&table.name));
        self.own(&table.name)?;
        if let Some(topic) = self.topics.get(&name) {
            let topic = topic.clone();
            self.refuse_compacted(table, &topic.name).await?;
            return Ok((topic, Vec::new()));
        }
        let chosen = self.keys.pin(&base, table, !self.pins.contains_key(&base))?;
        let (partitions, pin) = self.pinned(table, &name).await?;
        self.refuse_compacted(table, &name).await?;
        let topic = DataTopic { index: self.topics.len(), name: name.as_str().into(), partitions };
        self.topics.insert(name, topic.clone());
        Ok((topic, pin.into_iter().chain(chosen).collect()))
    }

    /// A topic that somebody has made compacted, where rows share a key or have none.
    async fn refuse_compacted(&self, table: &Table, topic: &str) -> Result<()> {
        let has_key = table.record_key().is_some();
        if has_key && (table.chosen_key.is_none() || table.key_tells_rows()) {
            return Ok(());
        }
        match self.admin.compacted(&[topic]).await {
            Err(refused) if refused.kind() == Kind::KafkaRefused => {
                tracing::warn!(topic, error = %refused, "rows share the key of their records, or have none: see that the topic is not compacted");
                Ok(())
            }
            found => match found?.is_empty() {
                true => Ok(()),
                false if has_key => {
                    Err(record_keys::compacted(table, &format!("the topic {topic} is compacted")))
                }
                false => Err(record_keys::compacted_without_key(table, topic)),
            },
        }
    }

    /// Whether brokers compact a topic of the book; where nobody may ask them, what the settings say of new ones.
    ///
    /// # Errors
    /// [`Kind::KafkaUnreachable`].
    pub async fn is_compacted(&mut self, topic: &str) -> Result<bool> {
        if let Some(known) = self.compacted.get(topic) {
            return Ok(*known);
        }
        // All at once: many tables are emptied together where all is read again.
        let topics: BTreeSet<&str> = self.topics.keys().map(String::as_str).chain([topic]).collect();
        let topics: Vec<&str> =
            topics.into_iter().filter(|name| !self.compacted.contains_key(*name)).collect();
        let found = match self.admin.compacted(&topics).await {
            Err(refused) if refused.kind() == Kind::KafkaRefused => None,
            found => Some(found?),
        };
        let by_settings = self.settings.cleanup_policy == CleanupPolicy::Compact;
        let is_compacted = |name: &str| found.as_ref().map_or(by_settings, |found| found.contains_key(name));
        let answers: Vec<_> = topics.iter().map(|name| ((*name).to_owned(), is_compacted(name))).collect();
        let answer = is_compacted(topic);
        self.compacted.extend(answers);
        Ok(answer)
    }

    /// The topic's partition count: the pinned one, or that of a topic that is
    /// there, or a new topic's.
    async fn pinned(&mut self, table: &Table, name: &str) -> Result<(i32, Option<Stored>)> {
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
                let mut spec = self.spec_of(table, name);
                spec.config.extend(self.as_large_as_first(table, name).await?);
                let wanted = spec.partitions;
                self.admin.create(spec).await?;
                wanted
            }
        };
        self.pins.insert(name.to_owned(), partitions);
        let (key, json) = (recovery::partitions_key(name), partitions.to_string());
        Ok((partitions, Some(Stored { key, json })))
    }

    /// The topic of a table that is to be made. Into a compacted one no record comes without a key.
    fn spec_of(&self, table: &Table, name: &str) -> TopicSpec {
        let has_key = table.record_key().is_some();
        let cleanup = if has_key { self.settings.cleanup_policy } else { CleanupPolicy::Delete };
        if cleanup != self.settings.cleanup_policy {
            tracing::warn!(table = %table.name, topic = name, "the table has no key: its topic is not compacted");
        }
        self.spec(name, self.wanted(table), cleanup)
    }

    fn spec(&self, name: &str, partitions: i32, cleanup: CleanupPolicy) -> TopicSpec {
        let (key, value) = BROKERS_TIME;
        let mut config =
            vec![("cleanup.policy".to_owned(), cleanup.to_string()), (key.to_owned(), value.to_owned())];
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

fn schema_lost(table: &TableName, topic: &str) -> Error {
    Error::new(Kind::SchemaRefused, format!("the registry has no schema for the values of {topic} any more"))
        .detail(format!("{table} is to be emptied downstream, which takes the schema that its events were written with"))
        .hint(format!(
            "restore the subject {topic}-value: the topic's records name their schema's id (GET /schemas/ids/ID), and its \
             text is registered by POST /subjects/{topic}-value/versions; or leave the table out ([capture] exclude) and \
             empty it at the destinations by hand"
        ))
}
