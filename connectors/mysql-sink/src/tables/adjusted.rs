//! Topics that do not carry their tables name columns in the letters that Avro takes. Where the destination's table has the
//! column under its own name (`my-col` for `my_col`), that is the one.

use std::borrow::Cow;

use cdc_sdk::Table;
use cdc_sdk::name::may_stand_for;

use super::catalogue::Catalogue;

/// The table with the names that its columns have at the destination, where exactly one column there can be meant.
pub(super) fn as_there<'t>(table: Cow<'t, Table>, found: &Catalogue) -> Cow<'t, Table> {
    let free = || found.columns.iter().filter(|actual| table.column_index(&actual.name).is_none());
    let meant = |field: &str| {
        let mut there = free().filter(|actual| may_stand_for(field, &actual.name));
        there.next().filter(|_| there.next().is_none()).map(|actual| actual.name.clone())
    };
    let absent = table.columns.iter().enumerate().filter(|(_, column)| found.column(&column.name).is_none());
    let names: Vec<(usize, String)> =
        absent.filter_map(|(at, column)| Some((at, meant(&column.name)?))).collect();
    let is_alone = |name: &String| names.iter().filter(|(_, other)| other == name).count() == 1;
    let mut renamed = table.clone();
    for (at, name) in names.iter().filter(|(_, name)| is_alone(name)) {
        if let Some(column) = renamed.to_mut().columns.get_mut(*at) {
            column.name.clone_from(name);
        }
    }
    renamed
}
