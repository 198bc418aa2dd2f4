//! XA transactions. Their rows are in the log, and their GTID in the server's sets, at XA PREPARE, when
//! nobody knows yet whether they will come true. So they are *held* until XA COMMIT, then handed out as a
//! transaction that ends with the COMMIT's GTID; XA ROLLBACK throws them away.
//!
//! Why nothing is lost: the GTID of a PREPARE stays out of the position until its transaction is
//! decided. Who begins at such a position, after a restart or at another server, is sent the PREPARE again,
//! before everything that is still to come. That is also what makes memory small: of transactions that do
//! not fit, the rows are let go, and at their COMMIT the log is read once more from the position; then it is
//! known that they come true, and they are handed out as they come ([`Again`]).
//!
//! What was prepared before the source's first position is in no place that it has read. At its COMMIT
//! all tables are read again, as behind a statement whose effect is not known.

use std::collections::{BTreeMap, VecDeque};

use cdc_sdk::{Gtid, GtidSet, Result};

use super::refusal::{contradiction, corrupt, too_many_prepared, xa_unsupported};
use super::{Announcement, Assembler, Queued, State};
use crate::binlog::event::table_map::TableMap;
use crate::binlog::event::xa::XaPrepare;
use crate::binlog::frame::{Frame, Header};
use crate::binlog::place::{FILE_START, LogPlace};
use crate::binlog::shapes::Unknown;
use crate::binlog::statement::Statement;
use crate::binlog::{BinlogEvent, Ddl};
use crate::ddl::Effect;

/// Bytes of rows held, of all transactions together.
const HELD_BYTES_MAX: usize = 16 << 20;
/// Transactions that are prepared at the same time.
const PREPARED_MAX: usize = 10_000;

/// How a transaction begins: what its origin is made of.
#[derive(Clone, Debug, Default)]
pub(super) struct Opening {
    pub announcement: Announcement,
    pub header: Header,
    pub micros: u32,
    pub thread: u64,
}

/// The rows of a transaction that may come true.
#[derive(Debug)]
pub(super) struct Held {
    opening: Opening,
    /// Its TABLE_MAPs and rows.
    frames: VecDeque<Frame>,
    bytes: usize,
    /// They were too many, and are not all here.
    let_go: bool,
    /// It changed captured tables.
    captured: bool,
    /// Its XID as XA START tells it; "" where only XA PREPARE does, which has 32 bits of the format's 64.
    xid: String,
}

/// The XA transactions that are not decided.
#[derive(Debug, Default)]
pub(super) struct Undecided {
    /// By their XID.
    prepared: BTreeMap<String, Held>,
    /// Bytes of their rows, and of the one being read.
    bytes: usize,
    /// What is being handed out.
    released: VecDeque<Frame>,
    /// What is to be handed out as it comes, once the log is read again.
    again: Option<Again>,
    /// The log must be read again from the position.
    reread: bool,
}

/// A transaction that is known to come true before its rows are met.
#[derive(Debug)]
struct Again {
    prepare: Gtid,
    opening: Opening,
}

impl Held {
    pub fn new(opening: Opening) -> Self {
        Self {
            opening,
            frames: VecDeque::new(),
            bytes: 0,
            let_go: false,
            captured: false,
            xid: String::new(),
        }
    }

    /// Whether it has changed rows of any table.
    pub fn has_rows(&self) -> bool {
        self.let_go || !self.frames.is_empty()
    }

    fn gtid(&self) -> Option<Gtid> {
        self.opening.announcement.gtid.clone()
    }
}

impl Undecided {
    /// Whether nothing is prepared.
    pub fn is_empty(&self) -> bool {
        self.prepared.is_empty() && self.again.is_none()
    }

    /// The GTIDs under which transactions were prepared.
    pub fn gtids(&self) -> GtidSet {
        let mut all = GtidSet::default();
        self.prepared.values().filter_map(Held::gtid).for_each(|gtid| all.insert(&gtid));
        all
    }

    fn hold(&mut self, held: &mut Held, frame: Frame) {
        let bytes = frame.body().len();
        held.bytes += bytes;
        self.bytes += bytes;
        held.frames.push_back(frame);
        if held.let_go || self.bytes > HELD_BYTES_MAX {
            held.let_go = true;
            self.let_go(held);
        }
    }

    fn let_go(&mut self, held: &mut Held) {
        self.bytes -= std::mem::take(&mut held.bytes);
        held.frames = VecDeque::new();
    }
}

impl Assembler {
    /// XA START. With GTIDs its rows are held. Without, a transaction that is prepared is refused where it
    /// matters, so they go on as they come.
    pub(super) fn xa_start(
        &mut self,
        xid: &str,
        (header, micros): (&Header, u32),
        thread: u64,
        pos: u64,
    ) -> Result<()> {
        if self.position.gtids.is_none() {
            return self.begin(header, micros, thread, pos);
        }
        let opening = self.opening(*header, micros, thread, pos)?;
        let gtid = &opening.announcement.gtid;
        if let Some(again) = self.undecided.again.take_if(|again| gtid.as_ref() == Some(&again.prepare)) {
            return self.begin_as(again.opening, Some(again.prepare));
        }
        self.state = State::Holding(Box::new(Held { xid: xid.to_owned(), ..Held::new(opening) }));
        Ok(())
    }

    /// A TABLE_MAP or rows of a transaction that is held.
    pub(super) fn hold(&mut self, frame: Frame) -> Result<()> {
        let State::Holding(held) = &mut self.state else { return Ok(()) };
        if frame.header.kind == crate::binlog::event::kind::TABLE_MAP && !held.captured {
            let (_, raw) = TableMap::split(frame.body()).map_err(corrupt)?;
            let map = TableMap::read(raw).map_err(corrupt)?;
            held.captured = self.setting.selection.selects(&map.name);
        }
        self.undecided.hold(held, frame.detached());
        Ok(())
    }

    /// The end of an XA transaction's rows: it is prepared, or committed in one phase.
    pub(super) fn xa_prepare(&mut self, frame: &Frame, pos: u64) -> Result<()> {
        let prepare = XaPrepare::read(frame.body()).map_err(corrupt)?;
        match std::mem::replace(&mut self.state, State::Between) {
            State::Holding(held) if prepare.one_phase => self.release(*held, None, pos),
            State::Holding(mut held) if !held.xid.is_empty() => {
                self.keep(std::mem::take(&mut held.xid), *held)
            }
            State::Holding(held) => self.keep(prepare.xid, *held),
            State::Inside(transaction) => {
                let undecided = !prepare.one_phase && transaction.prepared.is_none();
                if undecided && transaction.captured {
                    return Err(xa_unsupported(&format!("XA PREPARE {}", prepare.xid)));
                }
                if undecided {
                    // Nothing but its XID matters.
                    self.keep(prepare.xid, Held::new(Opening::default()))?;
                }
                self.state = State::Inside(transaction);
                self.commit()
            }
            // Delivered, or not to be: it is known what became of it.
            skipping @ State::Skipping { .. } => {
                self.state = skipping;
                self.commit()
            }
            State::Between | State::Announced(_) => {
                Err(contradiction("a transaction is prepared that has not started"))
            }
        }
    }

    fn keep(&mut self, xid: String, mut held: Held) -> Result<()> {
        self.in_payload = false;
        if !held.captured {
            self.undecided.let_go(&mut held);
        }
        if let Some(mut former) = self.undecided.prepared.insert(xid, held) {
            self.undecided.let_go(&mut former);
        }
        if self.undecided.prepared.len() > PREPARED_MAX {
            return Err(too_many_prepared(PREPARED_MAX));
        }
        self.idle();
        Ok(())
    }

    /// `XA COMMIT` of what was prepared before.
    pub(super) fn xa_commit(&mut self, statement: &Statement, xid: &str, opening: Opening) -> Result<()> {
        let pos = opening.announcement.pos;
        match self.undecided.prepared.remove(xid) {
            Some(held) => self.release(held, Some(opening), pos),
            None if self.position.gtids.is_none() => Err(xa_unsupported(&statement.excerpt())),
            None => self.commit_of_unknown(statement, opening),
        }
    }

    /// `XA ROLLBACK` of what was prepared before.
    pub(super) fn xa_rollback(&mut self, xid: &str, opening: Opening) -> Result<()> {
        let prepare = self.undecided.prepared.remove(xid).and_then(|mut held| {
            self.undecided.let_go(&mut held);
            held.gtid()
        });
        self.begin_as(opening, prepare)?;
        self.commit()
    }

    /// It was prepared before the first position, or where the log is gone.
    fn commit_of_unknown(&mut self, statement: &Statement, opening: Opening) -> Result<()> {
        tracing::warn!(statement = %statement.excerpt(), "a transaction is committed that was prepared before the source's first position: all tables are read again");
        let pos = opening.announcement.pos;
        self.begin_as(opening, None)?;
        if let State::Inside(transaction) = &self.state {
            let origin = cdc_sdk::change::Origin { pos, ..transaction.origin.clone() };
            let effects = vec![Effect::Unknown { table: None }];
            let ddl = Ddl { statement: statement.text.clone(), database: String::new(), effects, origin };
            self.ready.push_back(Queued::Event(BinlogEvent::Ddl(Box::new(ddl))));
        }
        self.commit()
    }

    /// What was held is committed, by `commit` or in one phase.
    fn release(&mut self, mut held: Held, commit: Option<Opening>, pos: u64) -> Result<()> {
        let gtid = held.gtid();
        let opening = commit.unwrap_or_else(|| held.opening.clone());
        if let (true, true, Some(prepare)) = (held.let_go, held.captured, gtid.clone()) {
            self.in_payload = false;
            self.state = State::Between;
            self.undecided.again = Some(Again { prepare, opening });
            self.undecided.reread = true;
            return Ok(());
        }
        self.begin_as(opening, gtid)?;
        self.undecided.released = std::mem::take(&mut held.frames);
        self.undecided.let_go(&mut held);
        if self.undecided.released.is_empty() || !held.captured {
            self.undecided.released.clear();
            return self.commit();
        }
        // Until the last one, its place is that of the COMMIT.
        self.payload_at = pos;
        self.in_payload = true;
        Ok(())
    }

    fn begin_as(&mut self, opening: Opening, prepared: Option<Gtid>) -> Result<()> {
        let Opening { announcement, header, micros, thread } = opening;
        let pos = announcement.pos;
        self.state = State::Announced(announcement);
        self.begin(&header, micros, thread, pos)?;
        if let State::Inside(transaction) = &mut self.state {
            transaction.prepared = prepared;
        }
        Ok(())
    }

    /// Takes the next event of a transaction that was held, where one is being handed out: `None` if not.
    /// Else as [`Assembler::take`].
    ///
    /// # Errors
    /// Those of [`Assembler::take`].
    pub fn take_released(&mut self) -> Result<Option<Option<Unknown>>> {
        let Some(frame) = self.undecided.released.pop_front() else { return Ok(None) };
        let pos = self.payload_at;
        let at = |error: cdc_sdk::Error, file: &str| error.at(format!("{file}:{pos}"));
        let unknown = self.dispatch(frame, pos).map_err(|error| at(error, self.place.file()))?;
        if self.undecided.released.is_empty() {
            self.commit().map_err(|error| at(error, self.place.file()))?;
        }
        Ok(Some(unknown))
    }

    /// The GTIDs of transactions that are prepared and not decided.
    pub fn undecided(&self) -> GtidSet {
        self.undecided.gtids()
    }

    /// Whether the log must be read again from [`Assembler::position`] before anything else.
    pub fn must_reread(&self) -> bool {
        self.undecided.reread
    }

    /// The log comes again from the position. What is prepared comes again with it.
    pub fn reread(&mut self) {
        self.undecided.reread = false;
        self.undecided.prepared.clear();
        self.undecided.bytes = 0;
        self.state = State::Between;
        self.described = false;
        self.place = LogPlace::new("", FILE_START);
        self.passed = self.place.clone();
    }
}
