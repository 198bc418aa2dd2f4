//! Character sets of one to four bytes for each letter: the Encoding Standard's, but
//! for the sequences that MySQL reads otherwise.

use encoding_rs::{BIG5, DecoderResult, EUC_JP, EUC_KR, Encoding, GB18030, GBK, SHIFT_JIS};

use super::tables;
use super::{INVALID, push};
use crate::binlog::reader::Malformed;

/// One of them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Multi {
    /// MySQL's name.
    pub name: &'static str,
    encoding: &'static Encoding,
    lengths: Lengths,
    /// What MySQL reads otherwise: the bytes as a number, ascending.
    own: Vec<(u32, char)>,
}

/// How many bytes a letter has, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lengths {
    /// Two from 0x81 on.
    Two,
    /// Two, but the small kana have one.
    ShiftJis,
    /// Two, three behind 0x8F; rows from 0xF5 on are for private use.
    Euc,
    /// Two, or four if the second is a digit.
    Gb18030,
}

impl Multi {
    /// All of them.
    pub fn all() -> Vec<Self> {
        [
            ("big5", BIG5, Lengths::Two, tables::BIG5),
            ("cp932", SHIFT_JIS, Lengths::ShiftJis, ""),
            ("sjis", SHIFT_JIS, Lengths::ShiftJis, tables::SJIS),
            ("euckr", EUC_KR, Lengths::Two, ""),
            ("gbk", GBK, Lengths::Two, ""),
            ("gb2312", GBK, Lengths::Two, tables::GB2312),
            ("gb18030", GB18030, Lengths::Gb18030, tables::GB18030),
            ("ujis", EUC_JP, Lengths::Euc, tables::UJIS),
            ("eucjpms", EUC_JP, Lengths::Euc, tables::EUCJPMS),
        ]
        .into_iter()
        .map(|(name, encoding, lengths, own)| Self { name, encoding, lengths, own: sequences(own) })
        .collect()
    }

    /// Appends the text in UTF-8.
    pub fn convert(&self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        let mut rest = bytes;
        let mut usual = 0;
        while let Some(letter) =
            rest.get(usual..).and_then(|r| r.get(..self.lengths.of(r)).filter(|l| !l.is_empty()))
        {
            let Some(own) = self.own(letter) else {
                usual += letter.len();
                continue;
            };
            self.append(rest.get(..usual).unwrap_or_default(), out)?;
            push(own, out);
            rest = rest.get(usual + letter.len()..).unwrap_or_default();
            usual = 0;
        }
        self.append(rest, out)
    }

    fn own(&self, letter: &[u8]) -> Option<char> {
        if letter.len() < 2 {
            return None;
        }
        let number = letter.iter().fold(0, |number, byte| (number << 8) | u32::from(*byte));
        let found = self.own.binary_search_by_key(&number, |(bytes, _)| *bytes).ok();
        let found = found.and_then(|at| self.own.get(at)).map(|(_, letter)| *letter);
        found.or_else(|| if self.lengths == Lengths::Euc { private(letter) } else { None })
    }

    /// Appends what the Encoding Standard reads.
    fn append(&self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        let mut decoder = self.encoding.new_decoder_without_bom_handling();
        let room = decoder.max_utf8_buffer_length_without_replacement(bytes.len()).ok_or(INVALID)?;
        let start = out.len();
        out.resize(start + room, 0);
        let target = out.get_mut(start..).unwrap_or_default();
        let (result, _, written) = decoder.decode_to_utf8_without_replacement(bytes, target, true);
        out.truncate(start + written);
        if result == DecoderResult::InputEmpty { Ok(()) } else { Err(INVALID) }
    }
}

impl Lengths {
    /// Bytes of the first letter; more than there are where it is cut short.
    fn of(self, bytes: &[u8]) -> usize {
        let Some(first) = bytes.first() else { return 0 };
        let second = bytes.get(1).copied().unwrap_or_default();
        match (self, first) {
            (_, 0..=0x7f) | (Self::ShiftJis, 0xa1..=0xdf) => 1,
            (Self::Euc, 0x8f) => 3,
            (Self::Gb18030, _) if second.is_ascii_digit() => 4,
            _ => 2,
        }
    }
}

/// The rows for private use of the two planes of EUC-JP, 94 letters each.
fn private(letter: &[u8]) -> Option<char> {
    let (first, row, column) = match *letter {
        [row, column] => (0xE000, row, column),
        [0x8f, row, column] => (0xE3AC, row, column),
        _ => return None,
    };
    let row = u32::from(row.checked_sub(0xf5)?);
    let column = u32::from(column.checked_sub(0xa1)?);
    if row > 9 || column > 93 { None } else { char::from_u32(first + row * 94 + column) }
}

/// Reads a list of [`tables`]: hexadecimal digits, then a letter.
fn sequences(list: &str) -> Vec<(u32, char)> {
    let entry = |entry: &str| {
        let letter = entry.chars().next_back()?;
        let bytes = u32::from_str_radix(entry.strip_suffix(letter)?, 16).ok()?;
        Some((bytes, letter))
    };
    let mut all: Vec<_> = list.split(' ').filter_map(entry).collect();
    all.sort_unstable();
    all
}
