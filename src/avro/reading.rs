//! One value out of a datum: the inner loop of the sink. Values borrow from the
//! message; only encoded bytes, decimals as doubles and arrays in pieces need the
//! row's scratch buffer.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use cdc_sdk::fail::planted;
use cdc_sdk::temporal::{Date, DateTime, Time};
use cdc_sdk::{ColumnType, Decimal, Error, Result, Value};

use super::datum::{Input, malformed};
use super::form::{BinaryText, ColumnPlan, DateForm, Form, Nulls, StampForm, TimeForm};
use super::iso;

impl ColumnPlan {
    /// Reads a value as the source had it.
    pub(super) fn read<'v, 'a: 'v>(
        &self,
        input: &mut Input<'a>,
        scratch: &'v mut Vec<u8>,
    ) -> Result<Value<'v>> {
        let null = match self.nulls {
            Nulls::Never => false,
            Nulls::First => self.branch(input)? == 0,
            Nulls::Last => self.branch(input)? == 1,
        };
        if null {
            return Ok(Value::Null);
        }
        self.read_plain(input, scratch)
    }

    fn branch(&self, input: &mut Input<'_>) -> Result<i64> {
        let branch = input.long()?;
        if matches!(branch, 0 | 1) { Ok(branch) } else { Err(self.misread("a union has no such branch")) }
    }

    fn read_plain<'v, 'a: 'v>(&self, input: &mut Input<'a>, scratch: &'v mut Vec<u8>) -> Result<Value<'v>> {
        match self.form {
            Form::Int { .. } | Form::Long => self.integer(input.long()?),
            Form::UnsignedDecimal => self.unsigned(input.bytes()?),
            Form::Float => Ok(Value::Float(input.float()?)),
            Form::Double => Ok(Value::Double(input.double()?)),
            Form::Decimal { scale, .. } => {
                let number = Decimal::from_twos_complement(input.bytes()?, scale);
                number.map(Value::Decimal).ok_or_else(|| self.misread("a decimal of over 256 bits"))
            }
            Form::DecimalText => self.decimal_text(input.text()?),
            Form::DecimalDouble => self.decimal_double(input.double()?),
            Form::Boolean => Ok(self.boolean(input.boolean()?)),
            Form::Bits { bits } => self.bits(bits, input.bytes()?),
            Form::Text => Ok(Value::Text(input.text()?)),
            Form::Json => Ok(Value::Json(input.text()?)),
            Form::Bytes => Ok(Value::Bytes(input.bytes()?)),
            Form::BinaryText(text) => self.binary(text, input.bytes()?, scratch),
            Form::Enum => self.member(input.text()?),
            Form::Set => self.members_of(input.text()?),
            Form::Year => self.year(input.long()?),
            Form::Date(form) => self.date(form, input),
            Form::Time(form) => self.time(form, input),
            Form::DateTime(form) => self.date_time(form, input).map(Value::DateTime),
            Form::Timestamp => self.date_time(StampForm::Iso, input).map(timestamp).map(Value::Timestamp),
            Form::Geometry => self.geometry(input),
            Form::Point => self.point(input),
            Form::Vector => self.vector(input, scratch),
        }
    }

    fn integer(&self, number: i64) -> Result<Value<'static>> {
        match self.ty {
            ColumnType::Integer { unsigned: true, width } => {
                let wraps = width == cdc_sdk::column::Width::Big;
                if number < 0 && !wraps {
                    return Err(self.misread("a negative number in an UNSIGNED column"));
                }
                Ok(Value::UInt(number.cast_unsigned()))
            }
            _ => Ok(Value::Int(number)),
        }
    }

    fn unsigned(&self, bytes: &[u8]) -> Result<Value<'static>> {
        let digits = match bytes {
            [0, rest @ ..] => rest,
            all => all,
        };
        let negative = bytes.first().is_none_or(|b| b & 0x80 != 0);
        if digits.len() > 8 || negative {
            return Err(self.misread("a number that is no BIGINT UNSIGNED"));
        }
        Ok(Value::UInt(digits.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte))))
    }

    fn boolean(&self, set: bool) -> Value<'static> {
        match self.ty {
            ColumnType::Bit { .. } => Value::Bit(u64::from(set)),
            _ => Value::Int(i64::from(set)),
        }
    }

    fn bits(&self, bits: u8, bytes: &[u8]) -> Result<Value<'static>> {
        let mut wide = [0u8; 8];
        let place = wide.get_mut(..bytes.len()).ok_or_else(|| self.misread("over 64 bits"))?;
        place.copy_from_slice(bytes);
        let number = u64::from_le_bytes(wide);
        if bits < 64 && number >> bits != 0 {
            return Err(self.misread("more bits than the column has"));
        }
        Ok(Value::Bit(number))
    }

    fn decimal_text(&self, text: &str) -> Result<Value<'static>> {
        let scale = self.scale();
        let number = Decimal::parse(text).filter(|number| number.scale() == scale);
        number.map(Value::Decimal).ok_or_else(|| self.misread("a text that is no such decimal"))
    }

    /// The double was the source's choice; it is rounded back to the column's digits.
    fn decimal_double(&self, number: f64) -> Result<Value<'static>> {
        let text = format!("{number:.scale$}", scale = usize::from(self.scale()));
        self.decimal_text(&text)
    }

    fn scale(&self) -> u8 {
        match self.ty {
            ColumnType::Decimal { scale, .. } => scale,
            _ => 0,
        }
    }

    fn binary<'v>(&self, text: BinaryText, encoded: &[u8], scratch: &'v mut Vec<u8>) -> Result<Value<'v>> {
        scratch.clear();
        let decoded = match text {
            BinaryText::Base64 => STANDARD.decode_vec(encoded, scratch).is_ok(),
            BinaryText::Base64UrlSafe => URL_SAFE.decode_vec(encoded, scratch).is_ok(),
            BinaryText::Hex => from_hex(encoded, scratch).is_some(),
        };
        if decoded { Ok(Value::Bytes(scratch)) } else { Err(self.misread("a text that encodes no bytes")) }
    }

    fn member(&self, text: &str) -> Result<Value<'static>> {
        let bent = planted("codec.enum_zero") && text.is_empty();
        let index = if bent { Some(1) } else { self.members.index(text) };
        index.map(Value::Enum).ok_or_else(|| self.no_member(format!("'{text}' is no member of the ENUM")))
    }

    fn members_of(&self, text: &str) -> Result<Value<'static>> {
        let bits = self.members.bits(text);
        bits.map(Value::Set).ok_or_else(|| self.no_member(format!("'{text}' has no members of the SET")))
    }

    #[cold]
    fn no_member(&self, why: String) -> Error {
        self.misread(&why).hint(
            "where a member ends in a backslash, Debezium's `allowed` does not tell its members (a comma within one looks \
             the same): rename that member; else the message is damaged, or the registry's schema is another one",
        )
    }

    fn year(&self, number: i64) -> Result<Value<'static>> {
        u16::try_from(number).map(Value::Year).map_err(|_| self.misread("a number that is no year"))
    }

    fn date(&self, form: DateForm, input: &mut Input<'_>) -> Result<Value<'static>> {
        let date = match form {
            DateForm::Days | DateForm::ConnectDays => {
                i32::try_from(input.long()?).ok().and_then(Date::from_epoch_days)
            }
            DateForm::Iso => iso::parse_date(input.text()?),
        };
        date.map(Value::Date).ok_or_else(|| self.misread("no date that MySQL can hold"))
    }

    fn time(&self, form: TimeForm, input: &mut Input<'_>) -> Result<Value<'static>> {
        let time = match form {
            TimeForm::Micros => Some(Time { micros: input.long()? }),
            TimeForm::Nanos => Some(Time { micros: input.long()? / 1000 }),
            TimeForm::ConnectMillis => input.long()?.checked_mul(1000).map(|micros| Time { micros }),
            TimeForm::Iso => iso::parse_time(input.text()?),
        };
        time.map(Value::Time).ok_or_else(|| self.misread("no time that MySQL can hold"))
    }

    fn date_time(&self, form: StampForm, input: &mut Input<'_>) -> Result<DateTime> {
        let value = match form {
            StampForm::Millis | StampForm::ConnectMillis => {
                input.long()?.checked_mul(1000).and_then(DateTime::from_epoch_micros)
            }
            StampForm::Micros => DateTime::from_epoch_micros(input.long()?),
            StampForm::Nanos => DateTime::from_epoch_micros(input.long()?.div_euclid(1000)),
            StampForm::Iso => iso::parse_date_time(input.text()?),
        };
        value.ok_or_else(|| self.misread("no date and time that MySQL can hold"))
    }

    fn geometry<'a>(&self, input: &mut Input<'a>) -> Result<Value<'a>> {
        let wkb = input.bytes()?;
        Ok(Value::Geometry { srid: self.srid(input)?, wkb })
    }

    fn point<'a>(&self, input: &mut Input<'a>) -> Result<Value<'a>> {
        input.take(16)?;
        if self.branch(input)? == 0 {
            return Err(self.misread("a POINT without its binary form"));
        }
        self.geometry(input)
    }

    fn srid(&self, input: &mut Input<'_>) -> Result<u32> {
        if self.branch(input)? == 0 {
            return Ok(0);
        }
        let srid = i32::try_from(input.long()?).map_err(|_| self.misread("an SRID of over 32 bits"))?;
        Ok(if planted("codec.srid") { 0 } else { srid.cast_unsigned() })
    }

    /// One block, as our writer and Java's make it, is borrowed; more are put together.
    fn vector<'v, 'a: 'v>(&self, input: &mut Input<'a>, scratch: &'v mut Vec<u8>) -> Result<Value<'v>> {
        let first = floats(input)?;
        if first.is_empty() {
            return Ok(Value::Vector(first));
        }
        let second = floats(input)?;
        if second.is_empty() {
            return Ok(Value::Vector(first));
        }
        scratch.clear();
        scratch.extend_from_slice(first);
        let mut next = second;
        while !next.is_empty() {
            scratch.extend_from_slice(next);
            next = floats(input)?;
        }
        Ok(Value::Vector(scratch))
    }

    #[cold]
    fn misread(&self, why: &str) -> Error {
        malformed(format!("column {}: {why}", self.name))
    }
}

/// The bytes of the next block of floats; none at the end.
fn floats<'a>(input: &mut Input<'a>) -> Result<&'a [u8]> {
    let count = input.block()?;
    let bytes = count.checked_mul(4).and_then(|bytes| usize::try_from(bytes).ok());
    input.take(bytes.ok_or_else(|| malformed("an array is too long"))?)
}

/// The second in which 1970 began is no TIMESTAMP: what is written so was one of zeros, in a mode that has no place for it.
fn timestamp(read: DateTime) -> DateTime {
    if read.epoch_micros() == Some(0) { DateTime::default() } else { read }
}

fn from_hex(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
    for pair in text.chunks(2) {
        let &[high, low] = pair else { return None };
        out.push(digit(high)? << 4 | digit(low)?);
    }
    Some(())
}
