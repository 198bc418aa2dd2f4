//! Which table of the source each table of the destination belongs to.
//!
//! The rows of two would be taken for one table's: what TRUNCATE or a delete of one takes away could be the other's,
//! and nothing brings it back.

use std::collections::HashMap;

use cdc_sdk::{Error, Kind, Result, TableName};

use crate::session::Session;

/// The owners of the destination's tables, as far as this run has met them.
#[derive(Debug, Default)]
pub(super) struct Targets {
    owners: HashMap<TableName, TableName>,
    /// Whether the server compares names of tables without case.
    folds: Option<bool>,
}

impl Targets {
    /// Notes that rows of a table go there.
    ///
    /// # Errors
    /// [`Kind::Settings`] where those of another go there.
    pub async fn claim(
        &mut self,
        session: &mut Session,
        target: &TableName,
        source: &TableName,
    ) -> Result<()> {
        let folds = match self.folds {
            Some(folds) => folds,
            None => {
                let setting: Option<u8> =
                    session.row("SELECT @@lower_case_table_names").await.map_err(|r| {
                        r.into_error("whether names of tables have upper and lower case could not be read")
                    })?;
                *self.folds.insert(setting != Some(0))
            }
        };
        self.note(target, source, folds)
    }

    /// Nothing is left of a table's rows: another one's may come.
    pub fn free(&mut self, source: &TableName) {
        self.owners.retain(|_, owner| owner != source);
    }

    fn note(&mut self, target: &TableName, source: &TableName, folds: bool) -> Result<()> {
        let place = match folds {
            true => TableName::new(target.database.to_lowercase(), target.table.to_lowercase()),
            false => target.clone(),
        };
        let owner = self.owners.entry(place).or_insert_with(|| source.clone());
        if owner == source {
            return Ok(());
        }
        Err(Error::new(Kind::Settings, format!("{source} would be written into {target}, as {owner} is"))
            .detail("a TRUNCATE or a deleted row of one would take away rows of the other")
            .hint(
                "give each table of the source a table of its own by [[route]]; if the first one is gone at the \
                 source, start the sink again",
            ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_tables_do_not_share_one() {
        let table = |text: &str| {
            let (database, table) = text.split_once('.').unwrap();
            TableName::new(database, table)
        };
        for (folds, second, shared) in
            [(false, "x.all", true), (false, "x.ALL", false), (true, "X.All", true), (true, "x.other", false)]
        {
            let mut targets = Targets::default();
            for _ in 0..2 {
                targets.note(&table("x.all"), &table("shop.a"), folds).unwrap();
            }
            let noted = targets.note(&table(second), &table("shop.b"), folds);
            assert_eq!(noted.is_err(), shared, "{folds} {second}");
            // Once it is empty, and only then, the place is another's.
            targets.free(&table("shop.a"));
            assert!(targets.note(&table(second), &table("shop.b"), folds).is_ok(), "{folds} {second}");
            let again = targets.note(&table("x.all"), &table("shop.a"), folds);
            assert_eq!(again.is_err(), shared, "{folds} {second}");
        }
    }
}
