//! Sending statements: several in one packet, each with its own answer.

use std::time::Duration;

use mysql_async::prelude::{FromRow, Queryable};
use tokio::time::Instant;

use super::connect::Session;
use super::line::{Line, Look};
use super::refusal::{Refusal, Stumble};

/// What a statement that returns no rows did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Rows affected, by MySQL's count.
    pub affected: u64,
    /// Warnings raised.
    pub warnings: u16,
}

/// How long an answer is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// A statement that has no answer after this long is spoken of, and its server looked at; and again after as long.
    pub slow: Duration,
    /// How long one statement may take while nobody can see the server at work for it: counted from when it was last
    /// seen so.
    pub unseen: Duration,
    /// How long one statement may take at all.
    pub longest: Duration,
}

/// How long anything may take: an ALTER of a large table copies it, a DELETE without a key reads all of it.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);
/// For rows. Row locks are given up after seconds, so a server that needs minutes and does not show
/// that it is at work has gone away without saying so.
const ROWS: Patience =
    Patience { slow: Duration::from_secs(15), unseen: Duration::from_secs(600), longest: LONGEST };
/// For DDL.
const DDL: Patience = Patience { unseen: LONGEST, ..ROWS };
/// A line that carries less than this in a second counts as silent.
const SLOWEST_BYTES: usize = 16 << 10;
/// What the rows of a query may have, for that.
const ROWS_BYTES: usize = 256 << 10;
/// How long an answer has that was on its way when the server was looked at.
const ARRIVES: Duration = Duration::from_secs(1);

impl Session {
    /// Runs the statements of one packet, in order, up to the first that is refused.
    pub async fn run(&mut self, sql: &[u8]) -> Result<Vec<Outcome>, Stumble> {
        if self.broken {
            return Err(Stumble { done: 0, refusal: Refusal::broken("the connection is closed") });
        }
        self.fits(sql).map_err(|refusal| Stumble { done: 0, refusal })?;
        let mut outcomes = Vec::new();
        match exchange(self, sql, ROWS, &mut outcomes).await {
            Ok(()) => Ok(outcomes),
            Err(refusal) => Err(self.stumble(outcomes.len(), refusal)),
        }
    }

    /// Runs one statement that returns no rows.
    pub async fn command(&mut self, sql: &str) -> Result<Outcome, Refusal> {
        let outcomes = self.run(sql.as_bytes()).await.map_err(|s| s.refusal)?;
        outcomes.last().copied().ok_or_else(|| Refusal::broken("an answer without a result"))
    }

    /// Runs a statement that changes tables, which may take long.
    pub async fn define(&mut self, sql: &str) -> Result<(), Refusal> {
        let answered = patiently(&self.line(), sql.len(), DDL, self.conn.query_drop(sql)).await;
        self.settle(answered)
    }

    /// The rows of a query.
    pub async fn rows<T: FromRow + Send + 'static>(
        &mut self,
        sql: impl AsRef<[u8]> + Sync,
    ) -> Result<Vec<T>, Refusal> {
        if self.broken {
            return Err(Refusal::broken("the connection is closed"));
        }
        self.fits(sql.as_ref())?;
        let line = self.line();
        let conn = &mut self.conn;
        let asked = async move {
            let result = conn.query_iter(sql.as_ref()).await?;
            result.try_collect_and_drop::<T>().await
        };
        let answered = patiently(&line, ROWS_BYTES, ROWS, asked).await;
        let rows: Vec<Result<T, _>> = self.settle(answered)?;
        rows.into_iter()
            .map(|row| row.map_err(|e| Refusal::unexpected(format!("a row of an unexpected shape: {e}"))))
            .collect()
    }

    /// The first row of a query.
    pub async fn row<T: FromRow + Send + 'static>(&mut self, sql: &str) -> Result<Option<T>, Refusal> {
        Ok(self.rows(sql).await?.into_iter().next())
    }

    /// Refuses what the server would not take. The library would, too, but gives up the connection with it, which looks
    /// like a fault that passes.
    fn fits(&self, sql: &[u8]) -> Result<(), Refusal> {
        match sql.len() > self.packet_bytes_max {
            true => Err(Refusal::too_large(sql.len(), self.packet_bytes_max)),
            false => Ok(()),
        }
    }

    fn settle<T>(&mut self, answered: Result<T, Refusal>) -> Result<T, Refusal> {
        answered.map_err(|refusal| self.stumble(0, refusal).refusal)
    }

    fn stumble(&mut self, done: usize, refusal: Refusal) -> Stumble {
        self.broken |= refusal.code == 0;
        Stumble { done, refusal }
    }
}

/// Waits for an answer to so many bytes, and says so when it does not come: a destination whose binlog finds its disk full
/// tells nobody but its own log, and waits for room. A server that has nothing to do for this connection will
/// not answer: question or answer got lost on a line that has gone silent. One that is at work for it is waited for.
pub(super) async fn patiently<T>(
    line: &Line,
    bytes: usize,
    patience: Patience,
    answer: impl Future<Output = Result<T, mysql_async::Error>>,
) -> Result<T, Refusal> {
    let begun = Instant::now();
    let arrives = begun + Duration::from_secs((bytes / SLOWEST_BYTES) as u64);
    let mut seen = arrives;
    tokio::pin!(answer);
    loop {
        let until = (seen + patience.unseen).min(begun + patience.longest);
        let slice = patience.slow.min(until.saturating_duration_since(Instant::now()));
        if let Ok(answered) = tokio::time::timeout(slice, &mut answer).await {
            return Ok(answered?);
        }
        let (connection, seconds) = (line.id(), begun.elapsed().as_secs());
        if Instant::now() >= until {
            return Err(no_answer());
        }
        tracing::warn!(
            connection,
            seconds,
            "the destination has not answered a statement yet: see SHOW PROCESSLIST there for a lock, and its \
             error log for a full disk, where it waits for room"
        );
        if arrives.elapsed() < patience.slow {
            continue;
        }
        let look = tokio::select! {
            answered = &mut answer => return Ok(answered?),
            look = Box::pin(line.look()) => look,
        };
        match look {
            Look::Busy => seen = Instant::now(),
            Look::Unknown => {}
            Look::Silent => {
                tracing::warn!(
                    connection,
                    seconds,
                    "the line to the destination is silent: it has nothing to do for this connection"
                );
                let late = tokio::time::timeout(ARRIVES, &mut answer).await;
                return Ok(late.map_err(|_| no_answer())??);
            }
        }
    }
}

fn no_answer() -> Refusal {
    Refusal::broken("no answer from the server")
}

/// Sends a packet and takes the answers one by one, each of which is waited for by itself: the server sends it
/// as soon as its statement is done, and a packet may have thousands. None of its statements returns rows.
///
/// The library keeps the error of any statement but the first until the next read, and calls the
/// result empty meanwhile; so an answer counts only once the step after it has gone well.
pub(super) async fn exchange(
    session: &mut Session,
    sql: &[u8],
    patience: Patience,
    outcomes: &mut Vec<Outcome>,
) -> Result<(), Refusal> {
    let line = session.line();
    let mut result = patiently(&line, sql.len(), patience, session.conn.query_iter(sql)).await?;
    loop {
        let outcome = Outcome { affected: result.affected_rows(), warnings: result.warnings() };
        let last = result.is_empty();
        patiently(&line, 0, patience, result.next()).await?;
        outcomes.push(outcome);
        if last {
            return Ok(());
        }
    }
}
