//! The kinds of JSON's scalars, of which a SELECT brings the text alone.
//!
//! Beside each document the server is asked for the kinds in it: one digit for the whole, one for each member
//! of an object in it, one for each element of an array, as `0/012/00`. `$**.*` and `$**[*]` visit them
//! container by container, in the order in which these begin in the text. So the text is gone over in
//! the same order, and gets the marks that the binlog's documents have.
//!
//! The answer is in the same row of the same read as the text; each list has at most one digit for two bytes
//! of text, so what the server lets through as text it lets through here.

use cdc_sdk::json::{DECIMAL, Node, Nodes, SQL_TEXT, TIMESTAMP, UNSIGNED};

/// `group_concat_max_len` of a session that asks: more than a packet can have.
pub(super) const LIST_BYTES_MAX: u64 = 1 << 30;

/// What `JSON_TYPE` says, as a digit. Any kind that is not named here has its text as a string. (A `null` within a
/// document is NULL where `JSON_TABLE` brings it.)
const DIGIT: &str = "WHEN 'UNSIGNED INTEGER' THEN 1 WHEN 'DECIMAL' THEN 2 WHEN 'TIMESTAMP' THEN 3 \
    WHEN 'STRING' THEN 0 WHEN 'INTEGER' THEN 0 WHEN 'DOUBLE' THEN 0 WHEN 'OBJECT' THEN 0 WHEN 'ARRAY' THEN 0 \
    WHEN 'BOOLEAN' THEN 0 WHEN 'NULL' THEN 0 ELSE 4 END";
/// A document without kinds of its own, which most are.
const PLAIN: &[u8] = b"0//";

/// The expression that asks for the kinds in a column; `name` is as SQL has it. It is NULL where the column is.
pub(super) fn asked(name: &str) -> String {
    let list = |path: &str| {
        format!(
            "(SELECT IFNULL(TRIM(TRAILING '0' FROM GROUP_CONCAT(CASE IFNULL(JSON_TYPE(v), 'NULL') {DIGIT} ORDER BY n SEPARATOR '')), '') \
             FROM JSON_TABLE({name}, '{path}' COLUMNS (n FOR ORDINALITY, v JSON PATH '$')) AS parts)"
        )
    };
    let (members, elements) = (list("$**.*"), list("$**[*]"));
    format!(
        "IF({name} IS NULL, NULL, CONCAT(CASE JSON_TYPE({name}) {DIGIT}, '/', {members}, '/', {elements}))"
    )
}

/// The text with the marks of its kinds, where it has any in `scratch`; `None` where the two contradict each other.
pub(super) fn marked<'a>(text: &'a [u8], kinds: &[u8], scratch: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    if kinds == PLAIN {
        return Some(text);
    }
    let document = std::str::from_utf8(text).ok()?;
    let lists = Lists::of(kinds)?;
    let places = places(document)?;
    scratch.clear();
    let mut copied = 0;
    let mut nodes = Nodes::of(document);
    let mut left = lists.marks();
    while let Some(node) = nodes.step().ok()? {
        let kind = lists.kind(&node, &places)?;
        if kind == b'0' {
            continue;
        }
        left = left.checked_sub(1)?;
        scratch.extend_from_slice(text.get(copied..node.start)?);
        scratch.extend_from_slice(mark(kind, node.text)?);
        copied = node.start;
    }
    scratch.extend_from_slice(text.get(copied..)?);
    // Digits that belong to no value would be of another document.
    (left == 0).then_some(scratch.as_slice())
}

/// The digits: of the whole, of members, of elements.
struct Lists<'a> {
    whole: u8,
    members: &'a [u8],
    elements: &'a [u8],
}

impl<'a> Lists<'a> {
    fn of(kinds: &'a [u8]) -> Option<Self> {
        let mut parts = kinds.split(|byte| *byte == b'/');
        let (whole, members, elements) = (parts.next()?, parts.next()?, parts.next()?);
        let &[whole] = whole else { return None };
        let lists = Self { whole, members, elements };
        let sound = parts.next().is_none() && lists.digits().all(|digit| digit.is_ascii_digit());
        sound.then_some(lists)
    }

    fn digits(&self) -> impl Iterator<Item = u8> {
        [self.whole].into_iter().chain(self.members.iter().chain(self.elements).copied())
    }

    fn marks(&self) -> usize {
        self.digits().filter(|digit| *digit != b'0').count()
    }

    /// The zeros at the end of a list are not sent.
    fn kind(&self, node: &Node<'_>, places: &[usize]) -> Option<u8> {
        let Some(parent) = node.parent else { return Some(self.whole) };
        let list = if parent.is_object { self.members } else { self.elements };
        let place = places.get(parent.container)? + parent.index;
        Some(list.get(place).copied().unwrap_or(b'0'))
    }
}

/// Of each array and object, how many elements or members those have that begin before it.
fn places(document: &str) -> Option<Vec<usize>> {
    let mut places = Vec::new();
    let mut nodes = Nodes::of(document);
    while let Some(node) = nodes.step().ok()? {
        let Some(parent) = node.parent else { continue };
        places.resize(places.len().max(parent.container + 1), (false, 0));
        *places.get_mut(parent.container)? = (parent.is_object, parent.index + 1);
    }
    let (mut members, mut elements) = (0, 0);
    let before = |(is_object, count): (bool, usize)| {
        let passed = if is_object { &mut members } else { &mut elements };
        *passed += count;
        *passed - count
    };
    Some(places.into_iter().map(before).collect())
}

fn mark(kind: u8, value: &str) -> Option<&'static [u8]> {
    let is_text = value.starts_with('"');
    match kind {
        b'1' if value.parse::<i64>().is_ok() => Some(UNSIGNED),
        b'1' if value.parse::<u64>().is_ok() => Some(b""),
        b'2' if value.starts_with(|first: char| first == '-' || first.is_ascii_digit()) => Some(DECIMAL),
        b'3' if is_text => Some(TIMESTAMP),
        b'4' if is_text => Some(SQL_TEXT),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
