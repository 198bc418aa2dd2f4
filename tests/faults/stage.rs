//! What every test here stands on: a world under the random workload, looked at
//! all the while, and processes that faults happen to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::instance::Instance;
use super::looks::{self, Looks};
use super::model::{History, digest};
use super::{topics, workload};
use crate::kit::{Dice, Options, World};

/// How long a test makes faults, where `CDC_SOAK_SECONDS` says nothing else.
const SECONDS: u64 = 12;

/// How long the destination may take to get where the source was when a fault ended. Pauses
/// between attempts grow to 10 s, and the machine may be busy.
const RECOVERS: Duration = Duration::from_secs(120);

/// A world with its workload.
pub struct Stage {
    pub world: Arc<World>,
    pub dice: Dice,
    /// The processes, sources and sinks.
    pub instances: Vec<Instance>,
    name: &'static str,
    history: Arc<History>,
    looks: Arc<Looks>,
    stop: Arc<AtomicBool>,
    stop_writer: Arc<AtomicBool>,
    writing: Option<JoinHandle<()>>,
    looking: Option<JoinHandle<()>>,
    faults: BTreeMap<String, u32>,
    slowest: Duration,
    begun: Instant,
}

impl Stage {
    /// A world whose snapshot is through, with the workload running, and no process yet.
    pub async fn open(name: &'static str, options: Options) -> Self {
        let options = Options {
            // Small cuts, so that large transactions span several, and faults fall inside of them.
            source: format!("[limits]\ncut_bytes = 65536\n{}", options.source),
            ..options
        };
        let world = Arc::new(World::with(name, &options).await);
        let state = workload::initial();
        workload::create(&world, &state).await;
        tokio::task::block_in_place(|| world.catch_up());
        let (history, looks) = (Arc::new(History::new(&state)), Arc::new(Looks::default()));
        let [stop, stop_writer] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let looking = tokio::spawn(looks::look(world.clone(), history.clone(), looks.clone(), stop.clone()));
        let writing =
            tokio::spawn(workload::write(world.clone(), state, history.clone(), stop_writer.clone()));
        Self {
            dice: Dice::new(&format!("{name}: faults")),
            world,
            instances: Vec::new(),
            name,
            history,
            looks,
            stop,
            stop_writer,
            writing: Some(writing),
            looking: Some(looking),
            faults: BTreeMap::new(),
            slowest: Duration::ZERO,
            begun: Instant::now(),
        }
    }

    /// Starts a process; see [`Instance::start`]. Returns its number.
    pub fn start(&mut self, role: &'static str, label: &str, replaced: &[(String, String)]) -> usize {
        self.instances.push(Instance::start(&self.world, role, label, replaced));
        self.instances.len() - 1
    }

    /// Whether there is time for more faults; each of so many kinds happens at least once.
    pub fn goes_on(&self, kinds: usize) -> bool {
        let seconds = std::env::var("CDC_SOAK_SECONDS").ok().and_then(|s| s.parse().ok());
        let enough = self.faults.values().sum::<u32>() as usize >= kinds;
        !enough || self.begun.elapsed() < Duration::from_secs(seconds.unwrap_or(SECONDS))
    }

    /// A random time, below so many milliseconds.
    pub fn random_ms(&mut self, bound: u64) -> Duration {
        Duration::from_millis(self.dice.below(bound))
    }

    /// Waits for a random moment.
    pub async fn moment(&mut self) {
        let wait = self.random_ms(600);
        tokio::time::sleep(wait).await;
    }

    /// Counts a fault.
    pub fn count(&mut self, kind: &str) {
        *self.faults.entry(kind.to_owned()).or_insert(0) += 1;
    }

    /// Waits until the destination is where the source is now: whatever the fault was, it is over.
    pub async fn recovers(&mut self, after: &str) {
        let goal = self.history.committed();
        let begun = Instant::now();
        while self.looks.last.load(Ordering::Acquire) < goal {
            self.tend().await;
            assert!(
                begun.elapsed() < RECOVERS,
                "after {after} the destination stays at {} of {goal}; the logs say:\n{}",
                self.looks.last.load(Ordering::Acquire),
                self.instances.iter().map(Instance::log_tail).collect::<Vec<_>>().join("\n---\n")
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        println!("{:6.1} s: {after}: {} ms", self.begun.elapsed().as_secs_f32(), begun.elapsed().as_millis());
        self.slowest = self.slowest.max(begun.elapsed());
    }

    /// Fails where a checker or the workload has failed, starts again what gave up.
    async fn tend(&mut self) {
        for task in [&mut self.looking, &mut self.writing] {
            if task.as_ref().is_some_and(JoinHandle::is_finished) {
                task.take().unwrap().await.unwrap();
                panic!("{}: the workload or the looks ended early", self.name);
            }
        }
        self.instances.iter_mut().for_each(Instance::tend);
    }

    /// Ends the workload; then both sides are equal, and Kafka holds each change once.
    pub async fn end(mut self) {
        self.stop_writing().await;
        self.recovers("all faults").await;
        self.stop.store(true, Ordering::Relaxed);
        self.looking.take().unwrap().await.unwrap();
        let number = self.history.committed();
        let mut conn = self.world.source_conn().await;
        let source = looks::rows(&mut conn, &self.world.name).await.unwrap();
        let digest = std::array::from_fn(|table| digest(source[table].iter()));
        assert!(
            self.history.digest(number) == Some(digest),
            "the model is not what the source holds:\n{}",
            self.history.explain(number, &source)
        );
        self.world.assert_equal().await;
        let read = topics::check(&self.world, &self.history, number).await;
        let gave_up: u32 = self.instances.iter().map(|i| i.gave_up).sum();
        self.instances.clear();
        let kinds: Vec<String> = self.faults.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        println!(
            "| {} | {} | {} | {number} | {} | {} | {} | {} | {gave_up} | {:.1} s | {} s |",
            self.name,
            self.faults.values().sum::<u32>(),
            kinds.join(", "),
            self.looks.count.load(Ordering::Relaxed),
            self.looks.states.load(Ordering::Relaxed),
            read.cuts,
            read.events,
            self.slowest.as_secs_f32(),
            self.begun.elapsed().as_secs(),
        );
        Arc::into_inner(self.world).unwrap().end().await;
    }

    async fn stop_writing(&mut self) {
        self.stop_writer.store(true, Ordering::Relaxed);
        self.writing.take().unwrap().await.unwrap();
    }
}

/// All kinds in random order, again and again, so that a short run has each of them.
pub struct Deck<K: 'static> {
    kinds: &'static [K],
    dealt: Vec<&'static K>,
}

impl<K> Deck<K> {
    pub fn of(kinds: &'static [K]) -> Self {
        Self { kinds, dealt: Vec::new() }
    }

    /// The next one.
    pub fn deal(&mut self, dice: &mut Dice) -> &'static K {
        if self.dealt.is_empty() {
            self.dealt = self.kinds.iter().collect();
        }
        let index = usize::try_from(dice.below(self.dealt.len() as u64)).unwrap();
        self.dealt.swap_remove(index)
    }
}
