//! A column's SQL default as the default of its Avro field.
//!
//! The default of a field matters to readers with a newer schema than the
//! writer's: it is what they take for a column that a row did not have yet. A
//! default that is no constant (an expression) has none, as with Debezium, save
//! `CURRENT_TIMESTAMP`, which stands for 1970 (in our own profile in a NOT NULL column only).

use cdc_sdk::temporal::{Date, DateTime, Time};
use cdc_sdk::{Column, ColumnType, Decimal, Value};

use super::datum::Input;
use super::form::{ColumnPlan, Form, Nulls};
use super::iso;
use super::json::Json;
use crate::envelope::{BigintMode, Modes};

/// The default, in the form that the column's values have.
pub(super) fn column_default(column: &Column, modes: &Modes) -> Option<Json> {
    let sql = column.extra.default.as_deref()?.trim();
    let literal = Literal::parse(sql);
    let value = match &literal {
        Literal::Now if column.nullable && !is_now(column, modes) => return None,
        Literal::Now => epoch(&column.ty)?,
        Literal::Text(text) => from_text(&column.ty, text)?,
        Literal::Bits(bytes) => from_bytes(&column.ty, bytes)?,
        Literal::Other => return None,
    };
    let value = match value {
        // So Debezium has it, though such a value itself turns negative.
        Value::UInt(number) if !modes.carry_table && modes.bigint_unsigned == BigintMode::Long => {
            Value::UInt(number.min(i64::MAX.cast_unsigned()))
        }
        other => other,
    };
    // Written by the one writer there is, and read back as JSON.
    let nulls = if column.nullable { Nulls::First } else { Nulls::Never };
    let mut plan = ColumnPlan::to_write(column, modes, nulls, None);
    if matches!(literal, Literal::Now) {
        plan.ty = without_fraction(&column.ty);
    }
    let mut datum = Vec::new();
    plan.write(value, &mut datum).ok()?;
    let mut input = Input::new(&datum);
    if nulls == Nulls::First && input.long().ok()? == 0 {
        return None;
    }
    as_json(plan.form, &mut input)
}

/// The default as Debezium's schema change topic shows it: what stands between the quotes, as it stands there, and
/// 1970 for the moment of writing.
pub(super) fn shown_default(column: &Column) -> Option<&str> {
    let sql = column.extra.default.as_deref()?.trim();
    let between = |prefix: &str| sql.strip_prefix(prefix)?.strip_suffix('\'');
    match Literal::parse(sql) {
        Literal::Now => Some("1970-01-01 00:00:00"),
        Literal::Text(_) | Literal::Bits(_) => Some(between("'").or_else(|| between("b'")).unwrap_or(sql)),
        Literal::Other => None,
    }
}

/// Debezium takes the moment of writing for 1970 in a DATETIME that may be NULL, in a TIMESTAMP not.
fn is_now(column: &Column, modes: &Modes) -> bool {
    !modes.carry_table && matches!(column.ty, ColumnType::Datetime { .. })
}

enum Literal {
    Text(String),
    Bits(Vec<u8>),
    Now,
    Other,
}

impl Literal {
    fn parse(sql: &str) -> Self {
        let upper = sql.to_ascii_uppercase();
        let now = ["CURRENT_TIMESTAMP", "NOW(", "LOCALTIME"].iter().any(|n| upper.starts_with(n));
        let digits = |prefix: &str| upper.strip_prefix(prefix).map(|rest| rest.trim_matches('\'').to_owned());
        if now {
            Self::Now
        } else if let Some(text) = quoted(sql) {
            Self::Text(text)
        } else if let Some(bits) = digits("B'").or_else(|| digits("0B")) {
            number_bytes(&bits, 2)
        } else if let Some(digits) = digits("X'").or_else(|| digits("0X")) {
            hex_bytes(&digits)
        } else if sql.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
            Self::Text(sql.to_owned())
        } else {
            Self::Other
        }
    }
}

/// The text of `'…'`, with or without a character set before it.
fn quoted(sql: &str) -> Option<String> {
    let body = match sql.strip_prefix('_') {
        Some(rest) => rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_').trim_start(),
        None => sql,
    };
    let inner = body.strip_prefix('\'')?.strip_suffix('\'')?;
    let mut text = String::new();
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\'' => text.extend(letters.next().filter(|c| *c == '\'')),
            '\\' => text.extend(letters.next().map(unescaped)),
            other => text.push(other),
        }
    }
    Some(text)
}

/// MySQL manual, "String Literals", table of special character escape sequences.
fn unescaped(letter: char) -> char {
    match letter {
        '0' => '\0',
        'b' => '\u{8}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'Z' => '\u{1a}',
        other => other,
    }
}

fn number_bytes(digits: &str, radix: u32) -> Literal {
    match u64::from_str_radix(digits, radix) {
        Ok(number) => Literal::Bits(number.to_be_bytes().to_vec()),
        Err(_) => Literal::Other,
    }
}

fn hex_bytes(digits: &str) -> Literal {
    let padded = if digits.len().is_multiple_of(2) { digits.to_owned() } else { format!("0{digits}") };
    let pair = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|p| u8::from_str_radix(p, 16).ok());
    padded.as_bytes().chunks(2).map(pair).collect::<Option<_>>().map_or(Literal::Other, Literal::Bits)
}

fn epoch(ty: &ColumnType) -> Option<Value<'static>> {
    let date = Date { year: 1970, month: 1, day: 1 };
    match ty {
        ColumnType::Date => Some(Value::Date(date)),
        ColumnType::Datetime { .. } => Some(Value::DateTime(DateTime { date, ..DateTime::default() })),
        ColumnType::Timestamp { .. } => Some(Value::Timestamp(DateTime { date, ..DateTime::default() })),
        _ => None,
    }
}

/// Debezium writes 1970 without digits behind the point, whatever the column has.
fn without_fraction(ty: &ColumnType) -> ColumnType {
    match ty {
        ColumnType::Datetime { .. } => ColumnType::Datetime { fsp: 0 },
        ColumnType::Timestamp { .. } => ColumnType::Timestamp { fsp: 0 },
        other => other.clone(),
    }
}

fn from_text<'a>(ty: &ColumnType, text: &'a str) -> Option<Value<'a>> {
    let trimmed = text.trim();
    Some(match ty {
        ColumnType::Integer { unsigned: true, .. } => Value::UInt(whole(trimmed).parse().ok()?),
        ColumnType::Integer { unsigned: false, .. } => Value::Int(whole(trimmed).parse().ok()?),
        ColumnType::Decimal { scale, .. } => Value::Decimal(at_scale(trimmed, *scale)?),
        ColumnType::Float { .. } => Value::Float(trimmed.parse().ok()?),
        ColumnType::Double { .. } => Value::Double(trimmed.parse().ok()?),
        ColumnType::Bit { .. } => Value::Bit(trimmed.parse().ok()?),
        ColumnType::Char { .. } | ColumnType::Varchar { .. } => Value::Text(text),
        ColumnType::Varbinary { .. } => Value::Bytes(text.as_bytes()),
        ColumnType::Enum { members } => {
            let index = members.iter().position(|m| m.eq_ignore_ascii_case(text))?;
            Value::Enum(u16::try_from(index + 1).ok()?)
        }
        ColumnType::Set { members } => Value::Set(set_bits(members, text)?),
        ColumnType::Date => Value::Date(iso::parse_date(trimmed.get(..10)?)?),
        ColumnType::Time { .. } => Value::Time(time(trimmed)?),
        ColumnType::Datetime { .. } => Value::DateTime(date_time(trimmed)?),
        // The server prints it in the session's zone, which the source sets to UTC.
        ColumnType::Timestamp { .. } => Value::Timestamp(date_time(trimmed)?),
        ColumnType::Year => Value::Year(trimmed.parse().ok()?),
        // A padded default cannot be borrowed, and these take no literal default at all.
        ColumnType::Binary { .. }
        | ColumnType::Text { .. }
        | ColumnType::Blob { .. }
        | ColumnType::Json
        | ColumnType::Geometry { .. }
        | ColumnType::Vector { .. } => return None,
    })
}

fn from_bytes<'a>(ty: &ColumnType, bytes: &'a [u8]) -> Option<Value<'a>> {
    let number = || bytes.iter().try_fold(0u64, |n, b| Some(n.checked_mul(256)? | u64::from(*b)));
    match ty {
        ColumnType::Bit { .. } => Some(Value::Bit(number()?)),
        ColumnType::Integer { unsigned: true, .. } => Some(Value::UInt(number()?)),
        ColumnType::Integer { unsigned: false, .. } => Some(Value::Int(i64::try_from(number()?).ok()?)),
        ColumnType::Varbinary { .. } => Some(Value::Bytes(bytes)),
        _ => None,
    }
}

/// `5.0` is a legal default of an INT.
fn whole(text: &str) -> &str {
    text.split_once('.').filter(|(_, rest)| rest.bytes().all(|b| b == b'0')).map_or(text, |(whole, _)| whole)
}

fn at_scale(text: &str, scale: u8) -> Option<Decimal> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = fraction.trim_end_matches('0');
    Decimal::parse(&format!("{whole}.{fraction:0<width$}", width = usize::from(scale)))
        .filter(|number| number.scale() == scale)
        .or_else(|| (scale == 0 && fraction.is_empty()).then(|| Decimal::parse(whole))?)
}

fn set_bits(members: &[String], text: &str) -> Option<u64> {
    if text.is_empty() {
        return Some(0);
    }
    text.split(',').try_fold(0u64, |bits, part| {
        let bit = members.iter().position(|m| m.eq_ignore_ascii_case(part))?;
        Some(bits | 1u64.checked_shl(u32::try_from(bit).ok()?)?)
    })
}

fn time(text: &str) -> Option<Time> {
    iso::parse_time(text)
}

fn date_time(text: &str) -> Option<DateTime> {
    match text.len() {
        10 => Some(DateTime { date: iso::parse_date(text)?, ..DateTime::default() }),
        _ => iso::parse_date_time(text),
    }
}

/// A datum of a form as JSON (Avro specification, "Complex Types", field default values).
fn as_json(form: Form, input: &mut Input<'_>) -> Option<Json> {
    match form {
        Form::Int { .. } | Form::Long | Form::Year => Some(Json::Number(input.long().ok()?)),
        Form::Float => Some(Json::Double(f64::from(input.float().ok()?))),
        Form::Double | Form::DecimalDouble => Some(Json::Double(input.double().ok()?)),
        Form::Boolean => Some(Json::Bool(input.boolean().ok()?)),
        Form::UnsignedDecimal | Form::Decimal { .. } | Form::Bits { .. } | Form::Bytes => {
            Some(Json::Text(input.bytes().ok()?.iter().copied().map(char::from).collect()))
        }
        Form::DecimalText
        | Form::Text
        | Form::BinaryText(_)
        | Form::Json
        | Form::Enum
        | Form::Set
        | Form::Timestamp => Some(Json::text(input.text().ok()?)),
        Form::Date(super::form::DateForm::Iso)
        | Form::Time(super::form::TimeForm::Iso)
        | Form::DateTime(super::form::StampForm::Iso) => Some(Json::text(input.text().ok()?)),
        Form::Date(_) | Form::Time(_) | Form::DateTime(_) => Some(Json::Number(input.long().ok()?)),
        Form::Geometry | Form::Point | Form::Vector => None,
    }
}

#[cfg(test)]
mod tests;
