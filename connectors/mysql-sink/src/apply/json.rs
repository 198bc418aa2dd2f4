//! JSON documents as SQL. One without marks is its text; in one with marks ([`cdc_sdk::json`]) each value
//! of a kind of its own is set at its path: `JSON_SET('{"price": 1.50}', '$."price"', CAST(1.50 AS DECIMAL(3,2)))`.
//!
//! MySQL takes the kind of a value from the type of the expression that it comes from. For most
//! types there is a literal or a cast; for those that only columns have, such as BLOB or TIMESTAMP, there are the columns of
//! `JSON_TABLE` (MySQL 8.0.4). Seen on 9.7.4 for each kind by a test against the server.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cdc_sdk::json::{self, Leg, Node, Nodes};
use cdc_sdk::{Error, Kind, Result};

use super::literal::{binary, escaped, print, quoted};

/// Field types of bytes within JSON (`field_types.h`).
mod field {
    pub const VARCHAR: &str = "15";
    pub const BIT: &str = "16";
    pub const TINY_BLOB: &str = "249";
    pub const MEDIUM_BLOB: &str = "250";
    pub const LONG_BLOB: &str = "251";
    pub const BLOB: &str = "252";
    /// What MySQL 5.7 wrote for VARCHAR. None can be made any more.
    pub const VAR_STRING: &str = "253";
    pub const STRING: &str = "254";
}

/// Appends a document.
///
/// # Errors
/// [`Kind::RowRefused`]: a mark before what cannot be of its kind.
pub(super) fn write(out: &mut Vec<u8>, document: &str) -> Result<()> {
    if !json::is_marked(document) {
        text(out, document.as_bytes());
        return Ok(());
    }
    out.extend_from_slice(b"JSON_SET(");
    let mut plain = Vec::with_capacity(document.len());
    json::unmarked(document, &mut plain);
    text(out, &plain);
    let mut nodes = Nodes::of(document);
    while let Some(node) = nodes.step().map_err(|_| refused("it is no JSON"))? {
        if node.marks == 0 {
            continue;
        }
        out.push(b',');
        path(out, nodes.legs());
        out.push(b',');
        value(out, &node)?;
    }
    out.push(b')');
    Ok(())
}

fn text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(b"_utf8mb4");
    quoted(out, text);
}

/// The names of members are written in a path as they are in a document.
fn path(out: &mut Vec<u8>, legs: &[Leg<'_>]) {
    out.extend_from_slice(b"_utf8mb4'$");
    for leg in legs {
        match leg {
            Leg::Member(name) => {
                out.push(b'.');
                escaped(out, name.as_bytes());
            }
            Leg::Cell(index) => print(out, format_args!("[{index}]")),
        }
    }
    out.push(b'\'');
}

/// Appends a value of a kind of its own.
fn value(out: &mut Vec<u8>, node: &Node<'_>) -> Result<()> {
    let Some(text) = node.text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else {
        return number(out, node);
    };
    // What follows is put into statements without being looked at again.
    if text.contains('\'') || (text.contains('\\') && !text.starts_with("base64:")) {
        return Err(unknown(node));
    }
    match (node.marks, text.strip_prefix("base64:type")) {
        (1, Some(bytes)) => opaque(out, bytes).ok_or_else(|| unknown(node))?,
        (1, None) if text.contains(' ') => print(out, format_args!("CAST('{text}' AS DATETIME(6))")),
        (1, None) if text.contains(':') => print(out, format_args!("CAST('{text}' AS TIME(6))")),
        (1, None) => print(out, format_args!("CAST('{text}' AS DATE)")),
        (2, None) => of_column(out, "TIMESTAMP(6)", |out| print(out, format_args!("'{text}'"))),
        _ => return Err(unknown(node)),
    }
    Ok(())
}

fn number(out: &mut Vec<u8>, node: &Node<'_>) -> Result<()> {
    let digits = node.text.strip_prefix('-').unwrap_or(node.text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return Err(unknown(node));
    }
    let scale = fraction.len();
    let precision = (whole.trim_start_matches('0').len() + scale).max(1);
    match node.marks {
        1 => print(out, format_args!("CAST('{}' AS DECIMAL({precision},{scale}))", node.text)),
        2 => print(out, format_args!("CAST({} AS UNSIGNED)", node.text)),
        _ => return Err(unknown(node)),
    }
    Ok(())
}

/// Bytes, as `15:YWI=`, with `\n` after each 76 characters; `None` for what MySQL does not print.
fn opaque(out: &mut Vec<u8>, shown: &str) -> Option<()> {
    let (field, digits) = shown.split_once(':')?;
    let bytes = STANDARD.decode(digits.replace("\\n", "")).ok()?;
    let column = match field {
        field::VARCHAR | field::VAR_STRING => {
            binary(out, &bytes);
            return Some(());
        }
        field::BIT => {
            let bits = bytes.iter().fold(0, |bits: u64, byte| bits << 8 | u64::from(*byte));
            let column = format!("BIT({})", 8 * Some(bytes.len()).filter(|length| (1..=8).contains(length))?);
            of_column(out, &column, |out| print(out, format_args!("{bits}")));
            return Some(());
        }
        // A BLOB of more bytes than a BLOB column takes comes from expressions over larger ones, so it is made like that.
        field::BLOB => {
            out.extend_from_slice(
                b"COALESCE((SELECT v FROM JSON_TABLE('[]','$[*]' COLUMNS (v BLOB PATH '$')) AS t),",
            );
            binary(out, &bytes);
            out.push(b')');
            return Some(());
        }
        field::TINY_BLOB => "TINYBLOB",
        field::MEDIUM_BLOB => "MEDIUMBLOB",
        field::LONG_BLOB => "LONGBLOB",
        field::STRING => &format!("BINARY({})", bytes.len()),
        _ => return None,
    };
    of_column(out, column, |out| binary(out, &bytes));
    Some(())
}

/// A value as a column of this type gives it.
fn of_column(out: &mut Vec<u8>, column: &str, value: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(b"(SELECT v FROM JSON_TABLE(JSON_ARRAY(");
    value(out);
    print(out, format_args!("),'$[*]' COLUMNS (v {column} PATH '$' ERROR ON ERROR)) AS t)"));
}

fn unknown(node: &Node<'_>) -> Error {
    let shown: String = node.text.chars().take(80).collect();
    refused(&format!("{} marks stand before {shown}", node.marks))
}

fn refused(what: &str) -> Error {
    Error::new(Kind::RowRefused, format!("the kinds of a JSON document cannot be read: {what}"))
        .hint("was the topic written by a newer version of cdc? then update this one first")
}

#[cfg(test)]
mod tests;
