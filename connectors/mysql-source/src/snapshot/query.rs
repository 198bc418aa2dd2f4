//! The statements that read a table: chunk by chunk in the order of its key, or whole.

use cdc_sdk::name::quoted;
use cdc_sdk::table::{KeyKind, KeyPart};
use cdc_sdk::{Column, ColumnType, Error, Kind, OwnedValue, Result, Table, Value};

use super::json_kinds;
use super::key::{KeyBound, literal};

/// How a table is paged through: by its identity, in the order of that key's index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Paging {
    /// The identity's columns in key order.
    pub columns: Vec<usize>,
    /// How the index holds each of them.
    orders: Vec<Order>,
    /// The index that serves the order; `None` where it covers prefixes only.
    index: Option<String>,
}

/// Whether the kinds of JSON's scalars are asked for, which the text of a document does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JsonKinds {
    /// An answer for each JSON column stands behind the row's columns, in their order.
    Asked,
    /// Nobody wants them, or the server cannot tell.
    Left,
}

impl JsonKinds {
    /// Whether there is such an answer for this column.
    pub fn are_asked(self, column: &Column) -> bool {
        self == Self::Asked && column.ty == ColumnType::Json
    }
}

/// How an index holds a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Order {
    descending: bool,
    /// Only so much of the beginning, by which alone rows are then told apart and sorted: a
    /// sort by a whole TEXT is refused by the server where that is more than its buffer holds.
    prefix: Option<u32>,
    /// Text where no index serves the order: there are collations that sort otherwise than they compare
    /// (`cp1250_czech_cs`), and rows that lie between the two would be left out. What is equal in bytes is equal.
    bytes: bool,
}

impl Order {
    fn of_part(part: &KeyPart, column: &Column, is_partial: bool) -> Self {
        let is_text = matches!(
            column.ty,
            ColumnType::Char { .. } | ColumnType::Varchar { .. } | ColumnType::Text { .. }
        );
        Self { descending: part.descending, prefix: part.prefix, bytes: is_partial && is_text }
    }

    /// The part of a value that the index holds, as it is compared.
    fn of(self, value: String) -> String {
        let value = match self.prefix {
            Some(length) => format!("LEFT({value}, {length})"),
            None => value,
        };
        if self.bytes { format!("CAST({value} AS BINARY)") } else { value }
    }

    /// In words: where they are the same, a key has the same rows behind it.
    fn described(self, column: &Column) -> String {
        let mut words = column.ty.sql();
        for of_text in column.charset.iter().chain(&column.collation) {
            words.push_str(&format!(" {of_text}"));
        }
        if let Some(length) = self.prefix {
            words.push_str(&format!(" LEFT {length}"));
        }
        for (_, word) in [(self.bytes, " AS BINARY"), (self.descending, " DESC")].iter().filter(|(is, _)| *is)
        {
            words.push_str(word);
        }
        words
    }
}

impl Paging {
    /// How to page through this table; `None` where its rows have no identity.
    pub fn of(table: &Table) -> Option<Self> {
        let columns = table.identity()?;
        let key = table.keys.iter().find(|key| {
            matches!(key.kind, KeyKind::Primary | KeyKind::Unique) && key.columns().as_ref() == Some(&columns)
        })?;
        let is_partial = key.is_partial();
        let order = |(part, &column): (&KeyPart, &usize)| {
            Some(Order::of_part(part, table.columns.get(column)?, is_partial))
        };
        Some(Self {
            orders: key.parts.iter().zip(&columns).map(order).collect::<Option<_>>()?,
            index: (!is_partial).then(|| key.name.clone()),
            columns,
        })
    }

    /// The bound that a row with these values of the key is.
    pub fn bound(&self, table: &Table, values: Vec<OwnedValue>) -> KeyBound {
        KeyBound { columns: self.names(table), values, orders: self.described(table) }
    }

    /// Whether the rows behind this bound are those that come after it in this order. Not where the key has other columns,
    /// or holds them in another order: an index that is turned, another collation, another character set.
    pub fn made(&self, table: &Table, bound: &KeyBound) -> bool {
        bound.columns == self.names(table)
            && bound.values.len() == self.columns.len()
            && bound.orders == self.described(table)
    }

    fn described(&self, table: &Table) -> Vec<String> {
        parts(table, self).map(|(column, order)| order.described(column)).collect()
    }

    /// The names of the identity's columns.
    pub fn names(&self, table: &Table) -> Vec<String> {
        self.columns.iter().filter_map(|&c| table.columns.get(c)).map(|c| c.name.clone()).collect()
    }
}

/// A table as it is read by pages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pages<'a> {
    pub table: &'a Table,
    pub paging: &'a Paging,
    pub kinds: JsonKinds,
}

impl Pages<'_> {
    /// The rows behind `after` in key order, at most `limit` of them.
    ///
    /// # Errors
    /// [`Kind::Snapshot`]: the bound does not fit the key.
    pub fn chunk(&self, after: Option<&KeyBound>, limit: u64) -> Result<String> {
        Ok(self.select(&self.condition_behind(after)?, &format!(" LIMIT {limit}")))
    }

    /// The last row of a chunk of so many rows; none where the table ends before.
    ///
    /// # Errors
    /// As [`Self::chunk`].
    pub fn boundary(&self, after: Option<&KeyBound>, rows: u64) -> Result<String> {
        let limit = format!(" LIMIT 1 OFFSET {}", rows.saturating_sub(1));
        Ok(self.select(&self.condition_behind(after)?, &limit))
    }

    /// The rows behind one key and up to another for which a condition holds, in key order.
    ///
    /// # Errors
    /// As [`Self::chunk`].
    pub fn part(
        &self,
        (after, upto): (Option<&KeyBound>, Option<&KeyBound>),
        condition: &str,
    ) -> Result<String> {
        let Self { table, paging, .. } = *self;
        let mut conditions = Vec::new();
        if let Some(after) = after {
            conditions.push(format!("({})", behind(table, paging, after)?));
        }
        if let Some(upto) = upto {
            conditions.push(format!("NOT ({})", behind(table, paging, upto)?));
        }
        // A comment at its end would swallow the bracket.
        conditions.push(format!("(\n{condition}\n)"));
        Ok(self.select(&conditions.join(" AND "), ""))
    }

    fn condition_behind(&self, after: Option<&KeyBound>) -> Result<String> {
        after.map_or_else(|| Ok(String::new()), |bound| behind(self.table, self.paging, bound))
    }

    /// The rows for which a condition holds (all, where it is empty), in key order.
    ///
    /// Where no index has that order the keys are sorted by themselves, and the rows looked up: a row larger than the
    /// server's sort buffer cannot be sorted.
    fn select(&self, condition: &str, limit: &str) -> String {
        let Self { table, paging, kinds } = *self;
        let (name, space) = (table.name.sql(), if condition.is_empty() { "" } else { " WHERE " });
        let Some(index) = &paging.index else {
            let keys: Vec<String> = paging.names(table).iter().map(|key| quoted(key)).collect();
            let same: Vec<String> = keys.iter().map(|key| format!("t.{key} = k.{key}")).collect();
            return format!(
                "SELECT {} FROM (SELECT {} FROM {name}{space}{condition} ORDER BY {}{limit}) AS k STRAIGHT_JOIN {name} AS t \
                 ON {} ORDER BY {}",
                select_list(table, kinds, "t."),
                keys.join(", "),
                key_order(table, paging, ""),
                same.join(" AND "),
                key_order(table, paging, "k.")
            );
        };
        format!(
            "SELECT {} FROM {name} FORCE INDEX ({}){space}{condition} ORDER BY {}{limit}",
            select_list(table, kinds, ""),
            quoted(index),
            key_order(table, paging, "")
        )
    }
}

/// What stands behind ORDER BY.
fn key_order(table: &Table, paging: &Paging, source: &str) -> String {
    let order = parts(table, paging).map(|(column, order)| {
        let down = if order.descending { " DESC" } else { "" };
        format!("{}{down}", order.of(format!("{source}{}", quoted(&column.name))))
    });
    order.collect::<Vec<_>>().join(", ")
}

/// All rows, in no order.
pub(crate) fn whole(table: &Table, kinds: JsonKinds) -> String {
    format!("SELECT {} FROM {}", select_list(table, kinds, ""), table.name.sql())
}

/// ENUM and SET go by number, as the binlog has them. Behind the columns stand the kinds of each that is JSON.
fn select_list(table: &Table, kinds: JsonKinds, source: &str) -> String {
    let columns = table.columns.iter().map(|column| numbered(column, source));
    let documents = table.columns.iter().filter(|column| kinds.are_asked(column));
    let kinds = documents.map(|column| json_kinds::asked(&format!("{source}{}", quoted(&column.name))));
    columns.chain(kinds).collect::<Vec<_>>().join(", ")
}

fn numbered(column: &Column, source: &str) -> String {
    let name = format!("{source}{}", quoted(&column.name));
    match column.ty {
        ColumnType::Enum { .. } | ColumnType::Set { .. } => format!("CAST({name} AS UNSIGNED)"),
        _ => name,
    }
}

fn parts<'a>(table: &'a Table, paging: &'a Paging) -> impl Iterator<Item = (&'a Column, Order)> {
    paging.columns.iter().zip(&paging.orders).filter_map(|(&c, &order)| Some((table.columns.get(c)?, order)))
}

/// `(a > 1) OR (a = 1 AND b > 2)`: the form that the optimizer turns into ranges
/// of the index, which it does not do for `(a, b) > (1, 2)`.
fn behind(table: &Table, paging: &Paging, bound: &KeyBound) -> Result<String> {
    if !paging.made(table, bound) {
        return Err(Error::new(
            Kind::Snapshot,
            format!(
                "{}: the snapshot stands at a key of ({}), by which the table is not ordered now",
                table.name,
                bound.columns.join(", ")
            ),
        ));
    }
    let mut equal = String::new();
    let mut alternatives = Vec::new();
    for ((column, order), value) in parts(table, paging).zip(&bound.values) {
        let (further, same) = match (&column.ty, value.as_value()) {
            (ColumnType::Enum { members }, Value::Enum(number)) => {
                by_number(&quoted(&column.name), members.len(), number, order)
            }
            (_, value) => {
                let value = order.of(literal(value, column)?);
                let name = order.of(numbered(column, ""));
                let further = format!("{name} {} {value}", if order.descending { '<' } else { '>' });
                (further, format!("{name} = {value}"))
            }
        };
        alternatives.push(format!("({equal}{further})"));
        equal.push_str(&format!("{same} AND "));
    }
    Ok(alternatives.join(" OR "))
}

/// What lies behind a member of an ENUM, and what is equal to it. The optimizer makes ranges of an ENUM only where
/// members are equal to something, so all those behind are named, by number. Behind the last there is none: a number
/// that no member has keeps the alternative, without which the server sorts the rest of the rows for each chunk.
fn by_number(name: &str, members: usize, number: u16, order: Order) -> (String, String) {
    let number = usize::from(number);
    let further = if order.descending { 0..number } else { number + 1..members + 1 };
    let further = if further.is_empty() { members + 1..members + 2 } else { further };
    let further: Vec<String> = further.map(|number| number.to_string()).collect();
    (format!("{name} IN ({})", further.join(", ")), format!("{name} = {number}"))
}

#[cfg(test)]
pub(super) mod tests;
