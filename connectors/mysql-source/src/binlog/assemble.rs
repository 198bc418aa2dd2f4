//! From single events to transactions. No I/O: frames in, [`BinlogEvent`]s out, so
//! that recorded logs can be run through it as they are.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use cdc_sdk::change::Origin;
use cdc_sdk::pattern::Selection;
use cdc_sdk::{Gtid, Position, Result};

use super::collations::Collations;
use super::event::format::Format;
use super::event::gtid::Announced;
use super::event::kind;
use super::event::query::Query;
use super::event::rows::RowsHead;
use super::frame::{Frame, Header, Home};
use super::place::LogPlace;
use super::rows::{self, Found};
use super::shapes::{Shapes, Unknown};
use super::statement::{Statement, captured, of_session};
use super::tally::Tally;
use super::{Begin, BinlogEvent, Commit, Ddl, Enriched};
use crate::ddl::{Effect, Sense};
use refusal::{contradiction, corrupt, refused};
use xa::{Held, Opening, Undecided};

mod landmark;
mod payload;
mod refusal;
mod xa;

/// What does not change while a stream runs.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub selection: Selection,
    pub collations: Collations,
    /// `lower_case_table_names` is not 0.
    pub fold_names: bool,
    /// JSON is printed with the marks of [`cdc_sdk::json`].
    pub mark_json: bool,
}

/// Where in a transaction the stream is.
#[derive(Debug)]
enum State {
    /// Between two.
    Between,
    /// Its identifier has come, its first statement not yet.
    Announced(Announcement),
    /// In it.
    Inside(Box<Transaction>),
    /// In an XA transaction that nobody knows the end of.
    Holding(Box<Held>),
    /// In one that was delivered before. `begun`: a BEGIN was seen.
    Skipping { begun: bool },
}

#[derive(Clone, Debug, Default)]
struct Announcement {
    gtid: Option<Gtid>,
    committed_us: Option<i64>,
    pos: u64,
}

#[derive(Debug)]
struct Transaction {
    gtid: Option<Gtid>,
    origin: Origin,
    tally: Tally,
    /// Rows of captured tables were handed out.
    captured: bool,
    /// A statement in it changed captured tables.
    altered: bool,
    /// The GTID under which it was prepared.
    prepared: Option<Gtid>,
    /// When it was committed where it was first run, µs since 1970; 0 where that is not told.
    announced_us: i64,
    /// A group's servers each log it for themselves, with times of their own.
    each_its_own: bool,
}

/// What is to be handed out.
#[derive(Debug)]
enum Queued {
    Event(BinlogEvent),
    Commit(Box<Committed>),
}

/// A transaction's end.
#[derive(Debug)]
struct Committed {
    gtids: [Option<Gtid>; 2],
    /// By which it is known again.
    landmark: Option<(Gtid, i64)>,
    committed_us: i64,
    file: Arc<str>,
    pos: u64,
}

/// Puts events together to transactions.
#[derive(Debug)]
pub(crate) struct Assembler {
    setting: Setting,
    /// After the last event taken.
    place: LogPlace,
    /// Everything before here has been handed out.
    passed: LogPlace,
    position: Position,
    shapes: Shapes,
    state: State,
    ready: VecDeque<Queued>,
    /// Without GTIDs, and over 4 GiB into a file: up to here all was delivered.
    passed_to: u64,
    /// The file's format description has come.
    described: bool,
    /// Where the last compressed transaction stands.
    payload_at: u64,
    /// Its events are being taken.
    in_payload: bool,
    /// XA transactions.
    undecided: Undecided,
}

impl Assembler {
    /// Starts at a position. `reads_from` is where the server was asked to start.
    pub fn new(setting: Setting, start: Position, reads_from: u64) -> Self {
        let by_place = start.gtids.is_none() && reads_from < start.pos;
        let passed_to = if by_place { start.pos } else { 0 };
        // By GTID the server chooses the file, and may be another server.
        let file = if start.gtids.is_some() { "" } else { start.file.as_str() };
        let place = LogPlace::new(file, reads_from);
        Self {
            setting,
            passed: place.clone(),
            place,
            position: start,
            shapes: Shapes::default(),
            state: State::Between,
            ready: VecDeque::new(),
            passed_to,
            described: false,
            payload_at: 0,
            in_payload: false,
            undecided: Undecided::default(),
        }
    }

    /// After the last whole transaction handed out.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// Everything before here has been handed out. It does not move while events
    /// wait to be handed out, nor inside a compressed transaction, which has one place
    /// for all its events.
    pub fn passed(&self) -> &LogPlace {
        &self.passed
    }

    fn settle(&mut self) {
        if self.ready.is_empty() && !self.in_payload {
            self.passed.clone_from(&self.place);
        }
    }

    /// The next event to hand out; the position moves with a `Commit`.
    pub fn pop(&mut self) -> Option<BinlogEvent> {
        let queued = self.ready.pop_front()?;
        self.settle();
        match queued {
            Queued::Event(event) => Some(event),
            Queued::Commit(committed) => {
                let Committed { gtids, landmark, committed_us, file, pos } = *committed;
                self.remember(landmark);
                if let Some(set) = &mut self.position.gtids {
                    gtids.iter().flatten().for_each(|gtid| set.insert(gtid));
                }
                if *self.position.file != *file {
                    self.position.file = file.to_string();
                }
                self.position.pos = pos;
                self.position.partial = None;
                Some(BinlogEvent::Commit(Commit { committed_us }))
            }
        }
    }

    /// Takes what the catalogue answered.
    pub fn learn(&mut self, unknown: Unknown, answer: Enriched) {
        self.shapes.learn(unknown, answer);
    }

    /// Tables that a statement has changed: those named, and those of a database.
    pub fn forget(&mut self, effects: &[Effect]) {
        let mut names = Vec::new();
        for effect in effects {
            match effect {
                Effect::DropDatabase(database) => names.extend(self.shapes.in_database(database)),
                other => names.extend(other.tables().into_iter().cloned()),
            }
        }
        names.iter().for_each(|name| self.shapes.forget(name));
    }

    /// Takes an event. Answers with what the catalogue must be asked before the next.
    ///
    /// # Errors
    /// All that the module's page lists, with file and position.
    pub fn take(&mut self, frame: Frame) -> Result<Option<Unknown>> {
        let (header, home) = (frame.header, frame.home);
        let in_payload = home != Home::Log;
        let pos = match header.kind {
            _ if in_payload => self.payload_at,
            kind::HEARTBEAT => self.place.end(),
            _ => self.place.pass(&header),
        };
        let passed = self.place.end() <= self.passed_to && (in_payload || header.log_pos != 0);
        if passed && header.kind != kind::FORMAT_DESCRIPTION {
            self.idle();
            return Ok(None);
        }
        let unknown = self
            .dispatch(frame, pos)
            .and_then(|unknown| self.goes_on(home).map(|()| unknown))
            .map_err(|error| error.at(format!("{}:{pos}", self.place.file())))?;
        self.settle();
        Ok(unknown)
    }

    /// Without a format description nobody knows whether there are checksums.
    fn described(&self, header: &Header) -> Result<()> {
        let before = matches!(header.kind, kind::FORMAT_DESCRIPTION | kind::HEARTBEAT)
            || header.kind == kind::ROTATE && header.log_pos == 0;
        if self.described || before { Ok(()) } else { Err(contradiction("a file has no format description")) }
    }

    fn dispatch(&mut self, frame: Frame, pos: u64) -> Result<Option<Unknown>> {
        let header = frame.header;
        self.described(&header)?;
        match header.kind {
            kind::TABLE_MAP if matches!(self.state, State::Holding(_)) => self.hold(frame)?,
            kind::TABLE_MAP => return self.table_map(&frame),
            kind::WRITE_ROWS
            | kind::UPDATE_ROWS
            | kind::DELETE_ROWS
            | kind::WRITE_ROWS_V1
            | kind::UPDATE_ROWS_V1
            | kind::DELETE_ROWS_V1
            | kind::PARTIAL_UPDATE_ROWS => self.rows(frame, pos)?,
            kind::GTID | kind::ANONYMOUS_GTID | kind::GTID_TAGGED => self.announced(&frame, pos)?,
            kind::QUERY => self.query(&frame, pos)?,
            kind::XID => self.commit()?,
            kind::XA_PREPARE => self.xa_prepare(&frame, pos)?,
            kind::ROTATE => self.rotate(&frame)?,
            kind::HEARTBEAT => {
                self.place.heartbeat(header.log_pos);
                self.idle();
            }
            kind::FORMAT_DESCRIPTION => {
                let format = Format::read(frame.body()).map_err(corrupt)?;
                self.file_begins(header.timestamp)?;
                tracing::debug!(file = %self.place.file(), version = %format.server_version, "binlog file");
            }
            kind::PREVIOUS_GTIDS | kind::STOP | kind::HEARTBEAT_V2 => self.idle(),
            kind::VIEW_CHANGE => self.view_changes(),
            kind::ROWS_QUERY | kind::IGNORABLE | kind::TRANSACTION_CONTEXT => {}
            kind::TRANSACTION_PAYLOAD => self.payload(pos)?,
            kind::EXECUTE_LOAD_QUERY => self.load(&frame, pos)?,
            // What belongs to a statement behind it, which is judged itself.
            kind::INTVAR
            | kind::RAND
            | kind::USER_VAR
            | kind::BEGIN_LOAD_QUERY
            | kind::APPEND_BLOCK
            | kind::DELETE_FILE => {}
            _ => refused(&header)?,
        }
        Ok(None)
    }

    fn idle(&mut self) {
        self.ready.push_back(Queued::Event(BinlogEvent::Idle));
    }

    fn announced(&mut self, frame: &Frame, pos: u64) -> Result<()> {
        let anonymous = frame.header.kind == kind::ANONYMOUS_GTID;
        let announced = match frame.header.kind {
            kind::GTID_TAGGED => Announced::read_tagged(frame.body()),
            _ => Announced::read(frame.body(), anonymous),
        };
        let announced = announced.map_err(corrupt)?;
        if let State::Announced(_) | State::Inside(_) | State::Holding(_) = self.state {
            return Err(contradiction("a transaction starts inside another"));
        }
        let known = self.position.gtids.as_ref().zip(announced.gtid.as_ref());
        self.state = if let Some((_, gtid)) = known.filter(|(set, gtid)| set.contains(gtid)) {
            self.recognise(gtid, announced.committed_us)?;
            State::Skipping { begun: false }
        } else {
            State::Announced(Announcement { gtid: announced.gtid, committed_us: announced.committed_us, pos })
        };
        Ok(())
    }

    fn query(&mut self, frame: &Frame, pos: u64) -> Result<()> {
        let query = Query::read(frame.body()).map_err(corrupt)?;
        let micros = query.context.micros;
        let statement = Statement::read(&query, &self.setting.collations, self.setting.fold_names);
        if let State::Skipping { begun } = self.state {
            self.skip_statement(&statement.sense, begun);
            return Ok(());
        }
        let thread = u64::from(statement.thread);
        match &statement.sense {
            Sense::Begin => self.begin(&frame.header, micros, thread, pos),
            Sense::XaStart { xid } => self.xa_start(xid, (&frame.header, micros), thread, pos),
            Sense::Commit => self.commit(),
            Sense::Rollback => {
                self.no_rows_yet(&statement)?;
                self.commit()
            }
            Sense::RollbackTo => self.no_rows_yet(&statement),
            Sense::Savepoint | Sense::XaEnd => Ok(()),
            Sense::XaCommit { xid } => {
                let opening = self.opening(frame.header, micros, thread, pos)?;
                self.xa_commit(&statement, xid, opening)
            }
            Sense::XaRollback { xid } => {
                let opening = self.opening(frame.header, micros, thread, pos)?;
                self.xa_rollback(xid, opening)
            }
            Sense::Dml => self.dml(&statement, &frame.header, micros, pos),
            Sense::Ddl(_) => self.ddl(statement, &frame.header, micros, pos),
        }
    }

    fn skip_statement(&mut self, sense: &Sense, begun: bool) {
        let ends = match sense {
            Sense::Begin | Sense::XaStart { .. } => {
                self.state = State::Skipping { begun: true };
                false
            }
            Sense::Commit | Sense::Rollback => true,
            Sense::Savepoint | Sense::RollbackTo | Sense::XaEnd => false,
            Sense::Ddl(_) | Sense::Dml | Sense::XaCommit { .. } | Sense::XaRollback { .. } => !begun,
        };
        if ends {
            self.state = State::Between;
            self.in_payload = false;
            self.idle();
        }
    }

    fn begin(&mut self, header: &Header, micros: u32, thread: u64, pos: u64) -> Result<()> {
        let started_us = i64::from(header.timestamp) * 1_000_000 + i64::from(micros);
        let announcement = self.announcement(pos)?;
        let origin = Origin {
            ts_us: announcement.committed_us.filter(|us| *us > 0).unwrap_or(started_us),
            server_id: header.server_id,
            gtid: announcement.gtid.as_ref().map(|gtid| gtid.to_string().into()),
            file: Arc::clone(self.place.file()),
            pos: announcement.pos,
            thread: Some(thread),
        };
        let begin = Begin { origin: origin.clone(), gtid: announcement.gtid.clone() };
        self.ready.push_back(Queued::Event(BinlogEvent::Begin(begin)));
        let tally = Tally::begin(self.position.partial);
        let transaction = Transaction {
            gtid: announcement.gtid,
            origin,
            tally,
            captured: false,
            altered: false,
            prepared: None,
            announced_us: announcement.committed_us.unwrap_or(0),
            each_its_own: false,
        };
        self.state = State::Inside(Box::new(transaction));
        Ok(())
    }

    /// Takes what was announced of the transaction that starts here.
    fn announcement(&mut self, pos: u64) -> Result<Announcement> {
        match std::mem::replace(&mut self.state, State::Between) {
            State::Between => Ok(Announcement { gtid: None, committed_us: None, pos }),
            State::Announced(announcement) => Ok(announcement),
            State::Inside(_) | State::Holding(_) | State::Skipping { .. } => {
                Err(contradiction("a transaction starts inside another"))
            }
        }
    }

    fn opening(&mut self, header: Header, micros: u32, thread: u64, pos: u64) -> Result<Opening> {
        Ok(Opening { announcement: self.announcement(pos)?, header, micros, thread })
    }

    fn commit(&mut self) -> Result<()> {
        self.in_payload = false;
        match std::mem::replace(&mut self.state, State::Between) {
            State::Inside(transaction) => {
                transaction.tally.finish()?;
                let known_by = transaction.gtid.clone().filter(|_| !transaction.each_its_own);
                self.ready.push_back(Queued::Commit(Box::new(Committed {
                    landmark: known_by.map(|gtid| (gtid, transaction.announced_us)),
                    gtids: [transaction.gtid, transaction.prepared],
                    committed_us: transaction.origin.ts_us,
                    file: self.place.file().clone(),
                    pos: self.place.end(),
                })));
                Ok(())
            }
            State::Skipping { .. } => {
                self.idle();
                Ok(())
            }
            State::Between | State::Announced(_) | State::Holding(_) => {
                Err(contradiction("a transaction ends that has not started"))
            }
        }
    }

    fn dml(&mut self, statement: &Statement, header: &Header, micros: u32, pos: u64) -> Result<()> {
        statement.refuse_dml(&self.setting.selection)?;
        if matches!(self.state, State::Inside(_) | State::Holding(_)) {
            return Ok(());
        }
        self.begin(header, micros, u64::from(statement.thread), pos)?;
        self.commit()
    }

    /// A statement that changes tables commits by itself, unless it stands in a
    /// transaction (`CREATE TABLE … SELECT` does).
    fn ddl(&mut self, statement: Statement, header: &Header, micros: u32, pos: u64) -> Result<()> {
        let alone = !matches!(self.state, State::Inside(_));
        if alone {
            self.begin(header, micros, u64::from(statement.thread), pos)?;
        }
        let State::Inside(transaction) = &self.state else { return Ok(()) };
        let Sense::Ddl(effects) = statement.sense else { return Ok(()) };
        let effects = if header.is_of_session() { of_session(effects) } else { effects };
        let effects = self.shapes.settled(captured(effects, &self.setting.selection));
        if !effects.is_empty() {
            let names = effects.iter().flat_map(Effect::tables);
            names.for_each(|name| self.shapes.changed(name, header.timestamp));
            let origin = Origin { pos, ..transaction.origin.clone() };
            let ddl = Ddl { statement: statement.text, database: statement.database, effects, origin };
            self.ready.push_back(Queued::Event(BinlogEvent::Ddl(Box::new(ddl))));
            if let State::Inside(transaction) = &mut self.state {
                transaction.altered = true;
            }
        }
        if alone { self.commit() } else { Ok(()) }
    }

    fn table_map(&mut self, frame: &Frame) -> Result<Option<Unknown>> {
        match self.state {
            State::Inside(_) => self.shapes.map(frame.body(), frame.header.timestamp, &self.setting),
            State::Skipping { .. } => Ok(None),
            State::Between | State::Announced(_) | State::Holding(_) => {
                Err(contradiction("rows outside of a transaction"))
            }
        }
    }

    fn rows(&mut self, frame: Frame, pos: u64) -> Result<()> {
        let transaction = match &mut self.state {
            State::Inside(transaction) => transaction,
            State::Holding(_) => return self.hold(frame),
            State::Skipping { .. } => return Ok(()),
            State::Between | State::Announced(_) => {
                return Err(contradiction("rows outside of a transaction"));
            }
        };
        let head = RowsHead::read(frame.header.kind, frame.body()).map_err(corrupt)?;
        let mapped = self
            .shapes
            .get(head.table_id)
            .ok_or_else(|| contradiction("rows of a table that is not told"))?;
        let origin = (self.place.file(), pos);
        if let Found::Rows(rows) = rows::read(frame, &head, mapped, &mut transaction.tally, origin)? {
            transaction.captured = true;
            mapped.rows_seen.store(true, Ordering::Relaxed);
            self.ready.push_back(Queued::Event(BinlogEvent::Rows(rows)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
