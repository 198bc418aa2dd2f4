//! Before a ledger is set: what would be done, and whether it is to be.

use std::io::{self, BufRead, IsTerminal, Write};

use cdc_sdk::{Error, Kind, Result};

use super::args::SureArgs;
use super::outcome::Outcome;
use super::output;

/// What is asked where a ledger would be set.
pub(super) const SET_LEDGER: &str = "Set the ledger as shown?";

/// Says what would be done; does it with `--yes`, or once a person at the terminal says so.
pub(super) async fn then(
    sure: SureArgs,
    question: &str,
    run: impl AsyncFn(bool) -> Result<String>,
) -> Result<Outcome> {
    if !sure.yes || sure.dry_run {
        output::text(&run(true).await?)?;
        if sure.dry_run || !confirmed(question)? {
            return Ok(Outcome::Done);
        }
    }
    output::text(&run(false).await?)
}

/// Whether the person at the terminal agrees.
fn confirmed(question: &str) -> Result<bool> {
    let unreadable = |e| Error::new(Kind::Usage, "the answer cannot be read").caused_by(e);
    if !io::stdin().is_terminal() {
        return Err(Error::new(Kind::Usage, "nobody is there to confirm it")
            .hint("add --yes to do it, or --dry-run to only see what it would do"));
    }
    let mut err = io::stderr();
    write!(err, "{question} [y/N] ").and_then(|()| err.flush()).map_err(unreadable)?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(unreadable)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
