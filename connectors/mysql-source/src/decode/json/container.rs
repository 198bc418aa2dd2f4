//! Where the parts of an array or object are.

use crate::binlog::reader::{Malformed, Reader};

/// What an element is: the byte before its value or its offset.
pub(super) mod kind {
    pub const SMALL_OBJECT: u8 = 0;
    pub const LARGE_OBJECT: u8 = 1;
    pub const SMALL_ARRAY: u8 = 2;
    pub const LARGE_ARRAY: u8 = 3;
    pub const LITERAL: u8 = 4;
    pub const INT16: u8 = 5;
    pub const UINT16: u8 = 6;
    pub const INT32: u8 = 7;
    pub const UINT32: u8 = 8;
    pub const INT64: u8 = 9;
    pub const UINT64: u8 = 10;
    pub const DOUBLE: u8 = 11;
    pub const STRING: u8 = 12;
    pub const OPAQUE: u8 = 15;

    /// Whether it has parts.
    pub fn is_container(kind: u8) -> bool {
        matches!(kind, SMALL_OBJECT | LARGE_OBJECT | SMALL_ARRAY | LARGE_ARRAY)
    }
}

/// An array or object: where its parts are.
pub(super) struct Container<'a> {
    pub bytes: &'a [u8],
    /// Bytes of an offset: 2 in a small one, 4 in a large one.
    width: usize,
    pub count: usize,
    pub is_object: bool,
}

pub(super) const OUTSIDE: Malformed = Malformed("a JSON value points outside of itself");

impl<'a> Container<'a> {
    pub fn read(kind: u8, bytes: &'a [u8]) -> Result<Self, Malformed> {
        let width = if matches!(kind, kind::SMALL_OBJECT | kind::SMALL_ARRAY) { 2 } else { 4 };
        let mut reader = Reader::new(bytes);
        let count = usize::try_from(reader.uint(width)?).map_err(|_| OUTSIDE)?;
        let size = usize::try_from(reader.uint(width)?).map_err(|_| OUTSIDE)?;
        let bytes = bytes.get(..size).ok_or(OUTSIDE)?;
        let is_object = matches!(kind, kind::SMALL_OBJECT | kind::LARGE_OBJECT);
        let container = Self { bytes, width, count, is_object };
        let entries = count.saturating_mul(container.entry_len()).saturating_add(2 * width);
        if entries > bytes.len() { Err(OUTSIDE) } else { Ok(container) }
    }

    /// Bytes of an element's entries: a key's offset and length, a type, an offset.
    fn entry_len(&self) -> usize {
        self.key_entry_len() + 1 + self.width
    }

    fn key_entry_len(&self) -> usize {
        if self.is_object { self.width + 2 } else { 0 }
    }

    fn at(&self, offset: usize) -> Result<Reader<'a>, Malformed> {
        self.bytes.get(offset..).map(Reader::new).ok_or(OUTSIDE)
    }

    pub fn key(&self, index: usize) -> Result<&'a [u8], Malformed> {
        let mut entry = self.at(2 * self.width + index * self.key_entry_len())?;
        let offset = usize::try_from(entry.uint(self.width)?).map_err(|_| OUTSIDE)?;
        let length = usize::from(entry.u16()?);
        self.at(offset)?.take(length)
    }

    /// An element's type, and its bytes from the first on.
    pub fn element(&self, index: usize) -> Result<(u8, &'a [u8]), Malformed> {
        let first = 2 * self.width + self.count * self.key_entry_len();
        let mut entry = self.at(first + index * (1 + self.width))?;
        let kind = entry.u8()?;
        if self.is_inline(kind) {
            return Ok((kind, entry.take(self.width)?));
        }
        let offset = usize::try_from(entry.uint(self.width)?).map_err(|_| OUTSIDE)?;
        Ok((kind, self.at(offset)?.rest()))
    }

    /// Whether the value is in place of its offset.
    fn is_inline(&self, kind: u8) -> bool {
        match kind {
            kind::LITERAL | kind::INT16 | kind::UINT16 => true,
            kind::INT32 | kind::UINT32 => self.width == 4,
            _ => false,
        }
    }
}
