//! Measures the release build on the real stack: `make bench`.
//!
//! Whole processes are timed from start to end, so connecting, leadership and schemas
//! are part of each figure. Every job is run several times over the same data, and
//! each run ends with a comparison of it. Units: rows/s, CPU seconds per million rows (user and
//! system, of the process alone, from /proc), MiB of peak resident memory (VmHWM), milliseconds.

mod chart;
mod curve;
mod data;
mod debezium;
mod delay;
mod growth;
mod job;
mod limits;
mod profile;
mod protocols;
mod replica;
mod report;
mod shapes;
mod transactions;

use data::Data;
use debezium::{PARTITIONS, Peer};
use job::Lane;
use report::Report;

/// How much is measured.
#[derive(Clone, Copy)]
pub struct Size {
    /// Rows that a snapshot reads.
    pub snapshot_rows: u64,
    /// Rows that the backlog inserts, 100 in a transaction.
    pub inserts: u64,
    /// Single-row updates in it.
    pub updates: u64,
    /// Runs of each job.
    pub runs: usize,
    /// Runs of each of Debezium's.
    pub peer_runs: usize,
    /// Seconds of each measurement of delays.
    pub seconds: u64,
}

/// Whether a variable asks for something.
fn is_set(variable: &str) -> bool {
    !matches!(std::env::var(variable).as_deref(), Err(_) | Ok("" | "0"))
}

/// Whether `ONLY` leaves a thing of that name in: it is a part of the names that are measured.
fn is_chosen(name: &str) -> bool {
    std::env::var("ONLY").map_or(true, |part| name.contains(&part))
}

impl Size {
    /// As `QUICK` and `PEERS` say.
    fn chosen() -> Self {
        let chosen = Self::by_rows();
        match std::env::var("PEERS").as_deref() {
            Ok("0") => Self { peer_runs: 0, ..chosen },
            _ => chosen,
        }
    }

    fn by_rows() -> Self {
        let full = Self {
            snapshot_rows: 1_000_000,
            inserts: 1_000_000,
            updates: 200_000,
            runs: 3,
            peer_runs: 3,
            seconds: 20,
        };
        match is_set("QUICK") {
            false => full,
            true => Self {
                snapshot_rows: 200_000,
                inserts: 200_000,
                updates: 40_000,
                seconds: 5,
                peer_runs: 1,
                ..full
            },
        }
    }

    fn backlog_rows(self) -> u64 {
        self.inserts + self.updates
    }
}

#[ignore = "a measurement: make bench"]
#[tokio::test(flavor = "multi_thread")]
async fn bench_road() {
    let size = Size::chosen();
    let mut data = Data::new(size).await;
    let mut report = Report::new(size);
    // While the servers have nothing to do yet.
    delays(&data, size, &mut report).await;
    data.fill().await;
    for run in 1..=size.runs {
        let lane = Lane::new(&data, "s", &format!("s{run}")).await;
        report.add("snapshot to Kafka", lane.source(size.snapshot_rows));
        report.add("snapshot applied", lane.sink(size.snapshot_rows));
        lane.end(&data, "s").await;
    }
    for run in 1..=size.peer_runs {
        let peer = Peer::start(&data.world.name, "s", PARTITIONS, &format!("dbzs{run}")).await;
        report.add("snapshot to Kafka, Debezium", peer.until_written(0, size.snapshot_rows).await);
        report
            .add("snapshot applied, Debezium's JDBC sink", peer.apply(&data, "s", size.snapshot_rows).await);
        peer.end().await;
    }
    backlog(&mut data, size, &mut report).await;
    limits::measure(&data, size, &mut report).await;
    data.end().await;
    // What has no peers beside it is not kept.
    match size.peer_runs {
        0 => println!("{}", report.table()),
        _ => report.write("road"),
    }
}

/// Tables of other shapes.
#[ignore = "a measurement: make bench"]
#[tokio::test(flavor = "multi_thread")]
async fn bench_shapes() {
    let chosen = Size::chosen();
    // Five shapes take their time: of the quick ones one run each.
    let size = if is_set("QUICK") { Size { runs: 1, ..chosen } } else { chosen };
    let mut report = Report::new(size);
    shapes::measure(size, &mut report).await;
    match is_set("ONLY") {
        true => println!("{}", report.table()),
        false => report.write("shapes"),
    }
}

/// What Kafka's transactions cost.
#[ignore = "a measurement: make bench"]
#[tokio::test(flavor = "multi_thread")]
async fn bench_transactions() {
    transactions::measure().await;
}

/// Statements as text, and prepared ones.
#[ignore = "a measurement: cargo test --release … -- --ignored --nocapture bench_protocols"]
#[tokio::test(flavor = "multi_thread")]
async fn bench_protocols() {
    protocols::measure().await;
}

/// How cost grows with each of eight sizes.
#[ignore = "a measurement: make bench-growth"]
#[tokio::test(flavor = "multi_thread")]
async fn bench_growth() {
    growth::measure().await;
}

/// Where the processor time of both goes.
#[ignore = "a measurement: make profile"]
#[tokio::test(flavor = "multi_thread")]
async fn bench_profile() {
    let size = Size::chosen();
    let mut data = Data::new(size).await;
    data.fill().await;
    profile::measure(&mut data, size.backlog_rows()).await;
    data.end().await;
}

/// The delays alone, printed and not kept.
#[ignore = "a measurement: cargo test --release … -- --ignored --nocapture delays_alone"]
#[tokio::test(flavor = "multi_thread")]
async fn delays_alone() {
    let size = Size::chosen();
    let data = Data::new(size).await;
    let mut report = Report::new(size);
    delays(&data, size, &mut report).await;
    data.end().await;
    println!("{}", report.table());
}

/// From a start to the first event, and from commit to commit.
async fn delays(data: &Data, size: Size, report: &mut Report) {
    // Servers that have only just been started are slow at what they do for the first time, the JVMs most of all.
    let mut of_cold_servers = Report::new(size);
    delay::start_up(data, &mut of_cold_servers).await;
    delay::steady(data, 500, size.seconds.min(5), &mut of_cold_servers).await;
    for _ in 0..size.runs {
        delay::start_up(data, report).await;
    }
    for rate in [500, 5000] {
        delay::steady(data, rate, size.seconds, report).await;
    }
}

/// The same changes, again and again: to Kafka, from there, all the way, and by MySQL's own replication.
async fn backlog(data: &mut Data, size: Size, report: &mut Report) {
    let mut lanes = Vec::new();
    for run in 1..=size.runs {
        let apart = Lane::begun(data, &format!("apart{run}")).await;
        lanes.push((apart, Lane::begun(data, &format!("through{run}")).await));
    }
    let mut peers = Vec::new();
    for run in 1..=size.peer_runs {
        peers.push(Peer::begun(data, &format!("dbzb{run}")).await);
    }
    let replica = match size.peer_runs {
        0 => None,
        _ => Some(replica::Replica::new(data).await),
    };
    data.make_backlog().await;
    let mut stand = Vec::new();
    for (apart, through) in lanes {
        report.add("backlog to Kafka", apart.source(size.backlog_rows()));
        report.add("backlog applied", apart.sink(size.backlog_rows()));
        apart.compare(data, "b").await;
        stand.push(apart);
        report.add("backlog, MySQL to MySQL", through.both(size.backlog_rows()).await);
        through.end(data, "b").await;
    }
    for mut peer in peers {
        report.add("backlog to Kafka, Debezium", peer.catch_up(size.backlog_rows()).await);
        report.add("backlog applied, Debezium's JDBC sink", peer.apply(data, "b", size.backlog_rows()).await);
        peer.end().await;
    }
    if let Some(replica) = replica {
        report.add("backlog, MySQL's replication, 4 workers", replica.catch_up(size.backlog_rows()).await);
    }
    data.make_updates().await;
    for lane in stand {
        report.add("updates to Kafka", lane.source(data.updated_rows()));
        report.add("updates applied", lane.sink(data.updated_rows()));
        lane.end(data, "b").await;
    }
}
