//! What a pipeline is doing.

use std::fmt;

/// What a pipeline is doing; the pipeline says so, nobody infers it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// It connects and checks what it relies on.
    #[default]
    Starting,
    /// Another instance of the same name works: which.
    Standby(String),
    /// There is nothing to follow yet: what is missing.
    Waiting(String),
    /// It reads tables as a whole (source), or applies such events (sink).
    Snapshot,
    /// It goes over what it has applied before, or over changes that Kafka no longer has (sink): what the
    /// destination holds becomes a state of the source at the end.
    Converging,
    /// It works through a backlog.
    Streaming,
    /// Everything that was committed (source) or published (sink) is through.
    CaughtUp,
    /// It has ended, or is about to.
    Stopped,
}

impl State {
    /// One word for it, as `/status` has it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Standby(_) => "standby",
            Self::Waiting(_) => "waiting",
            Self::Snapshot => "snapshot",
            Self::Converging => "converging",
            Self::Streaming => "streaming",
            Self::CaughtUp => "caught_up",
            Self::Stopped => "stopped",
        }
    }

    /// Every word, for the metric that has one series for each.
    pub(super) const WORDS: &[&str] =
        &["starting", "standby", "waiting", "snapshot", "converging", "streaming", "caught_up", "stopped"];

    /// Whether it is in its place: working, or ready to take over. An instance on
    /// standby counts, else a rolling update would wait for it for ever.
    pub const fn is_ready(&self) -> bool {
        match self {
            Self::Standby(_)
            | Self::Waiting(_)
            | Self::Snapshot
            | Self::Converging
            | Self::Streaming
            | Self::CaughtUp => true,
            Self::Starting | Self::Stopped => false,
        }
    }

    /// Whether it still runs.
    pub fn is_alive(&self) -> bool {
        *self != Self::Stopped
    }

    /// Why it does not work, where it only waits.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Standby(reason) | Self::Waiting(reason) => Some(reason),
            Self::Starting
            | Self::Snapshot
            | Self::Converging
            | Self::Streaming
            | Self::CaughtUp
            | Self::Stopped => None,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standby(reason) | Self::Waiting(reason) => write!(f, "{}: {reason}", self.word()),
            Self::CaughtUp => f.write_str("caught up"),
            Self::Starting | Self::Snapshot | Self::Converging | Self::Streaming | Self::Stopped => {
                f.write_str(self.word())
            }
        }
    }
}
