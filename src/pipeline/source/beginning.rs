//! What a session makes ready before its first cut. All that asks a server comes first: what is sent opens the Kafka
//! transaction, which has a time limit.

use std::collections::BTreeSet;

use cdc_mysql_source as mysql;
use cdc_sdk::Result;
use cdc_sdk::cut::CutKind;

use super::Road;
use super::schema_changes::Told;
use crate::pipeline::recovery;
use crate::pipeline::table_book::Stored;

impl Road<'_> {
    /// Up to the first cut, where the last session had that progress and ended with that cut.
    pub(super) async fn begin(
        &mut self,
        known: &[mysql::TableProgress],
        last: Option<CutKind>,
    ) -> Result<()> {
        let stored = self.prepare_tables().await?;
        self.refuse_private_snapshots().await?;
        let told = self.tables_to_tell(known).await?;
        self.store(&stored)?;
        self.tell(&told)?;
        self.first_cut(last)
    }

    /// Topics and schemas of the tables that the snapshot will read; returns what is to be stored of them.
    pub(super) async fn prepare_tables(&mut self) -> Result<Vec<Stored>> {
        let mut tables = Vec::new();
        let all = self.source.all_progress();
        self.book.claim(all.iter().map(|of| &of.table).filter(|name| self.source.captures(name)))?;
        for progress in &all {
            if !matches!(progress.state, mysql::TableState::Done { .. }) {
                tables.extend(self.source.shape_of(&progress.table).await?);
            } else if self.book.has_chosen_key(&progress.table)
                && let Some((_, table)) = self.source.shape_of(&progress.table).await?
            {
                self.book.check_key(&table)?;
            }
        }
        self.book.tell_idle_keys(&all.iter().map(|progress| &progress.table).collect::<Vec<_>>());
        self.book.prepare(&tables).await
    }

    /// What is told of the tables that were not captured before, with the cut that says so.
    async fn tables_to_tell(&self, known: &[mysql::TableProgress]) -> Result<Vec<Told>> {
        debug_assert!(!self.writer.is_open(), "the catalogue is asked inside a Kafka transaction");
        let Some(schema_changes) = &self.schema_changes else { return Ok(Vec::new()) };
        let known: BTreeSet<_> = known.iter().map(|progress| &progress.table).collect();
        let mut told = Vec::new();
        for progress in self.source.all_progress() {
            if !known.contains(&progress.table) && self.source.captures(&progress.table) {
                told.extend(
                    schema_changes.found(&progress.table, self.source.position(), &self.source).await?,
                );
            }
        }
        Ok(told)
    }

    pub(super) fn tell(&mut self, told: &[Told]) -> Result<()> {
        told.iter().try_for_each(|told| self.writer.schema_change(&told.key, &told.value))
    }

    pub(super) fn store(&mut self, stored: &[Stored]) -> Result<()> {
        stored.iter().try_for_each(|stored| self.writer.state(&stored.key, &stored.json))
    }

    /// A source always writes a cut at its start: it makes its position and its
    /// list of tables durable before anything else.
    fn first_cut(&mut self, last: Option<CutKind>) -> Result<()> {
        for progress in self.source.all_progress() {
            self.writer.state(&recovery::snapshot_key(&progress), &progress.to_json())?;
        }
        let kind = match (last, &self.source.position().partial) {
            (Some(CutKind::Continues), Some(_)) => CutKind::Continues,
            (Some(CutKind::Continues), None) => CutKind::Abandoned,
            _ => CutKind::Complete,
        };
        self.cut(kind)
    }
}
