//! From one consistency to the other.
//!
//! A ledger of whole cuts says where every partition stands at one cut, which is a place to begin
//! from for each of them: it is taken over in one transaction, which raises its epoch, so that no sink of whole
//! cuts can commit after. The other way round there is no cut at which all partitions stand. So
//! that is refused, but for a move to a place before all of them (`cdc replay --earliest`): from there on a
//! sink of whole cuts converges, up to the highest cut that any partition has seen.

use cdc_sdk::{CutId, Error, Kind, Result};

use super::batch::Standing;
use super::places;
use crate::apply::text;
use crate::ledger::{self, BY_KEY_VERSION, Ledger, Progress};
use crate::session::{Refusal, Session, holder, lock_name};
use crate::settings::Settings;

/// How long to wait for another sink of the name that makes the ledger at this moment.
const ANOTHER_SECONDS_MAX: u32 = 5;

/// Makes sure that the ledger is one by partition. Returns the cut up to which a partition without a row
/// counts as applied.
///
/// # Errors
/// [`Kind::Conflict`] while a sink of whole cuts runs; [`Kind::LedgerMismatch`] for a ledger that cannot be
/// taken over, or one that follows another prefix.
pub(super) async fn enter(
    ledger: &Ledger,
    session: &mut Session,
    settings: &Settings,
) -> Result<Option<CutId>> {
    if let Some(base) = base(ledger, session, settings, "").await? {
        return Ok(base);
    }
    let lock = text(&lock_name(&ledger.name));
    let got: Option<u8> = session
        .row(&format!("SELECT COALESCE(GET_LOCK({lock}, {ANOTHER_SECONDS_MAX}), 0)"))
        .await
        .map_err(unmade(ledger))?;
    if got != Some(1) {
        let who = holder(session, &lock_name(&ledger.name)).await?;
        return Err(runs(ledger, who.as_deref().unwrap_or("a connection that just ended")));
    }
    session.command("START TRANSACTION").await.map_err(unmade(ledger))?;
    let made = make(ledger, session, settings).await;
    let end = if made.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = session.command(end).await.map_err(unmade(ledger));
    let freed = session.command(&format!("DO RELEASE_LOCK({lock})")).await.map_err(unmade(ledger));
    made?;
    ended.and(freed)?;
    base(ledger, session, settings, "").await?.ok_or_else(|| ledger.moved())
}

/// The cut that partitions begin behind; `None` where the ledger is not one by partition.
pub(super) async fn base(
    ledger: &Ledger,
    session: &mut Session,
    settings: &Settings,
    tail: &str,
) -> Result<Option<Option<CutId>>> {
    type Head = (u32, String, Option<u64>, Option<u64>);
    let sql = format!(
        "SELECT format_version, topic_prefix, incarnation, sequence FROM {} WHERE name = {}{tail}",
        ledger.table("ledger"),
        text(&ledger.name)
    );
    let head: Option<Head> = session.row(&sql).await.map_err(unmade(ledger))?;
    let Some((version, prefix, incarnation, sequence)) = head else { return Ok(None) };
    if version != BY_KEY_VERSION {
        return Ok(None);
    }
    if prefix != settings.topic_prefix {
        let found = Progress { topic_prefix: prefix, ..Progress::default() };
        return Err(ledger::other_prefix(ledger, &found, &settings.topic_prefix));
    }
    Ok(Some(incarnation.zip(sequence).map(|(incarnation, sequence)| CutId { incarnation, sequence })))
}

async fn make(ledger: &Ledger, session: &mut Session, settings: &Settings) -> Result<()> {
    let Some(found) = ledger.read_any(session, true).await? else {
        let sql = format!(
            "INSERT INTO {} (name, format_version, topic_prefix, epoch, cuts_offset, position, committed_at_us, \
             snapshot_complete) VALUES ({}, {BY_KEY_VERSION}, {}, 1, 0, '', 0, 0)",
            ledger.table("ledger"),
            text(&ledger.name),
            text(&settings.topic_prefix)
        );
        return session.command(&sql).await.map(drop).map_err(unmade(ledger));
    };
    if found.by_key {
        return Ok(());
    }
    if found.topic_prefix != settings.topic_prefix {
        return Err(ledger::other_prefix(ledger, &found, &settings.topic_prefix));
    }
    let waits = !ledger::quarantine::read(ledger, session).await?.is_empty();
    refuse_unfit(ledger, &found, waits)?;
    tracing::info!(cut = ?found.cut, "the ledger of whole cuts is taken over, partition by partition");
    for sql in take_over(ledger, &found) {
        session.command(&sql).await.map_err(unmade(ledger))?;
    }
    Ok(())
}

fn take_over(ledger: &Ledger, found: &Progress) -> Vec<String> {
    let rows: Vec<String> = found
        .places
        .iter()
        .filter(|((_, number), _)| *number >= 0)
        .map(|(partition, offset)| {
            let standing = match found.cut {
                Some(cut) => Standing::behind(cut, *offset, found.committed_us),
                None => Standing { next_offset: *offset, ..Standing::default() },
            };
            places::row_sql(ledger, partition, &standing)
        })
        .collect();
    let update = format!(
        "UPDATE {} SET format_version = {BY_KEY_VERSION}, epoch = epoch + 1 WHERE name = {}",
        ledger.table("ledger"),
        text(&ledger.name)
    );
    let forget = format!("DELETE FROM {} WHERE name = {}", ledger.table("ledger_places"), text(&ledger.name));
    let cut = found.cut.map_or_else(|| "before the first".to_owned(), |cut| cut.to_string());
    let audit = format!(
        "INSERT INTO {} (name, account, from_cut, to_cut, from_position, reason, program) \
         VALUES ({}, USER(), {cut}, {cut}, {}, 'taken over by consistency = \"key\"', {})",
        ledger.table("ledger_audit"),
        text(&ledger.name),
        text(&found.position),
        text(concat!("cdc ", env!("CARGO_PKG_VERSION"))),
        cut = text(&cut),
    );
    let insert = (!rows.is_empty()).then(|| places::insert_sql(ledger, &rows));
    [Some(places::forget_sql(ledger)), insert, Some(update), Some(forget), Some(audit)]
        .into_iter()
        .flatten()
        .collect()
}

/// What a ledger of whole cuts may hold that means nothing partition by partition.
fn refuse_unfit(ledger: &Ledger, found: &Progress, waits: bool) -> Result<()> {
    const NOT_YET: i64 = 0;
    let filling = !found.snapshot_complete
        && found.places.iter().any(|((_, number), value)| *number < 0 && *value == NOT_YET);
    let why = if found.backup.is_some() {
        "it is not past the backup that it began at"
    } else if found.converging() {
        "a replay is under way"
    } else if filling {
        "a snapshot of its own is under way"
    } else if waits {
        "keys are in quarantine"
    } else {
        return Ok(());
    };
    Err(Error::new(
        Kind::LedgerMismatch,
        format!("the ledger of sink '{}' cannot go over to consistency = \"key\" now", ledger.name),
    )
    .detail(why)
    .hint(
        "run it with consistency = \"transaction\" until that is through (cdc status, cdc dead-letter list)",
    ))
}

/// What a ledger by partition says to whoever wants whole cuts.
pub(crate) fn refused(ledger: &Ledger) -> Error {
    Error::new(
        Kind::LedgerMismatch,
        format!("the ledger of sink '{}' is kept by partition (consistency = \"key\")", ledger.name),
    )
    .detail("its partitions stand at different cuts, so it is at none")
    .hint(
        "set consistency = \"key\"; or, to go over to \"transaction\": stop its sinks, set consistency = \
         \"transaction\", then cdc replay --earliest; or empty the destination, then cdc offsets reset",
    )
}

/// What the ledger says of a sink by partition, for a move: the highest cut that any of its partitions has seen.
///
/// # Errors
/// [`Kind::LedgerMismatch`] where rows without a key were applied: `forgets` tells that they will be gone.
pub(crate) async fn summary(ledger: &Ledger, session: &mut Session, forgets: bool) -> Result<Option<CutId>> {
    let read = places::summary(ledger, session).await;
    let (highest, keyless) = read.map_err(places::unusable(ledger))?;
    if keyless && !forgets {
        return Err(Error::new(
            Kind::LedgerMismatch,
            format!("sink '{}' has applied rows without a key, by partition", ledger.name),
        )
        .detail("a replay could not tell which of them the destination has")
        .hint("empty the destination, then cdc offsets reset"));
    }
    Ok(highest)
}

/// The statement that forgets where partitions stand.
pub(crate) fn forget_sql(ledger: &Ledger) -> String {
    places::forget_sql(ledger)
}

fn runs(ledger: &Ledger, who: &str) -> Error {
    Error::new(
        Kind::Conflict,
        format!("sink '{}' runs with consistency = \"transaction\": {who} holds its lock", ledger.name),
    )
    .hint("stop it: its ledger is then taken over by consistency = \"key\"")
}

fn unmade(ledger: &Ledger) -> impl Fn(Refusal) -> Error + use<> {
    let what = format!("the ledger of sink '{}' could not be read or made", ledger.name);
    move |refusal| refusal.into_error(what.clone())
}
