//! Numbers, texts, literals, and MySQL's own types inside JSON, as the server
//! prints them (`sql-common/json_dom.cc`, `Json_wrapper::to_string`).

use std::io::Write;

use cdc_sdk::fail::planted;
use cdc_sdk::json::{DECIMAL, SQL_TEXT, TIMESTAMP, UNSIGNED};

use super::container::kind;
use super::double;
use crate::binlog::reader::{Malformed, Reader};
use crate::decode::{decimal, temporal};

/// Field types of opaque values (`field_types.h`).
mod field {
    pub const TIMESTAMP: u8 = 7;
    pub const DATE: u8 = 10;
    pub const TIME: u8 = 11;
    pub const DATETIME: u8 = 12;
    pub const NEWDECIMAL: u8 = 246;
}

/// Prints a value that holds no others, where asked for with the mark of its kind. `bytes` may go on behind it.
pub(super) fn print(kind: u8, bytes: &[u8], marked: bool, out: &mut Vec<u8>) -> Result<(), Malformed> {
    let mut reader = Reader::new(bytes);
    match kind {
        kind::LITERAL => out.extend_from_slice(literal(reader.u8()?)?),
        kind::INT16 if planted("codec.json_int16") => number(out, reader.u16()?),
        kind::INT16 => number(out, i16::from_le_bytes(reader.array()?)),
        kind::UINT16 => unsigned(reader.u16()?.into(), marked, out),
        kind::INT32 => number(out, i32::from_le_bytes(reader.array()?)),
        kind::UINT32 => unsigned(reader.u32()?.into(), marked, out),
        kind::INT64 => number(out, i64::from_le_bytes(reader.array()?)),
        kind::UINT64 => unsigned(reader.u64()?, marked, out),
        kind::DOUBLE => double::print(f64::from_le_bytes(reader.array()?), out)?,
        kind::STRING => {
            let length = length(&mut reader)?;
            quote(reader.take(length)?, out);
        }
        kind::OPAQUE => opaque(&mut reader, marked, out)?,
        _ => return Err(Malformed("a JSON value has an unknown type")),
    }
    Ok(())
}

/// The bytes that a value without others takes.
pub(super) fn bytes_of(kind: u8, bytes: &[u8]) -> Result<&[u8], Malformed> {
    let mut reader = Reader::new(bytes);
    match kind {
        kind::LITERAL => reader.take(1)?,
        kind::INT16 | kind::UINT16 => reader.take(2)?,
        kind::INT32 | kind::UINT32 => reader.take(4)?,
        kind::INT64 | kind::UINT64 | kind::DOUBLE => reader.take(8)?,
        kind::STRING | kind::OPAQUE => {
            if kind == kind::OPAQUE {
                reader.u8()?;
            }
            let length = length(&mut reader)?;
            reader.take(length)?
        }
        _ => return Err(Malformed("a JSON value has an unknown type")),
    };
    Ok(bytes.get(..bytes.len() - reader.len()).unwrap_or_default())
}

fn literal(byte: u8) -> Result<&'static [u8], Malformed> {
    match byte {
        0 => Ok(b"null"),
        1 => Ok(b"true"),
        2 => Ok(b"false"),
        _ => Err(Malformed("a JSON literal is unknown")),
    }
}

/// What does not fit a signed number is unsigned by its text alone.
fn unsigned(value: u64, marked: bool, out: &mut Vec<u8>) {
    if marked && i64::try_from(value).is_ok() {
        out.extend_from_slice(UNSIGNED);
    }
    number(out, value);
}

/// Appends to memory, which cannot fail.
fn number(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    let _ = write!(out, "{value}");
}

/// Seven bits a byte, the lowest first, up to five bytes; the highest bit says
/// that another follows.
fn length(reader: &mut Reader<'_>) -> Result<usize, Malformed> {
    let mut length = 0u64;
    for index in 0..5 {
        let byte = reader.u8()?;
        length |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return usize::try_from(length).map_err(|_| Malformed("a JSON text is too long"));
        }
    }
    Err(Malformed("a JSON length has too many bytes"))
}

/// A text in double quotes (`double_quote` in `json_dom.cc`).
pub(super) fn quote(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut from = 0;
    for (at, byte) in text.iter().enumerate() {
        if *byte >= 0x20 && *byte != b'"' && *byte != b'\\' {
            continue;
        }
        out.extend_from_slice(text.get(from..at).unwrap_or_default());
        from = at + 1;
        escape(*byte, out);
    }
    out.extend_from_slice(text.get(from..).unwrap_or_default());
    out.push(b'"');
}

fn escape(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        0x08 => out.extend_from_slice(b"\\b"),
        0x0c => out.extend_from_slice(b"\\f"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        other => {
            let _ = write!(out, "\\u{other:04x}");
        }
    }
}

/// A value of one of MySQL's types.
fn opaque(reader: &mut Reader<'_>, marked: bool, out: &mut Vec<u8>) -> Result<(), Malformed> {
    let field = reader.u8()?;
    let length = length(reader)?;
    let bytes = reader.take(length)?;
    let mut value = Reader::new(bytes);
    if marked {
        out.extend_from_slice(match field {
            field::NEWDECIMAL => DECIMAL,
            field::TIMESTAMP => TIMESTAMP,
            _ => SQL_TEXT,
        });
    }
    match field {
        field::NEWDECIMAL => {
            let [precision, scale] = value.array()?;
            if precision > decimal::PRECISION_MAX || scale > precision {
                return Err(Malformed("a DECIMAL in JSON has an impossible precision"));
            }
            decimal::read(value.rest(), precision, scale)?.write_text(out);
        }
        field::DATE => {
            let date = temporal::packed_datetime(i64::from_le_bytes(value.array()?))?.date;
            number(out, format_args!("\"{date}\""));
        }
        field::DATETIME | field::TIMESTAMP => {
            let time = temporal::packed_datetime(i64::from_le_bytes(value.array()?))?;
            let (date, micros) = (time.date, time.micros);
            let (hour, minute, second) = (time.hour, time.minute, time.second);
            number(out, format_args!("\"{date} {hour:02}:{minute:02}:{second:02}.{micros:06}\""));
        }
        field::TIME => {
            let time = temporal::packed_time(i64::from_le_bytes(value.array()?))?;
            time_text(time.micros, out);
        }
        other => {
            number(out, format_args!("\"base64:type{other}:"));
            base64(bytes, out);
            out.push(b'"');
        }
    }
    Ok(())
}

fn time_text(micros: i64, out: &mut Vec<u8>) {
    let sign = if micros < 0 { "-" } else { "" };
    let micros = micros.unsigned_abs();
    let seconds = micros / 1_000_000;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    number(out, format_args!("\"{sign}{hour:02}:{minute:02}:{second:02}.{:06}\"", micros % 1_000_000));
}

/// Base 64 as the server's `base64_encode` has it: a line end after each 76
/// characters, which JSON then shows as `\n`.
fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const LINE_BYTES: usize = 57;
    let digit = |bits: u32| DIGITS.get((bits & 63) as usize).copied().unwrap_or(b'=');
    for (index, group) in bytes.chunks(3).enumerate() {
        if index > 0 && (index * 3).is_multiple_of(LINE_BYTES) {
            out.extend_from_slice(b"\\n");
        }
        let mut wide = [0u8; 4];
        group.iter().zip(wide.iter_mut().skip(1)).for_each(|(from, to)| *to = *from);
        let bits = u32::from_be_bytes(wide);
        let text = [digit(bits >> 18), digit(bits >> 12), digit(bits >> 6), digit(bits)];
        let shown = group.len() + 1;
        out.extend_from_slice(text.get(..shown).unwrap_or_default());
        out.resize(out.len() + 4 - shown, b'=');
    }
}
