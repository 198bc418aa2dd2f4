//! The plan itself, among a server, a stream and readers that take their steps in any order: what the consumer has in
//! the end is what the table holds, and the plan never contradicts itself.
//!
//! `tests/model` looks at all orders of the algorithm's steps; here it is the code, with what a model leaves out:
//! readers that fail at any step, tables that are altered under them, so that the order of the key turns round or the key
//! is lost or comes, and a source that ends and goes on where it was stored.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Keys and the versions of their rows.
type Rows = BTreeMap<i64, u64>;

/// Rows with how often they are there: without a key the consumer cannot tell them apart.
type Bag = BTreeMap<(i64, u64), u32>;

const KEYS: i64 = 10;
const CHUNK_ROWS: u64 = 3;
/// What is left to do after the last choice is done in fewer steps than this.
const REST_MAX: usize = 2000;

/// What is in the log.
#[derive(Clone, Copy, Debug)]
enum Logged {
    /// A row's new version; `None`: it is deleted.
    Row(i64, Option<u64>),
    /// The table has another shape.
    Altered(Key),
}

/// What tells rows apart, and in which order they lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Ascending,
    Descending,
    None,
}

impl Key {
    fn prepared(self) -> Prepared {
        let mut table = orders(&[(0, self == Self::Descending)], None);
        table.name = name(TABLE);
        if self == Self::None {
            table.keys.clear();
        }
        Prepared { paging: Paging::of(&table), table: Arc::new(table), ..prepared(true) }
    }
}

/// A piece of work that a reader has begun.
#[derive(Debug)]
enum Reader {
    Prepare {
        id: ReadId,
        since: usize,
    },
    Chunk(Reading),
    /// Where its low mark was taken, once it was.
    View {
        id: ReadId,
        since: usize,
        low: Option<usize>,
    },
}

#[derive(Debug)]
struct Reading {
    id: ReadId,
    since: usize,
    prepared: Prepared,
    after: Option<KeyBound>,
    rows_max: u64,
    /// Whether the low mark was told.
    marked: bool,
    /// What was selected: rows, and whether they are the last.
    selected: Option<(Vec<(i64, u64)>, bool)>,
}

#[derive(Debug)]
struct World {
    plan: Plan,
    log: Vec<Logged>,
    /// So many transactions the engine shows.
    shown: usize,
    /// So many the stream has delivered.
    delivered: usize,
    readers: Vec<Reader>,
    /// The rows of the view that is open.
    viewed: Option<(Prepared, Vec<(i64, u64)>)>,
    /// Holds the view's channel open.
    views: Vec<tokio::sync::mpsc::Sender<Result<ViewBatch>>>,
    consumer: Bag,
    stored: TableProgress,
    failures: u32,
}

/// `Err`: the plan gave up, which it may after failures in a row.
type Step = Result<()>;

impl World {
    fn new() -> Self {
        let mut plan = Self::plan();
        plan.put(name(TABLE), TableState::Pending, 10, 0);
        let stored = plan.progress_of(&name(TABLE)).unwrap_or_else(|| unreachable!());
        let log =
            (0..KEYS).step_by(2).map(|key| Logged::Row(key, Some(key.unsigned_abs()))).collect::<Vec<_>>();
        let there = log.len();
        Self {
            plan,
            log,
            shown: there,
            delivered: there,
            readers: Vec::new(),
            viewed: None,
            views: Vec::new(),
            consumer: Bag::new(),
            stored,
            failures: 0,
        }
    }

    fn plan() -> Plan {
        Plan::new(Limits { chunk_rows: CHUNK_ROWS, readers: 2, ..limits() })
    }

    /// The source ends, and goes on where it was stored.
    fn restart(&mut self) {
        self.plan = Self::plan();
        self.plan.go_on(&self.stored, 0, 0);
        self.stored = self.plan.progress_of(&name(TABLE)).unwrap_or_else(|| unreachable!());
        self.readers.clear();
        self.viewed = None;
        self.failures = 0;
    }

    /// The table after so many transactions.
    fn table(&self, count: usize) -> Rows {
        let mut rows = Rows::new();
        for logged in &self.log[..count] {
            match logged {
                Logged::Row(key, Some(version)) => _ = rows.insert(*key, *version),
                Logged::Row(key, None) => _ = rows.remove(key),
                Logged::Altered(_) => {}
            }
        }
        rows
    }

    /// How often it was altered.
    fn shape(&self, count: usize) -> ShapeId {
        let alterations = self.log[..count].iter().filter(|logged| matches!(logged, Logged::Altered(_)));
        ShapeId(alterations.count() as u64)
    }

    /// Its key then.
    fn key(&self, count: usize) -> Key {
        let of = |logged: &Logged| if let Logged::Altered(key) = logged { Some(*key) } else { None };
        self.log[..count].iter().rev().find_map(of).unwrap_or(Key::Ascending)
    }

    fn pos(count: usize) -> u64 {
        count as u64 * 100
    }

    fn set(count: usize) -> GtidSet {
        let mut set = GtidSet::default();
        (1..=count as u64).for_each(|number| set.insert(&gtid(number)));
        set
    }

    fn step(&mut self, choice: u8) -> Step {
        match choice % 16 {
            0..=2 => self.write(choice / 16),
            3 if self.log.len().is_multiple_of(3) => {
                self.log.push(Logged::Altered(
                    [Key::Ascending, Key::Descending, Key::None][usize::from(choice / 16 % 3)],
                ));
            }
            3 if choice / 16 == 15 => self.restart(),
            4 | 5 => self.shown = (self.shown + 1).min(self.log.len()),
            6..=8 => self.deliver()?,
            9 | 10 => self.dispatch(),
            11 => self.fail(usize::from(choice / 16))?,
            _ => self.read(usize::from(choice / 16))?,
        }
        self.between()
    }

    fn write(&mut self, key: u8) {
        let key = i64::from(key) % KEYS;
        let there = self.table(self.log.len()).contains_key(&key);
        let version = self.log.len() as u64 + 100;
        let deleted = there && version.is_multiple_of(3);
        self.log.push(Logged::Row(key, (!deleted).then_some(version)));
    }

    /// The stream's next transaction. It comes before the engine shows it, or after.
    fn deliver(&mut self) -> Step {
        if self.plan.holds_stream() || self.delivered == self.log.len() {
            return Ok(());
        }
        let logged = self.log[self.delivered];
        let before = self.table(self.delivered);
        self.delivered += 1;
        let (table, by) = (name(TABLE), gtid(self.delivered as u64));
        match logged {
            Logged::Altered(_) => self.plan.altered(&table),
            Logged::Row(changed, version) => {
                self.plan.touch_view(&table, Some(&by));
                if self.plan.watches(&table, Some(&by)) {
                    self.plan.touch(&table, Some(&by), &key(changed));
                }
                let keyed = self.key(self.delivered) != Key::None;
                match self.plan.meet_rows(&prepared(keyed).table) {
                    Passing::Open => self.apply(changed, before.get(&changed).copied(), version, keyed),
                    Passing::Hidden(Some(progress)) => self.stored = progress,
                    Passing::Hidden(None) => {}
                }
            }
        }
        Ok(())
    }

    /// A row's change, as a consumer applies it: by its key, or as one of several that are equal.
    fn apply(&mut self, changed: i64, before: Option<u64>, after: Option<u64>, keyed: bool) {
        if keyed {
            self.consumer.retain(|(key, _), _| *key != changed);
        } else if let Some(before) = before {
            let count = self.consumer.get_mut(&(changed, before));
            *count.unwrap_or_else(|| unreachable!("a row goes that is not there")) -= 1;
            self.consumer.retain(|_, count| *count > 0);
        }
        if let Some(after) = after {
            *self.consumer.entry((changed, after)).or_default() += 1;
        }
    }

    /// What is due goes out.
    fn between(&mut self) -> Step {
        while let Some(chunk) = self.plan.take_ready("binlog.000001", Self::pos(self.delivered))? {
            self.take(&chunk)?;
        }
        self.plan.meet_view("binlog.000001", Self::pos(self.delivered), Instant::now())?;
        if let Some(restarts) = self.plan.take_restarts() {
            assert!(!restarts.progress.is_empty());
            self.consumer.clear();
            self.stored = restarts.progress[0].clone();
        }
        if self.plan.served().is_some() {
            let (prepared, rows) = self.viewed.take().unwrap_or_else(|| unreachable!());
            for (row, last) in rows.iter().map(|row| (Some(row), false)).chain([(None, true)]) {
                let block = versions(&prepared, row.map_or(&[], std::slice::from_ref));
                let chunk = self.plan.take_batch(ViewBatch {
                    prepared: prepared.clone(),
                    block,
                    last,
                    read_us: 1,
                })?;
                self.take(&chunk)?;
            }
            self.plan.end_view()?;
        }
        Ok(())
    }

    /// Rows that the snapshot read.
    fn take(&mut self, chunk: &Chunk) -> Step {
        let keyed = chunk.table.identity().is_some();
        for row in chunk.rows() {
            let (mut id, mut version) = (0, 0);
            cdc_sdk::Row::visit(&row, |at, value| {
                match (at, value) {
                    (0, Value::Int(number)) => id = number,
                    (1, Value::Enum(number)) => version = u64::from(number),
                    (2, _) => {}
                    other => unreachable!("{other:?}"),
                }
                Ok(())
            })?;
            self.apply(id, None, Some(version), keyed);
        }
        self.stored = chunk.progress.clone();
        Ok(())
    }

    fn dispatch(&mut self) {
        if self.readers.len() >= 2 {
            return;
        }
        let since = self.delivered;
        match self.plan.next_work(Instant::now()) {
            None => {}
            Some((id, Work::Prepare(_))) => self.readers.push(Reader::Prepare { id, since }),
            Some((id, Work::Chunk(prepared, after, rows_max, _))) => {
                let (marked, selected) = (false, None);
                self.readers.push(Reader::Chunk(Reading {
                    id,
                    since,
                    prepared,
                    after,
                    rows_max,
                    marked,
                    selected,
                }));
            }
            Some((id, Work::View(_))) => self.readers.push(Reader::View { id, since, low: None }),
        }
    }

    /// A reader's next step.
    fn read(&mut self, which: usize) -> Step {
        if self.readers.is_empty() {
            return Ok(());
        }
        let at = which % self.readers.len();
        let reader = self.readers.remove(at);
        let table = name(TABLE);
        match reader {
            Reader::Prepare { id, since } if since <= self.shown => {
                let (shape, key) = (self.shape(self.shown), self.key(self.shown));
                self.plan.prepared(&table, id, Ok(Prepared { shape, ..key.prepared() }));
            }
            Reader::View { id, since, low: None } if since <= self.shown => {
                self.readers.insert(at, Reader::View { id, since, low: Some(self.shown) });
            }
            Reader::View { id, low: Some(low), .. } => {
                let rows = self.table(self.shown).into_iter().collect();
                let (sender, batches) = tokio::sync::mpsc::channel(1);
                let high = end(Self::pos(self.log.len()));
                self.plan.view_open(id, ViewOpen { low: Some(Self::set(low)), high, batches });
                self.viewed = Some((Key::None.prepared(), rows));
                self.views.push(sender);
            }
            Reader::Chunk(mut reading) if reading.since <= self.shown => {
                if !reading.marked {
                    reading.marked = true;
                    self.plan.low_mark(&table, reading.id, Self::set(self.shown));
                } else if let Some((rows, last)) = reading.selected.take() {
                    let Prepared { table: of, paging, .. } = &reading.prepared;
                    let bound = |(id, _): &(i64, u64)| paging.as_ref().map(|p| p.bound(of, vec![int(*id)]));
                    let last_key = rows.last().and_then(bound);
                    let block = versions(&reading.prepared, &rows);
                    let high = end(Self::pos(self.log.len()));
                    self.plan.chunk_read(
                        &table,
                        reading.id,
                        ChunkRead { block, high, last_key, last, read_us: 1 },
                    );
                    self.failures = 0;
                    return Ok(());
                } else if self.key(self.shown) == Key::None {
                    return self.failed(reading.id, Kind::RowMismatch);
                } else {
                    reading.selected = Some(self.select(&reading));
                }
                self.readers.insert(at, Reader::Chunk(reading));
            }
            waiting => self.readers.insert(at, waiting),
        }
        Ok(())
    }

    fn select(&self, reading: &Reading) -> (Vec<(i64, u64)>, bool) {
        let after = reading.after.as_ref().map(|bound| match &bound.values[0] {
            OwnedValue::Plain(Value::Int(id)) => *id,
            other => unreachable!("{other:?}"),
        });
        // In the order in which the reader asks for them, whichever key the table has.
        let down = reading.prepared.table.keys[0].parts[0].descending;
        let mut rows: Vec<_> = self.table(self.shown).into_iter().collect();
        if down {
            rows.reverse();
        }
        let further = |id: i64| after.is_none_or(|after| if down { id < after } else { id > after });
        let rows: Vec<_> = rows
            .into_iter()
            .filter(|(id, _)| further(*id))
            .take(usize::try_from(reading.rows_max).unwrap_or_default())
            .collect();
        let last = (rows.len() as u64) < reading.rows_max;
        (rows, last)
    }

    /// A reader loses its connection.
    fn fail(&mut self, which: usize) -> Step {
        if self.readers.is_empty() || self.failures >= ATTEMPTS_MAX - 1 {
            return Ok(());
        }
        let id = match self.readers.remove(which % self.readers.len()) {
            Reader::Prepare { id, .. } | Reader::View { id, .. } => id,
            Reader::Chunk(reading) => reading.id,
        };
        self.failed(id, Kind::MysqlUnreachable)
    }

    fn failed(&mut self, id: ReadId, kind: Kind) -> Step {
        self.failures += 1;
        let failed = Failed { error: Error::new(kind, "failed"), too_slow: false, again: Instant::now() };
        self.plan.failed(&name(TABLE), id, failed)
    }

    /// Everybody goes on, and nothing new happens.
    fn finish(&mut self) -> Step {
        for _ in 0..REST_MAX {
            self.shown = self.log.len();
            self.deliver()?;
            self.between()?;
            self.dispatch();
            self.read(0)?;
            self.between()?;
            if self.plan.is_complete() && self.delivered == self.log.len() {
                return Ok(());
            }
        }
        unreachable!("it does not come to an end: {self:?}")
    }
}

/// Rows of a chunk with their versions.
fn versions(prepared: &Prepared, rows: &[(i64, u64)]) -> Block {
    let columns: Arc<[WireColumn]> = (0..3).map(|_| WireColumn::new(WireType::MYSQL_TYPE_LONGLONG)).collect();
    let identity = prepared.paging.as_ref().map_or(&[][..], |p| &p.columns);
    let mut block = Block::new(identity);
    for (id, version) in rows {
        let cells = vec![Cell::Int(*id), Cell::UInt(*version), Cell::Bytes(b"x".to_vec())];
        let row: Answer = mysql_common::row::new_row(cells, columns.clone());
        block.push(&prepared.reading, row).unwrap_or_else(|e| unreachable!("{e}"));
    }
    block
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn the_consumer_ends_with_what_the_table_holds(choices in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut world = World::new();
        let run = choices.iter().try_for_each(|choice| world.step(*choice)).and_then(|()| world.finish());
        match run {
            Ok(()) => {
                let there = world.table(world.log.len()).into_iter().map(|row| (row, 1)).collect::<Bag>();
                prop_assert_eq!(&world.consumer, &there);
            }
            Err(error) => prop_assert!(error.kind() != Kind::Bug, "{error}"),
        }
    }
}
