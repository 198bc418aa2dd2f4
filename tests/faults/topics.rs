//! Reads all that a source has published, as any `read_committed` consumer would,
//! and compares it with what the workload did: each row change once, in order per
//! key, in whole cuts whose ordinals have no gaps.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cdc::avro::records::decode_cut;
use cdc::avro::{AvroRow, Plan, Registry, RegistrySettings, frame_id};
use cdc::kafka::{Admin, Events, From, Log, Settings};
use cdc_sdk::cut::CutKind;
use cdc_sdk::{CutId, Op, Row as _, Value};
use tokio::runtime::Handle;

use super::model::{Change, History, SHAPES, Shape, line};
use crate::kit::{World, variable};

/// How long a record that is there may take to come.
const COMES: Duration = Duration::from_secs(90);

/// How long is looked for a record that must not be there.
const SILENCE: Duration = Duration::from_millis(500);

const BUDGET_BYTES: usize = 64 << 20;

/// How much was read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Read {
    pub cuts: u64,
    pub events: u64,
}

/// What one change looks like on the wire: the operation's letter, the row before, the row after.
type Seen = (&'static str, Option<String>, Option<String>);

/// All changes of one key, or of a table without one, in order.
type ByKey = BTreeMap<(usize, String), Vec<Seen>>;

/// Compares all that was published with the history up to a transaction.
pub async fn check(world: &World, history: &History, number: u64) -> Read {
    let settings =
        Settings { bootstrap_servers: world.kafka.clone(), patience: COMES, ..Settings::default() };
    let admin = Admin::connect(&settings).unwrap();
    let prefix = format!("{0}.{0}.", world.name);
    let topics = admin.topics_with_prefix(&prefix).await.unwrap();
    let reader = Reader {
        settings,
        cuts_topic: format!("{}.cuts", world.name),
        prefix,
        topics,
        registry: Registry::new(RegistrySettings {
            url: variable("CDC_TEST_REGISTRY"),
            ..RegistrySettings::default()
        })
        .unwrap(),
        plans: BTreeMap::new(),
        runtime: Handle::current(),
    };
    let (read, seen) = tokio::task::spawn_blocking(move || reader.read()).await.unwrap();
    compare(&seen, &expected(history, number));
    read
}

struct Reader {
    settings: Settings,
    cuts_topic: String,
    prefix: String,
    topics: BTreeMap<String, i32>,
    registry: Registry,
    plans: BTreeMap<u32, Arc<Plan>>,
    runtime: Handle,
}

/// What the cuts say is in each partition, in order.
type Named = BTreeMap<(String, i32), Vec<(CutId, u64)>>;

impl Reader {
    fn read(mut self) -> (Read, ByKey) {
        let (cuts, named) = self.cuts();
        let mut read = Read { cuts, events: 0 };
        let (mut seen, mut homes) = (ByKey::new(), BTreeMap::new());
        let mut events = Events::open(&self.settings, "checker", BUDGET_BYTES).unwrap();
        for (topic, partitions) in self.topics.clone() {
            for partition in 0..partitions {
                let cuts = named.get(&(topic.clone(), partition)).map_or(&[][..], Vec::as_slice);
                events.ensure(&topic, partition, From::Earliest).unwrap();
                read.events += self.partition(&mut events, &topic, partition, cuts, &mut seen, &mut homes);
                events.release(&topic, partition).unwrap();
            }
        }
        (read, seen)
    }

    /// Each cut once, in ascending order.
    fn cuts(&self) -> (u64, Named) {
        let mut log = Log::open(&self.settings, &self.cuts_topic).unwrap().expect("there are cuts");
        let (mut count, mut last, mut named) = (0, None, Named::new());
        log.read_all(|record| {
            let cut = decode_cut(&record.value.expect("a cut has a value"))?.cut;
            let follows = last.is_none_or(|last: CutId| {
                cut.id.sequence > last.sequence && cut.id.incarnation >= last.incarnation
            });
            assert!(follows, "cut {} comes after {last:?}", cut.id);
            assert_ne!(cut.kind, CutKind::Abandoned, "no transaction of the source has vanished");
            for touched in cut.touched {
                let of = named.entry((touched.topic, touched.partition)).or_default();
                of.push((cut.id, touched.events));
            }
            (count, last) = (count + 1, Some(cut.id));
            Ok(())
        })
        .unwrap();
        (count, named)
    }

    /// A partition holds what the cuts say, in their order, and nothing else.
    fn partition(
        &mut self,
        events: &mut Events,
        topic: &str,
        partition: i32,
        cuts: &[(CutId, u64)],
        seen: &mut ByKey,
        homes: &mut BTreeMap<(usize, String), i32>,
    ) -> u64 {
        let mut count = 0;
        for (cut, of_cut) in cuts {
            for ordinal in 0..*of_cut {
                let event = events.next(topic, partition, COMES).unwrap();
                let event =
                    event.unwrap_or_else(|| panic!("{topic}/{partition}: {cut}/{ordinal} is missing"));
                let stamp = event.stamp.expect("every event is stamped");
                assert_eq!(
                    (stamp.cut, stamp.ordinal),
                    (*cut, ordinal),
                    "{topic}/{partition} at offset {}: (cut, ordinal) found and expected",
                    event.offset
                );
                count += 1;
                let Some(value) = event.value else { continue };
                let (key, change) = self.change(topic, &value);
                let home = *homes.entry(key.clone()).or_insert(partition);
                assert_eq!(home, partition, "{topic}: {key:?} is in two partitions");
                seen.entry(key).or_default().push(change);
            }
        }
        let more = events.next(topic, partition, SILENCE).unwrap();
        assert!(more.is_none(), "{topic}/{partition} holds what no cut names: {more:?}");
        count
    }

    fn change(&mut self, topic: &str, value: &bytes::Bytes) -> ((usize, String), Seen) {
        let id = frame_id(value).unwrap();
        let plan = self.plans.entry(id).or_insert_with(|| {
            let schema = self.runtime.block_on(self.registry.schema(id)).unwrap();
            Arc::new(Plan::parse(&schema).unwrap())
        });
        let decoded = plan.decode(value).unwrap();
        let name = topic.strip_prefix(&self.prefix).unwrap();
        let table = SHAPES.iter().position(|shape| shape.name == name).unwrap();
        let text = |row: &Option<AvroRow>| row.as_ref().map(text);
        let (before, after) = (text(&decoded.before), text(&decoded.after));
        let letter = match decoded.op {
            Op::Create => "c",
            Op::Update => "u",
            Op::Delete => "d",
            Op::Read => "r",
            Op::Truncate => "t",
        };
        let key = key(&SHAPES[table], after.as_ref().or(before.as_ref()).unwrap());
        ((table, key), (letter, before, after))
    }
}

fn text(row: &AvroRow) -> String {
    let mut cells = Vec::new();
    row.visit(|_, value| {
        cells.push(match value {
            Value::Null => None,
            Value::Int(number) => Some(number.to_string()),
            Value::Text(text) => Some(text.to_owned()),
            other => panic!("no table has such a value: {other:?}"),
        });
        Ok(())
    })
    .unwrap();
    line(cells.into_iter())
}

fn key(shape: &Shape, line: &str) -> String {
    if shape.keyed { line.split('|').next().unwrap().to_owned() } else { String::new() }
}

/// What should be there: the rows of the snapshot, then every change.
fn expected(history: &History, number: u64) -> ByKey {
    let (initial, journal) = history.up_to(number);
    let mut all = ByKey::new();
    for (table, shape) in SHAPES.iter().enumerate() {
        for line in initial.lines(table) {
            all.entry((table, key(shape, &line))).or_default().push(("r", None, Some(line)));
        }
    }
    for Change { table, before, after } in journal.iter().flatten() {
        let shape = &SHAPES[*table];
        let of = |row: &Option<_>| row.as_ref().map(|row| shape.text(row));
        let (before, after) = (of(before), of(after));
        let keys = (before.as_ref().map(|l| key(shape, l)), after.as_ref().map(|l| key(shape, l)));
        let mut put = |key: String, seen: Seen| all.entry((*table, key)).or_default().push(seen);
        match keys {
            (Some(old), Some(new)) if old == new => put(new, ("u", before, after)),
            (old, new) => {
                if let Some(old) = old {
                    put(old, ("d", before, None));
                }
                if let Some(new) = new {
                    put(new, ("c", None, after));
                }
            }
        }
    }
    all
}

fn compare(seen: &ByKey, expected: &ByKey) {
    for (place, wanted) in expected {
        let mut found = seen.get(place).cloned().unwrap_or_default();
        let name = SHAPES[place.0].name;
        // A snapshot has no order of rows.
        let read = found.iter().take_while(|(op, ..)| *op == "r").count();
        found[..read].sort();
        let first =
            found.iter().zip(wanted).position(|(a, b)| a != b).unwrap_or(found.len().min(wanted.len()));
        assert!(
            found == *wanted,
            "{name} key '{}': {} changes in Kafka, {} made; from number {first} on: {:?} and {:?}",
            place.1,
            found.len(),
            wanted.len(),
            found.get(first..).map(|rest| &rest[..rest.len().min(3)]),
            wanted.get(first..).map(|rest| &rest[..rest.len().min(3)])
        );
    }
    let unknown: Vec<_> = seen.keys().filter(|place| !expected.contains_key(*place)).collect();
    assert!(unknown.is_empty(), "keys that no transaction wrote: {unknown:?}");
}
