//! The broker and both databases are killed, stopped for a while and restarted, and
//! something happens to the connections to the broker.

use std::time::Duration;

use super::fault::Blow::{Kill, Pause, Restart};
use super::fault::Fault::{self, Link, Server};
use super::fault::Link::Kafka;
use super::own::Part::{Broker, Dest, Registry, Source};
use super::plan::Plan;
use super::proxy::Mode;
use super::stage;
use crate::kit;

/// What may happen to servers.
pub const FAULTS: &[Fault] = &[
    Server(Source, Kill),
    Server(Source, Pause),
    Server(Source, Restart),
    Server(Dest, Kill),
    Server(Dest, Pause),
    Server(Dest, Restart),
    Server(Broker, Kill),
    Server(Broker, Pause),
    Server(Broker, Restart),
];

/// The registry's, which needs seconds to start: for long runs only.
pub const REGISTRY: &[Fault] = &[Server(Registry, Kill), Server(Registry, Pause)];

/// What may happen on the way to the broker.
pub const TO_KAFKA: &[Fault] = &[
    Link(Kafka, Mode::Pass),
    Link(Kafka, Mode::Stall),
    Link(Kafka, Mode::Slow(100_000)),
    Link(Kafka, Mode::Refuse),
    Link(Kafka, Mode::DropAnswers),
    Link(Kafka, Mode::HalfCloseToClient),
    Link(Kafka, Mode::HalfCloseToServer),
    Link(Kafka, Mode::LoseCommit),
    Link(Kafka, Mode::LoseCommitAnswer),
];

#[tokio::test(flavor = "multi_thread")]
async fn servers() {
    let plan = Plan {
        length: Duration::from_secs(12),
        own: vec![Source, Dest, Broker],
        ..Plan::of("servers", &[FAULTS, TO_KAFKA].concat())
    };
    stage::run(plan, kit::seed()).await;
}
