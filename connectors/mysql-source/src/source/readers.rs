//! The snapshot's readers as the loop sees them: work goes out, reports come in.

use std::time::{Duration, Instant};

use cdc_sdk::{Error, GtidSet, Kind, Position, Result};
use mysql_async::Conn;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::snapshot::plan::{Plan, ReadId, Work};
use crate::snapshot::reader::{ChunkOrder, Report, Shared};
use crate::snapshot::view::ViewOrder;

/// Reports that wait to be heard. A chunk in a report is memory, so they are few.
const REPORTS_MAX: usize = 8;

/// Connections that read, at most as many as the settings say.
pub(super) struct Readers {
    shared: Shared,
    reports: mpsc::Receiver<Report>,
    /// Open connections that have nothing to do.
    idle: Vec<Conn>,
    working: usize,
    /// Dropped with the source, and the tasks with it.
    tasks: JoinSet<()>,
    /// Before this the rate limit forbids more reading.
    not_before: Option<Instant>,
}

impl Readers {
    pub fn new(shared: impl FnOnce(mpsc::Sender<Report>) -> Shared) -> Self {
        let (sender, reports) = mpsc::channel(REPORTS_MAX);
        let tasks = JoinSet::new();
        Self { shared: shared(sender), reports, idle: Vec::new(), working: 0, tasks, not_before: None }
    }

    /// The next report. Dropping the future loses nothing.
    pub async fn next_report(&mut self) -> Result<Report> {
        // The channel cannot close: `shared` holds a sender.
        self.reports.recv().await.ok_or_else(|| Error::new(Kind::Bug, "the snapshot's readers are gone"))
    }

    /// When the loop should look again by itself.
    pub fn wake_at(&self, plan: &Plan, now: Instant) -> Option<Instant> {
        let pace = self.not_before.filter(|at| *at > now);
        [pace, plan.next_retry(now)].into_iter().flatten().min()
    }

    /// Gives idle readers work. The stream stands between two transactions, at this position.
    pub fn dispatch(&mut self, plan: &mut Plan, position: &Position) {
        let now = Instant::now();
        while self.tasks.try_join_next().is_some() {}
        if self.not_before.is_some_and(|at| at > now) {
            return;
        }
        while self.working < self.max() {
            let Some((id, work)) = plan.next_work(now) else { return };
            self.start(id, work, position.gtids.as_ref());
        }
        if self.idle.len() > self.max() || plan.is_complete() {
            self.idle.clear();
        }
    }

    fn max(&self) -> usize {
        usize::try_from(self.shared.settings.readers).unwrap_or(usize::MAX).max(1)
    }

    fn start(&mut self, id: ReadId, work: Work, delivered: Option<&GtidSet>) {
        self.working += 1;
        let shared = self.shared.clone();
        let since = delivered.cloned().unwrap_or_default();
        match work {
            Work::Prepare(name) => {
                let conn = self.idle.pop();
                self.tasks.spawn(shared.prepare(conn, id, name, since));
            }
            Work::Chunk(prepared, after, rows_max, condition) => {
                let conn = self.idle.pop();
                let order = ChunkOrder { id, since, prepared, after, rows_max, condition };
                self.tasks.spawn(shared.chunk(conn, order));
            }
            Work::View(tables) => {
                let order = ViewOrder { id, since: delivered.cloned(), tables };
                self.tasks.spawn(shared.view(order));
            }
        }
    }

    /// Enters a report into the plan.
    pub fn take(&mut self, report: Report, plan: &mut Plan) -> Result<()> {
        match report {
            Report::Prepared { table, id, prepared } => plan.prepared(&table, id, prepared),
            Report::Low { table, id, low } => plan.low_mark(&table, id, low),
            Report::Read { table, id, read } => {
                self.pace(read.block.rows_read());
                plan.chunk_read(&table, id, *read);
            }
            Report::View { id, open } => plan.view_open(id, open),
            Report::Failed { table, id, failed } => plan.failed(&table, id, failed)?,
            Report::Broken(error) => return Err(error),
            Report::Idle(conn) => {
                self.working = self.working.saturating_sub(1);
                self.idle.extend(conn.filter(|_| !plan.is_complete()));
            }
        }
        Ok(())
    }

    /// Keeps to the rate limit: what was read now delays what is read next.
    fn pace(&mut self, rows: usize) {
        if let Some(rate) = self.shared.settings.snapshot_rows_per_second {
            let pause = Duration::from_secs_f64(rows as f64 / f64::from(rate.max(1)));
            let from = self.not_before.unwrap_or_else(Instant::now).max(Instant::now());
            self.not_before = Some(from + pause);
        }
    }
}
