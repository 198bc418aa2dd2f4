//! Expressions as `information_schema` prints them → as SQL takes them.
//!
//! The catalogue escapes quotes and backslashes once more than SQL does. And it prints
//! the bytes of a UTF-8 literal, and of a name, as if each were a letter of its own (seen in 9.7:
//! `_utf8mb4'ä'` comes as `_utf8mb4'Ã¤'`). Both are undone; `SHOW CREATE TABLE` is no way out, since it shows letters beyond the basic plane as `?`.

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

/// A part of an SQL text: what stands in quotes of one kind, with them, or what stands between quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The quote that opens and closes it.
    pub quote: Option<char>,
    /// All of it.
    pub text: &'a str,
}

impl Piece<'_> {
    /// What a quoted piece means, without its quotes; nothing where none are.
    pub fn content(&self) -> Option<String> {
        let quote = self.quote?;
        let inside = self.text.strip_prefix(quote)?;
        let mut glyphs = inside.strip_suffix(quote).unwrap_or(inside).chars();
        let mut out = String::with_capacity(self.text.len());
        while let Some(glyph) = glyphs.next() {
            match glyph {
                '\\' if quote != '`' => out.extend(glyphs.next().map(unescaped)),
                _ => {
                    out.push(glyph);
                    // Inside, a quote comes twice.
                    if glyph == quote {
                        glyphs.next();
                    }
                }
            }
        }
        Some(out)
    }
}

/// The pieces of an SQL text, in order.
pub fn pieces(sql: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = sql;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let quote = Some(first).filter(|letter| QUOTES.contains(letter));
        let length = match quote {
            Some(_) => quoted_len(rest),
            None => rest.find(QUOTES).unwrap_or(rest.len()),
        };
        let (text, after) = rest.split_at(length);
        rest = after;
        Some(Piece { quote, text })
    })
}

/// What begins and ends a literal or a name.
const QUOTES: [char; 3] = ['\'', '"', '`'];

/// Puts the letters of UTF-8 literals and of names together again.
fn with_whole_letters(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    for piece in pieces(sql) {
        let is_utf8 = ["_utf8mb4", "_utf8mb3", "_utf8"].iter().any(|introducer| out.ends_with(introducer));
        let is_split = piece.quote == Some('`') || is_utf8 && piece.quote == Some('\'');
        match joined(piece.text).filter(|_| is_split) {
            Some(whole) => out.push_str(&whole),
            None => out.push_str(piece.text),
        }
    }
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
        if glyph == '\\' && quote != '`' {
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
    fn letters_of_literals_and_names_are_whole_again() {
        let printed = "concat(`Ã¤â\u{98}\u{83}`,_utf8mb4\\'Ã¤â\u{82}¬ð\u{9f}\u{98}\u{80}\\\\\\'\\')";
        assert_eq!(plain_expression(printed), "concat(`ä☃`,_utf8mb4'ä€😀\\'')");
    }

    #[test]
    fn pieces_are_what_stands_in_quotes_and_between() {
        let sql = "concat(`a``b`,_utf8mb4'it''s \\'x', \"\\n\") + 1";
        let all: Vec<Piece<'_>> = pieces(sql).collect();
        assert_eq!(all.iter().map(|piece| piece.text).collect::<String>(), sql);
        let contents: Vec<String> = all.iter().filter_map(Piece::content).collect();
        assert_eq!(contents, ["a`b", "it's 'x", "\n"]);
        assert_eq!(pieces("'").next().and_then(|piece| piece.content()), Some(String::new()));
    }

    #[test]
    fn what_is_whole_stays() {
        for sql in ["`ä` + 1", "_latin1'Ã¤'", "concat(`☃`, _utf8mb4'€')", "_utf8mb4'", "'", "`", "ä"]
        {
            assert_eq!(with_whole_letters(sql), sql);
        }
    }
}
