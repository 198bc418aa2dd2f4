//! Who may work: a lock that the server frees when its holder's connection dies.
//!
//! The lock only keeps two sinks from working against each other; it is not what
//! makes them safe. A holder that was stopped for longer than the server waits
//! loses it without noticing; the ledger's epoch then refuses its commits.

use std::time::Duration;

use cdc_sdk::endpoint::Endpoint;
use cdc_sdk::{Error, Kind, Result};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::connect::{Purpose, Session};
use super::refusal::Refusal;
use crate::apply::text;
use crate::hash::fnv1a;

/// How long one attempt to get the lock waits before standing by is reported again.
const SLICE_SECONDS: u32 = 5;
/// How often the holder shows the server that it is alive.
const BEAT: Duration = Duration::from_secs(5);
/// How long the answer to that may take.
const BEAT_MAX: Duration = Duration::from_secs(10);
/// How long a silent line to the destination goes unnoticed, whatever the sink waits for.
pub const SILENCE_MAX: Duration = BEAT.saturating_add(BEAT_MAX);
/// MySQL's limit on the length of a lock's name, in characters.
const LOCK_NAME_CHARS_MAX: usize = 64;

/// Leadership: held until dropped or lost.
pub(crate) struct Leader {
    /// The server's number of the connection that holds the lock.
    pub connection: u32,
    lost: watch::Receiver<bool>,
    keeper: JoinHandle<()>,
}

impl Leader {
    /// Waits until this sink is the one that works. Between attempts `standing_by` is told who holds the lock.
    pub async fn stand_by(
        endpoint: &Endpoint,
        name: &str,
        mut standing_by: impl FnMut(&str),
    ) -> Result<Self> {
        let mut session = Session::connect(endpoint, Purpose::Lead).await?;
        let lock = lock_name(name);
        let mut wait = 0;
        while !take(&mut session, &lock, wait).await? {
            wait = SLICE_SECONDS;
            standing_by(
                &holder(&mut session, &lock).await?.unwrap_or_else(|| "a connection that just ended".into()),
            );
        }
        let (tell, lost) = watch::channel(false);
        let connection = session.id();
        let keeper = tokio::spawn(keep(session, lock, tell));
        Ok(Self { connection, lost, keeper })
    }

    /// Refuses once the lock is known to be lost.
    pub fn confirm(&self) -> Result<()> {
        if *self.lost.borrow() { Err(lost_lock()) } else { Ok(()) }
    }

    /// Waits until the lock is known to be lost: the line is cut or silent, or somebody took it.
    pub fn lost(&self) -> impl Future<Output = Error> + Send + use<> {
        let mut lost = self.lost.clone();
        async move {
            if lost.wait_for(|lost| *lost).await.is_ok() {
                return lost_lock();
            }
            // It was given up.
            std::future::pending().await
        }
    }

    /// Gives the lock up.
    pub async fn step_down(self) {
        self.keeper.abort();
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

/// Shows the server at intervals that the holder lives, until that fails.
async fn keep(mut session: Session, lock: String, lost: watch::Sender<bool>) {
    let question = format!("SELECT COALESCE(IS_USED_LOCK({}) = CONNECTION_ID(), 0)", text(&lock));
    loop {
        tokio::time::sleep(BEAT).await;
        let answer = tokio::time::timeout(BEAT_MAX, session.row::<u8>(&question)).await;
        if !matches!(answer, Ok(Ok(Some(1)))) {
            tracing::warn!(lock, "the sink's lock is lost");
            lost.send_replace(true);
            return;
        }
    }
}

fn lost_lock() -> Error {
    Error::new(Kind::LedgerMoved, "the connection that held this sink's lock has ended, or does not answer")
        .hint("it is opened anew; another sink of the name may have taken over meanwhile")
}

async fn take(session: &mut Session, lock: &str, seconds: u32) -> Result<bool> {
    let sql = format!("SELECT COALESCE(GET_LOCK({}, {seconds}), 0)", text(lock));
    let limit = Duration::from_secs(seconds.into()) + BEAT_MAX;
    let got = match tokio::time::timeout(limit, session.row::<u8>(&sql)).await {
        Ok(got) => got,
        Err(_) => Err(Refusal::broken("no answer from the server")),
    };
    let got = got.map_err(|r| r.into_error(format!("lock '{lock}' was refused")))?;
    Ok(got == Some(1))
}

/// Who holds a lock, in words; `None` if nobody does.
pub(crate) async fn holder(session: &mut Session, lock: &str) -> Result<Option<String>> {
    let what = || format!("the holder of lock '{lock}' could not be read");
    let id: Option<Option<u64>> = session
        .row(&format!("SELECT IS_USED_LOCK({})", text(lock)))
        .await
        .map_err(|r| r.into_error(what()))?;
    let Some(id) = id.flatten() else { return Ok(None) };
    let sql =
        format!("SELECT CONCAT(USER, ' from ', HOST) FROM information_schema.PROCESSLIST WHERE ID = {id}");
    let who: Option<Option<String>> = session.row(&sql).await.map_err(|r| r.into_error(what()))?;
    let who = who.flatten().unwrap_or_else(|| "another account".into());
    Ok(Some(format!("connection {id} ({who})")))
}

/// The lock's name. MySQL takes so many characters and ignores their case, while each spelling of a sink's name has a
/// ledger of its own: so a name that is too long, or has capital letters, is told apart by a hash. Two that still
/// collide would stand by for each other, which is safe. Versions before this one took the plain name with
/// capitals: beside such a process a sink of that name takes the ledger over, which fences it, and it takes it back.
pub(crate) fn lock_name(sink: &str) -> String {
    let name = format!("cdc_sink_{sink}");
    let folded = name.to_lowercase();
    if name == folded && name.chars().count() <= LOCK_NAME_CHARS_MAX {
        return name;
    }
    let kept: String = folded.chars().take(LOCK_NAME_CHARS_MAX - 17).collect();
    format!("{kept}_{:016x}", fnv1a(name.as_bytes()))
}
