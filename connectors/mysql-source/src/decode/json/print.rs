//! Arrays and objects: in the stored order, `, ` between, `: ` behind a key.

use super::container::{Container, kind};
use super::scalar;
use crate::binlog::reader::Malformed;

/// Deepest nesting: the server's own limit is 100.
const DEPTH_MAX: usize = 128;
/// Most bytes of text for a byte of binary. A control character of one byte prints
/// as six; nothing that the server writes is worse. Bytes that point to each other
/// could be.
const GROWTH_MAX: usize = 8;

/// Prints a document, where asked for with the marks of [`cdc_sdk::json`]. No bytes at all are `null`, as the
/// server takes them.
pub(crate) fn print<'a>(bytes: &[u8], marked: bool, out: &'a mut Vec<u8>) -> Result<&'a str, Malformed> {
    out.clear();
    match bytes.split_first() {
        None => out.extend_from_slice(b"null"),
        Some((kind, rest)) => {
            let limit = 64 + bytes.len().saturating_mul(GROWTH_MAX);
            Printer { out, limit, marked }.value(*kind, rest, 0)?;
        }
    }
    std::str::from_utf8(out).map_err(|_| Malformed("a JSON text is not UTF-8"))
}

struct Printer<'a> {
    out: &'a mut Vec<u8>,
    limit: usize,
    marked: bool,
}

impl Printer<'_> {
    fn value(&mut self, kind: u8, bytes: &[u8], depth: usize) -> Result<(), Malformed> {
        match kind::is_container(kind) {
            true => self.container(&Container::read(kind, bytes)?, depth)?,
            false => scalar::print(kind, bytes, self.marked, self.out)?,
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
