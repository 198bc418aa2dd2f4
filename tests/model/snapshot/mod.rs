//! Chunks of a table, read without locks while the stream goes on.
//!
//! | action | what it stands for |
//! |---|---|
//! | `Log` | a transaction is written to the binlog; from here on the dump thread may send it |
//! | `Show` | the engine commits it: every view opened later has it, and its row locks are free |
//! | `Execute` | its GTID enters `@@gtid_executed` |
//! | `Register` | `Plan::next_work` → `Plan::chunk`, `Readers::dispatch`: the chunk is watched from now on; S is what is delivered |
//! | `Wait` | `reader::shown`: `WAIT_FOR_EXECUTED_GTID_SET(S)` has returned |
//! | `Low` | `reader::executed`: the low mark |
//! | `Select` | `Shared::select`: one statement, one view |
//! | `High` | `log_end`: the high mark |
//! | `TakeLow`, `TakeRead` | `Readers::take` → `Plan::low_mark`, `Plan::chunk_read`: the loop hears of it, perhaps within a transaction |
//! | `Deliver` | `Source::take`: the stream hands out one change (`Plan::touch`, `Source::ddl`) |
//! | `HandOut` | `Source::between` → `Plan::take_ready` |
//! | `Reconnect` | the source process is replaced: open chunks are lost, what was handed out is not |
//!
//! The server commits transactions in any order once they are in the binlog, as it may with
//! `binlog_order_commits=OFF`; two that touch the same row do so one after the other (row locks), and
//! TRUNCATE has the table for itself (metadata lock). A chunk is one row, so two keys make
//! two or three chunks, of which two may be open. The touched keys that a chunk remembers are limited, too, so
//! that it is sometimes read again with the stream held.
//!
//! The invariant is the claim of `snapshot/mod.rs`, at every place between two transactions: what has been handed out
//! equals the source as it was at the stream's place, and of the rest the consumer has nothing
//! that the source did not have then. For a table that is *read once more* the consumer
//! equals the source throughout. Every run ends, and has read the whole table.

mod cases;
mod table;

use std::collections::VecDeque;

use stateright::{Model, Property};

use table::{Change, KEYS, Rows, Set, Stage};

/// Open chunks of one table: `entry::OPEN_MAX`.
const OPEN_MAX: usize = 2;

const TRUE_STATE: &str = "what was handed out is the source's state";
const COMPLETE: &str = "every run reads the whole table";

/// How far the reader of a chunk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Reader {
    Ordered,
    Waited,
    Marked,
    Selected,
    Ended,
}

/// A chunk between its registration and its handing out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Chunk {
    reader: Reader,
    /// What was delivered when it was registered.
    since: u8,
    after: Option<u8>,
    low: Set,
    rows: Rows,
    last_key: Option<u8>,
    last: bool,
    high: u8,
    /// `Watch`: whether the loop knows the low mark, and the keys touched until it has the rows.
    low_is_known: bool,
    touched: Set,
    is_read: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    first: Rows,
    log: Vec<(Change, Stage)>,
    /// Whole transactions that the stream has delivered, and events of the next.
    place: u8,
    within: u8,
    consumer: Rows,
    /// `TableState`: the last key handed out, and whether that was all.
    after: Option<u8>,
    done: bool,
    open: VecDeque<Chunk>,
    hold: bool,
    reconnects: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Log(Change),
    Show(u8),
    Execute(u8),
    Register,
    Wait,
    Low,
    Select,
    High,
    TakeLow,
    TakeRead,
    Deliver,
    HandOut,
    Reconnect,
}

/// A fault in the algorithm, and the run that shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plant {
    None,
    /// What the stream has delivered is not waited for. A deletion that was delivered before the registration, and that
    /// the engine does not show yet: the chunk brings the row back, and nothing deletes it again.
    NoWait,
    /// The high mark is `@@gtid_executed`. A write that the engine shows and the set does not have yet: its row is
    /// handed out at a place of the stream where the source did not have it.
    HighIsExecuted,
    /// The low mark is the end of the binlog. A deletion that is in the binlog and not shown: it counts as one that
    /// the chunk shows, so its key is not dropped, and the row comes back after the stream deleted it.
    LowIsLogEnd,
    /// Both at once: either of the two runs above.
    Swapped,
    /// Touched keys stay in the chunk. It is read, then the stream deletes the row, then the chunk brings it back.
    TouchedStay,
    /// The chunk is watched only from when its reader has ended. The deletion comes while it is read.
    WatchedLate,
    /// The chunk is handed out as soon as it is read: it shows what the stream has yet to bring.
    HandedOutAtOnce,
    /// A statement that changes the table leaves its chunks open. TRUNCATE touches no key, so all rows come back.
    AlteredStays,
}

/// The algorithm, a table and what may happen to it.
#[derive(Clone, Debug)]
struct Snapshot {
    plant: Plant,
    keys: u8,
    changes: Vec<Change>,
    transactions: usize,
    reconnects: u8,
    /// Touched keys that a chunk remembers: `watch::KEYS_MAX`.
    touched_max: u32,
    /// The consumer has the table already.
    again: bool,
}

impl State {
    /// The source after its first transactions.
    fn source_at(&self, transactions: usize) -> Rows {
        self.fold(|at, _| at < transactions)
    }

    /// What a view opened now shows.
    fn view(&self) -> Rows {
        self.fold(|_, stage| stage >= Stage::Shown)
    }

    fn fold(&self, has: impl Fn(usize, Stage) -> bool) -> Rows {
        let mut rows = self.first;
        for (at, (change, stage)) in self.log.iter().enumerate() {
            if has(at, *stage) {
                (0..change.events()).for_each(|event| change.apply(event, value(at), &mut rows));
            }
        }
        rows
    }

    fn executed(&self) -> Set {
        let is_executed = |(at, (_, stage)): (usize, &(Change, Stage))| match stage {
            Stage::Executed => 1 << at,
            Stage::Logged | Stage::Shown => 0,
        };
        self.log.iter().enumerate().map(is_executed).fold(0, |all, one| all | one)
    }

    /// Keys that transactions hold locks of.
    fn locked(&self) -> Set {
        let held = self.log.iter().filter(|(_, stage)| *stage == Stage::Logged);
        held.fold(0, |all, (change, _)| all | change.keys())
    }

    /// Between two transactions.
    fn is_between(&self) -> bool {
        self.within == 0
    }

    /// `Entry::is_due`.
    fn is_due(&self) -> bool {
        self.is_between() && self.open.front().is_some_and(|open| open.is_read && open.high <= self.place)
    }

    /// `Entry::may_open` and `Entry::next_after`.
    fn next_after(&self) -> Option<Option<u8>> {
        match self.open.back() {
            _ if self.done || self.open.len() == OPEN_MAX => None,
            None => Some(self.after),
            Some(open) if open.is_read && !open.last && !self.hold => Some(open.last_key),
            Some(_) => None,
        }
    }

    fn is_correct(&self, again: bool) -> bool {
        let source = self.source_at(usize::from(self.place));
        let is_handed_out =
            |key: usize| self.done || self.after.is_some_and(|after| key <= usize::from(after));
        !self.is_between()
            || (0..KEYS).all(|key| match self.consumer[key] {
                None if !again && !is_handed_out(key) => true,
                has => has == source[key],
            })
    }
}

/// What a transaction writes: its number.
fn value(at: usize) -> u8 {
    at as u8 + 1
}

impl Snapshot {
    fn reader_step(&self, state: &State) -> Option<Action> {
        let open = state.open.back()?;
        let shown = 1u8.checked_shl(open.since.into()).map_or(Set::MAX, |bit| bit - 1);
        match open.reader {
            Reader::Ordered => {
                let is_shown = state.executed() & shown == shown || self.plant == Plant::NoWait;
                is_shown.then_some(Action::Wait)
            }
            Reader::Waited => Some(Action::Low),
            Reader::Marked => Some(Action::Select),
            Reader::Selected => Some(Action::High),
            Reader::Ended => None,
        }
    }

    /// The loop hears of the back chunk's reader, in the order of its reports.
    fn report(&self, open: &Chunk) -> Option<Action> {
        match open.reader {
            Reader::Ordered | Reader::Waited => None,
            _ if !open.low_is_known => Some(Action::TakeLow),
            Reader::Ended if !open.is_read => Some(Action::TakeRead),
            Reader::Marked | Reader::Selected | Reader::Ended => None,
        }
    }

    fn select(&self, view: &Rows, open: &mut Chunk) {
        let begin = open.after.map_or(0, |after| after + 1);
        let next = (begin..self.keys).find(|key| view[usize::from(*key)].is_some());
        open.rows = Rows::default();
        if let Some(key) = next {
            open.rows[usize::from(key)] = view[usize::from(key)];
        }
        (open.last_key, open.last) = (next, next.is_none());
    }

    /// `Source::watch`: shows the keys of one event to the open chunks.
    fn touch(&self, state: &mut State, transaction: Set, keys: Set) {
        for open in &mut state.open {
            let concerns = !(open.low_is_known && open.low & transaction != 0);
            let is_watched = self.plant != Plant::WatchedLate || open.is_read;
            if !concerns || !is_watched || self.plant == Plant::TouchedStay {
                continue;
            }
            match open.is_read {
                true => drop_keys(&mut open.rows, keys),
                false => open.touched |= keys,
            }
        }
    }

    fn deliver(&self, state: &mut State) {
        let at = usize::from(state.place);
        let (change, event) = (state.log[at].0, usize::from(state.within));
        match change {
            // `Plan::altered`, and the table downstream is emptied.
            Change::Truncate if self.plant == Plant::AlteredStays => {}
            Change::Truncate => state.open.clear(),
            _ => self.touch(state, 1 << at, change.touches(event)),
        }
        change.apply(event, value(at), &mut state.consumer);
        state.within += 1;
        if usize::from(state.within) == change.events() {
            (state.place, state.within) = (state.place + 1, 0);
        }
    }

    /// `Entry::take_read`.
    fn take_read(&self, state: &mut State) {
        let Some(open) = state.open.back_mut() else { return };
        if open.touched.count_ones() > self.touched_max {
            state.open.pop_back();
            state.hold = true;
            return;
        }
        drop_keys(&mut open.rows, open.touched);
        (open.touched, open.is_read) = (0, true);
        state.hold = false;
    }

    fn hand_out(state: &mut State) {
        let Some(open) = state.open.pop_front() else { return };
        for (row, has) in open.rows.iter().zip(&mut state.consumer) {
            *has = row.or(*has);
        }
        state.after = open.last_key;
        state.done = open.last;
    }

    fn read_on(&self, state: &mut State, action: Action) {
        let (executed, view, end) = (state.executed(), state.view(), state.log.len() as u8);
        let Some(open) = state.open.back_mut() else { return };
        let all = Set::MAX >> (8 - end.max(1)) & (Set::MAX * u8::from(end > 0));
        match action {
            Action::Wait => open.reader = Reader::Waited,
            Action::Low => {
                let from_log = matches!(self.plant, Plant::LowIsLogEnd | Plant::Swapped);
                open.low = if from_log { all } else { executed };
                open.reader = Reader::Marked;
            }
            Action::Select => {
                self.select(&view, open);
                open.reader = Reader::Selected;
            }
            _ => {
                let from_set = matches!(self.plant, Plant::HighIsExecuted | Plant::Swapped);
                open.high = if from_set { 8 - executed.leading_zeros() as u8 } else { end };
                if self.plant == Plant::HandedOutAtOnce {
                    open.high = 0;
                }
                open.reader = Reader::Ended;
            }
        }
    }
}

fn drop_keys(rows: &mut Rows, keys: Set) {
    (0..KEYS).filter(|key| keys >> key & 1 == 1).for_each(|key| rows[key] = None);
}

impl Model for Snapshot {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let subset = |rows: u8| -> Rows { std::array::from_fn(|key| (rows >> key & 1 == 1).then_some(0)) };
        let state = |first: Rows| State {
            first,
            log: Vec::new(),
            place: 0,
            within: 0,
            consumer: if self.again { first } else { Rows::default() },
            after: None,
            done: false,
            open: VecDeque::new(),
            hold: false,
            reconnects: 0,
        };
        (0..1 << self.keys).map(subset).map(state).collect()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let end = state.source_at(state.log.len());
        let may_log = |change: &Change| change.keys() & state.locked() == 0 && change.is_possible(&end);
        if state.log.len() < self.transactions {
            actions.extend(self.changes.iter().copied().filter(may_log).map(Action::Log));
        }
        actions.extend((0..).zip(&state.log).filter_map(|(at, (_, stage))| match stage {
            Stage::Logged => Some(Action::Show(at)),
            Stage::Shown => Some(Action::Execute(at)),
            Stage::Executed => None,
        }));
        actions.extend(self.reader_step(state));
        actions.extend(state.open.back().and_then(|open| self.report(open)));
        // `Source::between` goes before the stream.
        if state.is_due() {
            actions.push(Action::HandOut);
            return;
        }
        if state.is_between() && state.next_after().is_some() {
            actions.push(Action::Register);
        }
        let is_held = state.hold && state.open.back().is_some_and(|open| !open.is_read);
        if usize::from(state.place) < state.log.len() && !is_held {
            actions.push(Action::Deliver);
        }
        if state.reconnects < self.reconnects && !state.open.is_empty() {
            actions.push(Action::Reconnect);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Log(change) => state.log.push((change, Stage::Logged)),
            Action::Show(at) => state.log[usize::from(at)].1 = Stage::Shown,
            Action::Execute(at) => state.log[usize::from(at)].1 = Stage::Executed,
            Action::Register => {
                let after = state.next_after()?;
                state.open.push_back(Chunk {
                    reader: Reader::Ordered,
                    since: state.place,
                    after,
                    low: 0,
                    rows: Rows::default(),
                    last_key: None,
                    last: false,
                    high: 0,
                    low_is_known: false,
                    touched: 0,
                    is_read: false,
                });
            }
            Action::Wait | Action::Low | Action::Select | Action::High => self.read_on(&mut state, action),
            Action::TakeLow => state.open.back_mut()?.low_is_known = true,
            Action::TakeRead => self.take_read(&mut state),
            Action::Deliver => self.deliver(&mut state),
            Action::HandOut => Self::hand_out(&mut state),
            Action::Reconnect => {
                // Within a transaction it goes on at the row where it was: what was delivered stays.
                state.open.clear();
                state.hold = false;
                state.reconnects += 1;
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(TRUE_STATE, |model: &Self, state: &State| state.is_correct(model.again)),
            Property::always(COMPLETE, |model: &Self, state: &State| {
                let mut actions = Vec::new();
                model.actions(state, &mut actions);
                !actions.is_empty() || state.done
            }),
        ]
    }
}
