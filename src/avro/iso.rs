//! Dates and times as ISO 8601 texts, field by field: `2024-00-00Z` and
//! `0000-00-00T00:00:00Z` are texts like any other, so MySQL's zero and partial-zero
//! dates survive. Java's own parsers refuse those, as they would refuse the dates.

use cdc_sdk::temporal::{Date, DateTime, Time};

/// A short text on the stack.
pub(super) struct Text {
    bytes: [u8; 40],
    length: usize,
}

impl Text {
    fn new() -> Self {
        Self { bytes: [0; 40], length: 0 }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }

    /// The last `width` digits of a number.
    fn digits(&mut self, number: u32, width: u32) {
        for place in (0..width).rev() {
            let digit = number / 10u32.pow(place) % 10;
            self.push(b'0' + u8::try_from(digit).unwrap_or(0));
        }
    }

    fn date(&mut self, date: Date) {
        self.digits(u32::from(date.year), 4);
        self.push(b'-');
        self.digits(u32::from(date.month), 2);
        self.push(b'-');
        self.digits(u32::from(date.day), 2);
    }

    fn clock(&mut self, hour: u32, minute: u32, second: u32) {
        self.digits(hour, 2);
        self.push(b':');
        self.digits(minute, 2);
        self.push(b':');
        self.digits(second, 2);
    }

    /// `fsp` digits, and all six if fewer would lose something.
    fn fraction(&mut self, micros: u32, fsp: u8) {
        let fsp = u32::from(fsp.min(6));
        let width = if micros.is_multiple_of(10u32.pow(6 - fsp)) { fsp } else { 6 };
        if width > 0 {
            self.push(b'.');
            self.digits(micros / 10u32.pow(6 - width), width);
        }
    }
}

/// How many digits behind the point say all of it.
pub(super) fn digits_needed(micros: u32) -> u8 {
    (0..6).find(|digits| micros.is_multiple_of(10u32.pow(6 - u32::from(*digits)))).unwrap_or(6)
}

/// `2024-02-29Z`
pub(super) fn date(date: Date) -> Text {
    let mut text = Text::new();
    text.date(date);
    text.push(b'Z');
    text
}

/// `2024-02-29T12:30:00.250000Z` with `fsp` digits behind the point.
pub(super) fn date_time(value: DateTime, fsp: u8) -> Text {
    let mut text = Text::new();
    text.date(value.date);
    text.push(b'T');
    text.clock(u32::from(value.hour), u32::from(value.minute), u32::from(value.second));
    text.fraction(value.micros, fsp);
    text.push(b'Z');
    text
}

/// `-838:59:59.999999Z`: hours may have three digits, and there may be a sign.
pub(super) fn time(value: Time, fsp: u8) -> Text {
    let mut text = Text::new();
    if value.micros < 0 {
        text.push(b'-');
    }
    let micros = value.micros.unsigned_abs();
    let seconds = u32::try_from(micros / 1_000_000).unwrap_or(u32::MAX);
    if seconds >= 360_000 {
        text.digits(seconds / 360_000, 1);
    }
    text.clock(seconds / 3600, seconds / 60 % 60, seconds % 60);
    text.fraction(u32::try_from(micros % 1_000_000).unwrap_or(0), fsp);
    text.push(b'Z');
    text
}

/// Reads [`date`], with `Z`, `+00:00` or no zone.
pub(super) fn parse_date(text: &str) -> Option<Date> {
    let mut scan = Scan(text.as_bytes());
    let date = scan.date()?;
    scan.zone()?;
    scan.0.is_empty().then_some(date)
}

/// Reads [`date_time`], with `T` or a space, `Z`, another zone's offset (which is
/// taken off) or none.
pub(super) fn parse_date_time(text: &str) -> Option<DateTime> {
    let mut scan = Scan(text.as_bytes());
    let date = scan.date()?;
    scan.literal(b'T').or_else(|| scan.literal(b' '))?;
    let (hour, minute, second) = (scan.number(2, 23)?, scan.colon(59)?, scan.optional_seconds()?);
    let micros = scan.fraction()?;
    let offset_minutes = scan.zone()?;
    let local = DateTime {
        date,
        hour: u8::try_from(hour).ok()?,
        minute: u8::try_from(minute).ok()?,
        second: u8::try_from(second).ok()?,
        micros,
    };
    if !scan.0.is_empty() {
        return None;
    }
    match offset_minutes {
        0 => Some(local),
        shift => DateTime::from_epoch_micros(local.epoch_micros()? - i64::from(shift) * 60_000_000),
    }
}

/// Reads [`time`].
pub(super) fn parse_time(text: &str) -> Option<Time> {
    let mut scan = Scan(text.as_bytes());
    let negative = scan.literal(b'-').is_some();
    let hours = scan.up_to(3)?;
    let (minutes, seconds) = (scan.colon(59)?, scan.optional_seconds()?);
    let micros = scan.fraction()?;
    scan.zone().filter(|offset| *offset == 0)?;
    if !scan.0.is_empty() {
        return None;
    }
    let whole = i64::from(hours) * 3600 + i64::from(minutes) * 60 + i64::from(seconds);
    let micros = whole * 1_000_000 + i64::from(micros);
    Some(Time { micros: if negative { -micros } else { micros } })
}

struct Scan<'a>(&'a [u8]);

impl Scan<'_> {
    fn literal(&mut self, byte: u8) -> Option<()> {
        let (first, rest) = self.0.split_first()?;
        (*first == byte).then(|| self.0 = rest)
    }

    /// A number of exactly that many digits, up to `max`.
    fn number(&mut self, digits: usize, max: u32) -> Option<u32> {
        let (taken, rest) = self.0.split_at_checked(digits)?;
        let number = taken.iter().try_fold(0u32, |number, byte| {
            let digit = char::from(*byte).to_digit(10)?;
            number.checked_mul(10)?.checked_add(digit)
        })?;
        self.0 = rest;
        (number <= max).then_some(number)
    }

    /// A number of one to `digits` digits.
    fn up_to(&mut self, digits: usize) -> Option<u32> {
        let length = self.0.iter().take(digits).take_while(|b| b.is_ascii_digit()).count();
        if length == 0 { None } else { self.number(length, u32::MAX) }
    }

    fn colon(&mut self, max: u32) -> Option<u32> {
        self.literal(b':')?;
        self.number(2, max)
    }

    /// Java leaves the seconds out in some texts where they are zero.
    fn optional_seconds(&mut self) -> Option<u32> {
        if self.0.first() == Some(&b':') { self.colon(59) } else { Some(0) }
    }

    fn date(&mut self) -> Option<Date> {
        let year = self.number(4, 9999)?;
        self.literal(b'-')?;
        let month = self.number(2, 12)?;
        self.literal(b'-')?;
        let day = self.number(2, 31)?;
        Some(Date {
            year: u16::try_from(year).ok()?,
            month: u8::try_from(month).ok()?,
            day: u8::try_from(day).ok()?,
        })
    }

    /// Microseconds of `.123`; digits behind the sixth must be zeros.
    fn fraction(&mut self) -> Option<u32> {
        if self.literal(b'.').is_none() {
            return Some(0);
        }
        let length = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        let kept = length.min(6);
        let number = if kept == 0 { return None } else { self.number(kept, 999_999)? };
        for _ in kept..length {
            self.literal(b'0')?;
        }
        Some(number * 10u32.pow(6 - u32::try_from(kept).ok()?))
    }

    /// Minutes east of Greenwich.
    fn zone(&mut self) -> Option<i32> {
        if self.0.is_empty() || self.literal(b'Z').is_some() {
            return Some(0);
        }
        let west = self.literal(b'-').is_some();
        if !west {
            self.literal(b'+')?;
        }
        let hours = i32::try_from(self.number(2, 18)?).ok()?;
        let minutes = hours * 60 + i32::try_from(self.colon(59)?).ok()?;
        Some(if west { -minutes } else { minutes })
    }
}

#[cfg(test)]
mod tests;
