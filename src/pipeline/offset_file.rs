//! The file that carries a map (topic, partition) → offset from one system to
//! another, and what `cdc offsets show --json` prints: JSON, version 1.

use std::fs;
use std::io::Write;
use std::path::Path;

use cdc_mysql_sink::Mark;
use cdc_sdk::cut::Place;
use cdc_sdk::{CutId, Error, Kind, Result};
use serde::{Deserialize, Serialize};

/// The version that this program writes and reads.
const VERSION: u64 = 1;

/// The longest file that is read, in bytes: a million partitions.
const BYTES_MAX: u64 = 256 << 20;

/// A map with what it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OffsetFile {
    version: u64,
    /// Whose topics these are.
    pub topic_prefix: String,
    /// What was asked for, in words.
    pub of: String,
    /// The cut; `None` before the first.
    #[serde(with = "cut_text")]
    pub cut: Option<CutId>,
    /// The offset in `prefix.cuts` to go on reading from.
    pub cuts_offset: i64,
    /// The source's position after the cut.
    pub position: String,
    offsets: Vec<Offset>,
    /// Why a copy of the destination does not go with them. Not there where one does: a program that does not know it refuses
    /// what has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_state: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Offset {
    topic: String,
    partition: i32,
    offset: i64,
}

impl OffsetFile {
    /// A file of this version, of what a ledger says or would say.
    pub fn new(topic_prefix: &str, of: String, mark: &Mark) -> Self {
        let places = mark.places.iter().cloned();
        let mut offsets: Vec<_> =
            places.map(|Place { topic, partition, offset }| Offset { topic, partition, offset }).collect();
        offsets.sort();
        Self {
            version: VERSION,
            topic_prefix: topic_prefix.to_owned(),
            of,
            cut: mark.cut,
            cuts_offset: mark.cuts_offset,
            position: mark.position.clone(),
            offsets,
            no_state: None,
        }
    }

    /// As text.
    pub fn json(&self) -> Result<String> {
        let text = serde_json::to_string_pretty(self);
        text.map(|t| t + "\n").map_err(|e| Error::new(Kind::Bug, "offsets cannot be written").caused_by(e))
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// [`Kind::UnknownVersion`]; [`Kind::BadPosition`] for all that is not as [`Self::json`] writes it.
    pub fn parse(text: &str) -> Result<Self> {
        let document: serde_json::Value = serde_json::from_str(text).map_err(unreadable)?;
        match document.get("version").and_then(serde_json::Value::as_u64) {
            Some(VERSION) => {}
            Some(other) => {
                return Err(Error::new(
                    Kind::UnknownVersion,
                    format!("offsets of version {other}; this program knows {VERSION}"),
                )
                .hint("run the version of cdc that wrote them, or a later one"));
            }
            None => return Err(unreadable("there is no \"version\"")),
        }
        let file: Self = serde_json::from_value(document).map_err(unreadable)?;
        file.check()?;
        Ok(file)
    }

    fn check(&self) -> Result<()> {
        if self.cuts_offset < 0 {
            return Err(unreadable(format!("cuts_offset is {}", self.cuts_offset)));
        }
        let own = format!("{}.", self.topic_prefix);
        let mut seen = std::collections::BTreeSet::new();
        for Offset { topic, partition, offset } in &self.offsets {
            if !topic.starts_with(&own) || *partition < 0 || *offset < 0 {
                return Err(unreadable(format!("{topic}/{partition} has offset {offset}")));
            }
            if !seen.insert((topic, partition)) {
                return Err(unreadable(format!("{topic}/{partition} stands there twice")));
            }
        }
        Ok(())
    }

    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self> {
        let name = path.display();
        let refused = |e| Error::new(Kind::Usage, format!("{name} cannot be read")).caused_by(e);
        let length = fs::metadata(path).map_err(refused)?.len();
        if length > BYTES_MAX {
            return Err(unreadable(format!("{name} has {length} bytes; the most is {BYTES_MAX}")));
        }
        Self::parse(&fs::read_to_string(path).map_err(refused)?).map_err(|e| e.at(name.to_string()))
    }

    /// Writes a file, in place of one that is there: whole or not at all.
    pub fn write(&self, path: &Path) -> Result<()> {
        let refused =
            |e| Error::new(Kind::Usage, format!("{} cannot be written", path.display())).caused_by(e);
        let mut beside = path.as_os_str().to_owned();
        beside.push(".part");
        let mut file = fs::File::create(&beside).map_err(refused)?;
        file.write_all(self.json()?.as_bytes()).and_then(|()| file.sync_all()).map_err(refused)?;
        fs::rename(&beside, path).map_err(refused)
    }

    /// For people.
    pub fn table(&self) -> String {
        let cut = self.cut.map_or("none".to_owned(), |c| c.to_string());
        let mut text = format!("{}: cut {cut}, position {}\n", self.of, self.position);
        text += &format!("  {:<60} {:>9} {:>12}\n", "topic", "partition", "offset");
        for Offset { topic, partition, offset } in &self.offsets {
            text += &format!("  {topic:<60} {partition:>9} {offset:>12}\n");
        }
        if let Some(why) = &self.no_state {
            text += &format!("what the destination holds now is no state of the source: {why}\n");
        }
        text
    }
}

fn unreadable(why: impl ToString) -> Error {
    Error::new(Kind::BadPosition, "that is no map of offsets")
        .detail(why.to_string())
        .hint("cdc offsets export writes one")
}

/// A cut as it is shown everywhere.
mod cut_text {
    use cdc_sdk::CutId;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    pub fn serialize<S: Serializer>(cut: &Option<CutId>, to: S) -> Result<S::Ok, S::Error> {
        cut.map(|c| c.to_string()).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<CutId>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|t| t.parse()).transpose().map_err(|e: cdc_sdk::Error| de::Error::custom(e.what()))
    }
}

#[cfg(test)]
mod tests;
