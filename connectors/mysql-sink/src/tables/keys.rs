//! The keys of the source, and those that the destination still has of it.

use cdc_sdk::name::{is_same_name, quoted};
use cdc_sdk::table::{KeyKind, KeyOn, KeyPart};
use cdc_sdk::{Key, Table};

use super::catalogue::{ActualKey, ActualPart, Catalogue};
use super::definition;
use super::difference::{Aim, Difference};
use crate::settings::SchemaMode;

pub(super) const PRIMARY: &str = "PRIMARY";

impl Difference {
    pub(super) fn keys(&mut self, table: &Table, found: &Catalogue, aim: &Aim<'_>) {
        let identity = table.identity();
        for key in &table.keys {
            let columns = names(table, key);
            let is_identity = identity.is_some() && !key.is_partial() && key.columns() == identity;
            let of_name = found.keys.iter().find(|k| is_same_name(&k.name, &key.name));
            let gone = of_name.is_some_and(|k| self.before.contains(&k.name));
            let there = !gone
                && match (&columns, is_identity) {
                    (Some(columns), true) => found.has_unique_key(columns),
                    _ => of_name.is_some_and(|k| !aim.drops_keys() || is_alike(table, key, k)),
                };
            let wanted = is_identity || aim.mode == SchemaMode::Evolve;
            if !there && wanted {
                self.missing_key(table, key, found, aim);
            }
        }
        if aim.drops_keys() {
            self.stray_keys(table, found, aim);
        }
    }

    fn missing_key(&mut self, table: &Table, key: &Key, found: &Catalogue, aim: &Aim<'_>) {
        let Some(sql) = definition::key(table, key) else {
            return self.hopeless(format!("key {} names a column that the table does not have", key.name));
        };
        let of_name = found.keys.iter().find(|k| is_same_name(&k.name, &key.name));
        match of_name.filter(|k| !self.before.contains(&k.name)) {
            None => self.mendable(format!("key {} is missing", key.name), format!("ADD {sql}")),
            Some(other) if key.kind == KeyKind::Primary => {
                self.drops_primary = true;
                self.note_stripped(table, other, aim);
                self.mendable(
                    format!("the primary key is another than the source's ({sql})"),
                    format!("DROP PRIMARY KEY, ADD {sql}"),
                );
            }
            Some(other) => self.mendable(
                format!("key {} is another than the source's ({sql})", key.name),
                format!("DROP INDEX {}, ADD {sql}", quoted(&other.name)),
            ),
        }
    }

    /// Where nothing tells whether a column is gone or called otherwise, its rows must not lose what tells them apart.
    pub(super) fn note_stripped(&mut self, table: &Table, primary: &ActualKey, aim: &Aim<'_>) {
        let columns = primary.parts.iter().filter_map(ActualPart::column);
        let own = columns.filter(|name| aim.mode == SchemaMode::Extend && table.column_index(name).is_none());
        self.stripped.extend(own.map(ToOwned::to_owned));
    }

    /// Unique keys that would refuse rows that the source has: its tables had them before. Of secondary ones that must be
    /// known, since the destination may have some of its own.
    fn stray_keys(&mut self, table: &Table, found: &Catalogue, aim: &Aim<'_>) {
        for key in found.keys.iter().filter(|k| k.unique) {
            let of_name = table.keys.iter().find(|theirs| is_same_name(&theirs.name, &key.name));
            if is_answered(table, key) || !is_on_some(table, key) {
                continue;
            }
            match (key.name == PRIMARY, of_name) {
                (true, _) if self.drops_primary => {}
                // Another unique key tells what its rows are by: so the primary key was not missed.
                (true, Some(theirs)) => self.missing_key(table, theirs, found, aim),
                (true, None) => {
                    self.drops_primary = true;
                    self.mendable("the source has no primary key".into(), "DROP PRIMARY KEY".into());
                }
                (false, None) if aim.past.had(&table.name, key) => self.mendable(
                    format!("the source has no unique key {} any more", key.name),
                    format!("DROP INDEX {}", quoted(&key.name)),
                ),
                (false, _) => {}
            }
        }
    }
}

/// Whether the source has a unique key by whose columns rows of this one differ, too.
pub(super) fn is_answered(table: &Table, key: &ActualKey) -> bool {
    let unique = table.keys.iter().filter(|k| matches!(k.kind, KeyKind::Primary | KeyKind::Unique));
    unique
        .filter(|theirs| !theirs.parts.is_empty())
        .any(|theirs| theirs.parts.iter().all(|part| key.parts.iter().any(|ours| is_part(table, part, ours))))
}

/// Whether some part of it is a column of the source.
fn is_on_some(table: &Table, key: &ActualKey) -> bool {
    key.parts.iter().filter_map(ActualPart::column).any(|name| table.column_index(name).is_some())
}

/// Whether a key of the destination's stands for the source's of that name. Only of unique ones it matters what they
/// stand on.
fn is_alike(table: &Table, key: &Key, actual: &ActualKey) -> bool {
    let unique = matches!(key.kind, KeyKind::Primary | KeyKind::Unique);
    let all = |has: &dyn Fn(&KeyPart, &ActualPart) -> bool| {
        key.parts.iter().all(|part| actual.parts.iter().any(|ours| has(part, ours)))
    };
    unique == actual.unique
        && (!unique || key.parts.len() == actual.parts.len() && all(&|part, ours| is_part(table, part, ours)))
}

/// Expressions are spelled by each version in its own way: one is taken for the other.
fn is_part(table: &Table, part: &KeyPart, ours: &ActualPart) -> bool {
    match (&part.on, ours) {
        (KeyOn::Column(index), ActualPart::Whole(name) | ActualPart::Prefix(name, _)) => {
            table.columns.get(*index).is_some_and(|c| is_same_name(&c.name, name))
        }
        (KeyOn::Expression(_), ActualPart::Expression(_)) => true,
        (KeyOn::Column(_), ActualPart::Expression(_)) | (KeyOn::Expression(_), _) => false,
    }
}

fn names<'t>(table: &'t Table, key: &Key) -> Option<Vec<&'t str>> {
    key.columns()?.into_iter().map(|c| table.columns.get(c).map(|c| c.name.as_str())).collect()
}
