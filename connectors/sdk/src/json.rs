//! JSON as text that keeps the kinds of MySQL's scalars.
//!
//! A JSON column holds more kinds than JSON's grammar tells apart: DECIMAL and UNSIGNED INTEGER
//! beside other numbers; dates, times and bytes beside strings (MySQL manual, "The JSON Data
//! Type" and `JSON_TYPE()`). Printed, they look like the others, and read from that text they
//! would *be* the others. So those that would be lost are marked by tabs in front of them:
//!
//! | marked | before a number | before a string |
//! |---|---|---|
//! | not | what its text says: DOUBLE with a point or an exponent, else INTEGER, above 2^63 UNSIGNED INTEGER | STRING |
//! | one tab | DECIMAL | what its text says: `base64:typeN:…` bytes of the field type N, else DATE, TIME or DATETIME |
//! | two tabs | UNSIGNED INTEGER | TIMESTAMP |
//!
//! White space means nothing to any other reader of JSON. MySQL itself prints spaces only, and a tab
//! within a string as `\t`: so a text without tabs has no marks, and one look for a tab tells.

/// Stands once or twice before a value of a kind that its text does not tell.
pub const MARK: u8 = b'\t';
/// Before a number: DECIMAL.
pub const DECIMAL: &[u8] = b"\t";
/// Before a number: UNSIGNED INTEGER, where it would fit a signed one.
pub const UNSIGNED: &[u8] = b"\t\t";
/// Before a string: bytes, DATE, TIME or DATETIME, as its text tells.
pub const SQL_TEXT: &[u8] = b"\t";
/// Before a string: TIMESTAMP.
pub const TIMESTAMP: &[u8] = b"\t\t";

/// Deepest nesting that is followed; MySQL's own limit is 100.
const DEPTH_MAX: usize = 128;

/// Whether a text has marks.
pub fn is_marked(text: &str) -> bool {
    memchr::memchr(MARK, text.as_bytes()).is_some()
}

/// The text without its marks: as MySQL prints the document.
pub fn unmarked(text: &str, out: &mut Vec<u8>) {
    out.extend(text.bytes().filter(|byte| *byte != MARK));
}

/// The text is not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotJson;

/// One step of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leg<'a> {
    /// A member of an object: its name as it is written, with the quotes.
    Member(&'a str),
    /// An element of an array.
    Cell(usize),
}

/// A value of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node<'a> {
    /// Where it starts, behind its marks.
    pub start: usize,
    /// A scalar as it is written; of an array or object only `[` or `{`.
    pub text: &'a str,
    /// Tabs in front of it.
    pub marks: usize,
    /// What it is a part of.
    pub parent: Option<Parent>,
}

/// An array or object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    /// How many others begin before it.
    pub container: usize,
    /// Whether it has members.
    pub is_object: bool,
    /// The place of the part in it.
    pub index: usize,
}

/// The values of a document in the order of its text, arrays and objects before their parts.
#[derive(Debug)]
pub struct Nodes<'a> {
    text: &'a str,
    at: usize,
    begun: bool,
    /// The last value was an array or object.
    entered: bool,
    /// Arrays and objects around the last value, or that begin with it.
    open: Vec<Parent>,
    legs: Vec<Leg<'a>>,
    containers: usize,
}

impl<'a> Nodes<'a> {
    /// Of this text.
    pub fn of(text: &'a str) -> Self {
        Self { text, at: 0, begun: false, entered: false, open: Vec::new(), legs: Vec::new(), containers: 0 }
    }

    /// The next value; `None` behind the last one.
    ///
    /// # Errors
    /// The text is not JSON, or nested deeper than MySQL allows.
    pub fn step(&mut self) -> Result<Option<Node<'a>>, NotJson> {
        if !self.reach_value()? {
            return Ok(None);
        }
        let marks = self.space();
        let start = self.at;
        let end = match self.peek().ok_or(NotJson)? {
            b'"' => self.string_end()?,
            b'[' | b'{' => start + 1,
            _ => self.word_end(),
        };
        let text = self.text.get(start..end).filter(|text| !text.is_empty()).ok_or(NotJson)?;
        self.at = end;
        let node = Node { start, text, marks, parent: self.open.last().copied() };
        if matches!(text, "[" | "{") {
            self.enter(text == "{")?;
        }
        Ok(Some(node))
    }

    /// The path to the last value.
    pub fn legs(&self) -> &[Leg<'a>] {
        &self.legs
    }

    fn enter(&mut self, is_object: bool) -> Result<(), NotJson> {
        if self.open.len() >= DEPTH_MAX {
            return Err(NotJson);
        }
        self.open.push(Parent { container: self.containers, is_object, index: 0 });
        self.containers += 1;
        self.entered = true;
        Ok(())
    }

    /// Goes to where the next value stands; `false` where there is none.
    fn reach_value(&mut self) -> Result<bool, NotJson> {
        if !std::mem::replace(&mut self.begun, true) {
            return Ok(true);
        }
        loop {
            // An array's first element may have marks: they stay where they are.
            let before = self.at;
            self.space();
            let Some(parent) = self.open.last_mut() else {
                return if self.at == self.text.len() { Ok(false) } else { Err(NotJson) };
            };
            let closing = if parent.is_object { b'}' } else { b']' };
            let first = std::mem::replace(&mut self.entered, false);
            match self.text.as_bytes().get(self.at) {
                Some(byte) if *byte == closing => {
                    self.open.pop();
                    if !first {
                        self.legs.pop();
                    }
                    self.at += 1;
                    continue;
                }
                Some(_) if first => self.at = before,
                Some(b',') => {
                    parent.index += 1;
                    self.legs.pop();
                    self.at += 1;
                }
                _ => return Err(NotJson),
            }
            let (is_object, index) = (parent.is_object, parent.index);
            let leg = if is_object { Leg::Member(self.name()?) } else { Leg::Cell(index) };
            self.legs.push(leg);
            return Ok(true);
        }
    }

    /// A member's name, and the colon behind it.
    fn name(&mut self) -> Result<&'a str, NotJson> {
        self.space();
        let (start, end) = (self.at, self.string_end()?);
        self.at = end;
        self.space();
        if self.peek() != Some(b':') {
            return Err(NotJson);
        }
        self.at += 1;
        self.text.get(start..end).ok_or(NotJson)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Goes over white space, and counts its tabs.
    fn space(&mut self) -> usize {
        let mut tabs = 0;
        while let Some(byte @ (b' ' | MARK | b'\n' | b'\r')) = self.peek() {
            tabs += usize::from(byte == MARK);
            self.at += 1;
        }
        tabs
    }

    /// Behind the quote that ends the string here.
    fn string_end(&self) -> Result<usize, NotJson> {
        if self.peek() != Some(b'"') {
            return Err(NotJson);
        }
        let bytes = self.text.as_bytes();
        let mut at = self.at + 1;
        loop {
            at += memchr::memchr2(b'"', b'\\', bytes.get(at..).ok_or(NotJson)?).ok_or(NotJson)?;
            match bytes.get(at) {
                Some(b'"') => return Ok(at + 1),
                _ => at += 2,
            }
        }
    }

    /// Behind the number or literal here.
    fn word_end(&self) -> usize {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let is_word = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(**byte, b'+' | b'-' | b'.');
        self.at + rest.iter().take_while(is_word).count()
    }
}

#[cfg(test)]
mod tests;
