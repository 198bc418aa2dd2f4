//! Whether a text can stand behind WHERE as it is, and reads nothing but its table's columns.

use super::lexer::{Dialect, Token, tokens};

/// Words with which a condition would read tables, or write.
const NOT_IN_A_CONDITION: [&str; 5] = ["SELECT", "TABLE", "VALUES", "INTO", "PROCEDURE"];

/// What speaks against a condition before the server sees it; whether it is SQL at all, the server
/// knows. Brackets must match, so that the brackets around it hold it together.
pub(crate) fn refuse_condition(text: &str) -> Result<(), &'static str> {
    let mut depth: u32 = 0;
    let mut empty = true;
    // As every connection is set: no sql_mode.
    for token in tokens(text, Dialect::default()) {
        empty = false;
        match token {
            Token::Symbol('(') => depth += 1,
            Token::Symbol(')') => match depth.checked_sub(1) {
                Some(outer) => depth = outer,
                None => return Err("a bracket closes that was not opened"),
            },
            Token::Symbol(';') => return Err("it is more than one expression (';')"),
            Token::Word(word) if NOT_IN_A_CONDITION.iter().any(|w| w.eq_ignore_ascii_case(word)) => {
                return Err("it reads other tables, or writes: use the columns of the table only");
            }
            Token::Word(_) | Token::Name(_) | Token::Text(_) | Token::Symbol(_) => {}
        }
    }
    match (empty, depth) {
        (true, _) => Err("it is empty"),
        (false, 0) => Ok(()),
        (false, _) => Err("a bracket is not closed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_pass() {
        for text in [
            "id > 5",
            "(a = 1 OR b = ')') AND c IN (1,2)",
            "note = 'select; (' -- why",
            "`select` = \"a;b\"",
            "d < NOW() - INTERVAL 1 DAY /* a ( */",
        ] {
            assert_eq!(refuse_condition(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_would_leave_the_brackets_is_refused() {
        for text in [
            "",
            "  -- nothing",
            "1) OR (1",
            "id = 1; DROP TABLE t",
            "(id = 1",
            "/*!50000 1) OR (1 */",
            "id IN (SELECT id FROM other)",
            "id in (table other)",
            "1 UNION SELECT 2",
        ] {
            assert!(refuse_condition(text).is_err(), "{text}");
        }
    }
}
