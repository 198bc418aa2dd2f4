//! What is asked of the destination's rows: many small SELECTs in one, each of one row with its number, and locked.

use cdc_sdk::Result;
use cdc_sdk::value::Row;

use crate::apply::{rows, too_large};
use crate::fold::Net;
use crate::session::Session;
use crate::tables::Plan;

/// Rows asked about at once.
const ROWS_MAX: usize = 200;
/// Bytes of a question about several.
const BYTES_MAX: usize = 1 << 20;
/// What stands between two rows.
const UNION: &[u8] = b" UNION ALL ";

/// Asks.
pub(super) struct Question<'s> {
    session: &'s mut Session,
    sql: Vec<u8>,
    rows: usize,
    answers: Vec<Answer>,
}

/// What is known of a row that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// The number under which it was asked about.
    pub number: usize,
    /// The first thing asked; NULL is false.
    pub truth: bool,
    /// The second, as text; nothing for NULL.
    pub text: Vec<u8>,
}

impl<'s> Question<'s> {
    /// One without rows.
    pub fn new(session: &'s mut Session) -> Self {
        Self { session, sql: Vec::new(), rows: 0, answers: Vec::new() }
    }

    /// Asks two things, which `what` appends as `a,b`, of the row that has this key.
    ///
    /// # Errors
    /// A row whose question is larger than the server takes; what the server says to those before it.
    pub async fn row<R: Row>(
        &mut self,
        number: usize,
        plan: &Plan,
        net: &Net<'_, R>,
        what: impl FnOnce(&mut Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        let mut part = format!("(SELECT {number},").into_bytes();
        what(&mut part)?;
        part.extend_from_slice(format!(" FROM {} WHERE ", plan.target.sql()).as_bytes());
        let list = plan.sql.key.first().filter(|_| plan.sql.delete_in_list);
        if let Some((_, name)) = list {
            part.extend_from_slice(format!("{name} IN (").as_bytes());
        }
        rows::key(&mut part, plan, net.image)?;
        part.extend_from_slice(if list.is_some() { b") FOR UPDATE)" } else { b" FOR UPDATE)" });
        let most = self.session.packet_bytes_max;
        if part.len() > most {
            return Err(too_large(plan, net.image, part.len(), most));
        }
        let together = self.sql.len() + UNION.len() + part.len();
        if self.rows == ROWS_MAX || together > BYTES_MAX.min(most) {
            self.ask().await?;
        }
        if self.rows > 0 {
            self.sql.extend_from_slice(UNION);
        }
        self.sql.extend_from_slice(&part);
        self.rows += 1;
        Ok(())
    }

    /// What was answered, of the rows that are there.
    ///
    /// # Errors
    /// What the server says.
    pub async fn answers(mut self) -> Result<Vec<Answer>> {
        self.ask().await?;
        Ok(self.answers)
    }

    async fn ask(&mut self) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let found: Vec<(usize, Option<bool>, Option<Vec<u8>>)> = self
            .session
            .rows(&self.sql)
            .await
            .map_err(|r| r.into_error("rows could not be compared with the destination's"))?;
        self.answers.extend(found.into_iter().map(|(number, truth, text)| Answer {
            number,
            truth: truth.unwrap_or_default(),
            text: text.unwrap_or_default(),
        }));
        self.sql.clear();
        self.rows = 0;
        Ok(())
    }
}
