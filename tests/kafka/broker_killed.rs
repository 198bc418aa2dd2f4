//! A broker of its own is killed again and again, under a writer that starts over from
//! the last cut it finds, as a source does, and a reader that was reading all the while.

use std::process::Command;
use std::sync::atomic::AtomicBool;

use cdc::kafka::{From, Log, Settler};
use cdc_sdk::{Error, Fate};

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

impl Drop for OwnBroker {
    fn drop(&mut self) {
        self.run("drop");
    }
}

/// Commits transaction after transaction: the number to each partition, then to the cuts.
fn write(settings: &Settings, stop: &AtomicBool, written: &AtomicU32) -> Result<(), Error> {
    let mut publisher = Publisher::open(settings, "writer", BUDGET_BYTES)?;
    Settler::open(settings)?.settle(&mut publisher, "k", &["k.cuts"])?;
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
