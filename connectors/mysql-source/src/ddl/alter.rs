//! ALTER TABLE: its parts one by one, the worst of them deciding.

use cdc_sdk::TableName;

use super::lexer::Token;
use super::statement::{Parser, is_word};
use super::{ColumnChange, Effect, NewDefault, default};

/// What a part does to the table, the harmless first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    Metadata,
    Reshape,
    Rewrite(&'static str),
    Unknown,
}

/// What one part does, and what beside.
struct Part {
    weight: Weight,
    also: Vec<Effect>,
}

impl From<Weight> for Part {
    fn from(weight: Weight) -> Self {
        Self { weight, also: Vec::new() }
    }
}

/// The effects of `ALTER TABLE name …`.
pub(crate) fn effects(parser: &Parser<'_, '_>, name: &TableName) -> Vec<Effect> {
    let mut weight = Weight::Metadata;
    let mut beside = Vec::new();
    for tokens in parts(parser.rest()) {
        let part = part(&mut parser.of(tokens), name);
        weight = weight.max(part.weight);
        beside.extend(part.also);
        if takes_the_rest(tokens) {
            break;
        }
    }
    // Of a column that goes and one of its name that comes the former is meant as it was before the statement,
    // whichever part stands first.
    beside.sort_by_key(|effect| !matches!(effect, Effect::Column { change: ColumnChange::Dropped, .. }));
    let table = name.clone();
    let effect = match weight {
        Weight::Metadata => Effect::Metadata(table),
        Weight::Reshape => Effect::Reshape(table),
        Weight::Rewrite(why) => Effect::Rewrite { table, why },
        Weight::Unknown => Effect::Unknown { table: Some(table) },
    };
    std::iter::once(effect).chain(beside).collect()
}

/// Splits at the commas outside of parentheses.
fn parts<'t, 'a>(tokens: &'t [Token<'a>]) -> Vec<&'t [Token<'a>]> {
    let mut depth = 0usize;
    tokens
        .split(|token| {
            match token {
                Token::Symbol('(') => depth += 1,
                Token::Symbol(')') => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && *token == Token::Symbol(',')
        })
        .collect()
}

/// Whether the commas behind a part are between names of its own, to the statement's end: of partitions, or of what
/// the rows are ordered by.
fn takes_the_rest(part: &[Token<'_>]) -> bool {
    match part {
        [first, second, ..] => {
            is_word(second, "PARTITION") && !is_word(first, "ADD")
                || is_word(first, "ORDER") && is_word(second, "BY")
        }
        _ => false,
    }
}

/// What changes neither rows nor columns: kinds of partitions that keep their rows,
/// ways to run the statement, options of the table.
const HARMLESS: [&str; 48] = [
    "PARTITION",
    "REMOVE",
    "COALESCE",
    "REORGANIZE",
    "REBUILD",
    "OPTIMIZE",
    "ANALYZE",
    "CHECK",
    "ALGORITHM",
    "LOCK",
    "FORCE",
    "ORDER",
    "ENABLE",
    "DISABLE",
    "WITH",
    "WITHOUT",
    "DEFAULT",
    "CHARACTER",
    "CHARSET",
    "COLLATE",
    "ENGINE",
    "AUTO_INCREMENT",
    "AUTOEXTEND_SIZE",
    "AVG_ROW_LENGTH",
    "CHECKSUM",
    "COMMENT",
    "COMPRESSION",
    "CONNECTION",
    "DATA",
    "INDEX",
    "DELAY_KEY_WRITE",
    "ENCRYPTION",
    "ENGINE_ATTRIBUTE",
    "INSERT_METHOD",
    "KEY_BLOCK_SIZE",
    "MAX_ROWS",
    "MIN_ROWS",
    "PACK_KEYS",
    "PASSWORD",
    "ROW_FORMAT",
    "SECONDARY_ENGINE",
    "SECONDARY_ENGINE_ATTRIBUTE",
    "START",
    "SECONDARY_LOAD",
    "STATS_AUTO_RECALC",
    "STATS_PERSISTENT",
    "STATS_SAMPLE_PAGES",
    "TABLESPACE",
];

fn part(parser: &mut Parser<'_, '_>, name: &TableName) -> Part {
    let first = parser.peek();
    if parser.rest().is_empty() {
        return Weight::Metadata.into();
    }
    parser.step();
    match first.as_str() {
        "ADD" => add(parser, name),
        "DROP" => drop_part(parser, name),
        "MODIFY" => Weight::Rewrite(CONVERTS).into(),
        "CHANGE" => change(parser, name),
        "ALTER" => alter_part(parser, name),
        "RENAME" => rename(parser, name),
        "CONVERT" => convert(parser).into(),
        "EXCHANGE" => exchange(parser),
        "TRUNCATE" => Weight::Rewrite("TRUNCATE PARTITION removes rows").into(),
        // Until one is brought in the table cannot be read.
        "DISCARD" => Part { weight: Weight::Metadata, also: vec![Effect::Truncate(name.clone())] },
        "IMPORT" => Weight::Rewrite("a tablespace was brought in").into(),
        "REPAIR" => Weight::Unknown.into(),
        other if HARMLESS.contains(&other) => option(parser).into(),
        // UNION = (…) makes a MERGE table of other tables: other rows.
        _ => Weight::Unknown.into(),
    }
}

/// A table option. Several may follow each other without commas, so those that
/// change rows are looked for among them.
fn option(parser: &Parser<'_, '_>) -> Weight {
    let names = |keyword: &str| parser.rest().iter().any(|token| is_word(token, keyword));
    if names("BLACKHOLE") {
        Weight::Rewrite("the BLACKHOLE engine keeps no rows")
    } else if names("UNION") {
        Weight::Unknown
    } else {
        Weight::Metadata
    }
}

fn add(parser: &mut Parser<'_, '_>, table: &TableName) -> Part {
    match parser.peek().as_str() {
        "INDEX" | "KEY" | "FULLTEXT" | "SPATIAL" | "FOREIGN" | "CHECK" | "PARTITION" => {
            Weight::Metadata.into()
        }
        // A row's identity may change, and with it the key of its events.
        "UNIQUE" | "PRIMARY" => Weight::Reshape.into(),
        "CONSTRAINT" => {
            let identity = parser.rest().iter().any(|t| is_word(t, "PRIMARY") || is_word(t, "UNIQUE"));
            if identity { Weight::Reshape.into() } else { Weight::Metadata.into() }
        }
        _ => add_column(parser, table),
    }
}

/// `ADD [COLUMN] name …` or `ADD [COLUMN] (name …, name …)`.
fn add_column(parser: &mut Parser<'_, '_>, table: &TableName) -> Part {
    parser.accept("COLUMN");
    let tokens = parser.rest();
    let inner = tokens
        .strip_prefix(&[Token::Symbol('(')])
        .map(|t| t.strip_suffix(&[Token::Symbol(')')]).unwrap_or(t));
    let columns = inner.map_or_else(|| vec![tokens], parts);
    let added = |tokens: &&[Token<'_>]| {
        let change = ColumnChange::Added { default: declared_default(tokens) };
        Some(Effect::Column { table: table.clone(), name: parser.of(tokens).identifier()?, change })
    };
    let also = columns.iter().filter_map(|tokens| added(&&**tokens)).collect();
    let clock = parser.dialect().implicit_timestamps;
    let weight = columns.into_iter().map(|tokens| column(tokens).max(timestamp(tokens, clock)));
    Part { weight: weight.max().unwrap_or(Weight::Unknown), also }
}

/// What stands behind the first DEFAULT of `name type …`, where that is a literal.
fn declared_default(tokens: &[Token<'_>]) -> Option<String> {
    let mut depth = 0usize;
    let at = tokens.iter().skip(1).position(|token| {
        match token {
            Token::Symbol('(') => depth += 1,
            Token::Symbol(')') => depth = depth.saturating_sub(1),
            Token::Symbol(_) | Token::Word(_) | Token::Name(_) | Token::Text(_) => {}
        }
        depth == 0 && is_word(token, "DEFAULT")
    })?;
    default::literal(tokens.get(at + 2..)?)
}

/// What the rows that are there get in a new column.
fn column(tokens: &[Token<'_>]) -> Weight {
    const CLOCKS: [&str; 4] = ["CURRENT_TIMESTAMP", "NOW", "LOCALTIME", "LOCALTIMESTAMP"];
    // The name itself may be any word.
    let tokens = tokens.get(1..).unwrap_or_default();
    let is_instant = tokens.first().is_some_and(|kind| is_word(kind, "TIMESTAMP"));
    let is_bent = is_bent(tokens);
    let mut depth = 0usize;
    for (index, token) in tokens.iter().enumerate() {
        match token {
            Token::Symbol('(') => depth += 1,
            Token::Symbol(')') => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            _ if is_word(token, "AUTO_INCREMENT") || is_word(token, "SERIAL") => {
                return Weight::Rewrite("existing rows get numbers of their own in the new column");
            }
            _ if is_word(token, "AS") || is_word(token, "GENERATED") => {
                return Weight::Rewrite("existing rows get computed values in the new column");
            }
            _ if is_word(token, "DEFAULT") => match tokens.get(index + 1) {
                Some(Token::Symbol('(')) => {
                    return Weight::Rewrite("existing rows get the value of an expression in the new column");
                }
                Some(next) if CLOCKS.iter().any(|clock| is_word(next, clock)) => {
                    return Weight::Rewrite("existing rows get the time of the statement in the new column");
                }
                Some(next) if is_instant && !is_word(next, "NULL") => {
                    return Weight::Rewrite(
                        "existing rows get an instant by the session's time zone in the new column",
                    );
                }
                Some(next) if is_word(next, "NULL") => {}
                Some(next) if is_bent || is_hidden(next, tokens.first()) => {
                    return Weight::Rewrite(
                        "existing rows get a value in the new column that the catalogue shows cut or rounded",
                    );
                }
                Some(_) => {}
                None => return Weight::Unknown,
            },
            _ => {}
        }
    }
    Weight::Reshape
}

/// A TIMESTAMP for which nothing is declared. `clock`: it may be given CURRENT_TIMESTAMP for a default.
fn timestamp(tokens: &[Token<'_>], clock: bool) -> Weight {
    let Some([kind, declared @ ..]) = tokens.get(1..) else { return Weight::Metadata };
    let is_null = |pair: &[Token<'_>]| matches!(pair, [before, null] if is_word(null, "NULL") && !is_word(before, "NOT"));
    let says = declared.iter().any(|token| is_word(token, "DEFAULT"))
        || declared.windows(2).any(is_null)
        || declared.first().is_some_and(|token| is_word(token, "NULL"));
    match clock && is_word(kind, "TIMESTAMP") && !says {
        true => Weight::Rewrite("existing rows get the time of the statement in the new column"),
        false => Weight::Metadata,
    }
}

/// Whether the catalogue (`COLUMN_DEFAULT`) does not show a column's default as it is: it prints FLOAT with six digits, and
/// bytes up to the first that is 0 (seen on 9.7.4).
fn is_bent(declaration: &[Token<'_>]) -> bool {
    const KINDS: [&str; 6] = ["FLOAT", "FLOAT4", "REAL", "BINARY", "VARBINARY", "BYTE"];
    declaration.iter().any(|token| KINDS.iter().any(|kind| is_word(token, kind)))
}

/// Whether a default is written so that the catalogue may show `?` in its place: letters beyond U+FFFF, or text that is
/// given by its bytes.
fn is_hidden(default: &Token<'_>, kind: Option<&Token<'_>>) -> bool {
    const TEXTS: [&str; 8] = ["CHAR", "VARCHAR", "CHARACTER", "NCHAR", "NVARCHAR", "NATIONAL", "ENUM", "SET"];
    let is_text = kind.is_some_and(|kind| TEXTS.iter().any(|text| is_word(kind, text)));
    match default {
        Token::Text(text) => text.chars().any(|letter| u32::from(letter) > 0xFFFF),
        Token::Word(_) | Token::Name(_) | Token::Symbol(_) => is_text,
    }
}

fn drop_part(parser: &mut Parser<'_, '_>, table: &TableName) -> Part {
    match parser.peek().as_str() {
        "PARTITION" => Weight::Rewrite("DROP PARTITION removes rows").into(),
        "INDEX" | "KEY" | "FOREIGN" | "CHECK" | "CONSTRAINT" => Weight::Metadata.into(),
        "PRIMARY" => Weight::Reshape.into(),
        _ => {
            parser.accept("COLUMN");
            let name = parser.identifier();
            let change = ColumnChange::Dropped;
            let also = name.map(|name| Effect::Column { table: table.clone(), name, change });
            Part { weight: Weight::Reshape, also: also.into_iter().collect() }
        }
    }
}

/// `ALTER [COLUMN] name SET …`, `ALTER INDEX …`, `ALTER CHECK …`.
fn alter_part(parser: &mut Parser<'_, '_>, table: &TableName) -> Part {
    if matches!(parser.peek().as_str(), "INDEX" | "CHECK" | "CONSTRAINT") {
        return Weight::Metadata.into();
    }
    parser.accept("COLUMN");
    let Some(name) = parser.identifier() else { return Weight::Unknown.into() };
    let rest = parser.rest();
    if rest.iter().any(|t| is_word(t, "VISIBLE") || is_word(t, "INVISIBLE")) {
        return Weight::Reshape.into();
    }
    let now = match rest {
        [set, default, value @ ..] if is_word(set, "SET") && is_word(default, "DEFAULT") => {
            new_default(value)
        }
        _ => NewDefault::Nothing,
    };
    let default = Effect::Default { table: table.clone(), name, now };
    Part { weight: Weight::Metadata, also: vec![default] }
}

fn new_default(value: &[Token<'_>]) -> NewDefault {
    let (sign, digits) = match value {
        [Token::Symbol('-'), Token::Word(digits)] => (-1, digits),
        [Token::Symbol('+'), Token::Word(digits)] | [Token::Word(digits)] => (1, digits),
        _ => return NewDefault::Other,
    };
    match digits.parse::<i128>() {
        Ok(number) => NewDefault::Number(sign * number),
        Err(_) if digits.eq_ignore_ascii_case("NULL") => NewDefault::Nothing,
        Err(_) => NewDefault::Other,
    }
}

const CONVERTS: &str = "MODIFY and CHANGE may convert values";

/// `CHANGE [COLUMN] old new …`.
fn change(parser: &mut Parser<'_, '_>, table: &TableName) -> Part {
    parser.accept("COLUMN");
    let names = (parser.identifier(), parser.identifier());
    Part { weight: Weight::Rewrite(CONVERTS), also: renamed(table, names) }
}

/// To who sees columns by name, one is gone and another is new.
fn renamed(table: &TableName, names: (Option<String>, Option<String>)) -> Vec<Effect> {
    let (Some(old), Some(new)) = names else { return Vec::new() };
    if old.to_lowercase() == new.to_lowercase() {
        return Vec::new();
    }
    let column = |name, change| Effect::Column { table: table.clone(), name, change };
    // Its rows are read again: no default tells their values.
    vec![column(new, ColumnChange::Added { default: None }), column(old, ColumnChange::Dropped)]
}

fn rename(parser: &mut Parser<'_, '_>, name: &TableName) -> Part {
    match parser.peek().as_str() {
        "COLUMN" => {
            parser.step();
            let old = parser.identifier();
            parser.accept("TO");
            let also = renamed(name, (old, parser.identifier()));
            // With values that no event brings.
            const WHY: &str = "RENAME COLUMN gives existing rows values under another name";
            return Part { weight: Weight::Rewrite(WHY), also };
        }
        "INDEX" | "KEY" => return Weight::Metadata.into(),
        _ => {}
    }
    if !parser.symbol('=') && !parser.accept("TO") {
        parser.accept("AS");
    }
    match parser.table() {
        Some(to) => Part { weight: Weight::Metadata, also: vec![Effect::Rename { from: name.clone(), to }] },
        None => Weight::Unknown.into(),
    }
}

/// `CONVERT TO CHARACTER SET …`: every text fits utf8mb4; other sets may lack letters.
fn convert(parser: &Parser<'_, '_>) -> Weight {
    let lossless = parser.rest().iter().any(|token| match token {
        Token::Word(word) => word.to_ascii_lowercase().starts_with("utf8mb4"),
        Token::Name(_) | Token::Text(_) | Token::Symbol(_) => false,
    });
    if lossless { Weight::Reshape } else { Weight::Rewrite("CONVERT TO CHARACTER SET may change texts") }
}

/// `EXCHANGE PARTITION p WITH TABLE other …`.
fn exchange(parser: &mut Parser<'_, '_>) -> Part {
    const WHY: &str = "EXCHANGE PARTITION swaps rows between tables";
    while !parser.rest().is_empty() && !parser.accept("TABLE") {
        parser.step();
    }
    let also =
        parser.table().map_or(Effect::Unknown { table: None }, |table| Effect::Rewrite { table, why: WHY });
    Part { weight: Weight::Rewrite(WHY), also: vec![also] }
}
