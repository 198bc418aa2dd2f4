//! How far a transaction has been read: rows counted, and a running hash over
//! their images, all tables, captured or not.
//!
//! A restart inside a transaction reads it from its start and leaves out as many
//! rows as were delivered. If the hash over those is another, it is another
//! transaction, and the run stops. Count and hash do not depend on how the server
//! cut the rows into events, which another server (after a failover) may do
//! differently.
//!
//! The hash is stored, so it must never change without a new number. Version 1:
//! starting at 0, for each row `h = mix(h, length)`, then `h = mix(h, word)` for each
//! eight bytes of the row (little-endian, the last filled with zeros), where
//! `mix(h, w) = (rotate_left(h, 5) ^ w) * 0x9E37_79B9_7F4A_7C15` modulo 2^64 and the
//! row is its image with the NULL bitmap, of an update both one after the other.

use cdc_sdk::position::Partial;
use cdc_sdk::{Error, Kind, Result};

/// The version of the hash.
#[cfg(test)]
pub(crate) const VERSION: u32 = 1;

/// Adds a row.
#[inline]
pub(crate) fn add(partial: Partial, row: &[u8]) -> Partial {
    let mut hash = mix(partial.hash, row.len() as u64);
    let (words, rest) = row.as_chunks::<8>();
    for word in words {
        hash = mix(hash, u64::from_le_bytes(*word));
    }
    if !rest.is_empty() {
        let mut last = [0; 8];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        hash = mix(hash, u64::from_le_bytes(last));
    }
    Partial { rows: partial.rows + 1, hash }
}

#[inline]
fn mix(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// The count over the current transaction, and where a resumed one goes on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// The rows seen.
    pub seen: Partial,
    /// What was delivered of this transaction before a restart; taken away once it
    /// has been seen again.
    pub delivered: Option<Partial>,
}

impl Tally {
    /// A new transaction. What was delivered of it is told by the position.
    pub fn begin(delivered: Option<Partial>) -> Self {
        Self { seen: Partial::default(), delivered: delivered.filter(|partial| partial.rows > 0) }
    }

    /// Adds a row. True if it was delivered before.
    ///
    /// # Errors
    /// [`Kind::ResumeMismatch`]: the rows delivered before were others.
    pub fn add(&mut self, row: &[u8]) -> Result<bool> {
        self.seen = add(self.seen, row);
        let Some(delivered) = self.delivered else { return Ok(false) };
        if self.seen.rows == delivered.rows {
            if self.seen.hash != delivered.hash {
                return Err(mismatch(format!("its first {} rows are others", delivered.rows)));
            }
            self.delivered = None;
        }
        Ok(true)
    }

    /// The transaction ends.
    ///
    /// # Errors
    /// [`Kind::ResumeMismatch`]: it has fewer rows than were delivered.
    pub fn finish(&self) -> Result<()> {
        match self.delivered {
            None => Ok(()),
            Some(delivered) => Err(mismatch(format!(
                "it has {} rows, and {} were delivered before",
                self.seen.rows, delivered.rows
            ))),
        }
    }
}

fn mismatch(why: String) -> Error {
    Error::new(Kind::ResumeMismatch, "the transaction to go on with is not the one that was being read")
        .detail(why)
        .hint("the server's log differs from the one read before (another server, or a restored one): take a new snapshot")
}

#[cfg(test)]
mod tests;
