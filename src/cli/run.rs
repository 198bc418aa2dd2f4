//! `cdc source` and `cdc sink`: a pipeline, watched, until it ends.

use cdc_sdk::Result;

use super::args::{RunArgs, SinkArgs};
use super::outcome::Outcome;
use super::output;
use super::pipeline::{self, RunOptions};
use crate::config::{SinkConfig, SourceConfig};
use crate::observe::{ProgressLine, SinkView, SourceView, State, Stop, Watch};

/// Runs a source.
pub(super) async fn source(args: &RunArgs, line: &ProgressLine) -> Result<Outcome> {
    let config = SourceConfig::load(&args.config)?;
    let stop = Stop::on_signals()?;
    let view = SourceView::new(&config.name);
    let watch = Watch::start(view.view(), config.http, line).await?;
    let ended = pipeline::source::run(config, options(args), stop, view.clone()).await;
    view.state(State::Stopped);
    watch.end();
    ended.map(|()| Outcome::Done)
}

/// Runs a sink; first sets its ledger to the backup that the destination was restored from, if there is one.
pub(super) async fn sink(args: &SinkArgs, line: &ProgressLine) -> Result<Outcome> {
    let config = SinkConfig::load(&args.run.config)?;
    if let Some(held) = &args.from_gtid {
        output::text(&pipeline::bootstrap::run(&config, held).await?)?;
    }
    let stop = Stop::on_signals()?;
    let view = SinkView::new(&config.name);
    let watch = Watch::start(view.view(), config.http, line).await?;
    let ended = pipeline::sink::run(config, options(&args.run), stop, view.clone()).await;
    view.state(State::Stopped);
    watch.end();
    ended.map(|()| Outcome::Done)
}

fn options(args: &RunArgs) -> RunOptions {
    RunOptions { until_caught_up: args.until_caught_up }
}
