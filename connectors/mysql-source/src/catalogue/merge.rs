//! What the binlog says of a table and what the catalogue says, made one.

use cdc_sdk::table::{Key, KeyKind, KeyOn, KeyPart};
use cdc_sdk::{Column, Table};

use crate::binlog::Met;

/// The catalogue's table where both agree, else the binlog's with what the
/// catalogue knows of the same columns.
pub(super) fn merged(mut from_map: Table, mut known: Table) -> Table {
    for (column, shown) in from_map.columns.iter().zip(&mut known.columns) {
        if column.ty.as_catalogued() == shown.ty {
            shown.ty.clone_from(&column.ty);
        }
    }
    if names_a_unique_key(&from_map, &known) {
        from_map.keys.clear();
    } else if from_map.primary_key().is_none() {
        // It would name a unique key that tells all rows apart: such a one has come since.
        let keys = std::mem::take(&mut known.keys).into_iter();
        known.keys = keys.filter(|key| !would_be_named(key, &known)).collect();
    }
    if agree(&from_map, &known) { known } else { extended(from_map, &known) }
}

/// The unique keys that rows need not have obeyed which stand before the table's last change: neither the log tells
/// them (of a table without a primary key it does), nor did the table have them before.
pub(super) fn younger_keys(table: &Table, log: &Table, met: &Met) -> Vec<String> {
    let logged = log.primary_key().and_then(|key| names(key, log));
    let is_old = |key: &&Key| {
        let is_logged = logged.is_some() && names(key, table) == logged;
        let same = |old: &Key, before: &Table| {
            old.kind == KeyKind::Unique && parts(old, before) == parts(key, table)
        };
        is_logged || met.before.as_ref().is_some_and(|before| before.keys.iter().any(|old| same(old, before)))
    };
    let unique = table.keys.iter().filter(|key| key.kind == KeyKind::Unique);
    unique.filter(|key| !is_old(key)).map(|key| key.name.clone()).collect()
}

/// What a key stands on.
fn parts<'t>(key: &'t Key, table: &'t Table) -> Vec<(Option<&'t str>, Option<u32>)> {
    let on = |part: &'t KeyPart| match &part.on {
        KeyOn::Column(index) => table.columns.get(*index).map(|column| column.name.as_str()),
        KeyOn::Expression(expression) => Some(expression.as_str()),
    };
    key.parts.iter().map(|part| (on(part), part.prefix)).collect()
}

/// Whether what the binlog calls the primary key is a unique key: of a table without a primary key it
/// names the one that the engine takes instead.
fn names_a_unique_key(from_map: &Table, known: &Table) -> bool {
    let Some(primary) = from_map.primary_key() else { return false };
    let is_it = |key: &&Key| key.kind == KeyKind::Unique && names(key, known) == names(primary, from_map);
    known.primary_key().is_none() && known.keys.iter().any(|key| is_it(&key))
}

/// Whether the engine would take the key for a primary one. Of generated columns that is not sure.
fn would_be_named(key: &Key, known: &Table) -> bool {
    let is_plain = |column: usize| known.columns.get(column).is_some_and(|c| c.extra.generated.is_none());
    key.kind == KeyKind::Unique
        && known.sound_unique(key).is_some_and(|columns| columns.into_iter().all(is_plain))
}

/// The names of a key's columns; `None` if a part is an expression.
fn names<'t>(key: &Key, table: &'t Table) -> Option<Vec<&'t str>> {
    key.columns()?.into_iter().map(|column| table.columns.get(column).map(|c| c.name.as_str())).collect()
}

fn agree(from_map: &Table, known: &Table) -> bool {
    from_map.columns.len() == known.columns.len()
        && from_map.columns.iter().zip(&known.columns).all(|(map, catalogue)| same_column(map, catalogue))
        && agreed_primary(from_map, known)
}

fn same_column(map: &Column, catalogue: &Column) -> bool {
    map.name == catalogue.name
        && map.ty == catalogue.ty
        && map.nullable == catalogue.nullable
        && map.charset == catalogue.charset
        && map.collation == catalogue.collation
}

/// The binlog tells the primary key, so one that the catalogue lost or changed since shows.
fn agreed_primary(from_map: &Table, known: &Table) -> bool {
    from_map.primary_key().and_then(Key::columns) == known.primary_key().and_then(Key::columns)
}

fn extended(mut table: Table, known: &Table) -> Table {
    for column in &mut table.columns {
        let same = known.columns.iter().find(|c| c.name == column.name && c.ty == column.ty);
        if let Some(same) = same {
            column.extra = same.extra.clone();
        }
    }
    // The catalogue knows more of the same primary key: prefixes, and what is descending.
    let same = |key: &Key| table.primary_key().is_some_and(|own| names(own, &table) == names(key, known));
    let kept = known.keys.iter().filter(|key| key.kind != KeyKind::Primary || same(key));
    let kept: Vec<Key> = kept.filter_map(|key| moved(key, known, &table)).collect();
    if kept.iter().any(|key| key.kind == KeyKind::Primary) {
        table.keys.clear();
    }
    table.keys.extend(kept);
    table.collation = table.collation.or_else(|| known.collation.clone());
    table.comment.clone_from(&known.comment);
    table
}

/// A key of the catalogue's table on the binlog's columns; `None` where a column is missing there.
fn moved(key: &Key, known: &Table, table: &Table) -> Option<Key> {
    let parts: Option<Vec<KeyPart>> = key
        .parts
        .iter()
        .map(|part| {
            let KeyOn::Column(index) = part.on else { return None };
            let name = &known.columns.get(index)?.name;
            let on = KeyOn::Column(table.columns.iter().position(|c| c.name == *name)?);
            Some(KeyPart { on, ..part.clone() })
        })
        .collect();
    Some(Key { parts: parts?, ..key.clone() })
}
