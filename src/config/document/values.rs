//! Values of keys, by type.
//!
//! Each reader notes what is wrong and returns `None`; what a key that is absent
//! means is the caller's to say.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use toml::de::DeValue;

use super::{Raw, Section, line_of};
use crate::config::problem::suggestion;

impl Section<'_, '_> {
    /// A text, expanded.
    pub(in crate::config) fn text(&mut self, key: &'static str) -> Option<String> {
        match self.raw(key)? {
            Raw::Environment(text) => Some(text.to_owned()),
            Raw::File(value) => {
                let line = Some(line_of(self.text, value.span().start));
                let Some(text) = value.get_ref().as_str() else {
                    self.wrong(key, "must be a text in quotes");
                    return None;
                };
                self.expanded(key, text, line)
            }
        }
    }

    /// A text that must be there and not be empty.
    pub(in crate::config) fn required_text(&mut self, key: &'static str) -> String {
        match self.text(key) {
            Some(text) if text.trim().is_empty() => self.wrong(key, "is empty"),
            Some(text) => return text,
            None if self.line_of_key(key).is_none() => self.missing(key),
            None => {}
        }
        String::new()
    }

    /// A whole number within a range.
    pub(in crate::config) fn number<T: TryFrom<i64>>(
        &mut self,
        key: &'static str,
        range: RangeInclusive<i64>,
    ) -> Option<T> {
        let number = self.raw(key).and_then(|found| match found {
            Raw::Environment(text) => text.trim().parse().ok(),
            Raw::File(value) => integer(value.get_ref()),
        });
        let legal = number.filter(|n| range.contains(n)).and_then(|n| T::try_from(n).ok());
        if legal.is_none() && self.has(key) {
            self.wrong(key, format!("must be a whole number from {} to {}", range.start(), range.end()));
        }
        legal
    }

    /// `true` or `false`.
    pub(in crate::config) fn flag(&mut self, key: &'static str) -> Option<bool> {
        let flag = self.raw(key).and_then(|found| match found {
            Raw::Environment(text) => text.trim().parse().ok(),
            Raw::File(value) => value.get_ref().as_bool(),
        });
        if flag.is_none() && self.has(key) {
            self.wrong(key, "must be true or false");
        }
        flag
    }

    /// One of the names given.
    pub(in crate::config) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let text = self.text(key)?;
        let chosen = choices.iter().find(|(name, _)| *name == text);
        if chosen.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            self.wrong(key, format!("'{text}' is not known{}", suggestion(&text, &names)));
        }
        chosen.map(|(_, value)| *value)
    }

    /// A path; a relative one starts at the file's directory.
    pub(in crate::config) fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        self.text(key).map(|text| self.directory().join(text))
    }

    /// A list of texts, each with its line; from the environment, by commas.
    pub(in crate::config) fn texts(&mut self, key: &'static str) -> Option<Vec<(String, Option<usize>)>> {
        let items: Vec<(String, Option<usize>)> = match self.raw(key)? {
            Raw::Environment(text) => {
                let items = text.split(',').map(str::trim).filter(|t| !t.is_empty());
                return Some(items.map(|t| (t.to_owned(), None)).collect());
            }
            Raw::File(value) => {
                let array = value.get_ref().as_array();
                let texts = array.map(|a| {
                    a.iter()
                        .map(|v| {
                            Some((v.get_ref().as_str()?.to_owned(), Some(line_of(self.text, v.span().start))))
                        })
                        .collect::<Option<Vec<_>>>()
                });
                match texts.flatten() {
                    Some(texts) => texts,
                    None => {
                        self.wrong(key, "must be a list of texts: [\"…\", \"…\"]");
                        return None;
                    }
                }
            }
        };
        Some(
            items
                .into_iter()
                .filter_map(|(text, line)| Some((self.expanded(key, &text, line)?, line)))
                .collect(),
        )
    }

    /// Every key of this section with its value as text, for names that are not ours.
    pub(in crate::config) fn entries(&mut self) -> Vec<(String, String, Option<usize>)> {
        let Some(table) = self.table else { return Vec::new() };
        let mut all = Vec::new();
        for (key, value) in table {
            let line = Some(line_of(self.text, key.span().start));
            let key = key.get_ref().to_string();
            match scalar(value.get_ref()) {
                Some(text) => {
                    if let Some(text) = self.expanded(&key, &text, line) {
                        all.push((key, text, line));
                    }
                }
                None => self.wrong(
                    &key,
                    "must be a text, a number, true or false; a name with dots must be quoted: \"a.b\" = …",
                ),
            }
        }
        all
    }
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// A single value as the text that a property file would hold.
fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(_) => integer(value).map(|n| n.to_string()),
        DeValue::Float(float) => Some(float.as_str().to_owned()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}
