//! The sink: batches of changes into a destination MySQL, exactly once.
//!
//! Modules are listed in the order in which a batch meets them. A batch is one
//! transaction at the destination, and the rows that say how far the sink has
//! come (the *ledger*) are written in that same transaction. So there is no
//! moment at which the data and the progress disagree: after a crash the ledger
//! is read, and the pipeline goes on from there.
//!
//! What keeps two sinks of one name apart: a lock that dies with its holder, the
//! connections written down in the ledger before they are used (so that a
//! successor can end them), and an epoch in every ledger update (so that a commit
//! of a sink that was thought dead affects no row and is rolled back).
//!
//! Many sinks of one name at once are another kind, [`KeySink`]: see `by_key`.

pub mod order;

mod batch;
mod settings;
mod hash;

mod session;
mod tables;
mod fold;
mod conflict;
mod apply;
mod dead_letter;
mod ledger;
mod sink;
mod parallel;
mod by_key;

#[cfg(test)]
#[path = "../../../tests/kit/hot_path.rs"]
mod hot_path;
#[cfg(test)]
mod bench;

pub use batch::{Advance, Applied, Batch, Change, End};
pub use by_key::{Emptying, KeyApplied, KeyBatch, KeySink, Partition, Standing, Step};
pub use dead_letter::{DeadLetters, Held, Keeping, Letter, Origin, Quarantine, Why, image_text, key_text};
pub use ledger::{
    Action, Answer, Backup, Chosen, DeadLetterDesk, LedgerAdmin, Mark, Move, Progress, Request, Running,
};
pub use parallel::{Done, Parallel};
pub use session::{SILENCE_MAX, check};
pub use settings::{SchemaMode, Settings, TwoWay};
pub use sink::Sink;
