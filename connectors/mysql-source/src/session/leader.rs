//! One source of a name, and of a prefix, at a time: two locks on the server that die with their holder.
//!
//! `GET_LOCK` belongs to a connection: when the holder's process ends, the server
//! sees the socket close and lets the next one in. Where the holder's machine
//! vanishes without closing it, `wait_timeout` does: a task of the holder speaks to
//! the server more often than that, whatever else the holder is busy with. The lock
//! only decides who *starts*; that a holder which lost it unseen does no harm is the
//! business of Kafka's fencing. All take the lock of the name before that of the prefix, so nobody waits in a circle.

use std::time::Duration;

use cdc_sdk::{Error, Kind, Result};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::{connect, within};
use crate::settings::Settings;

/// Seconds of silence after which the server gives the lock away.
const SILENCE_S_MAX: u32 = 30;
/// How often the holder speaks.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// Seconds of one wait, after which the waiter says so.
const SLICE_S: u32 = 5;

/// Holds the locks for as long as it lives.
pub struct Leader {
    questions: mpsc::Sender<oneshot::Sender<Result<()>>>,
    /// The task with the connection; it ends with the leader.
    _keeper: JoinSet<()>,
}

impl Leader {
    /// Waits for the locks, for ever; `waiting` is told at the start of each
    /// slice of 5 s who has it.
    ///
    /// # Errors
    /// Those of the connection. Waiting itself never fails.
    pub async fn acquire(settings: &Settings, mut waiting: impl FnMut(&str)) -> Result<Self> {
        let mut conn = connect(&settings.endpoint).await?;
        let set = format!("SET SESSION wait_timeout = {SILENCE_S_MAX}");
        within("preparing the lock", conn.query_drop(set)).await?;
        let mut locks = Vec::new();
        for (lock, other) in settings.locks() {
            let mut slice_s = 0;
            while !try_lock(&mut conn, &lock, slice_s).await? {
                let holder = holder(&mut conn, &lock).await?;
                waiting(&format!("{other} is at work: {holder}"));
                slice_s = SLICE_S;
            }
            locks.push(lock);
        }
        let (questions, asked) = mpsc::channel(1);
        let mut keeper = JoinSet::new();
        keeper.spawn(keep(conn, locks, asked));
        Ok(Self { questions, _keeper: keeper })
    }

    /// Asks the server whether the locks are still held.
    ///
    /// # Errors
    /// [`Kind::Fenced`]: one is not, or the connection broke.
    pub async fn confirm(&mut self) -> Result<()> {
        let gone = || Error::new(Kind::Fenced, "the locks of leadership were lost");
        let (sender, answer) = oneshot::channel();
        self.questions.send(sender).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// Asks the server now and then, and when somebody wants to know. Ends with the locks.
async fn keep(mut conn: Conn, locks: Vec<String>, mut asked: mpsc::Receiver<oneshot::Sender<Result<()>>>) {
    loop {
        let question = match tokio::time::timeout(KEEPALIVE, asked.recv()).await {
            Ok(Some(question)) => Some(question),
            Ok(None) => return,
            Err(_) => None,
        };
        let held = all_held(&mut conn, &locks).await;
        let lost = held.is_err();
        if let Some(question) = question {
            // Who asked may have gone; then nobody wants to know.
            let _ = question.send(held);
        }
        if lost {
            return;
        }
    }
}

async fn all_held(conn: &mut Conn, locks: &[String]) -> Result<()> {
    for lock in locks {
        held(conn, lock).await?;
    }
    Ok(())
}

async fn held(conn: &mut Conn, lock: &str) -> Result<()> {
    let ask = conn.exec_first("SELECT IS_USED_LOCK(?) = CONNECTION_ID()", (lock,));
    let held: Result<Option<Option<bool>>> = within("confirming the lock", ask).await;
    match held {
        Ok(Some(Some(true))) => Ok(()),
        Ok(_) => Err(Error::new(Kind::Fenced, format!("the lock '{lock}' was lost"))),
        Err(e) => Err(Error::new(Kind::Fenced, format!("the connection that held the lock '{lock}' broke"))
            .caused_by(e)),
    }
}

async fn try_lock(conn: &mut Conn, lock: &str, slice_s: u32) -> Result<bool> {
    let got: Option<Option<i32>> =
        within("taking the lock", conn.exec_first("SELECT GET_LOCK(?, ?)", (lock, slice_s))).await?;
    match got {
        Some(Some(1)) => Ok(true),
        Some(Some(0)) => Ok(false),
        _ => Err(Error::new(
            Kind::MysqlUnreachable,
            format!("the server gave no answer about the lock '{lock}'"),
        )),
    }
}

async fn holder(conn: &mut Conn, lock: &str) -> Result<String> {
    let id: Option<Option<u64>> =
        within("asking for the lock's holder", conn.exec_first("SELECT IS_USED_LOCK(?)", (lock,))).await?;
    Ok(match id.flatten() {
        Some(id) => format!("connection {id} on the server holds '{lock}'; waiting for it to end"),
        None => format!("'{lock}' was just released"),
    })
}
