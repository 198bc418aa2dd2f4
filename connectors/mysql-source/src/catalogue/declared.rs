//! A column's type as the catalogue prints it (`decimal(10,2) unsigned`) → [`ColumnType`].

use cdc_sdk::ColumnType;
use cdc_sdk::column::{BlobSize, GeometryKind, Width};
use cdc_sdk::expression::unescaped;

/// Reads `COLUMN_TYPE` of `information_schema.columns`; `None` for a type that
/// is not known here.
pub(super) fn column_type(text: &str) -> Option<ColumnType> {
    let (base, rest) = split_base(text);
    let base = base.to_ascii_lowercase();
    if base == "enum" || base == "set" {
        let members = members(rest.strip_prefix('(')?.strip_suffix(')')?)?;
        return Some(if base == "enum" { ColumnType::Enum { members } } else { ColumnType::Set { members } });
    }
    let (arguments, attributes) = split_arguments(rest)?;
    let unsigned = attributes.split_whitespace().any(|word| word.eq_ignore_ascii_case("unsigned"));
    number(&base, &arguments, unsigned)
        .or_else(|| text_or_bytes(&base, &arguments))
        .or_else(|| temporal(&base, &arguments))
        .or_else(|| other(&base, &arguments))
}

fn number(base: &str, arguments: &[u32], unsigned: bool) -> Option<ColumnType> {
    let integer = |width| Some(ColumnType::Integer { width, unsigned });
    match base {
        "tinyint" => integer(Width::Tiny),
        "smallint" => integer(Width::Small),
        "mediumint" => integer(Width::Medium),
        "int" | "integer" => integer(Width::Int),
        "bigint" => integer(Width::Big),
        "decimal" | "numeric" => Some(ColumnType::Decimal {
            precision: small(arguments.first().copied().unwrap_or(10))?,
            scale: small(arguments.get(1).copied().unwrap_or(0))?,
            unsigned,
        }),
        "float" => Some(ColumnType::Float { unsigned }),
        "double" | "real" => Some(ColumnType::Double { unsigned }),
        "bit" => Some(ColumnType::Bit { bits: small(arguments.first().copied().unwrap_or(1))? }),
        _ => None,
    }
}

fn text_or_bytes(base: &str, arguments: &[u32]) -> Option<ColumnType> {
    let length = arguments.first().copied().unwrap_or(1);
    Some(match base {
        "char" => ColumnType::Char { length },
        "varchar" => ColumnType::Varchar { length },
        "binary" => ColumnType::Binary { length },
        "varbinary" => ColumnType::Varbinary { length },
        "tinytext" => ColumnType::Text { size: BlobSize::Tiny },
        "text" => ColumnType::Text { size: BlobSize::Normal },
        "mediumtext" => ColumnType::Text { size: BlobSize::Medium },
        "longtext" => ColumnType::Text { size: BlobSize::Long },
        "tinyblob" => ColumnType::Blob { size: BlobSize::Tiny },
        "blob" => ColumnType::Blob { size: BlobSize::Normal },
        "mediumblob" => ColumnType::Blob { size: BlobSize::Medium },
        "longblob" => ColumnType::Blob { size: BlobSize::Long },
        _ => return None,
    })
}

fn temporal(base: &str, arguments: &[u32]) -> Option<ColumnType> {
    let fsp = small(arguments.first().copied().unwrap_or(0))?;
    Some(match base {
        "date" => ColumnType::Date,
        "time" => ColumnType::Time { fsp },
        "datetime" => ColumnType::Datetime { fsp },
        "timestamp" => ColumnType::Timestamp { fsp },
        "year" => ColumnType::Year,
        _ => return None,
    })
}

fn other(base: &str, arguments: &[u32]) -> Option<ColumnType> {
    let geometry = |kind| Some(ColumnType::Geometry { kind });
    match base {
        "json" => Some(ColumnType::Json),
        "vector" => Some(ColumnType::Vector { dimension: arguments.first().copied()? }),
        "geometry" => geometry(GeometryKind::Geometry),
        "point" => geometry(GeometryKind::Point),
        "linestring" => geometry(GeometryKind::LineString),
        "polygon" => geometry(GeometryKind::Polygon),
        "multipoint" => geometry(GeometryKind::MultiPoint),
        "multilinestring" => geometry(GeometryKind::MultiLineString),
        "multipolygon" => geometry(GeometryKind::MultiPolygon),
        "geomcollection" | "geometrycollection" => geometry(GeometryKind::GeometryCollection),
        _ => None,
    }
}

fn small(number: u32) -> Option<u8> {
    u8::try_from(number).ok()
}

fn split_base(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    text.split_at(end)
}

/// `(10,2) unsigned` → `[10, 2]`, ` unsigned`.
fn split_arguments(rest: &str) -> Option<(Vec<u32>, &str)> {
    let Some(inside) = rest.strip_prefix('(') else { return Some((Vec::new(), rest)) };
    let (arguments, attributes) = inside.split_once(')')?;
    let numbers: Option<Vec<u32>> = arguments.split(',').map(|n| n.trim().parse().ok()).collect();
    Some((numbers?, attributes))
}

/// `'a''b','c\\d'` → its texts. The server doubles quotes, and escapes the
/// backslash, NUL, newline and carriage return with a backslash.
fn members(list: &str) -> Option<Vec<String>> {
    let mut members = Vec::new();
    let mut rest = list;
    loop {
        let (member, after) = quoted(rest)?;
        members.push(member);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None if after.is_empty() => return Some(members),
            None => return None,
        }
    }
}

fn quoted(text: &str) -> Option<(String, &str)> {
    let inside = text.strip_prefix('\'')?;
    let mut out = String::new();
    let mut glyphs = inside.char_indices().peekable();
    while let Some((at, glyph)) = glyphs.next() {
        match glyph {
            '\'' if glyphs.peek().is_some_and(|(_, next)| *next == '\'') => {
                glyphs.next();
                out.push('\'');
            }
            '\'' => return Some((out, inside.get(at + 1..)?)),
            '\\' => out.push(unescaped(glyphs.next()?.1)),
            plain => out.push(plain),
        }
    }
    None
}

#[cfg(test)]
mod tests;
