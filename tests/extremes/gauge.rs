//! Peak memory and time of processes, told as a row of a table and as JSON.

use std::time::{Duration, Instant};

use crate::kit::Process;

/// The default limit of a process.
pub const LIMIT_BYTES: u64 = 256 << 20;

/// Peaks of the processes of one role, however often they were started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Peak(u64);

impl Peak {
    /// Looks at a process.
    pub fn look(&mut self, process: &Process) {
        self.0 = self.0.max(process.peak_rss().unwrap_or(0));
    }
}

/// What a case has shown.
pub struct Gauge {
    case: &'static str,
    begun: Instant,
    pub source: Peak,
    pub sink: Peak,
    steps: Vec<(&'static str, Duration)>,
}

impl Gauge {
    pub fn new(case: &'static str) -> Self {
        Self {
            case,
            begun: Instant::now(),
            source: Peak::default(),
            sink: Peak::default(),
            steps: Vec::new(),
        }
    }

    /// A part of the case has taken so long.
    pub fn step(&mut self, what: &'static str, since: Instant) {
        let took = since.elapsed();
        println!("{}: {what}: {:.1} s", self.case, took.as_secs_f64());
        self.steps.push((what, took));
    }

    /// Prints the figures, then holds the peaks against the limit.
    pub fn tell(self, limit_bytes: u64) {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let (source, sink, limit) = (mib(self.source.0), mib(self.sink.0), mib(limit_bytes));
        let seconds = self.begun.elapsed().as_secs_f64();
        println!("| case | source, MiB | sink, MiB | limit, MiB | s in all |\n|---|---|---|---|---|");
        println!("| {} | {source:.0} | {sink:.0} | {limit:.0} | {seconds:.0} |", self.case);
        let steps: serde_json::Map<String, serde_json::Value> =
            self.steps.iter().map(|(what, took)| ((*what).to_owned(), took.as_secs_f64().into())).collect();
        println!(
            "{}",
            serde_json::json!({
                "case": self.case,
                "source_rss_bytes_max": self.source.0,
                "sink_rss_bytes_max": self.sink.0,
                "limit_bytes": limit_bytes,
                "seconds": seconds,
                "steps_seconds": steps,
            })
        );
        for (role, peak) in [("source", self.source.0), ("sink", self.sink.0)] {
            assert!(peak > 0, "{}: the {role}'s memory was not seen", self.case);
            assert!(peak <= limit_bytes, "{}: the {role} took {peak} bytes of {limit_bytes}", self.case);
        }
    }
}
