//! What a test of faults is made of.

use std::time::Duration;

use cdc::config::GroupProtocol;

use super::connections::small_cuts;
use super::fault::Fault;
use super::ground::Ground;
use super::looks;
use super::own::Part;
use super::workload::Profile;

/// What a test is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    pub name: &'static str,
    /// What may happen.
    pub faults: Vec<Fault>,
    /// What happens first, before anything is there.
    pub early: Vec<Fault>,
    /// For how long faults happen.
    pub length: Duration,
    /// Longest pause or stall.
    pub pause_max: Duration,
    /// Of so many faults two are waited for: the others come while earlier ones are not over.
    pub burst: u64,
    /// Between two looks at the destination.
    pub look_every: Duration,
    /// How many sources.
    pub sources: usize,
    /// How many sinks.
    pub sinks: usize,
    /// Where the sinks share the topics (`consistency = "key"`), their group's protocol.
    pub by_key: Option<GroupProtocol>,
    /// With proxies between the processes and their servers.
    pub proxied: bool,
    /// Which servers are its own.
    pub own: Vec<Part>,
    /// With a clock of its own for each process.
    pub clocks: bool,
    /// Which of these have their data on a small disk.
    pub disks: Vec<Part>,
    /// The bug that all processes have (`cdc_sdk::fail`): then the test is to fail.
    pub plant: Option<&'static str>,
    /// More sections for source and sink.
    pub limits: (String, String),
    pub workload: Profile,
}

impl Plan {
    /// One of some seconds, with one process of each role on the servers of all tests.
    pub fn of(name: &'static str, faults: &[Fault]) -> Self {
        Self {
            name,
            faults: faults.to_vec(),
            early: Vec::new(),
            length: Duration::from_secs(10),
            pause_max: Duration::from_millis(1500),
            burst: 3,
            look_every: looks::PAUSE,
            sources: 1,
            sinks: 1,
            by_key: None,
            proxied: false,
            own: Vec::new(),
            clocks: false,
            disks: Vec::new(),
            plant: None,
            limits: small_cuts(),
            workload: Profile::MIXED,
        }
    }

    /// The servers for so many of it, under a name of their own.
    pub async fn ground(&self, name: &str, worlds: usize) -> Ground {
        Ground::open(name, &self.own, self.disks.contains(&Part::Broker), worlds).await
    }
}
