//! What a source is told: where to read, what, and how carefully.

use std::time::Duration;

use cdc_sdk::echo;
use cdc_sdk::endpoint::Endpoint;
use cdc_sdk::pattern::Selection;

/// The settings of one source, resolved: nothing is optional that has a default.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who this source is; names its lock and, where no `server_id` is given, its number.
    pub name: String,
    /// What its topics begin with: of the sources of one prefix, whatever their names, one works at a time.
    pub topic_prefix: String,
    /// The server to read.
    pub endpoint: Endpoint,
    /// The number by which the server knows this reader; no two readers of a
    /// server may share one. `None`: derived from the name, see [`Settings::server_id`].
    pub server_id: Option<u32>,
    /// Which tables are captured.
    pub selection: Selection,
    /// Whether existing rows are read first.
    pub snapshot: SnapshotMode,
    /// Rows in a chunk of the snapshot, at most.
    pub chunk_rows: u32,
    /// Bytes of rows in a chunk, at most (one row may be larger).
    pub chunk_bytes: u64,
    /// How many connections read chunks at once.
    pub readers: u32,
    /// Rows that the snapshot reads in a second, at most; `None`: no limit.
    pub snapshot_rows_per_second: Option<u32>,
    /// Whether a snapshot without GTIDs may hold `FLUSH TABLES WITH READ LOCK`
    /// for the milliseconds that it takes to open its views.
    pub allow_global_read_lock: bool,
    /// What to do when a statement changed rows without row events.
    pub on_unsafe_ddl: OnUnsafeDdl,
    /// Sinks of `cdc` that write to this server from the other side of a two-way replication: what
    /// they have applied is not sent back. `*`: all of them.
    pub skip_sinks: Vec<String>,
    /// Whether JSON is printed with the marks of [`cdc_sdk::json`], in the rows of the log and of the
    /// snapshot alike. Servers before 8.0.4 cannot tell the latter, so there nothing is marked.
    pub mark_json: bool,
    /// How often the server is asked to show that it is alive.
    pub heartbeat: Duration,
}

/// Whether existing rows are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SnapshotMode {
    /// At the first start, while streaming goes on.
    #[default]
    Initial,
    /// Never: only what changes from the first start on.
    NoData,
    /// As `Initial`; the program stops when the rows are through.
    InitialOnly,
    /// As `Initial`, and again where the binlog at the position is no longer on the server.
    WhenNeeded,
}

/// What to do when a statement changed rows without row events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnUnsafeDdl {
    /// Read the table again.
    #[default]
    Snapshot,
    /// Stop with [`cdc_sdk::Kind::UnsafeDdl`].
    Stop,
}

/// Derived numbers start here: people give servers small ones.
const DERIVED_SERVER_ID_MIN: u32 = 1 << 16;

impl Settings {
    /// The number by which the server knows this reader: as set, else derived
    /// from the name, the same at every start, and at least 2^16.
    pub fn server_id(&self) -> u32 {
        self.server_id.unwrap_or_else(|| {
            let hash = crc32fast::hash(self.name.as_bytes());
            if hash < DERIVED_SERVER_ID_MIN { hash + DERIVED_SERVER_ID_MIN } else { hash }
        })
    }

    /// Whether transactions of this tag came from the other side.
    pub(crate) fn skips(&self, tag: &str) -> bool {
        let names = |sink: &String| sink == "*" || echo::tag(sink) == tag;
        tag.starts_with(echo::PREFIX) && self.skip_sinks.iter().any(names)
    }

    /// The locks that make one source of a name, and one of a prefix, work at a time, in the order in which all take
    /// them; each with whom it keeps out. Versions before this one take the first only.
    pub(crate) fn locks(&self) -> [(String, String); 2] {
        let of_name = format!("another source named '{}'", self.name);
        let of_prefix = format!("another source of the topic prefix '{}'", self.topic_prefix);
        [
            (lock_name("cdc_source_", &self.name), of_name),
            (lock_name("cdc_prefix_", &self.topic_prefix), of_prefix),
        ]
    }
}

/// MySQL takes 64 characters and ignores their case; a longer name is cut and hashed.
fn lock_name(kind: &str, name: &str) -> String {
    let plain = format!("{kind}{name}");
    if plain.chars().count() <= 64 && plain == plain.to_lowercase() {
        return plain;
    }
    let head: String = plain.to_lowercase().chars().take(55).collect();
    format!("{head}_{:08x}", crc32fast::hash(name.as_bytes()))
}

#[cfg(test)]
pub(crate) mod tests;
