//! How one column lies in a row image, and how it is read.

use cdc_sdk::Value;
use cdc_sdk::fail::planted;

use super::charset::Charset;
use super::{decimal, json, temporal};
use crate::binlog::reader::{Malformed, Reader};

/// How many bytes a value takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Always that many.
    Fixed(usize),
    /// As many as the length before it says, which has that many bytes.
    Prefixed(usize),
}

/// How a value is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    Int {
        width: usize,
    },
    UInt {
        width: usize,
    },
    Float,
    Double,
    Decimal {
        precision: u8,
        scale: u8,
    },
    Bit,
    Text {
        charset: Charset,
    },
    Bytes,
    /// Stored without its trailing NULs.
    Padded {
        length: usize,
    },
    Enum,
    Set,
    Date,
    Time {
        fsp: u8,
    },
    Datetime {
        fsp: u8,
    },
    Timestamp {
        fsp: u8,
    },
    Year,
    Json {
        /// With the marks of [`cdc_sdk::json`].
        marked: bool,
    },
    Geometry,
    Vector,
}

/// A column's place and codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub extent: Extent,
    pub codec: Codec,
}

impl Extent {
    /// The bytes of the next value, without its length.
    #[inline]
    pub fn take<'a>(self, reader: &mut Reader<'a>) -> Result<&'a [u8], Malformed> {
        match self {
            Self::Fixed(size) => reader.take(size),
            Self::Prefixed(prefix) => {
                let length = reader.uint(prefix)?;
                reader.take(usize::try_from(length).map_err(|_| Malformed("a value is too long"))?)
            }
        }
    }
}

impl Codec {
    /// Reads a value from its bytes. `scratch` is cleared where it is used.
    #[inline]
    pub fn read<'a>(self, bytes: &'a [u8], scratch: &'a mut Vec<u8>) -> Result<Value<'a>, Malformed> {
        let mut reader = Reader::new(bytes);
        Ok(match self {
            Self::Int { width } => Value::Int(signed(reader.uint(width)?, width)),
            Self::UInt { width } => Value::UInt(reader.uint(width)?),
            Self::Text { charset } => Value::Text(charset.decode(bytes, scratch)?),
            Self::Bytes => Value::Bytes(bytes),
            Self::Padded { length } => Value::Bytes(padded(bytes, length, scratch)),
            Self::Float => Value::Float(f32::from_le_bytes(reader.array()?)),
            Self::Double => Value::Double(f64::from_le_bytes(reader.array()?)),
            Self::Decimal { precision, scale } => Value::Decimal(decimal::read(bytes, precision, scale)?),
            Self::Bit => Value::Bit(reader.uint_be(bytes.len())?),
            Self::Enum => Value::Enum(member(reader.uint(bytes.len())?)?),
            Self::Set => Value::Set(reader.uint(bytes.len())?),
            Self::Date => Value::Date(temporal::date(&mut reader)?),
            Self::Time { fsp } => Value::Time(temporal::time(&mut reader, fsp)?),
            Self::Datetime { fsp } => Value::DateTime(temporal::datetime(&mut reader, fsp)?),
            Self::Timestamp { fsp } => Value::Timestamp(temporal::timestamp(&mut reader, fsp)?),
            Self::Year => Value::Year(temporal::year(reader.u8()?)),
            Self::Json { marked } => Value::Json(json::print(bytes, marked, scratch)?),
            Self::Geometry => geometry(bytes)?,
            Self::Vector => Value::Vector(bytes),
        })
    }
}

/// Extends the sign of a number of `width` bytes.
#[inline]
fn signed(raw: u64, width: usize) -> i64 {
    let width = if planted("codec.mediumint_sign") && width == 3 { 4 } else { width };
    let unused = 64 - 8 * u32::try_from(width.clamp(1, 8)).unwrap_or(8);
    (raw << unused).cast_signed() >> unused
}

fn member(index: u64) -> Result<u16, Malformed> {
    u16::try_from(index).map_err(|_| Malformed("an ENUM's index is out of range"))
}

fn padded<'a>(bytes: &'a [u8], length: usize, scratch: &'a mut Vec<u8>) -> &'a [u8] {
    if bytes.len() >= length {
        return bytes;
    }
    scratch.clear();
    scratch.extend_from_slice(bytes);
    scratch.resize(length, 0);
    scratch
}

/// The SRID, then well-known binary. A column added to rows that were there may
/// hold no bytes at all.
fn geometry(bytes: &[u8]) -> Result<Value<'_>, Malformed> {
    if bytes.is_empty() {
        return Ok(Value::Geometry { srid: 0, wkb: bytes });
    }
    let mut reader = Reader::new(bytes);
    let srid = reader.u32().map_err(|_| Malformed("a geometry has no SRID"))?;
    Ok(Value::Geometry { srid, wkb: reader.rest() })
}

#[cfg(test)]
mod tests;
