//! Tries statements to find out which rows are at fault: see [`crate::dead_letter`].
//!
//! Everything happens inside of a transaction that the caller rolls back. A statement
//! that is refused, or that would lose something, leaves nothing behind.

use cdc_sdk::value::Row;
use cdc_sdk::{Error, Fate, Kind, Result};

use super::packet::Manner;
use super::rows;
use super::writer::{lossy, refused, too_large};
use crate::session::{Refusal, Session};
use crate::tables::Plan;

/// Rows a statement.
const ROWS_MAX: usize = 1000;
/// What a try goes back to.
const MARK: &str = "cdc_try";

/// Tries rows over a session.
pub(crate) struct Probe<'s> {
    session: &'s mut Session,
    bytes_max: usize,
}

/// How a statement went.
enum Tried {
    Well,
    /// It has too many bytes for what it holds.
    Split,
    /// These rows, or one of them.
    Refused(Error),
}

impl<'s> Probe<'s> {
    /// Statements have up to `bytes_max` bytes; a larger row goes alone.
    pub fn new(session: &'s mut Session, bytes_max: usize) -> Self {
        let bytes_max = bytes_max.min(session.packet_bytes_max / 2);
        Self { session, bytes_max }
    }

    /// The session, for what is not tried by rows.
    pub fn session(&mut self) -> &mut Session {
        self.session
    }

    /// Whether a row can be put into words at all, and fits a statement.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn words<R: Row>(&self, plan: &Plan, manner: Manner, row: &R) -> Result<()> {
        let sql = statement(plan, manner, &[row])?;
        let most = self.session.packet_bytes_max;
        if sql.len() > most { Err(too_large(plan, row, sql.len(), most)) } else { Ok(()) }
    }

    /// Writes all rows that can be written, and returns the others with what is wrong with each: `most` and
    /// one of them at most. Halves what is refused, so a few bad rows among many cost little.
    ///
    /// # Errors
    /// What is not the fault of a row.
    pub async fn rows<'a, R: Row>(
        &mut self,
        plan: &Plan,
        manner: Manner,
        rows: &[&'a R],
        most: usize,
    ) -> Result<Vec<(&'a R, Error)>> {
        let mut bad = Vec::new();
        let mut left: Vec<&[&'a R]> = rows.chunks(ROWS_MAX).rev().collect();
        while let Some(some) = left.pop() {
            match (self.one(plan, manner, some).await?, some) {
                (Tried::Well, _) => {}
                (Tried::Refused(error), [row]) => bad.push((*row, error)),
                (Tried::Split | Tried::Refused(_), _) => {
                    let (first, second) = some.split_at(some.len() / 2);
                    left.extend([second, first]);
                }
            }
            if bad.len() > most {
                break;
            }
        }
        Ok(bad)
    }

    async fn one<R: Row>(&mut self, plan: &Plan, manner: Manner, rows: &[&R]) -> Result<Tried> {
        let Some(first) = rows.first() else { return Ok(Tried::Well) };
        let sql = statement(plan, manner, rows)?;
        if sql.len() > self.bytes_max && rows.len() > 1 {
            return Ok(Tried::Split);
        }
        self.mark().await?;
        let error = match self.session.run(&sql).await {
            Ok(outcomes) if outcomes.iter().all(|o| o.warnings == 0) => return Ok(Tried::Well),
            Ok(_) => match super::writer::loss(self.session, plan).await? {
                None => return Ok(Tried::Well),
                Some(warning) => lossy(plan, *first, &warning),
            },
            Err(stumble) => {
                let error = refused(plan, *first, stumble.refusal);
                if error.fate() != Fate::Quarantine {
                    return Err(error);
                }
                error
            }
        };
        self.back().await?;
        Ok(Tried::Refused(error))
    }

    /// Sets the mark that [`Self::back`] goes back to.
    pub async fn mark(&mut self) -> Result<()> {
        self.control(&format!("SAVEPOINT {MARK}")).await
    }

    /// Undoes what was done since the mark.
    pub async fn back(&mut self) -> Result<()> {
        self.control(&format!("ROLLBACK TO SAVEPOINT {MARK}")).await
    }

    async fn control(&mut self, sql: &str) -> Result<()> {
        let lost = |r: Refusal| match r.kind {
            Kind::MysqlUnreachable => r.into_error("rows could not be tried"),
            // The server has rolled back the whole transaction: nothing is known of the rows.
            _ => Error::new(Kind::Conflict, "rows could not be tried").detail(r.message),
        };
        self.session.command(sql).await.map(|_| ()).map_err(lost)
    }
}

fn statement<R: Row>(plan: &Plan, manner: Manner, rows: &[&R]) -> Result<Vec<u8>> {
    let mut sql = manner.head(plan).as_bytes().to_vec();
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            sql.extend_from_slice(manner.between(plan));
        }
        manner.row(&mut sql, plan, *row).map_err(|e| named(e, plan, *row))?;
    }
    sql.extend_from_slice(manner.tail(plan).as_bytes());
    Ok(sql)
}

fn named<R: Row>(error: Error, plan: &Plan, row: &R) -> Error {
    error.at(format!("row {} of {}", rows::shown_key(plan, row), plan.target))
}
