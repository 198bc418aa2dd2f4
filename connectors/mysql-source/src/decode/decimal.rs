//! DECIMAL as MySQL stores it (`strings/decimal.cc`, `decimal2bin`): groups of nine
//! digits in four bytes, big-endian, the odd digits at both ends in fewer; the first
//! bit is inverted so that bytes sort as numbers do, and all of a negative number are.

use cdc_sdk::Decimal;
use cdc_sdk::fail::planted;

use crate::binlog::reader::{Malformed, Reader};

/// Bytes of a group of that many digits, 0 to 9.
const GROUP_LEN: [usize; 10] = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];
/// 10 to that power.
const TEN_TO: [u32; 10] =
    [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];
const GROUP: u8 = 9;
/// Digits that a value is written with, at most. A column has 65; in JSON those before the point are rounded up to whole
/// groups (`Json_decimal`, `decimal_t::intg`), the ninth at most.
pub(crate) const PRECISION_MAX: u8 = 9 * GROUP;
/// Bytes of the longest value, 33 in JSON, rounded up.
const LEN_MAX: usize = 36;

/// Bytes of a value.
pub(crate) fn size(precision: u8, scale: u8) -> usize {
    let side = |digits: u8| usize::from(digits / GROUP) * 4 + group_len(digits % GROUP);
    side(precision.saturating_sub(scale)) + side(scale)
}

/// Reads a value.
pub(crate) fn read(bytes: &[u8], precision: u8, scale: u8) -> Result<Decimal, Malformed> {
    let mut plain = [0u8; LEN_MAX];
    let plain = plain.get_mut(..bytes.len()).ok_or(Malformed("a DECIMAL is too long"))?;
    plain.copy_from_slice(bytes);
    let first = plain.first_mut().ok_or(Malformed("a DECIMAL is empty"))?;
    let negative = *first & 0x80 == 0;
    *first ^= 0x80;
    if negative {
        plain.iter_mut().for_each(|byte| *byte = !*byte);
    }
    let mut reader = Reader::new(plain);
    let whole = precision.saturating_sub(scale);
    let mut number = Decimal::zero(scale);
    number = push(number, &mut reader, whole % GROUP)?;
    for _ in 0..whole / GROUP + scale / GROUP {
        number = push(number, &mut reader, GROUP)?;
    }
    let rest = if planted("codec.decimal_remainder") && scale % GROUP == 8 { 7 } else { scale % GROUP };
    number = push(number, &mut reader, rest)?;
    if reader.is_empty() { Ok(number.with_sign(negative)) } else { Err(Malformed("a DECIMAL is too long")) }
}

fn group_len(digits: u8) -> usize {
    GROUP_LEN.get(usize::from(digits)).copied().unwrap_or(0)
}

fn push(number: Decimal, reader: &mut Reader<'_>, digits: u8) -> Result<Decimal, Malformed> {
    if digits == 0 {
        return Ok(number);
    }
    let group = reader.uint_be(group_len(digits))?;
    let factor = TEN_TO.get(usize::from(digits)).copied().unwrap_or(1);
    let group = u32::try_from(group).ok().filter(|g| *g < factor);
    let group = group.ok_or(Malformed("a DECIMAL has a digit group out of range"))?;
    number.push_digits(factor, group).ok_or(Malformed("a DECIMAL is too large"))
}

#[cfg(test)]
mod tests;
