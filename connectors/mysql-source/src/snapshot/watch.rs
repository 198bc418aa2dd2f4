//! The keys that the stream touched while a chunk was being read.

use std::collections::HashSet;

use cdc_sdk::{Gtid, GtidSet};

use super::block::Block;

/// Keys remembered for one chunk, at most.
const KEYS_MAX: usize = 50_000;
/// Bytes of them, at most.
const BYTES_MAX: usize = 8 << 20;

/// Watches one chunk from its registration on.
#[derive(Debug)]
pub(crate) struct Watch {
    /// The names of the key's columns.
    names: Vec<String>,
    /// Transactions that the chunk shows; `None` until the reader knows.
    low: Option<GtidSet>,
    touched: HashSet<Box<[u8]>>,
    bytes: usize,
    too_many: bool,
}

/// What became of a chunk that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The rows touched so far are dropped.
    Fits,
    /// More keys were touched than were remembered; the chunk is worthless.
    TooMany,
}

impl Watch {
    /// Watches rows by the columns of these names.
    pub fn new(names: Vec<String>) -> Self {
        Self { names, low: None, touched: HashSet::new(), bytes: 0, too_many: false }
    }

    /// The names of the key's columns.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Transactions in this set are in the chunk, so what they touch need not be dropped.
    pub fn low_mark(&mut self, low: GtidSet) {
        self.low = Some(low);
    }

    /// Whether what this transaction touches must be dropped.
    pub fn concerns(&self, gtid: Option<&Gtid>) -> bool {
        !matches!((&self.low, gtid), (Some(low), Some(gtid)) if low.contains(gtid))
    }

    /// Remembers a key.
    pub fn touch(&mut self, key: &[u8]) {
        if self.too_many || self.touched.contains(key) {
            return;
        }
        self.bytes += key.len();
        if self.touched.len() >= KEYS_MAX || self.bytes > BYTES_MAX {
            self.too_many = true;
            self.touched = HashSet::new();
            return;
        }
        self.touched.insert(key.into());
    }

    /// The rows are here: drops those that were touched, and forgets the keys,
    /// since from now on they are dropped directly.
    pub fn finish(&mut self, block: &mut Block) -> Outcome {
        if self.too_many {
            return Outcome::TooMany;
        }
        for key in std::mem::take(&mut self.touched) {
            block.drop_key(&key);
        }
        Outcome::Fits
    }
}
