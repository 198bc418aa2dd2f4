//! What a run did, for a person and for a machine.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::Value as Json;

use super::fault::Fault;

/// Figures of a run, or of several.
#[derive(Clone, Debug, Default)]
pub struct Report {
    name: String,
    seeds: Vec<u64>,
    faults: BTreeMap<String, u64>,
    /// Worlds that were compared to the end.
    pub rounds: u64,
    /// Of these, in how many all tables were read once more. They are compared, too, from then on.
    pub read_again: u64,
    /// Transactions of the source.
    pub commits: u64,
    /// Complete cuts, each compared with what the source held.
    pub cuts: u64,
    /// Transactions of the destination, each compared with what the source held.
    pub dest_commits: u64,
    /// The same where each row by itself only goes forward.
    pub dest_commits_by_row: u64,
    /// Looks at the destination, each of which compares what it holds with what the source held.
    pub looks: u64,
    /// Different states seen.
    pub states: u64,
    /// Looks at rows that only go forward.
    pub looks_by_row: u64,
    /// Records of data topics, each compared with what was done.
    pub events: u64,
    /// Looks at the source's server that found nothing of ours in anybody's way.
    pub looks_for_harm: u64,
    /// How often a process gave up, and a supervisor started it again.
    pub gave_up: u64,
    /// The longest that the destination took to be where the source was when a fault ended.
    pub slowest: Duration,
    /// The most memory that a source was seen to have used, and a sink, in bytes.
    pub peak_rss: [u64; 2],
    pub length: Duration,
}

impl Report {
    pub fn of(name: &str, seed: u64) -> Self {
        Self { name: name.to_owned(), seeds: vec![seed], ..Self::default() }
    }

    /// Counts a fault.
    pub fn count(&mut self, fault: Fault) {
        *self.faults.entry(fault.to_string()).or_insert(0) += 1;
    }

    /// Name and seeds: what is needed to run it again.
    pub fn headline(&self) -> String {
        format!("{}, CDC_TEST_SEED={:?}, faults so far {:?}", self.name, self.seeds, self.faults)
    }

    /// Adds another run.
    pub fn add(&mut self, other: Self) {
        self.name = other.name;
        self.seeds.extend(other.seeds);
        for (fault, count) in other.faults {
            *self.faults.entry(fault).or_insert(0) += count;
        }
        self.rounds += other.rounds;
        self.read_again += other.read_again;
        self.commits += other.commits;
        self.cuts += other.cuts;
        self.dest_commits += other.dest_commits;
        self.dest_commits_by_row += other.dest_commits_by_row;
        self.looks += other.looks;
        self.states += other.states;
        self.looks_by_row += other.looks_by_row;
        self.events += other.events;
        self.looks_for_harm += other.looks_for_harm;
        self.gave_up += other.gave_up;
        self.slowest = self.slowest.max(other.slowest);
        for (peak, other) in self.peak_rss.iter_mut().zip(other.peak_rss) {
            *peak = (*peak).max(other);
        }
        self.length += other.length;
    }

    /// How many faults of each kind there were.
    pub fn by_kind(&self) -> &BTreeMap<String, u64> {
        &self.faults
    }

    /// How many faults there were.
    pub fn total(&self) -> u64 {
        self.faults.values().sum()
    }

    /// What was done and compared, by name.
    pub fn counts(&self) -> Json {
        serde_json::json!({
            "seconds": self.length.as_secs(),
            "rounds": self.rounds,
            "rounds_read_again": self.read_again,
            "faults": self.total(),
            "faults_by_kind": self.faults,
            "source_commits": self.commits,
            "events_compared": self.events,
            "cuts_checked": self.cuts,
            "destination_commits_checked": self.dest_commits,
            "destination_commits_checked_by_row": self.dest_commits_by_row,
            "states_looked_at": self.looks,
            "states_looked_at_different": self.states,
            "looks_by_row": self.looks_by_row,
            "looks_at_the_source": self.looks_for_harm,
            "restarts_by_supervisor": self.gave_up,
        })
    }

    /// In one line, as JSON.
    pub fn json(&self) -> String {
        let mut all = self.counts();
        all["test"] = Json::from(self.name.as_str());
        all["seeds"] = Json::from(self.seeds.as_slice());
        all["slowest_recovery_ms"] = u64::try_from(self.slowest.as_millis()).unwrap_or(u64::MAX).into();
        let [source, sink] = self.peak_rss.map(|bytes| bytes >> 20);
        all["peak_rss_mib"] = serde_json::json!({ "source": source, "sink": sink });
        all.to_string()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {} faults in {} s; {} transactions; compared were {} events, {} cuts, {} commits of the destination \
             ({} by row), {} looks at {} states ({} by row), {} at the source; {} restarts after giving up; slowest recovery {:.1} s; \
             most memory {} and {} MiB",
            self.name,
            self.total(),
            self.length.as_secs(),
            self.commits,
            self.events,
            self.cuts,
            self.dest_commits,
            self.dest_commits_by_row,
            self.looks,
            self.states,
            self.looks_by_row,
            self.looks_for_harm,
            self.gave_up,
            self.slowest.as_secs_f32(),
            self.peak_rss[0] >> 20,
            self.peak_rss[1] >> 20
        )?;
        for (fault, count) in &self.faults {
            writeln!(f, "  {count:5}  {fault}")?;
        }
        write!(f, "{}", self.json())
    }
}
