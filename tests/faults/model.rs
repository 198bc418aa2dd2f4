//! What the source holds after each of its transactions, kept beside it: the
//! workload writes here what it is about to commit, the checkers compare with it.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::grown::{self, Alter};

/// A row: numbers, of which a text column shows `x` and the number.
pub type Row = Vec<Option<i64>>;

/// A table of the workload. Where it has a key, that is the first column.
pub struct Shape {
    pub name: &'static str,
    pub create: &'static str,
    pub columns: &'static [&'static str],
    /// Which columns are texts.
    pub texts: &'static [usize],
    pub keyed: bool,
}

pub const SEQ: usize = 0;
pub const A: usize = 1;
pub const B: usize = 2;
pub const SLOTS: usize = 3;
pub const MOVED: usize = 4;
pub const LOOSE: usize = 5;
pub const BULK: usize = 6;
pub const PARENT: usize = 7;
pub const CHILD: usize = 8;
pub const GROWN: usize = 9;
pub const EMPTIED: usize = 10;
pub const TABLES: usize = 11;

/// Rows of `seq`. The transaction with number n writes its number into row n modulo this, so
/// that transactions near each other do not write the same row.
pub const SEQ_ROWS: i64 = 64;

/// How long texts of `bulk` are: a few hundred of its rows fill a batch of the sink.
const BULK_WIDTH: usize = 1000;

/// What fills them, whatever their number.
const FILLING: &str = filling();

const fn filling() -> &'static str {
    const ZEROS: [u8; BULK_WIDTH - 8] = [b'0'; BULK_WIDTH - 8];
    match std::str::from_utf8(&ZEROS) {
        Ok(zeros) => zeros,
        Err(_) => unreachable!(),
    }
}

const fn shape(
    name: &'static str,
    create: &'static str,
    columns: &'static [&'static str],
    texts: &'static [usize],
) -> Shape {
    Shape { name, create, columns, texts, keyed: true }
}

/// In each but `loose`, `n` is the number of the transaction that wrote the row last.
pub static SHAPES: [Shape; TABLES] = [
    shape("seq", "id INT PRIMARY KEY, n BIGINT NOT NULL", &["id", "n"], &[]),
    shape(
        "a",
        "id INT PRIMARY KEY, balance BIGINT NOT NULL, n BIGINT NOT NULL",
        &["id", "balance", "n"],
        &[],
    ),
    shape(
        "b",
        "id INT PRIMARY KEY, balance BIGINT NOT NULL, n BIGINT NOT NULL",
        &["id", "balance", "n"],
        &[],
    ),
    shape(
        "slots",
        "id INT PRIMARY KEY, slot INT, name VARCHAR(20), n BIGINT NOT NULL, UNIQUE KEY (slot), UNIQUE KEY (name)",
        &["id", "slot", "name", "n"],
        &[2],
    ),
    shape("moved", "id BIGINT PRIMARY KEY, v VARCHAR(20), n BIGINT NOT NULL", &["id", "v", "n"], &[1]),
    Shape { name: "loose", create: "v INT, w VARCHAR(20)", columns: &["v", "w"], texts: &[1], keyed: false },
    shape(
        "bulk",
        "id INT PRIMARY KEY, v VARCHAR(1010), n BIGINT NOT NULL, u INT, UNIQUE KEY (u)",
        &["id", "v", "n", "u"],
        &[1],
    ),
    shape("parent", "id INT PRIMARY KEY, n BIGINT NOT NULL", &["id", "n"], &[]),
    shape(
        "child",
        "id INT PRIMARY KEY, parent INT, n BIGINT NOT NULL, \
         FOREIGN KEY (parent) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE",
        &["id", "parent", "n"],
        &[],
    ),
    shape("grown", "id INT PRIMARY KEY, n BIGINT NOT NULL", &["id", "n"], &[]),
    shape("emptied", "id INT PRIMARY KEY, n BIGINT NOT NULL", &["id", "n"], &[]),
];

impl Shape {
    /// A value as the table holds it; `None` for NULL.
    pub fn cell(&self, column: usize, value: Option<i64>) -> Option<String> {
        value.map(|v| match self.texts.contains(&column) {
            true if self.name == SHAPES[BULK].name => format!("x{v:0BULK_WIDTH$}"),
            true => format!("x{v}"),
            false => v.to_string(),
        })
    }

    /// A row in one line, the same from the model, a table and a topic.
    pub fn text(&self, row: &Row) -> String {
        let cells = self.columns.iter().zip(0..).zip(row);
        self.line(cells.map(|((name, column), value)| (*name, self.cell(column, *value))))
    }

    /// Cells, each with its column's name, in one line. Columns that were added later are left out where they hold
    /// what they should, so that the line does not tell whether they are there.
    pub fn line<N: AsRef<str>>(&self, cells: impl Iterator<Item = (N, Option<String>)>) -> String {
        let text = |cell: Option<String>| cell.unwrap_or_else(|| "-".to_owned());
        if self.name != SHAPES[GROWN].name {
            return cells.map(|(_, cell)| text(cell)).collect::<Vec<_>>().join("|");
        }
        let (first, later): (Vec<_>, Vec<_>) =
            cells.partition(|(name, _)| self.columns.contains(&name.as_ref()));
        let mut line: Vec<String> = first.into_iter().map(|(_, cell)| text(cell)).collect();
        let n = line[1].parse().unwrap_or_default();
        let wrong = later.into_iter().filter(|(name, cell)| {
            let right = grown::cell(name.as_ref(), n);
            right.is_some_and(|right| *cell != right.map(|value| value.to_string()))
        });
        line.extend(wrong.map(|(name, cell)| format!("{}={}", name.as_ref(), text(cell))));
        line.join("|")
    }

    /// The query that gives all rows as such lines; not for `grown`.
    pub fn select(&self) -> String {
        format!("SELECT {} FROM {}", self.sql_line(), self.name)
    }

    /// The query that gives the digest of all rows; not for `grown`.
    pub fn select_digest(&self) -> String {
        let row = format!("CRC32({}) + {A_ROW}", self.sql_line());
        format!("SELECT CAST(COALESCE(SUM({row}), 0) AS UNSIGNED) FROM {}", self.name)
    }

    fn sql_line(&self) -> String {
        let cells: Vec<String> = self.columns.iter().map(|c| format!("IFNULL({c}, '-')")).collect();
        format!("CONCAT_WS('|', {})", cells.join(", "))
    }

    /// The key in such a line; empty for a table without one.
    pub fn key(&self, line: &str) -> String {
        if self.keyed { line.split('|').next().unwrap_or_default().to_owned() } else { String::new() }
    }
}

/// One row change. Both sides are there in an update, which may change the key.
#[derive(Clone, Debug)]
pub struct Change {
    pub table: usize,
    pub before: Option<Row>,
    pub after: Option<Row>,
    /// By a TRUNCATE, before the transaction: no row event tells of it.
    pub silent: bool,
}

impl Change {
    /// Makes the digest what it is after the change.
    fn amend(&self, digest: &mut Digest) {
        let shape = &SHAPES[self.table];
        let of = |row: &Option<Row>| row.as_ref().map_or(0, |row| hash(&shape.text(row)));
        digest[self.table] = digest[self.table] - of(&self.before) + of(&self.after);
    }
}

/// The rows of all tables; equal rows are counted.
#[derive(Clone, Default)]
pub struct State {
    pub tables: [BTreeMap<Row, u32>; TABLES],
    /// The columns that `grown` has beside `id` and `n`.
    pub grown: Vec<String>,
}

impl State {
    /// Makes the change.
    pub fn apply(&mut self, change: &Change) {
        let rows = &mut self.tables[change.table];
        if let Some(row) = &change.before {
            let count = rows.get_mut(row).expect("a row that changes is there");
            *count -= 1;
            if *count == 0 {
                rows.remove(row);
            }
        }
        if let Some(row) = &change.after {
            *rows.entry(row.clone()).or_insert(0) += 1;
        }
    }

    /// The row with that key, where there is one.
    pub fn find(&self, table: usize, id: i64) -> Option<&Row> {
        let row = self.tables[table].range(vec![Some(id)]..).next()?.0;
        (row[0] == Some(id)).then_some(row)
    }

    /// The rows in which a column has that value.
    pub fn with(&self, table: usize, column: usize, value: Option<i64>) -> Vec<Row> {
        self.tables[table].keys().filter(|row| row[column] == value).cloned().collect()
    }

    /// Its rows as lines, sorted.
    pub fn lines(&self, table: usize) -> Vec<String> {
        let rows = self.tables[table].iter();
        let mut lines: Vec<String> = rows
            .flat_map(|(row, count)| std::iter::repeat_n(SHAPES[table].text(row), *count as usize))
            .collect();
        lines.sort_unstable();
        lines
    }

    pub fn digest(&self) -> Digest {
        std::array::from_fn(|table| digest(self.lines(table).iter()))
    }
}

/// For each table a number that all its rows decide, in any order: how many they are, and
/// the sum of their checksums.
pub type Digest = [u64; TABLES];

/// What a row adds to a digest, beside its checksum.
pub const A_ROW: u64 = 1 << 40;

/// The digest of a table's lines.
pub fn digest<'a>(lines: impl Iterator<Item = &'a String>) -> u64 {
    lines.map(|line| hash(line)).sum()
}

/// What a row adds to it.
pub fn hash(line: &str) -> u64 {
    A_ROW + u64::from(crc32fast::hash(line.as_bytes()))
}

/// All states that the source has had, by the number of the transaction that made them.
pub struct History {
    inner: Mutex<Inner>,
    committed: AtomicU64,
    /// By table, how often a snapshot of it was asked for.
    asked: [AtomicU64; TABLES],
}

struct Inner {
    initial: State,
    /// By number; the first is that of the initial state.
    digests: Vec<Digest>,
    /// By number, where a TRUNCATE came after that transaction.
    truncated: BTreeMap<u64, Digest>,
    /// What each transaction changed; the first is number 1.
    journal: Vec<Vec<Change>>,
    /// What was stated of `grown`.
    altered: Vec<Alter>,
}

impl History {
    pub fn new(initial: &State) -> Self {
        let inner = Inner {
            initial: initial.clone(),
            digests: vec![initial.digest()],
            truncated: BTreeMap::new(),
            journal: Vec::new(),
            altered: Vec::new(),
        };
        Self { inner: Mutex::new(inner), committed: AtomicU64::new(0), asked: Default::default() }
    }

    /// Notes what the next transaction will change, before it is committed.
    pub fn plan(&self, changes: &[Change]) {
        let mut inner = self.inner.lock().unwrap();
        let mut next = *inner.digests.last().unwrap();
        changes.iter().for_each(|change| change.amend(&mut next));
        inner.digests.push(next);
        inner.journal.push(changes.to_vec());
    }

    /// Notes what will be gone by itself, before the next transaction.
    pub fn plan_truncation(&self, rows: &[Change]) {
        let mut inner = self.inner.lock().unwrap();
        let number = inner.journal.len() as u64;
        let mut next = *inner.digests.last().unwrap();
        rows.iter().for_each(|row| row.amend(&mut next));
        inner.truncated.insert(number, next);
    }

    /// Notes that `grown` was changed.
    pub fn altered(&self, alter: Alter) {
        self.inner.lock().unwrap().altered.push(alter);
    }

    /// How `grown` was changed.
    pub fn alters(&self) -> Vec<Alter> {
        self.inner.lock().unwrap().altered.clone()
    }

    /// Notes that the transaction is committed.
    pub fn commit(&self, number: u64) {
        self.committed.store(number, Ordering::Release);
    }

    /// The last transaction that is known to be committed.
    pub fn committed(&self) -> u64 {
        self.committed.load(Ordering::Acquire)
    }

    /// Notes that a snapshot of a table is asked for, which may be taken up or not.
    pub fn ask(&self, table: usize) {
        self.asked[table].fetch_add(1, Ordering::AcqRel);
    }

    /// How often a snapshot of a table was asked for.
    pub fn asked(&self, table: usize) -> u64 {
        self.asked[table].load(Ordering::Acquire)
    }

    /// Whether that is what the source holds after that transaction, or after the TRUNCATE behind it.
    pub fn has(&self, number: u64, seen: &Digest) -> bool {
        let inner = self.inner.lock().unwrap();
        inner.digests.get(usize::try_from(number).unwrap()) == Some(seen)
            || inner.truncated.get(&number) == Some(seen)
    }

    /// In words, how a digest that claims to be that after a transaction differs from it.
    pub fn explain_digest(&self, number: u64, seen: &Digest) -> String {
        let inner = self.inner.lock().unwrap();
        let Some(right) = inner.digests.get(usize::try_from(number).unwrap()) else {
            return format!("there was no transaction {number}");
        };
        let mut found = Vec::new();
        for (table, shape) in SHAPES.iter().enumerate().filter(|(table, _)| seen[*table] != right[*table]) {
            let same = |n: &usize| inner.digests[*n][table] == seen[table];
            let all = 0..inner.digests.len();
            found.push(format!(
                "{}: it is as after {:?}",
                shape.name,
                all.clone().find(same).zip(all.rev().find(same))
            ));
        }
        found.join("\n")
    }

    /// How many TRUNCATEs there were.
    pub fn truncations(&self) -> usize {
        self.inner.lock().unwrap().truncated.len()
    }

    /// The initial state, and each transaction's changes up to that one.
    pub fn up_to(&self, number: u64) -> (State, Vec<Vec<Change>>) {
        let inner = self.inner.lock().unwrap();
        (inner.initial.clone(), inner.journal[..usize::try_from(number).unwrap()].to_vec())
    }

    /// In words, how lines that claim to be the state after a transaction differ from it.
    pub fn explain(&self, number: u64, seen: &[Vec<String>; TABLES]) -> String {
        let (mut state, journal) = self.up_to(number);
        journal.iter().flatten().for_each(|change| state.apply(change));
        let mut found = Vec::new();
        for (table, lines) in seen.iter().enumerate() {
            let (mut here, there) = (lines.clone(), state.lines(table));
            here.sort_unstable();
            if here == there {
                continue;
            }
            let digest = digest(here.iter());
            let inner = self.inner.lock().unwrap();
            let same: Vec<usize> =
                (0..inner.digests.len()).filter(|n| inner.digests[*n][table] == digest).collect();
            let extra: Vec<_> = here.iter().filter(|l| there.binary_search(l).is_err()).take(4).collect();
            let missing: Vec<_> = there.iter().filter(|l| here.binary_search(l).is_err()).take(4).collect();
            found.push(format!(
                "{}: {} rows instead of {}; not of this state {}, missing {}; it is as after {:?}",
                SHAPES[table].name,
                here.len(),
                there.len(),
                brief(&format!("{extra:?}")),
                brief(&format!("{missing:?}")),
                same.first().zip(same.last())
            ));
        }
        found.join("\n")
    }
}

/// A line without the filling of long texts.
pub fn brief(line: &str) -> String {
    line.replace(FILLING, "…")
}
