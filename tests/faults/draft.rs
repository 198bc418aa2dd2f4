//! One random transaction: its statements, and what they change.

use super::grown;
use super::model::{
    A, B, BULK, CHILD, Change, EMPTIED, GROWN, LOOSE, MOVED, PARENT, Row, SEQ, SEQ_ROWS, SHAPES, SLOTS,
    Shape, State,
};
use super::workload::Profile;
use crate::kit::Dice;

const ACCOUNTS: i64 = 150;
const BALANCE: i64 = 1000;
const SLOT_ROWS: i64 = 30;
/// Values for the rows of `slots`: few more than rows, so that a free one was another's before.
const SLOT_VALUES: u64 = 36;
const MOVED_IDS: u64 = 120;
/// Unique values of `bulk` that are free at the beginning.
const BULK_VALUES_FREE: i64 = 1000;
/// Most rows of the table without a key.
const LOOSE_ROWS: u32 = 60;
const PARENTS: u64 = 20;
const CHILDREN: u64 = 80;
const GROWN_ROWS: u64 = 40;

/// What the tables hold at the beginning.
pub fn initial(profile: Profile) -> State {
    let mut state = State::default();
    let mut put = |table: usize, row: Row| {
        state.apply(&Change { table, before: None, after: Some(row), silent: false });
    };
    (0..SEQ_ROWS).for_each(|id| put(SEQ, vec![Some(id), Some(0)]));
    for id in 1..=ACCOUNTS {
        put(A, vec![Some(id), Some(BALANCE), Some(0)]);
        put(B, vec![Some(id), Some(BALANCE), Some(0)]);
    }
    for id in 1..=SLOT_ROWS {
        put(SLOTS, vec![Some(id), Some(id), Some(id), Some(0)]);
    }
    for id in 1..=60 {
        put(MOVED, vec![Some(id), Some(id), Some(0)]);
    }
    for v in 0..20 {
        put(LOOSE, vec![Some(v % 7), Some(v % 3)]);
    }
    for id in 1..=profile.bulk_rows {
        put(BULK, vec![Some(id), Some(0), Some(0), Some(id)]);
    }
    for id in 1..=20 {
        put(CHILD, vec![Some(id), Some(id % 10 + 1), Some(0)]);
        put(GROWN, vec![Some(id), Some(0)]);
    }
    for id in 1..=10 {
        put(PARENT, vec![Some(id), Some(0)]);
        put(EMPTIED, vec![Some(id), Some(0)]);
    }
    state
}

fn literal(shape: &Shape, column: usize, value: Option<i64>) -> String {
    shape.cell(column, value).map_or_else(|| "NULL".to_owned(), |text| format!("'{text}'"))
}

/// A row as INSERT takes it.
pub fn values(shape: &Shape, row: &Row) -> String {
    let cells: Vec<String> = (0..).zip(row).map(|(c, value)| literal(shape, c, *value)).collect();
    format!("({})", cells.join(","))
}

/// A transaction in the making.
pub struct Draft<'s> {
    state: &'s mut State,
    n: i64,
    pub sql: Vec<String>,
    pub changes: Vec<Change>,
}

impl<'s> Draft<'s> {
    /// Begins the transaction with that number.
    pub fn begin(state: &'s mut State, number: u64) -> Self {
        let n = i64::try_from(number).unwrap();
        let mut draft = Self { state, n, sql: Vec::new(), changes: Vec::new() };
        let row = draft.state.find(SEQ, n % SEQ_ROWS).expect("it has all its rows").clone();
        draft.update(SEQ, &row, vec![row[0], Some(n)]);
        draft
    }

    /// Anything at all.
    pub fn fill_up(&mut self, dice: &mut Dice, profile: Profile) {
        match dice.below(100) {
            die if die < profile.large_percent => self.large(dice, profile.bulk_rows),
            90.. => (0..4).for_each(|_| self.piece(dice, profile)),
            _ => self.piece(dice, profile),
        }
    }

    fn piece(&mut self, dice: &mut Dice, profile: Profile) {
        match dice.below(15) {
            0..4 => self.transfer(dice),
            4 | 5 if profile.swaps => self.swap(dice),
            4..7 => self.hand_on(dice, profile),
            7 | 8 => self.move_key(dice),
            9 if profile.alone => self.loose(dice),
            10..12 => self.family(dice),
            12 => self.fill(dice),
            _ => self.grow(dice),
        }
    }

    fn transfer(&mut self, dice: &mut Dice) {
        let amount = number(dice, 50) + 1;
        for (table, amount) in [(A, -amount), (B, amount)] {
            let row = self.state.find(table, number(dice, 150) + 1).expect("accounts stay").clone();
            let after = vec![row[0], row[1].map(|balance| balance + amount), Some(self.n)];
            self.update(table, &row, after);
        }
    }

    /// Two rows swap a unique value inside the transaction, over a value that nobody has.
    fn swap(&mut self, dice: &mut Dice) {
        let (x, y) = (self.any(SLOTS, dice, 30), self.any(SLOTS, dice, 30));
        if x[0] == y[0] {
            return;
        }
        let column = 1 + usize::try_from(dice.below(2)).unwrap();
        let with = |row: &Row, value: Option<i64>, n: i64| {
            let mut row = row.clone();
            row[column] = value;
            row[3] = Some(n);
            row
        };
        let aside = with(&x, Some(-1), self.n);
        self.update(SLOTS, &x, aside.clone());
        self.update(SLOTS, &y, with(&y, x[column], self.n));
        self.update(SLOTS, &aside, with(&aside, y[column], self.n));
    }

    /// A unique value is let go, or taken by another row than had it: across transactions.
    fn hand_on(&mut self, dice: &mut Dice, profile: Profile) {
        let row = self.any(SLOTS, dice, 30);
        let column = 1 + usize::try_from(dice.below(2)).unwrap();
        let mut after = row.clone();
        after[3] = Some(self.n);
        match dice.below(if profile.swaps { 3 } else { 2 }) {
            0 => after[column] = None,
            1 => after[column] = Some(self.free_value(column, dice)),
            // The row goes, and another with its values comes, in one transaction.
            _ => {
                let free = (1..=SLOT_ROWS + 5).find(|id| self.state.find(SLOTS, *id).is_none());
                after[0] = free.filter(|_| dice.below(3) > 0).or(row[0]);
                self.delete(SLOTS, &row);
                return self.insert(SLOTS, after);
            }
        }
        self.update(SLOTS, &row, after);
    }

    fn free_value(&self, column: usize, dice: &mut Dice) -> i64 {
        let taken = |value: i64| self.state.tables[SLOTS].keys().any(|row| row[column] == Some(value));
        let from = number(dice, SLOT_VALUES);
        let count = i64::try_from(SLOT_VALUES).unwrap();
        (0..count)
            .map(|step| (from + step) % count + 1)
            .find(|value| !taken(*value))
            .expect("more values than rows")
    }

    /// A row gets another key; or goes and comes back; or is new; or goes.
    fn move_key(&mut self, dice: &mut Dice) {
        let target = number(dice, MOVED_IDS);
        let row = self.any(MOVED, dice, MOVED_IDS);
        let fresh = vec![Some(target), Some(self.n), Some(self.n)];
        match (self.state.find(MOVED, target).cloned(), dice.below(4)) {
            (None, 0) => self.insert(MOVED, fresh),
            (None, _) => self.update(MOVED, &row, vec![Some(target), row[1], Some(self.n)]),
            (Some(there), 0) if self.state.tables[MOVED].len() > 30 => self.delete(MOVED, &there),
            (Some(there), 1) => {
                self.delete(MOVED, &there);
                self.insert(MOVED, fresh);
            }
            (Some(there), _) if there != row => {
                // Two rows swap their keys.
                let aside = vec![Some(-1), there[1], Some(self.n)];
                self.update(MOVED, &there, aside.clone());
                self.update(MOVED, &row, vec![there[0], row[1], Some(self.n)]);
                self.update(MOVED, &aside, vec![row[0], there[1], Some(self.n)]);
            }
            (Some(there), _) => self.update(MOVED, &there, fresh),
        }
    }

    /// Parents and children; what the server does to the children is in its binlog, too.
    fn family(&mut self, dice: &mut Dice) {
        let parent = self.any(PARENT, dice, PARENTS);
        let free = self.free_id(PARENT, dice, PARENTS);
        match (dice.below(5), free) {
            (0, Some(id)) => {
                self.insert(PARENT, vec![Some(id), Some(self.n)]);
                (0..=dice.below(3)).for_each(|_| self.new_child(dice, Some(id)));
            }
            (1, _) if self.state.tables[PARENT].len() > 4 => {
                self.delete(PARENT, &parent);
                for child in self.state.with(CHILD, 1, parent[0]) {
                    self.change(CHILD, Some(child), None);
                }
            }
            (2, Some(id)) => {
                self.update(PARENT, &parent, vec![Some(id), Some(self.n)]);
                for child in self.state.with(CHILD, 1, parent[0]) {
                    let after = vec![child[0], Some(id), child[2]];
                    self.change(CHILD, Some(child), Some(after));
                }
            }
            (3, _) if self.state.tables[CHILD].len() > 10 => {
                let child = self.any(CHILD, dice, CHILDREN);
                let orphan = dice.below(4) == 0;
                let to = if orphan { None } else { parent[0] };
                self.update(CHILD, &child, vec![child[0], to, Some(self.n)]);
            }
            (4, _) if self.state.tables[CHILD].len() > 10 => {
                let child = self.any(CHILD, dice, CHILDREN);
                self.delete(CHILD, &child);
            }
            _ => self.new_child(dice, parent[0]),
        }
    }

    fn new_child(&mut self, dice: &mut Dice, parent: Option<i64>) {
        if let Some(id) = self.free_id(CHILD, dice, CHILDREN) {
            self.insert(CHILD, vec![Some(id), parent, Some(self.n)]);
        }
    }

    fn free_id(&self, table: usize, dice: &mut Dice, bound: u64) -> Option<i64> {
        let from = number(dice, bound);
        let bound = i64::try_from(bound).unwrap();
        (0..bound).map(|step| (from + step) % bound + 1).find(|id| self.state.find(table, *id).is_none())
    }

    /// A row of the table whose columns come and go.
    pub fn grow(&mut self, dice: &mut Dice) {
        let row = vec![Some(number(dice, GROWN_ROWS) + 1), Some(self.n)];
        match self.state.find(GROWN, row[0].unwrap()).cloned() {
            None => self.insert(GROWN, row),
            Some(there) if dice.below(4) == 0 => self.delete(GROWN, &there),
            Some(there) => self.update(GROWN, &there, row),
        }
    }

    /// A row of the table that is truncated now and then.
    fn fill(&mut self, dice: &mut Dice) {
        let row = vec![Some(number(dice, 30)), Some(self.n)];
        match self.state.find(EMPTIED, row[0].unwrap()).cloned() {
            None => self.insert(EMPTIED, row),
            Some(there) if dice.below(5) == 0 => self.delete(EMPTIED, &there),
            Some(there) => self.update(EMPTIED, &there, row),
        }
    }

    /// What a TRUNCATE took away since the transaction before.
    pub fn truncated(&mut self, rows: Vec<Change>) {
        rows.iter().for_each(|row| self.state.apply(row));
        self.changes.splice(0..0, rows);
    }

    /// Rows of which some are equal: one of them is as good as another.
    fn loose(&mut self, dice: &mut Dice) {
        let row = vec![Some(number(dice, 7)), Some(number(dice, 3))];
        let there = self.any(LOOSE, dice, 7);
        let rows: u32 = self.state.tables[LOOSE].values().sum();
        match dice.below(3) {
            0 if rows < LOOSE_ROWS => (0..=dice.below(2)).for_each(|_| self.insert(LOOSE, row.clone())),
            1 if rows > 10 => self.delete(LOOSE, &there),
            _ if there != row => self.update(LOOSE, &there, row),
            _ => {}
        }
    }

    /// Some hundred rows at once. They are written anew with other unique values, or without,
    /// so that later ones take what these let go; or only other texts are set.
    fn large(&mut self, dice: &mut Dice, rows: i64) {
        let from = number(dice, u64::try_from(rows - 600).unwrap()) + 1;
        let to = from + 500 + number(dice, 100);
        let there: Vec<Row> = self.state.tables[BULK]
            .range(vec![Some(from)]..vec![Some(to + 1)])
            .map(|(row, _)| row.clone())
            .collect();
        let manner = dice.below(3);
        if manner == 0 {
            let text = literal(&SHAPES[BULK], 1, Some(self.n));
            self.sql.push(format!("UPDATE bulk SET v={text}, n={} WHERE id BETWEEN {from} AND {to}", self.n));
            for row in there {
                let after = vec![row[0], Some(self.n), Some(self.n), row[3]];
                self.change(BULK, Some(row), Some(after));
            }
            return;
        }
        self.sql.push(format!("DELETE FROM bulk WHERE id BETWEEN {from} AND {to}"));
        there.into_iter().for_each(|row| self.change(BULK, Some(row), None));
        let taken: std::collections::BTreeSet<i64> =
            self.state.tables[BULK].keys().filter_map(|row| row[3]).collect();
        let count = rows + BULK_VALUES_FREE;
        let first = number(dice, 9000);
        let free = (0..count).map(|step| (first + step) % count + 1).filter(|u| !taken.contains(u));
        let values_of = free.map(Some).chain(std::iter::repeat(None));
        let all: Vec<Row> = (from..=to)
            .zip(values_of)
            .map(|(id, u)| vec![Some(id), Some(self.n), Some(self.n), u.filter(|_| manner == 1)])
            .collect();
        let list: Vec<String> = all.iter().map(|row| values(&SHAPES[BULK], row)).collect();
        self.sql.push(format!("INSERT INTO bulk VALUES {}", list.join(",")));
        all.into_iter().for_each(|row| self.change(BULK, None, Some(row)));
    }

    /// Some row of a table.
    fn any(&self, table: usize, dice: &mut Dice, bound: u64) -> Row {
        let rows = &self.state.tables[table];
        let from = vec![Some(number(dice, bound))];
        rows.range(from..).next().or_else(|| rows.iter().next()).expect("no table gets empty").0.clone()
    }

    fn insert(&mut self, table: usize, row: Row) {
        let (shape, later) = (&SHAPES[table], self.later(table));
        let names: String = later.iter().map(|(name, _)| format!(",{name}")).collect();
        let cells: String = later.iter().map(|(_, value)| format!(",{value}")).collect();
        let values = values(shape, &row);
        let values = format!("{}{cells})", values.strip_suffix(')').expect("a row ends so"));
        let columns = shape.columns.join(",");
        self.sql.push(format!("INSERT INTO {} ({columns}{names}) VALUES {values}", shape.name));
        self.change(table, None, Some(row));
    }

    /// What changes nothing is no change: the server does not log it either.
    fn update(&mut self, table: usize, before: &Row, after: Row) {
        if *before == after {
            return;
        }
        let shape = &SHAPES[table];
        let set: Vec<String> = (0..)
            .zip(&after)
            .map(|(c, value)| format!("{}={}", shape.columns[c], literal(shape, c, *value)))
            .chain(self.later(table).into_iter().map(|(name, value)| format!("{name}={value}")))
            .collect();
        let place = place(table, before);
        self.sql.push(format!("UPDATE {} SET {} WHERE {place} LIMIT 1", shape.name, set.join(", ")));
        self.change(table, Some(before.clone()), Some(after));
    }

    /// What this transaction writes into the columns of `grown` that were added later.
    fn later(&self, table: usize) -> Vec<(String, String)> {
        let columns = self.state.grown.iter().filter(|_| table == GROWN);
        let text = |value: Option<i64>| value.map_or("NULL".to_owned(), |value| value.to_string());
        columns.filter_map(|name| Some((name.clone(), text(grown::cell(name, self.n)?)))).collect()
    }

    fn delete(&mut self, table: usize, row: &Row) {
        let place = place(table, row);
        self.sql.push(format!("DELETE FROM {} WHERE {place} LIMIT 1", SHAPES[table].name));
        self.change(table, Some(row.clone()), None);
    }

    fn change(&mut self, table: usize, before: Option<Row>, after: Option<Row>) {
        let change = Change { table, before, after, silent: false };
        self.state.apply(&change);
        self.changes.push(change);
    }
}

fn place(table: usize, row: &Row) -> String {
    let shape = &SHAPES[table];
    let columns = if shape.keyed { 1 } else { shape.columns.len() };
    let terms: Vec<String> =
        (0..columns).map(|c| format!("{} <=> {}", shape.columns[c], literal(shape, c, row[c]))).collect();
    terms.join(" AND ")
}

fn number(dice: &mut Dice, bound: u64) -> i64 {
    i64::try_from(dice.below(bound)).unwrap()
}
