//! Dead letters: events that cannot be applied, on `prefix.dead-letter`.
//!
//! The sink decides which (see `cdc_mysql_sink`); here they are written, read back and
//! released. A letter is the event's own record, key, value and headers to the byte, with one header
//! more that says what it is. The topic has one partition, is kept for ever, and is shared by
//! all sinks of the prefix, so a letter names its sink.
//!
//! Of a letter written twice (its writer died before it knew) the id is the same: the place of
//! the event's own record. Which letters count is said by the ledger alone: those of keys in
//! quarantine, from the offset that stands there on.

pub mod command;
mod office;
mod post;
mod release;
pub(super) mod slip;

pub use office::Office;
pub use release::serve;

/// The topic of a prefix's dead letters.
pub fn topic(prefix: &str) -> String {
    format!("{prefix}.dead-letter")
}
