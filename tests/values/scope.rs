//! What a world's tables and values may be: the character sets, and what its modes keep.

use super::charset::Charset;
use crate::kit::Dice;

/// What is allowed.
#[derive(Clone, Debug)]
pub struct Scope {
    pub charsets: Vec<Charset>,
    pub times: Times,
    /// Digits of a DECIMAL.
    pub digits_max: u64,
}

/// Dates and times that arrive as they were (`src/envelope/modes.rs` says of each mode what does not).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Dates with zeros in them, and days that no calendar has.
    pub odd_dates: bool,
    /// TIMEs that are negative or over a day.
    pub any_time: bool,
    /// Digits behind the point of TIME and DATETIME.
    pub fsp_max: u64,
    /// Years of DATETIME.
    pub years: (u64, u64),
}

impl Times {
    /// All that MySQL has.
    pub const ALL: Self = Self { odd_dates: true, any_time: true, fsp_max: 6, years: (0, 9999) };
}

/// `time.precision.mode` beside the default, and what each mode keeps.
const TIME_MODES: [(&str, Times); 5] = [
    ("adaptive_time_microseconds", REAL_DATES),
    ("microseconds", REAL_DATES),
    ("connect", Times { any_time: false, fsp_max: 3, ..REAL_DATES }),
    ("isostring", Times { any_time: false, ..REAL_DATES }),
    ("nanoseconds", Times { years: (1678, 2261), ..REAL_DATES }),
];
const REAL_DATES: Times = Times { odd_dates: false, years: (1, 9999), ..Times::ALL };
/// Digits of any DECIMAL, and those that a double keeps.
const DIGITS_MAX: u64 = 65;
const DOUBLE_DIGITS_MAX: u64 = 15;

/// Debezium's other options, of which our sink knows how to get the value back.
const OPTIONS: [(&str, &[&str]); 6] = [
    ("decimal.handling.mode", &["string", "double", "precise"]),
    ("bigint.unsigned.handling.mode", &["long", "precise"]),
    ("binary.handling.mode", &["hex", "base64", "base64-url-safe", "bytes"]),
    ("tombstones.on.delete", &["false", "true"]),
    ("provide.transaction.metadata", &["true", "false"]),
    ("column.propagate.source.type", &["", ".*"]),
];

/// Modes of Debezium, and what they keep.
#[derive(Clone, Debug)]
pub struct Modes {
    /// Each option with its value; none: all is at its default.
    pub options: Vec<(&'static str, &'static str)>,
    pub times: Times,
    pub digits_max: u64,
}

impl Modes {
    pub const DEFAULTS: Self = Self { options: Vec::new(), times: Times::ALL, digits_max: DIGITS_MAX };

    /// The modes of a world. Every second has the defaults, which keep every value that there is. The first of the others
    /// have each value of each option once; those after them, in longer runs, any.
    pub fn of(world: usize, dice: &mut Dice) -> Self {
        if world.is_multiple_of(2) {
            return Self::DEFAULTS;
        }
        let turn = world / 2;
        let (time, times) = TIME_MODES[turn % TIME_MODES.len()];
        let chosen = OPTIONS.map(|(option, values)| match turn < TIME_MODES.len() {
            true => (option, values[turn % values.len()]),
            false => (option, *dice.pick(values)),
        });
        let is_double = chosen.contains(&("decimal.handling.mode", "double"));
        let options = [("time.precision.mode", time)].into_iter().chain(chosen).collect();
        Self { options, times, digits_max: if is_double { DOUBLE_DIGITS_MAX } else { DIGITS_MAX } }
    }

    /// As `source.toml` has them.
    pub fn section(&self) -> String {
        if self.options.is_empty() {
            return String::new();
        }
        let lines = self.options.iter().map(|(option, value)| format!("\"{option}\" = \"{value}\"\n"));
        format!("\n[debezium]\n{}", lines.collect::<String>())
    }

    /// The names under which cases are counted.
    pub fn names(&self) -> Vec<String> {
        if self.options.is_empty() {
            return vec!["defaults".to_owned()];
        }
        self.options.iter().map(|(option, value)| format!("{option} = {value}")).collect()
    }
}
