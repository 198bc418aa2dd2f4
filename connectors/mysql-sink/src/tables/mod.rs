//! Tables: what the destination has, what the source's rows need, and how the one becomes the other.
//!
//! The source's table travels with its events, so nothing is asked of the source.
//! For each writer schema there is one [`Plan`], made once and found by pointer
//! afterwards: in steady state this module costs one lookup a table and batch.
//!
//! DDL commits by itself, so it runs on a session of its own (an open
//! transaction of rows is not touched) and before the rows that need it. It is
//! idempotent: what to do is always the difference between the catalogue and what
//! is wanted, and after a crash in between that difference is what is left.
//! Foreign keys are not made: rows of a batch are written in any order, and the
//! source has checked them. Columns and keys that only the destination has are left alone.

mod catalogue;
mod type_text;
mod definition;
mod implicit;
mod adjusted;
mod past;
mod difference;
mod fit;
mod columns;
mod computed;
mod keys;
mod own;
mod unique;
mod plan;
mod targets;

use std::collections::HashMap;
use std::sync::Arc;

use cdc_sdk::{Column, Error, Kind, Result, Table, TableName};

use crate::session::Session;
use crate::settings::{SchemaMode, Settings};
use catalogue::Catalogue;
use difference::{Aim, Difference};
use past::Past;
pub(crate) use plan::{Comparison, Plan, Right, strange_keys_named};
use targets::Targets;

/// Plans kept before all are made anew: more than any pipeline has tables, with room for old schemas.
const PLANS_MAX: usize = 65_536;

/// How often plans of one batch are made until none needs DDL: the first time changes the destination for the newest
/// schema, the second lets it hold rows of older ones. Schemas that contradict each other come to no end.
const ROUNDS_MAX: usize = 3;

/// How long to wait for another sink of the name that changes a table. Then the whole is tried again.
const TURN_SECONDS_MAX: u32 = 300;

/// What a server says that demands a primary key: ER_TABLE_WITHOUT_PK; ER_NOT_SUPPORTED_YET, of a key that goes where
/// tables get one of their own.
const KEY_DEMANDED: [u16; 2] = [3750, 1235];

/// The destination's tables as this sink knows them.
pub(crate) struct Tables {
    session: Session,
    /// By the address of the source's table: it is only compared, and the `Arc` beside it keeps it from being reused.
    plans: HashMap<usize, (Arc<Table>, Arc<Plan>)>,
    past: Past,
    targets: Targets,
    /// How often a table was changed: plans that were made before are of another one.
    changes: u64,
}

impl Tables {
    /// Over a session for DDL.
    pub fn new(session: Session) -> Self {
        let (plans, past, targets) = (HashMap::new(), Past::default(), Targets::default());
        Self { session, plans, past, targets, changes: 0 }
    }

    /// The plan for the rows of a table, where there is one already.
    pub fn known(&self, table: &Arc<Table>) -> Option<Arc<Plan>> {
        self.plans.get(&address(table)).map(|(_, plan)| Arc::clone(plan))
    }

    /// Whether rows of an older schema get the value that the source gave them for a column without NULL and default.
    pub fn gives_value(&self, column: &Column) -> bool {
        implicit::value(&column.ty, self.session.version).is_some()
    }

    /// How often a table was changed. Plans that are used together must all be made after the last time.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Forgets the plans for these plans' tables, which look otherwise than they say. `false` where one of the
    /// tables is gone: an empty one in its place would hide that.
    ///
    /// # Errors
    /// What the server says.
    pub async fn look_again(&mut self, plans: &[Vec<Arc<Plan>>]) -> Result<bool> {
        for plan in plans.iter().flatten() {
            if !self.has(&plan.target).await? {
                return Ok(false);
            }
            self.plans.retain(|_, (_, known)| known.target != plan.target);
        }
        Ok(true)
    }

    /// Where the rows of a table of the source go: no other's go there.
    ///
    /// # Errors
    /// [`Kind::Settings`] where another one's have gone there.
    pub async fn target(&mut self, settings: &Settings, source: &TableName) -> Result<TableName> {
        let target = settings.target(source)?;
        self.targets.claim(&mut self.session, &target, source).await?;
        Ok(target)
    }

    /// A table of the source has been emptied, here as there: it may have gone, and another may have its place, as where
    /// only the letters of its name have changed. Should rows of it come again, its place is asked for anew.
    pub fn emptied(&mut self, source: &TableName) {
        self.targets.free(source);
        self.plans.retain(|_, (table, _)| table.name != *source);
    }

    /// The plans of schemas whose rows are written together, in their order, all of them made after the last change of a
    /// table: one that was made before may lack a key or a column.
    ///
    /// # Errors
    /// As [`Self::plan`].
    pub async fn all(&mut self, settings: &Settings, schemas: &[&Arc<Table>]) -> Result<Vec<Arc<Plan>>> {
        let mut plans = Vec::with_capacity(schemas.len());
        for round in 0..ROUNDS_MAX {
            let before = self.changes;
            plans.clear();
            for schema in schemas {
                plans.push(match settings.by_key {
                    true => self.plan_in_turn(settings, schema, round).await?,
                    false => self.plan(settings, schema, round).await?,
                });
            }
            if self.changes == before {
                break;
            }
        }
        Ok(plans)
    }

    /// The plan for the rows of a table; makes or changes the destination's table as the settings allow. `round`: how
    /// often the plans that it is used with were made before.
    ///
    /// # Errors
    /// [`Kind::TableMismatch`] with both definitions, or what the server says to the DDL.
    pub async fn plan(&mut self, settings: &Settings, table: &Arc<Table>, round: usize) -> Result<Arc<Plan>> {
        if let Some(plan) = self.known(table) {
            return Ok(plan);
        }
        settings.check_record_key(table)?;
        let target = self.target(settings, &table.name).await?;
        let here = implicit::possible(computed::as_written(settings, table), self.session.version);
        let here = match settings.schema {
            SchemaMode::Extend => match self.catalogue(&target).await? {
                Some(found) => adjusted::as_there(here, &found),
                None => here,
            },
            SchemaMode::Evolve | SchemaMode::Check | SchemaMode::None => here,
        };
        let (catalogue, changed) = self.fitting(settings, &here, &target, round > 0).await?;
        if self.plans.len() >= PLANS_MAX {
            self.plans.clear();
        }
        if changed {
            self.changes += 1;
            self.plans.retain(|_, (_, plan)| plan.target != target);
        }
        self.past.note(table);
        let plan = Arc::new(Plan::new(&here, target, &catalogue, self.session.version)?);
        self.plans.insert(address(table), (Arc::clone(table), Arc::clone(&plan)));
        Ok(plan)
    }

    /// As [`Self::plan`], where several sinks of the name make and change tables, one at a time.
    pub async fn plan_in_turn(
        &mut self,
        settings: &Settings,
        table: &Arc<Table>,
        round: usize,
    ) -> Result<Arc<Plan>> {
        if let Some(plan) = self.known(table) {
            return Ok(plan);
        }
        let lock = crate::apply::text(&format!("cdc_ddl_{}", settings.name));
        let what = || format!("the turn to make or change {} could not be had", table.name);
        let sql = format!("SELECT COALESCE(GET_LOCK({lock}, {TURN_SECONDS_MAX}), 0)");
        let got: Option<u8> = self.session.row(&sql).await.map_err(|r| r.into_error(what()))?;
        if got != Some(1) {
            return Err(Error::new(Kind::Conflict, what())
                .detail(format!("another sink of the name has been at it for {TURN_SECONDS_MAX} s")));
        }
        let plan = self.plan(settings, table, round).await;
        let freed = self.session.command(&format!("DO RELEASE_LOCK({lock})")).await;
        let plan = plan?;
        freed.map(|_| plan).map_err(|r| r.into_error(what()))
    }

    /// The catalogue of a table that can hold the source's rows, and whether DDL was needed for it.
    async fn fitting(
        &mut self,
        settings: &Settings,
        table: &Table,
        target: &TableName,
        again: bool,
    ) -> Result<(Catalogue, bool)> {
        let mode = settings.schema;
        let mut changed = false;
        let mut found = match self.catalogue(target).await? {
            Some(found) => found,
            None => {
                self.create(mode, table, target).await?;
                changed = true;
                self.catalogue(target).await?.ok_or_else(|| vanished(target))?
            }
        };
        let mut difference = self.difference(settings, table, &found, target, again);
        let is_spelling = changed && difference.only_spellings().is_some();
        if !difference.is_empty() && !is_spelling {
            if !mode.changes() || !difference.is_mendable() {
                return Err(difference.into_error(table, target));
            }
            if difference.is_lossy() && self.has_rows(target).await? {
                return Err(difference.into_lossy_error(table, target));
            }
            if difference.is_stripped() && self.has_rows(target).await? {
                return Err(difference.into_stripped_error(table, target));
            }
            if difference.adds_unknown() && self.has_rows(target).await? {
                let what = "a column comes without a default: rows that are there have NULL, 0 or '' in it. Where the source \
                            gave them other values (an expression as default, RENAME COLUMN), let Debezium read the table \
                            once more (an incremental snapshot)";
                tracing::warn!(table = %target, columns = difference.unknown(), what);
            }
            for sql in difference.alters(target) {
                tracing::info!(table = %target, sql, "the table is changed to hold the source's rows");
                self.define(&sql, target).await?;
            }
            changed = true;
            found = self.catalogue(target).await?.ok_or_else(|| vanished(target))?;
            difference = self.difference(settings, table, &found, target, again);
        }
        match difference.only_spellings() {
            _ if difference.is_empty() => {}
            Some(spellings) if changed => {
                for (theirs, ours) in spellings {
                    let what = "the destination's server spells the expression of a generated column in its own way: it \
                                is taken for the same";
                    tracing::warn!(table = %target, source = theirs, destination = ours, what);
                }
                self.past.accept(spellings.to_vec());
            }
            Some(_) | None => return Err(difference.into_error(table, target)),
        }
        Ok((found, changed))
    }

    fn difference(
        &self,
        settings: &Settings,
        table: &Table,
        found: &Catalogue,
        target: &TableName,
        again: bool,
    ) -> Difference {
        let (mode, by_key, version) = (settings.schema, settings.by_key, self.session.version);
        Difference::between(table, found, target, &Aim { mode, by_key, again, version, past: &self.past })
    }

    async fn has_rows(&mut self, target: &TableName) -> Result<bool> {
        let row: Option<u8> = self
            .session
            .row(&format!("SELECT 1 FROM {} LIMIT 1", target.sql()))
            .await
            .map_err(|r| r.into_error(format!("{target} could not be looked into")))?;
        Ok(row.is_some())
    }

    async fn create(&mut self, mode: SchemaMode, table: &Table, target: &TableName) -> Result<()> {
        let sql = definition::create_table(table, target);
        if !mode.changes() {
            return Err(Error::new(
                Kind::TableMismatch,
                format!("table {target} is missing at the destination"),
            )
            .hint(format!("set schema = \"evolve\", or create it:\n{sql}")));
        }
        tracing::info!(table = %target, "the table is created");
        let question = format!(
            "SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = {}",
            crate::apply::text(&target.database)
        );
        let there = self.session.row::<u8>(&question).await;
        if there
            .map_err(|r| r.into_error(format!("the database of {target} could not be looked up")))?
            .is_none()
        {
            self.define(
                &format!("CREATE DATABASE IF NOT EXISTS {}", cdc_sdk::name::quoted(&target.database)),
                target,
            )
            .await?;
        }
        self.define(&sql, target).await
    }

    async fn define(&mut self, sql: &str, target: &TableName) -> Result<()> {
        if let Err(refusal) = self.session.define(sql).await {
            let for_want_of_a_key = KEY_DEMANDED.contains(&refusal.code);
            let error = refusal.into_error(format!("the definition of {target} was refused")).at(brief(sql));
            return Err(match self.session.key_demands.as_slice() {
                [] => error,
                demands if for_want_of_a_key => error.hint(format!(
                    "{} = ON there: GRANT SESSION_VARIABLES_ADMIN ON *.* TO the sink's account, which turns it off for \
                     its own session",
                    demands.join(", ")
                )),
                _ => error,
            });
        }
        cdc_sdk::fail::point("sink.table_made");
        Ok(())
    }

    /// Whether the destination has a table of that name.
    ///
    /// # Errors
    /// What the server says.
    pub async fn has(&mut self, target: &TableName) -> Result<bool> {
        Ok(self.catalogue(target).await?.is_some())
    }

    /// The columns of the primary key that a table has at the destination, none where it has no such key; `None` where there
    /// is no such table.
    ///
    /// # Errors
    /// What the server says.
    pub async fn primary_key(&mut self, target: &TableName) -> Result<Option<Vec<String>>> {
        let Some(found) = self.catalogue(target).await? else { return Ok(None) };
        let parts =
            found.keys.iter().find(|key| key.name == "PRIMARY").into_iter().flat_map(|key| &key.parts);
        Ok(Some(parts.filter_map(|part| part.column().map(str::to_owned)).collect()))
    }

    async fn catalogue(&mut self, target: &TableName) -> Result<Option<Catalogue>> {
        let read = Catalogue::read(&mut self.session, target).await;
        read.map_err(|r| r.into_error(format!("the catalogue of {target} could not be read")))
    }

    /// Ends the session.
    pub async fn close(self) {
        self.session.close().await;
    }
}

/// By what a schema is known to this process.
pub(crate) fn address(table: &Arc<Table>) -> usize {
    Arc::as_ptr(table).addr()
}

fn brief(sql: &str) -> String {
    sql.chars().take(200).collect()
}

fn vanished(target: &TableName) -> Error {
    Error::new(Kind::TableMismatch, format!("table {target} was dropped while it was looked at"))
        .hint("something else changes the destination's tables: stop it, then start the sink again")
}

#[cfg(test)]
pub(crate) mod tests;
