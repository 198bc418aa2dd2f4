//! Reading and rewinding a ledger from outside: for `cdc offsets` and `cdc replay`.

use cdc_sdk::cut::Place;
use cdc_sdk::{CutId, Error, Kind, Result};

use super::takeover::{first_row, other_prefix};
use super::{Ledger, Progress, create, cut_sql, ready};
use crate::apply::text;
use crate::session::{Purpose, Refusal, Session, holder, lock_name};
use crate::settings::Settings;

/// A ledger seen from outside of a running sink.
#[derive(Debug)]
pub struct LedgerAdmin;

/// Where a ledger is set to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewind {
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

    /// Sets the ledger to another place, for a replay. The highest cut ever applied is kept, so that
    /// the sink knows until where it is converging. Who did it, and why, is written to `ledger_audit`.
    ///
    /// # Errors
    /// [`Kind::Conflict`] while a sink of the name runs or stands by with the lock;
    /// [`Kind::LedgerMismatch`] if the sink has never run.
    pub async fn rewind(settings: &Settings, to: &Rewind, reason: &str) -> Result<()> {
        let ledger = settings.ledger();
        let mut session = Session::connect(&settings.endpoint, Purpose::Data).await?;
        let done = alone(&ledger, &mut session, to, reason).await;
        session.close().await;
        done
    }
}

impl LedgerAdmin {
    /// Refuses while a sink of the name runs or stands by with the lock.
    ///
    /// # Errors
    /// [`Kind::Conflict`]; if the destination cannot be asked.
    pub async fn refuse_running(settings: &Settings) -> Result<()> {
        let ledger = settings.ledger();
        let mut session = Session::connect(&settings.endpoint, Purpose::Data).await?;
        let locked = lock(&ledger, &mut session).await;
        session.close().await;
        locked
    }

    /// Sets the ledger of a sink, which may never have run, to where a snapshot of its own begins. The
    /// destination is no source state from here on until that is through.
    ///
    /// # Errors
    /// [`Kind::Conflict`] while a sink of the name runs; [`Kind::LedgerMismatch`] if it follows another
    /// topic prefix.
    pub async fn begin(settings: &Settings, to: &Rewind, reason: &str) -> Result<()> {
        let ledger = settings.ledger();
        let mut tables = Session::connect(&settings.endpoint, Purpose::Tables).await?;
        create(&ledger, &mut tables).await?;
        tables.close().await;
        let mut session = Session::connect(&settings.endpoint, Purpose::Data).await?;
        let done = begin(&ledger, &mut session, settings, to, reason).await;
        session.close().await;
        done
    }
}

async fn begin(
    ledger: &Ledger,
    session: &mut Session,
    settings: &Settings,
    to: &Rewind,
    reason: &str,
) -> Result<()> {
    let what = || format!("the ledger of sink '{}' could not be set", ledger.name);
    let prefix = &settings.topic_prefix;
    lock(ledger, session).await?;
    super::end_predecessors(ledger, session, &[]).await?;
    match ledger.read(session, false).await? {
        Some(found) if found.topic_prefix != *prefix => return Err(other_prefix(ledger, &found, prefix)),
        Some(_) => {}
        None => {
            let sql = first_row(ledger, prefix);
            session.command(&sql).await.map_err(|r| r.into_error(what()))?;
        }
    }
    session.command("START TRANSACTION").await.map_err(|r| r.into_error(what()))?;
    let incomplete = format!(
        "UPDATE {} SET snapshot_complete = 0 WHERE name = {}",
        ledger.table("ledger"),
        text(&ledger.name)
    );
    let moved = match session.command(&incomplete).await {
        Ok(_) => rewind(ledger, session, to, reason).await,
        Err(refusal) => Err(refusal.into_error(what())),
    };
    end(session, moved, what).await
}

/// Ends a transaction as what it did went.
async fn end(session: &mut Session, done: Result<()>, what: impl Fn() -> String) -> Result<()> {
    let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = session.command(end).await.map_err(|r| r.into_error(what()));
    done.and_then(|()| ended.map(|_| ()))
}

/// Takes the lock of leadership, which dies with the session.
async fn lock(ledger: &Ledger, session: &mut Session) -> Result<()> {
    let lock = lock_name(&ledger.name);
    let sql = format!("SELECT COALESCE(GET_LOCK({}, 0), 0)", text(&lock));
    let got =
        session.row::<u8>(&sql).await.map_err(|r| r.into_error(format!("lock '{lock}' was refused")))?;
    if got == Some(1) {
        return Ok(());
    }
    let who = holder(session, &lock).await?.unwrap_or_else(|| "a connection that just ended".into());
    Err(Error::new(Kind::Conflict, format!("sink '{}' is running: {who} holds its lock", ledger.name))
        .hint("stop it, then run this again"))
}

/// Reads all of it as of one moment, whatever a running sink commits meanwhile.
async fn at_once(ledger: &Ledger, session: &mut Session) -> Result<Option<Progress>> {
    if !ready(ledger, session).await? {
        return Ok(None);
    }
    let what = || format!("the ledger of sink '{}' could not be read", ledger.name);
    for sql in ["SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "START TRANSACTION READ ONLY"] {
        session.command(sql).await.map_err(|r| r.into_error(what()))?;
    }
    ledger.read(session, false).await
}

async fn alone(ledger: &Ledger, session: &mut Session, to: &Rewind, reason: &str) -> Result<()> {
    lock(ledger, session).await?;
    if !ready(ledger, session).await? {
        return Err(never_ran(ledger));
    }
    super::end_predecessors(ledger, session, &[]).await?;
    let what = || format!("the ledger of sink '{}' could not be rewound", ledger.name);
    session.command("START TRANSACTION").await.map_err(|r| r.into_error(what()))?;
    let moved = rewind(ledger, session, to, reason).await;
    end(session, moved, what).await
}

async fn rewind(ledger: &Ledger, session: &mut Session, to: &Rewind, reason: &str) -> Result<()> {
    let from = ledger.read(session, true).await?.ok_or_else(|| never_ran(ledger))?;
    let what = || format!("the ledger of sink '{}' could not be rewound", ledger.name);
    for sql in statements(ledger, &from, to, reason) {
        session.command(&sql).await.map_err(|r: Refusal| r.into_error(what()))?;
    }
    Ok(())
}

fn statements(ledger: &Ledger, from: &Progress, to: &Rewind, reason: &str) -> Vec<String> {
    let name = text(&ledger.name);
    let (incarnation, sequence) = cut_sql(to.cut);
    let (high_incarnation, high_sequence) = cut_sql(from.high_water.max(to.cut));
    let update = format!(
        "UPDATE {} SET epoch = epoch + 1, incarnation = {incarnation}, sequence = {sequence}, \
         high_incarnation = {high_incarnation}, high_sequence = {high_sequence}, cuts_offset = {}, \
         position = {}, committed_at_us = {} WHERE name = {name}",
        ledger.table("ledger"),
        to.cuts_offset,
        text(&to.position),
        to.committed_us
    );
    let forget = format!("DELETE FROM {} WHERE name = {name}", ledger.table("ledger_places"));
    let audit = format!(
        "INSERT INTO {} (name, account, from_cut, to_cut, from_position, reason, program) \
         VALUES ({name}, USER(), {}, {}, {}, {}, {})",
        ledger.table("ledger_audit"),
        text(&shown(from.cut)),
        text(&shown(to.cut)),
        text(&from.position),
        text(reason),
        text(concat!("cdc ", env!("CARGO_PKG_VERSION")))
    );
    let places = ledger.places_of(&to.places);
    [Some(update), Some(forget), places, Some(audit)].into_iter().flatten().collect()
}

fn shown(cut: Option<CutId>) -> String {
    cut.map_or_else(|| "before the first".into(), |c| c.to_string())
}

fn never_ran(ledger: &Ledger) -> Error {
    Error::new(Kind::LedgerMismatch, format!("sink '{}' has never run on this destination", ledger.name))
        .hint("check name and [mysql] in the settings")
}
