//! Names that Avro takes: `[A-Za-z_][A-Za-z0-9_]*`, and dots in a namespace.

use std::collections::{HashMap, HashSet};

use cdc_sdk::Column;
use cdc_sdk::name::{in_avro, spelled_in_avro};

/// A topic's name as a namespace: what Avro forbids becomes `_`, as with Debezium's
/// `schema.name.adjustment.mode=avro`.
pub fn namespace(topic: &str) -> String {
    let parts: Vec<String> = topic.split('.').map(in_avro).collect();
    parts.join(".")
}

/// The columns' names as fields. Two columns that would become one field (`a-b` and
/// `a_b`) are told apart by writing what is forbidden as `_uXXXX`; if even that is
/// another column's name, the column's number is appended.
pub(super) fn fields(columns: &[Column]) -> Vec<String> {
    let plain: Vec<String> = columns.iter().map(|c| in_avro(&c.name)).collect();
    let mut uses: HashMap<&str, usize> = HashMap::new();
    for name in &plain {
        *uses.entry(name).or_default() += 1;
    }
    let mut taken: HashSet<String> = uses.iter().filter(|u| *u.1 == 1).map(|u| (*u.0).to_owned()).collect();
    let unique = |(index, (column, name)): (usize, (&Column, &String))| {
        let changed = *name != column.name;
        if uses.get(name.as_str()) == Some(&1) || (!changed && taken.insert(name.clone())) {
            return name.clone();
        }
        let mut field = spelled_in_avro(&column.name);
        while !taken.insert(field.clone()) {
            field.push_str(&format!("_{index}"));
        }
        field
    };
    columns.iter().zip(&plain).enumerate().map(unique).collect()
}

#[cfg(test)]
mod tests;
