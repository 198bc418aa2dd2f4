//! `cdc dead-letter`.

use std::path::PathBuf;

use cdc_mysql_sink::Chosen;
use cdc_sdk::TableName;
use cdc_sdk::pattern::Pattern;
use clap::{Args, Subcommand};

/// What to do with dead letters.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum DeadLetterCommand {
    /// Show the keys in quarantine: why, since when, and how many changes wait
    #[command(after_help = "Examples:
  cdc dead-letter list -c sink.toml
  cdc dead-letter list -c sink.toml --table shop.orders --json")]
    List(ListArgs),

    /// Apply what waits, and release the keys for which that works
    #[command(after_help = "Examples:
  cdc dead-letter retry -c sink.toml --all
  cdc dead-letter retry -c sink.toml --table shop.orders
  cdc dead-letter retry -c sink.toml --table shop.orders --key 'id=17'

Mend the cause first: widen the column, or remove the row that is in the way. A running sink does it between two
batches; where none runs, this command does. Exits with 1 if keys stay in quarantine.")]
    Retry(ReleaseArgs),

    /// Release keys without what waits: those changes are lost at the destination
    #[command(after_help = "Examples:
  cdc dead-letter discard -c sink.toml --table shop.orders --key 'id=17'
  cdc dead-letter discard -c sink.toml --all --yes

The row stays as it is until the next change of its key. What is lost is shown, and stands in the ledger's audit.")]
    Discard(DiscardArgs),
}

/// Which keys are shown.
#[derive(Args, Debug)]
pub(in crate::cli) struct ListArgs {
    /// Settings of the sink
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) config: PathBuf,

    /// Only those of this table of the source
    #[arg(long, value_name = "DATABASE.TABLE", value_parser = parse_table)]
    pub(in crate::cli) table: Option<TableName>,

    /// As JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// Which keys are released.
#[derive(Args, Debug)]
pub(in crate::cli) struct ReleaseArgs {
    /// Settings of the sink
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) config: PathBuf,

    #[command(flatten)]
    keys: KeysArgs,
}

/// Which keys are given up.
#[derive(Args, Debug)]
pub(in crate::cli) struct DiscardArgs {
    #[command(flatten)]
    pub(in crate::cli) release: ReleaseArgs,

    /// Do it without asking
    #[arg(long)]
    pub(in crate::cli) yes: bool,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
struct KeysArgs {
    /// All keys
    #[arg(long, conflicts_with_all = ["table", "key"])]
    all: bool,

    /// Those of this table of the source
    #[arg(long, value_name = "DATABASE.TABLE", value_parser = parse_table)]
    table: Option<TableName>,

    /// This key, as the list shows it
    #[arg(long)]
    key: Option<String>,
}

impl ReleaseArgs {
    /// The keys that are meant.
    pub(in crate::cli) fn chosen(&self) -> Chosen {
        Chosen { table: self.keys.table.clone(), key: self.keys.key.clone() }
    }
}

fn parse_table(text: &str) -> Result<TableName, String> {
    let pattern = Pattern::parse(text).map_err(|e| e.what().to_owned())?;
    pattern.exact().ok_or_else(|| "write DATABASE.TABLE without wildcards, such as shop.orders".to_owned())
}
