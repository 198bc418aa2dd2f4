//! `cdc replay`: asks before it sets the ledger back.

use std::io::{self, BufRead, IsTerminal, Write};

use cdc_sdk::{Error, Kind, Result};

use super::args::ReplayArgs;
use super::outcome::Outcome;
use super::output;
use super::pipeline;
use crate::config::SinkConfig;

/// Says what a replay would do; does it with `--yes`, or once a person at the terminal says so.
pub(super) async fn run(args: ReplayArgs) -> Result<Outcome> {
    let config = SinkConfig::load(&args.config)?;
    let from = args.from.chosen()?;
    if !args.yes || args.dry_run {
        output::text(&pipeline::replay::run(config.clone(), from.clone(), true).await?)?;
        if args.dry_run || !confirmed("Set the ledger back as shown?")? {
            return Ok(Outcome::Done);
        }
    }
    output::text(&pipeline::replay::run(config, from, false).await?)
}

/// Whether the person at the terminal agrees.
pub(super) fn confirmed(question: &str) -> Result<bool> {
    let unreadable = |e| Error::new(Kind::Usage, "the answer cannot be read").caused_by(e);
    if !io::stdin().is_terminal() {
        return Err(Error::new(Kind::Usage, "nobody is there to confirm it")
            .detail(question.to_owned())
            .hint("add --yes to do it"));
    }
    let mut err = io::stderr();
    write!(err, "{question} [y/N] ").and_then(|()| err.flush()).map_err(unreadable)?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(unreadable)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
