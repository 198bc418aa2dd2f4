//! Reading and setting a ledger from outside: for `cdc offsets`, `cdc replay` and a beginning at a backup.
//!
//! A ledger is set in one transaction that locks its row, so it waits for a commit
//! under way, and raises the epoch, so that no sink that read it before can commit
//! after. That alone makes it safe beside a running sink ([`Running::Fenced`]): the
//! sink's next commit affects no row, is rolled back, and the sink reads the ledger
//! anew. Without need of that the sink's lock is taken first ([`Running::Refused`]).

use cdc_sdk::cut::Place;
use cdc_sdk::{CutId, Error, GtidSet, Kind, Result};

use super::takeover::other_prefix;
use super::{Backup, FORMAT_VERSION, Ledger, Progress, backup, begun, create, cut_sql, is_alive};
use crate::apply::text;
use crate::by_key;
use crate::session::{Purpose, Session, holder, lock_name};
use crate::settings::Settings;

/// A ledger seen from outside of a running sink.
#[derive(Debug)]
pub struct LedgerAdmin;

/// A place in the cuts where a ledger may stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The last cut that counts as applied; `None`: none.
    pub cut: Option<CutId>,
    /// The offset in `prefix.cuts` to go on reading from.
    pub cuts_offset: i64,
    /// The offsets of the data partitions. Those not named are forgotten: they are read from their beginning.
    pub places: Vec<Place>,
    /// The source's position after the cut.
    pub position: String,
    /// When the source committed the last transaction up to the cut, µs since 1970.
    pub committed_us: i64,
    /// Whether the initial snapshot was through at the cut.
    pub snapshot_complete: bool,
}

impl From<Progress> for Mark {
    fn from(progress: Progress) -> Self {
        let places = progress.places.into_iter();
        let places = places.map(|((topic, partition), offset)| Place { topic, partition, offset });
        Self {
            cut: progress.cut,
            cuts_offset: progress.cuts_offset,
            places: places.collect(),
            position: progress.position,
            committed_us: progress.committed_us,
            snapshot_complete: progress.snapshot_complete,
        }
    }
}

/// How a ledger is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// To this mark. The highest cut ever applied is kept, so that the sink knows until where it converges.
    To(Mark),
    /// A ledger that has no position yet begins at this mark, since the destination was restored from this backup.
    Begin(Mark, Backup),
    /// To this mark, where a snapshot of the sink's own begins. The destination is no source state from here on
    /// until that is through.
    Fill(Mark),
    /// To nothing, as if the sink had never run: for a destination that was emptied.
    Forget,
}

/// What is done about a sink of the name that runs meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Running {
    /// Nothing is set while one runs.
    Refused,
    /// It loses the ledger: what it has not committed is rolled back, and it goes on from the new place.
    Fenced,
}

impl LedgerAdmin {
    /// The progress of the sink; `None` if it has never run.
    ///
    /// # Errors
    /// If the destination cannot be asked, or the ledger has a form that this program does not know.
    pub async fn read(settings: &Settings) -> Result<Option<Progress>> {
        let ledger = settings.ledger();
        let mut session = Session::connect(&settings.endpoint, Purpose::Data).await?;
        let progress = at_once(&ledger, &mut session).await;
        session.close().await;
        progress
    }

    /// As [`LedgerAdmin::read`], also of a ledger that is kept by partition: for whoever is to set it.
    ///
    /// # Errors
    /// As [`LedgerAdmin::read`].
    pub async fn read_any(settings: &Settings) -> Result<Option<Progress>> {
        let ledger = settings.ledger();
        let mut session = Session::connect(&settings.endpoint, Purpose::Data).await?;
        let progress = at_once_any(&ledger, &mut session).await;
        session.close().await;
        progress
    }

    /// Refuses while a sink of the name runs or stands by.
    ///
    /// # Errors
    /// [`Kind::Conflict`]; if the destination cannot be asked.
    pub async fn refuse_running(settings: &Settings) -> Result<()> {
        let ledger = settings.ledger();
        let mut session = Session::connect(&settings.endpoint, Purpose::Data).await?;
        let holder = lead(&ledger, &mut session).await;
        session.close().await;
        holder?.map_or(Ok(()), |who| Err(is_running(&ledger, &who)))
    }

    /// Sets the ledger. Who did it, and why, is written to `ledger_audit` in the same transaction. Returns
    /// who was running and is fenced now.
    ///
    /// # Errors
    /// [`Kind::Conflict`] while a sink of the name runs, unless it may be fenced; [`Kind::LedgerMismatch`]
    /// if there is nothing to forget, a position where a backup is to begin, or another topic prefix.
    pub async fn set(
        settings: &Settings,
        to: &Move,
        running: Running,
        reason: &str,
    ) -> Result<Option<String>> {
        let mut session = Session::connect(&settings.endpoint, Purpose::Data).await?;
        let done = set(settings, &mut session, to, running, reason).await;
        session.close().await;
        done
    }
}

/// Reads all of it as of one moment, whatever a running sink commits meanwhile.
async fn at_once(ledger: &Ledger, session: &mut Session) -> Result<Option<Progress>> {
    match at_once_any(ledger, session).await? {
        Some(progress) if progress.by_key => Err(by_key::refused(ledger)),
        progress => Ok(progress),
    }
}

async fn at_once_any(ledger: &Ledger, session: &mut Session) -> Result<Option<Progress>> {
    if !begun(ledger, session).await? {
        return Ok(None);
    }
    // A ledger of before has fewer tables.
    create(ledger, session).await?;
    for sql in ["SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "START TRANSACTION READ ONLY"] {
        let what = || format!("the ledger of sink '{}' could not be read", ledger.name);
        session.command(sql).await.map_err(|r| r.into_error(what()))?;
    }
    ledger.read_any(session, false).await
}

async fn set(
    settings: &Settings,
    session: &mut Session,
    to: &Move,
    running: Running,
    reason: &str,
) -> Result<Option<String>> {
    let ledger = settings.ledger();
    let holder = lead(&ledger, session).await?;
    if let (Some(who), Running::Refused) = (&holder, running) {
        return Err(is_running(&ledger, who));
    }
    create(&ledger, session).await?;
    let found = ledger.read_any(session, false).await?;
    // Those of a sink by key hold no lock that others could not have.
    if found.is_some_and(|f| f.by_key) && is_alive(&ledger, session).await? {
        return Err(is_running(&ledger, "a connection that it has registered"));
    }
    if holder.is_none() {
        super::end_predecessors(&ledger, session, &[]).await?;
    }
    session.command("START TRANSACTION").await.map_err(|r| r.into_error(unset(&ledger)))?;
    let moved = within(settings, &ledger, session, to, reason).await;
    let end = if moved.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = session.command(end).await.map_err(|r| r.into_error(unset(&ledger)));
    moved?;
    ended.map(|_| holder)
}

/// Takes the sink's lock; else says who has it.
async fn lead(ledger: &Ledger, session: &mut Session) -> Result<Option<String>> {
    let lock = lock_name(&ledger.name);
    let sql = format!("SELECT COALESCE(GET_LOCK({}, 0), 0)", text(&lock));
    let got =
        session.row::<u8>(&sql).await.map_err(|r| r.into_error(format!("lock '{lock}' was refused")))?;
    if got == Some(1) {
        return Ok(None);
    }
    let who = holder(session, &lock).await?;
    Ok(Some(who.unwrap_or_else(|| "a connection that just ended".into())))
}

/// What happens inside the transaction.
async fn within(
    settings: &Settings,
    ledger: &Ledger,
    session: &mut Session,
    to: &Move,
    reason: &str,
) -> Result<()> {
    let from = match ledger.read_any(session, true).await? {
        Some(from) if from.by_key => {
            let forgets = matches!(to, Move::Forget | Move::Fill(_));
            Progress { high_water: by_key::summary(ledger, session, forgets).await?, ..from }
        }
        Some(from) => from,
        None if matches!(to, Move::Forget) => return Err(never_ran(ledger)),
        None => {
            let sql = first_row(ledger, &settings.topic_prefix);
            session.command(&sql).await.map_err(|r| r.into_error(unset(ledger)))?;
            Progress { topic_prefix: settings.topic_prefix.clone(), ..Progress::default() }
        }
    };
    if from.topic_prefix != settings.topic_prefix {
        return Err(other_prefix(ledger, &from, &settings.topic_prefix));
    }
    let target = Target::of(ledger, &from, to)?;
    for sql in statements(ledger, &from, &target, reason) {
        session.command(&sql).await.map_err(|r| r.into_error(unset(ledger)))?;
    }
    match to {
        Move::Forget => super::quarantine::forget(ledger, session).await,
        Move::To(_) | Move::Begin(..) | Move::Fill(_) => Ok(()),
    }
}

/// What the ledger says after a move.
struct Target {
    mark: Mark,
    high_water: Option<CutId>,
    backup: Option<Backup>,
}

impl Target {
    fn of(ledger: &Ledger, from: &Progress, to: &Move) -> Result<Self> {
        match to {
            Move::Forget => Ok(Self { mark: Mark::default(), high_water: None, backup: None }),
            Move::To(mark) => Ok(Self {
                mark: mark.clone(),
                high_water: from.high_water.max(mark.cut),
                backup: backup_after(from, mark)?,
            }),
            Move::Fill(mark) => Ok(Self {
                mark: Mark { snapshot_complete: false, ..mark.clone() },
                // Whatever was applied before goes. A source that began anew counts its cuts from the beginning, too.
                high_water: mark.cut,
                backup: None,
            }),
            Move::Begin(..) if from.by_key => Err(by_key::refused(ledger)),
            Move::Begin(..) if !from.is_fresh() => Err(has_position(ledger, from)),
            Move::Begin(mark, backup) => Ok(Self {
                mark: mark.clone(),
                high_water: mark.cut.max(Some(backup.until)),
                backup: Some(backup.clone()).filter(|b| !b.lies_behind(mark.cut, mark.snapshot_complete)),
            }),
        }
    }
}

/// A backup that the sink is not past is still needed, and has by now all that the sink has applied over it.
fn backup_after(from: &Progress, mark: &Mark) -> Result<Option<Backup>> {
    let Some(backup) = &from.backup else { return Ok(None) };
    if backup.lies_behind(mark.cut, mark.snapshot_complete) {
        return Ok(None);
    }
    let applied: GtidSet =
        from.position.parse().map_err(|e: Error| e.at("the position in the ledger".to_owned()))?;
    let mut grown = backup.clone();
    grown.gtids.extend(&applied);
    grown.until = from.cut.map_or(grown.until, |cut| cut.max(grown.until));
    Ok(Some(grown))
}

fn statements(ledger: &Ledger, from: &Progress, target: &Target, reason: &str) -> Vec<String> {
    let Target { mark, high_water, backup } = target;
    let name = text(&ledger.name);
    let (incarnation, sequence) = cut_sql(mark.cut);
    let (high_incarnation, high_sequence) = cut_sql(*high_water);
    let update = format!(
        "UPDATE {} SET format_version = {FORMAT_VERSION}, epoch = epoch + 1, incarnation = {incarnation}, sequence = {sequence}, \
         high_incarnation = {high_incarnation}, high_sequence = {high_sequence}, cuts_offset = {}, \
         position = {}, committed_at_us = {}, snapshot_complete = {} WHERE name = {name}",
        ledger.table("ledger"),
        mark.cuts_offset,
        text(&mark.position),
        mark.committed_us,
        u8::from(mark.snapshot_complete)
    );
    let forget = format!("DELETE FROM {} WHERE name = {name}", ledger.table("ledger_places"));
    let audit = format!(
        "INSERT INTO {} (name, account, from_cut, to_cut, from_position, reason, program) \
         VALUES ({name}, USER(), {}, {}, {}, {}, {})",
        ledger.table("ledger_audit"),
        text(&shown(from.cut)),
        text(&shown(mark.cut)),
        text(&from.position),
        text(reason),
        text(concat!("cdc ", env!("CARGO_PKG_VERSION")))
    );
    let places = ledger.places_of(&mark.places);
    let partitions = from.by_key.then(|| by_key::forget_sql(ledger));
    let remember = backup.as_ref().map(|b| backup::store(ledger, b));
    [Some(update), Some(forget), partitions, places, Some(backup::forget(ledger)), remember, Some(audit)]
        .into_iter()
        .flatten()
        .collect()
}

/// The statement that makes the row of a sink that never ran.
fn first_row(ledger: &Ledger, topic_prefix: &str) -> String {
    format!(
        "INSERT INTO {} (name, format_version, topic_prefix, epoch, cuts_offset, position, committed_at_us, \
         snapshot_complete) VALUES ({}, {FORMAT_VERSION}, {}, 0, 0, '', 0, 0)",
        ledger.table("ledger"),
        text(&ledger.name),
        text(topic_prefix)
    )
}

fn shown(cut: Option<CutId>) -> String {
    cut.map_or_else(|| "before the first".into(), |c| c.to_string())
}

fn unset(ledger: &Ledger) -> String {
    format!("the ledger of sink '{}' could not be set", ledger.name)
}

fn is_running(ledger: &Ledger, who: &str) -> Error {
    Error::new(Kind::Conflict, format!("sink '{}' is running: {who} holds its lock", ledger.name))
        .hint("stop it, then run this again; or, to set it back while it runs: cdc replay --live")
}

fn never_ran(ledger: &Ledger) -> Error {
    Error::new(Kind::LedgerMismatch, format!("sink '{}' has never run on this destination", ledger.name))
        .hint("check name and [mysql] in the settings")
}

fn has_position(ledger: &Ledger, from: &Progress) -> Error {
    let at = from.cut.map_or_else(|| "before its first cut".to_owned(), |cut| format!("at cut {cut}"));
    Error::new(Kind::LedgerMismatch, format!("the ledger of sink '{}' stands {at} already", ledger.name))
        .detail(format!(
            "position {}; the highest cut ever applied: {}",
            from.position,
            shown(from.high_water)
        ))
        .hint(
            "to go on from there, leave out --from-gtid; to go back: cdc replay --from-gtid; \
             if the destination was restored anew: cdc offsets reset, then this again",
        )
}

#[cfg(test)]
mod tests;
