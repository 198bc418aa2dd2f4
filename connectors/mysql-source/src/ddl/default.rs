//! The default that a statement gives a column, as SQL text of the form in which the catalogue's are
//! ([`cdc_sdk::column::Extra::default`]).

use super::lexer::Token;

/// What stands behind DEFAULT: a literal. `None` for NULL, and for what is not known here: expressions, several strings in
/// a row, character sets other than UTF-8 (MySQL manual, "Literal Values").
pub(super) fn literal(value: &[Token<'_>]) -> Option<String> {
    match value {
        [Token::Text(_), Token::Text(_), ..] | [Token::Word(_), Token::Text(_), Token::Text(_), ..] => None,
        [Token::Text(text), ..] => Some(quoted(text)),
        [Token::Word(prefix), Token::Text(text), ..] => match prefix.to_ascii_lowercase().as_str() {
            "b" | "x" => Some(format!("{prefix}'{text}'")),
            "n" | "_utf8" | "_utf8mb3" | "_utf8mb4" => Some(quoted(text)),
            _ => None,
        },
        [Token::Word(word), ..] if word.eq_ignore_ascii_case("TRUE") => Some("1".to_owned()),
        [Token::Word(word), ..] if word.eq_ignore_ascii_case("FALSE") => Some("0".to_owned()),
        _ => number(value),
    }
}

/// `-1.5e+3` comes in six tokens.
fn number(value: &[Token<'_>]) -> Option<String> {
    let mut text = String::new();
    for token in value {
        match token {
            Token::Symbol(symbol @ ('+' | '-' | '.')) => text.push(*symbol),
            Token::Word(word) if word.starts_with(|c: char| c.is_ascii_digit()) => text.push_str(word),
            Token::Word(_) | Token::Name(_) | Token::Text(_) | Token::Symbol(_) => break,
        }
    }
    text.contains(|c: char| c.is_ascii_digit()).then(|| text.trim_start_matches('+').to_owned())
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
