//! Expressions as `information_schema` prints them → as SQL takes them.
//!
//! The catalogue escapes quotes and backslashes once more than SQL does. And it prints
//! the bytes of a UTF-8 literal as if each were a letter of its own (seen in 9.7:
//! `_utf8mb4'ä'` comes as `_utf8mb4'Ã¤'`), while names come as they are. Both are undone;
//! `SHOW CREATE TABLE` is no way out, since it shows letters beyond the basic plane as `?`.

/// The expression as SQL takes it.
pub fn plain_expression(printed: &str) -> String {
    let mut out = String::with_capacity(printed.len());
    let mut glyphs = printed.chars();
    while let Some(glyph) = glyphs.next() {
        match glyph {
            '\\' => out.extend(glyphs.next().map(unescaped)),
            plain => out.push(plain),
        }
    }
    if out.is_ascii() { out } else { with_whole_letters(&out) }
}

/// What a letter stands for behind a backslash that the catalogue has put there.
pub fn unescaped(letter: char) -> char {
    match letter {
        '0' => '\0',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'Z' => '\u{1a}',
        same => same,
    }
}

/// Puts the letters of UTF-8 literals together again.
fn with_whole_letters(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(start) = rest.find(['\'', '`']) {
        let (before, quoted) = rest.split_at(start);
        let length = quoted_len(quoted);
        let (quoted, after) = quoted.split_at(length);
        out.push_str(before);
        let is_utf8 = ["_utf8mb4", "_utf8mb3", "_utf8"].iter().any(|introducer| before.ends_with(introducer));
        match joined(quoted).filter(|_| is_utf8 && quoted.starts_with('\'')) {
            Some(whole) => out.push_str(&whole),
            None => out.push_str(quoted),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Letters that stand for bytes, as the text of those bytes; `None` if they do not.
fn joined(letters: &str) -> Option<String> {
    let bytes: Option<Vec<u8>> = letters.chars().map(|letter| u8::try_from(u32::from(letter)).ok()).collect();
    String::from_utf8(bytes?).ok()
}

/// The length of the quoted text at the start, its quotes included.
fn quoted_len(text: &str) -> usize {
    let mut glyphs = text.char_indices().peekable();
    let Some((_, quote)) = glyphs.next() else { return 0 };
    while let Some((at, glyph)) = glyphs.next() {
        if glyph == '\\' && quote == '\'' {
            glyphs.next();
        } else if glyph == quote {
            if glyphs.peek().is_none_or(|(_, next)| *next != quote) {
                return at + 1;
            }
            glyphs.next();
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogues_own_escapes_go() {
        assert_eq!(plain_expression("concat(_utf8mb4\\'a\\\\\\'b\\')"), "concat(_utf8mb4'a\\'b')");
    }

    #[test]
    fn letters_of_literals_are_whole_again() {
        let printed = "concat(`ä`,_utf8mb4\\'Ã¤â\u{82}¬ð\u{9f}\u{98}\u{80}\\\\\\'\\')";
        assert_eq!(plain_expression(printed), "concat(`ä`,_utf8mb4'ä€😀\\'')");
    }

    #[test]
    fn what_is_whole_stays() {
        for sql in ["`ä` + 1", "_latin1'Ã¤'", "concat(`Ã¤`, _utf8mb4'€')", "_utf8mb4'", "'", "`", "ä"]
        {
            assert_eq!(with_whole_letters(sql), sql);
        }
    }
}
