//! A `cdc` process under the eye of a supervisor, as in production: one that gives
//! up on something that a restart may mend is started again, and so is one that died
//! where the test told it to; any other end fails the test.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::clock::Clock;
use super::fault::Fault;
use super::harm;
use super::proxy::{Protocol, Proxy};
use crate::kit::{Process, RESTART_MAY_MEND, World};

/// How long a clean stop may take.
const STOPS: Duration = Duration::from_secs(60);

/// After so long it listens to signals.
const LISTENS: Duration = Duration::from_secs(3);

const SIGTERM: i32 = 15;

/// Which side a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Source,
    Sink,
}

impl Role {
    /// As the command line has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Sink => "sink",
        }
    }
}

/// A process of one role.
pub struct Instance {
    pub role: Role,
    /// Through these it reaches its MySQL and the registry, where the test wants that.
    pub links: Option<Links>,
    /// Its clock, where the test wants it to be wrong.
    pub clock: Option<Clock>,
    /// The bug that it has, where the test wants it to be found.
    plant: Option<&'static str>,
    settings: String,
    log: PathBuf,
    process: Process,
    /// It is to die by itself at a place in the code.
    doomed: Option<Fault>,
    since: Instant,
    /// How often it gave up and was started again.
    pub gave_up: u32,
    /// The most memory that any process of it was seen to have used, in bytes.
    pub peak_rss: u64,
}

/// What stands between a process and its servers.
pub struct Links {
    pub mysql: Proxy,
    pub registry: Proxy,
}

impl Links {
    /// Proxies before the servers of that role.
    pub async fn of(world: &World, role: Role) -> Self {
        let (source, dest) = world.servers();
        let server = if role == Role::Source { source } else { dest };
        let mysql = Proxy::before(server, Protocol::Mysql).await;
        let registry = Proxy::before(host_of(&world.registry), Protocol::Http).await;
        Self { mysql, registry }
    }
}

fn host_of(url: &str) -> &str {
    url.trim_start_matches("http://").split('/').next().unwrap_or_default()
}

impl Instance {
    /// Starts a process of the world; `kafka` is where it finds the broker.
    pub fn start(world: &World, role: Role, number: usize, links: Option<Links>, kafka: &str) -> Self {
        Self::start_by_clock(world, role, number, (links, None, None), kafka)
    }

    /// Starts one that goes by a clock of its own, or has a bug planted.
    pub fn start_by_clock(
        world: &World,
        role: Role,
        number: usize,
        (links, clock, plant): (Option<Links>, Option<Clock>, Option<&'static str>),
        kafka: &str,
    ) -> Self {
        let name = role.name();
        let mut settings = fs::read_to_string(world.file(&format!("{name}.toml"))).unwrap();
        settings = settings.replace(&world.kafka, kafka);
        if let Some(links) = &links {
            let (source, dest) = world.servers();
            let server = if role == Role::Source { source } else { dest };
            let port = |address: &str| address.rsplit_once(':').unwrap().1.to_owned();
            let (there, here) = (port(server), port(&links.mysql.address));
            settings = settings
                .replace(&format!("port = {there}\n"), &format!("port = {here}\n"))
                .replace(host_of(&world.registry), &links.registry.address);
            // The proxy is to know a commit when it sees one.
            settings.push_str("\n[mysql.tls]\nmode = \"disabled\"\n");
        }
        let path = world.file(&format!("{name}-{number}.toml"));
        fs::write(&path, settings).unwrap();
        let log = PathBuf::from(world.file(&format!("{name}-{number}.log")));
        let process = start(&[name, "-c", &path], &log, clock.as_ref(), &planting(plant));
        let since = Instant::now();
        Self {
            role,
            links,
            clock,
            plant,
            settings: path,
            log,
            process,
            doomed: None,
            since,
            gave_up: 0,
            peak_rss: 0,
        }
    }

    /// Kills it, and starts it anew.
    pub fn crash(&mut self) {
        self.process.kill();
        self.again(&[]);
    }

    /// Asks it to stop, and starts it anew.
    pub fn restart(&mut self) {
        if self.is_doomed() || self.process.has_ended() {
            return self.crash();
        }
        self.process.signal("TERM");
        let status = self.process.wait(STOPS);
        // One that has only just been started does not listen to signals yet, and has nothing to end.
        let unborn = status.signal() == Some(SIGTERM) && self.since.elapsed() < LISTENS;
        let clean = status.code() == Some(0) || unborn;
        assert!(clean, "not a clean stop ({status}); the log says:\n{}", self.process.log_tail());
        self.again(&[]);
    }

    /// Starts it anew, to die when it comes by that place in the code for the `time`th time.
    pub fn doom(&mut self, fault: Fault, place: &str, time: u64) {
        self.process.kill();
        self.again(&[("CDC_FAIL_POINT", &format!("{place}:{time}"))]);
        self.doomed = Some(fault);
    }

    /// Starts it anew, to stop when it comes by that place in the code.
    pub fn start_to_stop(&mut self, place: &str) {
        self.process.kill();
        self.again(&[("CDC_FAIL_POINT", &format!("{place}:1:stop"))]);
    }

    /// Whether it has stopped.
    pub fn is_stopped(&self) -> bool {
        self.process.is_stopped()
    }

    /// Whether it is yet to die.
    pub fn is_doomed(&self) -> bool {
        self.doomed.is_some()
    }

    fn again(&mut self, environment: &[(&str, &str)]) {
        (self.doomed, self.since) = (None, Instant::now());
        let arguments = [self.role.name(), "-c", &self.settings];
        let environment = [environment, &planting(self.plant)].concat();
        self.process = start(&arguments, &self.log, self.clock.as_ref(), &environment);
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Starts it again where it gave up, or died as it should: that is returned.
    pub fn tend(&mut self) -> Option<Fault> {
        self.peak_rss = self.peak_rss.max(self.process.peak_rss().unwrap_or_default());
        assert!(self.peak_rss < harm::MEMORY_MAX, "the {} used {} bytes", self.role.name(), self.peak_rss);
        if !self.process.has_ended() {
            return None;
        }
        let status = self.process.wait(Duration::ZERO);
        // No code: by a signal.
        if let Some(fault) = self.doomed
            && status.code().is_none()
        {
            self.again(&[]);
            return Some(fault);
        }
        assert_eq!(
            status.code(),
            Some(RESTART_MAY_MEND),
            "the {} ended by itself; its log says:\n{}",
            self.role.name(),
            self.process.log_tail()
        );
        self.gave_up += 1;
        self.again(&[]);
        None
    }

    /// All that it has said.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The end of its log.
    pub fn log_tail(&self) -> String {
        self.process.log_tail()
    }
}

fn planting(plant: Option<&str>) -> Vec<(&str, &str)> {
    plant.map(|plant| ("CDC_PLANT", plant)).into_iter().collect()
}

fn start(arguments: &[&str], log: &Path, clock: Option<&Clock>, environment: &[(&str, &str)]) -> Process {
    let by_clock = clock.map(Clock::environment);
    let by_clock = by_clock.iter().flatten().map(|(key, value)| (*key, value.as_str()));
    let all: Vec<(&str, &str)> = by_clock.chain(environment.iter().copied()).collect();
    Process::start_with(arguments, log, &all)
}
