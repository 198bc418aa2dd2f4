//! A broker of its own is killed again and again, under a writer that starts over from
//! the last cut it finds, as a source does, and a reader that was reading all the while.

use std::collections::{BTreeSet, HashMap};
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use cdc::kafka::{From, Log, Settler, Stamp};
use cdc_sdk::{CutId, Error, Fate};

use super::*;

const PARTITIONS: i32 = 3;

/// The stack's script for brokers; the broker is removed with the value.
struct OwnBroker(String);

impl OwnBroker {
    fn run(&self, verb: &str) -> String {
        let script = kit::variable("CDC_STACK_KAFKA_SCRIPT");
        let output = Command::new(script).args([verb, &self.0]).output().unwrap();
        assert!(output.status.success(), "{verb}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// Kills a broker within a fraction of a millisecond: right behind a commit, before its markers are written.
struct Trap(Child);

impl Trap {
    fn set(own: &OwnBroker) -> Self {
        let pid = Path::new(&kit::variable("CDC_STACK_DIR")).join(format!("kafka-{}", own.0)).join("pid");
        let pid = std::fs::read_to_string(pid).unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", "read go && kill -KILL $0", pid.trim()]).stdin(Stdio::piped());
        Self(shell.spawn().unwrap())
    }

    fn spring(mut self) {
        self.0.stdin.take().unwrap().write_all(b"go\n").unwrap();
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for OwnBroker {
    fn drop(&mut self) {
        self.run("drop");
    }
}

/// Commits transaction after transaction: the number to each partition, then to the cuts.
fn write(settings: &Settings, stop: &AtomicBool, written: &AtomicU32) -> Result<(), Error> {
    let mut publisher = Publisher::open(settings, "writer", BUDGET_BYTES)?;
    let settler = Settler::open(settings)?;
    let unsettled = settler.settle_logs(&mut publisher, "k", &["k.cuts"])?;
    settler.settle_events(&mut publisher, &unsettled, None, &[])?;
    let mut cuts = Log::open(settings, "k.cuts")?.expect("the topic is there");
    let last = cuts.last(1)?.pop().map(|record| text(record.value).parse::<u64>().unwrap());
    let mut number = last.map_or(0, |last| last + 1);
    while !stop.load(Ordering::Relaxed) {
        let value = number.to_string();
        publisher.begin()?;
        for partition in 0..PARTITIONS {
            publisher.send("k.data", partition, None, Some(value.as_bytes()), &[], 1)?;
        }
        publisher.send("k.cuts", 0, None, Some(value.as_bytes()), &[], 1)?;
        publisher.commit()?;
        number += 1;
        written.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

fn write_on(settings: &Settings, stop: &AtomicBool, written: &AtomicU32) -> u32 {
    let mut failures = 0;
    while let Err(error) = write(settings, stop, written) {
        assert_eq!(error.fate(), Fate::Retry, "{error}");
        failures += 1;
    }
    failures
}

/// Reads cuts and, for each, its events, until told the number after the last.
fn read(settings: &Settings, until: &AtomicU32) -> Result<(), Error> {
    let mut cuts = Log::open(settings, "k.cuts")?.expect("the topic is there");
    let mut events = Events::open(settings, "reader", BUDGET_BYTES)?;
    for partition in 0..PARTITIONS {
        events.ensure("k.data", partition, From::Earliest)?;
    }
    for number in 0.. {
        let begun = Instant::now();
        let record = loop {
            if number == until.load(Ordering::Relaxed) {
                return Ok(());
            }
            if let Some(record) = cuts.next(Duration::from_millis(100))? {
                break record;
            }
            assert!(begun.elapsed() < ARRIVES, "cut {number} does not come");
        };
        assert_eq!(text(record.value), number.to_string());
        for partition in 0..PARTITIONS {
            let event = events.next("k.data", partition, ARRIVES)?.expect("a cut's events are there");
            assert_eq!(text(event.value), number.to_string(), "partition {partition} at {}", event.offset);
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_transaction_is_there_once_and_in_order() {
    let own = OwnBroker(format!("killed-{}", std::process::id()));
    let settings = Settings { bootstrap_servers: own.run("start"), patience: ARRIVES, ..Settings::default() };
    let admin = Admin::connect(&settings).unwrap();
    let spec = |name: &str, partitions| TopicSpec {
        name: name.to_owned(),
        partitions,
        replication: -1,
        config: kept_for_ever(),
    };
    admin.create_all(&[spec("k.data", PARTITIONS), spec("k.cuts", 1)]).await.unwrap();

    let (stop, until, written) = (AtomicBool::new(false), AtomicU32::new(u32::MAX), AtomicU32::new(0));
    let (failures, count) = std::thread::scope(|scope| {
        // Gives up while the broker is away, so that it must find out what it has committed.
        let hasty = Settings { patience: Duration::from_secs(2), ..settings.clone() };
        let (stopped, counted) = (&stop, &written);
        let writer = scope.spawn(move || write_on(&hasty, stopped, counted));
        let reader = scope.spawn(|| read(&settings, &until));
        for more in [50, 120, 85] {
            let target = written.load(Ordering::Relaxed) + more;
            let begun = Instant::now();
            while written.load(Ordering::Relaxed) < target {
                assert!(begun.elapsed() < 2 * ARRIVES, "the writer does not come back");
                std::thread::sleep(Duration::from_millis(1));
            }
            println!("{more} more after {:?}", begun.elapsed());
            own.run("kill");
            assert_eq!(own.run("start"), settings.bootstrap_servers);
        }
        stop.store(true, Ordering::Relaxed);
        let failures = writer.join().unwrap();
        let last = Log::open(&settings, "k.cuts").unwrap().unwrap().last(1).unwrap().pop().unwrap();
        let count = text(last.value).parse::<u32>().unwrap() + 1;
        until.store(count, Ordering::Relaxed);
        reader.join().unwrap().unwrap();
        (failures, count)
    });
    println!("{count} transactions over three kills; the writer started over {failures} times");
    assert!(count >= 50 + 120 + 85);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_without_a_broker_does_not_hold_an_end_up() {
    let own = OwnBroker(format!("gone-{}", std::process::id()));
    let settings = Settings { bootstrap_servers: own.run("start"), patience: ARRIVES, ..Settings::default() };
    let admin = Admin::connect(&settings).unwrap();
    let spec =
        TopicSpec { name: "k.data".to_owned(), partitions: 1, replication: -1, config: kept_for_ever() };
    admin.create(spec).await.unwrap();
    let mut publisher = Publisher::open(&settings, "writer", BUDGET_BYTES).unwrap();
    publish(&mut publisher, "k.data", 0, &["there"]);
    own.run("kill");
    publisher.begin().unwrap();
    send(&mut publisher, "k.data", 0, "nowhere");
    let begun = Instant::now();
    settings.lookout.end();
    let error = publisher.commit().unwrap_err();
    assert_eq!(error.fate(), Fate::Retry, "{error}");
    assert!(begun.elapsed() < ARRIVES / 4, "{:?}", begun.elapsed());
}

/// What the writers of [`what_hangs_of_a_commit_comes_with_the_next`] share.
struct Shared {
    settings: Settings,
    stop: AtomicBool,
    written: AtomicU32,
    trap: Mutex<Option<Trap>>,
    kills: AtomicU32,
}

/// Most partitions are not touched by the next transaction.
const MANY: i32 = 16;

/// After so many commits without a kill a writer ends inside a transaction that has touched all partitions, as by a
/// crash. One that ends so right behind the kill is another matter: see `settle`.
const CRASH_AFTER: u32 = 3;

const KILLS: u32 = 3;

/// After so many commits of all, or a few more, the broker is killed.
const KILL_EVERY: u32 = 97;

/// The partitions of a number.
fn partitions_of(number: u64) -> BTreeSet<i32> {
    [number, 3 * number + 1].map(|n| i32::try_from(n % u64::from(MANY.unsigned_abs())).unwrap()).into()
}

fn stamped(publisher: &mut Publisher, topic: &str, partition: i32, stamp: Stamp) -> Result<(), Error> {
    let (headers, value) = (stamp.encode(), stamp.cut.sequence.to_string());
    publisher.send(topic, partition, None, Some(value.as_bytes()), &headers.headers(), 1)
}

/// One life of a writer, which begins where the last one ended.
fn live(shared: &Shared, prefix: &str) -> Result<(), Error> {
    let [cuts, data] = ["cuts", "data"].map(|suffix| format!("{prefix}.{suffix}"));
    let mut publisher = Publisher::open(&shared.settings, prefix, BUDGET_BYTES)?;
    let settler = Settler::open(&shared.settings)?;
    let unsettled = settler.settle_logs(&mut publisher, prefix, &[&cuts])?;
    let last = Log::open(&shared.settings, &cuts)?.expect("the topic is there").last(1)?.pop();
    let last = last.map(|record| {
        let headers = record.headers.iter().map(|(name, value)| (name.as_str(), Some(value.as_slice())));
        Stamp::decode(headers).unwrap().expect("a stamp").cut
    });
    settler.settle_events(&mut publisher, &unsettled, last, &[])?;
    let mut cut = last.unwrap_or_default();
    cut.incarnation += 1;
    let (mut commits, mut kills) = (0, shared.kills.load(Ordering::SeqCst));
    while !shared.stop.load(Ordering::Relaxed) {
        let was = std::mem::replace(&mut kills, shared.kills.load(Ordering::SeqCst));
        commits = if was == kills { commits + 1 } else { 0 };
        cut.sequence += 1;
        let stamp = Stamp { cut, ordinal: 0 };
        publisher.begin()?;
        for partition in partitions_of(cut.sequence) {
            stamped(&mut publisher, &data, partition, stamp)?;
        }
        stamped(&mut publisher, &cuts, 0, stamp)?;
        publisher.commit()?;
        if shared.written.fetch_add(1, Ordering::Relaxed).is_multiple_of(KILL_EVERY) {
            let trap = shared.trap.lock().unwrap().take();
            shared.kills.fetch_add(u32::from(trap.is_some()), Ordering::SeqCst);
            trap.into_iter().for_each(Trap::spring);
        }
        if commits >= CRASH_AFTER {
            publisher.begin()?;
            (0..MANY).try_for_each(|partition| {
                let cut = CutId { sequence: cut.sequence + 1, ..cut };
                stamped(&mut publisher, &data, partition, Stamp { cut, ordinal: 0 })
            })?;
            publisher.flush()?;
            return Ok(());
        }
    }
    Ok(())
}

/// Every cut has its events. Some are there twice, one after the other.
fn check(settings: &Settings, prefix: &str) -> u64 {
    let (mut cuts, mut repeated) = (Log::open(settings, &format!("{prefix}.cuts")).unwrap().unwrap(), 0);
    let data = format!("{prefix}.data");
    let mut events = Events::open(settings, "reader", BUDGET_BYTES).unwrap();
    (0..MANY).for_each(|partition| events.ensure(&data, partition, From::Earliest).unwrap());
    let mut before = HashMap::new();
    let end = cuts.end().unwrap();
    while let Some(record) = cuts.next_until(end).unwrap() {
        let number = text(record.value).parse::<u64>().unwrap();
        for partition in partitions_of(number) {
            loop {
                let event = arrives(&mut events, &data, partition);
                let (offset, stamp) = (event.offset, event.stamp.expect("a stamp"));
                if before.insert(partition, stamp) == Some(stamp) {
                    repeated += 1;
                    continue;
                }
                assert_eq!(stamp.cut.sequence, number, "{data}/{partition} at offset {offset}");
                break;
            }
        }
    }
    repeated
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hangs_of_a_commit_comes_with_the_next() {
    let own = OwnBroker(format!("hangs-{}", std::process::id()));
    let settings = Settings { bootstrap_servers: own.run("start"), patience: ARRIVES, ..Settings::default() };
    let prefixes = ["a", "b", "c", "d"];
    let admin = Admin::connect(&settings).unwrap();
    let spec = |name, partitions| TopicSpec { name, partitions, replication: -1, config: kept_for_ever() };
    let specs: Vec<TopicSpec> = prefixes
        .iter()
        .flat_map(|p| [spec(format!("{p}.data"), MANY), spec(format!("{p}.cuts"), 1)])
        .collect();
    admin.create_all(&specs).await.unwrap();
    let shared = Shared {
        settings,
        stop: AtomicBool::new(false),
        written: AtomicU32::new(0),
        trap: Mutex::default(),
        kills: AtomicU32::new(0),
    };
    std::thread::scope(|scope| {
        for prefix in prefixes {
            let shared = &shared;
            scope.spawn(move || {
                while !shared.stop.load(Ordering::Relaxed) {
                    live(shared, prefix).unwrap_or_else(|e| assert_eq!(e.fate(), Fate::Retry, "{e}"));
                }
            });
        }
        for _ in 0..KILLS {
            *shared.trap.lock().unwrap() = Some(Trap::set(&own));
            let begun = Instant::now();
            while shared.trap.lock().unwrap().is_some() && begun.elapsed() < ARRIVES {
                std::thread::sleep(Duration::from_millis(1));
            }
            own.run("kill");
            own.run("start");
        }
        shared.stop.store(true, Ordering::Relaxed);
    });
    // What hangs at the end is settled by whoever comes next.
    shared.stop.store(false, Ordering::Relaxed);
    let repeated: u64 = prefixes
        .iter()
        .map(|prefix| {
            live(&shared, prefix).unwrap();
            check(&shared.settings, prefix)
        })
        .sum();
    println!(
        "{} transactions over {KILLS} kills, {repeated} records twice",
        shared.written.load(Ordering::Relaxed)
    );
}
