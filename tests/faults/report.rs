//! What a run did, for a person and for a machine.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::fault::Fault;

/// Figures of a run, or of several.
#[derive(Clone, Debug, Default)]
pub struct Report {
    name: String,
    seeds: Vec<u64>,
    faults: BTreeMap<String, u64>,
    /// Transactions of the source.
    pub commits: u64,
    /// Looks at the destination, each of which checks a state.
    pub looks: u64,
    /// Different states seen.
    pub states: u64,
    pub cuts: u64,
    /// Records of data topics, each compared with what was done.
    pub events: u64,
    /// How often a process gave up, and a supervisor started it again.
    pub gave_up: u64,
    /// The longest that the destination took to be where the source was when a fault ended.
    pub slowest: Duration,
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
        self.commits += other.commits;
        self.looks += other.looks;
        self.states += other.states;
        self.cuts += other.cuts;
        self.events += other.events;
        self.gave_up += other.gave_up;
        self.slowest = self.slowest.max(other.slowest);
        self.length += other.length;
    }

    /// How many faults there were.
    pub fn total(&self) -> u64 {
        self.faults.values().sum()
    }

    /// In one line, as JSON.
    pub fn json(&self) -> String {
        serde_json::json!({
            "test": self.name,
            "seconds": self.length.as_secs(),
            "faults": self.total(),
            "faults_by_kind": self.faults,
            "source_commits": self.commits,
            "states_checked": self.looks,
            "states_different": self.states,
            "cuts_checked": self.cuts,
            "events_checked": self.events,
            "restarts_by_supervisor": self.gave_up,
            "slowest_recovery_ms": u64::try_from(self.slowest.as_millis()).unwrap_or(u64::MAX),
            "seeds": self.seeds,
        })
        .to_string()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {} faults in {} s; {} transactions; {} looks at {} states; {} cuts and {} events read; \
             {} restarts after giving up; slowest recovery {:.1} s",
            self.name,
            self.total(),
            self.length.as_secs(),
            self.commits,
            self.looks,
            self.states,
            self.cuts,
            self.events,
            self.gave_up,
            self.slowest.as_secs_f32()
        )?;
        for (fault, count) in &self.faults {
            writeln!(f, "  {count:5}  {fault}")?;
        }
        write!(f, "{}", self.json())
    }
}
