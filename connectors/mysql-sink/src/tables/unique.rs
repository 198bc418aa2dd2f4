//! The destination's unique keys besides the one that says which row is meant: over which of them a row could hit
//! another, and whether that other is then known to be stale.
//!
//! It is where the source has the key, too: it cannot hold both rows at once, so the one in the way has changed there,
//! and its change is yet to come. Over a key that only the destination has, or that is coarser here (a collation, a
//! shorter prefix), both rows are right: nothing would bring back the one that went.

use cdc_sdk::column::Column;
use cdc_sdk::name::is_same_name;
use cdc_sdk::table::{KeyKind, KeyOn, KeyPart};
use cdc_sdk::{Key, Table};

use super::catalogue::{Actual, ActualKey, ActualPart, Catalogue};
use super::fit;

/// Unique keys over which a row could hit another than the one it means.
#[derive(Debug, Default)]
pub(super) struct Others {
    /// The columns of those that can be seen in a row.
    pub columns: Vec<Vec<usize>>,
    /// The names of all.
    pub names: Vec<String>,
    /// The names of those that would refuse rows which the source has.
    pub strange: Vec<String>,
    /// Some cannot be seen in a row.
    pub opaque: bool,
    /// The source has some unique key that tells rows apart wherever one of these does not.
    pub of_source: bool,
}

impl Others {
    /// Those of a table; `identity`: the columns that say which row is meant.
    pub fn of(table: &Table, found: &Catalogue, identity: &[&str]) -> Self {
        let mut others = Self { of_source: true, ..Self::default() };
        for key in found.keys.iter().filter(|k| k.unique && !k.is_on(identity)) {
            if is_own(table, found, key) {
                if takes_one_row(found, key) {
                    others.strange.push(key.name.clone());
                }
                continue;
            }
            others.names.push(key.name.clone());
            let implied = table.keys.iter().any(|theirs| is_implied(table, found, key, theirs));
            if !implied {
                others.strange.push(key.name.clone());
            }
            others.of_source &= implied;
            match visible(table, found, key) {
                Some(columns) => others.columns.push(columns),
                None => others.opaque = true,
            }
        }
        others
    }
}

/// Whether the key stands on columns alone that only the destination has, and that it does not work out from others:
/// no change of the source's takes a value there, nor frees one.
fn is_own(table: &Table, found: &Catalogue, key: &ActualKey) -> bool {
    key.parts.iter().all(|part| {
        part.column().is_some_and(|name| {
            table.column_index(name).is_none() && found.column(name).is_some_and(|c| !c.generated)
        })
    })
}

/// Whether all rows have the same value in a key on columns of the destination's own.
fn takes_one_row(found: &Catalogue, key: &ActualKey) -> bool {
    let columns = key.parts.iter().filter_map(|part| found.column(part.column()?));
    columns.into_iter().all(|c| c.has_default)
}

/// The key's columns in the row image; `None` if a part of it is not there as it is.
fn visible(table: &Table, found: &Catalogue, key: &ActualKey) -> Option<Vec<usize>> {
    key.parts
        .iter()
        .map(|part| {
            let name = part.whole()?;
            found.column(name).filter(|c| !c.generated)?;
            table.column_index(name)
        })
        .collect()
}

/// Whether rows that are equal in the destination's key are equal in the source's, too.
fn is_implied(table: &Table, found: &Catalogue, key: &ActualKey, theirs: &Key) -> bool {
    matches!(theirs.kind, KeyKind::Primary | KeyKind::Unique)
        && !theirs.parts.is_empty()
        && theirs.parts.iter().all(|part| key.parts.iter().any(|ours| covers(table, found, ours, part)))
}

fn covers(table: &Table, found: &Catalogue, ours: &ActualPart, theirs: &KeyPart) -> bool {
    match (ours, &theirs.on) {
        (ActualPart::Whole(name) | ActualPart::Prefix(name, _), KeyOn::Column(index)) => {
            let long_enough = match (ours.prefix(), theirs.prefix) {
                (None, _) => true,
                (Some(ours), Some(theirs)) => ours >= theirs,
                (Some(_), None) => false,
            };
            let column = table.columns.get(*index).filter(|c| is_same_name(&c.name, name));
            let pair = found.column(name).zip(column);
            long_enough && pair.is_some_and(|(actual, column)| is_as_fine(table, found, actual, column))
        }
        (ActualPart::Expression(Some(ours)), KeyOn::Expression(theirs)) => {
            ours == theirs && all_alike(table, found)
        }
        (ActualPart::Expression(_), _) | (_, KeyOn::Expression(_)) => false,
    }
}

/// Whether values that are equal in the destination's column are so in the source's.
fn is_as_fine(table: &Table, found: &Catalogue, actual: &Actual, column: &Column) -> bool {
    is_alike(actual, column) && (!actual.generated || all_alike(table, found))
}

/// What is worked out from columns is the same only where these are.
fn all_alike(table: &Table, found: &Catalogue) -> bool {
    table.columns.iter().all(|c| found.column(&c.name).is_some_and(|actual| is_alike(actual, c)))
}

fn is_alike(actual: &Actual, column: &Column) -> bool {
    let expression = column.extra.generated.as_ref().map(|g| g.expression.as_str());
    fit::tells_apart_in_unique_key(actual, column)
        && (!actual.generated || expression.is_some_and(|e| actual.expression.as_deref() == Some(e)))
}
