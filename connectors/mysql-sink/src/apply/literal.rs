//! Values as SQL literals that give back the same value, bit for bit.
//!
//! In a string a quote and a backslash are the only bytes that need care; both are
//! doubled. How each kind travels, and why:
//!
//! | kind | literal | because |
//! |---|---|---|
//! | FLOAT, DOUBLE | shortest digits of the double, with an exponent | MySQL reads such a number with correct rounding; a FLOAT goes as the double that equals it, since rounding a short decimal twice may end elsewhere |
//! | ENUM, SET | number | members need no conversion, and duplicates or odd characters do not matter |
//! | ENUM index 0 | a string of zeros that is no member, in the column's character set where a digit has several bytes | strict mode refuses the number 0, but reads digits as an index, of a string that it has to convert only if the bytes are ASCII's (`Field_enum::store`) |
//! | YEAR | number | the string '0' means 2000 |
//! | BIT | number | strings would be taken in the column's character set |
//! | JSON | its text; [`super::json`] where it has kinds of its own | |
//! | GEOMETRY | four bytes SRID, then the WKB | that is MySQL's own format of the column |
//! | text | `'…'` in utf8mb4, converted by the server to the column's character set | what cannot be converted is an error in strict mode |

use std::io::Write;

use cdc_sdk::fail::planted;
use cdc_sdk::value::Value;
use cdc_sdk::{Error, Kind, Result};

use super::json;
use super::misfit::Misfit;

/// How a column takes its values, where that is not the same for all columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Form {
    /// For ENUM columns: how index 0 is written.
    pub enum_zero: Option<EnumZero>,
    /// For columns of another type than the source's: what that may do to values.
    pub misfit: Option<Box<Misfit>>,
}

/// How index 0 of an ENUM is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EnumZero {
    /// A string that MySQL reads as the number 0, since no member is spelled like it.
    pub digits: &'static str,
    /// Whether '' is a member, so that the text '' means that one.
    pub empty_is_member: bool,
    /// The column's character set, where that writes a digit with several bytes.
    pub wide_charset: Option<&'static str>,
}

/// The character set, if it is one of those that write a digit with several bytes.
fn wide_charset(charset: Option<&str>) -> Option<&'static str> {
    ["ucs2", "utf16", "utf16le", "utf32"].into_iter().find(|wide| Some(*wide) == charset)
}

impl Form {
    /// A column that is like any other.
    pub const PLAIN: Self = Self { enum_zero: None, misfit: None };

    /// The form of an ENUM column with these members in this character set.
    pub fn of_enum(members: &[String], charset: Option<&str>) -> Self {
        // MySQL compares members by the column's collation, in which other digits than 0 may equal it:
        // so any member that consists of digits of the same count is taken to be in the way.
        let taken = |zeros: &&&str| {
            members.iter().any(|m| {
                let m = m.trim_end();
                m.chars().count() == zeros.len() && m.chars().all(char::is_numeric)
            })
        };
        let candidates: &[&'static str] = &["0", "00", "000", "0000", "00000"];
        let digits = candidates.iter().find(|c| !taken(c)).copied();
        let empty_is_member = members.iter().any(|m| m.trim_end().is_empty());
        let wide_charset = wide_charset(charset);
        Self {
            enum_zero: digits.map(|digits| EnumZero { digits, empty_is_member, wide_charset }),
            misfit: None,
        }
    }

    /// The value as the destination's column takes it.
    pub fn stored<'v>(&'v self, value: Value<'v>, scratch: &'v mut String) -> Result<Value<'v>> {
        match &self.misfit {
            None => Ok(value),
            Some(misfit) => misfit.stored(value, scratch),
        }
    }
}

/// Appends a value as it stands in a list of VALUES.
///
/// # Errors
/// [`Kind::RowRefused`] for what MySQL cannot hold (NaN, infinity, an ENUM index 0 where no literal gives it), and for what
/// the column would bend.
pub(crate) fn write(out: &mut Vec<u8>, value: Value<'_>, form: &Form) -> Result<()> {
    let mut scratch = String::new();
    match form.stored(value, &mut scratch)? {
        Value::Enum(0) => enum_zero(out, form),
        Value::Text("") if form.enum_zero.as_ref().is_some_and(|z| !z.empty_is_member) => {
            enum_zero(out, form)
        }
        value @ (Value::Null
        | Value::Int(_)
        | Value::UInt(_)
        | Value::Float(_)
        | Value::Double(_)
        | Value::Decimal(_)
        | Value::Bit(_)
        | Value::Text(_)
        | Value::Bytes(_)
        | Value::Enum(_)
        | Value::Set(_)
        | Value::Date(_)
        | Value::Time(_)
        | Value::DateTime(_)
        | Value::Timestamp(_)
        | Value::Year(_)
        | Value::Json(_)
        | Value::Geometry { .. }
        | Value::Vector(_)) => stored(out, value),
    }
}

/// Appends a value as it stands in a comparison: there an ENUM's index 0 is the number, and a
/// SET is compared as a signed number (so one with its 64th member in it is negative).
///
/// # Errors
/// As [`write`].
pub(crate) fn comparable(out: &mut Vec<u8>, value: Value<'_>, form: &Form) -> Result<()> {
    let mut scratch = String::new();
    match form.stored(value, &mut scratch)? {
        Value::Set(v) => {
            print(out, format_args!("{}", v.cast_signed()));
            Ok(())
        }
        other => stored(out, other),
    }
}

fn stored(out: &mut Vec<u8>, value: Value<'_>) -> Result<()> {
    match value {
        Value::Null => out.extend_from_slice(b"NULL"),
        Value::Int(v) => print(out, format_args!("{v}")),
        Value::UInt(v) | Value::Bit(v) | Value::Set(v) => print(out, format_args!("{v}")),
        Value::Enum(v) | Value::Year(v) => print(out, format_args!("{v}")),
        Value::Float(v) if planted("codec.float_digits") => print(out, format_args!("{v:.5e}")),
        Value::Float(v) => double(out, f64::from(v))?,
        Value::Double(v) => double(out, v)?,
        Value::Decimal(v) => v.write_text(out),
        Value::Text(v) => quoted(out, v.as_bytes()),
        Value::Json(v) => json::write(out, v)?,
        Value::Bytes(v) | Value::Vector(v) => binary(out, v),
        Value::Geometry { srid, wkb } => {
            out.extend_from_slice(b"_binary'");
            escaped(out, &srid.to_le_bytes());
            escaped(out, wkb);
            out.push(b'\'');
        }
        Value::Date(v) => print(out, format_args!("'{v}'")),
        Value::Time(v) => print(out, format_args!("'{v}'")),
        Value::DateTime(v) | Value::Timestamp(v) => print(out, format_args!("'{v}'")),
    }
    Ok(())
}

/// Appends bytes as a literal that no character set touches.
pub(crate) fn binary(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(b"_binary");
    quoted(out, bytes);
}

/// A text as a literal that reads the same in every SQL mode, for statements put together by hand.
pub(crate) fn text(text: &str) -> String {
    // What a backslash means depends on the mode; what hexadecimal digits mean does not.
    if text.contains('\\') {
        let digits: String = text.bytes().map(|b| format!("{b:02x}")).collect();
        return format!("_utf8mb4 x'{digits}'");
    }
    format!("'{}'", text.replace('\'', "''"))
}

/// A value as a person reads it in a key.
pub(crate) fn shown_value(value: Value<'_>) -> Result<String> {
    let mut out = Vec::new();
    stored(&mut out, value)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

fn enum_zero(out: &mut Vec<u8>, form: &Form) -> Result<()> {
    let Some(zero) = &form.enum_zero else {
        return Err(Error::new(Kind::RowRefused, "an ENUM's index 0 (its error value '') cannot be written")
            .hint("the destination's column is no ENUM, or has members 0, 00, 000, 0000 and 00000"));
    };
    match zero.wide_charset {
        Some(charset) => print(out, format_args!("CONVERT('{}' USING {charset})", zero.digits)),
        None => quoted(out, zero.digits.as_bytes()),
    }
    Ok(())
}

fn double(out: &mut Vec<u8>, value: f64) -> Result<()> {
    if !value.is_finite() {
        return Err(Error::new(Kind::RowRefused, format!("{value} is no number that MySQL can hold")));
    }
    print(out, format_args!("{value:e}"));
    Ok(())
}

pub(super) fn quoted(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'\'');
    escaped(out, bytes);
    out.push(b'\'');
}

/// Doubles quotes and backslashes; copies what lies between them in one go.
pub(super) fn escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut from = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(byte, b'\'' | b'\\') {
            out.extend_from_slice(bytes.get(from..=at).unwrap_or_default());
            from = at;
        }
    }
    out.extend_from_slice(bytes.get(from..).unwrap_or_default());
}

/// Writing into a vector cannot fail, so there is nothing to report.
pub(super) fn print(out: &mut Vec<u8>, arguments: std::fmt::Arguments<'_>) {
    let _infallible = out.write_fmt(arguments);
}
