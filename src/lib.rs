//! The program `cdc`: the road between two databases.
//!
//! Modules are listed in the order of the data: what the user says, how the
//! road is laid, what a change is wrapped in, how it is written, where it
//! goes, and how all of it is watched.

pub mod cli;
pub mod config;
pub mod pipeline;
pub mod envelope;
pub mod avro;
pub mod kafka;
pub mod observe;

#[cfg(test)]
#[path = "../tests/kit/damage.rs"]
mod damage;

#[cfg(test)]
#[path = "../tests/kit/hot_path.rs"]
mod hot_path;
