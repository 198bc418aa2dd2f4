//! Arrays and objects: in the stored order, `, ` between, `: ` behind a key.

use super::scalar;
use crate::binlog::reader::{Malformed, Reader};

/// Deepest nesting: the server's own limit is 100.
const DEPTH_MAX: usize = 128;
/// Most bytes of text for a byte of binary. A control character of one byte prints
/// as six; nothing that the server writes is worse. Bytes that point to each other
/// could be.
const GROWTH_MAX: usize = 8;

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
}

/// Prints a document. No bytes at all are `null`, as the server takes them.
pub(crate) fn print<'a>(bytes: &[u8], out: &'a mut Vec<u8>) -> Result<&'a str, Malformed> {
    out.clear();
    match bytes.split_first() {
        None => out.extend_from_slice(b"null"),
        Some((kind, rest)) => {
            Printer { limit: 64 + bytes.len().saturating_mul(GROWTH_MAX), out }.value(*kind, rest, 0)?;
        }
    }
    std::str::from_utf8(out).map_err(|_| Malformed("a JSON text is not UTF-8"))
}

struct Printer<'a> {
    out: &'a mut Vec<u8>,
    limit: usize,
}

/// An array or object: where its parts are.
struct Container<'a> {
    bytes: &'a [u8],
    /// Bytes of an offset: 2 in a small one, 4 in a large one.
    width: usize,
    count: usize,
    is_object: bool,
}

impl Printer<'_> {
    fn value(&mut self, kind: u8, bytes: &[u8], depth: usize) -> Result<(), Malformed> {
        match kind {
            kind::SMALL_OBJECT | kind::LARGE_OBJECT | kind::SMALL_ARRAY | kind::LARGE_ARRAY => {
                self.container(&Container::read(kind, bytes)?, depth)?;
            }
            _ => scalar::print(kind, bytes, self.out)?,
        }
        if self.out.len() > self.limit {
            return Err(Malformed("a JSON value is larger than its bytes allow"));
        }
        Ok(())
    }

    fn container(&mut self, container: &Container<'_>, depth: usize) -> Result<(), Malformed> {
        if depth >= DEPTH_MAX {
            return Err(Malformed("a JSON value is nested too deeply"));
        }
        self.out.push(if container.is_object { b'{' } else { b'[' });
        for index in 0..container.count {
            if index > 0 {
                self.out.extend_from_slice(b", ");
            }
            if container.is_object {
                scalar::quote(container.key(index)?, self.out);
                self.out.extend_from_slice(b": ");
            }
            let (kind, bytes) = container.element(index)?;
            self.value(kind, bytes, depth + 1)?;
        }
        self.out.push(if container.is_object { b'}' } else { b']' });
        Ok(())
    }
}

const OUTSIDE: Malformed = Malformed("a JSON value points outside of itself");

impl<'a> Container<'a> {
    fn read(kind: u8, bytes: &'a [u8]) -> Result<Self, Malformed> {
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

    fn key(&self, index: usize) -> Result<&'a [u8], Malformed> {
        let mut entry = self.at(2 * self.width + index * self.key_entry_len())?;
        let offset = usize::try_from(entry.uint(self.width)?).map_err(|_| OUTSIDE)?;
        let length = usize::from(entry.u16()?);
        self.at(offset)?.take(length)
    }

    /// An element's type, and its bytes from the first on.
    fn element(&self, index: usize) -> Result<(u8, &'a [u8]), Malformed> {
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
