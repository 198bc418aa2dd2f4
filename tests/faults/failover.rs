//! The source's MySQL dies and its replica takes over, by GTID: other uuid, other
//! `server_id`, other binlog files.

use std::time::Duration;

use super::connections::small_cuts;
use super::fault::Fault::{Failover, Kill, Pause};
use super::instance::Role::{Sink, Source};
use super::looks;
use super::own::Part;
use super::stage::{self, Plan};
use super::workload::Profile;
use crate::kit;

/// Under load, again and again, the first time while the snapshot is read.
#[tokio::test(flavor = "multi_thread")]
async fn failovers() {
    let plan = Plan {
        name: "failovers",
        faults: vec![Failover, Failover, Failover, Kill(Source), Pause(Sink)],
        length: Duration::from_secs(8),
        pause_max: Duration::from_millis(1500),
        look_every: looks::PAUSE,
        instances: 1,
        proxied: false,
        own: vec![Part::Source, Part::Replica],
        clocks: false,
        disks: Vec::new(),
        limits: small_cuts(),
        workload: Profile::MIXED,
    };
    stage::run(plan, kit::seed()).await;
}
