//! Columns of the destination that are of another type than the source's, where nobody has made them fit (`schema =
//! "none"`, topics that do not tell types): MySQL converts, and of much that a value loses on the way it says nothing even in
//! strict mode. A number is rounded, a time loses its fraction, an ENUM's number means another member, spaces go
//! (manual, "Rounding Behavior", "Fractional Seconds in Time Values", "The CHAR and VARCHAR Types"). Such values are
//! refused one by one, and members are found by their names. What MySQL refuses by itself is left to it.

use std::fmt::Write as _;

use cdc_sdk::value::Value;
use cdc_sdk::{Error, Kind, Result};

/// How a column of another type takes the source's values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// The destination's type as its catalogue spells it.
    pub type_text: String,
    /// What of a value could be lost, or mean something else.
    pub danger: Danger,
}

/// What of a value could be lost in a column, or mean something else there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Danger {
    /// Digits behind the point, beyond so many.
    Digits(usize),
    /// The same in a FLOAT(M,D), for which a DOUBLE that is the value of a FLOAT has that one's digits.
    SingleDigits(usize),
    /// What a FLOAT cannot tell from its neighbours.
    Single,
    /// What a DOUBLE cannot tell from its neighbours.
    Double,
    /// Digits of a DATETIME's or TIMESTAMP's fraction, beyond so many.
    Instant(usize),
    /// Digits of a TIME's fraction, beyond so many, and the date.
    Clock(usize),
    /// The time of day.
    Day,
    /// Years of two digits are read as others.
    Year,
    /// Spaces at the end of a text that is longer than this.
    Spaces {
        /// In letters.
        letters: usize,
        /// In bytes.
        bytes: usize,
    },
    /// A BINARY fills what is shorter with zeros.
    Padding(usize),
    /// An ENUM's or SET's members have other numbers, or are none.
    Members(Members),
    /// Text of a topic that tells no types may be bytes in some encoding.
    Encoded,
    /// Text is read as a number where it is none of these members.
    Named(Vec<String>),
}

/// The members of the source's ENUM or SET.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Members {
    /// Their names, in the source's order.
    pub names: Vec<String>,
    /// Where each stands among the destination's, the first at 0; nothing at all for a column of text.
    pub places: Option<Vec<Option<usize>>>,
}

impl Misfit {
    /// The value as the destination's column takes it; `scratch` holds what has to be put together.
    ///
    /// # Errors
    /// [`Kind::RowRefused`] where it would be another one there.
    pub fn stored<'v>(&'v self, value: Value<'v>, scratch: &'v mut String) -> Result<Value<'v>> {
        let (is_safe, value) = match (&self.danger, value) {
            (Danger::Members(members), Value::Enum(number)) => return self.member(members, number),
            (Danger::Members(members), Value::Set(bits)) => return self.subset(members, bits, scratch),
            (Danger::Encoded, Value::Text(_)) => return Err(self.encoded()),
            (Danger::SingleDigits(most), Value::Double(number)) if f64::from(number as f32) == number => {
                let single = Value::Float(number as f32);
                (digits_behind(single, scratch).is_none_or(|n| n <= *most), value)
            }
            (Danger::Digits(most) | Danger::SingleDigits(most), value) => {
                (digits_behind(value, scratch).is_none_or(|n| n <= *most), value)
            }
            (Danger::Single, value) => (is_float(value, scratch, 24, |n| f64::from(n as f32)), value),
            (Danger::Double, value) => (is_float(value, scratch, 53, |n| n), value),
            (Danger::Instant(most) | Danger::Clock(most), Value::Text(text)) => {
                (fraction(text) <= *most, value)
            }
            (Danger::Instant(most), Value::DateTime(at) | Value::Timestamp(at)) => {
                (fits_fraction(at.micros.into(), *most), value)
            }
            (Danger::Instant(_), Value::Time(_))
            | (Danger::Clock(_), Value::DateTime(_) | Value::Timestamp(_)) => (false, value),
            (Danger::Clock(most), Value::Time(at)) => (fits_fraction(at.micros.unsigned_abs(), *most), value),
            (Danger::Day, Value::DateTime(at) | Value::Timestamp(at)) => {
                ((at.hour, at.minute, at.second, at.micros) == (0, 0, 0, 0), value)
            }
            (Danger::Day, Value::Text(text)) => (text.len() <= "2000-01-01".len(), value),
            (Danger::Day, Value::Time(_)) => (false, value),
            (Danger::Year, Value::Int(number)) => (!(1..100).contains(&number), value),
            (Danger::Year, Value::UInt(number)) => (!(1..100).contains(&number), value),
            (Danger::Spaces { letters, bytes }, Value::Text(text)) => {
                let is_longer = text.len() > *bytes || text.chars().nth(*letters).is_some();
                (!(is_longer && text.ends_with(' ')), value)
            }
            (Danger::Padding(length), Value::Bytes(bytes)) => (bytes.len() >= *length, value),
            (Danger::Padding(length), Value::Text(text)) => (text.len() >= *length, value),
            (Danger::Named(members), Value::Text(text)) => {
                let is_member = |name: &str| members.iter().any(|member| member == name);
                (is_member(text) || text.is_empty() || text.split(',').all(is_member), value)
            }
            (_, value) => (true, value),
        };
        if is_safe { Ok(value) } else { Err(self.refused("the value would be cut or rounded there")) }
    }

    fn member<'v>(&self, members: &'v Members, number: u16) -> Result<Value<'v>> {
        let at = usize::from(number).checked_sub(1);
        let name = at.map(|at| members.names.get(at).map_or("", String::as_str));
        match (&members.places, at) {
            (None, _) => Ok(Value::Text(name.unwrap_or_default())),
            (Some(_), None) => Ok(Value::Enum(0)),
            (Some(places), Some(at)) => {
                let place = places.get(at).copied().flatten().and_then(|place| u16::try_from(place + 1).ok());
                place.map(Value::Enum).ok_or_else(|| self.no_member(name.unwrap_or_default()))
            }
        }
    }

    fn subset<'v>(&self, members: &'v Members, bits: u64, scratch: &'v mut String) -> Result<Value<'v>> {
        let chosen = members
            .names
            .iter()
            .enumerate()
            .filter(|(at, _)| bits.checked_shr(*at as u32).is_some_and(|b| b & 1 == 1));
        let mut stored = 0_u64;
        for (at, name) in chosen {
            match &members.places {
                None => {
                    if !scratch.is_empty() {
                        scratch.push(',');
                    }
                    scratch.push_str(name);
                }
                Some(places) => {
                    let place = places.get(at).copied().flatten().and_then(|place| u32::try_from(place).ok());
                    let bit = place.and_then(|place| 1_u64.checked_shl(place));
                    stored |= bit.ok_or_else(|| self.no_member(name))?;
                }
            }
        }
        Ok(if members.places.is_some() { Value::Set(stored) } else { Value::Text(scratch) })
    }

    fn no_member(&self, name: &str) -> Error {
        self.refused(&format!("'{name}' is none of its members"))
    }

    fn encoded(&self) -> Error {
        self.refused("the event has text, which may be bytes in base64 or hex: nothing tells").hint(
            "let Debezium write bytes (binary.handling.mode = bytes), or tell types (column.propagate.source.type = .*); for text \
             make the column one of text",
        )
    }

    fn refused(&self, why: &str) -> Error {
        Error::new(Kind::RowRefused, format!("the destination's column is {}: {why}", self.type_text))
            .hint("ALTER the destination's table so that the column holds what the source's does")
    }
}

/// The digits behind a number's point; nothing where it is no number.
fn digits_behind(value: Value<'_>, scratch: &mut String) -> Option<usize> {
    shown(value, scratch).then(|| fraction(scratch))
}

/// The digits behind the last point, but for zeros at the end.
fn fraction(text: &str) -> usize {
    text.rsplit_once('.').map_or(0, |(_, behind)| behind.trim_end_matches('0').len())
}

/// Writes a number without an exponent. `false`: it is none.
fn shown(value: Value<'_>, out: &mut String) -> bool {
    let written = match value {
        Value::Decimal(number) => write!(out, "{number}"),
        Value::Double(number) => write!(out, "{number}"),
        // In the fewest digits that tell it from its neighbours, as MySQL shows it.
        Value::Float(number) => write!(out, "{number}"),
        Value::Int(number) => write!(out, "{number}"),
        Value::UInt(number) => write!(out, "{number}"),
        Value::Text(text) => match text.contains(['e', 'E']).then(|| text.trim().parse::<f64>()) {
            Some(Ok(number)) => write!(out, "{number}"),
            Some(Err(_)) => return false,
            None => write!(out, "{}", text.trim()),
        },
        _ => return false,
    };
    written.is_ok()
}

/// Whether a binary fraction of so many bits is the number that was meant: of decimal ones the nearest is, as long as
/// they have no more digits than it tells apart.
fn is_float(value: Value<'_>, scratch: &mut String, bits: u32, nearest: impl Fn(f64) -> f64) -> bool {
    let is_whole = |magnitude: u64| {
        let zeros = magnitude.trailing_zeros().min(63);
        magnitude >> zeros < 1 << bits
    };
    match value {
        Value::Int(number) => is_whole(number.unsigned_abs()),
        Value::UInt(number) | Value::Bit(number) => is_whole(number),
        Value::Double(number) => nearest(number).to_bits() == number.to_bits(),
        Value::Decimal(_) | Value::Text(_) => {
            let digits_max = if bits < 53 { 6 } else { 15 };
            !shown(value, scratch) || {
                let digits = scratch.trim_start_matches(['-', '0', '.']).bytes().filter(u8::is_ascii_digit);
                let behind = scratch.contains('.').then(|| scratch.trim_end_matches('0'));
                let zeros = behind.map_or(0, |kept| scratch.len() - kept.len());
                digits.count().saturating_sub(zeros) <= digits_max
            }
        }
        _ => true,
    }
}

/// Whether microseconds need no more digits than these.
fn fits_fraction(micros: u64, digits: usize) -> bool {
    let unit = [1_000_000, 100_000, 10_000, 1000, 100, 10].get(digits).copied().unwrap_or(1);
    micros.is_multiple_of(unit)
}

#[cfg(test)]
mod tests;
