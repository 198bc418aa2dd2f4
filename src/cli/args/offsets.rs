//! `cdc offsets …`.

use std::path::PathBuf;

use cdc_sdk::{Error, Kind, Result};
use clap::{Args, Subcommand};

use super::{SureArgs, parse_cut, parse_gtids, parse_place, parse_timestamp};
use crate::pipeline::offsets::Of;
use crate::pipeline::replay::ReplayFrom;

/// What of the offsets.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum OffsetsCommand {
    /// Show the position and the offset of each partition that belong together
    #[command(after_help = "Examples:
  cdc offsets show -c sink.toml
  cdc offsets show -c sink.toml --cut 3.1024 --json
  cdc offsets show -c sink.toml --from-gtid '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77'")]
    Show(ShowArgs),

    /// Write them to a file: for a system that loads a snapshot and then subscribes
    #[command(after_help = "Examples:
  cdc offsets export -c sink.toml offsets.json
  cdc offsets export -c sink.toml offsets.json --from-gtid '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77'

The file has what cdc offsets show --json prints (version 1): the cut, the source's position after it, and for
each partition the offset of the next record. Who subscribes there has all up to the cut; records of that cut
and of earlier ones, named in their headers, may come again and are skipped.")]
    Export(ExportArgs),

    /// Set a sink's ledger to a file that was exported
    #[command(after_help = "Examples:
  cdc offsets import -c sink.toml offsets.json --dry-run
  cdc offsets import -c sink.toml offsets.json --yes

The cut in the file decides: its offsets are looked up again. The sink must be stopped.")]
    Import(ImportArgs),

    /// Set a sink's ledger to a place
    #[command(after_help = "Examples:
  cdc offsets set -c sink.toml --cut 3.1024 --dry-run
  cdc offsets set -c sink.toml --from-timestamp 2026-01-31T22:00:00Z --yes
  cdc offsets set -c sink.toml --cut 3.2048 --allow-skip --yes

Backward it is a replay. Forward it leaves changes out for good, which takes --allow-skip: it is right only
where the destination has them already. The sink must be stopped.")]
    Set(SetArgs),

    /// Make a sink's ledger as if it had never run: for a destination that was emptied or restored anew
    #[command(after_help = "Examples:
  cdc offsets reset -c sink.toml --dry-run
  cdc offsets reset -c sink.toml --yes

Where the destination still has its tables, use cdc replay --earliest instead: rows without a key would
be there twice. The sink must be stopped.")]
    Reset(ResetArgs),
}

/// Of what place: at most one of these; without one, where the ledger stands.
#[derive(Args, Debug)]
#[group(multiple = false)]
pub(in crate::cli) struct OfArgs {
    /// Those of this cut; without it, those of the ledger
    #[arg(long, value_name = "INCARNATION.SEQUENCE", value_parser = parse_cut)]
    cut: Option<ReplayFrom>,

    /// Those of the last cut whose transactions are all in this GTID set, such as that of a backup
    #[arg(long, value_name = "SET", value_parser = parse_gtids)]
    from_gtid: Option<ReplayFrom>,
}

impl OfArgs {
    /// The one that was given.
    pub(in crate::cli) fn chosen(self) -> Of {
        self.cut.or(self.from_gtid).map_or(Of::Ledger, Of::Place)
    }
}

/// Which offsets, and how.
#[derive(Args, Debug)]
pub(in crate::cli) struct ShowArgs {
    /// Settings of the sink
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) config: PathBuf,

    #[command(flatten)]
    pub(in crate::cli) of: OfArgs,

    /// As JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// Which offsets, and where to.
#[derive(Args, Debug)]
pub(in crate::cli) struct ExportArgs {
    /// Settings of the sink
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) config: PathBuf,

    #[command(flatten)]
    pub(in crate::cli) of: OfArgs,

    /// The file to write; one that is there is replaced
    #[arg(value_name = "FILE")]
    pub(in crate::cli) file: PathBuf,
}

/// From which file.
#[derive(Args, Debug)]
pub(in crate::cli) struct ImportArgs {
    /// Settings of the sink
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) config: PathBuf,

    /// The file that cdc offsets export wrote
    #[arg(value_name = "FILE")]
    pub(in crate::cli) file: PathBuf,

    /// Also forward: changes between are never applied
    #[arg(long)]
    pub(in crate::cli) allow_skip: bool,

    #[command(flatten)]
    pub(in crate::cli) sure: SureArgs,
}

/// To which place.
#[derive(Args, Debug)]
pub(in crate::cli) struct SetArgs {
    /// Settings of the sink
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) config: PathBuf,

    #[command(flatten)]
    pub(in crate::cli) to: ToArgs,

    /// Also forward: changes between are never applied
    #[arg(long)]
    pub(in crate::cli) allow_skip: bool,

    #[command(flatten)]
    pub(in crate::cli) sure: SureArgs,
}

/// The place: exactly one of these.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(in crate::cli) struct ToArgs {
    /// To this cut
    #[arg(long, value_name = "INCARNATION.SEQUENCE", value_parser = parse_cut)]
    cut: Option<ReplayFrom>,

    /// To the last whole cut before this record
    #[arg(long, value_name = "TOPIC:PARTITION:OFFSET", value_parser = parse_place)]
    from_offset: Option<ReplayFrom>,

    /// To the last cut committed on the source before this time: RFC 3339, or milliseconds since 1970
    #[arg(long, value_name = "TIME", value_parser = parse_timestamp)]
    from_timestamp: Option<ReplayFrom>,

    /// To the last cut whose transactions are all in this GTID set
    #[arg(long, value_name = "SET", value_parser = parse_gtids)]
    from_gtid: Option<ReplayFrom>,
}

impl ToArgs {
    /// The one that was given.
    pub(in crate::cli) fn chosen(self) -> Result<ReplayFrom> {
        let given = [self.cut, self.from_offset, self.from_timestamp, self.from_gtid];
        given.into_iter().flatten().next().ok_or_else(|| {
            Error::new(Kind::Usage, "offsets are set to a place").hint("cdc offsets set --help")
        })
    }
}

/// Of which sink.
#[derive(Args, Debug)]
pub(in crate::cli) struct ResetArgs {
    /// Settings of the sink
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) config: PathBuf,

    #[command(flatten)]
    pub(in crate::cli) sure: SureArgs,
}
