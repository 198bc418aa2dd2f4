//! The two headers that every event of ours carries: which cut it belongs to,
//! and its ordinal among the events of that cut in its partition.
//!
//! `cdc.cut` is a version byte, then incarnation and sequence; `cdc.ordinal` is the
//! ordinal, from 0. Numbers are unsigned LEB128 of at most 10 bytes. By the largest
//! (cut, ordinal) of a partition a reader knows duplicates, also behind a mirror,
//! where offsets differ.

use cdc_sdk::{CutId, Error, Kind, Result};

/// Name of the header with the cut.
pub const CUT: &str = "cdc.cut";

/// Name of the header with the ordinal.
pub const ORDINAL: &str = "cdc.ordinal";

/// The version that this program writes and reads.
const VERSION: u8 = 1;

/// Most bytes of a number: 64 bits in groups of 7.
const NUMBER_BYTES_MAX: usize = 10;

/// Where an event stands in the stream of cuts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stamp {
    /// The cut that it belongs to.
    pub cut: CutId,
    /// Its number among the events of that cut in its partition, from 0.
    pub ordinal: u64,
}

/// A stamp as header values, on the stack.
#[derive(Clone, Debug)]
pub struct Encoded {
    cut: Short,
    ordinal: Short,
}

impl Stamp {
    /// Its headers' values.
    pub fn encode(&self) -> Encoded {
        let mut cut = Short::default();
        cut.byte(VERSION);
        cut.number(self.cut.incarnation);
        cut.number(self.cut.sequence);
        let mut ordinal = Short::default();
        ordinal.number(self.ordinal);
        Encoded { cut, ordinal }
    }

    /// Reads the stamp among a record's headers; `None` where there is none, as on
    /// the records of other producers.
    ///
    /// # Errors
    /// [`Kind::UnknownVersion`] where only half of it is there, the version is another,
    /// or the bytes are not what that version writes.
    pub fn decode<'a>(
        headers: impl IntoIterator<Item = (&'a str, Option<&'a [u8]>)>,
    ) -> Result<Option<Self>> {
        let (mut cut, mut ordinal) = (None, None);
        for (name, value) in headers {
            match name {
                CUT => cut = Some(value.unwrap_or_default()),
                ORDINAL => ordinal = Some(value.unwrap_or_default()),
                _ => {}
            }
        }
        match (cut, ordinal) {
            (None, None) => Ok(None),
            (Some(cut), Some(ordinal)) => {
                Ok(Some(Self { cut: decode_cut(cut)?, ordinal: decode_ordinal(ordinal)? }))
            }
            (Some(_), None) => Err(unknown(ORDINAL, "is missing")),
            (None, Some(_)) => Err(unknown(CUT, "is missing")),
        }
    }
}

impl Encoded {
    /// Names and values, as a record takes them.
    pub fn headers(&self) -> [(&'static str, &[u8]); 2] {
        [(CUT, self.cut.as_slice()), (ORDINAL, self.ordinal.as_slice())]
    }
}

fn decode_cut(bytes: &[u8]) -> Result<CutId> {
    let (&version, rest) = bytes.split_first().ok_or_else(|| unknown(CUT, "is empty"))?;
    if version != VERSION {
        return Err(unknown(CUT, &format!("has version {version}")));
    }
    let parts = take_number(rest).and_then(|(incarnation, rest)| {
        take_number(rest).map(|(sequence, rest)| (incarnation, sequence, rest))
    });
    match parts {
        Some((incarnation, sequence, [])) => Ok(CutId { incarnation, sequence }),
        _ => Err(unknown(CUT, "does not hold two numbers")),
    }
}

fn decode_ordinal(bytes: &[u8]) -> Result<u64> {
    match take_number(bytes) {
        Some((ordinal, [])) => Ok(ordinal),
        _ => Err(unknown(ORDINAL, "does not hold one number")),
    }
}

fn unknown(name: &str, why: &str) -> Error {
    Error::new(Kind::UnknownVersion, format!("the header {name} {why}"))
        .hint("was the record written by a newer version of cdc? run that one")
}

/// A number from the front, and what follows; `None` where it is cut short or has over 64 bits.
fn take_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(NUMBER_BYTES_MAX) {
        let bits = u64::from(byte & 0x7f);
        let shift = 7 * u32::try_from(index).ok()?;
        if bits.checked_shl(shift)? >> shift != bits {
            return None;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return bytes.get(index + 1..).map(|rest| (number, rest));
        }
    }
    None
}

/// A header's value: a version and two numbers at most.
#[derive(Clone, Debug, Default)]
struct Short {
    bytes: [u8; 1 + 2 * NUMBER_BYTES_MAX],
    length: usize,
}

impl Short {
    fn byte(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }

    fn number(&mut self, mut number: u64) {
        while number > 0x7f {
            self.byte((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.byte(number as u8);
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
