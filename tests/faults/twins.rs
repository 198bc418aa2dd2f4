//! Two sources and two sinks of one name: one works, the other takes over when it dies,
//! loses its lock, or sleeps. One that wakes up when another works does no harm.

use super::fault::Fault::{self, Kill, LockLost, Pause, Restart, StopsAt, Zombie};
use super::instance::Role::{Sink, Source};
use super::plan::Plan;
use super::stage;
use crate::kit;

/// What makes one of two take over while the other lives.
pub const TAKEOVERS: &[Fault] = &[LockLost(Source), LockLost(Sink), Zombie(Source), Zombie(Sink)];

/// The one that wakes up had rows to write, or to commit: for long runs, since another is to take over twice.
pub const STOPS: &[Fault] = &[StopsAt(Sink, "sink.rows_written"), StopsAt(Sink, "sink.ledger_written")];

/// What else may happen to one of two.
const ENDS: &[Fault] =
    &[Kill(Source), Kill(Sink), Pause(Source), Pause(Sink), Restart(Source), Restart(Sink), Zombie(Sink)];

#[tokio::test(flavor = "multi_thread")]
async fn twins() {
    let plan = Plan { sources: 2, sinks: 2, proxied: true, ..Plan::of("twins", &[TAKEOVERS, ENDS].concat()) };
    stage::run(plan, kit::seed()).await;
}
