//! Debezium itself is the measure. `make golden` runs it over tables of every type, in
//! several sets of its options, and records the schemas that it registers and the bytes that it
//! writes, with its version. The default suite runs this source over the same tables under
//! the profile `debezium`, and compares both, byte for byte.
//!
//! No file here is made by what it is compared with. Compared are the schemas as text and, of
//! each record, the key and both rows as bytes; what follows the rows (`source`, `op`, times)
//! has the same schema, but other places and times. Under the profile `debezium` a schema
//! has no property of ours, so nothing is left out of the comparison; our own profile adds
//! `cdc.table` and `cdc.binary`, which readers of Avro pass over (Avro specification: "Attributes
//! not defined in this document are permitted as metadata").

mod apply;
mod compare;
mod jdbc;
mod record;
mod schema_changes;
mod transactions;
pub mod written;

/// Sets of Debezium's options: together they name every mode of every type.
const SETS: [(&str, &[(&str, &str)]); 6] = [
    ("defaults", &[]),
    (
        "texts",
        &[
            ("decimal.handling.mode", "string"),
            ("bigint.unsigned.handling.mode", "precise"),
            ("time.precision.mode", "isostring"),
            ("binary.handling.mode", "base64"),
        ],
    ),
    (
        "connect",
        &[
            ("decimal.handling.mode", "double"),
            ("time.precision.mode", "connect"),
            ("binary.handling.mode", "hex"),
        ],
    ),
    (
        "micros",
        &[
            ("time.precision.mode", "microseconds"),
            ("binary.handling.mode", "base64-url-safe"),
            ("column.propagate.source.type", ".*"),
        ],
    ),
    ("nanos", &[("time.precision.mode", "nanoseconds"), ("tombstones.on.delete", "false")]),
    (FOR_SINK, &[("bigint.unsigned.handling.mode", "precise"), ("column.propagate.source.type", ".*")]),
];

/// The set that a sink is to follow: of the modes that lose values only what no mode of Debezium keeps.
const FOR_SINK: &str = "sink";

/// The statements, separated by `;` at the end of a line.
const TABLES: &str = include_str!("debezium/tables.sql");
const ROWS: &str = include_str!("debezium/rows.sql");
const CHANGES: &str = include_str!("debezium/changes.sql");

/// The tables.
fn tables() -> Vec<&'static str> {
    let named = |line: &'static str| line.strip_prefix("CREATE TABLE ")?.split([' ', '(', ';']).next();
    TABLES.lines().filter_map(named).map(|name| name.trim_matches('`')).collect()
}
