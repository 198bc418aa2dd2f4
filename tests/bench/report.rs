//! What was measured: as a table, as JSON and as a chart in `bench/results/`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Size, chart};
use crate::kit::variable;

/// One run of a job.
pub struct Run {
    pub rows: u64,
    pub seconds: f64,
    pub cpu_seconds: Option<f64>,
    pub peak_bytes: Option<u64>,
}

impl Run {
    fn rate(&self) -> f64 {
        self.rows as f64 / self.seconds
    }

    fn cpu_per_million(&self) -> Option<f64> {
        self.cpu_seconds.map(|cpu| cpu * 1e6 / self.rows as f64)
    }
}

/// Delays at one rate, in ms.
pub struct Delays {
    rate: u64,
    reached: f64,
    ms: Sorted,
}

impl Delays {
    pub fn new(rate: u64, reached: f64, ms: Vec<f64>) -> Self {
        Self { rate, reached, ms: Sorted::new(ms) }
    }
}

/// Figures from the least to the most.
pub struct Sorted(Vec<f64>);

impl Sorted {
    pub fn new(mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        Self(figures)
    }

    /// Within which this share of them lies.
    pub fn at(&self, share: f64) -> f64 {
        self.0.get(((self.0.len().max(1) - 1) as f64 * share) as usize).copied().unwrap_or(f64::NAN)
    }
}

/// Least, middle and most of some figures.
#[derive(Clone, Copy)]
pub struct Spread {
    pub min: f64,
    pub median: f64,
    pub max: f64,
}

impl Spread {
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut all: Vec<f64> = figures.into_iter().collect();
        all.sort_by(f64::total_cmp);
        Some(Self { min: *all.first()?, median: all[all.len() / 2], max: *all.last()? })
    }

    pub fn json(self) -> Value {
        json!({"min": self.min, "median": self.median, "max": self.max})
    }
}

/// Everything that was measured.
pub struct Report {
    size: Size,
    jobs: Vec<(String, Vec<Run>)>,
    pub start_up_ms: Vec<f64>,
    pub delays: Vec<Delays>,
}

impl Report {
    pub fn new(size: Size) -> Self {
        Self { size, jobs: Vec::new(), start_up_ms: Vec::new(), delays: Vec::new() }
    }

    /// Adds a run, and says so at once.
    pub fn add(&mut self, job: &str, run: Run) {
        println!("{job}: {:.2} s, {:.0} rows/s", run.seconds, run.rate());
        match self.jobs.iter_mut().find(|(name, _)| *name == job) {
            Some((_, runs)) => runs.push(run),
            None => self.jobs.push((job.to_owned(), vec![run])),
        }
    }

    /// Prints the table and writes the files.
    pub fn write(&self, name: &str) {
        println!("\n{}", self.table());
        let bars: Vec<_> =
            self.jobs.iter().filter_map(|(name, runs)| Some((name.as_str(), rates(runs)?))).collect();
        keep(&format!("{name}.svg"), &chart::bars("rows/s, median of runs and their range", &bars));
        keep_json(name, &self.json());
    }

    /// As a person reads it.
    pub fn table(&self) -> String {
        let mut text = String::from(
            "| job | rows/s: median (min to max) | s | CPU s per million rows | peak RSS, MiB |\n|---|---|---|---|---|\n",
        );
        for (name, runs) in &self.jobs {
            let Some(rate) = rates(runs) else { continue };
            let seconds = Spread::of(runs.iter().map(|run| run.seconds)).unwrap_or(rate);
            let cpu = Spread::of(runs.iter().filter_map(Run::cpu_per_million));
            let peak = runs.iter().filter_map(|run| run.peak_bytes).max();
            text += &format!(
                "| {name} | {:.0} ({:.0} to {:.0}) | {:.1} | {} | {} |\n",
                rate.median,
                rate.min,
                rate.max,
                seconds.median,
                cpu.map_or("-".to_owned(), |cpu| format!("{:.2}", cpu.median)),
                peak.map_or("-".to_owned(), |bytes| (bytes >> 20).to_string()),
            );
        }
        if let Some(ms) = Spread::of(self.start_up_ms.iter().copied()) {
            text += &format!(
                "\nstart to first event applied: {:.0} ms ({:.0} to {:.0})\n",
                ms.median, ms.min, ms.max
            );
        }
        for delays in &self.delays {
            text += &format!(
                "commit to commit at {} transactions/s ({:.0} reached): median {:.1} ms, 99 % {:.1} ms, max {:.1} ms, {} samples\n",
                delays.rate,
                delays.reached,
                delays.ms.at(0.5),
                delays.ms.at(0.99),
                delays.ms.at(1.0),
                delays.ms.0.len()
            );
        }
        text
    }

    fn json(&self) -> Value {
        let jobs: Vec<Value> = self
            .jobs
            .iter()
            .filter_map(|(name, runs)| {
                Some(json!({
                    "job": name,
                    "rows": runs.first()?.rows,
                    "rows_per_second": rates(runs)?.json(),
                    "seconds": runs.iter().map(|run| run.seconds).collect::<Vec<_>>(),
                    "cpu_seconds_per_million_rows": Spread::of(runs.iter().filter_map(Run::cpu_per_million)).map(Spread::json),
                    "peak_rss_bytes": runs.iter().filter_map(|run| run.peak_bytes).max(),
                }))
            })
            .collect();
        let delays = self.delays.iter().map(|d| {
            json!({"transactions_per_second": d.rate, "reached": d.reached, "samples": d.ms.0.len(),
                "median_ms": d.ms.at(0.5), "p99_ms": d.ms.at(0.99), "max_ms": d.ms.at(1.0)})
        });
        let mut all = environment();
        all["runs"] = json!(self.size.runs);
        all["jobs"] = json!(jobs);
        all["start_up_ms"] = json!(self.start_up_ms);
        all["delays"] = delays.collect();
        all
    }
}

/// Where it was measured.
pub fn environment() -> Value {
    json!({
        "version": 1,
        "mysql": variable("CDC_STACK_MYSQL_VERSION"),
        "kafka": variable("CDC_STACK_KAFKA_VERSION"),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "durability": "sync_binlog=1, innodb_flush_log_at_trx_commit=1, acks=all, exactly once",
    })
}

/// Keeps what was measured.
pub fn keep_json(name: &str, json: &Value) {
    keep(&format!("{name}.json"), &(serde_json::to_string_pretty(json).unwrap() + "\n"));
    println!("written: bench/results/{name}.json");
}

/// What was kept last; null where nothing was.
pub fn earlier(name: &str) -> Value {
    let text = fs::read_to_string(results().join(format!("{name}.json"))).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// Writes a file of `bench/results`.
pub fn keep(name: &str, text: &str) {
    fs::write(results().join(name), text).unwrap();
}

/// The folder `bench/results`.
pub fn results() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/results");
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn rates(runs: &[Run]) -> Option<Spread> {
    Spread::of(runs.iter().map(Run::rate))
}
