//! What a change is wrapped in: Debezium's envelope, and the modes in which
//! MySQL's values are written into it.
//!
//! Debezium's own defaults lose values (zero dates become NULL or 1970, large
//! unsigned numbers turn negative). [`Modes::default`] is therefore ours, and
//! every mode of Debezium can be had by Debezium's own option name:
//!
//! | MySQL | ours | why |
//! |---|---|---|
//! | DECIMAL | bytes, `precise` | exact |
//! | BIGINT UNSIGNED | decimal(20,0), `precise` | a long would turn negative |
//! | DATE, DATETIME, TIMESTAMP | string: `IsoDate`, `IsoTimestamp`, `ZonedTimestamp` | zero and partial-zero dates are written with their zeros (`2024-00-00Z`), every fraction keeps its digits; numbers of days or of µs have no place for either |
//! | TIME | long, µs (`MicroTime`) | ±838:59:59.999999 fits, sign and all |
//! | BINARY, BLOB | bytes | as they are |
//! | ENUM, SET | string | as Debezium; where a member is `''` the error value 0 of ENUM gets a text that no member has, so that both survive |
//! | FLOAT, DOUBLE, VECTOR | float, double, array of float | bit for bit |
//!
//! The sink does not depend on these modes: it reads from each writer schema
//! how a value was written.

mod regex_list;
mod key_columns;
mod modes;
mod meta;
mod topic;

pub use key_columns::KeyColumns;
pub use meta::{Meta, Snapshot, TransactionBlock};
pub use modes::{BigintMode, BinaryMode, DecimalMode, Modes, TimeMode};
pub use regex_list::RegexList;
pub use topic::topic_name;
