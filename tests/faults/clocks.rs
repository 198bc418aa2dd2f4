//! The wall clocks of source and sink jump, by seconds, hours and days, forth and back, and
//! apart from each other. Order, restart and progress do not go by them, and what is in
//! Kafka bears the time of the broker.

use super::fault::Fault::{self, ClockJump, Kill};
use super::instance::Role::{Sink, Source};
use super::plan::Plan;
use super::stage;
use crate::kit;

/// Whose clock may jump.
pub const FAULTS: &[Fault] = &[ClockJump(Source), ClockJump(Sink)];

#[tokio::test(flavor = "multi_thread")]
async fn clocks() {
    let plan =
        Plan { clocks: true, ..Plan::of("clocks", &[FAULTS, FAULTS, &[Kill(Source), Kill(Sink)]].concat()) };
    stage::run(plan, kit::seed()).await;
}
