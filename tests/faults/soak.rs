//! Everything at once, for as long as `CDC_SOAK_MINUTES` says: several worlds on each of
//! several sets of servers, two of each process or one, proxies on every connection. Round
//! after round, each with a seed, a snapshot and a comparison of its own.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::fault::Fault;
use super::ground::Ground;
use super::own::Part;
use super::report::Report;
use super::stage::{self, Plan};
use super::workload::Profile;
use super::{clocks, connections, crashes, disk, full_disks, looks, servers, twins};
use crate::kit::{self, Dice};

/// How long a round makes faults.
const ROUND: Duration = Duration::from_secs(240);

/// A last round shorter than this is not begun.
const ROUND_MIN: Duration = Duration::from_secs(60);

const MINUTES: u64 = 20;

/// Sets of servers, and worlds on each. Most of a fault is waiting, so several fit on a core.
const GROUNDS: u64 = 2;
const WORLDS: u64 = 3;

const FAILOVER: &[Fault] = &[Fault::Failover];

/// What is common to all worlds.
struct Soak {
    begun: Instant,
    length: Duration,
    sum: Mutex<Report>,
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: `make soak`"]
async fn soak() {
    let minutes = number("CDC_SOAK_MINUTES").unwrap_or(MINUTES);
    let (grounds, worlds) = (of("CDC_SOAK_GROUNDS", GROUNDS), of("CDC_SOAK_WORLDS", WORLDS));
    let length = Duration::from_secs(60 * minutes);
    let soak = Arc::new(Soak { begun: Instant::now(), length, sum: Mutex::default() });
    let seed = kit::seed();
    let mut lanes = JoinSet::new();
    for ground in 0..grounds {
        let ground = Arc::new(plan(seed, 0, length).ground(&format!("soak{ground}"), worlds).await);
        for world in 0..worlds {
            let seed = seed.wrapping_add(1_000_000 * lanes.len() as u64);
            let (soak, ground, runtime) = (soak.clone(), ground.clone(), Handle::current());
            lanes.spawn_blocking(move || runtime.block_on(soak.rounds(ground, world, seed)));
        }
    }
    let mut failed = 0;
    while let Some(lane) = lanes.join_next().await {
        failed += u64::from(lane.is_err());
    }
    println!("soak, all rounds, in {} s: {}", soak.begun.elapsed().as_secs(), soak.sum.lock().unwrap());
    assert_eq!(failed, 0, "worlds that failed; the others went on");
}

impl Soak {
    /// One world after the other, in the same place.
    async fn rounds(&self, ground: Arc<Ground>, world: usize, first: u64) {
        for round in 0.. {
            let left = self.length.saturating_sub(self.begun.elapsed());
            if round > 0 && left < ROUND_MIN {
                break;
            }
            let seed = first.wrapping_add(round);
            let report = stage::run_on(&ground, world, plan(seed, world, left.min(ROUND)), seed).await;
            let mut sum = self.sum.lock().unwrap();
            sum.add(report);
            println!("soak so far, after {} s: {}", self.begun.elapsed().as_secs(), sum.json());
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn of(variable: &str, otherwise: u64) -> usize {
    usize::try_from(number(variable).unwrap_or(otherwise)).unwrap()
}

/// Of two minds: many small cuts, or a load that keeps several batches at work.
fn plan(seed: u64, world: usize, length: Duration) -> Plan {
    let mut dice = Dice::of(seed.rotate_left(31));
    let heavy = dice.below(2) == 0;
    let mut faults = [
        crashes::FAULTS,
        crashes::POINTS,
        connections::FAULTS,
        connections::SILENT,
        servers::TO_KAFKA,
        twins::FAULTS,
        clocks::FAULTS,
    ]
    .concat();
    // All worlds feel what happens to a server: one of them leaves that to the others.
    if world % 3 < 2 {
        faults.extend([servers::FAULTS, servers::REGISTRY, FAILOVER].concat());
    }
    faults.extend(full_disks::FAULTS.iter().filter(|_| disk::can_be_had()));
    Plan {
        name: "soak",
        faults,
        length,
        pause_max: Duration::from_secs(15),
        look_every: looks::LONG_PAUSE,
        instances: 1 + usize::try_from(dice.below(2)).unwrap(),
        proxied: true,
        own: vec![Part::Source, Part::Replica, Part::Dest, Part::Broker, Part::Registry],
        clocks: true,
        disks: if disk::can_be_had() { vec![Part::Dest, Part::Broker] } else { Vec::new() },
        limits: if heavy { crashes::heavy() } else { connections::small_cuts() },
        // Slower than alone: of several worlds none is to wait for the others.
        workload: if heavy {
            Profile { wait_ms: 600, ..Profile::LARGE }
        } else {
            Profile { wait_ms: 60, ..Profile::MIXED }
        },
    }
}
