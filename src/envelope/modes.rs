//! How MySQL's values are written, by Debezium's option names.

use std::collections::BTreeMap;

use cdc_sdk::{Error, Kind, Result};

use super::key_columns::KeyColumns;
use super::regex_list::RegexList;

/// All modes together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modes {
    /// `decimal.handling.mode`
    pub decimal: DecimalMode,
    /// `bigint.unsigned.handling.mode`
    pub bigint_unsigned: BigintMode,
    /// `time.precision.mode`
    pub time: TimeMode,
    /// `binary.handling.mode`
    pub binary: BinaryMode,
    /// `tombstones.on.delete`: a null value follows a delete, so that compaction forgets the key.
    pub tombstones_on_delete: bool,
    /// `column.propagate.source.type`: the columns, as `database.table.column`, of which schemas tell the exact type
    /// as parameters.
    pub propagate_source_type: RegexList,
    /// `message.key.columns`: the tables whose records have another key than the table's.
    pub key_columns: KeyColumns,
    /// `provide.transaction.metadata`: the block `transaction` and the transaction topic.
    pub provide_transaction_metadata: bool,
    /// `include.schema.changes`: statements that changed captured tables, on the topic of the prefix.
    pub include_schema_changes: bool,
    /// Whether the table travels in its value schema (`cdc.table`), texts of ENUM and SET are told
    /// apart where Debezium's are the same, and JSON is marked with its kinds
    /// ([`cdc_sdk::json`]). Off in the profile `debezium`.
    pub carry_table: bool,
}

/// How DECIMAL is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecimalMode {
    /// Bytes, exact.
    Precise,
    /// Text, exact.
    Text,
    /// A double: loses digits.
    Double,
}

/// How BIGINT UNSIGNED is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BigintMode {
    /// decimal(20,0).
    Precise,
    /// A long, which turns negative above 2^63 - 1. Our reader turns it back.
    Long,
}

/// How DATE, TIME and DATETIME are written. TIMESTAMP is always a text in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeMode {
    /// Ours: see the table of the module.
    Exact,
    /// Days, µs, and ms or µs by the number of fractional digits; zero dates are lost.
    AdaptiveTimeMicroseconds,
    /// Kafka Connect's types: days and ms; microseconds and zero dates are lost.
    Connect,
    /// ISO 8601 texts in UTC; zero dates are lost.
    IsoString,
    /// Days, µs, µs; zero dates are lost.
    Microseconds,
    /// Days, ns, ns; zero dates are lost, and years from 1677 to 2262 only.
    Nanoseconds,
}

/// How BINARY, VARBINARY and BLOB are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryMode {
    /// Bytes.
    Bytes,
    /// Base64 text.
    Base64,
    /// Base64 text with the alphabet for URLs.
    Base64UrlSafe,
    /// Text of hexadecimal digits.
    Hex,
}

impl Default for Modes {
    fn default() -> Self {
        Self {
            decimal: DecimalMode::Precise,
            bigint_unsigned: BigintMode::Precise,
            time: TimeMode::Exact,
            binary: BinaryMode::Bytes,
            tombstones_on_delete: true,
            propagate_source_type: RegexList::every(),
            key_columns: KeyColumns::default(),
            provide_transaction_metadata: false,
            include_schema_changes: true,
            carry_table: true,
        }
    }
}

/// The options that [`Modes::from_options`] knows.
const OPTIONS: [&str; 10] = [
    "profile",
    "decimal.handling.mode",
    "bigint.unsigned.handling.mode",
    "time.precision.mode",
    "binary.handling.mode",
    "tombstones.on.delete",
    "column.propagate.source.type",
    "message.key.columns",
    "provide.transaction.metadata",
    "include.schema.changes",
];

impl Modes {
    /// Debezium's own defaults (`"profile" = "debezium"`).
    pub fn debezium() -> Self {
        Self {
            bigint_unsigned: BigintMode::Long,
            time: TimeMode::AdaptiveTimeMicroseconds,
            propagate_source_type: RegexList::default(),
            carry_table: false,
            ..Self::default()
        }
    }

    /// Reads the section `[debezium]`. `profile` chooses what the others start from:
    /// `exact` (ours) or `debezium`.
    ///
    /// # Errors
    /// [`Kind::Settings`] that lists every unknown name and value at once.
    pub fn from_options(options: &BTreeMap<String, String>) -> Result<Self> {
        let mut wrong = Vec::new();
        let mut modes = match options.get("profile").map(String::as_str) {
            None | Some("exact") => Self::default(),
            Some("debezium") => Self::debezium(),
            Some(other) => {
                wrong.push(unknown_value("profile", other, &["exact", "debezium"]));
                Self::default()
            }
        };
        for (name, value) in options {
            if let Err(why) = modes.set(name, value) {
                wrong.push(why);
            }
        }
        if wrong.is_empty() {
            return Ok(modes);
        }
        Err(Error::new(Kind::Settings, wrong.join("; "))
            .hint(format!("options read: {}", OPTIONS.join(", "))))
    }

    /// What the modes lose of MySQL's values, a line each, for whoever starts a source.
    pub fn losses(&self) -> Vec<String> {
        let mut losses = Vec::new();
        let mut say = |lossy: bool, option: &str, what: &str| {
            if lossy {
                losses.push(format!("\"{option}\" as it is set: {what}"));
            }
        };
        say(self.decimal == DecimalMode::Double, "decimal.handling.mode", "DECIMAL keeps 15 to 17 digits");
        say(
            self.bigint_unsigned == BigintMode::Long,
            "bigint.unsigned.handling.mode",
            "BIGINT UNSIGNED over 2^63 - 1 turns negative, and only who knows the column can turn it back",
        );
        let dates = "dates with zeros in them become NULL, or 1970 where there is no NULL";
        let times = match self.time {
            TimeMode::Exact => None,
            TimeMode::AdaptiveTimeMicroseconds | TimeMode::Microseconds => Some(dates.to_owned()),
            TimeMode::Connect => Some(format!(
                "{dates}; digits behind the milliseconds go; a TIME over a day or negative becomes NULL, and stops \
                 the source where there is no NULL"
            )),
            TimeMode::IsoString => Some(format!(
                "{dates}; a TIME over a day or negative becomes NULL, and stops the source where there is no NULL"
            )),
            TimeMode::Nanoseconds => Some(format!(
                "{dates}; DATETIMEs before 1677 and after 2262 become NULL, and stop the source where there is no NULL"
            )),
        };
        say(times.is_some(), "time.precision.mode", &times.unwrap_or_default());
        say(
            self.binary != BinaryMode::Bytes && !self.carry_table,
            "binary.handling.mode",
            "nothing in the schema tells texts that encode bytes from others: sinks of cdc refuse them",
        );
        say(
            !self.carry_table,
            "profile",
            "JSON is its text, without the kinds of MySQL's own values (DECIMAL, UNSIGNED INTEGER, dates, bytes); an ENUM's \
             index 0 and a member '' are one text, and so are a SET without members and its member ''",
        );
        losses
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "profile" => {}
            "decimal.handling.mode" => self.decimal = choose(name, value, &DECIMAL)?,
            "bigint.unsigned.handling.mode" => self.bigint_unsigned = choose(name, value, &BIGINT)?,
            "time.precision.mode" => self.time = choose(name, value, &TIME)?,
            "binary.handling.mode" => self.binary = choose(name, value, &BINARY)?,
            "tombstones.on.delete" => self.tombstones_on_delete = choose(name, value, &SWITCH)?,
            "column.propagate.source.type" => {
                let list = RegexList::parse(value);
                self.propagate_source_type = list.map_err(|why| format!("\"{name}\": {why}"))?;
            }
            "message.key.columns" => {
                let columns = KeyColumns::parse(value);
                self.key_columns = columns.map_err(|why| format!("\"{name}\": {why}"))?;
            }
            "provide.transaction.metadata" => {
                self.provide_transaction_metadata = choose(name, value, &SWITCH)?;
            }
            "include.schema.changes" => self.include_schema_changes = choose(name, value, &SWITCH)?,
            unknown => return Err(unknown_name(unknown)),
        }
        Ok(())
    }
}

const DECIMAL: [(&str, DecimalMode); 3] =
    [("precise", DecimalMode::Precise), ("string", DecimalMode::Text), ("double", DecimalMode::Double)];
const BIGINT: [(&str, BigintMode); 2] = [("precise", BigintMode::Precise), ("long", BigintMode::Long)];
const TIME: [(&str, TimeMode); 6] = [
    ("exact", TimeMode::Exact),
    ("adaptive_time_microseconds", TimeMode::AdaptiveTimeMicroseconds),
    ("connect", TimeMode::Connect),
    ("isostring", TimeMode::IsoString),
    ("microseconds", TimeMode::Microseconds),
    ("nanoseconds", TimeMode::Nanoseconds),
];
const BINARY: [(&str, BinaryMode); 4] = [
    ("bytes", BinaryMode::Bytes),
    ("base64", BinaryMode::Base64),
    ("base64-url-safe", BinaryMode::Base64UrlSafe),
    ("hex", BinaryMode::Hex),
];
const SWITCH: [(&str, bool); 2] = [("true", true), ("false", false)];

fn choose<T: Copy>(name: &str, value: &str, choices: &[(&str, T)]) -> Result<T, String> {
    let found = choices.iter().find(|(text, _)| text.eq_ignore_ascii_case(value.trim()));
    found.map(|(_, mode)| *mode).ok_or_else(|| {
        let texts: Vec<&str> = choices.iter().map(|(text, _)| *text).collect();
        unknown_value(name, value, &texts)
    })
}

fn unknown_value(name: &str, value: &str, choices: &[&str]) -> String {
    format!("\"{name}\" cannot be \"{value}\" (it can be \"{}\")", choices.join("\", \""))
}

fn unknown_name(name: &str) -> String {
    let nearest = OPTIONS
        .iter()
        .map(|option| (strsim::jaro_winkler(name, option), option))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.7);
    match nearest {
        Some((_, option)) => format!("\"{name}\" is not known; did you mean \"{option}\"?"),
        None => format!("\"{name}\" is not known; there are: {}", OPTIONS.join(", ")),
    }
}

#[cfg(test)]
mod tests;
