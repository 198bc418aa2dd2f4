//! A wall clock that jumps, for one process at a time: a library of a few lines, made by
//! the C compiler that the build needs anyway, and preloaded.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::kit::World;

/// By how many seconds it is wrong, one after the other: brokers accept an hour ahead, and keep records for days.
const AHEAD_S: [i64; 6] = [7200, -7200, 10 * 86_400, -2, 0, 2];

/// The clock of one process.
pub struct Clock {
    file: PathBuf,
    jumps: AtomicUsize,
}

impl Clock {
    /// A clock that is right.
    pub fn right(world: &World, name: &str) -> Self {
        let file = world.file(&format!("{name}.clock")).into();
        let clock = Self { file, jumps: AtomicUsize::new(0) };
        clock.set(0);
        clock
    }

    /// It jumps to another time.
    pub fn jump(&self) {
        let jumps = self.jumps.fetch_add(1, Ordering::Relaxed);
        self.set(AHEAD_S[jumps % AHEAD_S.len()]);
    }

    fn set(&self, ahead_s: i64) {
        // The process has the file mapped, so its bytes are written over.
        let mut file =
            fs::OpenOptions::new().create(true).truncate(false).write(true).open(&self.file).unwrap();
        std::io::Write::write_all(&mut file, &(ahead_s * 1_000_000_000).to_ne_bytes()).unwrap();
    }

    /// What a process needs in its environment to go by this clock.
    pub fn environment(&self) -> [(&'static str, String); 2] {
        let library = library().display().to_string();
        [("LD_PRELOAD", library), ("CDC_TEST_CLOCK", self.file.display().to_string())]
    }
}

/// Made once for each run of the tests.
fn library() -> &'static PathBuf {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let name = format!("clock-{}.so", std::process::id());
        let made = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/clock.c");
        let out = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .arg(&made)
            .args([source, "-ldl"])
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        made
    })
}
