//! Everything at once, for as long as `CDC_SOAK_MINUTES` says: two of each process,
//! servers of its own, proxies on every connection. Round after round, each with a seed,
//! a snapshot and a comparison of its own.

use std::time::{Duration, Instant};

use super::own::Part;
use super::report::Report;
use super::stage::{self, Plan};
use super::workload::Profile;
use super::{clocks, connections, crashes, disk, full_disks, servers, twins};
use crate::kit::{self, Dice};

/// How long a round makes faults.
const ROUND: Duration = Duration::from_secs(150);

const MINUTES: u64 = 20;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: `make soak`"]
async fn soak() {
    let minutes = std::env::var("CDC_SOAK_MINUTES").ok().and_then(|m| m.parse().ok()).unwrap_or(MINUTES);
    let (begun, length) = (Instant::now(), Duration::from_secs(60 * minutes));
    let first = kit::seed();
    let mut sum: Option<Report> = None;
    for round in 0.. {
        let left = length.saturating_sub(begun.elapsed());
        if sum.is_some() && left < ROUND / 4 {
            break;
        }
        let seed = first.wrapping_add(2 * round);
        let report = stage::run(plan(seed, left.min(ROUND)), seed).await;
        match &mut sum {
            None => sum = Some(report),
            Some(sum) => sum.add(report),
        }
    }
    println!("soak, all rounds: {}", sum.unwrap());
}

/// Of two minds: many small cuts, or a load that keeps several batches at work.
fn plan(seed: u64, length: Duration) -> Plan {
    let mut dice = Dice::of(seed.rotate_left(31));
    let heavy = dice.below(2) == 0;
    Plan {
        name: "soak",
        faults: [
            crashes::FAULTS,
            crashes::POINTS,
            connections::FAULTS,
            connections::SILENT,
            servers::FAULTS,
            servers::REGISTRY,
            servers::TO_KAFKA,
            twins::FAULTS,
            clocks::FAULTS,
            if disk::can_be_had() { full_disks::FAULTS } else { &[] },
        ]
        .concat(),
        length,
        pause_max: Duration::from_secs(15),
        instances: 1 + usize::try_from(dice.below(2)).unwrap(),
        proxied: true,
        own: vec![Part::Source, Part::Dest, Part::Broker, Part::Registry],
        clocks: true,
        disks: if disk::can_be_had() { vec![Part::Dest, Part::Broker] } else { Vec::new() },
        limits: if heavy { crashes::heavy() } else { connections::small_cuts() },
        workload: if heavy { Profile::LARGE } else { Profile::MIXED },
    }
}
