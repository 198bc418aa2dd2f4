//! Doubles as `my_gcvt` prints them (`strings/dtoa.cc`): the fewest digits that read
//! back as the same number, of two equally near ones the even; then with or without
//! an exponent.

use std::io::Write;

use crate::binlog::reader::Malformed;

/// The server's `MAX_DECPT_FOR_F_FORMAT`.
const POINT_MAX: i32 = 15;
/// No double needs more.
const DIGITS_MAX: usize = 17;
/// Up to so many digits a decimal number stands for one double only, so two of them
/// cannot be equally near.
const DIGITS_SURE: usize = 15;

/// The digits of a positive number, and where the point stands before them:
/// `0.d1d2d3… * 10^point`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Digits {
    digits: [u8; DIGITS_MAX],
    count: usize,
    point: i32,
}

/// Appends the number.
pub(super) fn print(value: f64, out: &mut Vec<u8>) -> Result<(), Malformed> {
    if !value.is_finite() {
        return Err(Malformed("a JSON number is not finite"));
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    if value == 0.0 {
        out.extend_from_slice(b"0.0");
        return Ok(());
    }
    let digits = nearest(value.abs()).ok_or(Malformed("a JSON number cannot be printed"))?;
    digits.lay_out(out);
    Ok(())
}

/// The shortest digits of a positive finite number.
fn nearest(value: f64) -> Option<Digits> {
    let mut text = [0u8; 32];
    let shortest = Digits::read(written(&mut text, format_args!("{value:e}"))?)?;
    if shortest.count <= DIGITS_SURE {
        return Some(shortest);
    }
    Some(even_of_two(value, &shortest).unwrap_or(shortest))
}

fn written<'a>(text: &'a mut [u8], what: std::fmt::Arguments<'_>) -> Option<&'a [u8]> {
    let mut rest = &mut *text;
    rest.write_fmt(what).ok()?;
    let left = rest.len();
    text.get(..text.len() - left)
}

/// Where the number lies exactly between two of as many digits: the one whose last
/// digit is even, if it reads back as the same number.
fn even_of_two(value: f64, shortest: &Digits) -> Option<Digits> {
    // As many digits and one more; a number between two ends there with a 5.
    let more = format!("{value:.*e}", shortest.count);
    let (below, exponent) = more.split_once("5e")?;
    if format!("{value:.800e}").split('e').next()?.trim_end_matches('0') != format!("{below}5") {
        return None;
    }
    let below = Digits::read(format!("{below}e{exponent}").as_bytes())?;
    let last = below.digits.get(below.count.checked_sub(1)?)?;
    let reads_back = || below.text().parse() == Ok(value);
    (last % 2 == 0 && reads_back()).then_some(below)
}

impl Digits {
    /// Reads `d.ddde±x`.
    fn read(text: &[u8]) -> Option<Self> {
        let (mantissa, exponent) = std::str::from_utf8(text).ok()?.split_once('e')?;
        let mut read =
            Self { digits: [b'0'; DIGITS_MAX], count: 0, point: exponent.parse::<i32>().ok()? + 1 };
        for digit in mantissa.bytes().filter(u8::is_ascii_digit) {
            *read.digits.get_mut(read.count)? = digit;
            read.count += 1;
        }
        Some(read)
    }

    fn shown(&self) -> &[u8] {
        self.digits.get(..self.count).unwrap_or_default()
    }

    fn text(&self) -> String {
        format!("0.{}e{}", String::from_utf8_lossy(self.shown()), self.point)
    }

    /// Without an exponent while at most 14 zeros stand behind the point, and at most
    /// 15 digits before it or some behind; `.0` where nothing else tells it from an
    /// integer.
    fn lay_out(&self, out: &mut Vec<u8>) {
        let count = i32::try_from(self.count).unwrap_or(0);
        let plain = self.point > -POINT_MAX && (self.point <= POINT_MAX || count > self.point);
        match usize::try_from(self.point) {
            _ if !plain => self.lay_out_with_exponent(out),
            Ok(point) if point > 0 => {
                let split = point.min(self.count);
                out.extend_from_slice(self.shown().get(..split).unwrap_or_default());
                out.resize(out.len() + (point - split), b'0');
                out.push(b'.');
                out.extend_from_slice(self.shown().get(split..).unwrap_or_default());
                if split == self.count {
                    out.push(b'0');
                }
            }
            Ok(_) | Err(_) => {
                out.extend_from_slice(b"0.");
                out.resize(out.len() + self.point.unsigned_abs() as usize, b'0');
                out.extend_from_slice(self.shown());
            }
        }
    }

    fn lay_out_with_exponent(&self, out: &mut Vec<u8>) {
        let (first, rest) = self.shown().split_at_checked(1).unwrap_or_default();
        out.extend_from_slice(first);
        if !rest.is_empty() {
            out.push(b'.');
            out.extend_from_slice(rest);
        }
        // Appending to memory cannot fail.
        let _ = write!(out, "e{}", self.point - 1);
    }
}
