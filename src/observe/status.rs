//! What `/status` answers, and `cdc status` shows.
//!
//! Fields are only ever added, and a reader takes what is absent as unknown, so
//! that a command and a process of different versions understand each other.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::memory::Memory;

/// Partitions that a person is shown; `--json` has all.
const SHOWN_MAX: usize = 20;

/// The state of one pipeline at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// `source` or `sink`.
    pub role: String,
    /// The pipeline's name.
    pub name: String,
    /// The program's version.
    pub version: String,
    /// `starting`, `standby`, `waiting`, `snapshot`, `streaming`, `caught_up`, `stopped`.
    pub state: String,
    /// Why it only waits.
    pub reason: Option<String>,
    /// When the process started, RFC 3339.
    pub started_at: String,
    /// How far it is: the last cut, as incarnation.sequence.
    pub cut: Option<String>,
    /// The source's position after it: GTID set, or file and position.
    pub position: Option<String>,
    /// When the last transaction that is through was committed on the source, RFC 3339.
    pub committed_at: Option<String>,
    /// How far it is behind the source, in seconds; 0 when idle.
    pub lag_seconds: Option<f64>,
    /// Row changes since the start.
    pub rows: u64,
    /// Bytes of keys and values since the start.
    pub bytes: u64,
    /// Cuts since the start.
    pub cuts: u64,
    /// Rows that had been changed on both sides, since the start.
    pub conflicts: u64,
    /// Rows a second over the last ten seconds.
    pub rows_per_second: f64,
    /// Bytes of events under way.
    pub buffered_bytes: u64,
    /// The snapshot, while there is one and after it.
    pub snapshot: Option<SnapshotStatus>,
    /// Memory of the process, where the system tells.
    pub memory: Option<Memory>,
    /// The last error, mended or not.
    pub last_error: Option<LastError>,
    /// Tables with keys in quarantine: these are no past state of the source until their keys are released.
    pub set_aside: Vec<SetAside>,
    /// `key` where several sinks of the name share the topics; absent: each commit is a state of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consistency: Option<String>,
    /// Then: the partitions that are this sink's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<String>,
}

/// A table with keys in quarantine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SetAside {
    /// The source's table.
    pub table: String,
    /// Keys in quarantine.
    pub keys: u64,
    /// Their dead letters.
    pub letters: u64,
    /// Since when, RFC 3339.
    pub since: String,
    /// The first error's code, for `cdc explain`.
    pub code: String,
    /// Its text.
    pub error: String,
}

/// How far a snapshot is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SnapshotStatus {
    /// Tables read.
    pub tables_done: u64,
    /// Tables to read.
    pub tables_total: u64,
    /// Rows read.
    pub rows: u64,
    /// Rows to read, by the server's estimate.
    pub rows_estimated: u64,
    /// It was told to pause, and something is left to read.
    pub paused: bool,
    /// Seconds to its end at the present rate; `None` once it is through or before a rate is known.
    pub eta_seconds: Option<u64>,
}

/// An error that was met.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LastError {
    /// When, RFC 3339.
    pub at: String,
    /// Its code, for `cdc explain`.
    pub code: String,
    /// Its text, with what to do.
    pub text: String,
}

impl Status {
    /// What a person wants to see, a label and a value each.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![
            (
                self.role_label(),
                format!("{} (version {}, since {})", self.name, self.version, self.started_at),
            ),
            ("state", self.state_text()),
            ("lag", self.lag_seconds.map_or_else(|| "not known".to_owned(), seconds_text)),
            ("rows", format!("{} ({:.0} a second)", self.rows, self.rows_per_second)),
            ("bytes", format!("{} (and {} under way)", self.bytes, self.buffered_bytes)),
            ("cut", format!("{} ({} since the start)", or_none(self.cut.as_deref()), self.cuts)),
            ("position", or_none(self.position.as_deref()).to_owned()),
            ("committed", or_none(self.committed_at.as_deref()).to_owned()),
        ];
        if let Some(consistency) = &self.consistency {
            let text = format!("by {consistency}; {} partitions are this sink's", self.partitions.len());
            lines.push(("order", text));
            lines.extend(self.partitions.iter().take(SHOWN_MAX).map(|p| ("partition", p.clone())));
        }
        if let Some(snapshot) = &self.snapshot {
            lines.push(("snapshot", snapshot.to_string()));
        }
        if self.conflicts > 0 {
            lines.push(("conflicts", format!("{} rows had been changed on both sides", self.conflicts)));
        }
        if let Some(memory) = self.memory {
            lines.push(("memory", memory.to_string()));
        }
        lines.extend(self.set_aside.iter().map(|table| ("set aside", table.to_string())));
        if let Some(error) = &self.last_error {
            lines.push(("last error", format!("{}: {}", error.at, error.text)));
        }
        lines
    }

    fn role_label(&self) -> &'static str {
        if self.role == "sink" { "sink" } else { "source" }
    }

    fn state_text(&self) -> String {
        match &self.reason {
            Some(reason) => format!("{}: {reason}", self.state),
            None => self.state.replace('_', " "),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (label, value)) in self.lines().into_iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{label:<11}{}", value.replace('\n', "\n           "))?;
        }
        Ok(())
    }
}

impl fmt::Display for SetAside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, keys, letters, since, error, .. } = self;
        let first = error.lines().next().unwrap_or_default();
        write!(
            f,
            "{table} is no past state of the source: {keys} of its keys are in quarantine since {since}, "
        )?;
        write!(f, "with {letters} dead letters\n{first}\nsee cdc dead-letter list")
    }
}

impl fmt::Display for SnapshotStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tables_done, tables_total, rows, rows_estimated, .. } = self;
        write!(f, "{tables_done} of {tables_total} tables, {rows} of about {rows_estimated} rows")?;
        if self.paused {
            return write!(f, ", paused: cdc snapshot resume");
        }
        match self.eta_seconds {
            Some(eta) => write!(f, ", about {} left", seconds_text(eta as f64)),
            None => Ok(()),
        }
    }
}

fn or_none(text: Option<&str>) -> &str {
    text.unwrap_or("none yet")
}

/// `0.2 s`, `4 min 10 s`, `3 h 5 min`.
pub(super) fn seconds_text(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    // Saturates, as float to integer does.
    let whole = seconds as u64;
    match whole {
        0..3600 => format!("{} min {} s", whole / 60, whole % 60),
        3600.. => format!("{} h {} min", whole / 3600, whole / 60 % 60),
    }
}

#[cfg(test)]
mod tests;
