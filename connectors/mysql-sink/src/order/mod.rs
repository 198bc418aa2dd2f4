//! Order: which cuts make a batch, and whether their events are all there.
//!
//! The cuts topic leads. A cut names, for every partition it touches, how many
//! events it brought; each event carries its cut and its ordinal among that
//! cut's events in its partition. So completeness needs no sorting and no
//! timer: a cut is complete when each partition has given as many events as the
//! cut says, ordinals 0, 1, 2 … without a gap. Records of an earlier cut are
//! duplicates or history and fall away; a record of a later cut while an earlier
//! one is incomplete means that events are missing, which stops the sink.
//!
//! **Batches.** Consecutive complete cuts may be applied as one: the last of
//! them is a source state, those between are never shown. A cut marked `alone`
//! is a batch by itself. A run of cuts that `continue` one source transaction
//! is begun only when its last cut has been read, so that an abandoned run never
//! holds locks at the destination.

mod admit;
mod batcher;

pub use admit::{Admission, Gate};
pub use batcher::{Batcher, Limits, Next};

#[cfg(test)]
mod tests;
