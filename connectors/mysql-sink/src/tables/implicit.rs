//! The value that MySQL gives to existing rows when a column comes that takes no NULL and has no default.
//!
//! Rows of an older schema have no value for such a column, and the source gave them this one. So it is the column's
//! default at the destination, wherever rows of another schema may come.

use std::borrow::Cow;

use cdc_sdk::column::ColumnType;
use cdc_sdk::{Column, Table};

use super::definition::literal;
use crate::session::Version;

/// Expressions as defaults, without which TEXT, BLOB and JSON can have none.
const EXPRESSIONS: Version = (8, 0, 13);

/// The value, as SQL behind DEFAULT; `None` for types that have none, or cannot have it as a default.
pub(super) fn value(ty: &ColumnType, version: Version) -> Option<Cow<'static, str>> {
    // A literal is refused by ALTER COLUMN for these types, even in parentheses: so it is a function's.
    constant(ty).or_else(|| match ty {
        _ if version < EXPRESSIONS => None,
        ColumnType::Text { .. } => Some("(concat(''))".into()),
        ColumnType::Blob { .. } => Some("(cast('' as binary))".into()),
        ColumnType::Json => Some("(cast('null' as json))".into()),
        _ => None,
    })
}

fn constant(ty: &ColumnType) -> Option<Cow<'static, str>> {
    use ColumnType as T;
    Some(match ty {
        T::Integer { .. }
        | T::Decimal { .. }
        | T::Float { .. }
        | T::Double { .. }
        | T::Bit { .. }
        | T::Year => "0".into(),
        T::Char { .. } | T::Varchar { .. } | T::Binary { .. } | T::Varbinary { .. } | T::Set { .. } => {
            "''".into()
        }
        T::Enum { members } => literal(members.first()?).into(),
        T::Date => "'0000-00-00'".into(),
        T::Datetime { .. } | T::Timestamp { .. } => "'0000-00-00 00:00:00'".into(),
        T::Time { .. } => "'00:00:00'".into(),
        T::Text { .. } | T::Blob { .. } | T::Json | T::Geometry { .. } | T::Vector { .. } => return None,
    })
}

/// A table whose defaults the server can have: those that are guessed for TEXT and BLOB are expressions, which are left out
/// where it has none. Rows bring all values.
pub(super) fn possible(table: Cow<'_, Table>, version: Version) -> Cow<'_, Table> {
    let is_expression = |column: &Column| column.extra.default.as_deref().is_some_and(|d| d.starts_with('('));
    if version >= EXPRESSIONS || !table.columns.iter().any(is_expression) {
        return table;
    }
    let mut table = table.into_owned();
    for column in table.columns.iter_mut().filter(|column| is_expression(column)) {
        column.extra.default = None;
    }
    Cow::Owned(table)
}

/// A column as it is added. An expression as default has MySQL copy the table: it is given when rows need it.
pub(super) fn added(column: &Column) -> Cow<'_, Column> {
    with_default(column, constant(&column.ty))
}

/// A column that has a default at the destination keeps one.
pub(super) fn kept(column: &Column, version: Version) -> Cow<'_, Column> {
    with_default(column, value(&column.ty, version))
}

fn with_default<'c>(column: &'c Column, default: Option<Cow<'static, str>>) -> Cow<'c, Column> {
    let extra = &column.extra;
    let has_none =
        !column.nullable && extra.default.is_none() && extra.generated.is_none() && !extra.auto_increment;
    match default.filter(|_| has_none) {
        Some(default) => {
            let mut column = column.clone();
            column.extra.default = Some(default.into_owned());
            Cow::Owned(column)
        }
        None => Cow::Borrowed(column),
    }
}
