//! What the binlog says of a table and what the catalogue says, made one.

use cdc_sdk::table::{Key, KeyKind, KeyOn, KeyPart};
use cdc_sdk::{Column, Table};

/// The catalogue's table where both agree, else the binlog's with what the
/// catalogue knows of the same columns.
pub(super) fn merged(from_map: Table, known: Table) -> Table {
    if agree(&from_map, &known) { known } else { extended(from_map, &known) }
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
    let others: Vec<Key> = known
        .keys
        .iter()
        .filter(|key| key.kind != KeyKind::Primary)
        .filter_map(|key| moved(key, known, &table))
        .collect();
    table.keys.extend(others);
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
