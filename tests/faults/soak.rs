//! Everything at once, for as long as `CDC_SOAK_MINUTES` says: several worlds on each of
//! several sets of servers, two of each process or one, proxies on every connection. Round
//! after round, each with a seed, a snapshot and a comparison of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cdc::config::GroupProtocol;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::fault::Fault;
use super::ground::Ground;
use super::own::Part;
use super::plan::Plan;
use super::report::Report;
use super::stage;
use super::workload::Profile;
use super::{clocks, connections, crashes, disk, full_disks, looks, servers, tally, twins};
use crate::kit::{self, Dice};

/// How long a round makes faults.
const ROUND: Duration = Duration::from_secs(600);

/// So many faults of each kind are wanted in all runs together.
const OF_EACH: u64 = 100;

/// For so many that lack of a kind, one of it more is dealt.
const A_COPY_MORE: u64 = 15;

/// A last round shorter than this is not begun.
const ROUND_MIN: Duration = Duration::from_secs(60);

const MINUTES: u64 = 20;

/// After so many rounds that failed in one place nothing is to be had from it.
const FAILED_MAX: u64 = 3;

/// A round is not begun with less memory than this left, kB: the servers' data are in memory, too, and the kernel ends
/// whom it likes once that is gone.
const ROOM_MIN_KB: u64 = 6 << 20;

/// Sets of servers, and worlds on each. Most of a fault is waiting, so several fit on a core.
const GROUNDS: u64 = 2;
const WORLDS: u64 = 3;

const FAILOVER: &[Fault] = &[Fault::Failover];

/// What is common to all worlds.
struct Soak {
    begun: Instant,
    length: Duration,
    sum: Mutex<Report>,
    /// How many faults of each kind earlier runs have made.
    before: BTreeMap<String, u64>,
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: `make soak`"]
async fn soak() {
    let minutes = number("CDC_SOAK_MINUTES").unwrap_or(MINUTES);
    let (grounds, worlds) = (of("CDC_SOAK_GROUNDS", GROUNDS), of("CDC_SOAK_WORLDS", WORLDS));
    let length = Duration::from_secs(60 * minutes);
    let seed = kit::seed();
    let mut all = Vec::new();
    for ground in 0..grounds {
        all.push(Arc::new(plan(seed, 0, length).ground(&format!("soak{ground}"), worlds).await));
    }
    let soak =
        Arc::new(Soak { begun: Instant::now(), length, sum: Mutex::default(), before: tally::by_kind() });
    let mut lanes = JoinSet::new();
    for ground in all {
        for world in 0..worlds {
            let seed = seed.wrapping_add(1_000_000 * lanes.len() as u64);
            lanes.spawn(soak.clone().rounds(ground.clone(), world, seed));
        }
    }
    let failed: u64 = lanes.join_all().await.iter().sum();
    let (took, sum) = (soak.begun.elapsed(), soak.sum.lock().unwrap().clone());
    tally::add(&tally::Run { length: took, failed, counts: &sum.counts() });
    println!("soak, all rounds, in {} s: {sum}", took.as_secs());
    assert_eq!(failed, 0, "rounds that failed; the others went on");
}

impl Soak {
    /// One world after the other, in the same place. Returns how many failed.
    async fn rounds(self: Arc<Self>, ground: Arc<Ground>, world: usize, first: u64) -> u64 {
        let mut failed = 0;
        for round in 0.. {
            let left = self.length.saturating_sub(self.begun.elapsed());
            if failed == FAILED_MAX || (round > 0 && left < ROUND_MIN) {
                break;
            }
            if room_kb().is_some_and(|room| round > 0 && room < ROOM_MIN_KB) {
                println!("soak: no more rounds here, the memory is nearly used up");
                break;
            }
            let (seed, ground, runtime) = (first.wrapping_add(round), ground.clone(), Handle::current());
            let mut plan = plan(seed, world, left.min(ROUND));
            plan.faults = self.rare_more_often(plan.faults);
            let run = move || runtime.block_on(stage::run_on(&ground, world, plan, seed));
            match tokio::task::spawn_blocking(run).await {
                Ok(report) => self.sum.lock().unwrap().add(report),
                Err(_) => failed += 1,
            }
            let sum = self.sum.lock().unwrap().json();
            println!("soak so far, after {} s: {sum}", self.begun.elapsed().as_secs());
        }
        failed
    }
}

impl Soak {
    /// Faults of which there were fewer than wanted come more often.
    fn rare_more_often(&self, faults: Vec<Fault>) -> Vec<Fault> {
        let sum = self.sum.lock().unwrap();
        let mut counts = self.before.clone();
        for (kind, count) in sum.by_kind() {
            *counts.entry(kind.clone()).or_insert(0) += count;
        }
        let copies = |fault: &Fault| {
            let count = counts.get(&fault.to_string()).copied().unwrap_or_default();
            usize::try_from(OF_EACH.saturating_sub(count) / A_COPY_MORE).unwrap().max(1)
        };
        faults.into_iter().flat_map(|fault| std::iter::repeat_n(fault, copies(&fault))).collect()
    }
}

/// Memory that is to be had, where the system tells it (proc(5), MemAvailable).
fn room_kb() -> Option<u64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn of(variable: &str, otherwise: u64) -> usize {
    usize::try_from(number(variable).unwrap_or(otherwise)).unwrap()
}

/// What a world is about.
#[derive(Clone, Copy)]
enum Kind {
    /// Many transactions of every kind, and small cuts.
    Mixed,
    /// A load that keeps several batches at work.
    Heavy,
    /// Several sinks share the topics.
    ByKey(GroupProtocol),
}

fn plan(seed: u64, world: usize, length: Duration) -> Plan {
    let mut dice = Dice::of(seed.rotate_left(31));
    let kind = match dice.below(5) {
        0 | 1 => Kind::Mixed,
        2 | 3 => Kind::Heavy,
        _ if dice.below(2) == 0 => Kind::ByKey(GroupProtocol::Classic),
        _ => Kind::ByKey(GroupProtocol::Consumer),
    };
    let mut faults = [
        crashes::FAULTS,
        crashes::SOURCE_POINTS,
        crashes::SNAPSHOT_FAULTS,
        connections::FAULTS,
        connections::SILENT,
        servers::TO_KAFKA,
        clocks::FAULTS,
    ]
    .concat();
    // What few worlds can do they do more often, and what needs luck.
    let of_kind = match kind {
        Kind::ByKey(_) => [crashes::BY_KEY_POINTS; 4].concat(),
        _ => [crashes::SINK_POINTS, twins::TAKEOVERS, twins::TAKEOVERS, twins::STOPS].concat(),
    };
    let in_tables = match kind {
        Kind::Mixed => [[crashes::TABLE_POINTS; 4].concat(), [crashes::LARGE_POINTS; 3].concat()].concat(),
        Kind::Heavy => [crashes::BESIDE_POINTS; 3].concat(),
        Kind::ByKey(_) => Vec::new(),
    };
    faults.extend([of_kind, in_tables].concat());
    // All worlds feel what happens to a server: one of them leaves that to the others.
    if world % 3 < 2 {
        faults.extend([[servers::FAULTS; 2].concat(), [servers::REGISTRY, FAILOVER].concat()].concat());
    }
    faults.extend(full_disks::FAULTS.iter().filter(|_| disk::can_be_had()));
    let processes = 1 + usize::try_from(dice.below(2)).unwrap();
    Plan {
        early: crashes::EARLY_POINTS.to_vec(),
        length,
        pause_max: Duration::from_secs(6),
        burst: 6,
        look_every: looks::LONG_PAUSE,
        sources: processes,
        sinks: if matches!(kind, Kind::ByKey(_)) { 3 } else { processes },
        by_key: if let Kind::ByKey(protocol) = kind { Some(protocol) } else { None },
        proxied: true,
        own: vec![Part::Source, Part::Replica, Part::Dest, Part::Broker, Part::Registry],
        clocks: true,
        disks: if disk::can_be_had() { vec![Part::Dest, Part::Broker] } else { Vec::new() },
        limits: if matches!(kind, Kind::Heavy) { crashes::heavy() } else { connections::small_cuts() },
        // Slower than alone: of several worlds none is to wait for the others.
        workload: match kind {
            Kind::Mixed => Profile { wait_ms: 400, large_percent: 4, truncate_every: 30, ..Profile::MIXED },
            Kind::Heavy => Profile { wait_ms: 1200, ..Profile::LARGE },
            Kind::ByKey(_) => Profile { wait_ms: 400, ..Profile::BY_KEY },
        },
        ..Plan::of("soak", &faults)
    }
}
