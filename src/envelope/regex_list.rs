//! Regular expressions as Debezium's options have them: matched against the whole of a name, upper and lower case alike.

use regex::{Regex, RegexBuilder};

/// One expression.
#[derive(Clone, Debug)]
pub struct Expression(Regex);

impl Expression {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        // By itself first: what has a bracket too many must not close the one around it.
        let parsed = Regex::new(text)
            .and_then(|_| RegexBuilder::new(&format!(r"\A(?:{text})\z")).case_insensitive(true).build());
        parsed.map(Self).map_err(|error| match error {
            regex::Error::Syntax(why) => format!("\"{text}\" is no regular expression: {}", last_line(&why)),
            other => format!("\"{text}\" is no regular expression: {other}"),
        })
    }

    /// Whether the whole name is one of those meant.
    pub fn matches(&self, name: &str) -> bool {
        self.0.is_match(name)
    }

    /// As it was written, with what holds it to the whole name.
    fn text(&self) -> &str {
        self.0.as_str()
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Expression {}

/// A list of expressions: any of them may match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegexList(Vec<Expression>);

impl RegexList {
    /// Reads a list with commas between its expressions; a comma within one is written `\,`.
    ///
    /// # Errors
    /// What is wrong with one of them, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut texts, mut last) = (Vec::new(), String::new());
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            match letter {
                ',' => texts.push(std::mem::take(&mut last)),
                '\\' => match letters.next() {
                    Some(',') => last.push(','),
                    // A second backslash guards no comma.
                    other => last.extend(std::iter::once('\\').chain(other)),
                },
                other => last.push(other),
            }
        }
        texts.push(last);
        let texts = texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty());
        texts.map(Expression::parse).collect::<Result<_, _>>().map(Self)
    }

    /// One that matches every name.
    pub fn every() -> Self {
        Self::parse(".*").unwrap_or_default()
    }

    /// Whether any expression matches the whole name.
    pub fn matches(&self, name: &str) -> bool {
        self.0.iter().any(|expression| expression.matches(name))
    }
}

/// The parser shows where, over several lines; what is wrong it says last.
fn last_line(why: &str) -> &str {
    let last = why.lines().last().unwrap_or(why);
    last.strip_prefix("error: ").unwrap_or(last)
}

#[cfg(test)]
mod tests;
