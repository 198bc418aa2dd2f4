//! What the registry numbered the schemas of the internal topics.

use cdc_sdk::Result;

use super::{CONTROL_SCHEMA, CUT_SCHEMA, INTERNAL_KEY_SCHEMA, STATE_SCHEMA};
use crate::avro::Registry;

/// Ids of the internal schemas that a source writes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordIds {
    /// Of [`CUT_SCHEMA`].
    pub cut: u32,
    /// Of [`INTERNAL_KEY_SCHEMA`], under the state topic's subject.
    pub state_key: u32,
    /// Of [`STATE_SCHEMA`].
    pub state_value: u32,
    /// Of the control topic.
    pub control: ControlIds,
}

/// Ids of the schemas of the control topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlIds {
    /// Of [`INTERNAL_KEY_SCHEMA`], under the topic's subject.
    pub key: u32,
    /// Of [`CONTROL_SCHEMA`].
    pub value: u32,
}

impl ControlIds {
    /// Registers them under the subjects of the topic.
    ///
    /// # Errors
    /// What [`Registry::register`] returns.
    pub async fn register(registry: &Registry, topic: &str) -> Result<Self> {
        Ok(Self {
            key: registry.register(&format!("{topic}-key"), INTERNAL_KEY_SCHEMA).await?,
            value: registry.register(&format!("{topic}-value"), CONTROL_SCHEMA).await?,
        })
    }
}

impl RecordIds {
    /// Registers them under the subjects of the topics. Cuts have no keys.
    ///
    /// # Errors
    /// What [`Registry::register`] returns.
    pub async fn register(
        registry: &Registry,
        cuts_topic: &str,
        state_topic: &str,
        control_topic: &str,
    ) -> Result<Self> {
        Ok(Self {
            cut: registry.register(&format!("{cuts_topic}-value"), CUT_SCHEMA).await?,
            state_key: registry.register(&format!("{state_topic}-key"), INTERNAL_KEY_SCHEMA).await?,
            state_value: registry.register(&format!("{state_topic}-value"), STATE_SCHEMA).await?,
            control: ControlIds::register(registry, control_topic).await?,
        })
    }
}
