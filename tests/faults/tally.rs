//! The figures of all long runs together, in `bench/results/faults.json`: each run adds its own.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::{Value as Json, json};

/// The form of the file.
const VERSION: u64 = 1;

/// One run.
pub struct Run<'r> {
    pub length: Duration,
    /// Rounds that failed; what they did is not in the counts.
    pub failed: u64,
    pub counts: &'r Json,
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/results/faults.json")
}

/// Adds a run to the file.
pub fn add(run: &Run<'_>) {
    let path = path();
    let before = fs::read_to_string(&path).ok().map(|text| serde_json::from_str(&text).unwrap());
    let all = with(before, run, &commit());
    fs::write(&path, format!("{all:#}\n")).unwrap();
    println!("added to {}", path.display());
}

/// How many faults of each kind there were in all runs before.
pub fn by_kind() -> BTreeMap<String, u64> {
    let text = fs::read_to_string(path()).unwrap_or_default();
    let all: Json = serde_json::from_str(&text).unwrap_or_default();
    serde_json::from_value(all["total"]["faults_by_kind"].clone()).unwrap_or_default()
}

/// What the file says then.
fn with(before: Option<Json>, run: &Run<'_>, commit: &str) -> Json {
    let mut all =
        before.unwrap_or_else(|| json!({ "version": VERSION, "runs": [], "total": { "rounds_failed": 0 } }));
    assert_eq!(all["version"], VERSION, "bench/results/faults.json is of another version: move it away");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let mut counts = run.counts.clone();
    counts["rounds_failed"] = run.failed.into();
    all["runs"].as_array_mut().unwrap().push(json!({
        "ended_unix_seconds": now.as_secs(),
        "commit": commit,
        "wall_seconds": run.length.as_secs(),
        "rounds": counts["rounds"],
        "rounds_failed": run.failed,
        "faults": counts["faults"],
    }));
    counts["wall_seconds"] = run.length.as_secs().into();
    sum(&mut all["total"], &counts);
    all
}

/// Adds numbers to those of the same name.
fn sum(all: &mut Json, more: &Json) {
    match more {
        Json::Object(fields) => {
            if all.is_null() {
                *all = json!({});
            }
            fields.iter().for_each(|(name, value)| sum(&mut all[name], value));
        }
        _ => *all = (all.as_u64().unwrap_or_default() + more.as_u64().unwrap()).into(),
    }
}

fn commit() -> String {
    let out = Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    let out = out.ok().filter(|out| out.status.success());
    out.map_or_else(|| "unknown".to_owned(), |out| String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

#[test]
fn runs_add_up() {
    let of =
        |faults: u64, cut: u64| json!({ "rounds": 2, "faults": faults, "faults_by_kind": { "cut": cut } });
    let add = |before, counts: &Json| {
        with(before, &Run { length: Duration::from_secs(60), failed: 1, counts }, "a")
    };
    let both = add(Some(add(None, &of(5, 3))), &of(7, 4));
    let total = json!({
        "rounds": 4, "rounds_failed": 2, "faults": 12, "faults_by_kind": { "cut": 7 }, "wall_seconds": 120,
    });
    assert_eq!(both["total"], total, "{both}");
    assert_eq!((both["runs"].as_array().unwrap().len(), &both["runs"][1]["faults"]), (2, &json!(7)));
}
