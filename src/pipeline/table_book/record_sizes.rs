//! How large records may be: a topic that takes rows of a table which had another topic before takes what that one took.
//!
//! Brokers refuse a record that is larger than its topic's `max.message.bytes`, and the source could only stop. Whoever
//! has large rows raises that for the tables' topics; those that are made later, for rows of the same tables, have it too.

use cdc_sdk::{Error, Kind, Result, Table};

use super::TableBook;
use crate::kafka::LARGEST_RECORD;

/// A setting of a topic that is to be made; none where nothing is known.
type Setting = Option<(String, String)>;

impl TableBook {
    /// For a topic that takes rows of all tables.
    pub(super) async fn as_large_as_tables(&self) -> Result<Setting> {
        let tables: Vec<&str> = self.pins.keys().map(String::as_str).collect();
        Ok(self.largest(&tables).await?.map(|(_, bytes)| setting(bytes)))
    }

    /// For the next topic of a table.
    pub(super) async fn as_large_as_first(&self, table: &Table, topic: &str) -> Result<Setting> {
        let base = self.base(&table.name);
        if base == topic {
            return Ok(None);
        }
        Ok(self.largest(&[&base]).await?.map(|(_, bytes)| setting(bytes)))
    }

    /// Refuses to send a sink's own rows to a topic that may not take them: it was made, or the tables' topics were
    /// changed, by others.
    ///
    /// # Errors
    /// [`Kind::Refused`], with the statement that mends it; what else Kafka can run into.
    pub async fn refuse_small_records(&mut self, sink: &str) -> Result<()> {
        let own = self.private(sink).await?;
        let Some((_, takes)) = self.largest(&[&own.name]).await? else { return Ok(()) };
        let tables: Vec<&str> = self.pins.keys().map(String::as_str).collect();
        match self.largest(&tables).await? {
            Some((topic, bytes)) if bytes > takes => Err(too_small(&own.name, takes, &topic, bytes)),
            Some(_) | None => Ok(()),
        }
    }

    /// The topic that takes the largest records of these, and how many bytes they may have.
    async fn largest(&self, topics: &[&str]) -> Result<Option<(String, u64)>> {
        match self.admin.largest_records(topics).await {
            Err(refused) if refused.kind() == Kind::KafkaRefused => {
                tracing::warn!(error = %refused, "how large records of topics may be is not known");
                Ok(None)
            }
            found => Ok(found?.into_iter().max_by_key(|(_, bytes)| *bytes)),
        }
    }
}

fn setting(bytes: u64) -> (String, String) {
    (LARGEST_RECORD.to_owned(), bytes.to_string())
}

fn too_small(own: &str, takes: u64, topic: &str, bytes: u64) -> Error {
    Error::new(Kind::Refused, format!("the topic {own} takes records of {takes} bytes at most"))
        .detail(format!("{topic} takes {bytes} bytes: a row that is there may be too large"))
        .hint(format!(
            "kafka-configs.sh --alter --entity-type topics --entity-name {own} --add-config {LARGEST_RECORD}={bytes}, then ask \
             again"
        ))
}
