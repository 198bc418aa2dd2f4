//! How a command ended, as an exit code.

use cdc_sdk::{Error, Fate, Kind};

/// How a command ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It did what it was asked.
    Done,
    /// It found something that must be mended.
    Unfit,
}

/// The exit code; the module [`super`] lists them.
pub(super) fn exit_code(result: &Result<Outcome, Error>) -> u8 {
    match result {
        Ok(Outcome::Done) => 0,
        Ok(Outcome::Unfit) => 1,
        Err(error) if matches!(error.kind(), Kind::Usage | Kind::Settings | Kind::Refused) => 2,
        Err(error) => match error.fate() {
            Fate::Halt | Fate::Quarantine => 3,
            Fate::Retry => 4,
        },
    }
}

#[cfg(test)]
mod tests;
