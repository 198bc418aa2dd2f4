//! `cdc dead-letter`: shows the quarantine, and asks the sink to release keys.

use std::io::{self, BufRead, IsTerminal, Write};

use cdc_mysql_sink::{Action, Answer};
use cdc_sdk::{Error, Kind, Result};

use super::args::{DeadLetterCommand, DiscardArgs, ReleaseArgs};
use super::outcome::Outcome;
use super::output;
use super::pipeline::dead_letter::command;
use crate::config::SinkConfig;

/// Does what the command line says.
pub(super) async fn run(wanted: DeadLetterCommand) -> Result<Outcome> {
    match wanted {
        DeadLetterCommand::List(args) => {
            let config = SinkConfig::load(&args.config)?;
            output::text(&command::list(config, args.table, args.json).await?)
        }
        DeadLetterCommand::Retry(args) => release(&args, Action::Retry).await,
        DeadLetterCommand::Discard(DiscardArgs { release: args, yes }) => {
            if !yes {
                let config = SinkConfig::load(&args.config)?;
                output::text(&command::list(config, args.chosen().table, false).await?)?;
                if !confirmed(&format!("Lose the changes of {}?", args.chosen()))? {
                    return Ok(Outcome::Done);
                }
            }
            release(&args, Action::Discard).await
        }
    }
}

async fn release(args: &ReleaseArgs, action: Action) -> Result<Outcome> {
    let config = SinkConfig::load(&args.config)?;
    let Answer { released, refused, text } = command::ask(config, action, args.chosen()).await?;
    output::text(&format!("{text}released: {released}; still in quarantine: {refused}\n"))?;
    Ok(if refused == 0 { Outcome::Done } else { Outcome::Unfit })
}

/// Whether the person at the terminal agrees.
fn confirmed(question: &str) -> Result<bool> {
    let unreadable = |e| Error::new(Kind::Usage, "the answer cannot be read").caused_by(e);
    if !io::stdin().is_terminal() {
        return Err(Error::new(Kind::Usage, "nobody is there to confirm it").hint("add --yes to do it"));
    }
    let mut err = io::stderr();
    write!(err, "{question} [y/N] ").and_then(|()| err.flush()).map_err(unreadable)?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(unreadable)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
