//! Sending statements: several in one packet, each with its own answer.

use std::time::Duration;

use mysql_async::prelude::{FromRow, Queryable};

use super::connect::Session;
use super::line::Line;
use super::refusal::{Refusal, Stumble};

/// What a statement that returns no rows did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Rows affected, by MySQL's count.
    pub affected: u64,
    /// Warnings raised.
    pub warnings: u16,
}

/// How long the server may take for a packet of rows. Row locks are given up after seconds,
/// so a server that needs this long has gone away without saying so.
const ANSWER_MAX: Duration = Duration::from_secs(600);
/// A statement that has no answer after this long is spoken of, and again after as long.
const SLOW: Duration = Duration::from_secs(15);
/// A line that carries less than this in a second counts as silent.
const SLOWEST_BYTES: usize = 16 << 10;
/// What the rows of a query may have, for that.
const ROWS_BYTES: usize = 256 << 10;
/// How long an answer has that was on its way when the server was looked at.
const ARRIVES: Duration = Duration::from_secs(1);
/// How long DDL may take: an ALTER of a large table copies it.
const DDL_MAX: Duration = Duration::from_secs(7 * 86_400);

impl Session {
    /// Runs the statements of one packet, in order, up to the first that is refused.
    pub async fn run(&mut self, sql: &[u8]) -> Result<Vec<Outcome>, Stumble> {
        if self.broken {
            return Err(Stumble { done: 0, refusal: Refusal::broken("the connection is closed") });
        }
        let mut outcomes = Vec::new();
        let line = self.line();
        let answered = patiently(line, sql.len(), ANSWER_MAX, exchange(self, sql, &mut outcomes)).await;
        match answered {
            Ok(Ok(())) => Ok(outcomes),
            Ok(Err(refusal)) => Err(self.stumble(outcomes.len(), refusal)),
            Err(_) => Err(self.stumble(outcomes.len(), Refusal::broken("no answer from the server"))),
        }
    }

    /// Runs one statement that returns no rows.
    pub async fn command(&mut self, sql: &str) -> Result<Outcome, Refusal> {
        let outcomes = self.run(sql.as_bytes()).await.map_err(|s| s.refusal)?;
        outcomes.last().copied().ok_or_else(|| Refusal::broken("an answer without a result"))
    }

    /// Runs a statement that changes tables, which may take long.
    pub async fn define(&mut self, sql: &str) -> Result<(), Refusal> {
        let answered = patiently(self.line(), sql.len(), DDL_MAX, self.conn.query_drop(sql)).await;
        self.settle(answered.map(|a| a.map_err(Refusal::from)))
    }

    /// The rows of a query.
    pub async fn rows<T: FromRow + Send + 'static>(
        &mut self,
        sql: impl AsRef<[u8]> + Sync,
    ) -> Result<Vec<T>, Refusal> {
        if self.broken {
            return Err(Refusal::broken("the connection is closed"));
        }
        let line = self.line();
        let conn = &mut self.conn;
        let asked = async move {
            let result = conn.query_iter(sql.as_ref()).await?;
            Ok(result.try_collect_and_drop::<T>().await?)
        };
        let answered = patiently(line, ROWS_BYTES, ANSWER_MAX, asked).await;
        let rows: Vec<Result<T, _>> = self.settle(answered)?;
        rows.into_iter()
            .map(|row| row.map_err(|e| Refusal::unexpected(format!("a row of an unexpected shape: {e}"))))
            .collect()
    }

    /// The first row of a query.
    pub async fn row<T: FromRow + Send + 'static>(&mut self, sql: &str) -> Result<Option<T>, Refusal> {
        Ok(self.rows(sql).await?.into_iter().next())
    }

    fn settle<T>(
        &mut self,
        answered: Result<Result<T, Refusal>, tokio::time::error::Elapsed>,
    ) -> Result<T, Refusal> {
        let result = answered.unwrap_or_else(|_| Err(Refusal::broken("no answer from the server")));
        result.map_err(|refusal| self.stumble(0, refusal).refusal)
    }

    fn stumble(&mut self, done: usize, refusal: Refusal) -> Stumble {
        self.broken |= refusal.code == 0;
        Stumble { done, refusal }
    }
}

/// Waits for an answer to so many bytes, and says so when it does not come: a destination whose binlog finds its disk full
/// tells nobody but its own log, and waits for room. A server that has nothing to do for this connection will
/// not answer: question or answer got lost on a line that has gone silent.
async fn patiently<T>(
    line: Line,
    bytes: usize,
    limit: Duration,
    answer: impl Future<Output = T>,
) -> Result<T, tokio::time::error::Elapsed> {
    let begun = tokio::time::Instant::now();
    let travels = SLOW + Duration::from_secs((bytes / SLOWEST_BYTES) as u64);
    tokio::pin!(answer);
    loop {
        let slice = SLOW.min(limit.saturating_sub(begun.elapsed()));
        let elapsed = match tokio::time::timeout(slice, &mut answer).await {
            Ok(answered) => return Ok(answered),
            Err(elapsed) => elapsed,
        };
        let (connection, seconds) = (line.id(), begun.elapsed().as_secs());
        if begun.elapsed() >= limit {
            return Err(elapsed);
        }
        tracing::warn!(
            connection,
            seconds,
            "the destination has not answered a statement yet: see SHOW PROCESSLIST there for a lock, and its \
             error log for a full disk, where it waits for room"
        );
        if begun.elapsed() < travels {
            continue;
        }
        let silent = tokio::select! {
            answered = &mut answer => return Ok(answered),
            silent = Box::pin(line.is_silent()) => silent,
        };
        if silent {
            tracing::warn!(
                connection,
                seconds,
                "the line to the destination is silent: it has nothing to do for this connection"
            );
            return tokio::time::timeout(ARRIVES, &mut answer).await;
        }
    }
}

/// Sends a packet and takes the answers one by one. None of its statements returns rows.
///
/// The library keeps the error of any statement but the first until the next read, and calls the
/// result empty meanwhile; so an answer counts only once the step after it has gone well.
async fn exchange(session: &mut Session, sql: &[u8], outcomes: &mut Vec<Outcome>) -> Result<(), Refusal> {
    let mut result = session.conn.query_iter(sql).await?;
    loop {
        let outcome = Outcome { affected: result.affected_rows(), warnings: result.warnings() };
        let last = result.is_empty();
        result.next().await?;
        outcomes.push(outcome);
        if last {
            return Ok(());
        }
    }
}
