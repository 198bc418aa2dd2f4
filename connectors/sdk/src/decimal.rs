//! MySQL's DECIMAL, exact: up to 65 digits in 256 bits.

use std::fmt;

/// A decimal number: `(-1)^negative * magnitude * 10^-scale`.
///
/// 65 digits need 216 bits; the magnitude is held in four 64-bit limbs, the
/// lowest first, so that no value needs an allocation. Zero is never negative.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Decimal {
    negative: bool,
    limbs: [u64; 4],
    scale: u8,
}

impl Decimal {
    /// Zero with that many digits behind the point.
    pub const fn zero(scale: u8) -> Self {
        Self { negative: false, limbs: [0; 4], scale }
    }

    /// The number that an integer is.
    pub const fn from_u64(value: u64) -> Self {
        Self { negative: false, limbs: [value, 0, 0, 0], scale: 0 }
    }

    /// Digits behind the point.
    pub const fn scale(&self) -> u8 {
        self.scale
    }

    /// Whether it is below zero.
    pub const fn is_negative(&self) -> bool {
        self.negative
    }

    /// `magnitude = magnitude * factor + addend`: how a decoder appends digits.
    /// `None` if it no longer fits 256 bits.
    #[must_use]
    pub fn push_digits(mut self, factor: u32, addend: u32) -> Option<Self> {
        let mut carry = u64::from(addend);
        for limb in &mut self.limbs {
            let wide = u128::from(*limb) * u128::from(factor) + u128::from(carry);
            // The low and the high half of a 128-bit product.
            *limb = (wide & u128::from(u64::MAX)) as u64;
            carry = (wide >> 64) as u64;
        }
        (carry == 0).then_some(self)
    }

    /// The same magnitude with this sign; zero stays positive.
    #[must_use]
    pub fn with_sign(mut self, negative: bool) -> Self {
        self.negative = negative && self.limbs != [0; 4];
        self
    }

    /// Reads `-123.450` and the like; the scale is that of the text.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let mut number = Self::zero(u8::try_from(fraction.len()).ok()?);
        for digit in whole.bytes().chain(fraction.bytes()) {
            if !digit.is_ascii_digit() {
                return None;
            }
            number = number.push_digits(10, u32::from(digit - b'0'))?;
        }
        Some(number.with_sign(negative))
    }

    /// The unscaled number as big-endian two's complement in as few bytes as it
    /// needs: Avro's logical type `decimal`. Returns the buffer and where in it
    /// the number starts.
    pub fn to_twos_complement(&self) -> ([u8; 33], usize) {
        let mut bytes = [0u8; 33];
        for (index, limb) in self.limbs.iter().rev().enumerate() {
            bytes[1 + index * 8..9 + index * 8].copy_from_slice(&limb.to_be_bytes());
        }
        if self.negative {
            negate(&mut bytes);
        }
        let filler = if self.negative { 0xff } else { 0 };
        let mut start = 0;
        while start < 32 && bytes[start] == filler && (bytes[start + 1] & 0x80) == (filler & 0x80) {
            start += 1;
        }
        (bytes, start)
    }

    /// The reverse of [`Decimal::to_twos_complement`]; `None` over 256 bits.
    pub fn from_twos_complement(bytes: &[u8], scale: u8) -> Option<Self> {
        let negative = bytes.first().is_some_and(|b| b & 0x80 != 0);
        let mut wide = [if negative { 0xff } else { 0 }; 33];
        let start = 33usize.checked_sub(bytes.len())?;
        wide[start..].copy_from_slice(bytes);
        if negative {
            negate(&mut wide);
        }
        if wide[0] != 0 {
            return None;
        }
        let mut limbs = [0u64; 4];
        for (index, limb) in limbs.iter_mut().rev().enumerate() {
            let mut part = [0u8; 8];
            part.copy_from_slice(&wide[1 + index * 8..9 + index * 8]);
            *limb = u64::from_be_bytes(part);
        }
        Some(Self { negative: false, limbs, scale }.with_sign(negative))
    }

    /// Appends MySQL's text of the number: `-0.50`.
    pub fn write_text(&self, out: &mut Vec<u8>) {
        let mut digits = [b'0'; 96];
        let mut start = digits.len();
        let mut limbs = self.limbs;
        while limbs != [0; 4] {
            let mut group = divide(&mut limbs, 1_000_000_000);
            for _ in 0..9 {
                start -= 1;
                digits[start] = b'0' + u8::try_from(group % 10).unwrap_or(0);
                group /= 10;
            }
        }
        let scale = usize::from(self.scale);
        let point = digits.len() - scale;
        while start < point && digits[start] == b'0' {
            start += 1;
        }
        start = start.min(point - 1);
        if self.negative {
            out.push(b'-');
        }
        out.extend_from_slice(&digits[start..point]);
        if scale > 0 {
            out.push(b'.');
            out.extend_from_slice(&digits[point..]);
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(68);
        self.write_text(&mut text);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

fn negate(bytes: &mut [u8; 33]) {
    let mut carry = true;
    for byte in bytes.iter_mut().rev() {
        let (sum, overflow) = (!*byte).overflowing_add(u8::from(carry));
        *byte = sum;
        carry = overflow;
    }
}

/// Divides in place and returns the remainder.
fn divide(limbs: &mut [u64; 4], by: u32) -> u32 {
    let mut rest = 0u64;
    for limb in limbs.iter_mut().rev() {
        let wide = (u128::from(rest) << 64) | u128::from(*limb);
        *limb = (wide / u128::from(by)) as u64;
        rest = (wide % u128::from(by)) as u64;
    }
    u32::try_from(rest).unwrap_or(0)
}

#[cfg(test)]
mod tests;
