//! The key up to which a table has been read: as JSON for the log, as SQL for
//! the next chunk.

use cdc_sdk::temporal::{Date, DateTime, Time};
use cdc_sdk::{Column, Decimal, Error, Kind, OwnedValue, Result, Value};
use serde_json::{Value as Json, json};

/// Values of a row's identity, in key order, with the columns that they belong to.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyBound {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Their values; text as the bytes that the column holds.
    pub values: Vec<OwnedValue>,
    /// By which order each was the last, in words. Another order has other rows behind the same key. None in
    /// what an older program stored.
    pub orders: Vec<String>,
}

impl KeyBound {
    pub(super) fn to_json(&self) -> Json {
        let parts = self.columns.iter().zip(&self.values).enumerate();
        let json = parts.map(|(at, (column, value))| {
            let value = value_json(value.as_value());
            self.orders.get(at).map_or_else(|| json!([column, value]), |order| json!([column, value, order]))
        });
        json.collect()
    }

    pub(super) fn from_json(json: &Json) -> Option<Self> {
        let mut bound = Self { columns: Vec::new(), values: Vec::new(), orders: Vec::new() };
        for part in json.as_array()? {
            let (column, value) = match part.as_array()?.as_slice() {
                [column, value] => (column, value),
                [column, value, order] => {
                    bound.orders.push(order.as_str()?.to_owned());
                    (column, value)
                }
                _ => return None,
            };
            bound.columns.push(column.as_str()?.to_owned());
            bound.values.push(value_of(value)?);
        }
        (!bound.columns.is_empty()).then_some(bound)
    }
}

/// `{"kind": value}`: exact for every type that a key may have. Floats go by their bits.
fn value_json(value: Value<'_>) -> Json {
    match value {
        Value::Null => json!({ "null": true }),
        Value::Int(v) => json!({ "int": v }),
        Value::UInt(v) => json!({ "uint": v }),
        Value::Float(v) => json!({ "float": v.to_bits() }),
        Value::Double(v) => json!({ "double": v.to_bits() }),
        Value::Decimal(v) => json!({ "decimal": v.to_string() }),
        Value::Bit(v) => json!({ "bit": v }),
        Value::Text(v) => json!({ "text": v }),
        Value::Bytes(v) => json!({ "bytes": hex(v) }),
        Value::Enum(v) => json!({ "enum": v }),
        Value::Set(v) => json!({ "set": v }),
        Value::Date(v) => json!({ "date": [v.year, v.month, v.day] }),
        Value::Time(v) => json!({ "time": v.micros }),
        Value::DateTime(v) => json!({ "datetime": fields(v) }),
        Value::Timestamp(v) => json!({ "timestamp": fields(v) }),
        Value::Year(v) => json!({ "year": v }),
        Value::Json(v) => json!({ "json": v }),
        Value::Geometry { srid, wkb } => json!({ "geometry": [srid, hex(wkb)] }),
        Value::Vector(v) => json!({ "vector": hex(v) }),
    }
}

fn value_of(json: &Json) -> Option<OwnedValue> {
    let (kind, value) = json.as_object()?.iter().next()?;
    let unsigned = || value.as_u64();
    let plain = match kind.as_str() {
        "null" => Value::Null,
        "int" => Value::Int(value.as_i64()?),
        "uint" => Value::UInt(unsigned()?),
        "float" => Value::Float(f32::from_bits(u32::try_from(unsigned()?).ok()?)),
        "double" => Value::Double(f64::from_bits(unsigned()?)),
        "decimal" => Value::Decimal(Decimal::parse(value.as_str()?)?),
        "bit" => Value::Bit(unsigned()?),
        "text" => return Some(OwnedValue::Text(value.as_str()?.to_owned())),
        "bytes" => return Some(OwnedValue::Bytes(unhex(value.as_str()?)?)),
        "enum" => Value::Enum(u16::try_from(unsigned()?).ok()?),
        "set" => Value::Set(unsigned()?),
        "date" => Value::Date(date_of(value.as_array()?)?),
        "time" => Value::Time(Time { micros: value.as_i64()? }),
        "datetime" => Value::DateTime(date_time_of(value.as_array()?)?),
        "timestamp" => Value::Timestamp(date_time_of(value.as_array()?)?),
        "year" => Value::Year(u16::try_from(unsigned()?).ok()?),
        _ => return None,
    };
    Some(OwnedValue::Plain(plain))
}

fn fields(v: DateTime) -> Json {
    json!([v.date.year, v.date.month, v.date.day, v.hour, v.minute, v.second, v.micros])
}

fn number<T: TryFrom<u64>>(fields: &[Json], index: usize) -> Option<T> {
    T::try_from(fields.get(index)?.as_u64()?).ok()
}

fn date_of(fields: &[Json]) -> Option<Date> {
    Some(Date { year: number(fields, 0)?, month: number(fields, 1)?, day: number(fields, 2)? })
}

fn date_time_of(fields: &[Json]) -> Option<DateTime> {
    Some(DateTime {
        date: date_of(fields)?,
        hour: number(fields, 3)?,
        minute: number(fields, 4)?,
        second: number(fields, 5)?,
        micros: number(fields, 6)?,
    })
}

/// A value as an SQL literal that compares as the column's own values do.
///
/// Literals, not parameters: the server gives a parameter the type of what it is
/// compared with, so that the number of an ENUM would be taken for its text.
/// Text is the column's own bytes, in its own character set and collation: no
/// conversion can bend the key, and the key's index serves the comparison. Temporal
/// texts are compared as what the column is, zero dates and days that no month has included; `sql_mode`
/// allows them and the time zone is UTC on every connection.
///
/// # Errors
/// [`Kind::Snapshot`] for values that no key can have.
pub(super) fn literal(value: Value<'_>, column: &Column) -> Result<String> {
    Ok(match value {
        Value::Int(v) => v.to_string(),
        Value::UInt(v) | Value::Bit(v) | Value::Set(v) => v.to_string(),
        Value::Enum(v) | Value::Year(v) => v.to_string(),
        Value::Float(v) => format!("{:e}", f64::from(v)),
        Value::Double(v) => format!("{v:e}"),
        Value::Decimal(v) => v.to_string(),
        Value::Bytes(v) => match (&column.charset, &column.collation) {
            (Some(charset), Some(collation)) => format!("_{charset} X'{}' COLLATE {collation}", hex(v)),
            _ => format!("X'{}'", hex(v)),
        },
        Value::Date(v) => format!("'{v}'"),
        Value::Time(v) => format!("TIME'{v}'"),
        Value::DateTime(v) | Value::Timestamp(v) => format!("'{v}'"),
        Value::Null | Value::Text(_) | Value::Json(_) | Value::Geometry { .. } | Value::Vector(_) => {
            return Err(Error::new(Kind::Snapshot, format!("{value:?} cannot be part of a key")));
        }
    })
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(*b)]).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let digits = digits.filter(|d| d.len().is_multiple_of(2))?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests;
