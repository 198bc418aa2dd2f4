//! Random tables over all types and character sets, with random rows, through the snapshot and
//! through the stream, until both sides are compared by the bytes that they hold.
//!
//! The first world has the default modes, the others any that keep every value (of time.precision.mode only ours does).
//!
//! A case is a table with its rows and what happens to them. Most tables are there when the snapshot
//! begins; the others come while changes stream, and all of them change. The seed is printed;
//! `CDC_TEST_SEED` makes the same tables, rows and statements again, and with `CDC_VALUES_SHOW` each
//! statement is printed; `CDC_VALUES_CASES` makes more or fewer. Each bug that was found here
//! has a test of its own, by name.

mod charset;
mod geometry;
mod json;
mod kind;
mod table;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::kit::{Dice, Options, World, seed};
use charset::Charset;
use table::Table;

/// Cases of the default run.
const CASES: usize = 150;
/// Its seed, unless `CDC_TEST_SEED` says another: new ones are for the long form, which finds new bugs.
const SEED: u64 = 77;
/// Cases that share a world, in the default run and in the long form.
const WORLD_CASES: usize = 75;
const LONG_WORLD_CASES: usize = 1000;
/// Connections that write.
const WRITERS: usize = 4;
/// One table of so many comes only while changes stream: each costs a sink a round of Kafka's metadata.
const LATE: usize = 20;
/// Rows of a table at its beginning, at most.
const ROWS_MAX: u64 = 5;
const TRANSACTION_STATEMENTS_MAX: u64 = 8;
/// How long a world may take to get everything to the other side.
const PATIENCE: Duration = Duration::from_secs(300);
/// Of a hundred statements so many may be refused by the source's MySQL.
const REFUSED_MAX: u64 = 12;

#[tokio::test(flavor = "multi_thread")]
async fn random_tables_arrive_identical() {
    let cases = std::env::var("CDC_VALUES_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(CASES);
    let seed = if std::env::var_os("CDC_TEST_SEED").is_some() { seed() } else { SEED };
    println!("values: CDC_TEST_SEED={seed}");
    run(cases, WORLD_CASES, Dice::of(seed)).await;
}

/// The long form: `make soak` runs it for a quarter of `CDC_SOAK_MINUTES`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: make soak"]
async fn soak() {
    let minutes: u64 = std::env::var("CDC_SOAK_MINUTES").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(minutes * 15) {
        run(2 * LONG_WORLD_CASES, LONG_WORLD_CASES, Dice::new("values")).await;
    }
}

async fn run(cases: usize, of_world: usize, mut dice: Dice) {
    let begun = Instant::now();
    let mut counts = Counts::default();
    for first in (0..cases).step_by(of_world) {
        let modes = if first == 0 { String::new() } else { modes(&mut dice) };
        println!("values: cases {first} to {}{modes}", cases.min(first + of_world));
        counts.add(world(first..cases.min(first + of_world), modes, &mut dice).await);
    }
    println!("values: {}", counts.shown(begun.elapsed()));
    assert!(
        counts.refused * 100 <= counts.statements * REFUSED_MAX,
        "the generator makes too much that is refused"
    );
}

/// Modes of Debezium, of which our sink knows how to get the value back.
fn modes(dice: &mut Dice) -> String {
    let all: [(&str, &[&str]); 6] = [
        ("decimal.handling.mode", &["precise", "string"]),
        ("bigint.unsigned.handling.mode", &["precise", "long"]),
        ("binary.handling.mode", &["bytes", "base64", "base64-url-safe", "hex"]),
        ("tombstones.on.delete", &["true", "false"]),
        ("provide.transaction.metadata", &["true", "false"]),
        ("column.propagate.source.type", &[".*", ""]),
    ];
    let lines = all.map(|(option, values)| format!("\"{option}\" = \"{}\"\n", dice.pick(values)));
    format!("\n[debezium]\n{}", lines.concat())
}

/// What was done.
#[derive(Default)]
struct Counts {
    cases: usize,
    statements: u64,
    refused: u64,
    transactions: u64,
    /// Columns by type and character set.
    kinds: BTreeMap<String, u64>,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.cases += other.cases;
        self.statements += other.statements;
        self.refused += other.refused;
        self.transactions += other.transactions;
        for (kind, count) in other.kinds {
            *self.kinds.entry(kind).or_default() += count;
        }
    }

    fn shown(&self, elapsed: Duration) -> String {
        let columns: u64 = self.kinds.values().sum();
        let sets = self.kinds.keys().filter_map(|k| k.split_once(' ')).map(|(_, set)| set);
        let sets = sets.collect::<std::collections::BTreeSet<_>>();
        format!(
            "{} cases, {columns} columns of {} types and character sets ({} sets), {} statements ({} refused) in {} \
             transactions, {:.0} s",
            self.cases,
            self.kinds.len(),
            sets.len() - usize::from(sets.contains("UNSIGNED")),
            self.statements,
            self.refused,
            self.transactions,
            elapsed.as_secs_f64()
        )
    }
}

/// One writer: its tables, and what it has done.
struct Writer {
    conn: Conn,
    charsets: Arc<Vec<Charset>>,
    dice: Dice,
    tables: Vec<Table>,
    counts: Counts,
}

/// A world with these tables.
async fn world(numbers: std::ops::Range<usize>, modes: String, dice: &mut Dice) -> Counts {
    let options = Options { partitions: 1, source: modes, ..Options::default() };
    let world = World::with("values", &options).await;
    let charsets = Arc::new(Charset::all(&mut world.source_conn().await).await);
    let mut writers = Vec::new();
    for _ in 0..WRITERS {
        let dice = Dice::of(dice.bits());
        let (conn, charsets) = (world.source_conn().await, charsets.clone());
        writers.push(Writer { conn, charsets, dice, tables: Vec::new(), counts: Counts::default() });
    }
    let middle = numbers.end - numbers.len() / LATE;
    let writers = all(writers, numbers.start..middle, false).await;
    catch_up(&world);
    compare(&world, "after the snapshot").await;
    let writers = all(writers, middle..numbers.end, true).await;
    catch_up(&world);
    compare(&world, "after the stream").await;
    world.end().await;
    let mut counts = Counts::default();
    writers.into_iter().for_each(|writer| counts.add(writer.counts));
    counts
}

/// Every writer makes its share of the tables, and then changes all that it has.
async fn all(writers: Vec<Writer>, numbers: std::ops::Range<usize>, change: bool) -> Vec<Writer> {
    let mut tasks = Vec::new();
    for (at, mut writer) in writers.into_iter().enumerate() {
        let own: Vec<usize> = numbers.clone().filter(|number| number % WRITERS == at).collect();
        tasks.push(tokio::spawn(async move {
            writer.make(&own).await;
            if change {
                writer.change_all().await;
            }
            writer
        }));
    }
    let mut writers = Vec::new();
    for task in tasks {
        writers.push(task.await.unwrap());
    }
    writers
}

impl Writer {
    async fn make(&mut self, numbers: &[usize]) {
        for number in numbers {
            // In NO_BACKSLASH_ESCAPES the server cannot read expressions that it has itself written down.
            self.choose_mode(&["", "ANSI_QUOTES"]).await;
            let mut table = Table::any(*number, &self.charsets, &mut self.dice);
            if !self.did(&table.create()).await {
                continue;
            }
            self.did("BEGIN").await;
            // A table comes to the destination with its first row.
            let mut rows = 0;
            for _ in 0..self.dice.between(2, ROWS_MAX) {
                let insert = table.insert(&self.charsets, &mut self.dice);
                rows += u64::from(self.did(&insert).await);
            }
            self.did("COMMIT").await;
            if rows == 0 {
                self.did(&table.drop()).await;
                continue;
            }
            self.count(&table);
            self.tables.push(table);
        }
    }

    fn count(&mut self, table: &Table) {
        self.counts.cases += 1;
        self.counts.transactions += 1;
        for kind in table.columns.iter().filter_map(|c| c.kind.as_ref()) {
            *self.counts.kinds.entry(kind.label(&self.charsets)).or_default() += 1;
        }
    }

    async fn change_all(&mut self) {
        for _ in 0..self.tables.len() * 2 {
            if self.dice.below(30) == 0 {
                let at = self.any_table();
                let grown = self.tables[at].grow(&self.charsets, &mut self.dice);
                self.did(&grown).await;
            }
            self.transaction().await;
        }
        // A column comes to the destination with the next row.
        for at in 0..self.tables.len() {
            let mut tries = 0..20;
            while self.tables[at].has_grown && tries.next().is_some() {
                let insert = self.tables[at].insert(&self.charsets, &mut self.dice);
                self.tables[at].has_grown = !self.did(&insert).await;
            }
        }
    }

    async fn transaction(&mut self) {
        self.choose_mode(&["", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "PAD_CHAR_TO_FULL_LENGTH"]).await;
        self.did("BEGIN").await;
        for _ in 0..self.dice.between(1, TRANSACTION_STATEMENTS_MAX) {
            let savepoint = self.dice.below(10) == 0;
            if savepoint {
                self.did("SAVEPOINT s").await;
            }
            let at = self.any_table();
            let change = self.tables[at].change(&self.charsets, &mut self.dice);
            self.did(&change).await;
            if savepoint && self.dice.coin() {
                self.did("ROLLBACK TO SAVEPOINT s").await;
            }
        }
        let end = if self.dice.below(12) == 0 { "ROLLBACK" } else { "COMMIT" };
        self.did(end).await;
        self.counts.transactions += 1;
    }

    fn any_table(&mut self) -> usize {
        usize::try_from(self.dice.below(self.tables.len() as u64)).unwrap()
    }

    /// Without strict mode, so that what MySQL can hold gets in; what changes how statements are read and
    /// logged, too.
    async fn choose_mode(&mut self, modes: &[&str]) {
        let mode = *self.dice.pick(modes);
        let zone = *self.dice.pick(&["+00:00", "+14:00", "-09:30"]);
        let json = if self.counts.transactions.is_multiple_of(2) { "" } else { "PARTIAL_JSON" };
        let sql = format!(
            "SET sql_mode = 'ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO,{mode}', time_zone = '{zone}', \
             binlog_row_value_options = '{json}'"
        );
        self.conn.query_drop(sql).await.unwrap();
    }

    /// Runs a statement; false where the server refuses it.
    async fn did(&mut self, sql: &str) -> bool {
        self.counts.statements += 1;
        let outcome = self.conn.query_drop(sql).await;
        self.counts.refused += u64::from(outcome.is_err());
        if std::env::var_os("CDC_VALUES_SHOW").is_some() {
            let outcome = outcome.as_ref().map_or_else(ToString::to_string, |()| "done".to_owned());
            println!("{outcome}: {}", sql.chars().take(2000).collect::<String>());
        }
        outcome.is_ok()
    }
}

/// Runs source and sink until each has all.
fn catch_up(world: &World) {
    for role in [World::start_source, World::start_sink] {
        let mut process = role(world, &["--until-caught-up"]);
        let status = process.wait(PATIENCE);
        assert_eq!(status.code(), Some(0), "the log says:\n{}", process.log_tail());
    }
}

async fn compare(world: &World, when: &str) {
    let (mut source, mut dest) = (world.source_conn().await, world.dest_conn().await);
    let found = crate::kit::differences(&mut source, &world.name, &mut dest, &world.name).await;
    for difference in found.iter().take(20) {
        println!("{when}: {}", difference.chars().take(3000).collect::<String>());
    }
    assert!(found.is_empty(), "{when}: {} differences", found.len());
}
