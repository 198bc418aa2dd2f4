//! A value as the binary protocol brings it → the value that the binlog would bring.
//!
//! Text comes as the bytes that the column holds (`character_set_results = NULL`) and
//! is converted by the code that converts the binlog's.
//!
//! **Invariant:** the same stored value gives the same [`Value`] here and out of a
//! row image, byte for byte; the snapshot finds the rows that the stream touched
//! by comparing them.

use cdc_sdk::temporal::{Date, DateTime, Time};
use cdc_sdk::{Column, ColumnType, Decimal, Value};
use mysql_async::{Row as Answer, Value as Cell};

use super::json_kinds;
use crate::decode::Charset;

/// How one column's cells are read.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    ty: ColumnType,
    charset: Charset,
    /// Which cell of the answer tells the kinds of its JSON.
    kinds: Option<usize>,
}

impl Reading {
    /// `None` for a character set that cannot be read.
    pub fn of(column: &Column, kinds: Option<usize>) -> Option<Self> {
        let charset = column.charset.as_deref().map_or(Some(Charset::Utf8), Charset::from_name)?;
        Some(Self { ty: column.ty.clone(), charset, kinds })
    }

    /// The value of the column at `index`, where needed in `scratch`; `None` where the server's answer
    /// does not fit the column's type.
    pub fn value<'a>(&self, row: &'a Answer, index: usize, scratch: &'a mut Vec<u8>) -> Option<Value<'a>> {
        match (row.as_ref(index)?, self.kinds) {
            (Cell::Bytes(text), Some(kinds)) => {
                let Cell::Bytes(kinds) = row.as_ref(kinds)? else { return None };
                from_bytes(&self.ty, json_kinds::marked(text, kinds, scratch)?)
            }
            (Cell::Bytes(bytes), None) if is_text(&self.ty) => {
                self.charset.decode(bytes, scratch).ok().map(Value::Text)
            }
            (other, _) => self.raw(other),
        }
    }

    /// Whether it is a document whose text the server left out, since its packets would not hold it: it answers ''
    /// with a warning then (1301), and no document has an empty text.
    pub fn is_left_out(&self, cell: &Cell) -> bool {
        matches!((&self.ty, cell), (ColumnType::Json, Cell::Bytes(text)) if text.is_empty())
    }

    /// As [`Reading::value`], but text as the bytes that the column holds.
    pub fn raw<'a>(&self, cell: &'a Cell) -> Option<Value<'a>> {
        let ty = &self.ty;
        match cell {
            Cell::NULL => Some(Value::Null),
            Cell::Bytes(bytes) => from_bytes(ty, bytes),
            Cell::Int(number) => from_integer(ty, *number),
            Cell::UInt(number) => from_unsigned(ty, *number),
            Cell::Float(number) => matches!(ty, ColumnType::Float { .. }).then_some(Value::Float(*number)),
            Cell::Double(number) => matches!(ty, ColumnType::Double { .. }).then_some(Value::Double(*number)),
            Cell::Date(year, month, day, hour, minute, second, micros) => {
                let date = Date { year: *year, month: *month, day: *day };
                let (hour, minute, second) = (*hour, *minute, *second);
                from_date(ty, DateTime { date, hour, minute, second, micros: *micros })
            }
            Cell::Time(negative, days, hours, minutes, seconds, micros) => {
                let hours = i64::from(*days) * 24 + i64::from(*hours);
                let seconds = (hours * 60 + i64::from(*minutes)) * 60 + i64::from(*seconds);
                let micros = seconds * 1_000_000 + i64::from(*micros);
                let time = Time { micros: if *negative { -micros } else { micros } };
                matches!(ty, ColumnType::Time { .. }).then_some(Value::Time(time))
            }
        }
    }
}

fn is_text(ty: &ColumnType) -> bool {
    matches!(ty, ColumnType::Char { .. } | ColumnType::Varchar { .. } | ColumnType::Text { .. })
}

fn from_bytes<'a>(ty: &ColumnType, bytes: &'a [u8]) -> Option<Value<'a>> {
    match ty {
        ColumnType::Char { .. } | ColumnType::Varchar { .. } | ColumnType::Text { .. } => {
            Some(Value::Bytes(bytes))
        }
        ColumnType::Json => std::str::from_utf8(bytes).ok().map(Value::Json),
        ColumnType::Binary { .. } | ColumnType::Varbinary { .. } | ColumnType::Blob { .. } => {
            Some(Value::Bytes(bytes))
        }
        ColumnType::Decimal { .. } => Decimal::parse(std::str::from_utf8(bytes).ok()?).map(Value::Decimal),
        ColumnType::Bit { .. } if bytes.len() <= 8 => {
            Some(Value::Bit(bytes.iter().fold(0, |bits, byte| bits << 8 | u64::from(*byte))))
        }
        ColumnType::Geometry { .. } => {
            let (srid, wkb) = bytes.split_first_chunk::<4>()?;
            Some(Value::Geometry { srid: u32::from_le_bytes(*srid), wkb })
        }
        ColumnType::Vector { .. } => Some(Value::Vector(bytes)),
        _ => None,
    }
}

fn from_integer(ty: &ColumnType, number: i64) -> Option<Value<'static>> {
    match ty {
        ColumnType::Integer { unsigned: false, .. } => Some(Value::Int(number)),
        _ => from_unsigned(ty, u64::try_from(number).ok()?),
    }
}

fn from_unsigned(ty: &ColumnType, number: u64) -> Option<Value<'static>> {
    match ty {
        ColumnType::Integer { unsigned: true, .. } => Some(Value::UInt(number)),
        ColumnType::Integer { unsigned: false, .. } => i64::try_from(number).ok().map(Value::Int),
        ColumnType::Year => u16::try_from(number).ok().map(Value::Year),
        ColumnType::Enum { .. } => u16::try_from(number).ok().map(Value::Enum),
        ColumnType::Set { .. } => Some(Value::Set(number)),
        _ => None,
    }
}

fn from_date(ty: &ColumnType, at: DateTime) -> Option<Value<'static>> {
    match ty {
        ColumnType::Date => Some(Value::Date(at.date)),
        ColumnType::Datetime { .. } => Some(Value::DateTime(at)),
        ColumnType::Timestamp { .. } => Some(Value::Timestamp(at)),
        _ => None,
    }
}
