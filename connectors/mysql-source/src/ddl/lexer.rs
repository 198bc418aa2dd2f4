//! A statement to tokens (MySQL manual, "Language Structure").
//!
//! `/*! … */` holds code that the server ran, so its content counts, unless it is for
//! a version that does not exist yet (`/*!99999`). `/*M! … */` is MariaDB's, which
//! MySQL takes for a comment.

use cdc_sdk::expression::unescaped;

/// What the reading of a statement depends on in the session that ran it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dialect {
    /// `sql_mode` has ANSI_QUOTES: double quotes hold names.
    pub ansi_quotes: bool,
    /// `sql_mode` has NO_BACKSLASH_ESCAPES.
    pub no_backslash_escapes: bool,
    /// `explicit_defaults_for_timestamp` is off: a TIMESTAMP without a default may get the time.
    pub implicit_timestamps: bool,
    /// `lower_case_table_names` is not 0: the server folds names of tables.
    pub fold_names: bool,
}

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// A keyword, or a name without quotes, or a number.
    Word(&'a str),
    /// A name in quotes, unquoted.
    Name(String),
    /// A string, unquoted.
    Text(String),
    /// Any other character.
    Symbol(char),
}

/// The version in `/*!NNNNN` from which on the content is taken for a comment.
const VERSION_NEVER: &str = "99999";

/// Splits a statement into tokens. What is not closed ends with the statement.
pub(crate) fn tokens(statement: &str, dialect: Dialect) -> Vec<Token<'_>> {
    let mut lexer = Lexer { text: statement, at: 0, dialect, in_code_comment: false };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next_token() {
        tokens.push(token);
    }
    tokens
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    dialect: Dialect,
    in_code_comment: bool,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn next_token(&mut self) -> Option<Token<'a>> {
        self.skip_blank();
        let rest = self.rest();
        let first = rest.chars().next()?;
        Some(match first {
            '\'' => Token::Text(self.quoted('\'', !self.dialect.no_backslash_escapes)),
            '"' if self.dialect.ansi_quotes => Token::Name(self.quoted('"', false)),
            '"' => Token::Text(self.quoted('"', !self.dialect.no_backslash_escapes)),
            '`' => Token::Name(self.quoted('`', false)),
            _ if is_word(first) => {
                let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                self.at += length;
                Token::Word(rest.get(..length).unwrap_or_default())
            }
            _ => {
                self.at += first.len_utf8();
                Token::Symbol(first)
            }
        })
    }

    fn skip_blank(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if self.in_code_comment && trimmed.starts_with("*/") {
                self.in_code_comment = false;
                self.at += 2;
            } else if trimmed.starts_with('#') || is_dash_comment(trimmed) {
                self.at += trimmed.find('\n').map_or(trimmed.len(), |end| end + 1);
            } else if trimmed.starts_with("/*") {
                self.comment(trimmed);
            } else {
                return;
            }
        }
    }

    /// Steps into a comment that holds code, or over any other.
    fn comment(&mut self, rest: &str) {
        if let Some(code) = rest.strip_prefix("/*!") {
            let digits = code.find(|c: char| !c.is_ascii_digit()).unwrap_or(code.len());
            let version = code.get(..digits).unwrap_or_default();
            let never = version.len() >= VERSION_NEVER.len() && version.starts_with(VERSION_NEVER);
            if !never {
                self.in_code_comment = true;
                // The version has five or six digits; more belong to the code.
                self.at += 3 + if digits >= 5 { digits.min(6) } else { 0 };
                return;
            }
        }
        self.at += rest.get(2..).and_then(|r| r.find("*/")).map_or(rest.len(), |end| end + 4);
    }

    /// Reads what is in quotes, which stand for themselves when doubled.
    fn quoted(&mut self, quote: char, escapes: bool) -> String {
        let mut content = String::new();
        let mut letters = self.rest().char_indices().skip(1).peekable();
        let mut length = self.rest().len();
        while let Some((at, letter)) = letters.next() {
            if letter == '\\' && escapes {
                letters.next().into_iter().for_each(|(_, letter)| unescape(letter, &mut content));
            } else if letter != quote {
                content.push(letter);
            } else if letters.next_if(|(_, next)| *next == quote).is_some() {
                content.push(quote);
            } else {
                length = at + quote.len_utf8();
                break;
            }
        }
        self.at += length;
        content
    }
}

/// MySQL manual, "String Literals": outside of patterns `\%` and `\_` are two letters.
fn unescape(letter: char, content: &mut String) {
    match letter {
        'b' => content.push('\u{8}'),
        '%' | '_' => content.extend(['\\', letter]),
        other => content.push(unescaped(other)),
    }
}

/// Two dashes start a comment only before white space or a control character.
fn is_dash_comment(text: &str) -> bool {
    let after = text.strip_prefix("--");
    after.is_some_and(|rest| rest.chars().next().is_none_or(|c| c.is_whitespace() || c.is_control()))
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric()
        || matches!(letter, '_' | '$')
        || u32::from(letter) >= 0x80 && !letter.is_whitespace()
}
