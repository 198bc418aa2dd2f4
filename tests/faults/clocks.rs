//! The wall clocks of source and sink jump, by seconds, hours and days, forth and back, and
//! apart from each other. Order, restart and progress do not go by them, and what is in
//! Kafka bears the time of the broker.

use std::time::Duration;

use super::connections::small_cuts;
use super::fault::Fault::{self, ClockJump, Kill};
use super::instance::Role::{Sink, Source};
use super::looks;
use super::stage::{self, Plan};
use super::workload::Profile;
use crate::kit;

/// Whose clock may jump.
pub const FAULTS: &[Fault] = &[ClockJump(Source), ClockJump(Sink)];

#[tokio::test(flavor = "multi_thread")]
async fn clocks() {
    let plan = Plan {
        name: "clocks",
        faults: [FAULTS, FAULTS, &[Kill(Source), Kill(Sink)]].concat(),
        length: Duration::from_secs(10),
        pause_max: Duration::from_millis(1500),
        look_every: looks::PAUSE,
        instances: 1,
        proxied: false,
        own: Vec::new(),
        clocks: true,
        disks: Vec::new(),
        limits: small_cuts(),
        workload: Profile::MIXED,
    };
    stage::run(plan, kit::seed()).await;
}
