//! Records of data topics → changes: the schemas come from the registry, each once.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use cdc_mysql_sink::{Change, Origin};
use cdc_sdk::{Op, Result, TableName};
use tokio::runtime::Handle;

use super::settings;
use crate::avro::{self, AvroRow, Decoded, Plan, Registry};
use crate::config::RegistryConfig;
use crate::envelope;

/// Reads the values of data topics. It blocks.
pub struct Decoder {
    registry: Registry,
    runtime: Handle,
    plans: HashMap<u32, Arc<Plan>>,
}

impl Decoder {
    /// A decoder that asks this registry.
    pub fn new(config: &RegistryConfig) -> Result<Self> {
        let registry = Registry::new(settings::registry(config))?;
        Ok(Self { registry, runtime: Handle::current(), plans: HashMap::new() })
    }

    /// What a value says, and how it is read.
    pub fn decode(&mut self, value: &Bytes) -> Result<(Arc<Plan>, Decoded)> {
        let plan = self.plan(avro::frame_id(value)?)?;
        let decoded = plan.decode(value)?;
        Ok((plan, decoded))
    }

    /// The table of a topic, as far as its schemas have been seen.
    pub fn table_of(&self, prefix: &str, topic: &str) -> Option<TableName> {
        let names = self.plans.values().map(|plan| &plan.table().name);
        names.into_iter().find(|name| envelope::topic_name(prefix, name) == topic).cloned()
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
        (_, Op::Truncate) | (None, _) => None,
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
