//! Batches applied side by side and committed in order, with the ledger beside the rows, by sinks that
//! die, lose answers, take over from each other and wake up again.
//!
//! | action | what it stands for |
//! |---|---|
//! | `Lead` | `Leader::stand_by`: the lock of leadership is free, and taken |
//! | `EndPredecessors` | `ledger::end_predecessors`: registered connections are killed and have rolled back |
//! | `RaiseEpoch` | `ledger::raise_epoch`: reads the ledger FOR UPDATE, which waits for a commit under way |
//! | `Begin` | `Parallel::apply` → `begin`, or `one_by_one` → `Sink::apply` for what goes alone |
//! | `Write` | the next statement of `apply::apply`; it waits where another transaction holds a lock |
//! | `TimeOut` | `innodb_lock_wait_timeout` of a session beside others (`Purpose::Writer`), or InnoDB's choice in a deadlock |
//! | `Advance` | `Ledger::advance_sql`, once the batch before is committed (`turn`) |
//! | `Send`, `Commit`, `Answer` | COMMIT leaves the sink; the server does it; the sink hears of it |
//! | `GiveUp` | the batch before this one was rolled back: its turn does not come |
//! | `OnceMore` | `Parallel::once_more`: all that is not committed goes again, one after the other |
//! | `Notice` | a sink finds that its connection is gone |
//! | `Reap` | the server rolls back a transaction whose client is gone |
//! | `Crash`, `LoseLead`, `LoseConnection` | faults, a limited number in all |
//!
//! A sink whose lock of leadership is lost does not notice: it goes on as before, however late, until the ledger
//! or a dead connection stops it. So a process that was stopped and wakes up is among the runs. The real one looks
//! sometimes whether it still leads; that only takes runs away. It may even write over a connection
//! opened after its successor ended the others (`another_session`).
//!
//! Invariants: after every commit the rows are those of the source after as many batches as the ledger says
//! (TRUNCATE commits by itself and comes first); each batch is committed once, in order; and who holds the ledger's epoch knows what is in the
//! ledger. Every run ends, with everything applied: where nothing can be done any more the rows are the source's
//! last, and no run goes in a circle.

mod cases;
mod destination;

use stateright::{Model, Property};

use destination::{DOWN, Locks, Role, Rows, SINKS, Session, Sink, State, Statement, Step};

/// Sessions beside the sink's own.
const WRITERS: usize = 2;

const TRUE_STATE: &str = "the destination is a state of the source";
const ONCE: &str = "each batch is committed once, in order";
const SETTLED: &str = "the holder of the epoch knows the ledger";
const DONE: &str = "every run applies everything";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Lead(u8),
    EndPredecessors(u8),
    RaiseEpoch(u8),
    Begin(u8),
    Write(Session),
    TimeOut(Session),
    Advance(Session),
    Send(Session),
    Commit(Session),
    Answer(Session),
    GiveUp(Session),
    OnceMore(u8),
    Notice(Session),
    Reap(Session),
    Crash(u8),
    LoseLead(u8),
    LoseConnection(Session),
}

/// A fault in the algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plant {
    None,
    /// Rows are committed first, then the ledger in a transaction of its own: who looks in between sees
    /// rows of which the ledger does not tell, and a sink that begins in between does them again.
    LedgerApart,
    /// The compare-and-set does not name the epoch. A sink that was overtaken commits
    /// once more, and its successor works with a ledger that is no more.
    NoEpoch,
    /// It names neither epoch nor cut. The same, and rows of long ago go over newer ones.
    NoCompare,
    /// The successor reads the ledger without a lock: a commit that was on its way comes after that.
    ReadUnlocked,
    /// The predecessors' connections live on: a TRUNCATE of long ago empties what came since.
    NoKill,
    /// Batches do not wait for their turn, and the ledger takes any.
    OutOfOrder,
    /// Whoever waits for a lock waits for ever: the first for one that a later batch holds, which
    /// waits for its turn.
    NoTimeOut,
    /// Batches with the same keys are at work at once: a delete comes before the row that it is to delete.
    OverlapAllowed,
}

/// What is to be applied, and how.
#[derive(Clone, Debug)]
struct Apply {
    plant: Plant,
    first: Rows,
    batches: Vec<Vec<Statement>>,
    faults: u8,
}

impl Apply {
    fn statements(&self, batch: u8) -> &[Statement] {
        &self.batches[usize::from(batch)]
    }

    fn source_at(&self, batches: u8) -> Rows {
        let mut rows = self.first;
        for batch in 0..batches {
            self.statements(batch).iter().for_each(|statement| statement.apply(batch, &mut rows));
        }
        rows
    }

    fn footprint(&self, batch: u8) -> Locks {
        self.statements(batch).iter().fold(0, |all, statement| all | statement.footprint())
    }

    fn goes_alone(&self, sink: &Sink) -> bool {
        sink.begun < sink.alone_until || self.statements(sink.begun).contains(&Statement::Truncate)
    }

    fn may_begin(&self, state: &State, number: u8) -> bool {
        let sink = &state.sinks[usize::from(number)];
        if sink.role != Role::Works || usize::from(sink.begun) == self.batches.len() {
            return false;
        }
        if self.goes_alone(sink) {
            return state.of(number).next().is_none();
        }
        let footprint = self.footprint(sink.begun);
        let meets = |s: &Session| s.alone || self.footprint(s.batch) & footprint != 0;
        let is_clear = self.plant == Plant::OverlapAllowed || !state.of(number).any(meets);
        state.of(number).count() < WRITERS && is_clear
    }

    fn begin(&self, state: &mut State, number: u8) {
        let sink = &mut state.sinks[usize::from(number)];
        let alone = self.goes_alone(sink);
        if alone && sink.ended {
            return state.drop_sink(number);
        }
        let session = Session {
            sink: number,
            attached: true,
            batch: sink.begun,
            alone,
            epoch: sink.epoch,
            done: 0,
            changed: 0,
            held: 0,
            step: Step::Writing,
        };
        sink.begun += 1;
        state.sessions.push(session);
    }

    /// The lock for which a session must wait; `None`: for none.
    fn awaits(&self, state: &State, session: &Session) -> bool {
        let Some(statement) = self.statements(session.batch).get(usize::from(session.done)) else {
            return false;
        };
        let taken = state.locked(session);
        if *statement == Statement::Truncate {
            // The table for itself.
            return state.sessions.iter().any(|s| s != session && s.is_open() && s.done > 0);
        }
        // Whether a row is there that somebody else has changed, only waiting for it tells.
        let is_held = taken & statement.footprint() != 0;
        let missing = statement.locks(&state.seen_by(self, session)).into_iter();
        is_held || missing.filter(|lock| session.held & lock == 0).any(|lock| taken & lock != 0)
    }

    /// The next statement, or those of its locks that are free.
    fn write(&self, state: &mut State, session: &Session) {
        let statement = self.statements(session.batch)[usize::from(session.done)];
        let (taken, rows) = (state.locked(session), state.seen_by(self, session));
        let free = statement.locks(&rows).into_iter().take_while(|lock| taken & lock == 0);
        let held = free.fold(session.held, |all, lock| all | lock);
        if self.awaits(state, session) {
            return state.change(session, |s| s.held = held);
        }
        if statement.is_refused(&rows) {
            return state.fail(session);
        }
        let changes = match statement {
            Statement::Truncate => {
                state.rows = Rows::default();
                false
            }
            Statement::Delete(key) => rows[usize::from(key)].is_some(),
            Statement::Put(..) | Statement::PutBeside(..) => true,
        };
        let changed = session.changed | u8::from(changes) << session.done;
        state.change(session, |s| (s.held, s.done, s.changed) = (held, s.done + 1, changed));
    }

    /// Whether the batch before it is committed.
    fn has_turn(&self, state: &State, session: &Session) -> bool {
        self.plant == Plant::OutOfOrder || !state.of(session.sink).any(|s| s.batch < session.batch)
    }

    fn is_written(&self, session: &Session) -> bool {
        session.step == Step::Writing && usize::from(session.done) == self.statements(session.batch).len()
    }

    fn advance(&self, state: &mut State, session: &Session) {
        let same_epoch = state.epoch == session.epoch || self.plant == Plant::NoEpoch;
        let blind = matches!(self.plant, Plant::NoCompare | Plant::OutOfOrder);
        if blind || (same_epoch && state.cut == session.batch) {
            state.change(session, |s| s.step = Step::Advanced);
        } else {
            state.remove(session);
            state.drop_sink(session.sink);
        }
    }

    fn commit(&self, state: &mut State, session: &Session) {
        state.rows = state.seen_by(self, session);
        state.is_out_of_order |= state.cut != session.batch;
        state.cut = session.batch + 1;
        match session.attached {
            true => state.end(session, Step::Committed),
            false => state.remove(session),
        }
    }

    /// Of [`Plant::LedgerApart`]: the rows alone.
    fn commit_rows(&self, state: &mut State, session: &Session) {
        state.rows = state.seen_by(self, session);
    }

    fn end_predecessors(&self, state: &mut State, number: u8) {
        state.sinks[usize::from(number)].role = Role::Alone;
        if self.plant == Plant::NoKill {
            return;
        }
        state.sessions.retain(|s| s.attached);
        for session in state.sessions.iter_mut().filter(|s| s.sink != number && s.is_open()) {
            let sent = session.step == Step::Sent;
            (session.step, session.held, session.done, session.changed) = (Step::Gone { sent }, 0, 0, 0);
        }
        state
            .sinks
            .iter_mut()
            .enumerate()
            .filter(|(at, _)| *at != usize::from(number))
            .for_each(|(_, s)| s.ended = true);
    }

    fn raise_epoch(state: &mut State, number: u8) {
        if state.leader != Some(number) {
            return state.drop_sink(number);
        }
        state.epoch += 1;
        let (epoch, cut) = (state.epoch, state.cut);
        let sink = Sink { role: Role::Works, epoch, cut, begun: cut, alone_until: 0, ended: false };
        state.sinks[usize::from(number)] = sink;
    }

    fn once_more(state: &mut State, number: u8) {
        let first = state.of(number).map(|s| s.batch).min().unwrap_or_default();
        state.sessions.retain(|s| !s.is_of(number));
        let sink = &mut state.sinks[usize::from(number)];
        (sink.alone_until, sink.begun) = (sink.begun, first);
    }

    fn notice(state: &mut State, session: &Session) {
        match session.step {
            Step::Gone { sent: true } => state.drop_sink(session.sink),
            _ => state.fail(session),
        }
    }

    fn lose_connection(state: &mut State, session: &Session) {
        let sent = matches!(session.step, Step::Sent | Step::Committed);
        if session.is_open() {
            state.sessions.push(Session { attached: false, ..*session });
        }
        state.end(session, Step::Gone { sent });
    }

    fn of_sink(&self, state: &State, number: u8, actions: &mut Vec<Action>) {
        let sink = &state.sinks[usize::from(number)];
        match sink.role {
            Role::Down if state.leader.is_none() => actions.push(Action::Lead(number)),
            Role::Leads => actions.push(Action::EndPredecessors(number)),
            Role::Alone if state.ledger_is_free() || self.plant == Plant::ReadUnlocked => {
                actions.push(Action::RaiseEpoch(number));
            }
            Role::Down | Role::Alone | Role::Works => {}
        }
        if self.may_begin(state, number) {
            actions.push(Action::Begin(number));
        }
        let mut own = state.of(number).peekable();
        if own.peek().is_some() && own.all(|s| s.step == Step::Failed) {
            actions.push(Action::OnceMore(number));
        }
        if state.faults < self.faults && sink.role != Role::Down {
            actions.push(Action::Crash(number));
            actions.extend((state.leader == Some(number)).then_some(Action::LoseLead(number)));
        }
    }

    fn of_session(&self, state: &State, session: Session, actions: &mut Vec<Action>) {
        if !session.attached {
            // A statement that the server has not finished may go on; only a COMMIT changes what others see.
            actions.extend((session.step == Step::Sent).then_some(Action::Commit(session)));
            actions.push(Action::Reap(session));
            return;
        }
        match session.step {
            Step::Writing if self.is_written(&session) => {
                if self.has_turn(state, &session) {
                    actions.extend(state.ledger_is_free().then_some(Action::Advance(session)));
                } else if state.of(session.sink).any(|s| s.batch < session.batch && s.step == Step::Failed) {
                    actions.push(Action::GiveUp(session));
                }
            }
            Step::Writing if self.awaits(state, &session) => {
                let gives_way = !session.alone && self.plant != Plant::NoTimeOut;
                actions.extend(gives_way.then_some(Action::TimeOut(session)));
                // The first of several locks.
                let mut after = state.clone();
                self.write(&mut after, &session);
                actions.extend((after != *state).then_some(Action::Write(session)));
            }
            Step::Writing => actions.push(Action::Write(session)),
            Step::Advanced => actions.push(Action::Send(session)),
            Step::Sent => actions.push(Action::Commit(session)),
            Step::Committed => actions.push(Action::Answer(session)),
            Step::Gone { .. } => actions.push(Action::Notice(session)),
            Step::Failed => {}
        }
        let is_there = !matches!(session.step, Step::Failed | Step::Gone { .. });
        if state.faults < self.faults && is_there {
            actions.push(Action::LoseConnection(session));
        }
    }

    fn faults(state: &mut State, action: Action) {
        state.faults += 1;
        match action {
            Action::Crash(number) => state.drop_sink(number),
            Action::LoseLead(_) => state.leader = None,
            Action::LoseConnection(session) => Self::lose_connection(state, &session),
            _ => {}
        }
    }

    fn is_true_state(&self, state: &State) -> bool {
        let next_truncates = usize::from(state.cut) < self.batches.len()
            && self.statements(state.cut).contains(&Statement::Truncate);
        state.rows == self.source_at(state.cut)
            || (next_truncates && state.rows == self.source_at(state.cut + 1))
    }

    fn is_settled(state: &State) -> bool {
        (0..).zip(&state.sinks).filter(|(_, sink)| sink.role == Role::Works && sink.epoch == state.epoch).all(
            |(number, sink)| {
                let on_its_way =
                    |s: &Session| matches!(s.step, Step::Sent | Step::Committed | Step::Gone { sent: true });
                sink.cut == state.cut || state.of(number).any(on_its_way)
            },
        )
    }
}

impl Model for Apply {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut sinks = [DOWN; SINKS];
        sinks[0] = Sink { role: Role::Works, epoch: 1, ..DOWN };
        vec![State {
            rows: self.first,
            cut: 0,
            epoch: 1,
            leader: Some(0),
            sinks,
            sessions: Vec::new(),
            faults: 0,
            is_out_of_order: false,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        (0..SINKS as u8).for_each(|number| self.of_sink(state, number, actions));
        state.sessions.iter().for_each(|session| self.of_session(state, *session, actions));
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Lead(number) => {
                state.leader = Some(number);
                state.sinks[usize::from(number)] = Sink { role: Role::Leads, ..DOWN };
            }
            Action::EndPredecessors(number) => self.end_predecessors(&mut state, number),
            Action::RaiseEpoch(number) => Self::raise_epoch(&mut state, number),
            Action::Begin(number) => self.begin(&mut state, number),
            Action::Write(session) => self.write(&mut state, &session),
            Action::TimeOut(session) | Action::GiveUp(session) => state.fail(&session),
            Action::Advance(session) => {
                if self.plant == Plant::LedgerApart {
                    self.commit_rows(&mut state, &session);
                }
                self.advance(&mut state, &session);
            }
            Action::Send(session) => state.change(&session, |s| s.step = Step::Sent),
            Action::Commit(session) => self.commit(&mut state, &session),
            Action::Answer(session) => {
                state.sinks[usize::from(session.sink)].cut = session.batch + 1;
                state.remove(&session);
            }
            Action::OnceMore(number) => Self::once_more(&mut state, number),
            Action::Notice(session) => Self::notice(&mut state, &session),
            Action::Reap(session) => state.remove(&session),
            Action::Crash(_) | Action::LoseLead(_) | Action::LoseConnection(_) => {
                Self::faults(&mut state, action);
            }
        }
        state.sessions.sort_unstable();
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(TRUE_STATE, |model: &Self, state: &State| model.is_true_state(state)),
            Property::always(ONCE, |_, state: &State| !state.is_out_of_order),
            Property::always(SETTLED, |_, state: &State| Self::is_settled(state)),
            Property::always(DONE, |model: &Self, state: &State| {
                let mut actions = Vec::new();
                model.actions(state, &mut actions);
                !actions.is_empty() || usize::from(state.cut) == model.batches.len()
            }),
        ]
    }
}
