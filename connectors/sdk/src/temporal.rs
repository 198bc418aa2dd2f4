//! Dates and times as MySQL stores them: field by field, so that zero and
//! partial-zero dates and times over 24 hours are values like any other.

use std::fmt;

/// A DATE. Year 0–9999, month 0–12, day 0–31: zeros are MySQL's
/// "zero" and "partial zero" dates.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Date {
    /// 0 to 9999.
    pub year: u16,
    /// 0 to 12.
    pub month: u8,
    /// 0 to 31.
    pub day: u8,
}

/// A DATETIME, or a TIMESTAMP in UTC.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct DateTime {
    /// The date.
    pub date: Date,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// Microseconds, 0 to 999,999.
    pub micros: u32,
}

/// A TIME: −838:59:59.999999 to 838:59:59.999999.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Time {
    /// In microseconds, signed.
    pub micros: i64,
}

impl Date {
    /// Days since 1970-01-01 (proleptic Gregorian); `None` for zero and partial-zero dates
    /// and for days that the calendar lacks.
    pub fn epoch_days(self) -> Option<i32> {
        if self.month == 0 || self.day == 0 || self.day > days_in_month(self.year, self.month) {
            return None;
        }
        Some(days_from_civil(i32::from(self.year), u32::from(self.month), u32::from(self.day)))
    }

    /// The date that many days after 1970-01-01; `None` outside of years 0 to 9999.
    pub fn from_epoch_days(days: i32) -> Option<Self> {
        // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
        let z = i64::from(days) + 719_468;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = doy - (153 * mp + 2) / 5 + 1;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        let year = yoe + era * 400 + i64::from(month <= 2);
        let year = u16::try_from(year).ok().filter(|y| *y <= 9999)?;
        Some(Self { year, month: u8::try_from(month).ok()?, day: u8::try_from(day).ok()? })
    }
}

impl DateTime {
    /// Microseconds since 1970-01-01T00:00:00; `None` where [`Date::epoch_days`] is.
    pub fn epoch_micros(self) -> Option<i64> {
        let seconds = i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second);
        Some((i64::from(self.date.epoch_days()?) * 86_400 + seconds) * 1_000_000 + i64::from(self.micros))
    }

    /// The reverse of [`DateTime::epoch_micros`].
    pub fn from_epoch_micros(micros: i64) -> Option<Self> {
        let seconds = micros.div_euclid(1_000_000);
        let date = Date::from_epoch_days(i32::try_from(seconds.div_euclid(86_400)).ok()?)?;
        let of_day = u32::try_from(seconds.rem_euclid(86_400)).ok()?;
        Some(Self {
            date,
            hour: u8::try_from(of_day / 3600).ok()?,
            minute: u8::try_from(of_day / 60 % 60).ok()?,
            second: u8::try_from(of_day % 60).ok()?,
            micros: u32::try_from(micros.rem_euclid(1_000_000)).ok()?,
        })
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// MySQL's text, with all six fractional digits if there are any.
impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:02}:{:02}:{:02}", self.date, self.hour, self.minute, self.second)?;
        if self.micros == 0 { Ok(()) } else { write!(f, ".{:06}", self.micros) }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.micros < 0 { "-" } else { "" };
        let micros = self.micros.unsigned_abs();
        let seconds = micros / 1_000_000;
        write!(f, "{sign}{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
        match micros % 1_000_000 {
            0 => Ok(()),
            rest => write!(f, ".{rest:06}"),
        }
    }
}

fn days_in_month(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        1..=12 => 31,
        _ => 0,
    }
}

/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil.
fn days_from_civil(year: i32, month: u32, day: u32) -> i32 {
    let year = year - i32::from(month <= 2);
    let era = year.div_euclid(400);
    let yoe = year.rem_euclid(400);
    let month = i32::try_from(month).unwrap_or(0);
    let day = i32::try_from(day).unwrap_or(0);
    let doy = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    era * 146_097 + doe - 719_468
}

#[cfg(test)]
mod tests;
