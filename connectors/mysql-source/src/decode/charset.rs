//! MySQL's character sets to UTF-8: all that MySQL 9 has. A set that is not known is
//! refused, never guessed.
//!
//! Bytes that a set of several bytes allows but has no letter for cannot be shown by
//! the server either (it prints `?`). Where the Encoding Standard has a letter for
//! them it is taken; the destination then refuses it if it has none, so nothing is
//! bent in silence.

mod multi;
mod single;
mod tables;

use std::sync::LazyLock;

use multi::Multi;
use single::Single;

use crate::binlog::reader::Malformed;

/// A character set that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charset {
    /// utf8mb4, utf8mb3.
    Utf8,
    /// ascii: bytes from 128 are not text.
    Ascii,
    /// One byte for each letter.
    Single(&'static Single),
    /// One to four bytes for each letter, the first telling how many.
    Multi(&'static Multi),
    /// ucs2 and utf16: two bytes, the high one first, surrogates in pairs.
    Utf16Be,
    /// utf16le.
    Utf16Le,
    /// utf32: four bytes, the high one first.
    Utf32,
}

static SINGLES: LazyLock<Vec<Single>> = LazyLock::new(Single::all);
static MULTIS: LazyLock<Vec<Multi>> = LazyLock::new(Multi::all);

const INVALID: Malformed = Malformed("a text is not valid in its character set");

impl Charset {
    /// The character set of MySQL's name for it; `None` if it cannot be read.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "utf8mb4" | "utf8mb3" | "utf8" => return Some(Self::Utf8),
            "ascii" => return Some(Self::Ascii),
            "ucs2" | "utf16" => return Some(Self::Utf16Be),
            "utf16le" => return Some(Self::Utf16Le),
            "utf32" => return Some(Self::Utf32),
            _ => {}
        }
        let single = SINGLES.iter().find(|set| set.name == name).map(Self::Single);
        single.or_else(|| MULTIS.iter().find(|set| set.name == name).map(Self::Multi))
    }

    /// The text in UTF-8: the bytes themselves where they are that already, else
    /// in `scratch`.
    #[inline]
    pub fn decode<'a>(self, bytes: &'a [u8], scratch: &'a mut Vec<u8>) -> Result<&'a str, Malformed> {
        if self.is_utf8(bytes) {
            return std::str::from_utf8(bytes).map_err(|_| INVALID);
        }
        scratch.clear();
        self.convert(bytes, scratch)?;
        std::str::from_utf8(scratch).map_err(|_| INVALID)
    }

    /// Whether the bytes are what UTF-8 would have.
    #[inline]
    fn is_utf8(self, bytes: &[u8]) -> bool {
        match self {
            Self::Utf8 => true,
            Self::Ascii | Self::Multi(_) => bytes.is_ascii(),
            Self::Single(set) => set.extends_ascii && bytes.is_ascii(),
            Self::Utf16Be | Self::Utf16Le | Self::Utf32 => false,
        }
    }

    fn convert(self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        match self {
            Self::Utf8 => out.extend_from_slice(bytes),
            Self::Ascii => return Err(INVALID),
            Self::Single(set) => set.convert(bytes, out)?,
            Self::Multi(set) => set.convert(bytes, out)?,
            Self::Utf16Be => utf16(bytes, u16::from_be_bytes, out)?,
            Self::Utf16Le => utf16(bytes, u16::from_le_bytes, out)?,
            Self::Utf32 => utf32(bytes, out)?,
        }
        Ok(())
    }
}

fn push(letter: char, out: &mut Vec<u8>) {
    out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
}

fn utf16(bytes: &[u8], read: fn([u8; 2]) -> u16, out: &mut Vec<u8>) -> Result<(), Malformed> {
    let (units, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(INVALID);
    }
    for letter in char::decode_utf16(units.iter().map(|unit| read(*unit))) {
        push(letter.map_err(|_| INVALID)?, out);
    }
    Ok(())
}

fn utf32(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let (units, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(INVALID);
    }
    for unit in units {
        push(char::from_u32(u32::from_be_bytes(*unit)).ok_or(INVALID)?, out);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
