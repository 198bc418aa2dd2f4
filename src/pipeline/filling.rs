//! A sink that is filled by a snapshot of its own, while it follows the stream.
//!
//! It begins behind the cut in which the source took its request. What is at the destination
//! then is nothing, or old. For each table the snapshot first empties it, then brings all rows
//! (`private.rs`). So changes of a table in the stream are passed over until it is emptied, and applied
//! from then on: the emptied table has a part of the source's rows, each as the source has it at that cut; every
//! change keeps that so, and every chunk adds to it, until it is all of them.
//! A truncation in the stream empties the table for everybody, so from there its changes count as well.
//!
//! How far that is are rows of the ledger beside its places, with −1 for a partition: the table's
//! topic with 0 while it waits to be emptied and 1 from then on; the sink's own topic with 0 while it is
//! being filled and 1 from then on.

use std::collections::HashMap;

use cdc_sdk::cut::Place;
use cdc_sdk::{Error, Kind, Op, Result, TableName};

use super::private::{self, Mark};
use crate::envelope;

/// What stands for the partition in a row of the ledger that is no place.
pub(super) const NO_PARTITION: i32 = -1;

const NOT_YET: i64 = 0;
const SINCE_THEN: i64 = 1;

/// What a sink's own snapshot lacks yet.
pub struct Filling {
    prefix: String,
    sink: String,
    own: String,
    /// Tables' topics: whether they wait to be emptied.
    tables: HashMap<String, bool>,
    open: bool,
    /// What the next commit is to store.
    moved: Vec<((String, i32), i64)>,
}

impl Filling {
    /// As the ledger has it.
    pub fn of(prefix: &str, sink: &str, places: &HashMap<(String, i32), i64>) -> Self {
        let own = private::topic(prefix, sink);
        let mut filling = Self {
            prefix: prefix.to_owned(),
            sink: sink.to_owned(),
            tables: HashMap::new(),
            open: is_open(&own, places),
            own,
            moved: Vec::new(),
        };
        let marked = places.iter().filter(|((_, partition), _)| *partition == NO_PARTITION);
        for ((topic, _), value) in marked.filter(|((topic, _), _)| *topic != filling.own) {
            filling.tables.insert(topic.clone(), *value == NOT_YET);
        }
        filling
    }

    /// Whether rows are still to come.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Whether a topic that a cut names is for this sink. Its own is only while the ledger says that it is being filled:
    /// then that stands behind the request, and all that comes is what was asked for. Otherwise the rows were asked for by
    /// nobody who waits for them, or by another ledger of the name, or are met again by a replay, whose destination has
    /// what came of them: emptied for them a table might not be filled again.
    pub fn concerns(&self, topic: &str) -> bool {
        private::addressee(&self.prefix, topic).is_none_or(|sink| self.open && sink == self.sink)
    }

    /// Whether the topic is the sink's own.
    pub fn is_own(&self, topic: &str) -> bool {
        topic == self.own
    }

    /// Whether a change that lies on this topic is to be applied.
    pub fn admits(&mut self, topic: &str, op: Op, table: &TableName) -> bool {
        if !self.open {
            return true;
        }
        // Not the topic that it lies on: a table may have gone on in another one.
        let of_table = envelope::topic_name(&self.prefix, table);
        if op == Op::Truncate {
            if self.tables.insert(of_table.clone(), false) == Some(true) {
                self.moved.push(((of_table, NO_PARTITION), SINCE_THEN));
            }
            return true;
        }
        self.is_own(topic) || self.tables.get(&of_table) != Some(&true)
    }

    /// A mark on the sink's own topic.
    ///
    /// # Errors
    /// [`Kind::EventsMissing`]: the snapshot was stopped.
    pub fn mark(&mut self, mark: Mark) -> Result<()> {
        match mark {
            _ if !self.open => Ok(()),
            Mark::Through => {
                self.open = false;
                self.moved.push(((self.own.clone(), NO_PARTITION), SINCE_THEN));
                Ok(())
            }
            Mark::Stopped => {
                let what = format!("the snapshot for sink '{}' was stopped before its end", self.sink);
                Err(Error::new(Kind::EventsMissing, what).hint(ways(&self.sink)))
            }
        }
    }

    /// What has changed since the last call; it belongs to the batch under way.
    pub fn take_moved(&mut self) -> Vec<((String, i32), i64)> {
        std::mem::take(&mut self.moved)
    }
}

fn is_open(own: &str, places: &HashMap<(String, i32), i64>) -> bool {
    places.get(&(own.to_owned(), NO_PARTITION)) == Some(&NOT_YET)
}

/// Whether the ledger of a sink says that it is being filled.
pub fn is_being_filled(prefix: &str, sink: &str, places: &HashMap<(String, i32), i64>) -> bool {
    is_open(&private::topic(prefix, sink), places)
}

/// The ledger's rows at the beginning: these tables are to come.
pub fn beginning(prefix: &str, sink: &str, tables: &[TableName]) -> Vec<Place> {
    let row = |topic| Place { topic, partition: NO_PARTITION, offset: NOT_YET };
    let own = std::iter::once(private::topic(prefix, sink));
    own.chain(tables.iter().map(|table| envelope::topic_name(prefix, table))).map(row).collect()
}

/// What helps a sink whose topics no longer hold what it needs.
pub fn ways(sink: &str) -> String {
    format!(
        "ask the source for a snapshot for this sink alone, which empties its tables first: cdc snapshot -c FILE --for-me \
         (FILE: the settings of sink '{sink}'); or restore the destination from a backup of the source and begin there: cdc sink --from-gtid"
    )
}

#[cfg(test)]
mod tests;
