//! Cuts: for every partition how far, so that together it is one source state.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Kind, Result};
use crate::position::Position;

/// Which cut: ordered, never reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CutId {
    /// Which start of the source wrote it: one more at each start.
    pub incarnation: u64,
    /// Its number, ascending over incarnations too.
    pub sequence: u64,
}

/// What a cut says of the transactions up to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutKind {
    /// It ends with a whole transaction: together with all before it, a source state.
    Complete,
    /// It ends inside a transaction, which the next cut goes on with.
    Continues,
    /// The run of `Continues` before it will not go on: drop what it brought.
    Abandoned,
}

/// A place in a topic's partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset of the next record.
    pub offset: i64,
}

/// How many events of a cut are in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Events, tombstones included.
    pub events: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
}

/// One record of the topic `prefix.cuts`.
#[derive(Clone, Debug, PartialEq)]
pub struct Cut {
    /// Which it is.
    pub id: CutId,
    /// What it ends.
    pub kind: CutKind,
    /// Whether the sink must apply it by itself (DDL, truncate, a new schema).
    pub alone: bool,
    /// Whether every captured table has been read by the initial snapshot.
    pub snapshot_complete: bool,
    /// The source's position after it.
    pub position: Position,
    /// When its last transaction was committed on the source, µs since 1970; 0 where it has none.
    pub committed_us: i64,
    /// When the source wrote the cut, µs since 1970.
    pub written_us: i64,
    /// How many transactions it ends.
    pub transactions: u64,
    /// What it brought, by partition.
    pub touched: Vec<Touched>,
    /// Where the partitions of the cut before it end.
    pub previous_ends: Vec<Place>,
    /// Some of the map of all partitions, as it was after the cut before it.
    pub map_slice: Vec<Place>,
}

impl Cut {
    /// Events in all partitions.
    pub fn events(&self) -> u64 {
        self.touched.iter().map(|t| t.events).sum()
    }

    /// Bytes in all partitions.
    pub fn bytes(&self) -> u64 {
        self.touched.iter().map(|t| t.bytes).sum()
    }

    /// The average size of an event in the partition where that is largest.
    pub fn event_bytes(&self) -> u64 {
        self.touched.iter().map(|t| t.bytes / t.events.max(1)).max().unwrap_or(0)
    }
}

impl fmt::Display for CutId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.incarnation, self.sequence)
    }
}

impl FromStr for CutId {
    type Err = Error;

    /// Reads what [`fmt::Display`] writes.
    fn from_str(text: &str) -> Result<Self> {
        let parsed = text.split_once('.').and_then(|(incarnation, sequence)| {
            Some(Self { incarnation: incarnation.parse().ok()?, sequence: sequence.parse().ok()? })
        });
        parsed.ok_or_else(|| {
            Error::new(Kind::BadPosition, format!("'{text}' is not a cut"))
                .hint("write INCARNATION.SEQUENCE, such as 3.1024")
        })
    }
}
