//! A `cdc` process under the eye of a supervisor, as in production: one that gives
//! up on something that a restart may mend is started again; any other end fails the test.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::kit::{Process, World};

/// What `cdc` ends with where a restart may mend it.
const RESTART_MAY_MEND: i32 = 4;

/// A process of one role.
pub struct Instance {
    role: &'static str,
    settings: String,
    log: PathBuf,
    process: Process,
    /// How often it gave up and was started again.
    pub gave_up: u32,
}

impl Instance {
    /// Starts a process with the world's settings, in which each of the texts is replaced.
    pub fn start(world: &World, role: &'static str, label: &str, replaced: &[(String, String)]) -> Self {
        let mut settings = fs::read_to_string(world.file(&format!("{role}.toml"))).unwrap();
        for (from, to) in replaced {
            assert!(settings.contains(from), "{from} is not in:\n{settings}");
            settings = settings.replace(from, to);
        }
        let path = world.file(&format!("{role}-{label}.toml"));
        fs::write(&path, settings).unwrap();
        let log = PathBuf::from(world.file(&format!("{role}-{label}.log")));
        let process = Process::start(&[role, "-c", &path], &log);
        Self { role, settings: path, log, process, gave_up: 0 }
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Kills it, and starts it anew.
    pub fn crash(&mut self) {
        self.process.kill();
        self.again();
    }

    /// Asks it to stop, and starts it anew.
    pub fn restart(&mut self) {
        self.process.stop();
        self.again();
    }

    fn again(&mut self) {
        self.process = Process::start(&[self.role, "-c", &self.settings], &self.log);
    }

    /// Stops and lets go of it by signal.
    pub async fn pause(&mut self, length: Duration) {
        self.process.signal("STOP");
        tokio::time::sleep(length).await;
        self.process.signal("CONT");
    }

    /// Starts it again where it gave up.
    pub fn tend(&mut self) {
        if self.process.has_ended() {
            let status = self.process.wait(Duration::ZERO);
            assert_eq!(
                status.code(),
                Some(RESTART_MAY_MEND),
                "the {} ended by itself; its log says:\n{}",
                self.role,
                self.process.log_tail()
            );
            self.gave_up += 1;
            self.again();
        }
    }

    /// The end of its log.
    pub fn log_tail(&self) -> String {
        self.process.log_tail()
    }
}
