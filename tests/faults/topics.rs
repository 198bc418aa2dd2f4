//! Reads all that a source has published, as any `read_committed` consumer would:
//! cuts in ascending order, and in each partition the events that they name, with
//! ordinals without gaps, and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cdc::avro::records::decode_cut;
use cdc::avro::{AvroRow, Plan, Registry, RegistrySettings, frame_id};
use cdc::kafka::{Admin, Events, From, Log, Settings};
use cdc_sdk::cut::CutKind;
use cdc_sdk::{CutId, Op, Row as _, Value};
use tokio::runtime::Handle;

use super::changes::{ByKey, Seen};
use super::cuts::{self, ByCut, End};
use super::fold::{Mark, RowChange};
use super::model::{SHAPES, Shape, brief};
use super::side::{self, SIDE};
use crate::kit::World;

/// How long a record that is there may take to come.
const COMES: Duration = Duration::from_secs(90);

/// How long is looked for a record that must not be there.
const SILENCE: Duration = Duration::from_millis(500);

/// A record bears the time of the broker, on this machine, whatever the clock of the source says.
const SKEW_MS: i64 = 5_000;
const AGE_MS_MAX: i64 = 3_600_000;

const BUDGET_BYTES: usize = 64 << 20;

/// What was read, beside the changes of each key.
#[derive(Debug, Default)]
pub struct Read {
    pub events: u64,
    pub by_cut: ByCut,
}

/// Reads all that was published, in whole cuts.
pub async fn read(world: &World) -> (Read, ByKey) {
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
            url: world.registry.clone(),
            ..RegistrySettings::default()
        })
        .unwrap(),
        plans: BTreeMap::new(),
        runtime: Handle::current(),
    };
    tokio::task::spawn_blocking(move || reader.read()).await.unwrap()
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

/// What the cuts say is in each partition, in order: the place among all cuts, the cut, how many events.
type Named = BTreeMap<(String, i32), Vec<(usize, CutId, u64)>>;

/// What has been read so far.
#[derive(Default)]
struct Found {
    read: Read,
    seen: ByKey,
    homes: Homes,
}

/// The partition of each key.
pub type Homes = BTreeMap<(usize, String), i32>;

/// A cut may come after the last one.
pub fn comes_after(last: Option<CutId>, id: CutId) {
    let follows = last.is_none_or(|last| id.sequence > last.sequence && id.incarnation >= last.incarnation);
    assert!(follows, "cut {id} comes after {last:?}");
}

/// An event is the one that the cuts name next.
pub fn is_next(found: (CutId, u64), expected: (CutId, u64), (topic, partition, offset): (&str, i32, i64)) {
    assert_eq!(found, expected, "{topic}/{partition} at offset {offset}: (cut, ordinal) found and expected");
}

/// All events of a key are in one partition.
pub fn lives_in(homes: &mut Homes, key: &(usize, String), partition: i32) {
    let home = *homes.entry(key.clone()).or_insert(partition);
    assert_eq!(home, partition, "{key:?} is in two partitions");
}

impl Reader {
    fn read(mut self) -> (Read, ByKey) {
        let (cuts, named) = self.cuts();
        let by_cut = ByCut { cuts, ..ByCut::default() };
        let mut found = Found { read: Read { events: 0, by_cut }, ..Found::default() };
        let mut events = Events::open(&self.settings, "checker", BUDGET_BYTES).unwrap();
        let all = self.topics.clone().into_iter();
        let all: Vec<(String, i32)> = all.flat_map(|(t, n)| (0..n).map(move |p| (t.clone(), p))).collect();
        for (topic, partition) in &all {
            events.ensure(topic, *partition, From::Earliest).unwrap();
        }
        for (topic, partition) in &all {
            let cuts = named.get(&(topic.clone(), *partition)).map_or(&[][..], Vec::as_slice);
            self.partition(&mut events, topic, *partition, cuts, &mut found);
        }
        std::thread::sleep(SILENCE);
        for (topic, partition) in &all {
            let more = events.next(topic, *partition, Duration::ZERO).unwrap();
            assert!(more.is_none(), "{topic}/{partition} holds what no cut names: {more:?}");
        }
        (found.read, found.seen)
    }

    /// Each cut once, in ascending order.
    fn cuts(&self) -> (Vec<End>, Named) {
        let mut log = Log::open(&self.settings, &self.cuts_topic).unwrap().expect("there are cuts");
        let (mut cuts, mut last, mut named) = (Vec::new(), None, Named::new());
        log.read_all(|record| {
            let cut = decode_cut(&record.value.expect("a cut has a value"))?.cut;
            comes_after(last, cut.id);
            assert_ne!(cut.kind, CutKind::Abandoned, "no transaction of the source has vanished");
            for touched in cut.touched {
                let of = named.entry((touched.topic, touched.partition)).or_default();
                of.push((cuts.len(), cut.id, touched.events));
            }
            cuts.push(End { id: cut.id, kind: cut.kind, snapshot_complete: cut.snapshot_complete });
            last = Some(cut.id);
            Ok(())
        })
        .unwrap();
        (cuts, named)
    }

    /// A partition holds what the cuts say, in their order.
    fn partition(
        &mut self,
        events: &mut Events,
        topic: &str,
        partition: i32,
        cuts: &[(usize, CutId, u64)],
        found: &mut Found,
    ) {
        let mut before = None;
        for (place, cut, of_cut) in cuts {
            for ordinal in 0..*of_cut {
                let missing = || panic!("{topic}/{partition}: {cut}/{ordinal} is missing");
                let mut next = || events.next(topic, partition, COMES).unwrap().unwrap_or_else(missing);
                // What a broker left without its marker is written again: once, right behind.
                let mut event = next();
                if event.stamp == before && before.is_some() {
                    event = next();
                }
                before = event.stamp;
                let stamp = event.stamp.expect("every event is stamped");
                is_next((stamp.cut, stamp.ordinal), (*cut, ordinal), (topic, partition, event.offset));
                let late_ms = now_ms() - event.timestamp_ms;
                assert!((-SKEW_MS..AGE_MS_MAX).contains(&late_ms), "{topic}: a record {late_ms} ms old");
                found.read.events += 1;
                let Some(value) = event.value else { continue };
                let (key, change, rows) = self.change(topic, &value);
                lives_in(&mut found.homes, &key, partition);
                let by_cut = &mut found.read.by_cut;
                by_cut.events.push(cuts::Event { cut: *place, op: change.0, change: rows });
                by_cut.places.entry(key.clone()).or_default().push(*place);
                found.seen.entry(key).or_default().push(change);
            }
        }
    }

    fn change(&mut self, topic: &str, value: &bytes::Bytes) -> ((usize, String), Seen, RowChange) {
        let id = frame_id(value).unwrap();
        let plan = self.plans.entry(id).or_insert_with(|| {
            let schema = self.runtime.block_on(self.registry.schema(id)).unwrap();
            Arc::new(Plan::parse(&schema).unwrap())
        });
        let decoded = plan.decode(value).unwrap();
        let name = topic.strip_prefix(&self.prefix).unwrap();
        let table = SHAPES.iter().position(|shape| shape.name == name).unwrap_or(SIDE);
        let shape = SHAPES.get(table).unwrap_or(&side::SHAPE);
        let line = |row: &Option<AvroRow>| row.as_ref().map(|row| text(shape, row));
        let (before, after) = (line(&decoded.before), line(&decoded.after));
        let mark = |line: &Option<String>| line.as_ref().map(|line| Mark::of(table, line));
        let rows = RowChange { table, before: mark(&before), after: mark(&after) };
        let (before, after) = (before.map(|line| brief(&line)), after.map(|line| brief(&line)));
        let letter = match decoded.op {
            Op::Create => "c",
            Op::Update => "u",
            Op::Delete => "d",
            Op::Read => "r",
            Op::Truncate => "t",
        };
        let key = after.as_ref().or(before.as_ref()).map_or_else(String::new, |line| shape.key(line));
        ((table, key), (letter, before, after), rows)
    }
}

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

fn text(shape: &Shape, row: &AvroRow) -> String {
    let mut cells = Vec::new();
    row.visit(|column, value| {
        let cell = match value {
            Value::Null => None,
            Value::Int(number) => Some(number.to_string()),
            Value::Text(text) => Some(text.to_owned()),
            other => panic!("no table has such a value: {other:?}"),
        };
        cells.push((row.table().columns[column].name.clone(), cell));
        Ok(())
    })
    .unwrap();
    shape.line(cells.into_iter())
}
