//! Which tables are meant: `database.table` with `*` (any text) and `?` (one
//! character), names with dots in backticks.
//!
//! A pattern has two parts, and a wildcard never reaches over the dot between
//! them. Names are compared exactly, letter case included: whether a server
//! folds case is its own setting (`lower_case_table_names`), and a name as the
//! server's log spells it is what is compared.

use std::fmt;

use crate::error::{Error, Kind, Result};
use crate::name::TableName;

/// MySQL's own databases (manual, "The mysql System Schema", "MySQL sys Schema" and so on).
pub const SYSTEM_DATABASES: [&str; 4] = ["mysql", "sys", "information_schema", "performance_schema"];

/// The sink's database, whose rows are no data of the user. A ledger in a database of another name
/// (`ledger_database`) is not known here: the source's check tells of it.
const LEDGER_DATABASE: &str = "cdc";

/// Tables by name, with wildcards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    database: Part,
    table: Part,
}

/// One side of the dot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Part(Vec<Glyph>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Glyph {
    Literal(char),
    /// `?`
    One,
    /// `*`
    Any,
}

/// What the wildcards of a part stood for, in order.
#[derive(Debug, Default)]
struct Captures {
    any: Vec<String>,
    one: Vec<char>,
}

impl Pattern {
    /// Reads `database.table`.
    ///
    /// # Errors
    /// [`Kind::Settings`]: a part is missing or empty, there is one dot too many,
    /// or a backtick is not closed.
    pub fn parse(text: &str) -> Result<Self> {
        let mut parts = split(text.trim()).map_err(|why| refused(text, why))?.into_iter();
        match (parts.next(), parts.next(), parts.next()) {
            (Some(database), Some(table), None) if !database.0.is_empty() && !table.0.is_empty() => {
                Ok(Self { database, table })
            }
            (_, None, _) => Err(refused(text, "the dot between database and table is missing")),
            (_, _, Some(_)) => Err(refused(text, "there is more than one dot")),
            _ => Err(refused(text, "a part is empty")),
        }
    }

    /// All tables of a database.
    pub fn database_named(name: &str) -> Self {
        Self { database: Part(name.chars().map(Glyph::Literal).collect()), table: Part(vec![Glyph::Any]) }
    }

    /// Whether it means this table.
    pub fn matches(&self, name: &TableName) -> bool {
        self.database.captures(&name.database).is_some() && self.table.captures(&name.table).is_some()
    }

    /// The one database that its tables are in, where that is spelled out.
    pub fn database(&self) -> Option<String> {
        self.database.fill(&Captures::default())
    }

    /// The one table that it means, where it has no wildcard.
    pub fn exact(&self) -> Option<TableName> {
        let nothing = Captures::default();
        Some(TableName { database: self.database.fill(&nothing)?, table: self.table.fill(&nothing)? })
    }
}

/// Which tables are captured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// A table is selected if one of these matches,
    pub include: Vec<Pattern>,
    /// and none of these.
    pub exclude: Vec<Pattern>,
}

/// Whether only an include that spells this database out selects it.
fn is_internal(database: &str) -> bool {
    SYSTEM_DATABASES.iter().chain([&LEDGER_DATABASE]).any(|d| d.eq_ignore_ascii_case(database))
}

impl Selection {
    /// Whether the table is selected. MySQL's own databases and the ledger's are
    /// only where the database is spelled out, without a wildcard.
    pub fn selects(&self, name: &TableName) -> bool {
        let internal = is_internal(&name.database);
        let included = |p: &Pattern| p.matches(name) && !(internal && p.database.has_wildcard());
        self.include.iter().any(included) && !self.exclude.iter().any(|p| p.matches(name))
    }

    /// Whether a table of this database could be selected.
    pub fn may_select_in(&self, database: &str) -> bool {
        let internal = is_internal(database);
        let includes =
            |p: &Pattern| p.database.captures(database).is_some() && !(internal && p.database.has_wildcard());
        self.include.iter().any(includes)
    }
}

/// Where a table's rows go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The tables on the source.
    pub from: Pattern,
    /// Their names on the destination.
    pub to: Pattern,
}

impl Route {
    /// A route whose wildcards fit each other.
    ///
    /// # Errors
    /// [`Kind::Settings`]: `to` has a wildcard that no wildcard of `from` fills.
    pub fn new(from: Pattern, to: Pattern) -> Result<Self> {
        let route = Self { from, to };
        let fits =
            |from: &Part, to: &Part| [Glyph::Any, Glyph::One].iter().all(|&g| to.count(g) <= from.count(g));
        if fits(&route.from.database, &route.to.database) && fits(&route.from.table, &route.to.table) {
            return Ok(route);
        }
        Err(Error::new(
            Kind::Settings,
            format!("route from '{}' to '{}': a wildcard stands for nothing", route.from, route.to),
        )
        .hint("each * or ? of a part of `to` takes what the same one of that part of `from` matched"))
    }

    /// Whether `from` has wildcards that leave no trace in the names on the destination: several tables may get one name.
    pub fn merges(&self) -> bool {
        let loses =
            |from: &Part, to: &Part| [Glyph::Any, Glyph::One].iter().any(|&g| to.count(g) < from.count(g));
        loses(&self.from.database, &self.to.database) || loses(&self.from.table, &self.to.table)
    }

    /// The destination's name: each wildcard of a part of `to` takes what the same one
    /// of that part of `from` matched (the first `*` as little as it can, and so on).
    /// `None` if `from` does not match.
    pub fn apply(&self, name: &TableName) -> Option<TableName> {
        let database = self.from.database.captures(&name.database)?;
        let table = self.from.table.captures(&name.table)?;
        Some(TableName { database: self.to.database.fill(&database)?, table: self.to.table.fill(&table)? })
    }
}

impl Part {
    fn has_wildcard(&self) -> bool {
        self.0.iter().any(|g| !matches!(g, Glyph::Literal(_)))
    }

    fn count(&self, glyph: Glyph) -> usize {
        self.0.iter().filter(|g| **g == glyph).count()
    }

    /// What the wildcards stand for; `None` if the name does not match. Only the
    /// last `*` seen is ever extended, which is enough to find a match where there
    /// is one, in at most pattern × name steps.
    fn captures(&self, name: &str) -> Option<Captures> {
        let name: Vec<char> = name.chars().collect();
        let (mut at, mut glyph) = (0, 0);
        let mut last_any: Option<(usize, usize)> = None;
        let mut spans = vec![(0, 0); self.0.len()];
        loop {
            match self.0.get(glyph) {
                None if at == name.len() => break,
                Some(Glyph::Any) => {
                    spans[glyph] = (at, at);
                    last_any = Some((glyph, at));
                    glyph += 1;
                    continue;
                }
                Some(Glyph::One) if at < name.len() => spans[glyph] = (at, at + 1),
                Some(Glyph::Literal(c)) if name.get(at) == Some(c) => {}
                _ => {
                    let (any, end) = last_any.filter(|&(_, end)| end < name.len())?;
                    spans[any].1 = end + 1;
                    last_any = Some((any, end + 1));
                    (at, glyph) = (end + 1, any + 1);
                    continue;
                }
            }
            at += 1;
            glyph += 1;
        }
        Some(self.collect(&name, &spans))
    }

    fn collect(&self, name: &[char], spans: &[(usize, usize)]) -> Captures {
        let mut captures = Captures::default();
        for (glyph, &(from, to)) in self.0.iter().zip(spans) {
            let text = name.get(from..to).unwrap_or_default();
            match glyph {
                Glyph::Any => captures.any.push(text.iter().collect()),
                Glyph::One => captures.one.extend(text),
                Glyph::Literal(_) => {}
            }
        }
        captures
    }

    /// The part with its wildcards replaced; `None` if there are too few captures.
    fn fill(&self, captures: &Captures) -> Option<String> {
        let (mut any, mut one) = (captures.any.iter(), captures.one.iter());
        let mut name = String::new();
        for glyph in &self.0 {
            match glyph {
                Glyph::Literal(c) => name.push(*c),
                Glyph::Any => name.push_str(any.next()?),
                Glyph::One => name.push(*one.next()?),
            }
        }
        Some(name)
    }
}

/// The parts between dots, with backticks taken off.
fn split(text: &str) -> Result<Vec<Part>, &'static str> {
    let mut parts = vec![Part::default()];
    let mut quoted = false;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let glyph = match letter {
            '`' if quoted && letters.next_if_eq(&'`').is_some() => Glyph::Literal('`'),
            '`' => {
                quoted = !quoted;
                continue;
            }
            '.' if !quoted => {
                parts.push(Part::default());
                continue;
            }
            '*' if !quoted => Glyph::Any,
            '?' if !quoted => Glyph::One,
            other => Glyph::Literal(other),
        };
        if let Some(part) = parts.last_mut() {
            part.0.push(glyph);
        }
    }
    if quoted { Err("a backtick is not closed") } else { Ok(parts) }
}

fn refused(text: &str, why: &str) -> Error {
    Error::new(Kind::Settings, format!("'{text}' does not name tables: {why}"))
        .hint("write database.table, with * and ?, and names that hold dots in backticks: `my.db`.orders_*")
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.database, self.table)
    }
}

/// Letters that mean something in a pattern, and stretches of letters that hold
/// such, are put in backticks.
impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for run in self.0.chunk_by(|a, b| matches!((a, b), (Glyph::Literal(_), Glyph::Literal(_)))) {
            match run.first() {
                Some(Glyph::Any) => f.write_str("*")?,
                Some(Glyph::One) => f.write_str("?")?,
                Some(Glyph::Literal(_)) | None => write_literal(f, run)?,
            }
        }
        Ok(())
    }
}

fn write_literal(f: &mut fmt::Formatter<'_>, run: &[Glyph]) -> fmt::Result {
    let text = Part(run.to_vec()).fill(&Captures::default()).unwrap_or_default();
    let special = |c: char| matches!(c, '.' | '*' | '?' | '`') || c.is_whitespace();
    if text.contains(special) { f.write_str(&crate::name::quoted(&text)) } else { f.write_str(&text) }
}

#[cfg(test)]
mod tests;
