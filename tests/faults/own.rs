//! Servers of a test's own, which it may kill, stop and start again.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::disk::Disk;
use crate::kit::variable;

/// For the brokers and registries of a test: the second compiler costs more than it saves in so short a life.
const SHORT_LIVED: &str = "-XX:TieredStopAtLevel=1";

/// Which server of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Source,
    /// A second server for the source, which follows the first one.
    Replica,
    Dest,
    Broker,
    Registry,
}

impl Part {
    fn kind(self) -> &'static str {
        match self {
            Self::Source | Self::Replica | Self::Dest => "mysql",
            Self::Broker => "kafka",
            Self::Registry => "registry",
        }
    }

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source's MySQL",
            Self::Replica => "source's replica",
            Self::Dest => "destination's MySQL",
            Self::Broker => "broker",
            Self::Registry => "registry",
        }
    }
}

/// A server, removed with the value.
pub struct Own {
    // Goes first, so that what is below can be removed.
    disk: Option<Disk>,
    part: Part,
    name: String,
    /// What the script said: its address, and on request a second one.
    pub addresses: Vec<String>,
}

impl Own {
    /// Starts one with more settings.
    pub fn start(test: &str, part: Part, settings: &[String]) -> Self {
        let mut own = Self { disk: None, part, name: name_of(test, part), addresses: Vec::new() };
        own.addresses = own.run("start", settings);
        own
    }

    /// Starts one whose data lies on a small disk.
    pub fn start_on_disk(test: &str, part: Part, settings: &[String], mib: u32) -> Self {
        let mut own = Self { disk: None, part, name: name_of(test, part), addresses: Vec::new() };
        own.disk = Some(Disk::mount(&own.folder().join("data"), mib));
        own.addresses = own.run("start", settings);
        own
    }

    /// Puts an empty folder of its data on a small disk.
    pub fn put_on_disk(&mut self, folder: &str, mib: u32) {
        self.disk = Some(Disk::mount(&self.data(folder), mib));
    }

    /// A folder of its data.
    pub fn data(&self, folder: &str) -> PathBuf {
        self.folder().join("data").join(folder)
    }

    /// Its small disk.
    pub fn disk(&self) -> Option<&Disk> {
        self.disk.as_ref()
    }

    /// Its address: `host:port`, or a URL.
    pub fn address(&self) -> &str {
        &self.addresses[0]
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&self) {
        self.run("kill", &[]);
    }

    /// Ends it in good order.
    pub fn stop(&self) {
        self.run("stop", &[]);
    }

    /// Starts it again, where it was.
    pub fn again(&self) {
        assert_eq!(self.run("start", &[]), self.addresses, "it comes back under its old address");
    }

    /// Ends it in good order, and starts it with other settings.
    pub fn restart_with(&self, settings: &[String]) {
        self.stop();
        assert_eq!(self.run("start", settings), self.addresses, "it comes back under its old address");
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        let pid = self.pid();
        let status = Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap();
        assert!(status.success(), "kill -{name} {pid}");
    }

    /// Whether it has ended by itself, as far as its number tells: one that is stopped in good order, by another world
    /// that shares it, has none.
    pub fn has_ended(&self) -> bool {
        let pid = fs::read_to_string(self.folder().join("pid"));
        pid.is_ok_and(|pid| fs::read(format!("/proc/{}/cmdline", pid.trim())).unwrap_or_default().is_empty())
    }

    fn pid(&self) -> String {
        fs::read_to_string(self.folder().join("pid")).unwrap().trim().to_owned()
    }

    fn folder(&self) -> PathBuf {
        PathBuf::from(variable("CDC_STACK_DIR")).join(format!("{}-{}", self.part.kind(), self.name))
    }

    fn run(&self, verb: &str, settings: &[String]) -> Vec<String> {
        let script = format!("CDC_STACK_{}_SCRIPT", self.part.kind().to_uppercase());
        let mut command = Command::new(variable(&script));
        command.args([verb, &self.name]).args(settings).env("JAVA_TOOL_OPTIONS", SHORT_LIVED);
        let out = command.output().unwrap();
        let text = String::from_utf8_lossy(&out.stdout);
        let ok = out.status.success();
        assert!(ok, "{verb} {}: {text}{}", self.name, String::from_utf8_lossy(&out.stderr));
        text.lines().map(str::to_owned).collect()
    }
}

fn name_of(test: &str, part: Part) -> String {
    let role = format!("{part:?}").to_lowercase();
    format!("{test}-{}-{role}", std::process::id())
}

impl Drop for Own {
    fn drop(&mut self) {
        drop(self.disk.take());
        let script = format!("CDC_STACK_{}_SCRIPT", self.part.kind().to_uppercase());
        for verb in ["kill", "drop"] {
            let _ = Command::new(variable(&script)).args([verb, &self.name]).output();
        }
    }
}
