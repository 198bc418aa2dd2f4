//! Rows that the stream brings of tables that are still to be read.
//!
//! With an identity they are handed out: a chunk brings them once more, or the row is dropped from it. Without
//! one they are not, until the table is read: its view holds what they do, and of rows that cannot be told apart
//! the consumer, who has not all of them, could not even find the one that goes. So from the first of them on the
//! consumer's part of the table is not what it was at any time, and goes before the table is read; be it read by
//! a key in the end, one that the table got later, or whether the source ends in between: that is stored with them.

use cdc_sdk::Table;

use super::Plan;
use crate::snapshot::progress::TableProgress;

/// What becomes of rows that the stream brings.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Passing {
    /// They are handed out.
    Open,
    /// They are not; this is to be stored in their place, if anything is.
    Hidden(Option<TableProgress>),
}

impl Plan {
    /// The stream brings rows of this shape of a table, which the open chunks have been shown.
    pub fn meet_rows(&mut self, table: &Table) -> Passing {
        if self.is_complete() {
            return Passing::Open;
        }
        let entry = self.tables.get_mut(&table.name).filter(|entry| !entry.is_done());
        let Some(entry) = entry else { return Passing::Open };
        // What is read once more the consumer has whole, until it is emptied where its view is.
        if table.identity().is_some() || entry.again.is_some() {
            entry.went_out = true;
            return Passing::Open;
        }
        let is_new = entry.pass_by();
        Passing::Hidden(if is_new { self.progress_of(&table.name) } else { None })
    }
}
