//! One value into the buffer: the inner loop of the source. No allocation, no
//! tree of values; what does not fit its column's form is an error, never bent.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use cdc_sdk::fail::planted;
use cdc_sdk::temporal::{Date, DateTime, Time};
use cdc_sdk::{ColumnType, Decimal, Error, Kind, Result, Value};

use super::datum::{put_bytes, put_length, put_long, put_measured};
use super::form::{BinaryText, ColumnPlan, DateForm, Form, Nulls, Odd, StampForm, TimeForm};
use super::iso;

const ANOTHER_MODE: &str =
    "leave out \"time.precision.mode\": the default writes every date and time that MySQL can hold";

const DAY_MICROS: i64 = 86_400_000_000;

impl ColumnPlan {
    /// Appends a value, with the branch of the union where there is one.
    pub(super) fn write(&self, value: Value<'_>, out: &mut Vec<u8>) -> Result<()> {
        let value = if self.odd == Odd::Replace { self.replaced(value) } else { value };
        match (self.nulls, value) {
            (Nulls::Never, Value::Null) => Err(self.misfit("NULL in a column that is NOT NULL")),
            (Nulls::First, Value::Null) => {
                out.push(0);
                Ok(())
            }
            (Nulls::Last, Value::Null) => {
                out.push(2);
                Ok(())
            }
            (Nulls::Never, value) => self.write_plain(value, out),
            (Nulls::First, value) => {
                out.push(2);
                self.write_plain(value, out)
            }
            (Nulls::Last, value) => {
                out.push(0);
                self.write_plain(value, out)
            }
        }
    }

    fn write_plain(&self, value: Value<'_>, out: &mut Vec<u8>) -> Result<()> {
        match (self.form, value) {
            (Form::Int { .. }, Value::Int(v)) => self.put_int(v, out),
            (Form::Int { .. }, Value::UInt(v)) => self.put_int(i64::try_from(v).unwrap_or(i64::MAX), out),
            (Form::Year, Value::Year(v)) => self.put_int(i64::from(v), out),
            (Form::Long, Value::Int(v)) => self.put_long(v, out),
            (Form::Long, Value::UInt(v)) => self.put_wrapping(v, out),
            (Form::UnsignedDecimal, Value::UInt(v)) => self.put_decimal(Decimal::from_u64(v), 0, out),
            (Form::Float, Value::Float(v)) => self.put_raw(&v.to_le_bytes(), out),
            (Form::Double, Value::Float(v)) => self.put_raw(&f64::from(v).to_le_bytes(), out),
            (Form::Double, Value::Double(v)) => self.put_raw(&v.to_le_bytes(), out),
            (Form::Decimal { scale, .. }, Value::Decimal(v)) => self.put_decimal(v, scale, out),
            (Form::DecimalText, Value::Decimal(v)) => self.put_text(|out| v.write_text(out), out),
            (Form::DecimalDouble, Value::Decimal(v)) => self.put_decimal_double(v, out),
            (Form::Boolean, Value::Bit(v @ (0 | 1))) => self.put_raw(&[u8::from(v == 1)], out),
            (Form::Bits { bits }, Value::Bit(v)) => self.put_bits(bits, v, out),
            (Form::Text, Value::Text(v)) | (Form::Json, Value::Json(v)) => self.put_blob(v.as_bytes(), out),
            (Form::Bytes, Value::Bytes(v)) => self.put_blob(v, out),
            (Form::BinaryText(text), Value::Bytes(v)) => self.put_binary_text(text, v, out),
            (Form::Enum, Value::Enum(v)) => self.put_enum(v, out),
            (Form::Set, Value::Set(v)) => self.put_set(v, out),
            (Form::Date(form), Value::Date(v)) => self.put_date(form, v, out),
            (Form::Time(form), Value::Time(v)) => self.put_time(form, v, out),
            (Form::DateTime(form), Value::DateTime(v)) => self.put_date_time(form, v, out),
            (Form::Timestamp, Value::Timestamp(v)) => {
                self.put_blob(iso::date_time(v, self.fsp()).as_bytes(), out)
            }
            (Form::Geometry, Value::Geometry { srid, wkb }) => put_geometry(srid, wkb, out),
            (Form::Point, Value::Geometry { srid, wkb }) => self.put_point(srid, wkb, out),
            (Form::Vector, Value::Vector(v)) => self.put_vector(v, out),
            (_, other) => Err(self.misfit(&format!("a value {other:?} in a column {}", self.ty.sql()))),
        }
    }

    fn put_raw(&self, bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(bytes);
        Ok(())
    }

    fn put_blob(&self, bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
        put_bytes(out, bytes);
        Ok(())
    }

    fn put_text(&self, write: impl FnOnce(&mut Vec<u8>), out: &mut Vec<u8>) -> Result<()> {
        put_measured(out, write);
        Ok(())
    }

    fn put_int(&self, value: i64, out: &mut Vec<u8>) -> Result<()> {
        i32::try_from(value).map_err(|_| self.misfit(&format!("{value} is too large for an Avro int")))?;
        self.put_long(value, out)
    }

    fn put_long(&self, value: i64, out: &mut Vec<u8>) -> Result<()> {
        put_long(out, value);
        Ok(())
    }

    /// A BIGINT UNSIGNED over 2^63 - 1 turns negative, as Debezium's mode `long` says.
    fn put_wrapping(&self, value: u64, out: &mut Vec<u8>) -> Result<()> {
        let most = if planted("codec.bigint_long") { u64::MAX >> 1 } else { u64::MAX };
        self.put_long(value.min(most).cast_signed(), out)
    }

    fn put_decimal(&self, value: Decimal, scale: u8, out: &mut Vec<u8>) -> Result<()> {
        if value.scale() != scale {
            return Err(self.misfit(&format!("{value} has not the column's {scale} digits behind the point")));
        }
        let (bytes, start) = value.to_twos_complement();
        self.put_blob(bytes.get(start..).unwrap_or_default(), out)
    }

    fn put_decimal_double(&self, value: Decimal, out: &mut Vec<u8>) -> Result<()> {
        let number: f64 = value.to_string().parse().map_err(|e| self.misfit("no double").caused_by(e))?;
        self.put_raw(&number.to_le_bytes(), out)
    }

    fn put_bits(&self, bits: u8, value: u64, out: &mut Vec<u8>) -> Result<()> {
        if bits < 64 && value >> bits != 0 {
            return Err(self.misfit(&format!("{value} has more than {bits} bits")));
        }
        let bytes = value.to_le_bytes();
        self.put_blob(bytes.get(..usize::from(bits).div_ceil(8)).unwrap_or(&bytes), out)
    }

    fn put_binary_text(&self, text: BinaryText, bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let length = match text {
            BinaryText::Hex => bytes.len() * 2,
            BinaryText::Base64 | BinaryText::Base64UrlSafe => bytes.len().div_ceil(3) * 4,
        };
        put_length(out, length);
        let start = out.len();
        out.resize(start + length, 0);
        let place = out.get_mut(start..).unwrap_or_default();
        let written = match text {
            BinaryText::Base64 => STANDARD.encode_slice(bytes, place).is_ok(),
            BinaryText::Base64UrlSafe => URL_SAFE.encode_slice(bytes, place).is_ok(),
            BinaryText::Hex => put_hex(bytes, place),
        };
        if written { Ok(()) } else { Err(self.misfit("its text has another length than was reckoned")) }
    }

    fn put_enum(&self, index: u16, out: &mut Vec<u8>) -> Result<()> {
        let text = self.members.text(index);
        let text = text.ok_or_else(|| self.misfit(&format!("ENUM index {index} has no member")))?;
        self.put_blob(text.as_bytes(), out)
    }

    fn put_set(&self, bits: u64, out: &mut Vec<u8>) -> Result<()> {
        let mut known = Some(());
        put_measured(out, |out| known = self.members.join(bits, out));
        known.ok_or_else(|| self.misfit(&format!("SET bits {bits:#b} have no members")))
    }

    fn put_date(&self, form: DateForm, value: Date, out: &mut Vec<u8>) -> Result<()> {
        match form {
            DateForm::Iso => self.put_blob(iso::date(value).as_bytes(), out),
            DateForm::Days | DateForm::ConnectDays => {
                let days = value.epoch_days().ok_or_else(|| self.no_number(value))?;
                self.put_long(i64::from(days), out)
            }
        }
    }

    fn put_time(&self, form: TimeForm, value: Time, out: &mut Vec<u8>) -> Result<()> {
        if !self.holds_time(value) {
            return Err(self.misfit(&format!("'{value}' is no time of a day")).hint(ANOTHER_MODE));
        }
        match form {
            TimeForm::Micros => self.put_long(value.micros, out),
            TimeForm::Nanos => self.put_long(value.micros.saturating_mul(1000), out),
            TimeForm::ConnectMillis => self.put_int(value.micros.div_euclid(1000), out),
            TimeForm::Iso => {
                let micros = u32::try_from(value.micros.rem_euclid(1_000_000)).unwrap_or(0);
                self.put_blob(iso::time(value, self.digits(micros)).as_bytes(), out)
            }
        }
    }

    fn put_date_time(&self, form: StampForm, value: DateTime, out: &mut Vec<u8>) -> Result<()> {
        let micros = || value.epoch_micros().ok_or_else(|| self.no_number(value));
        match form {
            StampForm::Iso => self.put_blob(iso::date_time(value, self.digits(value.micros)).as_bytes(), out),
            StampForm::Millis | StampForm::ConnectMillis => self.put_long(micros()?.div_euclid(1000), out),
            StampForm::Micros => self.put_long(micros()?, out),
            StampForm::Nanos => {
                let nanos = micros()?.checked_mul(1000);
                self.put_long(nanos.ok_or_else(|| self.no_number(value))?, out)
            }
        }
    }

    /// The coordinates of a point stand beside its bytes, as Debezium has it.
    fn put_point(&self, srid: u32, wkb: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let (Some(x), Some(y)) = (wkb.get(5..13), wkb.get(13..21)) else {
            return Err(self.misfit("a POINT of less than 21 bytes"));
        };
        out.extend_from_slice(x);
        out.extend_from_slice(y);
        out.push(2);
        put_bytes(out, wkb);
        put_srid(srid, out);
        Ok(())
    }

    fn put_vector(&self, bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
        if !bytes.len().is_multiple_of(4) {
            return Err(self.misfit("a VECTOR whose bytes are no whole number of floats"));
        }
        if !bytes.is_empty() {
            put_length(out, bytes.len() / 4);
            out.extend_from_slice(bytes);
        }
        out.push(0);
        Ok(())
    }

    /// What Debezium writes in place of a value that its form has no place for: NULL, and 1970 for dates
    /// with zeros where there is no NULL. What else a NOT NULL column holds stops Debezium, and is refused here.
    fn replaced<'a>(&self, value: Value<'a>) -> Value<'a> {
        let is_date = match value {
            Value::Date(v) => v.epoch_days().is_some(),
            Value::DateTime(v) | Value::Timestamp(v) => v.epoch_micros().is_some(),
            _ => true,
        };
        let fits = match value {
            Value::Time(v) => self.holds_time(v),
            Value::DateTime(v) => self.holds_date_time(v),
            _ => true,
        };
        let epoch = Date { year: 1970, month: 1, day: 1 };
        let midnight = DateTime { date: epoch, ..DateTime::default() };
        match value {
            _ if is_date && fits => value,
            _ if self.nulls != Nulls::Never => Value::Null,
            Value::Date(_) => Value::Date(epoch),
            Value::Timestamp(_) => Value::Timestamp(midnight),
            Value::DateTime(_) if !is_date => Value::DateTime(midnight),
            other => other,
        }
    }

    /// Kafka Connect's and ISO's times are those of a day.
    fn holds_time(&self, time: Time) -> bool {
        match self.form {
            Form::Time(TimeForm::ConnectMillis | TimeForm::Iso) => (0..=DAY_MICROS).contains(&time.micros),
            _ => true,
        }
    }

    fn holds_date_time(&self, value: DateTime) -> bool {
        let too_far = |micros: i64| micros.checked_mul(1000).is_none();
        self.form != Form::DateTime(StampForm::Nanos) || !value.epoch_micros().is_some_and(too_far)
    }

    /// How many digits stand behind the point.
    fn digits(&self, micros: u32) -> u8 {
        if self.odd == Odd::Keep { self.fsp() } else { iso::digits_needed(micros) }
    }

    fn fsp(&self) -> u8 {
        match self.ty {
            ColumnType::Time { fsp } | ColumnType::Datetime { fsp } | ColumnType::Timestamp { fsp } => fsp,
            _ => 6,
        }
    }

    fn no_number(&self, value: impl std::fmt::Display) -> Error {
        self.misfit(&format!("'{value}' is no number since 1970")).hint(ANOTHER_MODE)
    }

    #[cold]
    fn misfit(&self, why: &str) -> Error {
        Error::new(Kind::Encode, format!("column {}: {why}", self.name))
    }
}

fn put_geometry(srid: u32, wkb: &[u8], out: &mut Vec<u8>) -> Result<()> {
    put_bytes(out, wkb);
    put_srid(srid, out);
    Ok(())
}

/// None is 0. Kafka Connect has no unsigned int: an SRID over 2^31 - 1 wraps.
fn put_srid(srid: u32, out: &mut Vec<u8>) {
    if srid == 0 {
        return out.push(0);
    }
    out.push(2);
    put_long(out, i64::from(srid.cast_signed()));
}

fn put_hex(bytes: &[u8], place: &mut [u8]) -> bool {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (byte, pair) in bytes.iter().zip(place.chunks_exact_mut(2)) {
        pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    place.len() == bytes.len() * 2
}
