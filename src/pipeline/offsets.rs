//! `cdc offsets`: the map (topic, partition) → offset of the ledger, or of a cut:
//! shown, exported for another system, imported, and set by hand.

use std::path::Path;

use cdc_mysql_sink::{LedgerAdmin, Mark, Running};
use cdc_sdk::{Error, Kind, Result};

use super::cut_search::{Found, map_of, places_of};
use super::gather::position_text;
use super::ledger_move::{self, Manner};
use super::offset_file::OffsetFile;
use super::replay::{ReplayFrom, of_cut, search};
use super::{reach, settings};
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
    let (of, mut mark) = match of {
        Of::Ledger => {
            let progress = LedgerAdmin::read(&settings::sink(config)).await?;
            let progress = progress.ok_or_else(|| ledger_move::never_ran(config))?;
            let mut mark = Mark::from(progress);
            // What is no place: see `filling`.
            mark.places.retain(|place| place.partition >= 0);
            (format!("ledger of '{}'", config.name), mark)
        }
        Of::Place(place) => {
            let found = search(config, place).await?;
            let found = found.ok_or_else(before_the_first)?;
            (format!("cut {}", found.cut.id), found.mark())
        }
    };
    let mut map = map_of(&mark.places);
    if within_reach {
        reach::check(config, mark.cuts_offset, &mut map).await?;
    }
    reach::complete(config, &mut map).await?;
    mark.places = places_of(&map);
    Ok(OffsetFile::new(&config.topic_prefix, of, &mark))
}

fn before_the_first() -> Error {
    Error::new(Kind::BadPosition, "that place is before the first cut")
        .hint("there all partitions begin at their first record")
}
