//! Columns that only the destination has, of rows that go and come back: they are kept meanwhile.
//!
//! In a temporary table, filled and read by the server: so every value comes back as it was whatever its type,
//! and however many there are, none is held here. It is a copy of the rows under the lock under which they
//! go, so that nobody's change falls between. The table itself is in no binlog, and nobody else sees it.

use std::sync::Arc;

use cdc_sdk::name::quoted;
use cdc_sdk::value::Row;
use cdc_sdk::{Error, Kind, Result, TableName};

use super::rows;
use super::writer::Writer;
use crate::tables::Plan;

/// Rows a statement.
const ROWS_MAX: usize = 1000;
/// The temporary table; a table of that name has its rows kept in the other.
const NAMES: [&str; 2] = ["cdc_kept", "cdc_kept_rows"];
/// Its primary key: servers may demand one.
const NUMBER: &str = "cdc_kept_number";

/// What is kept of the rows of a table.
pub(super) struct Kept {
    target: TableName,
    place: String,
    /// What says which row is meant, quoted.
    key: Vec<String>,
    /// The columns that are kept, quoted.
    own: Vec<String>,
    /// All others that can be written, quoted.
    others: Vec<String>,
}

impl Kept {
    fn of(plans: &[Arc<Plan>], own: &[&str]) -> Result<Self> {
        let first = plans.first().ok_or_else(|| Error::new(Kind::Bug, "rows without a plan"))?;
        let mut others: Vec<String> = Vec::new();
        for plan in plans {
            let written = plan.names.iter().zip(&plan.forms).filter(|(_, form)| form.is_some());
            others.extend(written.map(|(name, _)| quoted(name)));
        }
        others.sort_unstable();
        others.dedup();
        let name =
            NAMES.iter().find(|name| !first.target.table.eq_ignore_ascii_case(name)).unwrap_or(&NUMBER);
        Ok(Self {
            place: TableName::new(&first.target.database, *name).sql(),
            target: first.target.clone(),
            key: first.sql.key.iter().map(|(_, name)| name.clone()).collect(),
            own: own.iter().map(|name| quoted(name)).collect(),
            others,
        })
    }

    fn columns(&self) -> String {
        self.key.iter().chain(&self.own).map(String::as_str).collect::<Vec<_>>().join(",")
    }

    /// Makes room for the columns `own`.
    ///
    /// # Errors
    /// What the server says: it must allow CREATE TEMPORARY TABLES.
    pub async fn make<'a, R: Row + Sync>(
        writer: &mut Writer<'_, 'a, R>,
        plans: &[Arc<Plan>],
        own: &[&str],
    ) -> Result<Self> {
        let kept = Self::of(plans, own)?;
        let sql = format!(
            "CREATE TEMPORARY TABLE {} ({NUMBER} BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY) \
             ENGINE = InnoDB SELECT {} FROM {} WHERE FALSE",
            kept.place,
            kept.columns(),
            kept.target.sql()
        );
        match writer.alone(sql.as_bytes(), || kept.failed()).await {
            Ok(()) => Ok(kept),
            Err(error) if error.kind() == Kind::MysqlDenied => Err(error.hint(format!(
                "GRANT CREATE TEMPORARY TABLES ON {}.* TO the sink's account",
                quoted(&kept.target.database)
            ))),
            Err(error) => Err(error),
        }
    }

    /// Keeps them of these rows (by schema), as far as they are there.
    ///
    /// # Errors
    /// What the server says.
    pub async fn keep<'a, R: Row + Sync>(
        &self,
        writer: &mut Writer<'_, 'a, R>,
        plans: &[Arc<Plan>],
        rows: &[Vec<&'a R>],
    ) -> Result<()> {
        for (plan, rows) in plans.iter().zip(rows) {
            for rows in rows.chunks(ROWS_MAX) {
                self.fill(writer, plan, rows).await?;
            }
        }
        Ok(())
    }

    async fn fill<'a, R: Row + Sync>(
        &self,
        writer: &mut Writer<'_, 'a, R>,
        plan: &Plan,
        rows: &[&R],
    ) -> Result<()> {
        let (columns, in_list) = (self.columns(), plan.sql.delete_in_list);
        let mut head = format!(
            "INSERT INTO {} ({columns}) SELECT {columns} FROM {} WHERE ",
            self.place,
            self.target.sql()
        );
        if in_list {
            head.push_str(&format!("{} IN (", self.key.join(",")));
        }
        let tail: &[u8] = if in_list { b") FOR UPDATE" } else { b" FOR UPDATE" };
        let between: &[u8] = if in_list { b"," } else { b" OR " };
        let mut sql = head.clone().into_bytes();
        for (index, row) in rows.iter().enumerate() {
            if sql.len() > head.len() {
                sql.extend_from_slice(between);
            }
            rows::key(&mut sql, plan, *row)?;
            if sql.len() >= writer.bytes_max() || index + 1 == rows.len() {
                sql.extend_from_slice(tail);
                writer.alone(&sql, || self.failed()).await?;
                sql.truncate(head.len());
            }
        }
        Ok(())
    }

    /// Gives the rows, which are there again, what was kept. Every other column is set to itself: one that takes the time
    /// of each change by itself would else change.
    ///
    /// # Errors
    /// What the server says.
    pub async fn give_back<'a, R: Row + Sync>(&self, writer: &mut Writer<'_, 'a, R>) -> Result<()> {
        let (target, place) = (self.target.sql(), &self.place);
        let same: Vec<String> = self.key.iter().map(|key| format!("t.{key} = kept.{key}")).collect();
        let own = self.own.iter().map(|column| format!("t.{column} = kept.{column}"));
        let others = self.others.iter().map(|column| format!("t.{column} = t.{column}"));
        let set: Vec<String> = own.chain(others).collect();
        let sql = format!(
            "UPDATE {target} AS t JOIN {place} AS kept ON {} SET {}",
            same.join(" AND "),
            set.join(",")
        );
        writer.alone(sql.as_bytes(), || self.failed()).await
    }

    /// Takes the table away, whatever came of it: of a transaction that is rolled back it would stay.
    ///
    /// # Errors
    /// What came of it; what the server says.
    pub async fn end<'a, R: Row + Sync>(
        self,
        writer: &mut Writer<'_, 'a, R>,
        done: Result<()>,
    ) -> Result<()> {
        let sql = format!("DROP TEMPORARY TABLE {}", self.place);
        match done {
            Ok(()) => writer.alone(sql.as_bytes(), || self.failed()).await,
            Err(error) => {
                if let Err(refusal) = writer.after_error(sql.as_bytes()).await {
                    tracing::debug!(?refusal, "a temporary table goes with its session");
                }
                Err(error)
            }
        }
    }

    fn failed(&self) -> String {
        format!(
            "columns of {} that only the destination has could not be kept while rows took each other's unique values",
            self.target
        )
    }
}
