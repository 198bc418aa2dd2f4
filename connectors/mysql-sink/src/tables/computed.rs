//! Generated columns whose values depend on the session that writes: on its time zone (what stands on a TIMESTAMP),
//! its language, its default week. The source's value is in the event; worked out again here it would be another. In
//! tables that the sink makes such a column is a plain one, and the event's value is written. (The precision of
//! divisions is pinned instead, in `session`.)
//!
//! Of a VIRTUAL column nothing is stored: each reader has his own value, at the source as well.

use std::borrow::Cow;

use cdc_sdk::column::{ColumnType, Generated};
use cdc_sdk::{Table, expression};

use crate::settings::{SchemaMode, Settings};

/// Functions whose result depends on the session (MySQL manual, "Date and Time Functions", "String Functions").
const OF_SESSION: [&str; 9] = [
    "convert_tz",
    "date_format",
    "dayname",
    "format",
    "from_unixtime",
    "monthname",
    "time_format",
    "unix_timestamp",
    "week",
];

/// The source's table as the destination is to have it. Not where the destination has writers of its own, who have no
/// value for such a column.
pub(super) fn as_written<'t>(settings: &Settings, table: &'t Table) -> Cow<'t, Table> {
    let wanted = settings.schema == SchemaMode::Evolve && settings.two_way.is_none();
    let mut written = Cow::Borrowed(table);
    for at in (0..table.columns.len()).filter(|&at| wanted && is_of_session(table, at)) {
        if let Some(column) = written.to_mut().columns.get_mut(at) {
            column.extra.generated = None;
        }
    }
    written
}

/// Whether what is stored of a generated column depends on the session.
fn is_of_session(table: &Table, at: usize) -> bool {
    let generated = table.columns.get(at).and_then(|column| column.extra.generated.as_ref());
    generated.is_some_and(|generated| generated.stored && depends(table, generated, table.columns.len()))
}

/// `depth`: how many columns may yet stand on each other; the server allows no rings.
fn depends(table: &Table, generated: &Generated, depth: usize) -> bool {
    let seen = Seen::of(&generated.expression);
    if seen.functions.iter().any(|name| OF_SESSION.contains(&name.as_str())) {
        return true;
    }
    let Some(depth) = depth.checked_sub(1) else { return true };
    let columns = seen.names.iter().filter_map(|name| table.columns.get(table.column_index(name)?));
    columns.into_iter().any(|column| match &column.extra.generated {
        Some(generated) => depends(table, generated, depth),
        None => matches!(column.ty, ColumnType::Timestamp { .. }),
    })
}

/// What stands in an expression, as the server prints it: names in backquotes, functions in small letters.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    names: Vec<String>,
    functions: Vec<String>,
}

impl Seen {
    fn of(expression: &str) -> Self {
        let mut seen = Self::default();
        for piece in expression::pieces(expression) {
            match piece.quote {
                Some('`') => seen.names.extend(piece.content()),
                Some(_) => {}
                None => seen.functions.extend(called(piece.text)),
            }
        }
        seen
    }
}

/// The words before parentheses.
fn called(text: &str) -> impl Iterator<Item = String> {
    let heads = text.match_indices('(').map(|(at, _)| text.get(..at).unwrap_or_default());
    let words = heads
        .filter_map(|head| head.rsplit(|letter: char| !letter.is_alphanumeric() && letter != '_').next());
    words.filter(|word| !word.is_empty()).map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use cdc_sdk::column::Width;
    use cdc_sdk::{Column, TableName};

    use super::*;

    fn column(name: &str, ty: ColumnType, generated: Option<(&str, bool)>) -> Column {
        let mut column = Column {
            name: name.into(),
            ty,
            nullable: true,
            charset: None,
            collation: None,
            extra: Default::default(),
        };
        column.extra.generated =
            generated.map(|(expression, stored)| Generated { expression: expression.into(), stored });
        column
    }

    fn is_plain(expression: &str, stored: bool) -> bool {
        let int = || ColumnType::Integer { width: Width::Int, unsigned: false };
        let table = Table {
            version: Table::VERSION,
            chosen_key: None,
            name: TableName::new("shop", "t"),
            columns: vec![
                column("ts", ColumnType::Timestamp { fsp: 0 }, None),
                column("at", ColumnType::Datetime { fsp: 0 }, None),
                column("between", int(), Some(("(hour(`ts`) + 1)", false))),
                column("g", int(), Some((expression, stored))),
            ],
            keys: Vec::new(),
            collation: None,
            comment: String::new(),
        };
        is_of_session(&table, 3)
    }

    #[test]
    fn what_the_session_decides_is_plain() {
        for expression in [
            "cast(`ts` as date)",
            "(`between` * 2)",
            "week(`at`)",
            "week(`at`,1)",
            "date_format(`at`,_utf8mb4'%M')",
            "unix_timestamp(`at`)",
        ] {
            assert!(is_plain(expression, true), "{expression}");
            assert!(!is_plain(expression, false), "{expression}: each reader's own");
        }
    }

    #[test]
    fn what_it_does_not_decide_is_generated() {
        for expression in [
            "cast(`at` as date)",
            "(`x` + 1)",
            "(`x` / 3)",
            "concat(`a`,_utf8mb4'`ts` / week(',`b`)",
            "concat(_utf8mb4'it''s \\\\'',`weekly`)",
            "year(`at`)",
        ] {
            assert!(!is_plain(expression, true), "{expression}");
        }
    }
}
