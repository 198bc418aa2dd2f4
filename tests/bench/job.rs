//! One run of one job: processes with a name, topics and a destination of their own.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable as _;

use super::data::{Data, MARK};
use super::debezium::PARTITIONS;
use super::report::Run;
use crate::kit::{Options, Process, World, peak_rss};

const RUN_LIMIT: Duration = Duration::from_secs(900);

/// Clock ticks a second in /proc/<pid>/stat (Linux: always 100 for user space).
const TICKS: f64 = 100.0;

/// A source and a sink over one table of the shared data.
pub struct Lane {
    pub world: World,
}

impl Lane {
    pub async fn new(data: &Data, table: &str, name: &str) -> Self {
        Self::over(&data.world.name, table, PARTITIONS, name).await
    }

    /// One over other tables of a database.
    pub async fn over(database: &str, tables: &str, partitions: u32, name: &str) -> Self {
        Self::with(database, tables, name, &Options { partitions, ..Options::default() }).await
    }

    /// One with settings of its own.
    pub async fn with(database: &str, tables: &str, name: &str, options: &Options) -> Self {
        let world = World::with(name, options).await;
        let (all, wanted) = (format!("\"{}.*\"", world.name), format!("\"{database}.{tables}\""));
        world.edit("source.toml", &all, &wanted);
        world.route(&format!("{database}.*"), &format!("{}.*", world.name));
        Self { world }
    }

    /// One that stands before the backlog.
    pub async fn begun(data: &Data, name: &str) -> Self {
        let lane = Self::new(data, "b", name).await;
        lane.world.catch_up();
        lane
    }

    /// The source, from its start until it has caught up.
    pub fn source(&self, rows: u64) -> Run {
        Self::timed(self.start_source(), rows)
    }

    /// A source that ends when it has caught up.
    pub fn start_source(&self) -> Process {
        self.world.start_source(&["--until-caught-up"])
    }

    /// The sink, from its start until it has caught up.
    pub fn sink(&self, rows: u64) -> Run {
        Self::timed(self.start_sink(), rows)
    }

    /// A sink that ends when it has caught up.
    pub fn start_sink(&self) -> Process {
        self.world.start_sink(&["--until-caught-up"])
    }

    /// A process that has just been started, until it ends.
    pub fn timed(mut process: Process, rows: u64) -> Run {
        let begun = Instant::now();
        let mut used = Used::default();
        while !process.has_ended() {
            used.look(&process);
            assert!(begun.elapsed() < RUN_LIMIT, "{}", process.log_tail());
            std::thread::sleep(Duration::from_millis(5));
        }
        let seconds = begun.elapsed().as_secs_f64();
        assert_eq!(process.wait(RUN_LIMIT).code(), Some(0), "{}", process.log_tail());
        Run { rows, seconds, cpu_seconds: Some(used.cpu), peak_bytes: Some(used.peak) }
    }

    /// Both at once, until the last row of the backlog is at the destination.
    pub async fn both(&self, rows: u64) -> Run {
        let begun = Instant::now();
        let (mut source, mut sink) = (self.world.start_source(&[]), self.world.start_sink(&[]));
        let mut conn = self.world.dest_conn().await;
        let mark = format!("SELECT COUNT(*) FROM `{}`.b WHERE id = {MARK}", self.world.name);
        while conn.query_first::<u64, _>(&mark).await.ok().flatten() != Some(1) {
            assert!(begun.elapsed() < RUN_LIMIT, "{}\n{}", source.log_tail(), sink.log_tail());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let seconds = begun.elapsed().as_secs_f64();
        let (mut of_source, mut of_sink) = (Used::default(), Used::default());
        of_source.look(&source);
        of_sink.look(&sink);
        source.stop();
        sink.stop();
        let peak = of_source.peak.max(of_sink.peak);
        Run { rows, seconds, cpu_seconds: Some(of_source.cpu + of_sink.cpu), peak_bytes: Some(peak) }
    }

    /// Compares both sides.
    pub async fn compare(&self, data: &Data, table: &str) {
        let wanted = data.source_checksum(table).await;
        assert!(wanted.is_some());
        assert_eq!(self.world.dest_number(&Data::checksum(table)).await, wanted, "both sides hold the same");
    }

    /// Compares both sides, and removes what the run made.
    pub async fn end(self, data: &Data, table: &str) {
        self.compare(data, table).await;
        self.world.end().await;
    }
}

/// What a process has used.
#[derive(Default)]
pub struct Used {
    pub cpu: f64,
    pub peak: u64,
}

impl Used {
    fn look(&mut self, process: &Process) {
        self.look_at(process.id());
    }

    /// Takes down what the process with that number has used so far.
    pub fn look_at(&mut self, process: u32) {
        self.peak = peak_rss(process).unwrap_or(self.peak).max(self.peak);
        self.cpu = cpu_seconds(process).unwrap_or(self.cpu);
    }
}

fn cpu_seconds(process: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    (ticks > 0.0).then_some(ticks / TICKS)
}
