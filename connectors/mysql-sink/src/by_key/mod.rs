//! The sink by key: many processes of one name, each with some partitions.
//!
//! There is no order between partitions here, only within each, which is that of every key. So a
//! commit takes some partitions on, each from the offset that the ledger has to another, by a compare-and-set in
//! the transaction of the rows. Nobody leads. Who is given a partition *takes* it: raises the epoch of
//! its row, under a lock that waits for a commit under way, and reads from the offset that it finds there.
//!
//! **Why a zombie applies nothing.** The compare-and-sets come first in the transaction, before any row, and
//! name the epoch. One that was raised since makes theirs affect no row: all is rolled back, and the batch is
//! done again without that partition. One that is raised later waits for the row's lock until the
//! transaction has ended. A sink that holds that lock and is silent has its connection ended by who takes over.
//!
//! **An emptied table.** TRUNCATE is one event in one partition, and no other partition knows of it. So the
//! table is emptied and all partitions of its topic are set behind the event's cut, in one transaction: those
//! that were before it have nothing left to bring, those that were past it bring that again. Rows are deleted,
//! since MySQL's own TRUNCATE cannot be fenced.

mod batch;
mod places;
mod sink;
mod switch;

pub use batch::{Emptying, KeyApplied, KeyBatch, Partition, Standing, Step};
pub use sink::KeySink;
pub(crate) use switch::{forget_sql, refused, summary};
