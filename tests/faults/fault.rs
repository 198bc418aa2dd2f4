//! What may happen to processes, connections and servers. A test picks the faults
//! that it has the parts for; each happens at a random moment.

use std::fmt;
use std::time::Duration;

use mysql_async::prelude::Queryable;

use super::instance::{Instance, Role};
use super::own::{Own, Part};
use super::proxy::{Mode, Proxy};
use super::stage::Stage;
use crate::kit::until;

/// A fault.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// `kill -9`, and a new start.
    Kill(Role),
    KillBoth,
    /// Killed again while it is still starting.
    KillTwice(Role),
    /// SIGSTOP, and SIGCONT after a while.
    Pause(Role),
    /// SIGTERM, and a new start.
    Restart(Role),
    /// It dies at that place in the code.
    Point(Role, &'static str),
    /// Something happens to a connection.
    Link(Link, Mode),
    /// Something happens to a server.
    Server(Part, Blow),
    /// The wall clock of a process jumps.
    ClockJump(Role),
    /// The disk of a server is full for a while.
    DiskFull(Part),
    /// The source's MySQL dies for good, and its replica takes over.
    Failover,
    /// The one that works loses its lock while it lives: another takes over from it.
    LockLost(Role),
    /// The one that works is stopped, loses its lock, and wakes up when another works.
    Zombie(Role),
    /// The same with one that comes to work, and stops at that place in the code; one alone only sleeps.
    StopsAt(Role, &'static str),
    /// A snapshot of one table is asked for, which is read while everything goes on.
    SnapshotAsked,
}

/// A connection.
#[derive(Clone, Copy, Debug)]
pub enum Link {
    Mysql(Role),
    Registry(Role),
    Kafka,
}

/// What happens to a server.
#[derive(Clone, Copy, Debug)]
pub enum Blow {
    Kill,
    Pause,
    Restart,
}

/// Places that a process comes by once, or seldom.
const ONCE: &[&str] = &[
    "source.taken_over",
    "source.inside_transaction",
    "source.chunk_marked",
    "sink.predecessors_ended",
    "sink.epoch_raised",
    "sink.inside_transaction",
    "sink.table_emptied",
    "by_key.epochs_raised",
];

/// Places of a snapshot.
const CHUNKS: &[&str] = &["source.chunk_sent", "source.chunk_marked"];

/// How long a commit that is to get lost is waited for.
const COMMIT_COMES: Duration = Duration::from_secs(5);

/// How long one that stands by may take to come to work, where nothing else is in its way.
const WORKS: Duration = Duration::from_secs(60);

/// Between two looks whether it does.
const LOOK: Duration = Duration::from_millis(200);

/// How long a broker may take to end for want of room.
const BROKER_ENDS: Duration = Duration::from_secs(10);

/// The name by which it is counted.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(role) => write!(f, "{} killed", role.name()),
            Self::KillBoth => write!(f, "source and sink killed"),
            Self::KillTwice(role) => write!(f, "{} killed while starting", role.name()),
            Self::Pause(role) => write!(f, "{} stopped", role.name()),
            Self::Restart(role) => write!(f, "{} restarted", role.name()),
            Self::Point(_, place) => write!(f, "died at {place}"),
            Self::Link(link, mode) => write!(f, "{}: {}", link.name(), mode.name()),
            Self::Server(part, Blow::Kill) => write!(f, "{} killed", part.name()),
            Self::Server(part, Blow::Pause) => write!(f, "{} stopped", part.name()),
            Self::Server(part, Blow::Restart) => write!(f, "{} restarted", part.name()),
            Self::ClockJump(role) => write!(f, "{}'s clock jumped", role.name()),
            Self::DiskFull(part) => write!(f, "{}: disk full", part.name()),
            Self::Failover => write!(f, "source's MySQL failed over"),
            Self::LockLost(role) => write!(f, "{} lost its lock", role.name()),
            Self::Zombie(role) => write!(f, "{} woke as a zombie", role.name()),
            Self::StopsAt(role, place) => write!(f, "{} woke as a zombie at {place}", role.name()),
            Self::SnapshotAsked => write!(f, "snapshot asked for"),
        }
    }
}

impl Link {
    fn name(self) -> &'static str {
        match self {
            Self::Mysql(Role::Source) => "source to MySQL",
            Self::Mysql(Role::Sink) => "sink to MySQL",
            Self::Registry(Role::Source) => "source to registry",
            Self::Registry(Role::Sink) => "sink to registry",
            Self::Kafka => "both to Kafka",
        }
    }
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Self::Pass => "cut",
            Self::Stall => "stalled",
            Self::Slow(_) => "slow",
            Self::Refuse => "refused",
            Self::DropAnswers => "answers lost",
            Self::LoseCommitAnswer => "answer of a commit lost",
            Self::LoseCommit => "commit lost",
            Self::HalfCloseToClient => "half closed by the server",
            Self::HalfCloseToServer => "half closed to the server",
            Self::Silent => "silent",
        }
    }
}

impl Fault {
    /// Whether all worlds feel it that share the server.
    pub fn is_to_a_server(self) -> bool {
        matches!(self, Self::Server(..) | Self::Failover | Self::DiskFull(Part::Broker))
    }

    /// Lets it happen, and be over. Returns whether it did; of a death at a place in the code
    /// [`Instance::tend`] tells.
    pub async fn happen(self, stage: &mut Stage) -> bool {
        match self {
            Self::Link(link, mode) => return on_link(link, mode, stage).await,
            Self::ClockJump(role) => {
                let victim = working(role, stage).await;
                stage.instances[victim].clock.as_ref().expect("a plan with clocks").jump();
            }
            Self::DiskFull(part) => disk_full(part, stage).await,
            Self::Server(part, blow) => on_server(part, blow, stage).await,
            Self::Failover => {
                stage.ground.pair().expect("a plan with Part::Replica").lock().await.fail_over().await;
            }
            Self::LockLost(role) => return takes_over(role, false, stage).await,
            Self::Zombie(role) => return takes_over(role, true, stage).await,
            Self::StopsAt(role, place) => return stops_at(role, place, stage).await,
            Self::SnapshotAsked => return stage.ask_for_snapshot(),
            Self::KillBoth => {
                let source = working(Role::Source, stage).await;
                let sink = working(Role::Sink, stage).await;
                stage.instances[source].crash();
                stage.instances[sink].crash();
            }
            Self::Kill(role) | Self::Pause(role) | Self::Restart(role) | Self::KillTwice(role) => {
                let victim = working(role, stage).await;
                self.on_process(victim, stage).await;
            }
            Self::Point(role, place) => {
                let victim = working(role, stage).await;
                let time = if ONCE.contains(&place) { 1 } else { stage.dice.below(4) + 1 };
                stage.instances[victim].doom(self, place, time);
                if CHUNKS.contains(&place) {
                    stage.ask_for_snapshot();
                }
                return false;
            }
        }
        true
    }

    async fn on_process(self, victim: usize, stage: &mut Stage) {
        let length = stage.random_length();
        let starting = stage.random_ms(1200);
        let instance = &mut stage.instances[victim];
        match self {
            Self::Pause(_) => {
                instance.signal("STOP");
                tokio::time::sleep(length).await;
                instance.signal("CONT");
            }
            Self::Restart(_) => tokio::task::block_in_place(|| instance.restart()),
            Self::KillTwice(_) => {
                instance.crash();
                tokio::time::sleep(starting).await;
                instance.crash();
            }
            _ => instance.crash(),
        }
    }
}

async fn on_link(link: Link, mode: Mode, stage: &mut Stage) -> bool {
    let length = stage.random_length();
    let victim = match link {
        Link::Mysql(role) | Link::Registry(role) => working(role, stage).await,
        Link::Kafka => 0,
    };
    let Some(proxy) = proxy(link, &stage.instances[victim], stage) else { return false };
    if matches!(mode, Mode::LoseCommit | Mode::LoseCommitAnswer) {
        proxy.set(mode);
        let begun = std::time::Instant::now();
        while proxy.mode() == mode && begun.elapsed() < COMMIT_COMES {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let met = proxy.mode() != mode;
        proxy.set(Mode::Pass);
        return met;
    }
    if matches!(mode, Mode::Pass | Mode::Refuse) {
        proxy.cut();
    }
    proxy.set(mode);
    // Silence is noticed, or not: nothing ends it.
    if !matches!(mode, Mode::Pass | Mode::Silent) {
        tokio::time::sleep(length).await;
        proxy.set(Mode::Pass);
    }
    if !matches!(mode, Mode::Stall | Mode::Slow(_) | Mode::Silent) {
        proxy.cut();
    }
    true
}

fn proxy<'s>(link: Link, instance: &'s Instance, stage: &'s Stage) -> Option<&'s Proxy> {
    match link {
        Link::Mysql(_) => instance.links.as_ref().map(|links| &links.mysql),
        Link::Registry(_) => instance.links.as_ref().map(|links| &links.registry),
        Link::Kafka => stage.kafka.as_deref(),
    }
}

async fn on_server(part: Part, blow: Blow, stage: &mut Stage) {
    let length = stage.random_length();
    match stage.ground.pair() {
        Some(pair) if part == Part::Source => strike(pair.lock().await.active(), blow, length).await,
        _ => strike(stage.ground.server(part), blow, length).await,
    }
}

async fn strike(server: &Own, blow: Blow, length: Duration) {
    match blow {
        Blow::Kill => tokio::task::block_in_place(|| server.kill()),
        Blow::Restart => tokio::task::block_in_place(|| server.stop()),
        Blow::Pause => {
            server.signal("STOP");
            tokio::time::sleep(length).await;
            return server.signal("CONT");
        }
    }
    tokio::time::sleep(length / 2).await;
    tokio::task::block_in_place(|| server.again());
}

/// A broker ends when it cannot write; MySQL answers that it cannot, or waits.
async fn disk_full(part: Part, stage: &mut Stage) {
    let length = if part == Part::Broker { BROKER_ENDS } else { stage.random_length() };
    let server = stage.ground.server(part);
    let disk = if part == Part::Dest { stage.disk.as_ref() } else { server.disk() };
    let disk = disk.expect("a plan that puts it on a disk");
    disk.fill();
    let begun = std::time::Instant::now();
    while begun.elapsed() < length && !server.has_ended() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    disk.free();
    if part == Part::Broker || server.has_ended() {
        tokio::task::block_in_place(|| {
            server.kill();
            server.again();
        });
    }
}

/// Takes the lock from the one that works. Returns whether another had it then.
async fn takes_over(role: Role, sleeps: bool, stage: &mut Stage) -> bool {
    let Some(victim) = leader(role, stage).await else { return false };
    let length = stage.random_length();
    if sleeps && stage.instances.iter().filter(|i| i.role == role).count() < 2 {
        return false;
    }
    if sleeps {
        stage.instances[victim].signal("STOP");
    }
    kill_lock_holder(role, stage).await;
    if sleeps {
        until("another works", async || leader(role, stage).await.is_some_and(|now| now != victim)).await;
        // Long enough for some commits of the new one.
        tokio::time::sleep(length).await;
        stage.instances[victim].signal("CONT");
    }
    true
}

/// The one that stands by comes to work, stops where it is about to do something, and goes on when the other works; one
/// alone goes on after a while.
async fn stops_at(role: Role, place: &str, stage: &mut Stage) -> bool {
    let leads = leader(role, stage).await;
    let mut all = (0..stage.instances.len()).filter(|index| stage.instances[*index].role == role);
    let (first, second) = (all.next().expect("there is one"), all.next());
    let victim = second.filter(|second| leads != Some(*second)).unwrap_or(first);
    let length = stage.random_length();
    stage.instances[victim].start_to_stop(place);
    let stopped = comes_true(async || {
        if second.is_some() && leader(role, stage).await.is_some_and(|now| now != victim) {
            kill_lock_holder(role, stage).await;
        }
        stage.instances[victim].is_stopped()
    });
    if !stopped.await {
        // Something else is in its way; it is not to stop later.
        stage.instances[victim].crash();
        return false;
    }
    if second.is_none() {
        tokio::time::sleep(length).await;
        stage.instances[victim].signal("CONT");
        return true;
    }
    kill_lock_holder(role, stage).await;
    let other = comes_true(async || leader(role, stage).await.is_some_and(|now| now != victim)).await;
    if other {
        stage.comes_further().await;
    }
    stage.instances[victim].signal("CONT");
    other
}

async fn comes_true(condition: impl AsyncFn() -> bool) -> bool {
    let begun = std::time::Instant::now();
    while !condition().await {
        if begun.elapsed() > WORKS {
            return false;
        }
        tokio::time::sleep(LOOK).await;
    }
    true
}

/// The one that works, if that can be told; else any.
async fn working(role: Role, stage: &mut Stage) -> usize {
    let all: Vec<usize> =
        (0..stage.instances.len()).filter(|index| stage.instances[*index].role == role).collect();
    let any = all[usize::try_from(stage.dice.below(all.len() as u64)).unwrap()];
    // Now and then the one that stands by.
    if all.len() == 1 || stage.dice.below(4) == 0 { any } else { leader(role, stage).await.unwrap_or(any) }
}

fn lock(role: Role, stage: &Stage) -> String {
    format!("cdc_{}_{}", role.name(), stage.world.name)
}

/// Which of its instances holds the lock of a role.
async fn leader(role: Role, stage: &Stage) -> Option<usize> {
    let sql = format!(
        "SELECT SUBSTRING_INDEX(HOST, ':', -1) FROM performance_schema.processlist WHERE ID = IS_USED_LOCK('{}')",
        lock(role, stage)
    );
    let port: String = ask(role, stage, &sql).await?;
    let mut port: u16 = port.parse().ok()?;
    if role == Role::Source
        && let Some(pair) = stage.ground.pair()
    {
        port = pair.lock().await.client_at(port)?;
    }
    stage.instances.iter().position(|i| {
        i.role == role && i.links.as_ref().is_some_and(|links| links.mysql.client_at(port).is_some())
    })
}

async fn kill_lock_holder(role: Role, stage: &Stage) {
    let sql = format!("SELECT IS_USED_LOCK('{}')", lock(role, stage));
    if let Some(id) = ask::<u64>(role, stage, &sql).await
        && let Ok(mut conn) = connect(role, stage).await
    {
        // It may be gone by now.
        let _ = conn.query_drop(format!("KILL {id}")).await;
    }
}

async fn connect(role: Role, stage: &Stage) -> mysql_async::Result<mysql_async::Conn> {
    match role {
        Role::Source => stage.world.try_source_conn().await,
        Role::Sink => stage.world.try_dest_conn().await,
    }
}

async fn ask<T: mysql_async::prelude::FromValue + Send + 'static>(
    role: Role,
    stage: &Stage,
    sql: &str,
) -> Option<T> {
    connect(role, stage).await.ok()?.query_first::<Option<T>, _>(sql).await.ok()??
}
