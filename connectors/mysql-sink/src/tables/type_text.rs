//! Reads a type as the catalogue spells it (`COLUMN_TYPE`), 5.7's display widths included.

use cdc_sdk::column::{BlobSize, ColumnType, GeometryKind, Width};

/// The type; `None` if it is not one that this program knows.
pub(crate) fn parse(text: &str) -> Option<ColumnType> {
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    let end = lower.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(lower.len());
    let (word, rest) = (lower.get(..end)?, lower.get(end..)?);
    if matches!(word, "enum" | "set") {
        let members = members(text.get(end..)?)?;
        return Some(if word == "enum" { ColumnType::Enum { members } } else { ColumnType::Set { members } });
    }
    let unsigned = rest.contains("unsigned");
    let numbers = numbers(rest);
    let first = numbers.first().copied();
    let fsp = || u8::try_from(first.unwrap_or(0)).ok();
    if let Some(width) = integer(word) {
        return Some(ColumnType::Integer { width, unsigned });
    }
    if let Some(kind) = geometry(word) {
        return Some(ColumnType::Geometry { kind });
    }
    Some(match word {
        "decimal" | "numeric" => ColumnType::Decimal {
            precision: u8::try_from(first.unwrap_or(10)).ok()?,
            scale: u8::try_from(numbers.get(1).copied().unwrap_or(0)).ok()?,
            unsigned,
        },
        "float" => ColumnType::Float { unsigned },
        "double" | "real" => ColumnType::Double { unsigned },
        "bit" => ColumnType::Bit { bits: u8::try_from(first.unwrap_or(1)).ok()? },
        "char" => ColumnType::Char { length: first.unwrap_or(1) },
        "varchar" => ColumnType::Varchar { length: first? },
        "binary" => ColumnType::Binary { length: first.unwrap_or(1) },
        "varbinary" => ColumnType::Varbinary { length: first? },
        "date" => ColumnType::Date,
        "time" => ColumnType::Time { fsp: fsp()? },
        "datetime" => ColumnType::Datetime { fsp: fsp()? },
        "timestamp" => ColumnType::Timestamp { fsp: fsp()? },
        "year" => ColumnType::Year,
        "json" => ColumnType::Json,
        "vector" => ColumnType::Vector { dimension: first.unwrap_or(2048) },
        other => return lob(other),
    })
}

fn integer(word: &str) -> Option<Width> {
    [Width::Tiny, Width::Small, Width::Medium, Width::Int, Width::Big].into_iter().find(|w| w.sql() == word)
}

fn geometry(word: &str) -> Option<GeometryKind> {
    use GeometryKind as G;
    if word == "geometrycollection" {
        return Some(G::GeometryCollection);
    }
    let kinds = [
        G::Geometry,
        G::Point,
        G::LineString,
        G::Polygon,
        G::MultiPoint,
        G::MultiLineString,
        G::MultiPolygon,
        G::GeometryCollection,
    ];
    kinds.into_iter().find(|k| k.sql() == word)
}

fn lob(word: &str) -> Option<ColumnType> {
    let sizes = [BlobSize::Tiny, BlobSize::Normal, BlobSize::Medium, BlobSize::Long];
    let is = |size: &&BlobSize, kind: &str| word.strip_prefix(size.sql()).is_some_and(|rest| rest == kind);
    let text = sizes.iter().find(|s| is(s, "text")).map(|s| ColumnType::Text { size: *s });
    text.or_else(|| sizes.iter().find(|s| is(s, "blob")).map(|s| ColumnType::Blob { size: *s }))
}

/// The numbers in the parentheses.
fn numbers(rest: &str) -> Vec<u32> {
    let inside = rest.strip_prefix('(').and_then(|r| r.split_once(')')).map_or("", |(inside, _)| inside);
    inside.split(',').filter_map(|n| n.trim().parse().ok()).collect()
}

/// `('a','b''c','d\\e')`: quotes are doubled, and the catalogue escapes with backslashes whatever the mode.
fn members(list: &str) -> Option<Vec<String>> {
    let mut letters = list.strip_prefix('(')?.chars().peekable();
    let mut members = Vec::new();
    loop {
        if letters.next()? != '\'' {
            return None;
        }
        let mut member = String::new();
        loop {
            match letters.next()? {
                '\'' if letters.next_if_eq(&'\'').is_some() => member.push('\''),
                '\'' => break,
                '\\' => member.push(match letters.next()? {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    '0' => '\0',
                    'Z' => '\u{1a}',
                    other => other,
                }),
                other => member.push(other),
            }
        }
        members.push(member);
        match letters.next()? {
            ',' => {}
            ')' => return Some(members),
            _ => return None,
        }
    }
}
