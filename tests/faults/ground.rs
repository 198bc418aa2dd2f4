//! The servers that worlds stand on. Those that are a test's own may be killed, stopped and
//! started again, one at a time, also where several worlds share them.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};

use super::own::{Own, Part};
use super::pair::Pair;
use super::proxy::{Protocol, Proxy};

/// How large the broker's small disk is, for each world.
const BROKER_DISK_MIB: u32 = 512;

/// Several appliers that keep the order of commits wait for each other busily; and what is prepared is not to
/// keep gaps locked at the replica that nobody waits for at the source.
const FOLLOWED: [&str; 2] = ["--replica-parallel-workers=1", "--transaction-isolation=READ-COMMITTED"];

/// Servers of a test's own; where there is none of a part, the stack's is meant.
pub struct Ground {
    servers: BTreeMap<Part, Own>,
    /// The source's servers, where one is to take over from the other.
    pair: Option<Mutex<Pair>>,
    /// In front of the broker, one for each world.
    kafka: Vec<Arc<Proxy>>,
    turn: Arc<Mutex<()>>,
    worlds: usize,
}

/// As long as somebody has it, nothing happens to a server by anybody else.
pub type Turn = OwnedMutexGuard<()>;

impl Ground {
    /// Starts these servers for so many worlds.
    pub async fn open(name: &str, parts: &[Part], small_disk: bool, worlds: usize) -> Self {
        let mut kafka = Vec::new();
        for _ in 0..worlds {
            kafka.push(Arc::new(Proxy::before("", Protocol::Kafka).await));
        }
        let at: Vec<String> = kafka.iter().map(|proxy| format!("proxied.at={}", proxy.address)).collect();
        let disk = small_disk.then(|| BROKER_DISK_MIB * u32::try_from(worlds).unwrap());
        let mut servers = tokio::task::block_in_place(|| start_all(name, parts, &at, disk));
        let pair = Pair::of(&mut servers).await.map(Mutex::new);
        match servers.get(&Part::Broker) {
            Some(broker) => {
                kafka.iter().zip(&broker.addresses[1..]).for_each(|(proxy, to)| proxy.leads_to(to));
            }
            None => kafka.clear(),
        }
        Self { servers, pair, kafka, turn: Arc::default(), worlds }
    }

    /// Whether servers of a world go with it, and all that it made there.
    pub fn is_for_one_world(&self) -> bool {
        self.worlds == 1 && !self.servers.is_empty()
    }

    /// Where a server is found.
    pub async fn address(&self, part: Part) -> Option<String> {
        match &self.pair {
            Some(pair) if part == Part::Source => Some(pair.lock().await.address()),
            _ => self.servers.get(&part).map(|own| own.address().to_owned()),
        }
    }

    /// The proxy between one of the worlds and the broker.
    pub fn kafka(&self, world: usize) -> Option<Arc<Proxy>> {
        self.kafka.get(world).cloned()
    }

    /// A server other than the source's.
    pub fn server(&self, part: Part) -> &Own {
        &self.servers[&part]
    }

    /// The source's servers.
    pub fn pair(&self) -> Option<&Mutex<Pair>> {
        self.pair.as_ref()
    }

    /// Waits until nothing happens to a server; as long as the turn is kept nothing will.
    pub async fn quiet(&self) -> Turn {
        self.turn.clone().lock_owned().await
    }

    /// The right to let something happen to a server, if nobody has it.
    pub fn turn(&self) -> Option<Turn> {
        self.turn.clone().try_lock_owned().ok()
    }
}

/// All at once.
fn start_all(name: &str, parts: &[Part], proxies: &[String], disk: Option<u32>) -> BTreeMap<Part, Own> {
    std::thread::scope(|scope| {
        let open = |part| match (part, disk) {
            (Part::Broker, Some(mib)) => Own::start_on_disk(name, part, proxies, mib),
            (Part::Broker, None) => Own::start(name, part, proxies),
            (Part::Source | Part::Replica, _) => Own::start(name, part, &FOLLOWED.map(str::to_owned)),
            _ => Own::start(name, part, &[]),
        };
        let start = |part| scope.spawn(move || (part, open(part)));
        let all: Vec<_> = parts.iter().copied().map(start).collect();
        all.into_iter().map(|started| started.join().unwrap()).collect()
    })
}
