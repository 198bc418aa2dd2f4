//! The destination as the server holds it, and the sinks as they see themselves.

use super::Apply;

pub(super) const KEYS: usize = 4;
pub(super) const SINKS: usize = 2;
/// A row: its unique value, and the batch that wrote it.
pub(super) type Rows = [Option<(u8, u8)>; KEYS];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Statement {
    Delete(u8),
    /// An upsert of a key with a unique value.
    Put(u8, u8),
    /// The same, which also takes a lock that is of neither: of a gap, or of an entry that is gone.
    PutBeside(u8, u8, u8),
    Truncate,
}

/// Locks, by bit: keys, then unique values, then others.
pub(super) type Locks = u16;

pub(super) fn key_lock(key: u8) -> Locks {
    1 << key
}

pub(super) fn unique_lock(value: u8) -> Locks {
    1 << (4 + value)
}

pub(super) fn other_lock(number: u8) -> Locks {
    1 << (8 + number)
}

impl Statement {
    /// The keys by which batches are told apart: `Reach::keys`.
    pub(super) fn footprint(self) -> Locks {
        match self {
            Self::Delete(key) | Self::Put(key, _) | Self::PutBeside(key, ..) => key_lock(key),
            Self::Truncate => Locks::MAX,
        }
    }

    /// The locks that it takes, in this order, where the transaction sees these rows. A delete that finds nothing takes none.
    pub(super) fn locks(self, rows: &Rows) -> Vec<Locks> {
        match self {
            Self::Delete(key) => {
                let found = rows[usize::from(key)].map(|(value, _)| vec![key_lock(key), unique_lock(value)]);
                found.unwrap_or_default()
            }
            Self::Put(key, value) => vec![key_lock(key), unique_lock(value)],
            Self::PutBeside(key, value, other) => vec![other_lock(other), key_lock(key), unique_lock(value)],
            Self::Truncate => Vec::new(),
        }
    }

    /// Whether another row has its unique value: then the guard fails.
    pub(super) fn is_refused(self, rows: &Rows) -> bool {
        match self {
            Self::Put(key, value) | Self::PutBeside(key, value, _) => (0..KEYS)
                .any(|other| other != usize::from(key) && rows[other].is_some_and(|(has, _)| has == value)),
            Self::Delete(_) | Self::Truncate => false,
        }
    }

    pub(super) fn apply(self, batch: u8, rows: &mut Rows) {
        match self {
            Self::Delete(key) => rows[usize::from(key)] = None,
            Self::Put(key, value) | Self::PutBeside(key, value, _) => {
                rows[usize::from(key)] = Some((value, batch));
            }
            Self::Truncate => *rows = Rows::default(),
        }
    }
}

/// How far a session is with its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Step {
    Writing,
    /// The ledger's row is locked and changed.
    Advanced,
    /// COMMIT is on its way to the server.
    Sent,
    /// Its answer is on its way back.
    Committed,
    /// Rolled back, and the sink knows.
    Failed,
    /// The server has ended the connection, and the sink does not know; perhaps after COMMIT was sent.
    Gone {
        sent: bool,
    },
}

/// A session at the destination, with a transaction or the memory of one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Session {
    pub(super) sink: u8,
    /// Whether its client is still there.
    pub(super) attached: bool,
    pub(super) batch: u8,
    /// The sink's own session, with nothing beside it.
    pub(super) alone: bool,
    pub(super) epoch: u8,
    /// Statements done, and by bit which of them changed a row: a delete that came before its row did not.
    pub(super) done: u8,
    pub(super) changed: u8,
    pub(super) held: Locks,
    pub(super) step: Step,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let of = if self.attached { "" } else { "what is left of " };
        write!(f, "{of}sink {}, epoch {}, batch {}, {} done", self.sink, self.epoch, self.batch, self.done)
    }
}

impl Session {
    /// Whether the server has a transaction of it.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.step, Step::Writing | Step::Advanced | Step::Sent)
    }

    pub(super) fn holds_ledger(&self) -> bool {
        matches!(self.step, Step::Advanced | Step::Sent)
    }

    pub(super) fn is_of(&self, sink: u8) -> bool {
        self.attached && self.sink == sink
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Role {
    /// Not running, or standing by.
    Down,
    Leads,
    /// The predecessors' connections are ended.
    Alone,
    Works,
}

/// A sink as it sees itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sink {
    pub(super) role: Role,
    pub(super) epoch: u8,
    /// `Sink::progress`.
    pub(super) cut: u8,
    /// `Parallel::expected`.
    pub(super) begun: u8,
    /// Batches before this one go alone.
    pub(super) alone_until: u8,
    /// Its own connection has been ended by a successor.
    pub(super) ended: bool,
}

pub(super) const DOWN: Sink =
    Sink { role: Role::Down, epoch: 0, cut: 0, begun: 0, alone_until: 0, ended: false };

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) rows: Rows,
    /// The ledger: batches applied, and its epoch.
    pub(super) cut: u8,
    pub(super) epoch: u8,
    /// Who holds the lock of leadership.
    pub(super) leader: Option<u8>,
    pub(super) sinks: [Sink; SINKS],
    pub(super) sessions: Vec<Session>,
    pub(super) faults: u8,
    /// A batch was committed that was not the next.
    pub(super) is_out_of_order: bool,
}

impl State {
    /// The rows as a transaction sees them: those committed, and its own.
    pub(super) fn seen_by(&self, model: &Apply, session: &Session) -> Rows {
        let mut rows = self.rows;
        let own = model.statements(session.batch).iter().enumerate();
        own.filter(|(at, _)| session.changed >> at & 1 == 1)
            .for_each(|(_, s)| s.apply(session.batch, &mut rows));
        rows
    }

    pub(super) fn of(&self, sink: u8) -> impl Iterator<Item = &Session> {
        self.sessions.iter().filter(move |s| s.is_of(sink))
    }

    /// Locks that other transactions hold.
    pub(super) fn locked(&self, session: &Session) -> Locks {
        self.sessions.iter().filter(|s| *s != session && s.is_open()).fold(0, |all, s| all | s.held)
    }

    pub(super) fn ledger_is_free(&self) -> bool {
        !self.sessions.iter().any(Session::holds_ledger)
    }

    pub(super) fn change(&mut self, session: &Session, change: impl FnOnce(&mut Session)) {
        if let Some(found) = self.sessions.iter_mut().find(|s| *s == session) {
            change(found);
        }
    }

    pub(super) fn end(&mut self, session: &Session, step: Step) {
        self.change(session, |s| (s.step, s.held, s.done, s.changed) = (step, 0, 0, 0));
    }

    pub(super) fn remove(&mut self, session: &Session) {
        if let Some(at) = self.sessions.iter().position(|s| s == session) {
            self.sessions.remove(at);
        }
    }

    /// `Sink::lost`, or the end of the process: what the server has of it stays for now.
    pub(super) fn drop_sink(&mut self, sink: u8) {
        self.sessions.retain(|s| !s.is_of(sink) || s.is_open());
        self.sessions.iter_mut().filter(|s| s.is_of(sink)).for_each(|s| s.attached = false);
        self.sinks[usize::from(sink)] = DOWN;
        self.leader = self.leader.filter(|leader| *leader != sink);
    }

    /// Rolled back after a failure: what goes alone ends its sink, the others are done once more.
    pub(super) fn fail(&mut self, session: &Session) {
        match session.alone {
            true => {
                self.remove(session);
                self.drop_sink(session.sink);
            }
            false => self.end(session, Step::Failed),
        }
    }
}
