//! A packet: statements that are sent together, and what is expected of each.

use cdc_sdk::Result;
use cdc_sdk::value::Row;

use super::rows;
use super::writer::too_large;
use crate::tables::Plan;

/// How rows are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Deleted by key; those that are not there do not matter.
    Delete,
    /// Deleted by key where it is spelled just so: keys that a collation calls equal stay.
    DeleteExact,
    /// Inserted, or changed where the key is there; a row of another key in the way is an error.
    Upsert,
    /// Inserted; whatever is in the way goes.
    Replace,
    /// Inserted; anything in the way is an error.
    Insert,
}

impl Manner {
    /// What stands before the rows.
    pub fn head(self, plan: &Plan) -> &str {
        match self {
            Self::Delete => &plan.sql.delete,
            Self::DeleteExact => &plan.sql.remove,
            Self::Upsert | Self::Insert => &plan.sql.insert,
            Self::Replace => &plan.sql.replace,
        }
    }

    /// What stands behind them.
    pub fn tail(self, plan: &Plan) -> &str {
        match self {
            Self::Delete if plan.sql.delete_in_list => ")",
            Self::Delete | Self::DeleteExact => "",
            Self::Upsert => &plan.sql.upsert_tail,
            Self::Replace | Self::Insert => "",
        }
    }

    /// What stands between two rows.
    pub fn between(self, plan: &Plan) -> &'static [u8] {
        match self {
            Self::Delete if !plan.sql.delete_in_list => b" OR ",
            Self::DeleteExact => b" OR ",
            Self::Delete | Self::Upsert | Self::Replace | Self::Insert => b",",
        }
    }

    /// Appends one row.
    pub fn row<R: Row>(self, out: &mut Vec<u8>, plan: &Plan, row: &R) -> Result<()> {
        let of_table = |e: cdc_sdk::Error| e.at(&plan.target);
        match self {
            Self::Delete => rows::key(out, plan, row).map_err(of_table),
            Self::DeleteExact => rows::exact_key(out, plan, row).map_err(of_table),
            Self::Upsert | Self::Replace | Self::Insert => rows::tuple(out, plan, row)
                .map_err(|e| e.at(format!("row {} of {}", rows::shown_key(plan, row), plan.target))),
        }
    }
}

/// One statement of a packet.
#[derive(Debug)]
pub(crate) enum Step<'a, R> {
    /// Begins a transaction, or stores what needs no answer.
    Control,
    /// The ledger's compare-and-set: it must affect one row.
    Ledger,
    /// Rows of a table.
    Rows {
        /// How they are written.
        plan: &'a Plan,
        /// In which manner.
        manner: Manner,
        /// Which.
        rows: Vec<&'a R>,
    },
    /// Rows without identity that are equal to this one: it must affect as many as it says.
    Remove {
        /// How they are compared.
        plan: &'a Plan,
        /// The row.
        row: &'a R,
        /// How many of them.
        count: u64,
    },
}

/// How much goes into a packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes at which it is full. A row that is larger goes alone.
    pub bytes: usize,
    /// Bytes that the server takes.
    pub server_bytes: usize,
}

/// Statements that are sent together.
#[derive(Debug)]
pub(crate) struct Packet<'a, R> {
    /// The statements, separated by semicolons.
    pub sql: Vec<u8>,
    /// What each is.
    pub steps: Vec<Step<'a, R>>,
}

impl<'a, R> Packet<'a, R> {
    /// An empty one.
    pub fn new() -> Self {
        Self { sql: Vec::new(), steps: Vec::new() }
    }

    /// Adds a statement that is complete.
    pub fn push(&mut self, sql: &str, step: Step<'a, R>) {
        self.begin(sql);
        self.steps.push(step);
    }

    /// Begins a statement; its step is pushed when it is complete. Returns where it begins.
    pub fn begin(&mut self, head: &str) -> usize {
        let start = self.sql.len();
        if start > 0 {
            self.sql.push(b';');
        }
        self.sql.extend_from_slice(head.as_bytes());
        start
    }

    /// Adds a statement with as many of the rows as there is room for. Returns how many those
    /// are, and whether the packet is full.
    pub fn fill(
        &mut self,
        plan: &'a Plan,
        manner: Manner,
        rows: &[&'a R],
        limits: Limits,
    ) -> Result<(usize, bool)>
    where
        R: Row,
    {
        let start = self.begin(manner.head(plan));
        let tail = manner.tail(plan);
        let mut taken = 0;
        for row in rows {
            let end = self.sql.len();
            if taken > 0 {
                self.sql.extend_from_slice(manner.between(plan));
            }
            manner.row(&mut self.sql, plan, *row)?;
            // Its end counts, too: an upsert names every column there.
            let bytes = self.sql.len() + tail.len();
            let over = bytes > limits.bytes;
            if over && taken > 0 {
                self.sql.truncate(end);
                break;
            }
            if over && start > 0 {
                self.sql.truncate(start);
                return Ok((0, true));
            }
            if bytes > limits.server_bytes {
                return Err(too_large(plan, *row, bytes, limits.server_bytes));
            }
            taken += 1;
        }
        self.sql.extend_from_slice(tail.as_bytes());
        let full = taken < rows.len() || self.sql.len() >= limits.bytes;
        let rows = rows.iter().take(taken).copied().collect();
        self.steps.push(Step::Rows { plan, manner, rows });
        Ok((taken, full))
    }

    /// Adds a delete of rows without identity. Returns whether there was room for it, and whether the packet is full.
    pub fn remove(&mut self, plan: &'a Plan, row: &'a R, count: u64, limits: Limits) -> Result<(bool, bool)>
    where
        R: Row,
    {
        let start = self.begin(&plan.sql.remove);
        rows::condition(&mut self.sql, plan, row)?;
        self.sql.extend_from_slice(format!(" LIMIT {count}").as_bytes());
        if self.sql.len() > limits.bytes && start > 0 {
            self.sql.truncate(start);
            return Ok((false, true));
        }
        if self.sql.len() > limits.server_bytes {
            return Err(too_large(plan, row, self.sql.len(), limits.server_bytes));
        }
        self.steps.push(Step::Remove { plan, row, count });
        Ok((true, self.sql.len() >= limits.bytes))
    }

    /// Empties it; the buffer is kept for the next one unless a large row has blown it up.
    pub fn clear(&mut self, bytes_max: usize) {
        self.sql.clear();
        self.sql.shrink_to(bytes_max.saturating_mul(2));
        self.steps.clear();
    }
}

#[cfg(test)]
mod tests;
