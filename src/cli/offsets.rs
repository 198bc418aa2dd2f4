//! `cdc offsets`: shows and hands on; asks before it sets a ledger.

use cdc_sdk::Result;

use super::args::{ExportArgs, ImportArgs, OffsetsCommand, ResetArgs, SetArgs, ShowArgs};
use super::outcome::Outcome;
use super::pipeline::offsets;
use super::{confirm, output};
use crate::config::SinkConfig;

/// Does what the subcommand says.
pub(super) async fn run(command: OffsetsCommand) -> Result<Outcome> {
    match command {
        OffsetsCommand::Show(ShowArgs { config, of, json }) => {
            output::text(&offsets::show(&SinkConfig::load(&config)?, &of.chosen(), json).await?)
        }
        OffsetsCommand::Export(ExportArgs { config, of, file }) => {
            output::text(&offsets::export(&SinkConfig::load(&config)?, &of.chosen(), &file).await?)
        }
        OffsetsCommand::Import(ImportArgs { config, file, allow_skip, sure }) => {
            let config = SinkConfig::load(&config)?;
            confirm::then(sure, confirm::SET_LEDGER, async |dry_run| {
                offsets::import(&config, &file, dry_run, allow_skip).await
            })
            .await
        }
        OffsetsCommand::Set(SetArgs { config, to, allow_skip, sure }) => {
            let (config, to) = (SinkConfig::load(&config)?, to.chosen()?);
            confirm::then(sure, confirm::SET_LEDGER, async |dry_run| {
                offsets::set(&config, &to, dry_run, allow_skip).await
            })
            .await
        }
        OffsetsCommand::Reset(ResetArgs { config, sure }) => {
            let config = SinkConfig::load(&config)?;
            confirm::then(sure, confirm::SET_LEDGER, async |dry_run| offsets::reset(&config, dry_run).await)
                .await
        }
    }
}
