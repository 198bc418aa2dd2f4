//! The columns of the table `grown`, which come and go while it is written. A column's name tells after which transaction
//! it came and from which on nobody writes it, and so what it holds in each row: what that row's transaction wrote, or the
//! default where the row is older. So a row's line need not name them, and is the same whichever of them are there.
//! A column that has gone stays at the destination, with what it held.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::model::State;
use super::workload::run;
use crate::kit::{Dice, World};

/// Most columns beside `id` and `n`.
const COLUMNS_MAX: usize = 8;

/// For so many transactions a column is written, or for a few times as many.
const LIFE_MIN: u64 = 20;
const LIFE_MAX: u64 = 300;

/// By their names, in numbers: whether a statement came through is told by it.
const QUESTION: &str = "SELECT COALESCE(CRC32(GROUP_CONCAT(column_name ORDER BY column_name)), 0) \
    FROM information_schema.columns WHERE table_schema=DATABASE() AND table_name='grown'";

/// A statement that changes the table, and the columns that it leaves beside `id` and `n`, sorted.
#[derive(Clone, Debug)]
pub struct Alter {
    pub sql: String,
    pub columns: Vec<String>,
}

/// What the column holds in a row that transaction `n` wrote, once it is written; `None` where that is not to be told,
/// since it may have gone.
///
/// # Panics
/// Of a name that no column of the table has.
pub fn cell(column: &str, n: i64) -> Option<Option<i64>> {
    let Lives { from, to, nullable } = Lives::of(column);
    (n < to).then(|| match n > from {
        true if nullable && (from + n) % 3 == 0 => None,
        true => Some(from + n),
        false => default(column),
    })
}

/// What it holds in rows that are older.
fn default(column: &str) -> Option<i64> {
    let Lives { from, nullable, .. } = Lives::of(column);
    (!nullable).then_some(from * 10)
}

/// What a column's name tells: after which transaction it comes, from which on it may go, whether it may be NULL.
struct Lives {
    from: i64,
    to: i64,
    nullable: bool,
}

impl Lives {
    fn of(column: &str) -> Self {
        let number = |part: &str| -> i64 { part.parse().unwrap() };
        let parts: Vec<&str> = column.split('_').collect();
        let [kind, from, to] = parts[..] else { panic!("a column called {column}") };
        Self { from: number(from), to: number(to), nullable: kind == "null" }
    }
}

/// A name for a column that comes after that transaction, and the clause that makes it.
fn new(number: u64, life: u64, dice: &mut Dice) -> (String, String) {
    let letter = if dice.below(2) == 0 { "null" } else { "with" };
    let name = format!("{letter}_{number}_{}", number + life);
    let kind = default(&name).map_or("INT".to_owned(), |d| format!("INT NOT NULL DEFAULT {d}"));
    let places = [" FIRST", " AFTER id", " AFTER n", "", "", ""];
    let place = places[usize::try_from(dice.below(6)).unwrap()];
    let clause = format!("ADD COLUMN {name} {kind}{place}");
    (name, clause)
}

/// The next statement after that transaction, where there is anything to change: columns whose time is over go, and
/// one or two others come.
pub fn alter(columns: &[String], number: u64, dice: &mut Dice) -> Option<Alter> {
    let is_over = |name: &String| Lives::of(name).to <= i64::try_from(number).unwrap();
    let (over, mut columns): (Vec<String>, Vec<String>) = columns.iter().cloned().partition(is_over);
    let mut clauses: Vec<String> = over.iter().map(|name| format!("DROP COLUMN {name}")).collect();
    // Of one transaction two names differ in how long they live.
    let lives = [LIFE_MIN + dice.below(LIFE_MAX), 2 * LIFE_MAX + dice.below(LIFE_MAX)];
    let count = usize::try_from(dice.below(3)).unwrap().min(COLUMNS_MAX - columns.len());
    for life in lives.into_iter().take(count) {
        let (name, clause) = new(number, life, dice);
        clauses.push(clause);
        columns.push(name);
    }
    columns.sort_unstable();
    let sql = format!("ALTER TABLE grown {}", clauses.join(", "));
    (!clauses.is_empty()).then_some(Alter { sql, columns })
}

/// Takes away at the destination what the source has no more.
pub async fn drop_gone(world: &World) {
    let names = |database: &str| {
        format!(
            "SELECT column_name FROM information_schema.columns WHERE table_schema='{database}' AND table_name='grown'"
        )
    };
    let sql = names(&world.name);
    let here: Vec<String> = world.source_conn().await.query(&sql).await.unwrap();
    let mut dest = world.dest_conn().await;
    let there: Vec<String> = dest.query(&sql).await.unwrap();
    let gone: Vec<String> = there
        .into_iter()
        .filter(|name| !here.contains(name))
        .map(|name| format!("DROP COLUMN {name}"))
        .collect();
    if !gone.is_empty() {
        dest.query_drop(format!("ALTER TABLE `{}`.grown {}", world.name, gone.join(", "))).await.unwrap();
    }
}

/// Changes the table, once.
pub async fn run_alter(world: &World, conn: &mut Conn, state: &mut State, alter: &Alter) {
    let mut all = [alter.columns.as_slice(), &["id".to_owned(), "n".to_owned()]].concat();
    all.sort_unstable();
    run(world, conn, &alter.sql, QUESTION, crc32fast::hash(all.join(",").as_bytes()).into()).await;
    state.grown.clone_from(&alter.columns);
}

#[test]
fn a_name_tells_what_a_column_holds() {
    let of = |name, n| cell(name, n);
    assert_eq!(of("with_7_20", 7), Some(Some(70)), "older: its default");
    assert_eq!(of("with_7_20", 8), Some(Some(15)), "what was written");
    assert_eq!((of("null_7_20", 7), of("null_7_20", 8)), (Some(None), Some(None)));
    assert_eq!(of("null_7_20", 9), Some(Some(16)));
    assert_eq!(of("with_7_20", 20), None, "it may have gone");
}
