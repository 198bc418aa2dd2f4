//! What a statement in the log means for the tables that are captured.
//!
//! There is no SQL parser here. A lexer takes strings, names and comments apart, so
//! that words inside them are not taken for keywords, and a classifier looks at the
//! keywords that decide. What it does not know for certain is [`Effect::Unknown`],
//! never harmless: the pipeline then reads the table again, or stops.

mod alter;
mod condition;
mod default;
mod lexer;
mod notes;
mod statement;

use cdc_sdk::TableName;
use cdc_sdk::column::ColumnType;

pub(crate) use condition::refuse_condition;
pub use lexer::Dialect;
pub use notes::{ColumnNotes, Noted};
pub use statement::{Sense, classify};

/// What a statement does to a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It was made.
    Create(TableName),
    /// All its rows went.
    Truncate(TableName),
    /// It is gone.
    Drop(TableName),
    /// All tables of a database are gone.
    DropDatabase(String),
    /// It has another name; its rows are the same.
    Rename {
        /// What it was called.
        from: TableName,
        /// What it is called now.
        to: TableName,
    },
    /// Its columns changed, and existing rows keep their values or get one that the
    /// declaration tells: the stream goes on with the new shape.
    Reshape(TableName),
    /// A column of it was dropped, or added: beside what that does to the rows.
    Column {
        /// The table.
        table: TableName,
        /// The column.
        name: String,
        /// Which of the two.
        change: ColumnChange,
    },
    /// A column has another default: beside what that does to the rows, which is nothing. Where the catalogue may show
    /// it by the time the column is first met downstream, the rows that were there when it was added got another.
    Default {
        /// The table.
        table: TableName,
        /// The column.
        name: String,
        /// What it is now.
        now: NewDefault,
    },
    /// Its rows changed without row events.
    Rewrite {
        /// The table.
        table: TableName,
        /// What changed them.
        why: &'static str,
    },
    /// Indexes, comments, options: rows and columns are as they were, but what the
    /// catalogue tells beside must be read again.
    Metadata(TableName),
    /// It cannot be told.
    Unknown {
        /// The table, where that can be told.
        table: Option<TableName>,
    },
}

/// What became of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnChange {
    /// It is gone.
    Dropped,
    /// It came.
    Added {
        /// The default as SQL text, where a literal was declared: what the rows that are there have in it.
        default: Option<String>,
    },
}

/// The default that a statement gives a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewDefault {
    /// None any more, or NULL.
    Nothing,
    /// A whole number.
    Number(i128),
    /// Something else.
    Other,
}

impl NewDefault {
    /// Whether what the catalogue showed of the column, `DEFAULT …` or nothing, is for certain not what this statement
    /// makes of it: then it was read before.
    pub fn differs(self, ty: &ColumnType, shown: Option<&str>) -> bool {
        // Of other types a number may be shown in another form than it was given in: YEAR's 70 as 1970, FLOAT's rounded.
        let is_shown_as_given = matches!(
            ty,
            ColumnType::Integer { .. } | ColumnType::Decimal { .. } | ColumnType::Varchar { .. }
        );
        match (self, shown) {
            (Self::Nothing, shown) => shown.is_some(),
            (Self::Number(_) | Self::Other, None) => true,
            (Self::Number(now), Some(shown)) if is_shown_as_given => {
                shown.trim_matches('\'').parse::<i128>().is_ok_and(|shown| shown != now)
            }
            (Self::Number(_) | Self::Other, Some(_)) => false,
        }
    }
}

impl Effect {
    /// The tables whose catalogue entry is not what it was.
    pub fn tables(&self) -> Vec<&TableName> {
        match self {
            Self::Create(name)
            | Self::Truncate(name)
            | Self::Drop(name)
            | Self::Reshape(name)
            | Self::Rewrite { table: name, .. }
            | Self::Column { table: name, .. }
            | Self::Default { table: name, .. }
            | Self::Metadata(name) => vec![name],
            Self::Rename { from, to } => vec![from, to],
            Self::Unknown { table } => table.iter().collect(),
            Self::DropDatabase(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
