//! What is wrong in a settings file: all of it, each with its line.
//!
//! Reading never stops at the first mistake. Every reader notes what it finds
//! here and goes on with a stand-in value; [`Problems::into_result`] is the only
//! way out, and it refuses when anything was noted, so a stand-in never escapes.
//! No text that is noted quotes a value of a key that may hold a secret.

use cdc_sdk::{Error, Kind, Result};

/// The mistakes noted so far in one file.
#[derive(Debug)]
pub(super) struct Problems {
    file: String,
    noted: Vec<Problem>,
}

/// One mistake.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Problem {
    /// Line in the file, from 1; `None` for what is missing or comes from the environment.
    line: Option<usize>,
    text: String,
}

impl Problems {
    /// Nothing noted yet in this file.
    pub(super) fn of(file: impl Into<String>) -> Self {
        Self { file: file.into(), noted: Vec::new() }
    }

    /// Notes a mistake.
    pub(super) fn note(&mut self, line: Option<usize>, text: impl Into<String>) {
        self.noted.push(Problem { line, text: text.into() });
    }

    /// The value, or all that is wrong in the order of the lines.
    pub(super) fn into_result<T>(mut self, value: T) -> Result<T> {
        if self.noted.is_empty() {
            return Ok(value);
        }
        self.noted.sort_by_key(|p| p.line.unwrap_or(usize::MAX));
        self.noted.dedup();
        let count = match self.noted.len() {
            1 => "1 setting is wrong".to_owned(),
            n => format!("{n} settings are wrong"),
        };
        let lines: Vec<String> = self.noted.iter().map(Problem::to_line).collect();
        Err(Error::new(Kind::Settings, format!("{}: {count}", self.file))
            .detail(lines.join("\n          "))
            .hint(
                "all keys, with their defaults: connectors/mysql-source/connector.toml and \
                 connectors/mysql-sink/connector.toml. `cdc check -c FILE` reads a file and the servers it names",
            ))
    }
}

impl Problem {
    fn to_line(&self) -> String {
        match self.line {
            Some(line) => format!("line {line}: {}", self.text),
            None => self.text.clone(),
        }
    }
}

/// The name that was probably meant: within a third of its length in edits
/// (Damerau–Levenshtein), the nearest first.
pub(super) fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_ascii_lowercase();
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&wrong, &name.to_ascii_lowercase()), name))
        .filter(|(edits, name)| *edits <= (name.len() / 3).max(1))
        .min()
        .map(|(_, name)| name)
}

/// `; did you mean 'x'?` where there is such a name, else the names there are.
pub(super) fn suggestion(wrong: &str, names: &[&str]) -> String {
    match nearest(wrong, names.iter().copied()) {
        Some(name) => format!("; did you mean '{name}'?"),
        None => format!("; there are: {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests;
