//! The shapes of tables that this process has met, each with a number.
//!
//! The snapshot learns of a table from the catalogue, the stream from the binlog.
//! Where both say the same, both must lead to the same Avro schema, so both ask
//! here: equal tables get one `Arc` and one number, until a source is opened anew: what was met before that may
//! have changed since, before the place at which the new one begins.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use cdc_sdk::{Table, TableName};

/// A table's shape by number: equal numbers mean equal tables, in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShapeId(pub u64);

/// Shapes of one table that are kept; a table altered more often gets new numbers.
const SHAPES_PER_TABLE_MAX: usize = 16;

static SHAPES: LazyLock<Mutex<Shapes>> = LazyLock::new(Mutex::default);

/// The one shape equal to this table; a new one where there is none yet.
pub fn intern(table: Table) -> (ShapeId, Arc<Table>) {
    SHAPES.lock().unwrap_or_else(PoisonError::into_inner).intern(table)
}

/// The shape of this table that was met last.
pub fn latest(name: &TableName) -> Option<(ShapeId, Arc<Table>)> {
    let shapes = SHAPES.lock().unwrap_or_else(PoisonError::into_inner);
    shapes.by_name.get(name)?.last().map(|(id, table)| (*id, Arc::clone(table)))
}

/// Forgets tables that a source met before it is opened anew. No number is given twice.
pub fn forget(of_source: impl Fn(&TableName) -> bool) {
    let mut shapes = SHAPES.lock().unwrap_or_else(PoisonError::into_inner);
    shapes.by_name.retain(|name, _| !of_source(name));
}

#[derive(Debug, Default)]
struct Shapes {
    next: u64,
    by_name: HashMap<TableName, Vec<(ShapeId, Arc<Table>)>>,
}

impl Shapes {
    fn intern(&mut self, table: Table) -> (ShapeId, Arc<Table>) {
        let all = self.by_name.entry(table.name.clone()).or_default();
        let shape = match all.iter().position(|(_, known)| **known == table) {
            Some(at) => all.remove(at),
            None => {
                self.next += 1;
                (ShapeId(self.next), Arc::new(table))
            }
        };
        if all.len() == SHAPES_PER_TABLE_MAX {
            all.remove(0);
        }
        all.push((shape.0, Arc::clone(&shape.1)));
        shape
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(comment: &str) -> Table {
        Table {
            version: Table::VERSION,
            chosen_key: None,
            name: TableName::new("shop", "orders"),
            columns: Vec::new(),
            keys: Vec::new(),
            collation: None,
            comment: comment.into(),
        }
    }

    #[test]
    fn equal_tables_are_one_shape() {
        let (first, one) = intern(table("a"));
        let (second, same) = intern(table("a"));
        assert_eq!(first, second);
        assert!(Arc::ptr_eq(&one, &same));
        assert_ne!(intern(table("b")).0, first);
    }

    #[test]
    fn what_is_forgotten_is_not_the_latest_and_gets_another_number() {
        let name = TableName::new("forgotten", "orders");
        let forgotten = || Table { name: name.clone(), ..table("a") };
        let (first, _) = intern(forgotten());
        forget(|of| *of == name);
        assert!(latest(&name).is_none());
        assert_ne!(intern(forgotten()).0, first);
    }

    #[test]
    fn a_table_altered_for_ever_takes_bounded_memory() {
        let mut shapes = Shapes::default();
        for number in 0..100 {
            shapes.intern(table(&number.to_string()));
        }
        assert_eq!(shapes.by_name.values().map(Vec::len).sum::<usize>(), SHAPES_PER_TABLE_MAX);
    }
}
