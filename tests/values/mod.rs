//! Random tables over all types and character sets, with random rows, through the snapshot and
//! through the stream, until both sides are compared by the bytes that they hold.
//!
//! A case is a table with its rows and what happens to them. Most tables are there when the snapshot
//! begins; the others come while changes stream, and all of them change. Cases share worlds. Every second has the default modes;
//! the others have Debezium's, and only values that these keep (`scope.rs`).
//!
//! All of the road is the product's and real: binlog, Kafka, both programs, both servers. Only the registry is stood in for
//! (`registry.rs`) in all worlds but the first, as it would cost more than the rest; and the MySQLs, which nobody kills
//! here, do not write to disk at every commit.
//!
//! The seed is printed; `CDC_TEST_SEED` makes the same tables, rows and statements again, and with `CDC_VALUES_SHOW` each
//! statement is printed; `CDC_VALUES_CASES` makes more or fewer. `CDC_VALUES_RESULTS` names a file that gets what was tried,
//! with counts. Each bug that was found here has a test of its own, by name. What it does find, `planted.rs` shows.

mod charset;
mod counts;
mod geometry;
mod json;
mod kind;
mod planted;
mod registry;
mod scope;
mod table;
mod value;

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::task::JoinSet;

use crate::kit::{Dice, Options, Server, World, differences, seed};
use charset::Charset;
use counts::Counts;
use scope::{Modes, Scope};
use table::Table;

/// Tables of the default run: of a hundred the server refuses two, which are no cases.
const CASES: usize = 2100;
/// Cases that the default run must have.
const CASES_MIN: usize = 2000;
/// Its seed, unless `CDC_TEST_SEED` says another: new ones are for the long form, which finds new bugs.
const SEED: u64 = 77;
/// Cases that share a world. The first world, with its real registry, is small.
const FIRST_CASES: usize = 100;
const DEFAULTS_CASES: usize = 270;
const MODES_CASES: usize = 130;
/// Worlds at a time: most of each is waiting.
const WORLDS: usize = 3;
/// Cases of a round of the long form.
const LONG_CASES: usize = 4000;
/// Servers of our own, which nobody kills: they need not write before they answer.
const QUICK: &[&str] = &[
    "--sync-binlog=0",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=OFF",
    "--innodb-buffer-pool-size=256M",
];
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn random_tables_arrive_identical() {
    let asked = std::env::var("CDC_VALUES_CASES").ok().and_then(|n| n.parse().ok());
    let seed = if std::env::var_os("CDC_TEST_SEED").is_some() { seed() } else { SEED };
    println!("values: CDC_TEST_SEED={seed}");
    let begun = Instant::now();
    let counts = run(asked.unwrap_or(CASES), Dice::of(seed)).await;
    counts.tell(&[seed], begun.elapsed());
    assert!(asked.is_some() || counts.cases >= CASES_MIN, "only {} cases were run", counts.cases);
}

/// The long form: `make soak` runs it for a quarter of `CDC_SOAK_MINUTES`.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "long: make soak"]
async fn soak() {
    let minutes: u64 = std::env::var("CDC_SOAK_MINUTES").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let begun = Instant::now();
    let (mut counts, mut seeds) = (Counts::default(), Vec::new());
    while begun.elapsed() < Duration::from_secs(minutes * 15) {
        let seed = seed();
        println!("values: CDC_TEST_SEED={seed}");
        counts.add(run(LONG_CASES, Dice::of(seed)).await);
        seeds.push(seed);
    }
    counts.tell(&seeds, begun.elapsed());
}

/// Servers for one run.
fn servers() -> Arc<[Server; 2]> {
    Arc::new(["source", "dest"].map(|part| Server::start(&format!("values-{part}"), QUICK)))
}

async fn run(cases: usize, mut dice: Dice) -> Counts {
    let (servers, registry) = (servers(), registry::start().await);
    let (mut counts, mut wrong) = (Counts::default(), Vec::new());
    let (mut worlds, mut first) = (JoinSet::new(), 0);
    for number in 0.. {
        while worlds.len() == WORLDS || (first >= cases && !worlds.is_empty()) {
            let done: Result<Result<Counts, String>, _> = worlds.join_next().await.unwrap();
            let done = done.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()));
            // The others may show more.
            match done {
                Ok(done) => counts.add(done),
                Err(why) => {
                    println!("values: {why}");
                    wrong.push(why);
                }
            }
        }
        if first >= cases {
            break;
        }
        let size = match number {
            0 => FIRST_CASES,
            even if even % 2 == 0 => DEFAULTS_CASES,
            _ => MODES_CASES,
        };
        let last = cases.min(first + size);
        let plan = Plan::of(number, first..last, &mut dice);
        first = last;
        worlds.spawn(world(plan, registry.clone(), servers.clone()));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(
        counts.refused * 100 <= counts.statements * REFUSED_MAX,
        "the generator makes too much that is refused"
    );
    counts
}

/// What a world is to be.
struct Plan {
    cases: Range<usize>,
    is_first: bool,
    modes: Modes,
    /// The bug that source and sink are to have.
    plant: Option<&'static str>,
    dice: Dice,
}

impl Plan {
    fn of(number: usize, cases: Range<usize>, dice: &mut Dice) -> Self {
        let modes = Modes::of(number, dice);
        Self { cases, is_first: number == 0, modes, plant: None, dice: Dice::of(dice.bits()) }
    }
}

/// One writer: its tables, and what it has done.
struct Writer {
    conn: Conn,
    scope: Arc<Scope>,
    dice: Dice,
    tables: Vec<Table>,
    counts: Counts,
}

/// A world with these tables; what is wrong at its end, if anything is.
async fn world(plan: Plan, registry: String, servers: Arc<[Server; 2]>) -> Result<Counts, String> {
    let options = Options {
        partitions: 1,
        source: plan.modes.section(),
        source_server: Some(servers[0].address.clone()),
        dest_server: Some(servers[1].address.clone()),
        registry: (!plan.is_first).then_some(registry),
        ..Options::default()
    };
    let world = World::with("values", &options).await;
    let counts = lived(&world, plan).await;
    if counts.is_ok() {
        world.end().await;
    } else {
        world.sweep().await;
    }
    counts
}

async fn lived(world: &World, mut plan: Plan) -> Result<Counts, String> {
    let begun = Instant::now();
    let charsets = Charset::all(&mut world.source_conn().await).await;
    let Modes { times, digits_max, .. } = plan.modes;
    let scope = Arc::new(Scope { charsets, times, digits_max });
    let mut writers = Vec::new();
    for _ in 0..WRITERS {
        let dice = Dice::of(plan.dice.bits());
        let (conn, scope) = (world.source_conn().await, scope.clone());
        writers.push(Writer { conn, scope, dice, tables: Vec::new(), counts: Counts::of(&plan.modes) });
    }
    let Range { start, end } = plan.cases;
    let middle = end - (end - start) / LATE;
    let writers = all(writers, start..middle, false).await;
    catch_up(world, &plan).await?;
    compare(world, "after the snapshot", &writers).await?;
    all_are_there(world, &writers).await?;
    let snapshot = begun.elapsed();
    let writers = all(writers, middle..end, true).await;
    catch_up(world, &plan).await?;
    compare(world, "after the stream", &writers).await?;
    println!(
        "values: cases {start} to {end}, {:.0} s, {:.0} s of them to the snapshot's end; {}",
        begun.elapsed().as_secs_f64(),
        snapshot.as_secs_f64(),
        plan.modes.names().join(", ")
    );
    let mut counts = Counts::default();
    writers.into_iter().for_each(|writer| counts.add(writer.counts));
    Ok(counts)
}

/// Every writer makes its share of the tables, and then changes all that it has.
async fn all(writers: Vec<Writer>, numbers: Range<usize>, change: bool) -> Vec<Writer> {
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
            let mut table = Table::any(*number, &self.scope, &mut self.dice);
            if !self.did(&table.create()).await {
                continue;
            }
            if let Some(hide) = table.hide_key().filter(|_| self.dice.below(8) == 0) {
                self.did(&hide).await;
            }
            self.did("BEGIN").await;
            // A table comes to the destination with its first row.
            let mut rows = 0;
            for _ in 0..self.dice.between(2, ROWS_MAX) {
                let insert = table.insert(&self.scope, &mut self.dice);
                rows += u64::from(self.did(&insert).await && self.conn.affected_rows() > 0);
            }
            self.did("COMMIT").await;
            if rows == 0 {
                self.did(&table.drop()).await;
                continue;
            }
            self.counts.case(table.columns.iter().filter_map(|c| c.kind.as_ref()), &self.scope);
            self.tables.push(table);
        }
    }

    async fn change_all(&mut self) {
        for _ in 0..self.tables.len() * 2 {
            if self.dice.below(30) == 0 {
                self.choose_mode(&["", "ANSI_QUOTES"]).await;
                let at = self.any_table();
                let (sql, altered) = self.tables[at].alter(&self.scope, &mut self.dice);
                if self.did(&sql).await {
                    self.counts.altered(&altered);
                    self.tables[at].altered(altered);
                }
            }
            self.transaction().await;
        }
        // A column comes to the destination with the next row.
        for at in 0..self.tables.len() {
            let mut tries = 0..20;
            while self.tables[at].has_changed && tries.next().is_some() {
                let insert = self.tables[at].insert(&self.scope, &mut self.dice);
                self.tables[at].has_changed = !(self.did(&insert).await && self.conn.affected_rows() > 0);
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
            let change = self.tables[at].change(&self.scope, &mut self.dice);
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
        let compression = *self.dice.pick(&["OFF", "OFF", "ON"]);
        let sql = format!(
            "SET sql_mode = 'ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO,{mode}', time_zone = '{zone}', \
             binlog_row_value_options = '{json}', binlog_transaction_compression = {compression}"
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
async fn catch_up(world: &World, plan: &Plan) -> Result<(), String> {
    for role in ["source", "sink"] {
        let plant = plan.plant.map(|bug| ("CDC_PLANT", bug));
        let mut process = world.start_with(role, &["--until-caught-up"], plant.as_slice());
        let begun = Instant::now();
        while !process.has_ended() && begun.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        if !process.has_ended() {
            return Err(format!("{role} does not end; the log says:\n{}", process.log_tail()));
        }
        let code = process.wait(Duration::ZERO).code();
        if code != Some(0) {
            let modes = plan.modes.names().join(", ");
            return Err(format!(
                "{role} ended with {code:?}, {modes}; the log says:\n{}",
                process.log_tail()
            ));
        }
    }
    Ok(())
}

/// Compares all tables by their bytes.
async fn compare(world: &World, when: &str, writers: &[Writer]) -> Result<(), String> {
    let (mut source, mut dest) = (world.source_conn().await, world.dest_conn().await);
    for table in writers.iter().flat_map(|writer| &writer.tables) {
        // Columns that the source dropped stay until somebody drops them there, too.
        for sql in table.drop_remains(&world.name) {
            let _ = dest.query_drop(sql).await;
        }
    }
    let found = differences(&mut source, &world.name, &mut dest, &world.name).await;
    if let Some(first) = found.first() {
        let shown = first.chars().take(3000).collect::<String>();
        return Err(format!("{when}: {} differences, the first: {shown}", found.len()));
    }
    Ok(())
}

/// Whether each case has its table at the destination: none is one that had no rows. (Of tables that come later all rows
/// may be gone before any is applied.)
async fn all_are_there(world: &World, writers: &[Writer]) -> Result<(), String> {
    let sql = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = ?";
    let there: Option<usize> = world.dest_conn().await.exec_first(sql, (&world.name,)).await.unwrap();
    let cases: usize = writers.iter().map(|writer| writer.counts.cases).sum();
    if there == Some(cases) { Ok(()) } else { Err(format!("{there:?} tables of {cases} are there")) }
}
