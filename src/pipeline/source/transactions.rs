//! Debezium's `provide.transaction.metadata`: each event says where it stands in its transaction, and
//! `prefix.transaction` when a transaction begins and with how many events it ends.
//!
//! Its records go out with the cut that their rows are in. Of transactions without captured rows there are none
//! (Debezium writes those, too). A change of key is two events, a tombstone is none.
//!
//! A restart inside a transaction goes on with the counts stored beside its GTID.

use cdc_sdk::change::Origin;
use cdc_sdk::{Result, TableName};

use crate::avro::Registry;
use crate::avro::records::TransactionIds;
use crate::envelope::TransactionBlock;
use crate::kafka::{Admin, BROKERS_TIME, TopicSpec};
use crate::pipeline::cut_writer::CutWriter;
use crate::pipeline::recovery::Counts;

/// The transaction being read.
pub(super) struct Transactions {
    ids: TransactionIds,
    /// What it is called: its GTID, or its place.
    id: String,
    /// Its events so far, by table.
    events: Counts,
    /// What a run of cuts had brought of the transaction that the last session ended inside of.
    before: Option<(String, Counts)>,
}

impl Transactions {
    /// Makes the topic where it is missing, and registers its schemas.
    pub async fn open(
        admin: &Admin,
        registry: &Registry,
        topic: &str,
        replication: i32,
        before: Option<(String, Counts)>,
    ) -> Result<Self> {
        let (key, value) = BROKERS_TIME;
        let config = vec![(key.to_owned(), value.to_owned())];
        admin.create(TopicSpec { name: topic.to_owned(), partitions: 1, replication, config }).await?;
        let ids = TransactionIds::register(registry, topic).await?;
        Ok(Self { ids, id: String::new(), events: Counts::new(), before })
    }

    /// A transaction begins.
    pub fn begin(&mut self, origin: &Origin) {
        self.id = match &origin.gtid {
            Some(gtid) => gtid.to_string(),
            None => format!("file={},pos={}", origin.file, origin.pos),
        };
        let before = self.before.take().filter(|(id, _)| *id == self.id);
        self.events = before.map(|(_, counts)| counts).unwrap_or_default();
    }

    /// Rows of it come. The first ones make it known.
    pub fn rows_follow(&self, committed_us: i64, writer: &mut CutWriter) -> Result<()> {
        if !self.events.is_empty() {
            return Ok(());
        }
        writer.transaction(&self.ids.key(&self.id), &self.ids.begin(&self.id, committed_us / 1000))
    }

    /// Where the next event of a table stands.
    pub fn next(&self, table: &TableName) -> TransactionBlock<'_> {
        TransactionBlock {
            id: &self.id,
            total_order: self.total() + 1,
            data_collection_order: self.events.get(&table.to_string()).copied().unwrap_or(0) + 1,
        }
    }

    /// So many events of a table were sent.
    pub fn count(&mut self, table: &TableName, events: u64) {
        *self.events.entry(table.to_string()).or_default() += events;
    }

    /// The transaction is committed.
    pub fn end(&mut self, committed_us: i64, writer: &mut CutWriter) -> Result<()> {
        let events = std::mem::take(&mut self.events);
        if events.is_empty() {
            return Ok(());
        }
        let value = self.ids.end(&self.id, &events, committed_us / 1000);
        writer.transaction(&self.ids.key(&self.id), &value)
    }

    /// What was sent of it.
    pub fn counts(&self) -> Counts {
        self.events.clone()
    }

    fn total(&self) -> u64 {
        self.events.values().sum()
    }
}
