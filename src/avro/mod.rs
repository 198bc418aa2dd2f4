//! Avro: the schemas of tables, their registration, and the bytes of events.
//!
//! The hot paths ([`TableCodec`], [`Plan`]) write and read the binary format
//! directly: a row goes from the binlog into one reused buffer, and from a
//! message into the sink's values, without a tree of values between. The crate
//! `apache_avro` writes the few internal records ([`records`]), and in the tests
//! judges what the hot paths wrote.

pub mod records;
mod registry;

#[cfg(test)]
mod bench;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
pub(crate) mod sample;

mod datum;
mod iso;
mod json;
mod member;
mod name;

mod form;
mod value;
mod default;
mod connect;
mod schema;
mod tail;
mod codec;
mod schema_change;

mod shape;
mod reading;
mod guess;
mod told_default;
mod infer;
mod event;
mod plan;
mod key_row;

pub use codec::{KeyNote, Outgoing, Scratch, TableCodec};
pub use event::{AvroRow, Decoded, frame_id};
pub use key_row::KeyPlan;
pub use name::namespace;
pub use plan::{Plan, SourcePlace, Whose};
pub use registry::{Registry, RegistrySettings};
pub use schema_change::{Happened, SchemaChangeIds};

pub use crate::envelope::{Meta, Snapshot, TransactionBlock};
