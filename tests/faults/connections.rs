//! Connections to the databases and the registry are cut, stalled, slowed down, closed
//! on one side, and lose answers, among them those of commits.

use super::fault::Fault::{self, Link};
use super::fault::Link::{Mysql, Registry};
use super::instance::Role::{Sink, Source};
use super::plan::Plan;
use super::proxy::Mode;
use super::stage;
use crate::kit;

/// What may happen to connections that lead through proxies.
pub const FAULTS: &[Fault] = &[
    Link(Mysql(Source), Mode::Pass),
    Link(Mysql(Source), Mode::Stall),
    Link(Mysql(Source), Mode::Slow(20_000)),
    Link(Mysql(Source), Mode::Refuse),
    Link(Mysql(Source), Mode::DropAnswers),
    Link(Mysql(Source), Mode::HalfCloseToClient),
    Link(Mysql(Source), Mode::HalfCloseToServer),
    Link(Mysql(Sink), Mode::Pass),
    Link(Mysql(Sink), Mode::Stall),
    Link(Mysql(Sink), Mode::Slow(20_000)),
    Link(Mysql(Sink), Mode::Refuse),
    Link(Mysql(Sink), Mode::DropAnswers),
    Link(Mysql(Sink), Mode::HalfCloseToClient),
    Link(Mysql(Sink), Mode::HalfCloseToServer),
    Link(Mysql(Sink), Mode::LoseCommit),
    Link(Mysql(Sink), Mode::LoseCommitAnswer),
    Link(Registry(Source), Mode::Refuse),
    Link(Registry(Source), Mode::DropAnswers),
    Link(Registry(Sink), Mode::Stall),
    Link(Registry(Sink), Mode::Refuse),
];

/// They go silent, which takes half a minute to be over: for long runs only.
pub const SILENT: &[Fault] = &[Link(Mysql(Source), Mode::Silent), Link(Mysql(Sink), Mode::Silent)];

/// Small cuts, so that large transactions span several, and faults fall inside of them.
pub fn small_cuts() -> (String, String) {
    ("[limits]\ncut_bytes = 300000\n".to_owned(), String::new())
}

#[tokio::test(flavor = "multi_thread")]
async fn connections() {
    let plan = Plan { proxied: true, ..Plan::of("connections", FAULTS) };
    stage::run(plan, kit::seed()).await;
}
