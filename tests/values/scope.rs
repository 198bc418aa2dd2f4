//! What a world's tables and values may be: the character sets, and what its modes keep.

use super::charset::Charset;
use crate::kit::Dice;

/// What is allowed.
#[derive(Clone, Debug)]
pub struct Scope {
    pub charsets: Vec<Charset>,
    pub times: Times,
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

/// `time.precision.mode`, and what each mode keeps.
const TIME_MODES: [(&str, Times); 6] = [
    ("exact", Times::ALL),
    ("adaptive_time_microseconds", REAL_DATES),
    ("microseconds", REAL_DATES),
    ("connect", Times { any_time: false, fsp_max: 3, ..REAL_DATES }),
    ("isostring", Times { any_time: false, ..REAL_DATES }),
    ("nanoseconds", Times { years: (1678, 2261), ..REAL_DATES }),
];
const REAL_DATES: Times = Times { odd_dates: false, years: (1, 9999), ..Times::ALL };

/// Debezium's other options, of which our sink knows how to get the value back.
const OPTIONS: [(&str, &[&str]); 6] = [
    ("decimal.handling.mode", &["precise", "string"]),
    ("bigint.unsigned.handling.mode", &["precise", "long"]),
    ("binary.handling.mode", &["bytes", "base64", "base64-url-safe", "hex"]),
    ("tombstones.on.delete", &["true", "false"]),
    ("provide.transaction.metadata", &["true", "false"]),
    ("column.propagate.source.type", &[".*", ""]),
];

/// Modes of Debezium as `source.toml` has them, and the dates and times that they keep. Worlds one after another
/// take one time mode after the other; the rest is drawn.
pub fn modes(number: usize, dice: &mut Dice) -> (String, Times) {
    let (time, times) = TIME_MODES[number % TIME_MODES.len()];
    let lines = OPTIONS.map(|(option, values)| format!("\"{option}\" = \"{}\"\n", dice.pick(values)));
    (format!("\n[debezium]\n\"time.precision.mode\" = \"{time}\"\n{}", lines.concat()), times)
}
