//! The source's MySQL dies and its replica takes over, by GTID: other uuid, other
//! `server_id`, other binlog files.

use std::time::Duration;

use super::fault::Fault::{Failover, Kill, Pause};
use super::instance::Role::{Sink, Source};
use super::own::Part;
use super::plan::Plan;
use super::stage;
use crate::kit;

/// Under load, again and again, the first time while the snapshot is read.
#[tokio::test(flavor = "multi_thread")]
async fn failovers() {
    let plan = Plan {
        length: Duration::from_secs(8),
        own: vec![Part::Source, Part::Replica],
        ..Plan::of("failovers", &[Failover, Failover, Failover, Kill(Source), Pause(Sink)])
    };
    stage::run(plan, kit::seed()).await;
}
