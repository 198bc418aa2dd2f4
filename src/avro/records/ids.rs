//! What the registry numbered the schemas of the internal topics.

use cdc_sdk::Result;

use super::{CUT_SCHEMA, INTERNAL_KEY_SCHEMA, STATE_SCHEMA};
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
}

impl RecordIds {
    /// Registers them under the subjects of the two topics. Cuts have no keys.
    ///
    /// # Errors
    /// What [`Registry::register`] returns.
    pub async fn register(registry: &Registry, cuts_topic: &str, state_topic: &str) -> Result<Self> {
        Ok(Self {
            cut: registry.register(&format!("{cuts_topic}-value"), CUT_SCHEMA).await?,
            state_key: registry.register(&format!("{state_topic}-key"), INTERNAL_KEY_SCHEMA).await?,
            state_value: registry.register(&format!("{state_topic}-value"), STATE_SCHEMA).await?,
        })
    }
}
