//! Avro's binary primitives (Avro specification, "Binary Encoding"), on slices.
//!
//! Reading never trusts a length: a slice is taken only if it is there, so
//! hostile bytes can neither panic nor make anything be allocated.

use cdc_sdk::{Error, Kind, Result};

/// Appends a zigzag varint.
pub(super) fn put_long(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Appends a length.
pub(super) fn put_length(out: &mut Vec<u8>, length: usize) {
    put_long(out, i64::try_from(length).unwrap_or(i64::MAX));
}

/// Appends bytes or a string with its length.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_length(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Appends what `write` appends, with its length before it: for short texts whose
/// length is known only when they are written.
pub(super) fn put_measured(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    write(out);
    let end = out.len();
    put_length(out, end - start);
    let prefix = out.len() - end;
    if let Some(span) = out.get_mut(start..) {
        span.rotate_right(prefix);
    }
}

/// Bytes being read from the front.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Bytes that are left.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(ends_early)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or_else(ends_early)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn long(&mut self) -> Result<i64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()));
            }
        }
        Err(malformed("a number is longer than ten bytes"))
    }

    pub(super) fn length(&mut self) -> Result<usize> {
        usize::try_from(self.long()?).map_err(|_| malformed("a length is negative"))
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = self.length()?;
        self.take(length)
    }

    pub(super) fn text(&mut self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|e| malformed("a text is not UTF-8").caused_by(e))
    }

    pub(super) fn boolean(&mut self) -> Result<bool> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [_] => Err(malformed("a boolean is neither 0 nor 1")),
        }
    }

    pub(super) fn float(&mut self) -> Result<f32> {
        Ok(f32::from_le_bytes(self.array()?))
    }

    pub(super) fn double(&mut self) -> Result<f64> {
        Ok(f64::from_le_bytes(self.array()?))
    }

    /// The number of items of the next block of an array or map; 0 at its end.
    pub(super) fn block(&mut self) -> Result<u64> {
        let count = self.long()?;
        if count < 0 {
            self.length()?;
        }
        Ok(count.unsigned_abs())
    }
}

pub(super) fn malformed(why: impl Into<String>) -> Error {
    Error::new(Kind::Decode, why)
        .hint("the message was not written with the schema that its id names, or is damaged")
}

fn ends_early() -> Error {
    malformed("the message ends within a value")
}

#[cfg(test)]
mod tests;
