//! Two sources and two sinks of one name: one works, the other takes over when it dies,
//! loses its lock, or sleeps. One that wakes up when another works does no harm.

use std::time::Duration;

use super::connections::small_cuts;
use super::fault::Fault::{self, Kill, LockLost, Pause, Restart, Zombie};
use super::instance::Role::{Sink, Source};
use super::looks;
use super::stage::{self, Plan};
use super::workload::Profile;
use crate::kit;

/// What may happen to one of two.
pub const FAULTS: &[Fault] = &[
    Kill(Source),
    Kill(Sink),
    Pause(Source),
    Pause(Sink),
    Restart(Source),
    Restart(Sink),
    LockLost(Source),
    LockLost(Sink),
    Zombie(Source),
    Zombie(Sink),
    Zombie(Sink),
];

#[tokio::test(flavor = "multi_thread")]
async fn twins() {
    let plan = Plan {
        name: "twins",
        faults: FAULTS.to_vec(),
        length: Duration::from_secs(10),
        pause_max: Duration::from_millis(1500),
        look_every: looks::PAUSE,
        instances: 2,
        proxied: true,
        own: Vec::new(),
        clocks: false,
        disks: Vec::new(),
        limits: small_cuts(),
        workload: Profile::MIXED,
    };
    stage::run(plan, kit::seed()).await;
}
