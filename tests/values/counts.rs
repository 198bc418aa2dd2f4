//! What was tried: types, character sets and modes, with how often.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::kind::Kind;
use super::scope::{Modes, Scope};
use super::table::Altered;

/// The version of the file that [`Counts::tell`] writes.
const VERSION: u32 = 1;
/// Names the file to write, if one is wanted.
const RESULTS: &str = "CDC_VALUES_RESULTS";
/// For types that have no character set.
const NO_CHARSET: &str = "-";

/// What was done.
#[derive(Default)]
pub struct Counts {
    pub cases: usize,
    pub statements: u64,
    pub refused: u64,
    pub transactions: u64,
    /// Of the world whose counts they are.
    names: Vec<String>,
    /// Cases by mode.
    modes: BTreeMap<String, u64>,
    /// Columns by type, character set and mode.
    kinds: BTreeMap<(String, String, String), u64>,
    /// Columns that came, went and became wider while changes streamed.
    altered: BTreeMap<&'static str, u64>,
}

impl Counts {
    pub fn of(modes: &Modes) -> Self {
        Self { names: modes.names(), ..Self::default() }
    }

    /// A case with columns of these types.
    pub fn case<'k>(&mut self, kinds: impl Iterator<Item = &'k Kind>, scope: &Scope) {
        self.cases += 1;
        self.transactions += 1;
        for mode in &self.names {
            *self.modes.entry(mode.clone()).or_default() += 1;
        }
        for (kind, charset) in kinds.map(|kind| kind.label(scope)) {
            let charset = charset.unwrap_or_else(|| NO_CHARSET.to_owned());
            for mode in &self.names {
                *self.kinds.entry((kind.clone(), charset.clone(), mode.clone())).or_default() += 1;
            }
        }
    }

    pub fn altered(&mut self, altered: &Altered) {
        let what = match altered {
            Altered::Grown(_) => "added",
            Altered::Wider(..) => "made wider",
            Altered::Dropped(_) => "dropped",
        };
        *self.altered.entry(what).or_default() += 1;
    }

    pub fn add(&mut self, other: Self) {
        self.cases += other.cases;
        self.statements += other.statements;
        self.refused += other.refused;
        self.transactions += other.transactions;
        other.modes.into_iter().for_each(|(mode, count)| *self.modes.entry(mode).or_default() += count);
        other.kinds.into_iter().for_each(|(kind, count)| *self.kinds.entry(kind).or_default() += count);
        other.altered.into_iter().for_each(|(what, count)| *self.altered.entry(what).or_default() += count);
    }

    /// Prints it, and writes the file that was asked for.
    pub fn tell(&self, seeds: &[u64], elapsed: Duration) {
        println!("{}", self.table());
        println!(
            "values: {} cases, {} types, {} character sets, {} statements ({} refused) in {} transactions, {:.0} s",
            self.cases,
            self.by_type().len(),
            self.by_charset().len(),
            self.statements,
            self.refused,
            self.transactions,
            elapsed.as_secs_f64()
        );
        let Some(file) = std::env::var_os(RESULTS) else { return };
        let text = serde_json::to_string_pretty(&self.json(seeds, elapsed)).unwrap();
        std::fs::write(&file, text + "\n").unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    }

    /// Columns of each type by mode. A column counts once for each option of its world.
    fn by_type(&self) -> BTreeMap<&str, BTreeMap<&str, u64>> {
        let mut types: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
        for ((kind, _, mode), count) in &self.kinds {
            *types.entry(kind).or_default().entry(mode).or_default() += count;
        }
        types
    }

    /// Columns of each character set by mode.
    fn by_charset(&self) -> BTreeMap<&str, BTreeMap<&str, u64>> {
        let mut sets: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
        for ((_, charset, mode), count) in self.kinds.iter().filter(|((_, set, _), _)| set != NO_CHARSET) {
            *sets.entry(charset).or_default().entry(mode).or_default() += count;
        }
        sets
    }

    /// Columns with the defaults, and in each mode of times beside: these part the worlds.
    fn table(&self) -> String {
        let parts: Vec<&str> = self
            .modes
            .keys()
            .map(String::as_str)
            .filter(|m| !m.contains(" = ") || m.starts_with("time"))
            .collect();
        let names: Vec<&str> = parts.iter().map(|m| m.rsplit(' ').next().unwrap_or(m)).collect();
        let mut lines = vec![format!("columns of a type, or in a character set | {}", names.join(" | "))];
        for (name, modes) in self.by_type().into_iter().chain(self.by_charset()) {
            let counts: Vec<String> =
                parts.iter().map(|mode| modes.get(mode).unwrap_or(&0).to_string()).collect();
            lines.push(format!("{name} | {}", counts.join(" | ")));
        }
        for (mode, cases) in &self.modes {
            lines.push(format!("{mode}: {cases} cases"));
        }
        lines.push(format!("columns changed: {:?}", self.altered));
        lines.join("\n")
    }

    fn json(&self, seeds: &[u64], elapsed: Duration) -> Value {
        let mut kinds: BTreeMap<&str, BTreeMap<&str, BTreeMap<&str, u64>>> = BTreeMap::new();
        for ((kind, charset, mode), count) in &self.kinds {
            kinds.entry(kind).or_default().entry(charset).or_default().insert(mode, *count);
        }
        json!({
            "version": VERSION, "cases": self.cases, "seeds": seeds, "seconds": elapsed.as_secs(),
            "types": self.by_type().len(), "character_sets": self.by_charset().len(),
            "statements": self.statements, "refused": self.refused, "transactions": self.transactions,
            "columns_changed": self.altered, "cases_by_mode": self.modes,
            "columns_by_type_charset_mode": kinds,
        })
    }
}
