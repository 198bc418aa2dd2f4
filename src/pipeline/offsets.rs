//! `cdc offsets`: the map (topic, partition) → offset of the ledger, or of a cut:
//! shown, exported for another system, imported, and set by hand.

use std::path::Path;

use cdc_mysql_sink::{self as mysql, DeadLetterDesk, LedgerAdmin, Mark, Progress, Quarantine, Running};
use cdc_sdk::{Error, Kind, Result};

use super::cut_search::{Found, map_of, places_of};
use super::cut_writer::OwnTopics;
use super::gather::position_text;
use super::ledger_move::{self, Manner};
use super::offset_file::OffsetFile;
use super::replay::{ReplayFrom, of_cut, search};
use super::{filling, holes, reach, settings};
use crate::config::SinkConfig;

pub use super::ledger_move::forget as reset;

/// What is shown.
#[derive(Clone, Debug, PartialEq)]
pub enum Of {
    /// The ledger.
    Ledger,
    /// The cut of that place.
    Place(ReplayFrom),
}

/// Prints the map.
pub async fn show(config: &SinkConfig, of: &Of, as_json: bool) -> Result<String> {
    let file = file(config, of, false).await?;
    if as_json { file.json() } else { Ok(file.table()) }
}

/// Writes the map to a file, once it is known that Kafka has what follows it.
pub async fn export(config: &SinkConfig, of: &Of, path: &Path) -> Result<String> {
    let file = file(config, of, true).await?;
    if let Some(why) = &file.no_state {
        return Err(Error::new(Kind::BadPosition, "what the destination holds now is no state of the source")
            .detail(format!("{why}: who loads a copy of it and subscribes at these offsets would never be equal"))
            .hint(
                "export when it is one again (cdc offsets show says so), with a copy taken then; or load a backup of the \
                 source and export what follows that: --from-gtid",
            ));
    }
    file.write(path)?;
    let cut = file.cut.map_or_else(|| "before the first cut".to_owned(), |c| format!("of cut {c}"));
    Ok(format!("{}: offsets {cut}, position {}\n", path.display(), file.position))
}

/// Sets the ledger to the cut of a place.
pub async fn set(config: &SinkConfig, to: &ReplayFrom, dry_run: bool, allow_skip: bool) -> Result<String> {
    let found = search(config, to).await?;
    let reason = format!("cdc offsets set to {to:?}");
    ledger_move::run(config, found, &manner(dry_run, allow_skip, reason)).await
}

/// Sets the ledger to the cut of a file. The offsets are looked up again for that cut.
pub async fn import(config: &SinkConfig, path: &Path, dry_run: bool, allow_skip: bool) -> Result<String> {
    let file = OffsetFile::read(path)?;
    if file.topic_prefix != config.topic_prefix {
        let what = format!("{} is of topic prefix '{}'", path.display(), file.topic_prefix);
        return Err(Error::new(Kind::LedgerMismatch, what)
            .hint(format!("the sink follows '{}': use an export of that prefix", config.topic_prefix)));
    }
    if let Some(why) = &file.no_state {
        let what = format!("{} belongs to a destination that was no state of the source", path.display());
        return Err(Error::new(Kind::BadPosition, what)
            .detail(why.clone())
            .hint("export again, with a copy of the destination taken then: cdc offsets export"));
    }
    let found = match file.cut {
        Some(cut) => Some(tokio::task::block_in_place(|| of_cut(config, cut))?),
        None => None,
    };
    if let Some(found) = &found {
        same(&file, found)?;
    }
    let reason = format!("cdc offsets import, {}", file.of);
    ledger_move::run(config, found, &manner(dry_run, allow_skip, reason)).await
}

fn manner(dry_run: bool, allow_skip: bool, reason: String) -> Manner {
    Manner { dry_run, allow_skip, running: Running::Refused, reason }
}

/// Refuses a file whose cut is another one under the same number.
fn same(file: &OffsetFile, found: &Found) -> Result<()> {
    let position = position_text(&found.cut.position);
    if file.cuts_offset == found.cuts_offset && file.position == position {
        return Ok(());
    }
    Err(Error::new(
        Kind::BadPosition,
        format!("the file and the cuts topic disagree on cut {}", found.cut.id),
    )
    .detail(format!(
        "file: offset {} at {}; topic: offset {} at {position}",
        file.cuts_offset, file.position, found.cuts_offset
    ))
    .hint("the file was edited, or comes from other topics of the same name: export it anew"))
}

async fn file(config: &SinkConfig, of: &Of, within_reach: bool) -> Result<OffsetFile> {
    let (of, mut mark, no_state) = match of {
        Of::Ledger => {
            let settings = settings::sink(config);
            let progress = LedgerAdmin::read(&settings).await?;
            let progress = progress.ok_or_else(|| ledger_move::never_ran(config))?;
            let no_state =
                no_state((&config.topic_prefix, &config.name), &progress, &quarantine(&settings).await?);
            (format!("ledger of '{}'", config.name), Mark::from(progress), no_state)
        }
        Of::Place(place) => {
            let found = search(config, place).await?;
            let found = found.ok_or_else(before_the_first)?;
            (format!("cut {}", found.cut.id), found.mark(), None)
        }
    };
    // Neither what is no place (see `filling`), nor rows that were read for one sink.
    mark.places.retain(|place| place.partition >= 0 && reach::concerns(config, &place.topic));
    let mut map = map_of(&mark.places);
    if within_reach {
        reach::check(config, mark.cuts_offset, &mut map).await?;
    }
    reach::complete(config, &mut map).await?;
    mark.places = places_of(&map);
    let mut file = OffsetFile::new(&config.topic_prefix, of, &mark);
    file.no_state = no_state;
    Ok(file)
}

async fn quarantine(settings: &mysql::Settings) -> Result<Quarantine> {
    let mut desk = DeadLetterDesk::open(settings).await?;
    let quarantine = desk.quarantine().await;
    desk.close().await;
    quarantine
}

/// Why what the destination holds at the ledger's cut is no state of the source; `None` where it is one. A ledger without a
/// cut has an empty destination, which is one, too.
fn no_state((prefix, sink): (&str, &str), progress: &Progress, quarantine: &Quarantine) -> Option<String> {
    if filling::is_being_filled(prefix, sink, &progress.places) {
        return Some("it is being filled by a snapshot of its own".to_owned());
    }
    if let Some(backup) = &progress.backup {
        return Some(format!(
            "it was restored from a backup, which has some of what comes up to cut {}",
            backup.until
        ));
    }
    if let Some(until) = progress.high_water.filter(|_| progress.converging()) {
        return Some(format!("a replay goes over what it has, up to cut {until}"));
    }
    if holes::are_open_at(&OwnTopics::of(prefix).cuts, &progress.places) {
        return Some("it converges over events that compaction took".to_owned());
    }
    if !quarantine.is_empty() {
        let tables: Vec<String> = quarantine.by_table().keys().map(ToString::to_string).collect();
        return Some(format!("{} keys are in quarantine, of {}", quarantine.count(), tables.join(", ")));
    }
    let begun = !progress.is_fresh() && !progress.snapshot_complete;
    begun.then(|| "the source's tables have not all been read yet".to_owned())
}

fn before_the_first() -> Error {
    Error::new(Kind::BadPosition, "that place is before the first cut")
        .hint("there all partitions begin at their first record")
}

#[cfg(test)]
mod tests;
