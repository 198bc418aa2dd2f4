//! The vocabulary that both connectors and the program share: table, column,
//! value, row, change, position, cut, error. No I/O happens here.
//!
//! Modules are listed in reading order: what a table is, what a row of it
//! holds, what changed, where that stands, and what can go wrong.

pub mod column;
pub mod name;
pub mod expression;
pub mod pattern;
pub mod endpoint;
pub mod table;

pub mod decimal;
pub mod temporal;
pub mod json;
pub mod value;

pub mod change;
pub mod cut;
pub mod gtid;
pub mod echo;
pub mod position;

pub mod error;
pub mod fail;
pub mod finding;

pub use change::{Op, RowChange};
pub use column::{Column, ColumnType};
pub use cut::{Cut, CutId};
pub use decimal::Decimal;
pub use error::{Error, Fate, Kind, Result};
pub use finding::Finding;
pub use gtid::{Gtid, GtidSet};
pub use name::TableName;
pub use position::Position;
pub use table::{Key, KeyKind, KeyPart, KeyRole, Table};
pub use value::{OwnedRow, OwnedValue, Row, Value};
