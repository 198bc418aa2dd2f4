//! Sets a ledger to a cut: what would be done, whether it may be, and doing it.

use cdc_mysql_sink::{LedgerAdmin, Mark, Move, Progress, Running};
use cdc_sdk::{CutId, Error, Kind, Result};

use super::cut_search::{self, Found, Map};
use super::cut_writer::OwnTopics;
use super::{filling, reach, settings};
use crate::config::{Consistency, SinkConfig};

/// How a move is to be done.
#[derive(Clone, Debug)]
pub struct Manner {
    /// Only say what would be done.
    pub dry_run: bool,
    /// Also forward, over changes that are then never applied.
    pub allow_skip: bool,
    /// What is done about a sink that runs.
    pub running: Running,
    /// What the audit says.
    pub reason: String,
}

/// Refuses what needs a ledger of whole cuts where the settings want one by partition.
///
/// # Errors
/// [`Kind::Settings`].
pub fn refuse_by_key(config: &SinkConfig, what: &str) -> Result<()> {
    match config.apply.consistency {
        Consistency::Transaction => Ok(()),
        Consistency::Key => Err(Error::new(
            Kind::Settings,
            format!("{what} is not for sinks with consistency = \"key\""),
        )
        .detail("it sets the ledger to one cut, and theirs has one for each partition")
        .hint(
            "stop the sinks of this name, set consistency = \"transaction\", do it, run one sink until it is \
                     through (cdc status), then set consistency = \"key\" again",
        )),
    }
}

/// Sets the ledger to a cut, or with `None` before the first, as far as the manner allows.
pub async fn run(config: &SinkConfig, to: Option<Found>, manner: &Manner) -> Result<String> {
    refuse_by_key(config, "setting a ledger")?;
    let settings = settings::sink(config);
    let before = LedgerAdmin::read_any(&settings).await?;
    if before
        .as_ref()
        .is_some_and(|b| filling::is_being_filled(&config.topic_prefix, &config.name, &b.places))
    {
        return Err(being_filled(config));
    }
    let now = before.as_ref().and_then(|b| b.cut);
    let wanted = to.as_ref().map(|f| f.cut.id);
    let skips = wanted > now && brings_any(config, before.as_ref(), to.as_ref())?;
    if skips && !manner.allow_skip {
        return Err(refused_to_skip(wanted, now));
    }
    let mark = reachable(config, to).await?;
    let mut report = format!("ledger of '{}'\n  now: {}\n", config.name, now_text(before.as_ref()));
    report += &format!("  to:  {}\n", at(mark.cut, &mark.position));
    if skips {
        report += "changes between the two are never applied at this destination\n";
    }
    if manner.dry_run {
        return Ok(report + "nothing was changed (dry run)\n");
    }
    let high_water = before.and_then(|b| b.high_water).max(mark.cut);
    let moved = Move::To(mark);
    let fenced = LedgerAdmin::set(&settings, &moved, manner.running, &manner.reason).await?;
    Ok(report + &done(fenced, wanted < high_water))
}

/// Whether there is anything to apply between the ledger and a later cut: with an idle source there are cuts all
/// the same.
fn brings_any(config: &SinkConfig, before: Option<&Progress>, to: Option<&Found>) -> Result<bool> {
    let Some(to) = to else { return Ok(false) };
    let (kafka, topics) = (settings::kafka(&config.kafka), OwnTopics::of(&config.topic_prefix));
    let part = (before.map_or(0, |b| b.cuts_offset), to.cuts_offset);
    let concerns = |topic: &str| reach::concerns(config, topic);
    tokio::task::block_in_place(|| cut_search::brings_any(&kafka, &topics, part, concerns))
}

/// The mark of a cut, once it is known that Kafka has what follows it.
pub async fn reachable(config: &SinkConfig, to: Option<Found>) -> Result<Mark> {
    let Some(mut found) = to else {
        reach::check(config, 0, &mut Map::new()).await?;
        return Ok(Mark::default());
    };
    reach::check(config, found.cuts_offset, &mut found.map).await?;
    Ok(found.mark())
}

/// Makes the ledger as if the sink had never run.
pub async fn forget(config: &SinkConfig, dry_run: bool) -> Result<String> {
    let settings = settings::sink(config);
    let before = LedgerAdmin::read_any(&settings).await?.ok_or_else(|| never_ran(config))?;
    let report = format!(
        "ledger of '{}'\n  now: {}\n  to:  nothing, as if the sink had never run\n",
        config.name,
        now_text(Some(&before))
    );
    if dry_run {
        return Ok(report + "nothing was changed (dry run)\n");
    }
    LedgerAdmin::set(&settings, &Move::Forget, Running::Refused, "cdc offsets reset").await?;
    Ok(report
        + "done, and the audit has a row of it. The sink begins anew: with the first event (cdc sink), \
           or at a backup (cdc sink --from-gtid)\n")
}

fn being_filled(config: &SinkConfig) -> Error {
    Error::new(Kind::BadPosition, format!("sink '{}' is being filled by a snapshot of its own", config.name))
        .hint(
            "run it until that is through (cdc status), then set its ledger; where that snapshot was stopped or given up, ask \
             for another one: cdc snapshot -c FILE --for-me",
        )
}

/// What is said of a destination without a ledger of this sink.
pub fn never_ran(config: &SinkConfig) -> Error {
    Error::new(Kind::LedgerMismatch, format!("the destination has no ledger of a sink '{}'", config.name))
        .hint(
            "compare name, and ledger_database, with the settings of the sink that you mean; one that never ran begins \
             at the first cut by itself: cdc sink -c …",
        )
}

fn done(fenced: Option<String>, converges: bool) -> String {
    let mut text = "the ledger is set, and the audit has a row of it\n".to_owned();
    text += &match fenced {
        Some(who) => format!(
            "the sink that runs ({who}) can commit no more from where it was: \
             within seconds it goes on from here\n"
        ),
        None => "start the sink to go on from here\n".to_owned(),
    };
    if converges {
        text += "until it is past where it stood, the destination passes through older states\n";
    }
    text
}

fn now_text(before: Option<&Progress>) -> String {
    before.map_or_else(|| "the sink has never run".to_owned(), |b| at(b.cut, &b.position))
}

fn at(cut: Option<CutId>, position: &str) -> String {
    match cut {
        Some(cut) => format!("cut {cut} at {position}"),
        None => "before the first cut".to_owned(),
    }
}

fn refused_to_skip(to: Option<CutId>, now: Option<CutId>) -> Error {
    let cut =
        |cut: Option<CutId>| cut.map_or_else(|| "before the first cut".to_owned(), |c| format!("cut {c}"));
    Error::new(Kind::BadPosition, format!("{} is ahead of the ledger, which stands at {}", cut(to), cut(now)))
        .detail("changes between the two would never be applied")
        .hint(
            "a destination restored from a backup of the source begins by cdc sink --from-gtid; \
             if the destination has these changes already: cdc offsets set … --allow-skip",
        )
}
