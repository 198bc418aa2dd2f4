//! Reads what the destination's own log says that was committed there, one transaction after the
//! other, and misses none, however short it stood. From the end of the snapshot on each leaves what the
//! source held after some transaction; rows and ledger move together, and neither goes back.
//!
//! Where several sinks share the topics (`consistency = "key"`) each row only goes forward, and the
//! partitions of the tables that a transaction writes move with it.
//!
//! The log is read by the client library, not by `cdc`'s own reader.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use cdc_sdk::CutId;
use futures_util::StreamExt;
use mysql_async::binlog::EventType;
use mysql_async::binlog::events::{Event, EventData, RowsEventData, TableMapEvent};
use mysql_async::binlog::row::BinlogRow;
use mysql_async::binlog::value::BinlogValue;
use mysql_async::prelude::Queryable;
use mysql_async::{BinlogStream, BinlogStreamRequest, Row, Value};

use super::fold::{Held, Mark, RowChange, Stand, shape, table};
use super::model::History;
use super::scene::{Scene, refused};
use super::side::Side;
use crate::kit::World;

/// The ledger's database.
const LEDGER: &str = "cdc";

/// Statements that leave rows as they are.
const HARMLESS: [&str; 4] = ["CREATE DATABASE ", "CREATE TABLE ", "ALTER TABLE ", "DROP TEMPORARY TABLE "];

/// A place in the destination's log.
#[derive(Clone, Debug)]
pub struct Place {
    file: String,
    position: u64,
}

impl Place {
    /// Where the log ends. It is to hold rows whole.
    pub async fn end(world: &World) -> Self {
        let mut conn = world.dest_conn().await;
        let sql = "SELECT @@log_bin, @@binlog_format, @@binlog_row_image, @@binlog_row_metadata";
        let found: (u8, String, String, String) = conn.query_first(sql).await.unwrap().unwrap();
        let wanted = (1, "ROW".to_owned(), "FULL".to_owned(), "FULL".to_owned());
        assert_eq!(found, wanted, "{sql}: the destination's log does not tell what is checked");
        let row: Row = conn.query_first("SHOW BINARY LOG STATUS").await.unwrap().unwrap();
        Self { file: row.get(0).unwrap(), position: row.get(1).unwrap() }
    }

    /// The log from here to its end.
    async fn read(&self, world: &World) -> BinlogStream {
        // Of two readers with one number the server ends the first.
        let number = crc32fast::hash(world.name.as_bytes()) | 1 << 31;
        let request = BinlogStreamRequest::new(number)
            .with_non_blocking()
            .with_filename(self.file.as_bytes())
            .with_pos(self.position);
        world.dest_conn().await.get_binlog_stream(request).await.unwrap()
    }
}

/// What is known of the source, to compare with.
pub struct Model<'m> {
    pub history: &'m History,
    pub side: &'m Side,
    /// The first cut by which all tables are whole.
    pub from: CutId,
    pub by_key: bool,
    /// Whether tables were emptied and read once more.
    pub again: bool,
}

/// Reads and compares all that was committed since then; returns how many transactions.
pub async fn compare(world: &World, since: &Place, model: Model<'_>) -> u64 {
    let mut stream = since.read(world).await;
    let mut fold = Fold::new(&world.name, model, since);
    while let Some(event) = stream.next().await {
        let event = event.unwrap_or_else(|error| panic!("the destination's log, {}: {error}", fold.place));
        fold.place.position = event.header().log_pos().into();
        match event.header().event_type() {
            Ok(EventType::WRITE_ROWS_EVENT | EventType::UPDATE_ROWS_EVENT | EventType::DELETE_ROWS_EVENT) => {
                let EventData::RowsEvent(rows) = data(&event) else { unreachable!("they are rows") };
                let table = stream.get_tme(rows.table_id()).expect("rows come after what names their table");
                fold.rows(table, &rows);
            }
            Ok(EventType::GTID_EVENT | EventType::GTID_TAGGED_LOG_EVENT) => fold.begin(),
            Ok(EventType::XID_EVENT) => fold.commit(),
            Ok(EventType::QUERY_EVENT) => {
                let EventData::QueryEvent(query) = data(&event) else { unreachable!("it is a statement") };
                fold.statement(&query.query());
            }
            Ok(EventType::ROTATE_EVENT) => {
                let EventData::RotateEvent(rotate) = data(&event) else { unreachable!("it names a file") };
                fold.place.file = rotate.name().into_owned();
            }
            // Those of other tests may be of any kind.
            _ => {}
        }
    }
    fold.checked
}

fn data(event: &Event) -> EventData<'_> {
    event.read_data().unwrap().expect("the library knows this kind")
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the destination's {} before {}", self.file, self.position)
    }
}

/// What the row of the ledger says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ledger {
    epoch: u64,
    cut: CutId,
    complete: bool,
}

/// The same of one partition: epoch and offset.
type Partitions = BTreeMap<(String, i64), (u64, i64)>;

/// What the transactions up to a place have left.
struct Fold<'m> {
    world: &'m str,
    model: Model<'m>,
    place: Place,
    held: Held,
    ledger: Ledger,
    last: Stand,
    partitions: Partitions,
    /// By table and key, the transaction that wrote the row last, be it that the row has gone.
    versions: HashMap<(usize, i64), u64>,
    open: Open,
    checked: u64,
}

/// What the transaction under way has brought so far.
#[derive(Default)]
struct Open {
    rows: Vec<RowChange>,
    ledger: Option<Ledger>,
    partitions: Partitions,
}

impl<'m> Fold<'m> {
    fn new(world: &'m str, model: Model<'m>, since: &Place) -> Self {
        Self {
            world,
            model,
            place: since.clone(),
            held: Held::default(),
            ledger: Ledger::default(),
            last: Stand::default(),
            partitions: Partitions::new(),
            versions: HashMap::new(),
            open: Open::default(),
            checked: 0,
        }
    }

    /// What was not committed before, never is: a server that died has taken it out.
    fn begin(&mut self) {
        self.open = Open::default();
    }

    fn rows(&mut self, of: &TableMapEvent<'_>, rows: &RowsEventData<'_>) {
        let (database, name) = (of.database_name(), of.table_name());
        if database != self.world && database != LEDGER {
            return;
        }
        for row in rows.rows(of) {
            let (before, after) = row.unwrap_or_else(|error| panic!("{}: {error}", self.place));
            match (&*database, &*name) {
                (LEDGER, "ledger") => {
                    self.open.ledger = after.and_then(|r| self.ledger(&r)).or(self.open.ledger)
                }
                (LEDGER, "ledger_partitions") => {
                    self.open.partitions.extend(after.and_then(|r| self.partition(&r)))
                }
                (LEDGER, _) => {}
                _ => {
                    let table = table(&name).unwrap_or_else(|| panic!("{}: rows of {name}", self.place));
                    let mark = |row: Option<BinlogRow>| row.map(|row| Mark::of(table, &line(table, &row)));
                    self.open.rows.push(RowChange { table, before: mark(before), after: mark(after) });
                }
            }
        }
    }

    fn ledger(&self, row: &BinlogRow) -> Option<Ledger> {
        if text(row, "name")? != self.world {
            return None;
        }
        let of = |column| number(row, column).unwrap_or_default().unsigned_abs();
        let cut = CutId { incarnation: of("incarnation"), sequence: of("sequence") };
        Some(Ledger { epoch: of("epoch"), cut, complete: of("snapshot_complete") == 1 })
    }

    fn partition(&self, row: &BinlogRow) -> Option<((String, i64), (u64, i64))> {
        if text(row, "name")? != self.world {
            return None;
        }
        let of = |column| number(row, column).unwrap_or_default();
        Some(((text(row, "topic")?, of("partition_number")), (of("epoch").unsigned_abs(), of("next_offset"))))
    }

    fn statement(&mut self, sql: &str) {
        if sql == "COMMIT" {
            return self.commit();
        }
        let own = format!("`{}`", self.world);
        if !sql.contains(&own) || HARMLESS.iter().any(|harmless| sql.starts_with(harmless)) {
            return;
        }
        let name =
            sql.strip_prefix(&format!("TRUNCATE TABLE {own}.`")).and_then(|rest| rest.strip_suffix('`'));
        let name = name.unwrap_or_else(|| panic!("{}: what does this do to rows? {sql}", self.place));
        self.held.empty(table(name).unwrap_or_else(|| panic!("{}: {sql}", self.place)));
        // It commits by itself, before the ledger: if the sink died there, it would be done once more.
        self.check();
    }

    fn commit(&mut self) {
        let open = std::mem::take(&mut self.open);
        if open.rows.is_empty() && open.ledger.is_none() && open.partitions.is_empty() {
            return;
        }
        if self.model.by_key {
            self.row_by_row(&open);
        } else {
            self.ledger_moves(&open);
        }
        open.rows.iter().for_each(|change| self.held.apply(change));
        self.check();
    }

    /// With rows its cut does, in the same transaction; without, it may stay, but does not go back.
    fn ledger_moves(&mut self, open: &Open) {
        let (last, place) = (self.ledger, &self.place);
        let now = open.ledger.unwrap_or(last);
        assert!(
            open.rows.is_empty() || now.cut > last.cut,
            "{place}: {} rows were committed while the ledger stayed at cut {}",
            open.rows.len(),
            last.cut
        );
        assert!(now.cut >= last.cut, "{place}: the ledger went back from cut {} to {}", last.cut, now.cut);
        assert!(now.epoch >= last.epoch, "{place}: the ledger went back from epoch {last:?} to {now:?}");
        self.ledger = now;
    }

    /// No row goes back, no partition does, and with rows of a table some partition of its topic goes forward.
    fn row_by_row(&mut self, open: &Open) {
        let place = &self.place;
        let mut moved = BTreeSet::new();
        for (partition, now) in &open.partitions {
            let last = self.partitions.insert(partition.clone(), *now).unwrap_or_default();
            // What a table is emptied by sets all its partitions: what had come after that comes once more.
            if self.model.again && now.0 > last.0 && now.1 != last.1 {
                let name = partition.0.rsplit('.').next().and_then(table);
                self.versions.retain(|(table, _), _| Some(*table) != name);
                moved.insert(&partition.0);
                continue;
            }
            assert!(
                now.0 >= last.0 && now.1 >= last.1,
                "{place}: {partition:?} went back, epoch and offset, from {last:?} to {now:?}"
            );
            if now.1 > last.1 {
                moved.insert(&partition.0);
            }
        }
        for change in &open.rows {
            let topic = format!("{0}.{0}.{1}", self.world, shape(change.table).name);
            assert!(
                moved.contains(&topic),
                "{place}: rows were committed, and no partition of {topic} moved"
            );
            let Some((key, after)) = change.after.and_then(|after| Some((after.key?, after))) else {
                continue;
            };
            let last = self.versions.insert((change.table, key), after.n).unwrap_or_default();
            assert!(
                after.n >= last,
                "{place}: row {key} of {topic} went back from transaction {last} to {}",
                after.n
            );
        }
        self.checked += 1;
    }

    /// Once the tables are whole, what is there is what the source held.
    fn check(&mut self) {
        if self.model.by_key || !self.ledger.complete || self.ledger.cut < self.model.from {
            return;
        }
        let stand = self.held.assert_was(self.model.history, self.model.side, &self.place);
        assert!(stand.follows(&self.last), "{}: back from {:?} to {stand:?}", self.place, self.last);
        (self.last, self.checked) = (stand, self.checked + 1);
    }
}

/// A row in one line, as the model has it.
fn line(table: usize, row: &BinlogRow) -> String {
    let columns = row.columns_ref().iter().zip(0..);
    shape(table).line(columns.map(|(named, column)| (named.name_str(), cell(row, column))))
}

fn cell(row: &BinlogRow, column: usize) -> Option<String> {
    match row.as_ref(column).expect("rows are whole") {
        BinlogValue::Value(Value::NULL) => None,
        BinlogValue::Value(Value::Int(number)) => Some(number.to_string()),
        BinlogValue::Value(Value::UInt(number)) => Some(number.to_string()),
        BinlogValue::Value(Value::Bytes(bytes)) => Some(String::from_utf8(bytes.clone()).unwrap()),
        // Of the ledger's columns that nobody asks for.
        other => Some(format!("{other:?}")),
    }
}

fn text(row: &BinlogRow, column: &str) -> Option<String> {
    let column = row.columns_ref().iter().position(|c| c.name_str() == column);
    cell(row, column.expect("the log names columns"))
}

fn number(row: &BinlogRow, column: &str) -> Option<i64> {
    text(row, column)?.parse().ok()
}

/// A transaction's rows, and the cut that the ledger moves to with them.
type Forged<'f> = (&'f [RowChange], Option<u64>);

/// How many of these are right.
fn forged(scene: &Scene, by_key: bool, commits: &[Forged<'_>]) -> u64 {
    let model =
        Model { history: &scene.history, side: &scene.side, from: CutId::default(), by_key, again: false };
    let mut fold = Fold::new("world", model, &Place { file: "log".into(), position: 4 });
    for (rows, cut) in commits {
        fold.begin();
        fold.open.rows = rows.to_vec();
        let of = |sequence: u64| CutId { incarnation: 1, sequence };
        fold.open.ledger = cut.map(|cut| Ledger { epoch: 1, cut: of(cut), complete: true });
        for row in rows.iter().filter(|_| cut.is_some()) {
            let topic = format!("world.world.{}", shape(row.table).name);
            fold.open.partitions.insert((topic, 0), (1, i64::try_from(cut.unwrap()).unwrap()));
        }
        fold.commit();
    }
    fold.checked
}

#[test]
fn a_commit_that_is_no_state_or_leaves_the_ledger_behind_is_found() {
    let scene = Scene::new();
    let [initial, one, two, three] = scene.transactions.as_slice() else { panic!("there are three") };
    let (first, rest) = scene.halves(2);
    let both = [one.as_slice(), two].concat();
    assert_eq!(
        forged(&scene, false, &[(initial, Some(1)), (&both, Some(3)), (&[], Some(4)), (three, Some(5))]),
        4
    );
    let wrong: [(&[Forged<'_>], &str); 5] = [
        (
            &[(initial, Some(1)), (one, Some(2)), (&first, Some(3)), (&rest, Some(4))],
            "not what the source held",
        ),
        (&[(initial, Some(1)), (one, None), (&[], Some(2))], "while the ledger stayed"),
        (&[(initial, Some(1)), (one, Some(1))], "while the ledger stayed"),
        (&[(initial, Some(1)), (one, Some(3)), (&[], Some(2))], "went back from cut"),
        (&[(initial, Some(1)), (two, Some(2))], "not what the source held"),
    ];
    for (commits, says) in wrong {
        let said = refused(|| forged(&scene, false, commits));
        assert!(said.contains(says), "{said}, not {says}");
    }
}

#[test]
fn by_key_a_row_that_goes_back_or_leaves_its_partition_behind_is_found() {
    let scene = Scene::new();
    let [initial, one, two, three] = scene.transactions.as_slice() else { panic!("there are three") };
    let back: Vec<RowChange> =
        one.iter().map(|c| RowChange { before: c.after, after: c.before, ..*c }).collect();
    let (first, rest) = scene.halves(2);
    // By key a transaction may come in parts.
    let parts = [(initial.as_slice(), Some(1)), (&first, Some(2)), (three, Some(3)), (&rest, Some(4))];
    assert_eq!(forged(&scene, true, &parts), 4);
    let said = refused(|| forged(&scene, true, &[(initial, Some(1)), (one, Some(2)), (&back, Some(3))]));
    assert!(said.contains("went back from transaction 1 to 0"), "{said}");
    let said = refused(|| forged(&scene, true, &[(initial, Some(1)), (two, None)]));
    assert!(said.contains("no partition of"), "{said}");
    let said = refused(|| forged(&scene, true, &[(initial, Some(2)), (two, Some(1))]));
    assert!(said.contains("went back, epoch and offset"), "{said}");
}
