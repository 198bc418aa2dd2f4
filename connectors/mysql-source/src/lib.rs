//! MySQL as a source: from the server's binlog and tables to changes and rows.
//!
//! Modules in the order of the data: what is told ([`settings`]), how the server
//! is reached ([`session`]), what its tables are ([`catalogue`], [`shape`]), what
//! changes ([`binlog`], [`decode`], [`ddl`]), what was there before ([`snapshot`]),
//! and both woven into one sequence of events ([`source`]).

pub mod settings;

pub mod session;

pub mod catalogue;
pub mod shape;

pub mod binlog;
pub mod ddl;
pub mod decode;

pub mod snapshot;

pub mod source;

#[cfg(test)]
#[path = "../../../tests/kit/damage.rs"]
mod damage;

#[cfg(test)]
#[path = "../../../tests/kit/hot_path.rs"]
mod hot_path;

pub use binlog::{Begin, Commit, Rows};
pub use ddl::{ColumnChange, ColumnNotes, Effect, Noted};
pub use session::{Leader, check};
pub use settings::{OnUnsafeDdl, Settings, SnapshotMode};
pub use shape::ShapeId;
pub use snapshot::{Again, Chunk, ChunkRow, SnapshotProgress, TableProgress, TableState};
pub use source::{DdlEvent, Event, Request, Resume, Source, Start, Stopped, Taken, Target};
