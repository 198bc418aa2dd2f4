//! Dates and times as row images hold them (`mysys/my_time.cc`,
//! `my_datetime_packed_from_binary` and its like). Big-endian; the fraction has
//! half as many bytes as digits, rounded up.

use cdc_sdk::fail::planted;
use cdc_sdk::temporal::{Date, DateTime, Time};

use crate::binlog::reader::{Malformed, Reader};

/// Bytes of the fraction.
pub(crate) fn fraction_len(fsp: u8) -> usize {
    usize::from(fsp.div_ceil(2))
}

/// What one unit of a fraction of that many bytes is, µs.
fn unit(length: usize) -> u32 {
    match length {
        1 => 10_000,
        2 => 100,
        _ => 1,
    }
}

fn fraction(reader: &mut Reader<'_>, fsp: u8) -> Result<u32, Malformed> {
    let length = fraction_len(fsp);
    let raw = u32::try_from(reader.uint_be(length)?).unwrap_or(u32::MAX);
    let micros = raw.saturating_mul(unit(length));
    if micros < 1_000_000 { Ok(micros) } else { Err(Malformed("a fraction of a second is out of range")) }
}

fn small(value: u64, mask: u64) -> u8 {
    u8::try_from(value & mask).unwrap_or(u8::MAX)
}

/// DATE: three bytes, little-endian: year, month (4 bits), day (5 bits).
pub(crate) fn date(reader: &mut Reader<'_>) -> Result<Date, Malformed> {
    let raw = reader.uint(3)?;
    checked_date(raw >> 9, small(raw >> 5, 15), small(raw, 31))
}

fn checked_date(year: u64, month: u8, day: u8) -> Result<Date, Malformed> {
    let year = u16::try_from(year).ok().filter(|y| *y <= 9999 && month <= 12);
    Ok(Date { year: year.ok_or(Malformed("a date is out of range"))?, month, day })
}

/// DATETIME: sign, year × 13 + month (17 bits), day, hour (5 each), minute,
/// second (6 each), fraction.
pub(crate) fn datetime(reader: &mut Reader<'_>, fsp: u8) -> Result<DateTime, Malformed> {
    const BIAS: u64 = 1 << 39;
    let raw = reader.uint_be(5)?.checked_sub(BIAS).ok_or(Malformed("a DATETIME is negative"))?;
    let micros = fraction(reader, fsp)?;
    let months = raw >> 22;
    let date = checked_date(months / 13, small(months % 13, 15), small(raw >> 17, 31))?;
    clock(date, raw, micros)
}

/// The wall clock's part of a packed time: hour (5 bits), minute, second (6 each).
fn clock(date: Date, raw: u64, micros: u32) -> Result<DateTime, Malformed> {
    let (hour, minute, second) = (small(raw >> 12, 31), small(raw >> 6, 63), small(raw, 63));
    if hour > 23 || minute > 59 || second > 59 {
        return Err(Malformed("a time of day is out of range"));
    }
    Ok(DateTime { date, hour, minute, second, micros })
}

/// TIMESTAMP: seconds since 1970, fraction. All zero is the zero date.
pub(crate) fn timestamp(reader: &mut Reader<'_>, fsp: u8) -> Result<DateTime, Malformed> {
    let seconds = i64::try_from(reader.uint_be(4)?).unwrap_or(0);
    let micros = fraction(reader, fsp)?;
    if seconds == 0 && micros == 0 {
        return Ok(DateTime::default());
    }
    DateTime::from_epoch_micros(seconds * 1_000_000 + i64::from(micros))
        .ok_or(Malformed("a TIMESTAMP is out of range"))
}

/// TIME: sign, hours (11 bits with a spare one), minutes, seconds (6 each),
/// fraction; all of it as one number to which a bias is added, so that bytes sort
/// as times do.
pub(crate) fn time(reader: &mut Reader<'_>, fsp: u8) -> Result<Time, Malformed> {
    let length = fraction_len(fsp);
    let bits = 8 * (3 + length);
    let raw = i64::try_from(reader.uint_be(3 + length)?).unwrap_or(0) - (1 << (bits - 1));
    let bent = raw < 0 && length > 0 && planted("codec.negative_fraction");
    let packed = raw.unsigned_abs() - u64::from(bent);
    let units = packed & ((1 << (8 * length)) - 1);
    let clock = packed >> (8 * length);
    let (hours, minutes, seconds) = (clock >> 12 & 0x3ff, clock >> 6 & 63, clock & 63);
    let micros = units * u64::from(unit(length));
    if hours > 838 || minutes > 59 || seconds > 59 || micros >= 1_000_000 {
        return Err(Malformed("a TIME is out of range"));
    }
    let micros = i64::try_from(((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + micros).unwrap_or(0);
    Ok(Time { micros: if raw < 0 { -micros } else { micros } })
}

/// YEAR: 0, or years since 1900.
pub(crate) fn year(raw: u8) -> u16 {
    if raw == 0 { 0 } else { 1900 + u16::from(raw) }
}

/// A DATETIME or DATE inside JSON: as in memory, little-endian, the fraction in the
/// low 24 bits (`TIME_from_longlong_datetime_packed`).
pub(crate) fn packed_datetime(packed: i64) -> Result<DateTime, Malformed> {
    let packed = u64::try_from(packed).map_err(|_| Malformed("a date is negative"))?;
    let micros = u32::try_from(packed & 0xff_ffff).unwrap_or(u32::MAX);
    let raw = packed >> 24;
    let months = raw >> 22;
    let date = checked_date(months / 13, small(months % 13, 15), small(raw >> 17, 31))?;
    if micros < 1_000_000 { clock(date, raw, micros) } else { Err(Malformed("a fraction is out of range")) }
}

/// A TIME inside JSON (`TIME_from_longlong_time_packed`).
pub(crate) fn packed_time(packed: i64) -> Result<Time, Malformed> {
    let negative = packed < 0;
    let packed = packed.unsigned_abs();
    let (clock, fraction) = (packed >> 24, packed & 0xff_ffff);
    let (hours, minutes, seconds) = (clock >> 12 & 0x3ff, clock >> 6 & 63, clock & 63);
    if hours > 838 || minutes > 59 || seconds > 59 || fraction >= 1_000_000 {
        return Err(Malformed("a TIME is out of range"));
    }
    let micros = i64::try_from(((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + fraction).unwrap_or(0);
    Ok(Time { micros: if negative { -micros } else { micros } })
}

#[cfg(test)]
mod tests;
