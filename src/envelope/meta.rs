//! What an event says beside the row: Debezium's `source` and `transaction`.

use cdc_sdk::change::Origin;

/// Where an event comes from.
#[derive(Clone, Copy, Debug)]
pub struct Meta<'a> {
    /// The place in the source's log.
    pub origin: &'a Origin,
    /// Index of the row within its binlog event, from 0.
    pub row: u32,
    /// Whether a snapshot read it.
    pub snapshot: Snapshot,
    /// When the event is written, µs since 1970: `ts_ms`, `ts_us` and `ts_ns` of the envelope.
    pub now_us: i64,
    /// The source's name: the topic prefix.
    pub server_name: &'a str,
    /// Where it stands in its transaction, if the user asked for that.
    pub transaction: Option<TransactionBlock<'a>>,
}

impl<'m> Meta<'m> {
    /// That of the event which follows at once: a change of key is two.
    #[must_use]
    pub fn following(&self) -> Self {
        let next = |block: TransactionBlock<'m>| TransactionBlock {
            total_order: block.total_order + 1,
            data_collection_order: block.data_collection_order + 1,
            ..block
        };
        Self { transaction: self.transaction.map(next), ..*self }
    }
}

/// Where an event stands in its transaction (`provide.transaction.metadata`).
#[derive(Clone, Copy, Debug)]
pub struct TransactionBlock<'a> {
    /// The GTID, or `file=<f>,pos=<p>`.
    pub id: &'a str,
    /// Its number among the transaction's events, from 1.
    pub total_order: u64,
    /// Its number among those of its table, from 1.
    pub data_collection_order: u64,
}

/// Debezium's `source.snapshot`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Snapshot {
    /// The event was streamed.
    #[default]
    False,
    /// Somewhere within the snapshot.
    True,
    /// The first row of the whole snapshot.
    First,
    /// The first row of a table.
    FirstInDataCollection,
    /// The last row of a table.
    LastInDataCollection,
    /// The last row of the whole snapshot.
    Last,
    /// A snapshot taken while streaming goes on.
    Incremental,
}

impl Snapshot {
    /// Debezium's text.
    pub const fn text(self) -> &'static str {
        match self {
            Self::False => "false",
            Self::True => "true",
            Self::First => "first",
            Self::FirstInDataCollection => "first_in_data_collection",
            Self::LastInDataCollection => "last_in_data_collection",
            Self::Last => "last",
            Self::Incremental => "incremental",
        }
    }
}
