//! Debezium's `include.schema.changes`: the topic of the prefix tells each statement that changed a captured
//! table, with the table as it is then, and each table once when it is first captured.
//!
//! Its records go out with the cut of the statement, one for each table. Statements are told as they stand in the
//! log. A TRUNCATE is an event of the table's own topic, and is not told here (nor by Debezium).
//!
//! The table is the catalogue's of the moment in which the statement is read: behind a lag it may be later. Rows do not
//! depend on it; their own schemas are exact.

use cdc_mysql_source::{DdlEvent, Effect, Source};
use cdc_sdk::change::Origin;
use cdc_sdk::{Position, Result, TableName};

use super::meta;
use crate::avro::{Happened, Registry, SchemaChangeIds, Snapshot};
use crate::observe::now_us;

/// A record that is to be sent.
pub(super) struct Told {
    pub key: Vec<u8>,
    pub value: Vec<u8>,
}

/// The topic, ready to be written.
pub(super) struct SchemaChanges {
    ids: SchemaChangeIds,
    prefix: String,
}

impl SchemaChanges {
    /// Registers the schemas.
    pub async fn register(registry: &Registry, topic: &str) -> Result<Self> {
        Ok(Self { ids: SchemaChangeIds::register(registry, topic).await?, prefix: topic.to_owned() })
    }

    /// A table that is captured for the first time.
    pub async fn found(
        &self,
        name: &TableName,
        position: &Position,
        source: &Source,
    ) -> Result<Option<Told>> {
        let Some(statement) = source.statement_of(name).await? else { return Ok(None) };
        let table = source.shape_of(name).await?.map(|(_, table)| table);
        let (file, pos) = (position.file.as_str().into(), position.pos);
        let origin = Origin { ts_us: now_us(), file, pos, ..Origin::default() };
        let meta = meta(&self.prefix, &origin, 0, Snapshot::True);
        let value = self.ids.value(&meta, name, &statement, (Happened::Created, table.as_deref()));
        Ok(Some(Told { key: self.ids.key(&name.database), value }))
    }

    /// What a statement did.
    pub async fn stated(&self, ddl: &DdlEvent, source: &Source) -> Result<Vec<Told>> {
        let mut told = Vec::new();
        for (name, happened) in happenings(ddl, |name| source.captures(name)) {
            let table = if happened == Happened::Dropped {
                None
            } else {
                source.table_after(name, &ddl.origin).await?
            };
            let meta = meta(&self.prefix, &ddl.origin, 0, Snapshot::False);
            let value = self.ids.value(&meta, name, &ddl.statement, (happened, table.as_ref()));
            told.push(Told { key: self.ids.key(&name.database), value });
        }
        Ok(told)
    }
}

/// What became of each captured table, once, in the order of the statement; nothing where there was none.
fn happenings(ddl: &DdlEvent, captured: impl Fn(&TableName) -> bool) -> Vec<(&TableName, Happened)> {
    if ddl.statement.is_empty() {
        return Vec::new();
    }
    let mut all: Vec<(&TableName, Happened)> = Vec::new();
    for (at, effect) in ddl.effects.iter().enumerate() {
        let later = ddl.effects.get(at + 1..).unwrap_or_default();
        let renamed = |effects: &[Effect], name: &TableName| {
            effects.iter().any(|effect| matches!(effect, Effect::Rename { from, .. } if from == name))
        };
        let (name, happened) = match effect {
            Effect::Create(name) => (name, Happened::Created),
            Effect::Drop(name) => (name, Happened::Dropped),
            // A name that stands for a moment only, as in a swap.
            Effect::Rename { to, .. } if renamed(later, to) => continue,
            Effect::Rename { to, .. } if captured(to) => (to, Happened::Altered),
            Effect::Rename { from, .. } => (from, Happened::Dropped),
            Effect::Truncate(_) | Effect::DropDatabase(_) | Effect::Unknown { table: None } => continue,
            Effect::Reshape(name)
            | Effect::Column { table: name, .. }
            | Effect::Default { table: name, .. }
            | Effect::Rewrite { table: name, .. }
            | Effect::Metadata(name)
            | Effect::Unknown { table: Some(name) } => match renamed(&ddl.effects, name) {
                true => continue,
                false => (name, Happened::Altered),
            },
        };
        if !captured(name) {
            continue;
        }
        match all.iter_mut().find(|(told, _)| *told == name) {
            Some((_, Happened::Created)) if happened == Happened::Altered => {}
            Some((_, last)) => *last = happened,
            None => all.push((name, happened)),
        }
    }
    all
}

#[cfg(test)]
mod tests;
