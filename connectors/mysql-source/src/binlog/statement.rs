//! QUERY events: what a statement does to the transaction and to captured tables.

use cdc_sdk::pattern::Selection;
use cdc_sdk::{Error, Kind, Result, TableName};

use super::collations::Collations;
use super::event::query::Query;
use crate::ddl::{Dialect, Effect, Sense, classify};
use crate::decode::Charset;

/// A statement in UTF-8, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    pub text: String,
    pub database: String,
    pub sense: Sense,
    /// The databases that it wrote to, where told.
    pub updated: Option<Vec<String>>,
    pub thread: u32,
}

impl Statement {
    /// Reads a QUERY event. `fold_names`: the server folds the names of tables.
    pub fn read(query: &Query<'_>, collations: &Collations, fold_names: bool) -> Self {
        let database = String::from_utf8_lossy(query.database).into_owned();
        let text = text(query, collations);
        let dialect = Dialect {
            ansi_quotes: query.context.ansi_quotes,
            no_backslash_escapes: query.context.no_backslash_escapes,
            implicit_timestamps: !query.context.explicit_timestamps,
            fold_names,
        };
        let sense = classify(&text, &database, dialect);
        Self { text, database, sense, updated: query.context.updated.clone(), thread: query.thread }
    }

    /// The statement's start, for messages.
    pub fn excerpt(&self) -> String {
        const SHOWN: usize = 120;
        let mut short: String = self.text.chars().take(SHOWN).collect();
        if short.len() < self.text.len() {
            short.push('…');
        }
        short
    }

    /// Refuses a change of rows that was logged as a statement, unless it only wrote
    /// to databases of which nothing is captured (as told by the server, triggers
    /// included).
    pub fn refuse_dml(&self, selection: &Selection) -> Result<()> {
        let elsewhere = self
            .updated
            .as_ref()
            .is_some_and(|all| !all.is_empty() && !all.iter().any(|d| selection.may_select_in(d)));
        if elsewhere {
            return Ok(());
        }
        Err(Error::new(Kind::BinlogUnsupported, "a change was logged as a statement instead of by rows")
            .detail(self.excerpt())
            .hint("SET GLOBAL binlog_format = ROW; and in sessions that set it. To get past this event: leave the databases that it changed out ([capture] exclude = [\"database.*\"]), run the source until it is past it, then take them in again: they are read anew"))
    }
}

/// The text in the client's character set, which is UTF-8 nearly always. Where that
/// cannot be read the keywords still can, and names that do not survive match nothing
/// that is captured by a pattern without them.
fn text(query: &Query<'_>, collations: &Collations) -> String {
    let collation = query.context.client_collation.and_then(|id| collations.get(u32::from(id)));
    let charset = collation.and_then(|c| Charset::from_name(&c.charset)).unwrap_or(Charset::Utf8);
    let mut scratch = Vec::new();
    match charset.decode(query.statement, &mut scratch) {
        Ok(text) => text.to_owned(),
        Err(_) => String::from_utf8_lossy(query.statement).into_owned(),
    }
}

/// The effects that concern captured tables.
pub(crate) fn captured(effects: Vec<Effect>, selection: &Selection) -> Vec<Effect> {
    let selected = |name: &TableName| selection.selects(name);
    effects
        .into_iter()
        .filter(|effect| match effect {
            Effect::DropDatabase(database) => selection.may_select_in(database),
            Effect::Unknown { table: None } => true,
            other => other.tables().into_iter().any(selected),
        })
        .collect()
}

/// The effects of a statement whose names may be those of temporary tables: whether the tables of these names were
/// changed cannot be told. CREATE and DROP say themselves which of the two they mean, as the server logs them.
pub(crate) fn of_session(effects: Vec<Effect>) -> Vec<Effect> {
    let mut unsure: Vec<Effect> = Vec::new();
    for effect in effects {
        let tables = effect.tables().into_iter().map(|table| Effect::Unknown { table: Some(table.clone()) });
        let told = match &effect {
            Effect::Create(_) | Effect::Drop(_) | Effect::DropDatabase(_) | Effect::Unknown { .. } => {
                vec![effect]
            }
            _ => tables.collect(),
        };
        told.into_iter().for_each(|effect| {
            if !unsure.contains(&effect) {
                unsure.push(effect)
            }
        });
    }
    unsure
}
