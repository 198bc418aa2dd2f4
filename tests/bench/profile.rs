//! Where the processor time of a source and of a sink goes: `perf` looks at each while it works through the backlog,
//! and inferno draws what it saw as flame graphs (`make profile` installs it).

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::data::Data;
use super::job::Lane;
use super::report;
use crate::kit::Process;

/// Looks a second.
const FREQUENCY: &str = "499";

/// How long it may take until it looks.
const ATTACHES: Duration = Duration::from_millis(100);

/// How often it is begun.
const ATTEMPTS: u32 = 5;

/// Profiles one run of each.
pub async fn measure(data: &mut Data, rows: u64) {
    let lane = Lane::begun(data, "profile").await;
    data.make_backlog().await;
    profiled(lane.start_source(), "source", rows);
    profiled(lane.start_sink(), "sink", rows);
    lane.end(data, "b").await;
}

fn profiled(process: Process, role: &str, rows: u64) {
    let perf = Perf::of(&process, role);
    let run = Lane::timed(process, rows);
    perf.draw(role);
    println!("{role}: {:.1} CPU s, {:.1} s", run.cpu_seconds.unwrap_or_default(), run.seconds);
}

/// `perf` at work.
struct Perf {
    child: Child,
    file: String,
}

impl Perf {
    fn of(process: &Process, role: &str) -> Self {
        let file = std::env::temp_dir().join(format!("cdc-{}-{role}.perf", std::process::id()));
        let file = file.to_str().unwrap().to_owned();
        let process = process.id().to_string();
        let all = ["record", "-q", "-F", FREQUENCY, "--call-graph", "dwarf", "-o", &file, "-p", &process];
        for _ in 0..ATTEMPTS {
            let child = Command::new("perf").args(all).stderr(Stdio::null()).spawn();
            let mut child = child.expect("perf (Debian: linux-perf)");
            // A thread that ends while it is being attached to ends perf.
            std::thread::sleep(ATTACHES);
            if child.try_wait().unwrap().is_none() {
                return Self { child, file };
            }
        }
        panic!("perf cannot look at the {role}: see kernel.perf_event_paranoid");
    }

    /// It ends with what it looks at.
    fn draw(mut self, role: &str) {
        assert!(self.child.wait().unwrap().success(), "perf could not look at the {role}");
        let svg = report::results().join(format!("profile-{role}.svg"));
        let pipe = format!(
            "perf script -i '{}' 2>/dev/null | inferno-collapse-perf -q \
             | inferno-flamegraph --title 'cdc {role}, a backlog' --minwidth 0.3 >'{}'",
            self.file,
            svg.display()
        );
        let status = Command::new("bash").args(["-o", "pipefail", "-c", &pipe]).status().unwrap();
        assert!(status.success(), "the flame graph: make profile installs what it takes");
        let _ = std::fs::remove_file(&self.file);
    }
}
