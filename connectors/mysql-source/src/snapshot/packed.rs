//! Rows in one block of memory: what a chunk holds between its reader and its
//! consumer, and the exact form in which keys are compared.
//!
//! A value is a tag and its bytes, so that a chunk's memory is what its bytes
//! are, and two equal values have equal forms (the reverse too). The form never
//! leaves the process.

use cdc_sdk::temporal::{Date, DateTime, Time};
use cdc_sdk::{Decimal, Error, Kind, Result, Row, Value};

/// Appends a value.
pub(crate) fn pack(out: &mut Vec<u8>, value: Value<'_>) {
    match value {
        Value::Null => out.push(0),
        Value::Int(v) => fixed(out, 1, &v.to_le_bytes()),
        Value::UInt(v) => fixed(out, 2, &v.to_le_bytes()),
        Value::Float(v) => fixed(out, 3, &v.to_bits().to_le_bytes()),
        Value::Double(v) => fixed(out, 4, &v.to_bits().to_le_bytes()),
        Value::Decimal(v) => {
            let (bytes, start) = v.to_twos_complement();
            fixed(out, 5, &[v.scale()]);
            sized(out, bytes.get(start..).unwrap_or_default());
        }
        Value::Bit(v) => fixed(out, 6, &v.to_le_bytes()),
        Value::Text(v) => tagged(out, 7, v.as_bytes()),
        Value::Bytes(v) => tagged(out, 8, v),
        Value::Enum(v) => fixed(out, 9, &v.to_le_bytes()),
        Value::Set(v) => fixed(out, 10, &v.to_le_bytes()),
        Value::Date(v) => {
            out.push(11);
            date(out, v);
        }
        Value::Time(v) => fixed(out, 12, &v.micros.to_le_bytes()),
        Value::DateTime(v) => date_time(out, 13, v),
        Value::Timestamp(v) => date_time(out, 14, v),
        Value::Year(v) => fixed(out, 15, &v.to_le_bytes()),
        Value::Json(v) => tagged(out, 16, v.as_bytes()),
        Value::Geometry { srid, wkb } => {
            fixed(out, 17, &srid.to_le_bytes());
            sized(out, wkb);
        }
        Value::Vector(v) => tagged(out, 18, v),
    }
}

fn fixed(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    out.extend_from_slice(bytes);
}

fn tagged(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    sized(out, bytes);
}

/// MySQL's values have at most 2^32 - 1 bytes.
fn sized(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(bytes);
}

fn date(out: &mut Vec<u8>, v: Date) {
    out.extend_from_slice(&v.year.to_le_bytes());
    out.extend_from_slice(&[v.month, v.day]);
}

fn date_time(out: &mut Vec<u8>, tag: u8, v: DateTime) {
    out.push(tag);
    date(out, v.date);
    out.extend_from_slice(&[v.hour, v.minute, v.second]);
    out.extend_from_slice(&v.micros.to_le_bytes());
}

/// One row of a chunk, where it lies in the chunk's memory.
#[derive(Clone, Copy, Debug)]
pub struct ChunkRow<'a> {
    bytes: &'a [u8],
}

impl<'a> ChunkRow<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Appends the values of these columns as they lie in the row; `None` where it lacks one.
    pub(crate) fn key(&self, columns: &[usize], key: &mut Vec<u8>) -> Option<()> {
        for column in columns {
            let mut rest = self.bytes;
            for _ in 0..*column {
                unpack(&mut rest)?;
            }
            let from = rest;
            unpack(&mut rest)?;
            key.extend_from_slice(from.get(..from.len() - rest.len())?);
        }
        Some(())
    }

    /// Its bytes in memory, a measure of its size.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
}

impl Row for ChunkRow<'_> {
    fn visit<F>(&self, mut f: F) -> Result<()>
    where
        F: FnMut(usize, Value<'_>) -> Result<()>,
    {
        let mut rest = self.bytes;
        let mut index = 0;
        while !rest.is_empty() {
            let value = unpack(&mut rest)
                .ok_or_else(|| Error::new(Kind::Bug, "a packed row of the snapshot does not read back"))?;
            f(index, value)?;
            index += 1;
        }
        Ok(())
    }
}

/// Takes the next value off the front.
pub(crate) fn unpack<'a>(rest: &mut &'a [u8]) -> Option<Value<'a>> {
    let tag = take::<1>(rest)?[0];
    Some(match tag {
        0 => Value::Null,
        1 => Value::Int(i64::from_le_bytes(take(rest)?)),
        2 => Value::UInt(u64::from_le_bytes(take(rest)?)),
        3 => Value::Float(f32::from_bits(u32::from_le_bytes(take(rest)?))),
        4 => Value::Double(f64::from_bits(u64::from_le_bytes(take(rest)?))),
        5 => {
            let scale = take::<1>(rest)?[0];
            Value::Decimal(Decimal::from_twos_complement(take_sized(rest)?, scale)?)
        }
        6 => Value::Bit(u64::from_le_bytes(take(rest)?)),
        7 => Value::Text(std::str::from_utf8(take_sized(rest)?).ok()?),
        8 => Value::Bytes(take_sized(rest)?),
        9 => Value::Enum(u16::from_le_bytes(take(rest)?)),
        10 => Value::Set(u64::from_le_bytes(take(rest)?)),
        11 => Value::Date(take_date(rest)?),
        12 => Value::Time(Time { micros: i64::from_le_bytes(take(rest)?) }),
        13 => Value::DateTime(take_date_time(rest)?),
        14 => Value::Timestamp(take_date_time(rest)?),
        15 => Value::Year(u16::from_le_bytes(take(rest)?)),
        16 => Value::Json(std::str::from_utf8(take_sized(rest)?).ok()?),
        17 => Value::Geometry { srid: u32::from_le_bytes(take(rest)?), wkb: take_sized(rest)? },
        18 => Value::Vector(take_sized(rest)?),
        _ => return None,
    })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

fn take_sized<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(u32::from_le_bytes(take(rest)?)).ok()?;
    let (head, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(head)
}

fn take_date(rest: &mut &[u8]) -> Option<Date> {
    let year = u16::from_le_bytes(take(rest)?);
    let [month, day] = take(rest)?;
    Some(Date { year, month, day })
}

fn take_date_time(rest: &mut &[u8]) -> Option<DateTime> {
    let date = take_date(rest)?;
    let [hour, minute, second] = take(rest)?;
    Some(DateTime { date, hour, minute, second, micros: u32::from_le_bytes(take(rest)?) })
}

#[cfg(test)]
pub(super) mod tests;
