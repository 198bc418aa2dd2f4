//! `cdc sink --from-gtid`: the destination was restored from a backup of the source,
//! and the sink begins where that backup stands.
//!
//! The ledger is set to the last cut within the backup's GTID set. What follows it
//! brings again some of what the backup has, up to the first cut that has all of the
//! set: until then replay's rules hold, and the ledger remembers the set.

use cdc_mysql_sink::{self as mysql, LedgerAdmin, Move, Running};
use cdc_sdk::{GtidSet, Result};

use super::cut_search;
use super::cut_writer::OwnTopics;
use super::fitness::Fitness;
use super::ledger_move;
use super::offset_file::OffsetFile;
use super::settings;
use crate::config::SinkConfig;

/// Sets the ledger, and says to what.
pub async fn run(config: &SinkConfig, held: &GtidSet) -> Result<String> {
    ledger_move::refuse_by_key(config, "--from-gtid")?;
    let settings = settings::sink(config);
    Fitness::default().refuse_unfit(&mysql::check(&settings).await?)?;
    let kafka = settings::kafka(&config.kafka);
    let topics = OwnTopics::of(&config.topic_prefix);
    let (found, backup) = tokio::task::block_in_place(|| cut_search::fit(&kafka, &topics, held))?;
    let (base, until) = (found.cut.id, backup.until);
    let mark = ledger_move::reachable(config, Some(found)).await?;
    let of = format!("ledger of '{}', from the backup at {held}", config.name);
    let file = OffsetFile::new(&config.topic_prefix, of, &mark);
    let reason = format!("cdc sink from the backup at {held}");
    LedgerAdmin::set(&settings, &Move::Begin(mark, backup), Running::Refused, &reason).await?;
    let then = if until > base {
        format!(
            "the backup has some of what follows that cut: it is applied again, and from cut {until} on \
             the destination is a state of the source\n"
        )
    } else {
        String::new()
    };
    Ok(file.table() + &then)
}
