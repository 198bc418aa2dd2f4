//! Kafka, as the two pipelines use it: topics made and looked up, whole source
//! transactions published at once, cuts read back, events read by partition.
//!
//! **Invariant:** nothing outside this module names `rdkafka`. What it promises
//! is held here, in the properties that [`Settings`] does not let a user change:
//! every write is acknowledged by all replicas in sync and idempotent, every read
//! sees committed transactions only, no progress is read from Kafka's groups, and
//! an offset that has vanished is an error, never a jump.
//!
//! Everything but [`Admin`] blocks its thread, at most for [`Settings::patience`]
//! where no other limit is given, and no longer than seconds once its [`Lookout`] says that the run ends.

mod settings;
mod lookout;
mod fault;
mod link;
mod topic;
mod closing;
mod consumer;

pub mod partition;
pub mod stamp;

mod admin;
mod record;
mod log;
mod receipts;
mod publisher;
mod outbox;
mod settle;
mod lanes;
mod events;
mod group;
mod rest;

pub use admin::{Admin, BROKERS_TIME, Compaction, Keeps, LARGEST_RECORD, TopicSpec};
pub use closing::wait_until_closed;
pub use events::{Event, Events, From};
pub use group::{Group, Partition, Protocol, Turn};
pub use log::Log;
pub use lookout::Lookout;
pub use outbox::Outbox;
pub use partition::partition;
pub use publisher::{Candidate, Publisher};
pub use record::Record;
pub use rest::{Part, with_records};
pub use settings::{RESERVED, Settings};
pub use settle::{Settler, unsettled};
pub use stamp::Stamp;
