//! What is to be kept of statements, also over a restart.

use std::collections::{BTreeMap, BTreeSet};

use cdc_sdk::TableName;

/// What statements have said of columns, by table.
pub type ColumnNotes = BTreeMap<TableName, Noted>;

/// What statements have said of a table's columns, whose names are in small letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Noted {
    /// They were dropped. Downstream they are still there, with values. `*`: others, too, since a table of another make
    /// had the name.
    pub dropped: BTreeSet<String>,
    /// The defaults of those that came, as SQL text. The catalogue has them only while the columns are there.
    pub defaults: BTreeMap<String, String>,
}
