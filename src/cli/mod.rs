//! What the user types → what is done → an exit code.
//!
//! | code | means |
//! |---|---|
//! | 0 | done |
//! | 1 | unfit: what must be mended is printed (`check`), or keys stay in quarantine (`dead-letter retry`) |
//! | 2 | wrong use or wrong settings |
//! | 3 | stopped, and needs a person |
//! | 4 | gave up on something that a restart may mend |
//!
//! Results go to stdout, logs and errors to stderr.

mod args;
mod authorities;
mod check;
mod confirm;
mod dead_letter;
mod explain;
mod offsets;
mod outcome;
mod output;
mod replay;
mod run;
mod snapshot;
mod status;

use std::process::ExitCode;
use std::time::Duration;

use cdc_sdk::{Error, Kind, Result};
use clap::Parser;
use tokio::runtime::{Builder, Runtime};

use args::{Cli, Command, RunArgs, SinkArgs};
use outcome::Outcome;

use crate::kafka;
use crate::observe::{self, ProgressLine};
use crate::pipeline;

/// How long threads that still work may take after the command has ended.
const SHUTDOWN_MAX: Duration = Duration::from_secs(2);

/// Parses the command line, does what it says, and returns the exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are "errors" too; they go to stdout with code 0.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let line = ProgressLine::on_stderr();
    let logs = cli.logs.clone();
    let result = start(cli, &line);
    line.clear();
    if let Err(error) = &result {
        output::report(error, logs.log_format.into());
    }
    ExitCode::from(outcome::exit_code(&result))
}

fn start(cli: Cli, line: &ProgressLine) -> Result<Outcome> {
    if let Command::Source(RunArgs { config, .. })
    | Command::Sink(SinkArgs { run: RunArgs { config, .. }, .. }) = &cli.command
    {
        authorities::spare(config);
    }
    let level = cli.logs.log_level.as_deref().unwrap_or(cli.command.default_level());
    observe::init_logs(cli.logs.log_format.into(), level, line)?;
    let runtime = runtime()?;
    let result = runtime.block_on(perform(cli.command, line));
    runtime.shutdown_timeout(SHUTDOWN_MAX);
    kafka::wait_until_closed();
    result
}

fn runtime() -> Result<Runtime> {
    Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::new(Kind::Bug, "the runtime cannot be started").caused_by(e))
}

async fn perform(command: Command, line: &ProgressLine) -> Result<Outcome> {
    match command {
        Command::Source(args) => run::source(&args, line).await,
        Command::Sink(args) => run::sink(&args, line).await,
        Command::Check(args) => check::run(&args.config).await,
        Command::Status(args) => status::run(&args).await,
        Command::Snapshot(args) => snapshot::run(args).await,
        Command::Replay(args) => replay::run(args).await,
        Command::Offsets(command) => offsets::run(command).await,
        Command::DeadLetter(wanted) => dead_letter::run(wanted).await,
        Command::Explain(args) => explain::run(args.code.as_deref()),
    }
}
