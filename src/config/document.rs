//! A settings file as a tree of sections that know their lines.
//!
//! Each key that is asked for is thereby known; [`Section::close`] refuses what
//! is left. So the code that reads a key is the only list of keys there is, and
//! nothing that is misspelt is ever ignored. A key may also come from the
//! environment, as `CDC_SECTION__KEY`, and that wins over the file.

mod values;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::expand::expand;
use super::problem::{Problems, nearest, suggestion};

/// Sections that there may be several of: the environment names none of them.
const NUMBERED: [&str; 1] = ["route"];

/// What surrounds a settings file.
#[derive(Clone, Debug, Default)]
pub(super) struct Surroundings {
    /// The file's name, for errors.
    pub(super) file: String,
    /// Where relative paths in it start.
    pub(super) directory: PathBuf,
    /// The environment.
    pub(super) variables: BTreeMap<String, String>,
}

/// A parsed file and what is wrong in it so far.
pub(super) struct Document<'t> {
    text: &'t str,
    root: Spanned<DeTable<'t>>,
    around: &'t Surroundings,
    problems: Problems,
}

/// One table of the file while it is read, whether it is there or not.
pub(super) struct Section<'d, 't> {
    /// Names from the root, e.g. `mysql`, `tls`; empty for the root.
    path: Vec<String>,
    table: Option<&'d DeTable<'t>>,
    line: Option<usize>,
    known: Vec<&'static str>,
    /// Known names that are tables of their own; the environment sets none of them whole.
    inner: Vec<&'static str>,
    text: &'t str,
    around: &'t Surroundings,
    problems: &'d mut Problems,
}

impl<'t> Document<'t> {
    /// Parses; what is not TOML is noted, and the rest is still read.
    pub(super) fn parse(text: &'t str, around: &'t Surroundings) -> Self {
        let (root, errors) = DeTable::parse_recoverable(text);
        let mut problems = Problems::of(&around.file);
        for error in errors {
            // The error's own rendering quotes the line, which may hold a password.
            problems.note(error.span().map(|s| line_of(text, s.start)), error.message());
        }
        Self { text, root, around, problems }
    }

    /// Whether the file has this key at its top.
    pub(super) fn has(&self, key: &str) -> bool {
        self.root.get_ref().iter().any(|(name, _)| name.get_ref() == key)
    }

    /// The top of the file.
    pub(super) fn root(&mut self) -> Section<'_, 't> {
        Section {
            path: Vec::new(),
            table: Some(self.root.get_ref()),
            line: None,
            known: Vec::new(),
            inner: Vec::new(),
            text: self.text,
            around: self.around,
            problems: &mut self.problems,
        }
    }

    /// The value, or everything that is wrong.
    pub(super) fn finish<T>(self, value: T) -> cdc_sdk::Result<T> {
        self.problems.into_result(value)
    }
}

impl<'d, 't> Section<'d, 't> {
    /// The table within this one, whether it is there or not.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'_, 't> {
        self.inner.push(key);
        let mut path = self.path.clone();
        path.push(key.to_owned());
        let found = self.entry(key);
        let line = found.map(|v| line_of(self.text, v.span().start));
        let table = found.and_then(|v| v.get_ref().as_table());
        if found.is_some() && table.is_none() {
            self.problems.note(line, format!("'{}' must be a table: [{}]", key, path.join(".")));
        }
        self.within(path, table, line)
    }

    /// The tables of `[[key]]`, each read by `read`.
    pub(super) fn sections<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(Section<'_, 't>) -> Option<T>,
    ) -> Vec<T> {
        self.inner.push(key);
        let Some(found) = self.entry(key) else { return Vec::new() };
        let line = Some(line_of(self.text, found.span().start));
        let Some(array) = found.get_ref().as_array() else {
            self.problems.note(line, format!("'{key}' must be tables: [[{key}]]"));
            return Vec::new();
        };
        let mut all = Vec::new();
        for (index, item) in array.iter().enumerate() {
            let line = Some(line_of(self.text, item.span().start));
            let table = item.get_ref().as_table();
            if table.is_none() {
                self.problems.note(line, format!("'{key}' must be tables: [[{key}]]"));
                continue;
            }
            let path = vec![key.to_owned(), index.to_string()];
            all.extend(read(self.within(path, table, line)));
        }
        all
    }

    fn within<'s>(
        &'s mut self,
        path: Vec<String>,
        table: Option<&'s DeTable<'t>>,
        line: Option<usize>,
    ) -> Section<'s, 't> {
        Section {
            path,
            table,
            line,
            known: Vec::new(),
            inner: Vec::new(),
            text: self.text,
            around: self.around,
            problems: self.problems,
        }
    }

    /// Whether the file has this section.
    pub(super) fn present(&self) -> bool {
        self.table.is_some()
    }

    /// Whether the environment gives this key.
    pub(super) fn in_environment(&self, key: &str) -> bool {
        self.variable_of(key).is_some()
    }

    /// What the environment gives for this key.
    fn variable_of(&self, key: &str) -> Option<&'t String> {
        let is_numbered = self.path.first().is_some_and(|section| NUMBERED.contains(&section.as_str()));
        if is_numbered { None } else { self.around.variables.get(&self.variable(key)) }
    }

    /// Where relative paths start.
    pub(super) fn directory(&self) -> &'t Path {
        &self.around.directory
    }

    /// Notes a mistake at this key's line.
    pub(super) fn wrong(&mut self, key: &str, text: impl AsRef<str>) {
        let line = self.line_of_key(key);
        let text = format!("{}: {}", self.full(key), text.as_ref());
        self.problems.note(line, text);
    }

    /// Notes that a key is missing.
    pub(super) fn missing(&mut self, key: &str) {
        let text = format!("{} is missing", self.full(key));
        self.problems.note(self.line, text);
    }

    /// Notes a mistake at a line of this section.
    pub(super) fn wrong_at(&mut self, line: Option<usize>, key: &str, text: impl AsRef<str>) {
        let text = format!("{}: {}", self.full(key), text.as_ref());
        self.problems.note(line, text);
    }

    /// Whether the key is given, rightly or not.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entry(key).is_some() || self.in_environment(key)
    }

    /// As [`Section::close`], for a table that was read in several goes.
    pub(super) fn close_naming(mut self, keys: &[&'static str], tables: &[&'static str]) {
        self.known = keys.to_vec();
        self.inner = tables.to_vec();
        self.refuse_sections();
        self.close();
    }

    /// A variable `CDC_X__…` is of a section of ours, or misspelt. Those of the other role may be there: the two often
    /// have one environment.
    fn refuse_sections(&mut self) {
        for name in self.around.variables.keys() {
            let section = name.strip_prefix("CDC_").and_then(|rest| rest.split_once("__"));
            let Some(section) = section.map(|(section, _)| section.to_ascii_lowercase()) else { continue };
            if NUMBERED.contains(&section.as_str()) {
                let text =
                    format!("the variable {name} is not a setting; give it in the file, in [[{section}]]");
                self.problems.note(None, text);
            } else if !super::sections().any(|known| known == section) {
                let near = nearest(&section, super::sections()).unwrap_or("mysql").to_ascii_uppercase();
                let text = format!(
                    "the variable {name} is not a setting: no section is called so; such as CDC_{near}__…"
                );
                self.problems.note(None, text);
            }
        }
    }

    /// Notes a mistake at a line, in words that name the key themselves.
    pub(super) fn note_at(&mut self, line: Option<usize>, text: &str) {
        self.problems.note(line, text);
    }

    /// Refuses every key that was not asked for, in the file and in the environment.
    pub(super) fn close(self) {
        let names: Vec<&str> = self.known.iter().chain(&self.inner).copied().collect();
        for (key, _) in self.table.into_iter().flatten() {
            let name = key.get_ref().as_ref();
            if !names.contains(&name) {
                let text = format!("{} is not a setting{}", self.full(name), suggestion(name, &names));
                self.problems.note(Some(line_of(self.text, key.span().start)), text);
            }
        }
        if !self.path.is_empty() {
            self.refuse_variables();
        }
    }

    /// As [`Section::close`], for a section whose names are not ours: the environment sets none of them.
    pub(super) fn close_open_ended(self) {
        self.refuse_variables();
    }

    /// A variable `CDC_SECTION__…` that names no key is misspelt, not meant for another program.
    fn refuse_variables(self) {
        let prefix = self.variable("");
        let keys: Vec<String> = self.known.iter().map(|k| self.variable(k)).collect();
        let tables: Vec<String> = self.inner.iter().map(|k| self.variable(k) + "__").collect();
        let wrong = self.around.variables.keys().filter(|name| {
            name.starts_with(&prefix) && !keys.contains(name) && !tables.iter().any(|t| name.starts_with(t))
        });
        for name in wrong {
            let names: Vec<&str> = keys.iter().map(String::as_str).collect();
            let more = match names.as_slice() {
                [] => format!("; give it in the file, in [{}]", self.path.join(".")),
                names => suggestion(name, names),
            };
            self.problems.note(None, format!("the variable {name} is not a setting{more}"));
        }
    }

    fn expanded(&mut self, key: &str, text: &str, line: Option<usize>) -> Option<String> {
        match expand(text, &self.around.variables) {
            Ok(text) => Some(text),
            Err(why) => {
                self.wrong_at(line, key, why);
                None
            }
        }
    }

    fn raw(&mut self, key: &'static str) -> Option<Raw<'d, 't>> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        if let Some(text) = self.variable_of(key) {
            return Some(Raw::Environment(text));
        }
        self.entry(key).map(Raw::File)
    }

    fn entry(&self, key: &str) -> Option<&'d Spanned<DeValue<'t>>> {
        self.table?.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    fn line_of_key(&self, key: &str) -> Option<usize> {
        self.entry(key).map(|v| line_of(self.text, v.span().start))
    }

    /// The variable that overrides a key: `CDC_MYSQL__TLS__MODE`.
    fn variable(&self, key: &str) -> String {
        let mut parts: Vec<&str> = self.path.iter().map(String::as_str).collect();
        parts.push(key);
        format!("CDC_{}", parts.join("__").to_ascii_uppercase())
    }

    /// The key with its section: `[mysql] port`.
    fn full(&self, key: &str) -> String {
        match self.path.as_slice() {
            [] => format!("'{key}'"),
            [name, number] if number.bytes().all(|b| b.is_ascii_digit()) => format!("[[{name}]] '{key}'"),
            path => format!("[{}] '{key}'", path.join(".")),
        }
    }
}

enum Raw<'d, 't> {
    Environment(&'t str),
    File(&'d Spanned<DeValue<'t>>),
}

/// The line of a byte, from 1.
fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.iter().filter(|b| **b == b'\n').count() + 1
}
