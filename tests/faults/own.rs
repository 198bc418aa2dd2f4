//! Servers of a test's own, which it may kill, stop and start again.

use std::fs;
use std::process::Command;

use crate::kit::variable;

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
    part: Part,
    name: String,
    /// What the script said: its address, and on request a second one.
    pub addresses: Vec<String>,
}

impl Own {
    /// Starts one with more settings.
    pub fn start(test: &str, part: Part, settings: &[String]) -> Self {
        let role = format!("{part:?}").to_lowercase();
        let name = format!("{test}-{}-{role}", std::process::id());
        let mut own = Self { part, name, addresses: Vec::new() };
        own.addresses = own.run("start", settings);
        own
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

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        let folder = variable("CDC_STACK_DIR");
        let pid = fs::read_to_string(format!("{folder}/{}-{}/pid", self.part.kind(), self.name)).unwrap();
        let status = Command::new("kill").args([&format!("-{name}"), pid.trim()]).status().unwrap();
        assert!(status.success(), "kill -{name} {pid}");
    }

    fn run(&self, verb: &str, settings: &[String]) -> Vec<String> {
        let script = format!("CDC_STACK_{}_SCRIPT", self.part.kind().to_uppercase());
        let out = Command::new(variable(&script)).args([verb, &self.name]).args(settings).output().unwrap();
        let text = String::from_utf8_lossy(&out.stdout);
        let ok = out.status.success();
        assert!(ok, "{verb} {}: {text}{}", self.name, String::from_utf8_lossy(&out.stderr));
        text.lines().map(str::to_owned).collect()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let script = format!("CDC_STACK_{}_SCRIPT", self.part.kind().to_uppercase());
        for verb in ["kill", "drop"] {
            let _ = Command::new(variable(&script)).args([verb, &self.name]).output();
        }
    }
}
