//! What a field of a value schema says of how its column's values lie.

use cdc_sdk::{Column, ColumnType, Error, Kind, Result};
use serde_json::{Value as Json, json};

use super::form::{self, BinaryText, ColumnPlan, DateForm, Form, Nulls, Odd, StampForm, TimeForm};
use super::guess;
use super::schema::BINARY_PROPERTY;
use super::shape::refused;
use super::told_default;

/// A field's type without its null.
pub(super) struct Avro<'j> {
    /// Avro's name of the type, or the full name of a type defined before.
    pub(super) base: &'j str,
    pub(super) connect_name: &'j str,
    pub(super) json: &'j Json,
}

impl<'j> Avro<'j> {
    fn new(json: &'j Json) -> Result<Self> {
        let text = |property: &str| json.get(property).and_then(Json::as_str);
        let base = json.as_str().or_else(|| text("type"));
        let base = base.ok_or_else(|| refused("a column's type is neither name nor object"))?;
        let named = if base.contains('.') { base } else { "" };
        Ok(Self { base, connect_name: text("connect.name").unwrap_or(named), json })
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&'j str> {
        self.json.get("connect.parameters")?.get(name)?.as_str()
    }

    pub(super) fn source(&self, name: &str) -> Option<&'j str> {
        self.parameter(&format!("__debezium.source.column.{name}"))
    }

    pub(super) fn number<T: TryFrom<u64>>(&self, property: &str) -> Option<T> {
        self.json.get(property)?.as_u64()?.try_into().ok()
    }
}

/// How a column is read, and the column itself. `known` is the column where the
/// schema carries the table.
pub(super) fn column(field: &Json, known: Option<&Column>) -> Result<(Column, ColumnPlan)> {
    let name = field.get("name").and_then(Json::as_str).ok_or_else(|| refused("a field without a name"))?;
    let (json, nulls) = without_null(field.get("type").unwrap_or(&Json::Null))?;
    let avro = Avro::new(json).map_err(|e| e.at(format!("column {name}")))?;
    let mut column = match known {
        Some(column) => column.clone(),
        None => guess::column(name, &avro, nulls),
    };
    let form = find_form(&avro, &column.ty).ok_or_else(|| unreadable(&column, &avro))?;
    let plan = ColumnPlan {
        name: column.name.clone(),
        form,
        nulls,
        odd: Odd::Keep,
        members: form::members(&column.ty, known.is_some()),
        ty: column.ty.clone(),
        key_slot: None,
    };
    if known.is_none() {
        column.extra.default = told_default::column_default(field, avro.base, &plan);
    }
    Ok((column, plan))
}

fn without_null(json: &Json) -> Result<(&Json, Nulls)> {
    match json {
        Json::Array(branches) => match branches.as_slice() {
            [Json::String(null), ty] if null == "null" => Ok((ty, Nulls::First)),
            [ty, Json::String(null)] if null == "null" => Ok((ty, Nulls::Last)),
            _ => Err(refused("a column's union is not one of a type and null")),
        },
        ty => Ok((ty, Nulls::Never)),
    }
}

fn find_form(avro: &Avro<'_>, ty: &ColumnType) -> Option<Form> {
    match (avro.base, avro.connect_name) {
        ("boolean", _) => Some(Form::Boolean),
        ("int", name) => Some(int_form(name)),
        ("long", name) => Some(long_form(name)),
        ("float", _) => Some(Form::Float),
        ("double", _) if matches!(ty, ColumnType::Decimal { .. }) => Some(Form::DecimalDouble),
        ("double", _) => Some(Form::Double),
        ("bytes", "org.apache.kafka.connect.data.Decimal") => decimal_form(avro, ty),
        ("bytes", "io.debezium.data.Bits") => match ty {
            ColumnType::Bit { bits } => Some(Form::Bits { bits: *bits }),
            _ => None,
        },
        ("bytes", _) => Some(Form::Bytes),
        ("string", name) => string_form(avro, name, ty),
        ("array", "io.debezium.data.FloatVector") => Some(Form::Vector),
        (_, "io.debezium.data.geometry.Geometry") => spatial(avro, Form::Geometry),
        (_, "io.debezium.data.geometry.Point") => spatial(avro, Form::Point),
        _ => None,
    }
    .filter(|form| fits(*form, ty))
}

pub(super) fn int_form(name: &str) -> Form {
    match name {
        "io.debezium.time.Date" => Form::Date(DateForm::Days),
        "org.apache.kafka.connect.data.Date" => Form::Date(DateForm::ConnectDays),
        "org.apache.kafka.connect.data.Time" | "io.debezium.time.Time" => Form::Time(TimeForm::ConnectMillis),
        "io.debezium.time.Year" => Form::Year,
        _ => Form::Int { short: false },
    }
}

pub(super) fn long_form(name: &str) -> Form {
    match name {
        "io.debezium.time.MicroTime" => Form::Time(TimeForm::Micros),
        "io.debezium.time.NanoTime" => Form::Time(TimeForm::Nanos),
        "io.debezium.time.Timestamp" => Form::DateTime(StampForm::Millis),
        "org.apache.kafka.connect.data.Timestamp" => Form::DateTime(StampForm::ConnectMillis),
        "io.debezium.time.MicroTimestamp" => Form::DateTime(StampForm::Micros),
        "io.debezium.time.NanoTimestamp" => Form::DateTime(StampForm::Nanos),
        _ => Form::Long,
    }
}

/// A spatial record that is written out must have the fields that it is read with;
/// one that is only named was looked at where it was written out.
fn spatial(avro: &Avro<'_>, form: Form) -> Option<Form> {
    if avro.json.is_string() {
        return Some(form);
    }
    let number = json!(["null", "int"]);
    let expected = match form {
        Form::Point => json!(["x", "double", "y", "double", "wkb", ["null", "bytes"], "srid", number]),
        _ => json!(["wkb", "bytes", "srid", number]),
    };
    let fields = avro.json.get("fields")?.as_array()?.iter();
    let said = fields.flat_map(|f| [f.get("name").cloned(), f.get("type").cloned()]);
    let said: Json = said.map(Option::unwrap_or_default).collect();
    (said == expected).then_some(form)
}

fn decimal_form(avro: &Avro<'_>, ty: &ColumnType) -> Option<Form> {
    match ty {
        ColumnType::Integer { .. } => Some(Form::UnsignedDecimal),
        _ => Some(Form::Decimal {
            precision: avro.number("precision").unwrap_or(65),
            scale: avro.number("scale").or_else(|| avro.parameter("scale")?.parse().ok())?,
        }),
    }
}

fn string_form(avro: &Avro<'_>, name: &str, ty: &ColumnType) -> Option<Form> {
    Some(match (name, ty) {
        ("io.debezium.data.Enum", _) => Form::Enum,
        ("io.debezium.data.EnumSet", _) => Form::Set,
        ("io.debezium.data.Json", _) => Form::Json,
        ("io.debezium.time.ZonedTimestamp", _) => Form::Timestamp,
        ("io.debezium.time.IsoDate", _) => Form::Date(DateForm::Iso),
        ("io.debezium.time.IsoTime", _) => Form::Time(TimeForm::Iso),
        ("io.debezium.time.IsoTimestamp", _) => Form::DateTime(StampForm::Iso),
        (_, ColumnType::Decimal { .. }) => Form::DecimalText,
        (_, ColumnType::Binary { .. } | ColumnType::Varbinary { .. } | ColumnType::Blob { .. }) => {
            let encoding = avro.json.get(BINARY_PROPERTY)?.as_str()?;
            let texts = [BinaryText::Base64, BinaryText::Base64UrlSafe, BinaryText::Hex];
            Form::BinaryText(texts.into_iter().find(|text| text.name() == encoding)?)
        }
        _ => Form::Text,
    })
}

/// Whether values in this form are values of the type: a schema that contradicts
/// the table it carries is refused before a row is read with it.
fn fits(form: Form, ty: &ColumnType) -> bool {
    match form {
        Form::Int { .. } | Form::Long | Form::UnsignedDecimal => matches!(ty, ColumnType::Integer { .. }),
        Form::Float => matches!(ty, ColumnType::Float { .. }),
        Form::Double => matches!(ty, ColumnType::Double { .. }),
        Form::Decimal { scale, .. } => matches!(ty, ColumnType::Decimal { scale: s, .. } if *s == scale),
        Form::DecimalText | Form::DecimalDouble => matches!(ty, ColumnType::Decimal { .. }),
        Form::Boolean => matches!(ty, ColumnType::Bit { .. } | ColumnType::Integer { .. }),
        Form::Bits { .. } => matches!(ty, ColumnType::Bit { .. }),
        Form::Text => {
            matches!(ty, ColumnType::Char { .. } | ColumnType::Varchar { .. } | ColumnType::Text { .. })
        }
        Form::Bytes | Form::BinaryText(_) => {
            matches!(ty, ColumnType::Binary { .. } | ColumnType::Varbinary { .. } | ColumnType::Blob { .. })
        }
        Form::Json => matches!(ty, ColumnType::Json),
        Form::Enum => matches!(ty, ColumnType::Enum { .. }),
        Form::Set => matches!(ty, ColumnType::Set { .. }),
        Form::Year => matches!(ty, ColumnType::Year),
        Form::Date(_) => matches!(ty, ColumnType::Date),
        Form::Time(_) => matches!(ty, ColumnType::Time { .. }),
        Form::DateTime(_) => matches!(ty, ColumnType::Datetime { .. }),
        Form::Timestamp => matches!(ty, ColumnType::Timestamp { .. }),
        Form::Geometry | Form::Point => matches!(ty, ColumnType::Geometry { .. }),
        Form::Vector => matches!(ty, ColumnType::Vector { .. }),
    }
}

fn unreadable(column: &Column, avro: &Avro<'_>) -> Error {
    Error::new(
        Kind::TypeUnsupported,
        format!("column {}: cannot read {} from Avro's {}", column.name, column.ty.sql(), avro.base),
    )
    .detail(format!("its type is named '{}'", avro.connect_name))
    .hint("binary columns need \"binary.handling.mode\" = \"bytes\"; other types Debezium's standard converters")
}
