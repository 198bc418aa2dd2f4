//! Records of data topics → changes: the schemas come from the registry, each once.
//!
//! Our own value schemas carry their table, and where the user chose the key of the records (`message.key.columns`), what
//! tells a change's row from others is taken from the value, not from the key: rows may share that. Of Debezium's the
//! table is guessed: its columns from the value schema, its key from that of the record's key, its name from the event.
//! Tables of one shape may share both schemas, so the name of each event is looked at.
//!
//! What a registry says of an id is believed only where it fits the topic: one that was built anew may have given the
//! ids to other schemas, and rows of one table would be read, without an error, as those of another.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use cdc_mysql_sink::{Change, Origin};
use cdc_sdk::{Error, Kind, Op, Result, Table, TableName};
use tokio::runtime::Handle;

use super::{private, settings, versions};
use crate::avro::{self, AvroRow, Decoded, KeyPlan, Plan, Registry, Whose};
use crate::config::{SinkConfig, WrittenBy};
use crate::envelope;
use crate::kafka::Event;

/// Reads the values of data topics. It blocks.
pub struct Decoder {
    registry: Registry,
    runtime: Handle,
    prefix: String,
    written_by: WrittenBy,
    /// The name of the source, as events have it.
    source: Option<String>,
    plans: HashMap<u32, Known>,
    /// Of schemas that carry no table, by those of key and value: a plan for each table, the one met last first.
    guessed: HashMap<Ids, Vec<Arc<Plan>>>,
    /// Whose each topic is whose schemas carry no table, and how its values are read.
    owners: HashMap<String, Arc<Plan>>,
    /// By topic and key schema.
    key_plans: HashMap<(String, u32), Arc<KeyPlan>>,
}

/// The schemas of a record's key and value.
type Ids = (Option<u32>, u32);

/// A schema, and the topics in which it was met: for each it was looked whether it belongs there.
struct Known {
    plan: Arc<Plan>,
    topics: Vec<String>,
}

impl Decoder {
    /// A decoder that asks the registry of these settings.
    pub fn new(config: &SinkConfig) -> Result<Self> {
        let registry = Registry::new(settings::registry(&config.registry))?;
        let (plans, guessed, owners, key_plans) = Default::default();
        let (prefix, written_by) = (config.topic_prefix.clone(), config.written_by);
        let runtime = Handle::current();
        Ok(Self { registry, runtime, prefix, written_by, source: None, plans, guessed, owners, key_plans })
    }

    /// What a record of a topic says, and how it is read.
    ///
    /// # Errors
    /// [`Kind::SchemaRefused`] where the registry's schema is not the one that it was written with,
    /// [`Kind::Settings`] where the topic is not one table's of this prefix, and what keeps it from being read.
    pub fn decode(
        &mut self,
        topic: &str,
        key: Option<&Bytes>,
        value: &Bytes,
    ) -> Result<(Arc<Plan>, Decoded)> {
        let id = avro::frame_id(value)?;
        let known = self.known(id)?;
        let plan = known.plan.clone();
        if !plan.carries_table() {
            return self.decode_guessed(&plan, topic, (key, id), value);
        }
        if !known.topics.iter().any(|met| met == topic) {
            refuse_strange(&self.prefix, topic, id, &plan, value)?;
            self.known(id)?.topics.push(topic.to_owned());
        }
        let decoded = plan.decode(value)?;
        Ok((plan, decoded))
    }

    /// As [`Self::decode`], where the schema does not carry the table.
    fn decode_guessed(
        &mut self,
        unnamed: &Arc<Plan>,
        topic: &str,
        (key, id): (Option<&Bytes>, u32),
        value: &Bytes,
    ) -> Result<(Arc<Plan>, Decoded)> {
        let ids = (key.map(|key| avro::frame_id(key)).transpose()?, id);
        let last = self.guessed.get(&ids).and_then(|plans| plans.first()).cloned();
        let (decoded, whose) = last.as_ref().unwrap_or(unnamed).decode_with_source(value)?;
        let found = match last {
            Some(last) if whose.is_of(&last.table().name) => (last, decoded),
            Some(_) | None => {
                let plan = match self.guess(unnamed, topic, ids, whose) {
                    // Its key, in a compacted topic, is no row's.
                    Err(_) if decoded.op == Op::Truncate => self.guess(unnamed, topic, (None, id), whose)?,
                    guessed => guessed?,
                };
                let decoded = plan.decode(value)?;
                (plan, decoded)
            }
        };
        self.own(topic, &found.0, whose)?;
        Ok(found)
    }

    /// A topic without cuts is one table's: the keys of two would be taken for each other by a compaction, and no tombstone
    /// tells whose it is.
    fn own(&mut self, topic: &str, plan: &Arc<Plan>, whose: Whose<'_>) -> Result<()> {
        self.refuse_other_source(topic, whose.source)?;
        match self.owners.get_mut(topic) {
            Some(owner) if Arc::ptr_eq(owner, plan) => {}
            Some(owner) if whose.is_of(&owner.table().name) => {
                if plan.table().identity().is_some() {
                    *owner = plan.clone();
                }
            }
            Some(_) if private::addressee(&self.prefix, topic).is_some() => {}
            Some(owner) => return Err(shared(topic, &owner.table().name, &plan.table().name)),
            None => {
                self.owners.insert(topic.to_owned(), plan.clone());
            }
        }
        Ok(())
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
        let schema = self.runtime.block_on(self.registry.schema(id))?;
        let values = match self.values(prefix, topic)? {
            values if values.carries_table() => values,
            values => self.keyed(prefix, topic, (id, &schema), values)?,
        };
        let plan =
            KeyPlan::parse(&schema, &values).map_err(|e| e.at(format!("key schema {id} of {topic}")))?;
        Ok(self.key_plans.entry(of).or_insert(Arc::new(plan)).clone())
    }

    /// How the values of a topic are read: those seen last, or else the newest.
    fn values(&self, prefix: &str, topic: &str) -> Result<Arc<Plan>> {
        if let Some(plan) = self.owners.get(topic) {
            return Ok(plan.clone());
        }
        let seen = self.plans.iter().filter(|(_, known)| known.plan.carries_table());
        let seen = seen.filter(|(_, known)| is_topic_of(prefix, &known.plan.table().name, topic));
        match seen.max_by_key(|(id, _)| **id) {
            Some((_, known)) => Ok(known.plan.clone()),
            None => self.latest(topic),
        }
    }

    /// How the values of a topic are read whose schemas carry no table, with the key that a key's schema tells.
    fn keyed(
        &self,
        prefix: &str,
        topic: &str,
        (id, schema): (u32, &str),
        values: Arc<Plan>,
    ) -> Result<Arc<Plan>> {
        let name = match self.owners.get(topic) {
            Some(owner) => owner.table().name.clone(),
            None => named_by_topic(prefix, topic).unwrap_or_else(|| values.table().name.clone()),
        };
        let seen = self.guessed.iter().filter(|((key, _), _)| *key == Some(id));
        let seen = seen.flat_map(|(_, plans)| plans).find(|plan| plan.table().name == name);
        if let Some(seen) = seen {
            return Ok(seen.clone());
        }
        let latest = self.runtime.block_on(self.registry.latest_of(topic))?;
        let latest = latest.ok_or_else(|| no_schema(topic))?;
        Ok(Arc::new(Plan::parse_with_key(&latest, Some(schema))?.named(name)))
    }

    /// Whether an event of a topic was read, so that it is known whose it is.
    pub fn knows(&self, topic: &str) -> bool {
        self.owners.contains_key(topic)
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
        let schema = schema.ok_or_else(|| no_schema(topic))?;
        Ok(Arc::new(Plan::parse(&schema).map_err(|e| e.at(format!("the newest schema of {topic}")))?))
    }

    /// The table of a topic, as far as its schemas have been seen.
    pub fn table_of(&self, prefix: &str, topic: &str) -> Option<TableName> {
        let carried = self.plans.values().map(|known| &known.plan);
        let names = carried.chain(self.guessed.values().flatten()).map(|plan| &plan.table().name);
        names.into_iter().find(|name| is_topic_of(prefix, name, topic)).cloned()
    }

    /// Names of topics do not tell whose they are, since prefixes may have dots. (Where topics were renamed on their way, their
    /// events have another prefix than they, but all the same one.)
    fn refuse_other_source(&mut self, topic: &str, source: &str) -> Result<()> {
        if self.source.as_deref() == Some(source) || source.is_empty() {
            return Ok(());
        }
        if is_another(&self.prefix, self.source.as_deref(), topic, source) {
            return Err(other_source(topic, source, self.source.as_deref().unwrap_or(&self.prefix)));
        }
        self.source = Some(source.to_owned());
        Ok(())
    }

    /// The plan of a table whose events have these schemas.
    fn guess(&mut self, unnamed: &Plan, topic: &str, ids: Ids, whose: Whose<'_>) -> Result<Arc<Plan>> {
        let of_ids = self.guessed.get_mut(&ids).map(Vec::as_mut_slice).unwrap_or_default();
        if let Some(at) = of_ids.iter().position(|plan| whose.is_of(&plan.table().name)) {
            of_ids.swap(0, at);
            return of_ids.first().cloned().ok_or_else(|| no_schema(topic));
        }
        let (key, id) = ids;
        if self.written_by == WrittenBy::Cdc {
            refuse_strange_guess(&self.prefix, topic, id, unnamed, whose)?;
        }
        let value_schema = self.runtime.block_on(self.registry.schema(id))?;
        let key_schema = key.map(|id| self.runtime.block_on(self.registry.schema(id))).transpose()?;
        let plan = Plan::parse_with_key(&value_schema, key_schema.as_deref());
        let plan = Arc::new(plan.map_err(|e| e.at(format!("schema {id}")))?.named(whose.name()));
        self.guessed.entry(ids).or_default().insert(0, plan.clone());
        Ok(plan)
    }

    fn known(&mut self, id: u32) -> Result<&mut Known> {
        if !self.plans.contains_key(&id) {
            let schema = self.runtime.block_on(self.registry.schema(id))?;
            let plan = Arc::new(Plan::parse(&schema).map_err(|e| e.at(format!("schema {id}")))?);
            self.plans.insert(id, Known { plan, topics: Vec::new() });
        }
        self.plans.get_mut(&id).ok_or_else(|| Error::new(Kind::Bug, format!("schema {id} is not kept")))
    }
}

/// Whether a schema that carries its table may be met in a topic: in the table's own, and in that of one sink where the
/// event says that it is the table's.
fn refuse_strange(prefix: &str, topic: &str, id: u32, plan: &Plan, value: &Bytes) -> Result<()> {
    let carried = &plan.table().name;
    let place = plan.source_place(value)?;
    let told = TableName::new(place.database, place.table);
    let is_there = private::addressee(prefix, topic).is_some() || is_topic_of(prefix, carried, topic);
    if is_there && told == *carried { Ok(()) } else { Err(strange(topic, id, &told, carried)) }
}

/// Sources of ours name a table's schemas after its topic also where they do not carry the table.
fn refuse_strange_guess(prefix: &str, topic: &str, id: u32, plan: &Plan, whose: Whose<'_>) -> Result<()> {
    let base = envelope::topic_name(prefix, &whose.name());
    let fits = match private::addressee(prefix, topic) {
        Some(_) => versions::is_of(&avro::namespace(&base), plan.namespace()),
        None => versions::is_of(&base, topic) && avro::namespace(topic) == plan.namespace(),
    };
    if fits { Ok(()) } else { Err(strange(topic, id, &whose.name(), &plan.table().name)) }
}

/// Whether the events of a source are those of another than the one that is followed.
fn is_another(prefix: &str, met: Option<&str>, topic: &str, source: &str) -> bool {
    let is_its_own = topic.strip_prefix(source).is_some_and(|rest| rest.starts_with('.'));
    source != prefix && is_its_own || met.is_some_and(|met| met != source)
}

fn strange(topic: &str, id: u32, told: &TableName, carried: &TableName) -> Error {
    Error::new(Kind::SchemaRefused, format!("schema {id} of the registry is not what {topic} was written with"))
        .detail(format!("the event is one of {told}, the schema is that of {carried}"))
        .hint(
            "the registry has given its ids to other schemas, as one does that was built anew, or it is another one: \
             restore it from its backup, or name in [registry] the one that the source uses",
        )
}

fn shared(topic: &str, one: &TableName, other: &TableName) -> Error {
    Error::new(Kind::Settings, format!("{one} and {other} share the topic {topic}"))
        .detail("rows of two tables with equal keys are one row to a compaction, and to a tombstone")
        .hint("let Debezium leave one of them out, rename it, or give each its own topic (no router that merges them)")
}

fn other_source(topic: &str, source: &str, prefix: &str) -> Error {
    Error::new(Kind::Settings, format!("{topic} has events of '{source}', not of '{prefix}'"))
        .detail(
            "the topic's name begins with topic_prefix, but rows of two sources are not rows of one table",
        )
        .hint(format!("leave out that source's topics: exclude_topics = [\"{source}.*\"]"))
}

fn no_schema(topic: &str) -> Error {
    Error::new(Kind::Decode, format!("the registry has no schema for the values of {topic}"))
        .hint("a tombstone can only be read with it: restore the registry's subjects")
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

#[cfg(test)]
mod tests;
