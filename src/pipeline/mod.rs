//! The road, wired: each file reads top to bottom as the path of the data.
//! Nothing here looks inside a change.

pub mod source;
mod table_book;
mod record_keys;
mod versions;
mod cut_writer;
mod recovery;
mod control;
mod private;

pub mod snapshot;

pub mod sink;
mod stage;
mod by_key;
mod holes;
mod gather;
mod arrival;
mod in_flight;
mod decoder;
mod streams;
pub mod dead_letter;
mod filling;
mod overlap;

pub mod check;
pub mod bootstrap;
pub mod replay;
pub mod offsets;
mod offset_file;
mod ledger_move;
mod cut_search;
mod reach;

mod retry;
mod fitness;
mod kept;
mod settings;

#[cfg(test)]
mod fuzz;

/// How a run ends.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunOptions {
    /// Stop with success when all that was committed (source) or published (sink) at the start is through.
    pub until_caught_up: bool,
}
