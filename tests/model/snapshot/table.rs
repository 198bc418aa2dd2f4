//! A table, what transactions do to it, and how far the server is with them.

/// Keys of the table, at most.
pub(super) const KEYS: usize = 3;

pub(super) type Rows = [Option<u8>; KEYS];
/// Transactions, or keys, by bit.
pub(super) type Set = u8;

/// What a transaction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Change {
    /// Inserts or updates the row of a key.
    Put(u8),
    Delete(u8),
    /// Changes a row's key.
    Move(u8, u8),
    /// Writes two rows, as two events of the binlog.
    Both(u8, u8),
    Truncate,
}

impl Change {
    pub(super) fn keys(self) -> Set {
        match self {
            Self::Put(key) | Self::Delete(key) => 1 << key,
            Self::Move(from, to) | Self::Both(from, to) => 1 << from | 1 << to,
            Self::Truncate => Set::MAX,
        }
    }

    /// Events in the binlog.
    pub(super) fn events(self) -> usize {
        if matches!(self, Self::Both(..)) { 2 } else { 1 }
    }

    pub(super) fn is_possible(self, rows: &Rows) -> bool {
        let is_there = |key: u8| rows[usize::from(key)].is_some();
        match self {
            Self::Put(_) | Self::Both(..) | Self::Truncate => true,
            Self::Delete(key) => is_there(key),
            Self::Move(from, to) => is_there(from) && !is_there(to),
        }
    }

    /// Applies one event of it, which writes `value`.
    pub(super) fn apply(self, event: usize, value: u8, rows: &mut Rows) {
        let mut set = |key: u8, row| rows[usize::from(key)] = row;
        match (self, event) {
            (Self::Put(key), _) | (Self::Both(key, _), 0) | (Self::Both(_, key), _) => set(key, Some(value)),
            (Self::Delete(key), _) => set(key, None),
            (Self::Move(from, to), _) => {
                set(from, None);
                set(to, Some(value));
            }
            (Self::Truncate, _) => *rows = Rows::default(),
        }
    }

    /// The keys that one event of it touches.
    pub(super) fn touches(self, event: usize) -> Set {
        match (self, event) {
            (Self::Both(key, _), 0) | (Self::Both(_, key), _) => 1 << key,
            _ => self.keys(),
        }
    }
}

/// How far the server is with a transaction that is in the binlog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Stage {
    Logged,
    Shown,
    Executed,
}
