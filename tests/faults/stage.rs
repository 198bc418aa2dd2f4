//! What every test here stands on: a world under the random workload, looked at
//! all the while, and processes, connections and servers that faults happen to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cdc::config::GroupProtocol;
use serde_json::Value as Json;
use tokio::task::JoinHandle;

use super::clock::Clock;
use super::disk::Disk;
use super::fault::Fault;
use super::ground::{Ground, Turn};
use super::instance::{Instance, Links, Role};
use super::looks::{self, Looks};
use super::model::{History, SHAPES};
use super::own::Part;
use super::plan::Plan;
use super::proxy::Proxy;
use super::report::Report;
use super::side::{self, Side};
use super::workload::{self, Writer};
use super::{changes, commits, draft, grown, harm, topics, versions};
use crate::golden::written;
use crate::kit::{Dice, Options, World};

/// How long the destination may take to get where the source was when a fault ended. Pauses
/// between attempts grow to 10 s, and the machine may be busy.
const RECOVERS: Duration = Duration::from_secs(240);

/// One that takes over goes on within this time, and one that sleeps for longer knows when it wakes up.
const FURTHER: Duration = Duration::from_secs(4);

/// A recovery that takes longer is shown with its logs.
const SLOW: Duration = Duration::from_secs(25);

/// So many faults happen, however slow the machine is.
const FAULTS_MIN: u64 = 5;

/// How large the small disk of a destination is.
const DISK_MIB: u32 = 256;

/// What lets sinks share the topics, and be given up by their group as soon as a broker allows. With the brokers'
/// protocol that is their own setting.
fn by_key(protocol: GroupProtocol) -> String {
    let group = match protocol {
        GroupProtocol::Classic => {
            "[kafka.options]\n\"session.timeout.ms\" = \"6000\"\n\"heartbeat.interval.ms\" = \"1000\"\n"
        }
        GroupProtocol::Consumer => "[group]\nprotocol = \"consumer\"\n",
    };
    format!("[apply]\nconsistency = \"key\"\n{group}")
}

/// A world with its workload.
pub struct Stage {
    // In the order in which they are to end.
    pub instances: Vec<Instance>,
    /// In front of the broker, for all.
    pub kafka: Option<Arc<Proxy>>,
    pub world: Arc<World>,
    /// That of the destination.
    pub disk: Option<Disk>,
    pub ground: Arc<Ground>,
    pub dice: Dice,
    turn: Option<Turn>,
    plan: Plan,
    report: Report,
    history: Arc<History>,
    side: Arc<Side>,
    looks: Arc<Looks>,
    /// Looks at the source's server.
    looks_for_harm: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    stop_writer: Arc<AtomicBool>,
    writing: Vec<JoinHandle<()>>,
    looking: Vec<JoinHandle<()>>,
    /// Where the destination's log stood before there was anything of this world in it.
    since: commits::Place,
    slowest: Duration,
    begun: Instant,
}

/// How much was compared at the end.
struct Compared {
    events: u64,
    cuts: u64,
    /// Of the destination.
    commits: u64,
    /// Whether all tables were read once more meanwhile.
    again: bool,
}

/// Opens a stage, lets faults happen, compares everything.
pub async fn run(plan: Plan, seed: u64) -> Report {
    let ground = Arc::new(plan.ground(plan.name, 1).await);
    run_on(&ground, 0, plan, seed).await
}

/// The same as one of several worlds on the same ground.
pub async fn run_on(ground: &Arc<Ground>, number: usize, plan: Plan, seed: u64) -> Report {
    println!("{}: CDC_TEST_SEED={seed}", plan.name);
    let mut stage = Stage::open(plan, ground.clone(), number, seed).await;
    for fault in stage.plan.early.clone() {
        // These are places in the code.
        fault.happen(&mut stage).await;
    }
    let faults = stage.plan.faults.clone();
    let mut deck = Deck::of(&faults);
    while stage.goes_on() {
        stage.moment().await;
        let fault = deck.deal(&mut stage.dice);
        if fault.is_to_a_server() {
            stage.turn = stage.ground.turn();
            if stage.turn.is_none() {
                deck.put_back(fault);
                continue;
            }
        }
        if fault.happen(&mut stage).await {
            stage.report.count(fault);
        }
        let committed = stage.history.committed();
        match stage.dice.below(stage.plan.burst) {
            // The next fault comes as soon as there is a new state,
            0 => stage.arrives(stage.looks.last.load(Ordering::Acquire) + 1, &fault.to_string()).await,
            // or when all is there,
            1 => stage.arrives(committed, &fault.to_string()).await,
            // or before this one is over.
            _ => {}
        }
        stage.turn = None;
    }
    stage.end().await
}

impl Stage {
    /// The workload runs from the beginning, so the first snapshot is taken under it, and under faults.
    async fn open(plan: Plan, ground: Arc<Ground>, number: usize, seed: u64) -> Self {
        let quiet = ground.quiet().await;
        let options = Options {
            capture: format!("chunk_rows = {}", plan.workload.bulk_rows / 10),
            source: plan.limits.0.clone(),
            sink: format!("{}{}", plan.limits.1, plan.by_key.map(by_key).unwrap_or_default()),
            source_server: ground.address(Part::Source).await,
            dest_server: ground.address(Part::Dest).await,
            kafka: ground.address(Part::Broker).await,
            registry: ground.address(Part::Registry).await,
            ..Options::default()
        };
        let world = Arc::new(World::with(plan.name, &options).await);
        let mut disk = None;
        if plan.disks.contains(&Part::Dest) {
            world.dest_sql(&format!("CREATE DATABASE `{}`", world.name)).await;
            disk = Some(Disk::mount(&ground.server(Part::Dest).data(&world.name), DISK_MIB));
        }
        let state = draft::initial(plan.workload);
        workload::create(&world, &state, plan.workload).await;
        let side = Arc::new(Side::default());
        side::create(&world, &side).await;
        let since = commits::Place::end(&world).await;
        drop(quiet);
        let mut stage = Self {
            instances: Vec::new(),
            kafka: ground.kafka(number),
            world,
            disk,
            ground,
            dice: Dice::of(seed),
            turn: None,
            report: Report::of(plan.name, seed),
            history: Arc::new(History::new(&state)),
            side,
            looks: Arc::default(),
            looks_for_harm: Arc::default(),
            stop: Arc::default(),
            stop_writer: Arc::default(),
            writing: Vec::new(),
            looking: Vec::new(),
            since,
            slowest: Duration::ZERO,
            begun: Instant::now(),
            plan,
        };
        stage.begin(state, seed).await;
        stage
    }

    async fn begin(&mut self, state: super::model::State, seed: u64) {
        let mut profile = self.plan.workload;
        if self.ground.address(Part::Source).await.is_none() {
            // On the server of all tests, sources of others that start meanwhile would read all tables again.
            profile.xa_percent = 0;
        }
        let parts = || (self.world.clone(), self.looks.clone(), self.stop_writer.clone());
        let (world, looks, stop) = parts();
        let writer = Writer { world, state, history: self.history.clone(), looks, stop };
        self.writing.push(tokio::spawn(writer.run(Dice::of(seed.rotate_left(17)), profile)));
        for number in 0..side::WRITERS {
            let (world, looks, stop) = parts();
            let dice = Dice::of(seed.rotate_left(29 + u32::try_from(number).unwrap()));
            self.writing.push(tokio::spawn(self.side.clone().write(world, number, looks, stop, dice)));
        }
        self.looking.push(self.look());
        let harm = harm::look(self.world.clone(), self.looks_for_harm.clone(), self.stop.clone());
        self.looking.push(tokio::spawn(harm));
        let broker = self.kafka.as_ref().map_or(self.world.kafka.clone(), |proxy| proxy.address.clone());
        for (role, count) in [(Role::Source, self.plan.sources), (Role::Sink, self.plan.sinks)] {
            for number in 0..count {
                let links = if self.plan.proxied { Some(Links::of(&self.world, role).await) } else { None };
                let name = format!("{}-{number}", role.name());
                let clock = self.plan.clocks.then(|| Clock::right(&self.world, &name));
                let parts = (links, clock, self.plan.plant);
                self.instances.push(Instance::start_by_clock(&self.world, role, number, parts, &broker));
            }
        }
    }

    fn look(&self) -> JoinHandle<()> {
        let (world, side, looks) = (self.world.clone(), self.side.clone(), self.looks.clone());
        let pace = (self.stop.clone(), self.plan.look_every);
        if self.plan.by_key.is_some() {
            return tokio::spawn(versions::look(world, side, looks, pace));
        }
        tokio::spawn(looks::look(world, self.history.clone(), side, looks, pace))
    }

    fn goes_on(&self) -> bool {
        self.report.total() < FAULTS_MIN || self.begun.elapsed() < self.plan.length
    }

    /// A random time, below so many milliseconds.
    pub fn random_ms(&mut self, bound: u64) -> Duration {
        Duration::from_millis(self.dice.below(bound))
    }

    /// How long a fault lasts: mostly short.
    pub fn random_length(&mut self) -> Duration {
        let longest = u64::try_from(self.plan.pause_max.as_millis()).unwrap();
        let bound = if self.dice.below(4) == 0 { longest } else { longest.min(1500) };
        self.random_ms(bound)
    }

    /// Waits for a random moment.
    async fn moment(&mut self) {
        let wait = self.random_ms(600);
        tokio::time::sleep(wait).await;
        self.tend().await;
    }

    /// Asks the source to read a table with a key once more. Returns whether it has taken it up.
    pub fn ask_for_snapshot(&mut self) -> bool {
        let keyed: Vec<usize> = (0..SHAPES.len()).filter(|table| SHAPES[*table].keyed).collect();
        let table = keyed[usize::try_from(self.dice.below(keyed.len() as u64)).unwrap()];
        // Before that, the first snapshot may be under way, or to be made anew.
        if self.looks.count.load(Ordering::Relaxed) == 0 || self.was_read_again() {
            return false;
        }
        self.history.ask(table);
        let name = format!("{}.{}", self.world.name, SHAPES[table].name);
        self.snapshot_command(&["--tables", &name, "--wait", "5"])
    }

    /// Tells the source something about snapshots; one that cannot be reached, or has died, may not take it.
    fn snapshot_command(&self, arguments: &[&str]) -> bool {
        tokio::task::block_in_place(|| self.world.try_tell(arguments)).0 == Some(0)
    }

    /// What was asked for is over: all has been published.
    async fn end_snapshots(&self) {
        if SHAPES.iter().enumerate().any(|(table, _)| self.history.asked(table) > 0) {
            crate::kit::until("the source ends its snapshots", async || {
                self.snapshot_command(&["stop", "--wait", "5"])
            })
            .await;
        }
    }

    /// Waits until the destination is seen in a new state, or for as long as that takes where nothing is wrong.
    pub async fn comes_further(&self) {
        let (begun, last) = (Instant::now(), self.looks.last.load(Ordering::Acquire));
        while self.looks.last.load(Ordering::Acquire) == last && begun.elapsed() < FURTHER {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the destination has come to that transaction: whatever the fault was, it is over.
    async fn arrives(&mut self, goal: u64, after: &str) {
        let begun = Instant::now();
        while self.looks.last.load(Ordering::Acquire) < goal {
            self.tend().await;
            assert!(
                begun.elapsed() < RECOVERS,
                "after '{after}' the destination stays at {} of {goal}; the logs say:\n{}",
                self.looks.last.load(Ordering::Acquire),
                self.logs()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        println!("{:7.1} s: {after}; recovered in {:?}", self.begun.elapsed().as_secs_f32(), begun.elapsed());
        if begun.elapsed() > SLOW {
            println!("that was slow; the logs say:\n{}", self.logs());
        }
        self.slowest = self.slowest.max(begun.elapsed());
    }

    fn logs(&self) -> String {
        self.instances.iter().map(Instance::log_tail).collect::<Vec<_>>().join("\n---\n")
    }

    /// Fails where a checker or the workload has failed, starts again what gave up or died.
    async fn tend(&mut self) {
        for task in self.writing.iter_mut().chain(&mut self.looking) {
            if task.is_finished()
                && let Err(failed) = task.await
            {
                std::panic::resume_unwind(failed.into_panic());
            }
        }
        for instance in &mut self.instances {
            if let Some(fault) = instance.tend() {
                self.report.count(fault);
            }
        }
    }

    /// Ends the workload; then both sides are equal, and Kafka holds each change once.
    async fn end(mut self) -> Report {
        // No process dies any more by what it was told before.
        self.instances.iter_mut().filter(|i| i.is_doomed()).for_each(Instance::crash);
        self.stop_writer.store(true, Ordering::Relaxed);
        for task in std::mem::take(&mut self.writing) {
            task.await.unwrap();
        }
        self.end_snapshots().await;
        self.arrives(self.history.committed(), "all faults").await;
        crate::kit::until("the writers beside arrive, too", async || self.side.has_arrived()).await;
        self.stop.store(true, Ordering::Relaxed);
        for task in std::mem::take(&mut self.looking) {
            task.await.unwrap();
        }
        let number = self.history.committed();
        let _quiet = self.ground.quiet().await;
        self.assert_model(number).await;
        if self.plan.by_key.is_some() {
            // The last transaction may be there without all of the ones before it.
            crate::kit::until("all rows", async || looks::has_all(&self.world, &self.history, number).await)
                .await;
        }
        grown::drop_gone(&self.world).await;
        self.world.assert_equal().await;
        let compared = self.assert_published(number).await;
        let mut report = std::mem::take(&mut self.report);
        report.rounds = 1;
        report.commits = number + self.side.commits();
        (report.events, report.cuts) = (compared.events, compared.cuts);
        report.read_again = u64::from(compared.again);
        let looks = self.looks.count.load(Ordering::Relaxed);
        if self.plan.by_key.is_some() {
            (report.looks_by_row, report.dest_commits_by_row) = (looks, compared.commits);
        } else {
            (report.looks, report.dest_commits) = (looks, compared.commits);
            report.states = self.looks.states.load(Ordering::Relaxed);
        }
        report.gave_up = self.instances.iter().map(|i| u64::from(i.gave_up)).sum();
        report.looks_for_harm = self.looks_for_harm.load(Ordering::Relaxed);
        assert!(report.looks_for_harm > 0, "no session of the source was looked at");
        for (peak, role) in report.peak_rss.iter_mut().zip([Role::Source, Role::Sink]) {
            let of_role = self.instances.iter().filter(|i| i.role == role);
            *peak = of_role.map(|i| i.peak_rss).max().unwrap_or_default();
        }
        (report.slowest, report.length) = (self.slowest, self.begun.elapsed());
        println!("{report}");
        report
    }

    /// Every change, every cut, and every commit of the destination.
    async fn assert_published(&self, number: u64) -> Compared {
        let begun = Instant::now();
        let (topics::Read { events, mut by_cut }, mut seen) = topics::read(&self.world).await;
        let read = begun.elapsed();
        let again = self.was_read_again();
        let mut from = by_cut.whole_from();
        if again {
            let left_out = by_cut.forget_first_reading(&mut seen, self.history.truncations());
            println!(
                "{}: all was read again for an XA transaction prepared before; {left_out} rows had been read",
                self.world.name
            );
            from = by_cut.whole_again_from();
        }
        self.side.compare(&mut seen);
        changes::compare(seen, &self.history, number);
        self.assert_statements().await;
        let cuts = by_cut.compare(&self.history, &self.side, from);
        let by_key = self.plan.by_key.is_some();
        let model = commits::Model { history: &self.history, side: &self.side, from, by_key, again };
        let commits = commits::compare(&self.world, &self.since, model).await;
        println!("{}: topics read in {read:?}, all compared in {:?}", self.world.name, begun.elapsed());
        assert!(commits > 0 && cuts > 0, "nothing was compared: {commits} commits, {cuts} cuts");
        Compared { events, cuts, commits, again }
    }

    /// The topic of schema changes has `grown` as the source found it, and then each statement that changed it,
    /// once and in order. The tables are looked up a little after the first position: what was stated in between is
    /// told, too.
    async fn assert_statements(&self) {
        let alters = self.history.alters();
        let (_, _, told) = written::Writer::ours(&self.world).read_beside(&self.world.name).await;
        let is_grown = |change: &Json| change["id"].as_str().is_some_and(|id| id.ends_with(r#""grown""#));
        let mut told = told.iter().filter(|record| is_grown(&record["tableChanges"][0]));
        let found = told.next().expect("the table was found");
        let found = found["tableChanges"][0]["table"]["columns"].as_array().unwrap();
        let names = found.iter().map(|column| column["name"].as_str().unwrap());
        let mut found: Vec<&str> = names.filter(|name| !["id", "n"].contains(name)).collect();
        found.sort_unstable();
        // Where all was read again, that is told, too.
        let told = told.filter_map(|record| record["ddl"].as_str());
        let told: Vec<&str> = told.filter(|statement| !statement.starts_with("XA ")).collect();
        let first = alters.len().saturating_sub(told.len());
        let run: Vec<&str> = alters[first..].iter().map(|alter| alter.sql.as_str()).collect();
        assert_eq!(told, run, "the statements that were told, and those that were run");
        let was = |alter: usize| alter.checked_sub(1).map_or(&[][..], |before| &alters[before].columns);
        let was_so = (first..=alters.len()).any(|alter| found == was(alter));
        assert!(
            was_so,
            "the table was found with {found:?}, after which only {told:?} was told of {alters:?}"
        );
    }

    /// Whether a source has met the end of an XA transaction that was prepared before its first position, by
    /// whomever: then it has read all tables once more.
    fn was_read_again(&self) -> bool {
        let logs = self.instances.iter().filter(|i| i.role == Role::Source).map(Instance::log);
        logs.into_iter().any(|log| log.contains("prepared before the source's first position"))
    }

    /// The model itself: it is what the source holds.
    async fn assert_model(&self, number: u64) {
        let mut conn = self.world.source_conn().await;
        let held = looks::state(&mut conn, &self.world.name, &self.history).await.unwrap();
        assert_eq!(held, number, "the source's last transaction, and the model's");
    }
}

/// Removes what the test made. Of one that failed the logs stay, and everything if `CDC_TEST_KEEP` is set.
impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.stop_writer.store(true, Ordering::Relaxed);
        self.writing.iter().chain(&self.looking).for_each(JoinHandle::abort);
        let failed = std::thread::panicking() && self.plan.plant.is_none();
        if failed {
            eprintln!("{}: the logs say:\n{}", self.report.headline(), self.logs());
        }
        self.instances.clear();
        if failed && std::env::var_os("CDC_TEST_KEEP").is_some() {
            std::mem::forget(self.disk.take());
            return std::mem::forget(self.ground.clone());
        }
        if !self.ground.is_for_one_world() {
            let world = self.world.clone();
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(world.sweep()));
        }
        if !failed {
            self.world.forget();
        }
    }
}

/// All faults in random order, again and again, so that each comes as often as the others.
struct Deck<'f> {
    faults: &'f [Fault],
    dealt: Vec<Fault>,
}

impl<'f> Deck<'f> {
    fn of(faults: &'f [Fault]) -> Self {
        Self { faults, dealt: Vec::new() }
    }

    fn deal(&mut self, dice: &mut Dice) -> Fault {
        if self.dealt.is_empty() {
            self.dealt = self.faults.to_vec();
        }
        let index = usize::try_from(dice.below(self.dealt.len() as u64)).unwrap();
        self.dealt.swap_remove(index)
    }

    fn put_back(&mut self, fault: Fault) {
        self.dealt.push(fault);
    }
}
