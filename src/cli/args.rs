//! The command line: commands, options, help with examples.
//!
//! A test parses every example that the help shows.

use std::path::PathBuf;

use cdc_sdk::{Error, GtidSet, Kind, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};

pub(super) use offsets::{ExportArgs, ImportArgs, OffsetsCommand, ResetArgs, SetArgs, ShowArgs};

use super::pipeline::replay::ReplayFrom;
use crate::observe::{self, LogFormat};

/// Change data capture from MySQL to MySQL over Kafka: nothing lost, nothing half-applied.
#[derive(Debug, Parser)]
#[command(
    name = "cdc",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    after_help = "Examples:
  cdc check -c source.toml
  cdc source -c source.toml
  cdc sink -c sink.toml
  cdc status -c sink.toml --watch
  cdc explain E014

Exit codes: 0 done; 1 unfit; 2 wrong use or settings; 3 stopped, needs a person; 4 gave up, a restart may mend it."
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,

    #[command(flatten)]
    pub(super) logs: LogArgs,
}

/// How this process logs, to stderr.
#[derive(Args, Clone, Debug)]
pub(super) struct LogArgs {
    /// How log lines are written
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub(super) log_format: Format,

    /// What is logged: error, warn, info, debug, trace, or a filter such as info,rdkafka=debug
    #[arg(long, global = true, value_name = "LEVEL")]
    pub(super) log_level: Option<String>,
}

/// Log formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

impl From<Format> for LogFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Text => Self::Text,
            Format::Json => Self::Json,
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a source: MySQL's changes → Kafka
    #[command(after_help = "Examples:
  cdc source -c source.toml
  cdc source -c source.toml --until-caught-up
  cdc source -c /etc/cdc/source.toml --log-format json --log-level info

SIGTERM or Ctrl-C ends it after the batch under way; a second one ends it at once. Both are safe.")]
    Source(RunArgs),

    /// Run a sink: Kafka → a MySQL that follows the source, transaction by transaction
    #[command(after_help = "Examples:
  cdc sink -c sink.toml
  cdc sink -c sink.toml --until-caught-up
  cdc sink -c sink.toml --from-gtid '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77'
  cdc sink -c /etc/cdc/sink.toml --log-format json --log-level info,rdkafka=debug

SIGTERM or Ctrl-C ends it after the batch under way; a second one ends it at once. Both are safe.

--from-gtid is for the first start after the destination was restored from a backup of the source: SET is
the gtid_executed of that backup (mysqldump writes it as GTID_PURGED, xtrabackup to xtrabackup_binlog_info).
The sink then has a position, and is started without it. cdc offsets show --from-gtid shows where it would begin.")]
    Sink(SinkArgs),

    /// See what must be mended before a pipeline runs, each with the statement to run
    #[command(after_help = "Examples:
  cdc check -c source.toml
  cdc check -c sink.toml

Exits with 1 if something must be mended.")]
    Check(FileArgs),

    /// Ask a running pipeline for its position, lag, throughput and errors
    #[command(after_help = "Examples:
  cdc status -c source.toml
  cdc status -c sink.toml --watch
  cdc status -c sink.toml --json

The pipeline answers at the address of [http] listen in its settings.")]
    Status(StatusArgs),

    /// Read tables once more while a source streams; pause, resume, stop or show what is being read
    #[command(
        args_conflicts_with_subcommands = true,
        subcommand_negates_reqs = true,
        after_help = "Examples:
  cdc snapshot -c source.toml --tables shop.orders,crm.*
  cdc snapshot -c source.toml --tables shop.orders --where 'id > 1000 AND closed IS NULL'
  cdc snapshot -c source.toml --tables shop.orders --empty-first
  cdc snapshot -c sink.toml --for-me
  cdc snapshot pause -c source.toml
  cdc snapshot show -c source.toml

The command goes over the control topic to the source that runs, and waits until it is taken. The
tables are read in chunks while changes stream; their rows are upserts, so sinks stay equal to the source."
    )]
    Snapshot(SnapshotArgs),

    /// Set a sink's ledger back, so that events are applied again
    #[command(after_help = "Examples:
  cdc replay -c sink.toml --earliest --dry-run
  cdc replay -c sink.toml --from-offset shop.shop.orders:2:120034
  cdc replay -c sink.toml --from-timestamp 2026-01-31T22:00:00Z --yes
  cdc replay -c sink.toml --from-timestamp 1769896800000 --yes
  cdc replay -c sink.toml --from-gtid '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77' --yes
  cdc replay -c sink.toml --earliest --live --yes

It begins at the last whole cut before the place named. Rows are upserts, so the destination ends
in the state that it would have had without a replay; on the way it passes through older states.
The sink must be stopped, or --live given: what it has not committed is then rolled back, and it goes on
from the older place by itself.")]
    Replay(ReplayArgs),

    /// See, hand on and set the offsets that belong together
    #[command(subcommand)]
    Offsets(OffsetsCommand),

    /// Explain an error code; without one, list all
    #[command(after_help = "Examples:
  cdc explain E014
  cdc explain")]
    Explain(ExplainArgs),
}

impl Command {
    /// What is logged unless `--log-level` says: pipelines tell what they do, questions only answer.
    pub(super) const fn default_level(&self) -> &'static str {
        match self {
            Self::Source(_) | Self::Sink(_) => "info,rdkafka=warn,librdkafka=warn",
            Self::Check(_)
            | Self::Status(_)
            | Self::Snapshot(_)
            | Self::Replay(_)
            | Self::Offsets(_)
            | Self::Explain(_) => "warn,rdkafka=error,librdkafka=error",
        }
    }
}

/// Which settings.
#[derive(Args, Debug)]
pub(super) struct FileArgs {
    /// Settings, source.toml or sink.toml
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: PathBuf,
}

/// How a pipeline runs.
#[derive(Args, Debug)]
pub(super) struct RunArgs {
    /// Settings
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: PathBuf,

    /// Stop with 0 once all that was committed (source) or published (sink) at the start is through
    #[arg(long)]
    pub(super) until_caught_up: bool,
}

/// How a sink runs.
#[derive(Args, Debug)]
pub(super) struct SinkArgs {
    #[command(flatten)]
    pub(super) run: RunArgs,

    /// Begin at this backup of the source, which the destination was restored from
    #[arg(long, value_name = "SET", value_parser = parse_gtid_set)]
    pub(super) from_gtid: Option<GtidSet>,
}

/// How a status is shown.
#[derive(Args, Debug)]
pub(super) struct StatusArgs {
    /// Settings of the pipeline to ask, source.toml or sink.toml
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: PathBuf,

    /// As JSON
    #[arg(long)]
    pub(super) json: bool,

    /// Again every two seconds, until Ctrl-C
    #[arg(long)]
    pub(super) watch: bool,
}

/// What to read once more, or what else is told.
#[derive(Args, Debug)]
pub(super) struct SnapshotArgs {
    #[command(subcommand)]
    pub(super) verb: Option<SnapshotVerb>,

    /// Settings of the source; with --for-me of the sink
    #[arg(short, long, value_name = "FILE", required = true)]
    pub(super) config: Option<PathBuf>,

    /// Tables, as [capture] include names them; several by commas
    #[arg(long, value_name = "LIST", required_unless_present = "for_me")]
    pub(super) tables: Vec<String>,

    /// Of one table, only the rows for which this SQL expression holds
    #[arg(long = "where", value_name = "EXPRESSION", conflicts_with = "empty_first")]
    pub(super) condition: Option<String>,

    /// Sinks empty the tables first, so that rows go which the source does not have
    #[arg(long)]
    pub(super) empty_first: bool,

    /// All tables, for this sink alone, which must not be running: its tables are emptied, and filled anew
    #[arg(long, conflicts_with_all = ["tables", "condition", "empty_first"])]
    pub(super) for_me: bool,

    /// With --for-me: do it without asking
    #[arg(long, requires = "for_me")]
    pub(super) yes: bool,

    #[command(flatten)]
    pub(super) patience: SnapshotPatience,
}

/// How long to wait for the source.
#[derive(Args, Debug)]
pub(super) struct SnapshotPatience {
    /// How many seconds to wait until the source takes the command
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(super) wait: u64,
}

/// What else than to read.
#[derive(Debug, Subcommand)]
pub(super) enum SnapshotVerb {
    /// Begin no more chunks; changes go on
    #[command(after_help = "Examples:
  cdc snapshot pause -c source.toml
  cdc snapshot pause -c source.toml --wait 300")]
    Pause(SnapshotTarget),
    /// Go on after a pause
    #[command(after_help = "Examples:
  cdc snapshot resume -c source.toml")]
    Resume(SnapshotTarget),
    /// End the snapshots that were asked for; first snapshots go on
    #[command(after_help = "Examples:
  cdc snapshot stop -c source.toml")]
    Stop(SnapshotTarget),
    /// Show what is being read, and why; the source need not run
    #[command(after_help = "Examples:
  cdc snapshot show -c source.toml
  cdc snapshot show -c source.toml --json")]
    Show(SnapshotShow),
}

/// Which source, and how long to wait for it.
#[derive(Args, Debug)]
pub(super) struct SnapshotTarget {
    /// Settings of the source
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: PathBuf,

    #[command(flatten)]
    pub(super) patience: SnapshotPatience,
}

/// How a snapshot is shown.
#[derive(Args, Debug)]
pub(super) struct SnapshotShow {
    /// Settings of the source
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: PathBuf,

    /// As JSON, with every table
    #[arg(long)]
    pub(super) json: bool,
}

/// From where, and whether really.
#[derive(Args, Debug)]
pub(super) struct ReplayArgs {
    /// Settings of the sink
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: PathBuf,

    #[command(flatten)]
    pub(super) from: FromArgs,

    /// Also under a sink that runs: it stops where it is and goes on from the older place
    #[arg(long)]
    pub(super) live: bool,

    #[command(flatten)]
    pub(super) sure: SureArgs,
}

/// Whether a ledger is really set.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct SureArgs {
    /// Only say what would be done
    #[arg(long)]
    pub(super) dry_run: bool,

    /// Do it without asking
    #[arg(long)]
    pub(super) yes: bool,
}

/// Where a replay begins: exactly one of these.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(super) struct FromArgs {
    /// From the first event that Kafka has
    #[arg(long)]
    earliest: bool,

    /// From this record
    #[arg(long, value_name = "TOPIC:PARTITION:OFFSET", value_parser = parse_place)]
    from_offset: Option<ReplayFrom>,

    /// From this time of commit on the source: RFC 3339, or milliseconds since 1970
    #[arg(long, value_name = "TIME", value_parser = parse_timestamp)]
    from_timestamp: Option<ReplayFrom>,

    /// From what comes after this GTID set
    #[arg(long, value_name = "SET", value_parser = parse_gtids)]
    from_gtid: Option<ReplayFrom>,
}

impl FromArgs {
    /// The one that was given.
    pub(super) fn chosen(self) -> Result<ReplayFrom> {
        let earliest = self.earliest.then_some(ReplayFrom::Earliest);
        let given = [earliest, self.from_offset, self.from_timestamp, self.from_gtid];
        given.into_iter().flatten().next().ok_or_else(|| {
            Error::new(Kind::Usage, "a replay needs a place to begin").hint("cdc replay --help")
        })
    }
}

/// Which code.
#[derive(Args, Debug)]
pub(super) struct ExplainArgs {
    /// The code that an error shows, such as E014
    pub(super) code: Option<String>,
}

/// A topic's name has no colon, so the last two separate.
fn parse_place(text: &str) -> Result<ReplayFrom, String> {
    let mut parts = text.rsplitn(3, ':');
    let (offset, partition, topic) = (parts.next(), parts.next(), parts.next().unwrap_or_default());
    let offset: Option<i64> = offset.and_then(|o| o.parse().ok()).filter(|o| *o >= 0);
    let partition: Option<i32> = partition.and_then(|p| p.parse().ok()).filter(|p| *p >= 0);
    match (partition, offset) {
        (Some(partition), Some(offset)) if !topic.is_empty() => {
            Ok(ReplayFrom::Offset { topic: topic.to_owned(), partition, offset })
        }
        (Some(_) | None, _) => {
            Err("write TOPIC:PARTITION:OFFSET, such as shop.shop.orders:2:120034".to_owned())
        }
    }
}

fn parse_timestamp(text: &str) -> Result<ReplayFrom, String> {
    observe::parse_time(text)
        .and_then(|millis| millis.checked_mul(1000))
        .map(ReplayFrom::Timestamp)
        .ok_or_else(|| {
            "write 2026-01-31T22:00:00Z, with an offset such as +01:00, or milliseconds since 1970".to_owned()
        })
}

fn parse_gtids(text: &str) -> Result<ReplayFrom, String> {
    parse_gtid_set(text).map(ReplayFrom::Gtid)
}

/// A set; `mysqldump` writes a `+` before it, which tells the server to add it to what it has.
fn parse_gtid_set(text: &str) -> Result<GtidSet, String> {
    let set: GtidSet = text.strip_prefix('+').unwrap_or(text).parse().map_err(told)?;
    if set.is_empty() {
        return Err("the set is empty; --earliest begins before everything".to_owned());
    }
    Ok(set)
}

fn parse_cut(text: &str) -> Result<ReplayFrom, String> {
    text.parse().map(ReplayFrom::Cut).map_err(told)
}

fn told(error: Error) -> String {
    format!("{}; {}", error.what(), error.hint_text().unwrap_or_default())
}

mod offsets;

#[cfg(test)]
mod tests;
