//! A small disk of its own for a part of a server, which can be filled to the last byte
//! and emptied again: a file system in memory, for which the test must be allowed to
//! mount one.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What fills it.
const FILLER: &str = "filler";

/// The capability to mount, by its number in Linux.
const CAP_SYS_ADMIN: u32 = 21;

/// A mounted disk, gone when dropped.
pub struct Disk {
    at: PathBuf,
}

impl Disk {
    /// A disk of so many MiB in place of a folder, which is made where it is not there.
    pub fn mount(at: &Path, mib: u32) -> Self {
        fs::create_dir_all(at).unwrap();
        let size = format!("size={mib}m");
        let out = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).output().unwrap();
        assert!(out.status.success(), "mount at {}: {}", at.display(), String::from_utf8_lossy(&out.stderr));
        Self { at: at.to_owned() }
    }

    /// Leaves no byte free.
    pub fn fill(&self) {
        let mut filler = File::create(self.at.join(FILLER)).unwrap();
        for size in [1 << 16, 1 << 12, 1] {
            let block = vec![0; size];
            while filler.write_all(&block).is_ok() {}
        }
    }

    /// Makes room again.
    pub fn free(&self) {
        fs::remove_file(self.at.join(FILLER)).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: its server may still be there.
        let _ = Command::new("umount").arg("-l").arg(&self.at).output();
    }
}

/// Whether this process may mount one. If not, it says so: a test is left out then.
pub fn can_be_had() -> bool {
    let may = may_mount();
    if !may {
        eprintln!(
            "\n*** SKIPPED: a full disk needs the right to mount a tmpfs. Run this test as root. ***\n"
        );
    }
    may
}

fn may_mount() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let capabilities = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let capabilities = capabilities.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    capabilities.is_some_and(|held| held & (1 << CAP_SYS_ADMIN) != 0)
}
