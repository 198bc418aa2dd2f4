//! `cdc explain E014`: what an error code means and what to do.

use std::fmt::Write;

use cdc_sdk::{Error, Fate, Kind, Result};

use super::outcome::{Outcome, exit_code};
use super::output;

/// Prints one code, or all of them.
pub(super) fn run(code: Option<&str>) -> Result<Outcome> {
    match code {
        Some(code) => output::text(&one(find(code)?)),
        None => output::text(&all()),
    }
}

/// The kind with this code; letter case and the `E` do not matter.
fn find(code: &str) -> Result<Kind> {
    let digits = code.trim().trim_start_matches(['E', 'e']);
    let same = |kind: &&Kind| kind.code().trim_start_matches('E') == format!("{digits:0>3}");
    Kind::ALL.iter().find(same).copied().ok_or_else(|| {
        Error::new(Kind::Usage, format!("there is no error code '{code}'")).hint("all of them: cdc explain")
    })
}

fn one(kind: Kind) -> String {
    let fate = if exit_code(&Err(Error::new(kind, ""))) == 2 { COMMAND } else { fate(kind.fate()) };
    format!("{} {kind:?}\n{}\n{}\n", kind.code(), indented(kind.explanation()), indented(fate))
}

fn all() -> String {
    let mut text = String::new();
    for kind in Kind::ALL {
        let first = first_sentence(kind.explanation());
        // A text in memory takes everything.
        let _ = writeln!(text, "{}  {first}", kind.code());
    }
    text
}

/// Without its full stop.
fn first_sentence(text: &str) -> String {
    let text = text.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    text.split(". ").next().unwrap_or_default().trim_end_matches('.').to_owned()
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {}\n", line.trim())).collect()
}

const COMMAND: &str = "The command ends with exit code 2, and has changed nothing.";

fn fate(fate: Fate) -> &'static str {
    match fate {
        Fate::Retry => {
            "It may pass: a pipeline tries again by itself. If it gives up, it exits with 4: start it again."
        }
        Fate::Quarantine => {
            "One event is at fault. It goes to the dead letters where [dead_letter] names its table; else the \
             pipeline stops there, loses nothing, and exits with 3."
        }
        Fate::Halt => "The pipeline stops, loses nothing, and exits with 3.",
    }
}

#[cfg(test)]
mod tests;
