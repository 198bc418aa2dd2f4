//! The statements that read a table: chunk by chunk in the order of its key, or whole.

use cdc_sdk::name::quoted;
use cdc_sdk::table::KeyKind;
use cdc_sdk::{Column, ColumnType, Error, Kind, Result, Table};

use super::key::{KeyBound, literal};

/// How a table is paged through: by its identity, in the order of that key's index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Paging {
    /// The identity's columns in key order.
    pub columns: Vec<usize>,
    /// Which of them the index holds in descending order.
    descending: Vec<bool>,
    /// The index that serves the order; `None` where it covers prefixes only.
    index: Option<String>,
}

impl Paging {
    /// How to page through this table; `None` where its rows have no identity.
    pub fn of(table: &Table) -> Option<Self> {
        let columns = table.identity()?;
        let key = table.keys.iter().find(|key| {
            matches!(key.kind, KeyKind::Primary | KeyKind::Unique) && key.columns().as_ref() == Some(&columns)
        })?;
        Some(Self {
            descending: key.parts.iter().map(|part| part.descending).collect(),
            index: (!key.is_partial()).then(|| key.name.clone()),
            columns,
        })
    }

    /// The names of the identity's columns.
    pub fn names(&self, table: &Table) -> Vec<String> {
        self.columns.iter().filter_map(|&c| table.columns.get(c)).map(|c| c.name.clone()).collect()
    }
}

/// The rows behind `after` in key order, at most `limit` of them.
///
/// # Errors
/// [`Kind::Snapshot`]: the bound does not fit the key.
pub(crate) fn chunk(table: &Table, paging: &Paging, after: Option<&KeyBound>, limit: u64) -> Result<String> {
    let condition = match after {
        Some(bound) => behind(table, paging, bound)?,
        None => String::new(),
    };
    Ok(format!("{} LIMIT {limit}", select(table, paging, &condition)))
}

/// The rows for which a condition holds (all, where it is empty), in key order.
fn select(table: &Table, paging: &Paging, condition: &str) -> String {
    let force =
        paging.index.as_ref().map(|name| format!(" FORCE INDEX ({})", quoted(name))).unwrap_or_default();
    let space = if condition.is_empty() { "" } else { " WHERE " };
    let order: Vec<String> = parts(table, paging)
        .map(|(column, down)| format!("{}{}", quoted(&column.name), if down { " DESC" } else { "" }))
        .collect();
    format!(
        "SELECT {} FROM {}{force}{space}{condition} ORDER BY {}",
        select_list(table),
        table.name.sql(),
        order.join(", ")
    )
}

/// The last row of a chunk of so many rows; none where the table ends before.
///
/// # Errors
/// As [`chunk`].
pub(crate) fn boundary(
    table: &Table,
    paging: &Paging,
    after: Option<&KeyBound>,
    rows: u64,
) -> Result<String> {
    chunk(table, paging, after, 1).map(|one| format!("{one} OFFSET {}", rows.saturating_sub(1)))
}

/// The rows behind one key and up to another for which a condition holds, in key order.
///
/// # Errors
/// As [`chunk`].
pub(crate) fn part(
    table: &Table,
    paging: &Paging,
    (after, upto): (Option<&KeyBound>, Option<&KeyBound>),
    condition: &str,
) -> Result<String> {
    let mut conditions = Vec::new();
    if let Some(after) = after {
        conditions.push(format!("({})", behind(table, paging, after)?));
    }
    if let Some(upto) = upto {
        conditions.push(format!("NOT ({})", behind(table, paging, upto)?));
    }
    // A comment at its end would swallow the bracket.
    conditions.push(format!("(\n{condition}\n)"));
    Ok(select(table, paging, &conditions.join(" AND ")))
}

/// All rows, in no order.
pub(crate) fn whole(table: &Table) -> String {
    format!("SELECT {} FROM {}", select_list(table), table.name.sql())
}

/// ENUM and SET go by number, as the binlog has them.
fn select_list(table: &Table) -> String {
    table.columns.iter().map(numbered).collect::<Vec<_>>().join(", ")
}

fn numbered(column: &Column) -> String {
    match column.ty {
        ColumnType::Enum { .. } | ColumnType::Set { .. } => {
            format!("CAST({} AS UNSIGNED)", quoted(&column.name))
        }
        _ => quoted(&column.name),
    }
}

fn parts<'a>(table: &'a Table, paging: &'a Paging) -> impl Iterator<Item = (&'a Column, bool)> {
    paging
        .columns
        .iter()
        .zip(&paging.descending)
        .filter_map(|(&c, &down)| Some((table.columns.get(c)?, down)))
}

/// `(a > 1) OR (a = 1 AND b > 2)`: the form that the optimizer turns into ranges
/// of the index, which it does not do for `(a, b) > (1, 2)`.
fn behind(table: &Table, paging: &Paging, bound: &KeyBound) -> Result<String> {
    if bound.columns != paging.names(table) || bound.values.len() != paging.columns.len() {
        return Err(Error::new(
            Kind::Snapshot,
            format!(
                "{}: the snapshot stands at a key of ({}), which is not the table's key now",
                table.name,
                bound.columns.join(", ")
            ),
        ));
    }
    let mut equal = String::new();
    let mut alternatives = Vec::new();
    for ((column, down), value) in parts(table, paging).zip(&bound.values) {
        let value = literal(value.as_value(), column)?;
        let name = numbered(column);
        alternatives.push(format!("({equal}{name} {} {value})", if down { '<' } else { '>' }));
        equal.push_str(&format!("{name} = {value} AND "));
    }
    Ok(alternatives.join(" OR "))
}

#[cfg(test)]
pub(super) mod tests;
