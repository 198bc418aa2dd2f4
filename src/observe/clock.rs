//! Instants as people and machines write them.

use std::time::{SystemTime, UNIX_EPOCH};

use cdc_sdk::temporal::{Date, DateTime};

/// Microseconds since 1970 by this machine's clock.
pub fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// `2026-01-31T23:59:59.123Z` (RFC 3339, UTC, milliseconds); empty outside of years 0 to 9999.
pub fn rfc3339(micros: i64) -> String {
    let Some(t) = DateTime::from_epoch_micros(micros) else { return String::new() };
    let Date { year, month, day } = t.date;
    let (hour, minute, second, millis) = (t.hour, t.minute, t.second, t.micros / 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Milliseconds since 1970 from what a user typed: that number itself, or RFC 3339
/// with `Z` or an offset (`2026-01-31T23:59:59+01:00`; `T` may be a space).
pub fn parse_time(text: &str) -> Option<i64> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok();
    }
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let (time, offset_seconds) = split_offset(rest)?;
    let micros = DateTime { date: parse_date(date)?, ..parse_clock(time)? }.epoch_micros()?;
    Some((micros - offset_seconds * 1_000_000).div_euclid(1000))
}

fn parse_date(text: &str) -> Option<Date> {
    let [year, month, day] = fields(text, '-')?;
    let date = Date { year: digits(year, 4)?, month: digits(month, 2)?, day: digits(day, 2)? };
    (date.month <= 12).then_some(date)
}

fn parse_clock(text: &str) -> Option<DateTime> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let [hour, minute, second] = fields(clock, ':')?;
    let (hour, minute, second) = (digits(hour, 2)?, digits(minute, 2)?, digits(second, 2)?);
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let micros = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    let legal = hour < 24 && minute < 60 && second < 60;
    legal.then_some(DateTime { date: Date::default(), hour, minute, second, micros })
}

/// The time and its offset from UTC in seconds.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    if let Some(time) = text.strip_suffix(['Z', 'z']) {
        return Some((time, 0));
    }
    let at = text.rfind(['+', '-'])?;
    let (time, offset) = text.split_at(at);
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let (hours, minutes): (i64, i64) = (digits(hours, 2)?, digits(minutes, 2)?);
    let seconds = hours * 3600 + minutes * 60;
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    (hours < 24 && minutes < 60).then_some((time, sign * seconds))
}

fn fields(text: &str, separator: char) -> Option<[&str; 3]> {
    let mut parts = text.split(separator);
    let all = [parts.next()?, parts.next()?, parts.next()?];
    parts.next().is_none().then_some(all)
}

fn digits<T: std::str::FromStr>(text: &str, count: usize) -> Option<T> {
    let legal = text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    legal.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests;
