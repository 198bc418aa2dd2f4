//! A plan: how the rows of one writer schema are written into one table.
//!
//! It holds the constant parts of the statements and, for each column of the
//! row image, how its value is written. It also knows which unique keys of the
//! *destination* a row could hit besides its own key; those decide which rows
//! must be deleted before others are written.

use std::sync::Arc;

use cdc_sdk::column::{ColumnType, Width};
use cdc_sdk::name::quoted;
use cdc_sdk::{Column, Error, Kind, Result, Table, TableName};

use super::catalogue::Catalogue;
use super::fit;
use super::unique::Others;
use crate::apply::Form;
use crate::session::Version;

/// How rows of one schema are written.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The destination's table.
    pub target: TableName,
    /// The columns of the row image.
    pub names: Vec<String>,
    /// For each column of the row image: how its value is written; `None`: it is not (generated).
    pub forms: Vec<Option<Form>>,
    /// For each column of the row image: how it is compared, for rows without a key.
    pub comparisons: Vec<Comparison>,
    /// The columns that say which row is meant, ascending; empty for a table without.
    pub identity: Vec<usize>,
    /// The first column of the primary key, where that is what identifies a row and the column holds integers.
    pub leading_integer: Option<usize>,
    /// The names of other unique keys, over which a row could hit another one.
    pub unique_names: Vec<String>,
    /// All columns of those that can be seen in a row, ascending.
    pub unique_columns: Vec<usize>,
    /// A unique key stands on what the row image does not show (an expression, a prefix, a generated column).
    pub opaque_unique: bool,
    /// Each key over which a row could hit another is one of the source's: what stands in a row's way is stale.
    pub unique_of_source: bool,
    /// Unique keys that would refuse rows which the source has.
    pub strange_keys: Vec<String>,
    /// The destination's generated columns: what the server rounds there is not ours.
    pub generated: Vec<String>,
    /// Columns that only the destination has, and that a delete would lose: their names.
    pub own_columns: Vec<String>,
    /// The constant parts of the statements.
    pub sql: Fragments,
}

/// The constant parts of the statements.
#[derive(Debug)]
pub(crate) struct Fragments {
    /// `INSERT INTO t (columns) VALUES `
    pub insert: String,
    /// `REPLACE INTO t (columns) VALUES `
    pub replace: String,
    /// What follows the rows of an upsert.
    pub upsert_tail: String,
    /// `DELETE FROM t WHERE `, and for a single integer as key also `key IN (`.
    pub delete: String,
    /// Whether deleted keys stand in a list. Other keys are compared column by column, since
    /// a row among several in IN is compared by types that the list as a whole is given:
    /// an ENUM's number then equals nothing (seen on 9.7.4).
    pub delete_in_list: bool,
    /// The key's columns, quoted, each with its place in the row.
    pub key: Vec<(usize, String)>,
    /// `DELETE FROM t WHERE `
    pub remove: String,
}

/// How a column's value is compared byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// What stands to the left of `<=>`.
    pub left: String,
    /// What stands around the literal.
    pub right: Right,
}

/// What stands around the literal of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// The literal as it is.
    Plain,
    /// The text's bytes: collations must not make unequal texts equal.
    TextBytes,
    /// As a JSON value.
    Json,
}

impl Plan {
    /// Makes the plan of a schema for a table that is known to fit.
    ///
    /// # Errors
    /// [`Kind::TableMismatch`] where the destination has no unique key on what identifies a row.
    pub fn new(table: &Table, target: TableName, found: &Catalogue, version: Version) -> Result<Self> {
        let mut identity = table.identity().unwrap_or_default();
        identity.sort_unstable();
        let names = column_names(table, &identity);
        if !identity.is_empty() && !found.has_unique_key(&names) {
            return Err(Error::new(
                Kind::TableMismatch,
                format!("{target} has no unique key on ({}), which identifies a row", names.join(", ")),
            )
            .hint(format!(
                "ALTER TABLE {} ADD UNIQUE KEY ({});",
                target.sql(),
                quoted_list(&names)
            )));
        }
        refuse_loose_key(table, &target, found, &identity)?;
        let others = Others::of(table, found, &names);
        let mut unique_columns = others.columns.concat();
        unique_columns.sort_unstable();
        unique_columns.dedup();
        let forms: Vec<Option<Form>> = table.columns.iter().map(|c| form(found, c)).collect();
        let key_generated = identity.iter().any(|&i| forms.get(i).is_none_or(Option::is_none));
        // Over any key: an own column may have a default, which another row has.
        let guarded = found.keys.iter().any(|key| key.unique && !key.is_on(&names));
        let guard = if guarded { guard(table, found, &identity, &forms) } else { None };
        let sql = Fragments::new(table, &target, &forms, &identity, guard, key_generated, version);
        Ok(Self {
            leading_integer: leading_integer(table, found, &names),
            names: table.columns.iter().map(|c| c.name.clone()).collect(),
            comparisons: table.columns.iter().map(|c| comparison(c, found)).collect(),
            generated: found.columns.iter().filter(|c| c.generated).map(|c| c.name.clone()).collect(),
            own_columns: own_columns(table, found),
            opaque_unique: others.opaque || key_generated,
            unique_of_source: others.of_source,
            strange_keys: others.strange,
            target,
            forms,
            identity,
            unique_names: others.names,
            unique_columns,
            sql,
        })
    }

    /// How a column takes its values; as any other where they are not written.
    pub fn form(&self, index: usize) -> &Form {
        static PLAIN: Form = Form::PLAIN;
        self.forms.get(index).and_then(Option::as_ref).unwrap_or(&PLAIN)
    }

    /// Whether a row could hit another one than the one it means.
    pub fn can_collide(&self) -> bool {
        self.opaque_unique || !self.unique_columns.is_empty()
    }
}

/// Refuses text in place of numbers by which rows are told apart: MySQL compares the two as doubles, for which
/// neighbours beyond 2^53 are equal.
fn refuse_loose_key(table: &Table, target: &TableName, found: &Catalogue, identity: &[usize]) -> Result<()> {
    use ColumnType as T;
    for column in identity.iter().filter_map(|&at| table.columns.get(at)) {
        let is_bent = match &column.ty {
            T::Integer { width, .. } => *width == Width::Big,
            T::Decimal { .. } | T::Float { .. } | T::Double { .. } | T::Bit { .. } => true,
            _ => false,
        };
        let actual = found.column(&column.name).and_then(|c| c.ty.as_ref());
        let is_text = matches!(
            actual,
            Some(
                T::Char { .. }
                    | T::Varchar { .. }
                    | T::Text { .. }
                    | T::Binary { .. }
                    | T::Varbinary { .. }
                    | T::Blob { .. }
            )
        );
        if is_bent && is_text {
            let (name, ty) = (&column.name, column.ty.sql());
            let what = format!("column {name} of {target} is text, and a part of what identifies a row");
            return Err(Error::new(Kind::TableMismatch, what)
                .detail(format!(
                    "the source has {ty}; MySQL compares numbers with text as doubles, so that a delete could \
                     hit another row"
                ))
                .hint(format!("ALTER TABLE {} MODIFY COLUMN {} {ty} NOT NULL;", target.sql(), quoted(name))));
        }
    }
    Ok(())
}

fn column_names<'t>(table: &'t Table, indices: &[usize]) -> Vec<&'t str> {
    indices.iter().filter_map(|&i| table.columns.get(i)).map(|c| c.name.as_str()).collect()
}

fn own_columns(table: &Table, found: &Catalogue) -> Vec<String> {
    let own = found.columns.iter().filter(|c| !c.generated && table.column_index(&c.name).is_none());
    own.map(|c| c.name.clone()).collect()
}

fn quoted_list(names: &[&str]) -> String {
    names.iter().map(|n| quoted(n)).collect::<Vec<_>>().join(",")
}

fn form(found: &Catalogue, column: &Column) -> Option<Form> {
    let actual = found.column(&column.name).filter(|c| !c.generated)?;
    let form = match &actual.ty {
        Some(ColumnType::Enum { members }) => Form::of_enum(members, actual.charset.as_deref()),
        Some(_) | None => Form::PLAIN,
    };
    Some(Form { misfit: fit::misfit(actual, column).map(Box::new), ..form })
}

/// The first column of the primary key on what identifies a row, if it holds integers.
fn leading_integer(table: &Table, found: &Catalogue, identity: &[&str]) -> Option<usize> {
    let primary = found.keys.iter().find(|k| k.name == "PRIMARY" && k.is_on(identity))?;
    let column = table.column_index(primary.parts.first()?.whole()?)?;
    table.columns.get(column).filter(|c| matches!(c.ty, ColumnType::Integer { .. })).map(|_| column)
}

fn comparison(column: &Column, found: &Catalogue) -> Comparison {
    let name = quoted(&column.name);
    let (left, right) = match &column.ty {
        // Members in a column of text are text.
        ColumnType::Enum { .. } | ColumnType::Set { .. }
            if found.column(&column.name).is_some_and(fit::is_text) =>
        {
            (format!("CAST(CONVERT({name} USING utf8mb4) AS BINARY)"), Right::TextBytes)
        }
        ColumnType::Char { .. } | ColumnType::Varchar { .. } | ColumnType::Text { .. } => {
            (format!("CAST(CONVERT({name} USING utf8mb4) AS BINARY)"), Right::TextBytes)
        }
        ColumnType::Vector { .. } => (format!("CAST({name} AS BINARY)"), Right::Plain),
        // Compared as a number: the number 0 would else be taken for the year 2000.
        ColumnType::Year => (format!("{name} + 0"), Right::Plain),
        ColumnType::Json => (name, Right::Json),
        ColumnType::Integer { .. }
        | ColumnType::Decimal { .. }
        | ColumnType::Float { .. }
        | ColumnType::Double { .. }
        | ColumnType::Bit { .. }
        | ColumnType::Binary { .. }
        | ColumnType::Varbinary { .. }
        | ColumnType::Blob { .. }
        | ColumnType::Enum { .. }
        | ColumnType::Set { .. }
        | ColumnType::Date
        | ColumnType::Time { .. }
        | ColumnType::Datetime { .. }
        | ColumnType::Timestamp { .. }
        | ColumnType::Geometry { .. } => (name, Right::Plain),
    };
    Comparison { left, right }
}

impl Fragments {
    fn new(
        table: &Table,
        target: &TableName,
        forms: &[Option<Form>],
        identity: &[usize],
        guard: Option<Guard<'_>>,
        key_generated: bool,
        version: Version,
    ) -> Self {
        let t = target.sql();
        let written: Vec<&str> = table
            .columns
            .iter()
            .zip(forms)
            .filter(|(_, f)| f.is_some())
            .map(|(c, _)| c.name.as_str())
            .collect();
        let list = quoted_list(&written);
        let key = column_names(table, identity);
        let key_list = quoted_list(&key);
        let upsert_tail = match identity.is_empty() || key_generated {
            // Rows that are known to be absent: hitting anything is an error as it is.
            true => String::new(),
            false => upsert_tail(target, &written, &key, guard, version),
        };
        let single_integer = match identity {
            [one] => table.columns.get(*one).is_some_and(|c| matches!(c.ty, ColumnType::Integer { .. })),
            _ => false,
        };
        let list_head = if single_integer { format!("{key_list} IN (") } else { String::new() };
        Self {
            insert: format!("INSERT INTO {t} ({list}) VALUES "),
            replace: format!("REPLACE INTO {t} ({list}) VALUES "),
            upsert_tail,
            delete: format!("DELETE FROM {t} WHERE {list_head}"),
            delete_in_list: single_integer,
            key: identity.iter().zip(&key).map(|(index, name)| (*index, quoted(name))).collect(),
            remove: format!("DELETE FROM {t} WHERE "),
        }
    }
}

/// The assignment that fails where the row hit is not the row meant.
struct Guard<'t> {
    column: &'t str,
    /// What fails where it is worked out.
    failing: String,
}

/// The guard stands on a column of the key, or on another where those are ENUMs: between two values to choose from
/// an ENUM is a string, and as such its index 0 cannot be written. A number in place of text the server would
/// convert to some character sets (utf16, sjis, swe7 …) before it knows whether it is needed, and fail for every row.
fn guard<'t>(
    table: &'t Table,
    found: &Catalogue,
    identity: &[usize],
    forms: &[Option<Form>],
) -> Option<Guard<'t>> {
    let unbent = |ty: &ColumnType| {
        use ColumnType::{Enum, Geometry, Json, Vector};
        !matches!(ty, Enum { .. } | Json | Geometry { .. } | Vector { .. })
    };
    let written = (0..table.columns.len()).filter(|at| forms.get(*at).is_some_and(Option::is_some));
    let candidates = identity.iter().copied().chain(written);
    let mut columns = candidates.filter_map(|at| table.columns.get(at));
    let first = columns.clone().next();
    let column = columns.find(|column| unbent(&column.ty)).or(first)?;
    let charset = found.column(&column.name).and_then(|c| c.charset.as_deref());
    let failing = match charset {
        Some(set) => format!("(SELECT CONVERT('1' USING {set}) UNION SELECT CONVERT('2' USING {set}))"),
        None => "(SELECT 1 UNION SELECT 2)".to_owned(),
    };
    Some(Guard { column: &column.name, failing })
}

/// `ON DUPLICATE KEY UPDATE …` over every column, key columns too: of keys that the collation calls
/// equal the new spelling is stored. The guard makes the statement fail where the row hit is not the row meant;
/// it stands first, since assignments see those before them.
fn upsert_tail(
    target: &TableName,
    written: &[&str],
    key: &[&str],
    guard: Option<Guard<'_>>,
    version: Version,
) -> String {
    let alias = if target.table == "cdc_new" { "cdc_new_row" } else { "cdc_new" };
    // The row alias has been there since 8.0.19; VALUES() draws a warning since 8.0.20.
    let with_alias = version >= (8, 0, 19);
    let new = |column: &str| match with_alias {
        true => format!("{alias}.{}", quoted(column)),
        false => format!("VALUES({})", quoted(column)),
    };
    let old = |column: &str| format!("{}.{}", target.sql(), quoted(column));
    let mut assignments = Vec::with_capacity(written.len());
    if let Some(Guard { column, failing }) = &guard {
        let same: Vec<String> = key.iter().map(|k| format!("{} <=> {}", old(k), new(k))).collect();
        assignments.push(format!(
            "{} = IF({}, {}, {failing})",
            quoted(column),
            same.join(" AND "),
            new(column)
        ));
    }
    let rest = written.iter().filter(|c| guard.as_ref().is_none_or(|guard| guard.column != **c));
    assignments.extend(rest.map(|c| format!("{} = {}", quoted(c), new(c))));
    let alias = if with_alias { format!(" AS {alias}") } else { String::new() };
    format!("{alias} ON DUPLICATE KEY UPDATE {}", assignments.join(","))
}

/// Names the unique keys of the table that the source has not: one of them may be what refused the row.
pub(crate) fn strange_keys_named(error: Error, plans: &[Vec<Arc<Plan>>]) -> Error {
    let named =
        |plan: &&Arc<Plan>| !plan.strange_keys.is_empty() && error.what().contains(&plan.target.to_string());
    let plan = plans.iter().flatten().find(named).filter(|_| error.kind() == Kind::Divergence);
    let Some(plan) = plan else { return error };
    let drops: Vec<String> =
        plan.strange_keys.iter().map(|key| format!("DROP INDEX {}", quoted(key))).collect();
    let hint = format!(
        "{} has unique keys that the source has not, or not any more. If they are not the destination's own: \
         ALTER TABLE {} {}; then start the sink again. Else another writer has changed these rows: compare with `cdc \
         verify`, then take a new snapshot of the table",
        plan.target,
        plan.target.sql(),
        drops.join(", ")
    );
    error.hint(hint)
}
