//! `cdc replay`: asks before it sets the ledger back.

use cdc_sdk::Result;

use super::args::ReplayArgs;
use super::confirm;
use super::outcome::Outcome;
use super::pipeline;
use crate::config::SinkConfig;

/// Says what a replay would do; does it once it is sure.
pub(super) async fn run(args: ReplayArgs) -> Result<Outcome> {
    let config = SinkConfig::load(&args.config)?;
    let from = args.from.chosen()?;
    let live = args.live;
    confirm::then(args.sure, confirm::SET_LEDGER, async |dry_run| {
        pipeline::replay::run(&config, &from, dry_run, live).await
    })
    .await
}
