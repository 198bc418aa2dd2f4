//! A random table, and the statements that change its rows.

use super::kind::{Form, Kind};
use super::scope::Scope;
use crate::kit::Dice;

/// The number of each row, by which statements mean it; not always a key.
const NUMBER: &str = "n";
const COLUMNS_MAX: u64 = 9;
/// The server's limit for names, characters.
const NAME_LENGTH_MAX: usize = 64;

/// A table.
#[derive(Clone, Debug)]
pub struct Table {
    pub name: String,
    pub columns: Vec<Column>,
    keys: Vec<String>,
    /// Of the columns that came later; names are not used again.
    grown: usize,
    /// Columns that are gone, which stay at the destination.
    dropped: Vec<String>,
    tail: String,
    /// `n` counts by itself.
    counts: bool,
    rows: u64,
    /// It has had no row since its columns changed.
    pub has_changed: bool,
}

/// A column.
#[derive(Clone, Debug)]
pub struct Column {
    name: String,
    /// Its type; of a generated column none, since nobody writes it.
    pub kind: Option<Kind>,
    definition: String,
    /// May be left out of an INSERT.
    optional: bool,
}

impl Table {
    /// Any table.
    pub fn any(number: usize, scope: &Scope, dice: &mut Dice) -> Self {
        let name = odd_name(&format!("t{number}"), dice);
        let count = dice.between(1, COLUMNS_MAX);
        let mut columns: Vec<Column> =
            (0..count).map(|at| Column::any(&format!("c{at}"), scope, dice)).collect();
        let counts = dice.below(5) == 0;
        let mut keys = Vec::new();
        if counts {
            keys.push(format!("PRIMARY KEY ({NUMBER})"));
            // The server lets no expression stand on a column that counts.
            columns.retain(|c| c.kind.is_some());
        } else {
            keys.extend(identity(&mut columns, dice));
        }
        keys.extend((0..dice.below(3)).filter_map(|at| secondary(at, &columns, counts, dice)));
        let charset = dice.pick(&scope.charsets);
        let collation = dice.pick(&charset.collations);
        let comment = *dice.pick(&["", " COMMENT 'it''s \"odd\"; -- é'"]);
        let tail = format!(" CHARACTER SET {} COLLATE {collation}{comment}", charset.name);
        let (grown, dropped) = (0, Vec::new());
        Self { name, columns, keys, grown, dropped, tail, counts, rows: 0, has_changed: false }
    }

    /// The statement that makes it.
    pub fn create(&self) -> String {
        let own = if self.counts { " AUTO_INCREMENT" } else { "" };
        let mut parts = vec![format!("{NUMBER} INT NOT NULL{own}")];
        parts.extend(self.columns.iter().map(|c| format!("{} {}", quoted(&c.name), c.definition)));
        parts.extend(self.keys.iter().cloned());
        format!("CREATE TABLE {} ({}){}", quoted(&self.name), parts.join(", "), self.tail)
    }

    /// A statement that keeps one of its keys from being read by, if it has one of which that is true.
    pub fn hide_key(&self) -> Option<String> {
        let has = self.keys.iter().any(|key| key.contains("KEY k0 "));
        has.then(|| format!("ALTER TABLE {} ALTER INDEX k0 INVISIBLE", quoted(&self.name)))
    }

    /// The statement that removes it.
    pub fn drop(&self) -> String {
        format!("DROP TABLE {}", quoted(&self.name))
    }

    /// Adds a row.
    pub fn insert(&mut self, scope: &Scope, dice: &mut Dice) -> String {
        let verb = if dice.below(6) == 0 { "REPLACE" } else { "INSERT IGNORE" };
        // 0 and numbers below are rows, too, where nothing counts.
        let number = if dice.below(20) == 0 { "0".to_owned() } else { self.rows.to_string() };
        self.rows += 1;
        let mut names = vec![NUMBER.to_owned()];
        let mut values = vec![number];
        for column in &self.columns {
            let Some(kind) = &column.kind else { continue };
            if column.optional && dice.below(5) == 0 {
                continue;
            }
            names.push(quoted(&column.name));
            values.push(column.value(kind, scope, dice));
        }
        format!("{verb} INTO {} ({}) VALUES ({})", quoted(&self.name), names.join(","), values.join(","))
    }

    /// Changes its rows in some way.
    pub fn change(&mut self, scope: &Scope, dice: &mut Dice) -> String {
        match dice.below(10) {
            0..3 => self.insert(scope, dice),
            3 | 4 => format!("DELETE FROM {} WHERE {}", quoted(&self.name), self.some_row(dice)),
            5 if dice.below(4) == 0 => {
                format!("UPDATE IGNORE {} SET {NUMBER} = {NUMBER} + 100", quoted(&self.name))
            }
            _ => self.update(scope, dice),
        }
    }

    fn update(&mut self, scope: &Scope, dice: &mut Dice) -> String {
        let mut sets = Vec::new();
        for column in &self.columns {
            let Some(kind) = &column.kind else { continue };
            if dice.below(3) > 0 {
                continue;
            }
            let value = match kind {
                Kind::Json if dice.coin() => part_of_json(&quoted(&column.name), dice),
                _ => column.value(kind, scope, dice),
            };
            sets.push(format!("{} = {value}", quoted(&column.name)));
        }
        if sets.is_empty() {
            sets.push(format!("{NUMBER} = {}", self.rows));
            self.rows += 1;
        }
        format!("UPDATE IGNORE {} SET {} WHERE {}", quoted(&self.name), sets.join(", "), self.some_row(dice))
    }

    fn some_row(&self, dice: &mut Dice) -> String {
        match dice.below(12) {
            0 => "TRUE".to_owned(),
            _ => format!("{NUMBER} = {}", dice.below(self.rows.max(1))),
        }
    }

    /// Its columns become others: `done` tells what the server made of it.
    pub fn alter(&mut self, scope: &Scope, dice: &mut Dice) -> (String, Altered) {
        let free = |column: &Column| !self.keys.iter().any(|key| key.contains(&quoted(&column.name)));
        let own: Vec<usize> = (0..self.columns.len()).filter(|at| self.columns[*at].kind.is_some()).collect();
        let droppable: Vec<usize> = (0..self.columns.len()).filter(|at| free(&self.columns[*at])).collect();
        match dice.below(6) {
            0 if !droppable.is_empty() => {
                let at = *dice.pick(&droppable);
                let (table, column) = (quoted(&self.name), quoted(&self.columns[at].name));
                (format!("ALTER TABLE {table} DROP COLUMN {column}"), Altered::Dropped(at))
            }
            1 | 2 if !own.is_empty() => {
                let at = *dice.pick(&own);
                match self.columns[at].widened(scope, dice) {
                    Some(column) => (column.modify(&self.name), Altered::Wider(at, Box::new(column))),
                    None => self.grow(scope, dice),
                }
            }
            _ => self.grow(scope, dice),
        }
    }

    /// A column comes into the middle, without the rows being written anew.
    fn grow(&self, scope: &Scope, dice: &mut Dice) -> (String, Altered) {
        let name = format!("added{}", self.grown);
        let mut column = Column::any(&name, scope, dice);
        while !column.may_be_added(scope) {
            column = Column::any(&name, scope, dice);
        }
        let place = match dice.below(3) {
            _ if self.columns.is_empty() => " FIRST".to_owned(),
            0 => " FIRST".to_owned(),
            1 => format!(" AFTER {NUMBER}"),
            _ => format!(" AFTER {}", quoted(&dice.pick(&self.columns).name)),
        };
        let sql = format!(
            "ALTER TABLE {} ADD COLUMN {} {}{place}",
            quoted(&self.name),
            quoted(&column.name),
            column.definition
        );
        (sql, Altered::Grown(Box::new(column)))
    }

    /// Statements that drop at the destination what the source dropped.
    pub fn drop_remains(&self, database: &str) -> Vec<String> {
        let table = format!("{}.{}", quoted(database), quoted(&self.name));
        self.dropped.iter().map(|name| format!("ALTER TABLE {table} DROP COLUMN {}", quoted(name))).collect()
    }

    /// The server has done it.
    pub fn altered(&mut self, altered: Altered) {
        self.has_changed = true;
        match altered {
            Altered::Grown(column) => {
                self.grown += 1;
                self.columns.push(*column);
            }
            Altered::Wider(at, column) => self.columns[at] = *column,
            Altered::Dropped(at) => self.dropped.push(self.columns.remove(at).name),
        }
    }
}

/// What a statement makes of a table's columns.
#[derive(Clone, Debug)]
pub enum Altered {
    Grown(Box<Column>),
    Wider(usize, Box<Column>),
    Dropped(usize),
}

impl Column {
    fn any(name: &str, scope: &Scope, dice: &mut Dice) -> Self {
        let name = odd_name(name, dice);
        if dice.below(10) == 0 {
            let expression = *dice.pick(&[
                "INT GENERATED ALWAYS AS (n * 2)",
                "VARCHAR(30) CHARACTER SET latin1 GENERATED ALWAYS AS (CONCAT('g''', n, '\"'))",
                "JSON GENERATED ALWAYS AS (JSON_ARRAY(n, 'x'))",
                "DECIMAL(20,3) GENERATED ALWAYS AS (n / 3)",
            ]);
            let stored = *dice.pick(&["STORED", "VIRTUAL"]);
            let invisible = if dice.below(6) == 0 { " INVISIBLE" } else { "" };
            let definition = format!("{expression} {stored}{invisible}");
            return Self { name, kind: None, definition, optional: true };
        }
        let kind = Kind::any(scope, dice);
        let ty = kind.sql(scope);
        let nullable = dice.below(3) > 0;
        let default = match dice.below(5) {
            0 if kind.takes_default() => format!(" DEFAULT {}", kind.default(scope)),
            1 => expression_default(&kind),
            _ => String::new(),
        };
        let null = if nullable { "" } else { " NOT NULL" };
        let invisible = if dice.below(10) == 0 { " INVISIBLE" } else { "" };
        let comment = *dice.pick(&["", "", " COMMENT 'a\\\\b ''é\"'"]);
        let optional = nullable || !default.is_empty();
        Self {
            name,
            kind: Some(kind),
            definition: format!("{ty}{null}{default}{invisible}{comment}"),
            optional,
        }
    }

    /// The same with a wider type.
    fn widened(&self, scope: &Scope, dice: &mut Dice) -> Option<Self> {
        let kind = self.kind.as_ref()?;
        let wide = kind.widened(scope, dice)?;
        let rest = self.definition.strip_prefix(&kind.sql(scope)).unwrap();
        let definition = format!("{}{rest}", wide.sql(scope));
        Some(Self { kind: Some(wide), definition, ..self.clone() })
    }

    fn modify(&self, table: &str) -> String {
        format!("ALTER TABLE {} MODIFY COLUMN {} {}", quoted(table), quoted(&self.name), self.definition)
    }

    /// Whether the rows that are there can have it.
    fn may_be_added(&self, scope: &Scope) -> bool {
        let nullable = !self.definition.contains("NOT NULL");
        self.kind.as_ref().is_some_and(|kind| nullable || kind.may_be_added(scope))
    }

    fn value(&self, kind: &Kind, scope: &Scope, dice: &mut Dice) -> String {
        if !self.definition.contains("NOT NULL") && dice.below(6) == 0 {
            return "NULL".to_owned();
        }
        kind.value(scope, dice)
    }
}

/// A default that is worked out for each row.
fn expression_default(kind: &Kind) -> String {
    let expression = match kind {
        Kind::Text { form: Form::Large(_), .. } => "CONCAT('de', 'fault''')",
        Kind::Bytes { form: Form::Large(_) } => "UUID_TO_BIN(UUID())",
        Kind::Json => "JSON_ARRAY(1, 'x')",
        Kind::Double { shape: "" } => "RAND()",
        Kind::Integer { .. } => "1 + 2",
        Kind::Geometry { kind: "POINT" | "GEOMETRY", srid: None | Some(0) } => "POINT(1, 2)",
        Kind::Timestamp { fsp: 6 } | Kind::Datetime { fsp: 6 } => {
            return " DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)".to_owned();
        }
        _ => return String::new(),
    };
    format!(" DEFAULT ({expression})")
}

/// The key that says which row is meant; some tables have none.
fn identity(columns: &mut [Column], dice: &mut Dice) -> Option<String> {
    let keyed = |c: &Column| c.kind.as_ref().and_then(Kind::in_key).is_some();
    let able: Vec<usize> = (0..columns.len()).filter(|at| keyed(&columns[*at])).collect();
    let form = dice.below(8);
    if form == 0 {
        return None;
    }
    if form < 3 || able.is_empty() {
        return Some(format!("PRIMARY KEY ({NUMBER})"));
    }
    let mut chosen = vec![*dice.pick(&able), *dice.pick(&able)];
    chosen.dedup();
    let mut parts = Vec::new();
    for at in chosen {
        let column = &mut columns[at];
        if !column.definition.contains("NOT NULL") {
            let kind = column.kind.as_ref().unwrap();
            // Behind the type, which alone stands before what else there is.
            column.definition =
                match column.definition.find(" DEFAULT").or(column.definition.find(" INVISIBLE")) {
                    Some(at) => format!("{} NOT NULL{}", &column.definition[..at], &column.definition[at..]),
                    None => column.definition.replacen(" COMMENT", " NOT NULL COMMENT", 1),
                };
            if !column.definition.contains("NOT NULL") {
                column.definition.push_str(" NOT NULL");
            }
            column.optional = column.definition.contains(" DEFAULT");
            debug_assert!(kind.in_key().is_some());
        }
        parts.push(key_part(column, dice));
    }
    if form > 5 {
        parts.push(NUMBER.to_owned());
    }
    let whole = parts.iter().all(|p| !p.ends_with("(5)"));
    let verb = if form == 5 && whole { "UNIQUE KEY own" } else { "PRIMARY KEY" };
    Some(format!("{verb} ({})", parts.join(",")))
}

fn key_part(column: &Column, dice: &mut Dice) -> String {
    let prefix = column.kind.as_ref().and_then(Kind::in_key).unwrap_or_default();
    let order = if prefix.is_empty() && dice.below(4) == 0 { " DESC" } else { "" };
    format!("{}{prefix}{order}", quoted(&column.name))
}

/// Another key.
fn secondary(number: u64, columns: &[Column], counts: bool, dice: &mut Dice) -> Option<String> {
    let unique = if dice.below(3) == 0 { "UNIQUE " } else { "" };
    let tail = *dice.pick(&["", "", "", " INVISIBLE", " COMMENT 'k''s \"own\"'"]);
    if dice.below(3) == 0 || columns.is_empty() {
        return (!counts).then(|| format!("{unique}KEY k{number} (({NUMBER} * 3)){tail}"));
    }
    let column = dice.pick(columns);
    let kind = column.kind.as_ref()?;
    if matches!(kind, Kind::Json) {
        let members = *dice.pick(&["UNSIGNED", "DECIMAL(20,2)", "CHAR(20)"]);
        return Some(format!(
            "KEY k{number} ((CAST({}->'$.mv' AS {members} ARRAY))){tail}",
            quoted(&column.name)
        ));
    }
    kind.in_key()?;
    Some(format!("{unique}KEY k{number} ({}, {NUMBER}){tail}", key_part(column, dice)))
}

/// What the server may write as a difference.
fn part_of_json(column: &str, dice: &mut Dice) -> String {
    match dice.below(4) {
        0 => format!("JSON_SET({column}, '$.a', 7)"),
        1 => format!("JSON_REMOVE({column}, '$.a')"),
        2 => format!("JSON_REPLACE({column}, '$[0]', 'text', '$.bb', 2.5e0)"),
        _ => format!("JSON_SET({column}, '$.x', 7.25e0, '$[1]', 'd')"),
    }
}

/// A name that begins so, with something odd behind.
fn odd_name(base: &str, dice: &mut Dice) -> String {
    let mut name = match dice.below(14) {
        0 => format!("{base}.dot"),
        1 => format!("{base}`tick``"),
        2 => format!("{base}'\"quotes\""),
        3 => format!("{base} space s"),
        4 => format!("{base}☃ü"),
        5 => format!("{base}-%_/\\$#"),
        6 => format!("{base}{}", "long".repeat(NAME_LENGTH_MAX)),
        7 => format!("{base}日本語"),
        _ => base.to_owned(),
    };
    if name.len() > NAME_LENGTH_MAX {
        name.truncate(NAME_LENGTH_MAX);
    }
    name
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
