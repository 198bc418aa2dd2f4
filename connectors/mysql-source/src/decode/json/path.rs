//! The path of a difference, as the server writes it (`Json_path::to_string`): members and cells,
//! without wildcards and ranges.

use std::borrow::Cow;

use crate::binlog::reader::Malformed;

/// Deepest path: the server's own limit is 100.
const LEGS_MAX: usize = 128;

/// One step of a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Leg<'a> {
    /// `.name`
    Member(Cow<'a, [u8]>),
    /// `[3]`, `[last]`, `[last-3]`
    Cell { index: usize, from_end: bool },
}

const NO_PATH: Malformed = Malformed("the path of a JSON difference cannot be read");

/// Reads a path that leads to a part of the document.
pub(super) fn read(text: &[u8]) -> Result<Vec<Leg<'_>>, Malformed> {
    let mut rest = text.strip_prefix(b"$").ok_or(NO_PATH)?;
    let mut legs = Vec::new();
    while let Some((first, after)) = rest.split_first() {
        if legs.len() == LEGS_MAX {
            return Err(Malformed("the path of a JSON difference is too deep"));
        }
        let (leg, behind) = match (first, after.first()) {
            (b'[', _) => cell(after)?,
            (b'.', Some(b'"')) => quoted(after)?,
            (b'.', _) => bare(after)?,
            _ => return Err(NO_PATH),
        };
        legs.push(leg);
        rest = behind;
    }
    if legs.is_empty() { Err(NO_PATH) } else { Ok(legs) }
}

fn bare(text: &[u8]) -> Result<(Leg<'_>, &[u8]), Malformed> {
    let end = text.iter().position(|byte| matches!(byte, b'.' | b'[')).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end).ok_or(NO_PATH)?;
    let plain = !name.is_empty() && !name.iter().any(|byte| matches!(byte, b'*' | b'"' | b' ' | b']'));
    if plain { Ok((Leg::Member(Cow::Borrowed(name)), rest)) } else { Err(NO_PATH) }
}

/// A name in quotes is a JSON text.
fn quoted(text: &[u8]) -> Result<(Leg<'_>, &[u8]), Malformed> {
    let mut escaped = false;
    let end = text.iter().skip(1).position(|byte| {
        let closes = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        closes
    });
    let (name, rest) = text.split_at_checked(end.ok_or(NO_PATH)? + 2).ok_or(NO_PATH)?;
    let name: String = serde_json::from_slice(name).map_err(|_| NO_PATH)?;
    Ok((Leg::Member(Cow::Owned(name.into_bytes())), rest))
}

fn cell(text: &[u8]) -> Result<(Leg<'_>, &[u8]), Malformed> {
    let end = text.iter().position(|byte| *byte == b']').ok_or(NO_PATH)?;
    let (inside, rest) = text.split_at_checked(end).ok_or(NO_PATH)?;
    let rest = rest.strip_prefix(b"]").ok_or(NO_PATH)?;
    let leg = match inside.strip_prefix(b"last") {
        Some([]) => Leg::Cell { index: 0, from_end: true },
        Some(back) => Leg::Cell { index: number(back.strip_prefix(b"-").ok_or(NO_PATH)?)?, from_end: true },
        None => Leg::Cell { index: number(inside)?, from_end: false },
    };
    Ok((leg, rest))
}

fn number(text: &[u8]) -> Result<usize, Malformed> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(text).ok().filter(|_| digits);
    text.and_then(|text| text.parse::<u32>().ok()).and_then(|n| usize::try_from(n).ok()).ok_or(NO_PATH)
}
