//! Records of data topics → changes: the schemas come from the registry, each once.
//!
//! Our own value schemas carry their table, and where the user chose the key of the records (`message.key.columns`), what
//! tells a change's row from others is taken from the value, not from the key: rows may share that. Of Debezium's the
//! table is guessed: its columns from the value schema, its key from that of the record's key, its name from the event.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use cdc_mysql_sink::{Change, Origin};
use cdc_sdk::{Error, Kind, Op, Result, Table, TableName};
use tokio::runtime::Handle;

use super::settings;
use super::versions;
use crate::avro::{self, AvroRow, Decoded, KeyPlan, Plan, Registry};
use crate::config::RegistryConfig;
use crate::envelope;
use crate::kafka::Event;

/// Reads the values of data topics. It blocks.
pub struct Decoder {
    registry: Registry,
    runtime: Handle,
    plans: HashMap<u32, Arc<Plan>>,
    /// Of schemas that carry no table: by those of key and value.
    guessed: HashMap<(Option<u32>, u32), Arc<Plan>>,
    /// By topic and key schema.
    key_plans: HashMap<(String, u32), Arc<KeyPlan>>,
}

impl Decoder {
    /// A decoder that asks this registry.
    pub fn new(config: &RegistryConfig) -> Result<Self> {
        let registry = Registry::new(settings::registry(config))?;
        let (plans, guessed, key_plans) = Default::default();
        Ok(Self { registry, runtime: Handle::current(), plans, guessed, key_plans })
    }

    /// What a record says, and how it is read.
    pub fn decode(&mut self, key: Option<&Bytes>, value: &Bytes) -> Result<(Arc<Plan>, Decoded)> {
        let id = avro::frame_id(value)?;
        let mut plan = self.plan(id)?;
        if !plan.carries_table() {
            let key = key.map(|key| avro::frame_id(key)).transpose()?;
            plan = match self.guess(&plan, (key, id), value) {
                // Its key, in a compacted topic, is no row's.
                Err(_) if plan.decode(value)?.op == Op::Truncate => self.guess(&plan, (None, id), value)?,
                guessed => guessed?,
            };
        }
        let decoded = plan.decode(value)?;
        Ok((plan, decoded))
    }

    /// The deletion that a tombstone tells of, where the event that says so may be gone.
    pub fn deletion(
        &mut self,
        prefix: &str,
        topic: &str,
        key: &Bytes,
        origin: Origin,
    ) -> Result<Change<AvroRow>> {
        let plan = self.key_plan(prefix, topic, avro::frame_id(key)?)?;
        let (row, told) = plan.row(key)?;
        Ok(Change {
            table: plan.rows().table().clone(),
            op: Op::Delete,
            key: Some(told),
            before: Some(row),
            after: None,
            origin,
            unreadable: None,
        })
    }

    fn key_plan(&mut self, prefix: &str, topic: &str, id: u32) -> Result<Arc<KeyPlan>> {
        let of = (topic.to_owned(), id);
        if let Some(plan) = self.key_plans.get(&of) {
            return Ok(plan.clone());
        }
        let values = self.values(prefix, topic)?;
        let schema = self.runtime.block_on(self.registry.schema(id))?;
        let plan =
            KeyPlan::parse(&schema, &values).map_err(|e| e.at(format!("key schema {id} of {topic}")))?;
        Ok(self.key_plans.entry(of).or_insert(Arc::new(plan)).clone())
    }

    /// How the values of a topic are read: those seen last, or else the newest.
    fn values(&self, prefix: &str, topic: &str) -> Result<Arc<Plan>> {
        let seen = self.plans.iter().filter(|(_, plan)| is_topic_of(prefix, &plan.table().name, topic));
        match seen.max_by_key(|(id, _)| **id) {
            Some((_, plan)) => Ok(plan.clone()),
            None => self.latest(topic),
        }
    }

    /// Whether rows of a topic's table share the keys of their records.
    ///
    /// # Errors
    /// What keeps the table from being known.
    pub fn shares_keys(&self, prefix: &str, topic: &str) -> Result<bool> {
        let plan = self.values(prefix, topic)?;
        Ok(plan.table().chosen_key.is_some() && !plan.table().key_tells_rows())
    }

    /// What stands for an event of a topic that cannot be read.
    pub fn unreadable(
        &self,
        (prefix, topic): (&str, &str),
        name: TableName,
        error: Error,
        event: &Event,
        origin: Origin,
    ) -> Change<AvroRow> {
        // Of a key that was chosen the datum is not what other events of the row are known by.
        let is_identity = || self.values(prefix, topic).is_ok_and(|plan| plan.table().chosen_key.is_none());
        Change {
            table: Arc::new(only_named(name)),
            op: Op::Update,
            // Without one the event may be of any row.
            key: event.key.as_ref().and_then(|key| datum(key).ok()).filter(|_| is_identity()),
            before: None,
            after: None,
            origin,
            unreadable: Some(Arc::new(error)),
        }
    }

    /// How the newest values of a topic are read.
    fn latest(&self, topic: &str) -> Result<Arc<Plan>> {
        let schema = self.runtime.block_on(self.registry.latest_of(topic))?;
        let schema = schema.ok_or_else(|| {
            Error::new(Kind::Decode, format!("the registry has no schema for the values of {topic}"))
                .hint("a tombstone can only be read with it: restore the registry's subjects")
        })?;
        Ok(Arc::new(Plan::parse(&schema).map_err(|e| e.at(format!("the newest schema of {topic}")))?))
    }

    /// The table of a topic, as far as its schemas have been seen.
    pub fn table_of(&self, prefix: &str, topic: &str) -> Option<TableName> {
        let names = self.plans.values().chain(self.guessed.values()).map(|plan| &plan.table().name);
        names.into_iter().find(|name| is_topic_of(prefix, name, topic)).cloned()
    }

    fn guess(&mut self, plan: &Plan, ids: (Option<u32>, u32), value: &Bytes) -> Result<Arc<Plan>> {
        if let Some(plan) = self.guessed.get(&ids) {
            return Ok(plan.clone());
        }
        let (key, id) = ids;
        let value_schema = self.runtime.block_on(self.registry.schema(id))?;
        let key_schema = key.map(|id| self.runtime.block_on(self.registry.schema(id))).transpose()?;
        let place = plan.source_place(value)?;
        let name = TableName::new(place.database, place.table);
        let plan = Plan::parse_with_key(&value_schema, key_schema.as_deref());
        let plan = Arc::new(plan.map_err(|e| e.at(format!("schema {id}")))?.named(name));
        self.guessed.insert(ids, plan.clone());
        Ok(plan)
    }

    fn plan(&mut self, id: u32) -> Result<Arc<Plan>> {
        if let Some(plan) = self.plans.get(&id) {
            return Ok(plan.clone());
        }
        let schema = self.runtime.block_on(self.registry.schema(id))?;
        let plan = Arc::new(Plan::parse(&schema).map_err(|e| e.at(format!("schema {id}")))?);
        self.plans.insert(id, plan.clone());
        Ok(plan)
    }
}

/// The change that a record with this key brings.
pub fn change_of(
    plan: &Plan,
    decoded: Decoded,
    key: Option<&Bytes>,
    origin: Origin,
) -> Result<Change<AvroRow>> {
    let key = match (key, decoded.op) {
        (_, Op::Truncate) => None,
        _ if plan.table().chosen_key.is_some() => plan.event_key(&decoded)?,
        (None, _) => None,
        (Some(key), _) => Some(datum(key)?),
    };
    let table = plan.table().clone();
    let Decoded { op, before, after, .. } = decoded;
    Ok(Change { table, op, key, before, after, origin, unreadable: None })
}

/// A key's datum, without the framing: the schema's id is no part of a row's identity.
pub fn datum(key: &Bytes) -> Result<Bytes> {
    avro::frame_id(key)?;
    Ok(key.slice(5..))
}

/// Of a table nothing but the name.
fn only_named(name: TableName) -> Table {
    Table {
        version: Table::VERSION,
        chosen_key: None,
        name,
        columns: Vec::new(),
        keys: Vec::new(),
        collation: None,
        comment: String::new(),
    }
}

fn is_topic_of(prefix: &str, table: &TableName, topic: &str) -> bool {
    versions::is_of(&envelope::topic_name(prefix, table), topic)
}

/// The table of a topic that has letters only which topics may have.
pub fn named_by_topic(prefix: &str, topic: &str) -> Option<TableName> {
    let (database, table) = topic.strip_prefix(prefix)?.strip_prefix('.')?.split_once('.')?;
    (!table.contains('.')).then(|| TableName::new(database, table))
}
