//! Character sets of one byte for each letter.

use cdc_sdk::fail::planted;

use super::tables::{SINGLE, SWE7};
use super::{INVALID, push};
use crate::binlog::reader::Malformed;

/// One of them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Single {
    /// MySQL's name.
    pub name: &'static str,
    /// Bytes below 128 are ASCII's.
    pub extends_ascii: bool,
    /// The letter of each byte.
    letters: Vec<Option<char>>,
}

impl Single {
    /// All of them.
    pub fn all() -> Vec<Self> {
        let extensions = SINGLE.iter().map(|(name, high)| Self::extending_ascii(name, high));
        extensions.chain([Self::swe7()]).collect()
    }

    fn extending_ascii(name: &'static str, high: &str) -> Self {
        let high = high.chars().map(|letter| Some(letter).filter(|l| *l != '\0'));
        Self {
            name,
            extends_ascii: true,
            letters: (0..128u8).map(|b| Some(char::from(b))).chain(high).collect(),
        }
    }

    /// Swedish letters in place of some of ASCII's signs.
    fn swe7() -> Self {
        let letter = |byte: u8| {
            let other = SWE7.iter().find(|(own, _)| *own == byte);
            Some(other.map_or(char::from(byte), |(_, letter)| *letter))
        };
        Self { name: "swe7", extends_ascii: false, letters: (0..127u8).map(letter).collect() }
    }

    /// Appends the text in UTF-8.
    pub fn convert(&self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        for byte in bytes {
            let letter = self.letters.get(usize::from(*byte)).copied().flatten();
            let c1 = planted("codec.latin1") && self.name == "latin1";
            push(if c1 { char::from(*byte) } else { letter.ok_or(INVALID)? }, out);
        }
        Ok(())
    }
}
