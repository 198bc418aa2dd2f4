//! Changes to their topics: the one that cuts name, and older ones that get copies.

use std::sync::Arc;

use cdc_mysql_source::{DdlEvent, ShapeId, shape};
use cdc_sdk::change::Origin;
use cdc_sdk::{Error, Kind, Result, Row, RowChange, Table, TableName};

use super::{Road, meta};
use crate::avro::{Meta, Outgoing, Scratch, Snapshot};
use crate::kafka;
use crate::pipeline::cut_writer::{CutWriter, DataTopic};
use crate::pipeline::table_book::TableRoad;
use crate::pipeline::versions::Copies;

/// The key of TRUNCATE in compacted topics, which take no record without one. The last of them is kept: it takes
/// away all rows that those before it did.
const TRUNCATE_KEY: &str = "truncate";

impl Road<'_> {
    /// The road of a shape. One that is new may have something to be stored: [`Road::store_met`] before its first event.
    pub(super) async fn road(&mut self, shape: ShapeId, table: &Arc<Table>) -> Result<Arc<TableRoad>> {
        if let Some(road) = self.book.known(shape) {
            return Ok(road);
        }
        let (road, stored) = self.book.open(shape, table).await?;
        self.met.extend(stored);
        Ok(road)
    }

    /// Stores what tables just met are to be known by.
    pub(super) fn store_met(&mut self) -> Result<()> {
        let met = std::mem::take(&mut self.met);
        self.store(&met)
    }

    /// The roads of the tables that a statement has emptied, so that nothing has to be asked of a server any more.
    pub(super) async fn roads_to_empty(
        &mut self,
        ddl: &DdlEvent,
        private: Option<&DataTopic>,
    ) -> Result<Vec<Arc<TableRoad>>> {
        debug_assert!(!self.writer.is_open(), "the registry is asked inside a Kafka transaction");
        let mut roads = Vec::new();
        for name in &ddl.emptied {
            roads.extend(self.road_of(name).await?);
        }
        // The book remembers the answers.
        for road in &roads {
            self.book.is_compacted(&private.unwrap_or(&road.topic).name).await?;
            for copies in &road.copies {
                self.book.is_compacted(&copies.topic).await?;
            }
        }
        Ok(roads)
    }

    /// The road of a table that may be gone from the server; `None` if no event of it was ever written.
    async fn road_of(&mut self, name: &TableName) -> Result<Option<Arc<TableRoad>>> {
        if let Some((shape, table)) = self.source.shape_of(name).await? {
            return self.road(shape, &table).await.map(Some);
        }
        match self.book.last_written(name).await? {
            Some(table) => {
                let (shape, table) = shape::intern((*table).clone());
                self.road(shape, &table).await.map(Some)
            }
            None => Ok(None),
        }
    }

    /// The event of TRUNCATE, for everybody or for one sink.
    pub(super) async fn truncate(
        &mut self,
        road: &TableRoad,
        ddl: &DdlEvent,
        private: Option<&DataTopic>,
    ) -> Result<()> {
        let topic = private.unwrap_or(&road.topic);
        let key = self.truncate_key(&topic.name).await?;
        let meta = meta(&self.config.topic_prefix, &ddl.origin, 0, Snapshot::False);
        let writer = &mut self.writer;
        road.codec.encode_truncate(&meta, &mut self.scratch, &mut |out: Outgoing<'_>| {
            writer.event(topic, 0, &Outgoing { key: key.as_deref(), ..out })
        })?;
        for copies in road.copies.iter().filter(|copies| private.is_none() && copies.go_on()) {
            let key = self.truncate_key(&copies.topic).await?;
            let writer = &mut self.writer;
            copies.codec().encode_truncate(&meta, &mut self.scratch, &mut |out: Outgoing<'_>| {
                writer.copy(&copies.topic, 0, &Outgoing { key: key.as_deref(), ..out })
            })?;
        }
        Ok(())
    }

    async fn truncate_key(&mut self, topic: &str) -> Result<Option<Vec<u8>>> {
        let is_compacted = self.book.is_compacted(topic).await?;
        Ok(is_compacted.then(|| self.writer.key_of_no_row(TRUNCATE_KEY)))
    }

    /// A change to this topic, which is the table's, or that of one sink.
    pub(super) fn publish_to<R: Row>(
        &mut self,
        topic: &DataTopic,
        road: &TableRoad,
        change: &RowChange<R>,
        (origin, row, snapshot): (&Origin, u32, Snapshot),
    ) -> Result<()> {
        let writer = &mut self.writer;
        let mut meta = meta(&self.config.topic_prefix, origin, row, snapshot);
        let told = self.told.as_mut().filter(|_| snapshot == Snapshot::False);
        meta.transaction = told.as_deref().map(|told| told.next(&road.codec.table().name));
        let mut events = 0;
        road.codec.encode(change, &meta, &mut self.scratch, &mut |out: Outgoing<'_>| {
            events += u64::from(out.value.is_some());
            let partition = kafka::partition(out.key_datum, topic.partitions);
            writer.event(topic, partition, &out)
        })?;
        let mut unfit = Vec::new();
        let for_all = topic.name == road.topic.name;
        for copies in road.copies.iter().filter(|copies| for_all && copies.go_on()) {
            match copy(copies, change, &meta, &mut self.scratch, writer) {
                Err(error) if error.kind() == Kind::Encode => unfit.push((copies, error)),
                copied => copied?,
            }
        }
        if let Some(told) = told {
            told.count(&road.codec.table().name, events);
        }
        unfit.into_iter().try_for_each(|(copies, error)| self.end_copies(copies, &error))
    }

    /// Ends the copies to a topic, in the cut of the first row that does not fit.
    fn end_copies(&mut self, copies: &Copies, why: &Error) -> Result<()> {
        copies.end();
        let table = &copies.codec().table().name;
        self.book.leave(table, &copies.topic, why.what());
        match self.book.stored_versions(table)? {
            Some(stored) => self.writer.state(&stored.key, &stored.json),
            None => Ok(()),
        }
    }
}

/// A copy of a change. An error of [`Kind::Encode`] comes before anything is sent.
fn copy<R: Row>(
    copies: &Copies,
    change: &RowChange<R>,
    meta: &Meta<'_>,
    scratch: &mut Scratch,
    writer: &mut CutWriter,
) -> Result<()> {
    let change = copies.project(change)?;
    copies.codec().encode(&change, meta, scratch, &mut |out: Outgoing<'_>| {
        let partition = kafka::partition(out.key_datum, copies.partitions);
        writer.copy(&copies.topic, partition, &out)
    })
}
