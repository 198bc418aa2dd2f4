//! How much memory the process uses, from Linux's `/proc/self/status`
//! (proc_pid_status(5)). Other systems have no such file: then nothing is shown
//! rather than something guessed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Memory of this process, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Now (`VmRSS`).
    pub resident_bytes: u64,
    /// The most so far (`VmHWM`).
    pub peak_bytes: u64,
}

impl Memory {
    /// As the system sees it now; `None` where it does not tell.
    pub fn now() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/self/status").ok()?)
    }

    fn parse(status: &str) -> Option<Self> {
        let field = |name: &str| {
            let line = status.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'))?;
            let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
            kib.checked_mul(1024)
        };
        Some(Self { resident_bytes: field("VmRSS")?, peak_bytes: field("VmHWM")? })
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MIB: u64 = 1024 * 1024;
        write!(f, "{} MiB, at most {} MiB", self.resident_bytes / MIB, self.peak_bytes / MIB)
    }
}

#[cfg(test)]
mod tests;
