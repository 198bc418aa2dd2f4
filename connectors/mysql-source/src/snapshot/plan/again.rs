//! Tables that are read once more, because somebody asked for it; and pauses.
//!
//! While such a table is read the consumer has it whole, until it is emptied (where
//! that was asked for, or where its rows have no identity). Up to then the reading may
//! be stopped, and given up if it fails, without anything being lost. From then on it is a
//! first reading like any other; except for an addressee, who alone has lost rows.

use cdc_sdk::{Error, TableName};

use super::{Entry, Plan};
use crate::snapshot::progress::{Again, TableProgress, TableState};

/// What is going on with a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It is not being read.
    None,
    /// It is read for the first time, or what the consumer had of it is gone.
    First,
    /// It is read once more.
    Again(Again),
}

/// Tables that must be emptied now.
#[derive(Debug)]
pub(crate) struct Restarts {
    /// At whom; `None`: everywhere.
    pub addressee: Option<String>,
    /// How far each is then.
    pub progress: Vec<TableProgress>,
}

/// Readings that will not come to their end.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct GivenUp {
    /// Whose they were; `None`: everybody's.
    pub addressee: Option<String>,
    /// How far each table is then: done, as far as others care.
    pub progress: Vec<TableProgress>,
    /// What went wrong with the first of them; nothing where somebody wished it.
    pub why: String,
}

impl Plan {
    /// Reads a table once more that is known. Who asked before for it to be emptied still waits for that.
    pub fn read_again(&mut self, table: &TableName, mut again: Again, rows_estimated: u64, row_bytes: u64) {
        if let Reading::Again(before) = self.reading(table) {
            again.empty_first |= before.empty_first && before.addressee == again.addressee;
        }
        self.put(table.clone(), TableState::Pending, rows_estimated, row_bytes);
        self.asked(table, again);
    }

    /// Somebody asked for the table, which has just been put.
    pub fn asked(&mut self, table: &TableName, again: Again) {
        if let Some(entry) = self.tables.get_mut(table) {
            entry.restart = again.empty_first && matches!(entry.state, TableState::Pending);
            entry.again = Some(again);
        }
    }

    /// What is going on with a table.
    pub fn reading(&self, table: &TableName) -> Reading {
        match self.tables.get(table).filter(|entry| !entry.is_done()) {
            None => Reading::None,
            Some(entry) => entry.again.clone().map_or(Reading::First, Reading::Again),
        }
    }

    /// Whether anything is still to be read for this addressee, or he is still to be told that it will not be: until then
    /// nobody may take what he asked for as through.
    pub fn reads_for(&self, addressee: &str) -> bool {
        self.tables.values().any(|entry| is_for(entry, addressee))
            || self.given_up.iter().any(|of| of.addressee.as_deref() == Some(addressee))
    }

    /// Whether readings have been given up that nobody has been told of.
    pub fn is_giving_up(&self) -> bool {
        !self.given_up.is_empty()
    }

    /// Begins nothing more until it is told to go on. What has been read is handed out.
    pub fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// Whether it is paused while there is something to read.
    pub fn is_held_up(&self) -> bool {
        self.paused && !self.is_complete()
    }

    /// Ends every reading that was asked for, by whom it was asked for.
    pub fn stop_again(&mut self) -> Vec<GivenUp> {
        let mut stopped: Vec<GivenUp> = Vec::new();
        for name in self.names_where(|entry| entry.again.is_some() && !entry.is_done()) {
            let Some((addressee, progress)) = self.end_unfinished(&name) else { continue };
            match stopped.iter_mut().find(|of| of.addressee == addressee) {
                Some(of) => of.progress.push(progress),
                None => stopped.push(GivenUp { addressee, progress: vec![progress], ..GivenUp::default() }),
            }
        }
        stopped
    }

    /// A reading that was asked for cannot be done: it ends, and all that its addressee asked for with it.
    pub(super) fn give_up(&mut self, table: &TableName, error: &Error) {
        tracing::warn!(table = %table, error = %error, "a snapshot that was asked for is given up");
        let Some((addressee, progress)) = self.end_unfinished(table) else { return };
        let mut given_up = GivenUp { addressee, progress: vec![progress], why: reason(error) };
        if let Some(addressee) = &given_up.addressee {
            for name in self.names_where(|entry| is_for(entry, addressee)) {
                given_up.progress.extend(self.end_unfinished(&name).map(|(_, progress)| progress));
            }
        }
        self.given_up.push_back(given_up);
    }

    /// All that this addressee asked for cannot be done.
    pub fn give_up_for(&mut self, addressee: &str, error: &Error) {
        if let Some(table) = self.names_where(|entry| is_for(entry, addressee)).first() {
            self.give_up(table, error);
        }
    }

    /// What has been given up since the last call.
    pub fn take_given_up(&mut self) -> Option<GivenUp> {
        self.given_up.pop_front()
    }

    /// These are emptied now. What is read for everybody is from here on read as if for the first time.
    pub(super) fn restarted(&mut self, addressee: Option<String>, tables: Vec<TableName>) -> Restarts {
        let mut progress = Vec::with_capacity(tables.len());
        for table in tables {
            if let Some(entry) = self.tables.get_mut(&table) {
                entry.restart = false;
                entry.went_out = false;
                entry.passed_by = false;
                entry.again.take_if(|again| again.addressee.is_none());
                progress.push(TableProgress {
                    table,
                    state: TableState::Pending,
                    again: entry.again.clone(),
                });
            }
        }
        Restarts { addressee, progress }
    }

    fn names_where(&self, wanted: impl Fn(&Entry) -> bool) -> Vec<TableName> {
        self.tables.iter().filter(|(_, entry)| wanted(entry)).map(|(name, _)| name.clone()).collect()
    }

    fn end_unfinished(&mut self, table: &TableName) -> Option<(Option<String>, TableProgress)> {
        let entry = self.tables.get_mut(table)?;
        let again = entry.again.take()?;
        entry.reset();
        entry.restart = false;
        entry.state = TableState::Done { rows: entry.rows() };
        let state = entry.state.clone();
        self.unqueue(table);
        Some((again.addressee, TableProgress::of(table.clone(), state)))
    }
}

fn is_for(entry: &Entry, addressee: &str) -> bool {
    let of = entry.again.as_ref().and_then(|again| again.addressee.as_deref());
    of == Some(addressee) && !entry.is_done()
}

fn reason(error: &Error) -> String {
    match error.detail_text() {
        Some(detail) => format!("{} ({detail})", error.what()),
        None => error.what().to_owned(),
    }
}
