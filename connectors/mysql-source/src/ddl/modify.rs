//! `MODIFY` where it only makes a column wider: then no value changes, and no row need be read again.

use cdc_sdk::Table;
use cdc_sdk::column::{BlobSize, ColumnType, Width};
use cdc_sdk::table::{Key, KeyKind};

use super::lexer::Token;
use super::statement::Parser;

/// What a column is declared as, where nothing in the declaration but a narrower type could change values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    ty: ColumnType,
    collation: Collation,
    not_null: bool,
    auto_increment: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Collation {
    /// None is declared: the table's.
    Table,
    Named(String),
    /// A character set's default.
    Unknown,
}

impl Declared {
    /// Reads what stands behind the column's name. `None`: it has something that is not known to leave values alone.
    pub(super) fn read(parser: &mut Parser<'_, '_>) -> Option<Self> {
        let ty = kind(parser)?;
        let mut declared = Self { ty, collation: Collation::Table, not_null: false, auto_increment: false };
        while !parser.rest().is_empty() {
            declared.attribute(parser)?;
        }
        Some(declared)
    }

    fn attribute(&mut self, parser: &mut Parser<'_, '_>) -> Option<()> {
        let word = parser.peek();
        parser.step()?;
        match word.as_str() {
            "NULL" | "VISIBLE" | "INVISIBLE" | "FIRST" => {}
            "NOT" => self.not_null = parser.accept("NULL").then_some(true)?,
            "AUTO_INCREMENT" => self.auto_increment = true,
            "AFTER" => drop(parser.identifier()?),
            "COMMENT" => text(parser)?,
            "DEFAULT" => default(parser)?,
            "COLLATE" => self.collation = Collation::Named(parser.identifier()?),
            "CHARACTER" if parser.accept("SET") => self.charset(parser)?,
            "CHARSET" => self.charset(parser)?,
            _ => return None,
        }
        Some(())
    }

    fn charset(&mut self, parser: &mut Parser<'_, '_>) -> Option<()> {
        parser.identifier()?;
        if self.collation == Collation::Table {
            self.collation = Collation::Unknown;
        }
        Some(())
    }

    /// Whether the column of a table as it was before becomes wider, and all its values stay. What the catalogue told
    /// of the table must be of before, too: that is so where the log's types are its own, which then are not those
    /// that are declared here.
    pub fn widens(&self, table: &Table, column: &str) -> bool {
        let Some(index) = table.column_index(column) else { return false };
        let Some(before) = table.columns.get(index) else { return false };
        let collation = match &self.collation {
            Collation::Table => table.collation.as_deref(),
            Collation::Named(name) => Some(name.as_str()),
            Collation::Unknown => None,
        };
        let is_same = |(now, before): (&str, &str)| now.eq_ignore_ascii_case(before);
        let keeps_letters =
            !before.ty.is_text() || collation.zip(before.collation.as_deref()).is_some_and(is_same);
        // Of the catalogue: without its answer nothing is known of these.
        let has_catalogue = table.collation.is_some();
        // Not of this column and not of any other, which may be worked out from it.
        let computes = table.columns.iter().any(|column| column.extra.generated.is_some());
        // Downstream what happens to equal values is kept in order by their bytes, and other types have others.
        let tells_rows = |key: &&Key| matches!(key.kind, KeyKind::Primary | KeyKind::Unique);
        let mut telling = table.keys.iter().filter(tells_rows);
        let in_key = telling.any(|key| key.columns().is_none_or(|columns| columns.contains(&index)));
        // Where there was none before, rows that have 0 get numbers.
        let numbers = self.auto_increment && !before.extra.auto_increment;
        let refuses_null = self.not_null && before.nullable;
        has_catalogue
            && keeps_letters
            && !computes
            && !in_key
            && !numbers
            && !refuses_null
            && is_wider(&before.ty, &self.ty)
    }
}

fn kind(parser: &mut Parser<'_, '_>) -> Option<ColumnType> {
    let word = parser.peek();
    parser.step()?;
    let width = match word.as_str() {
        "TINYINT" => Some(Width::Tiny),
        "SMALLINT" => Some(Width::Small),
        "MEDIUMINT" => Some(Width::Medium),
        "INT" | "INTEGER" => Some(Width::Int),
        "BIGINT" => Some(Width::Big),
        _ => None,
    };
    if let Some(width) = width {
        if is_open(parser) {
            in_parentheses(parser)?;
        }
        return Some(ColumnType::Integer { width, unsigned: is_unsigned(parser) });
    }
    Some(match word.as_str() {
        "DECIMAL" => {
            let (precision, scale) = in_parentheses(parser)?;
            let [precision, scale] = [precision, scale].map(u8::try_from);
            let (precision, scale) = (precision.ok()?, scale.ok()?);
            ColumnType::Decimal { precision, scale, unsigned: is_unsigned(parser) }
        }
        "CHAR" => ColumnType::Char { length: length(parser)? },
        "VARCHAR" => ColumnType::Varchar { length: length(parser)? },
        "VARBINARY" => ColumnType::Varbinary { length: length(parser)? },
        // With a length it would choose a size of its own.
        _ if is_open(parser) => return None,
        "TINYTEXT" => ColumnType::Text { size: BlobSize::Tiny },
        "TEXT" => ColumnType::Text { size: BlobSize::Normal },
        "MEDIUMTEXT" => ColumnType::Text { size: BlobSize::Medium },
        "LONGTEXT" => ColumnType::Text { size: BlobSize::Long },
        "TINYBLOB" => ColumnType::Blob { size: BlobSize::Tiny },
        "BLOB" => ColumnType::Blob { size: BlobSize::Normal },
        "MEDIUMBLOB" => ColumnType::Blob { size: BlobSize::Medium },
        "LONGBLOB" => ColumnType::Blob { size: BlobSize::Long },
        _ => return None,
    })
}

fn is_open(parser: &Parser<'_, '_>) -> bool {
    parser.rest().first() == Some(&Token::Symbol('('))
}

fn is_unsigned(parser: &mut Parser<'_, '_>) -> bool {
    parser.accept("UNSIGNED")
}

fn length(parser: &mut Parser<'_, '_>) -> Option<u32> {
    in_parentheses(parser).map(|(length, _)| length)
}

/// `(a)` or `(a, b)`; b is 0 where it is not there.
fn in_parentheses(parser: &mut Parser<'_, '_>) -> Option<(u32, u32)> {
    parser.symbol('(').then_some(())?;
    let first = number(parser)?;
    let second = if parser.symbol(',') { number(parser)? } else { 0 };
    parser.symbol(')').then_some((first, second))
}

fn number(parser: &mut Parser<'_, '_>) -> Option<u32> {
    match parser.step()? {
        Token::Word(digits) => digits.parse().ok(),
        Token::Name(_) | Token::Text { .. } | Token::Symbol(_) => None,
    }
}

fn text(parser: &mut Parser<'_, '_>) -> Option<()> {
    matches!(parser.step()?, Token::Text { .. }).then_some(())
}

/// A number, a text or a word: what new rows get, which is of no account here.
fn default(parser: &mut Parser<'_, '_>) -> Option<()> {
    let _ = parser.symbol('-') || parser.symbol('+');
    match parser.step()? {
        Token::Word(_) | Token::Text { .. } => Some(()),
        Token::Name(_) | Token::Symbol(_) => None,
    }
}

/// Whether a type holds all values of another, each as it was, and more.
fn is_wider(before: &ColumnType, now: &ColumnType) -> bool {
    use ColumnType::{Blob, Char, Decimal, Integer, Text, Varbinary, Varchar};
    match (before, now) {
        (Integer { width: was, unsigned: from }, Integer { width, unsigned }) => {
            width > was && (from == unsigned || *from)
        }
        (Decimal { precision: was, scale: of, unsigned: from }, Decimal { precision, scale, unsigned }) => {
            precision > was && scale == of && unsigned == from
        }
        (Char { length: was }, Char { length })
        | (Varchar { length: was }, Varchar { length })
        | (Varbinary { length: was }, Varbinary { length }) => length > was,
        // A row has room for 65,535 bytes.
        (Varchar { .. }, Text { size }) | (Varbinary { .. }, Blob { size }) => *size != BlobSize::Tiny,
        (Text { size: was }, Text { size }) | (Blob { size: was }, Blob { size }) => is_larger(*was, *size),
        _ => false,
    }
}

fn is_larger(was: BlobSize, size: BlobSize) -> bool {
    let rank = |size| match size {
        BlobSize::Tiny => 0,
        BlobSize::Normal => 1,
        BlobSize::Medium => 2,
        BlobSize::Long => 3,
    };
    rank(size) > rank(was)
}

#[cfg(test)]
mod tests;
