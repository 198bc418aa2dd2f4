//! What Kafka Connect and Debezium call the types of values, and the parameters
//! they hang on them.

use cdc_sdk::{Column, ColumnType};

use super::form::{DateForm, Form, StampForm, TimeForm};

/// What a form is called in Avro and in Kafka Connect.
#[derive(Default)]
pub(super) struct Type {
    pub(super) base: &'static str,
    pub(super) connect_name: Option<&'static str>,
    pub(super) connect_type: Option<&'static str>,
    pub(super) parameters: Vec<(String, String)>,
}

impl Type {
    fn plain(base: &'static str) -> Self {
        Self { base, ..Self::default() }
    }

    fn named(base: &'static str, connect_name: &'static str) -> Self {
        Self { base, connect_name: Some(connect_name), ..Self::default() }
    }

    fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.parameters.push((name.to_owned(), value.to_string()));
        self
    }

    /// The type of values in this form.
    pub(super) fn of(form: Form, ty: &ColumnType) -> Self {
        match form {
            Form::Int { short: true } => Type { connect_type: Some("int16"), ..Type::plain("int") },
            Form::Int { short: false } => Type::plain("int"),
            Form::Long => Type::plain("long"),
            Form::UnsignedDecimal => decimal(20, 0),
            Form::Decimal { precision, scale } => decimal(precision, scale),
            Form::Float => Type::plain("float"),
            Form::Double | Form::DecimalDouble => Type::plain("double"),
            Form::DecimalText | Form::Text | Form::BinaryText(_) => Type::plain("string"),
            Form::Boolean => Type::plain("boolean"),
            Form::Bits { bits } => Type::named("bytes", "io.debezium.data.Bits").with("length", bits),
            Form::Bytes => Type::plain("bytes"),
            Form::Json => Type::named("string", "io.debezium.data.Json"),
            Form::Enum => Type::named("string", "io.debezium.data.Enum").with("allowed", allowed(ty)),
            Form::Set => Type::named("string", "io.debezium.data.EnumSet").with("allowed", allowed(ty)),
            Form::Year => Type::named("int", "io.debezium.time.Year"),
            Form::Date(DateForm::Days) => Type::named("int", "io.debezium.time.Date"),
            Form::Date(DateForm::ConnectDays) => Type::named("int", "org.apache.kafka.connect.data.Date"),
            Form::Date(DateForm::Iso) => Type::named("string", "io.debezium.time.IsoDate"),
            Form::Time(TimeForm::Micros) => Type::named("long", "io.debezium.time.MicroTime"),
            Form::Time(TimeForm::Nanos) => Type::named("long", "io.debezium.time.NanoTime"),
            Form::Time(TimeForm::ConnectMillis) => Type::named("int", "org.apache.kafka.connect.data.Time"),
            Form::Time(TimeForm::Iso) => Type::named("string", "io.debezium.time.IsoTime"),
            Form::DateTime(StampForm::Millis) => Type::named("long", "io.debezium.time.Timestamp"),
            Form::DateTime(StampForm::ConnectMillis) => {
                Type::named("long", "org.apache.kafka.connect.data.Timestamp")
            }
            Form::DateTime(StampForm::Micros) => Type::named("long", "io.debezium.time.MicroTimestamp"),
            Form::DateTime(StampForm::Nanos) => Type::named("long", "io.debezium.time.NanoTimestamp"),
            Form::DateTime(StampForm::Iso) => Type::named("string", "io.debezium.time.IsoTimestamp"),
            Form::Timestamp => Type::named("string", "io.debezium.time.ZonedTimestamp"),
            Form::Geometry => Type::named("record", "io.debezium.data.geometry.Geometry"),
            Form::Point => Type::named("record", "io.debezium.data.geometry.Point"),
            Form::Vector => Type::named("array", "io.debezium.data.FloatVector"),
        }
    }
}

fn decimal(precision: u8, scale: u8) -> Type {
    Type::named("bytes", "org.apache.kafka.connect.data.Decimal")
        .with("scale", scale)
        .with("connect.decimal.precision", precision)
}

fn allowed(ty: &ColumnType) -> String {
    match ty {
        ColumnType::Enum { members } | ColumnType::Set { members } => {
            let escaped: Vec<String> = members.iter().map(|m| m.replace(',', "\\,")).collect();
            escaped.join(",")
        }
        _ => String::new(),
    }
}

/// Debezium's `column.propagate.source.type`.
pub(super) fn source_parameters(column: &Column) -> Vec<(String, String)> {
    let sql = column.ty.sql();
    let base: String = sql.split_once('(').map_or(sql.as_str(), |(name, _)| name).to_owned();
    let unsigned = if sql.ends_with(" unsigned") && !base.ends_with(" unsigned") { " unsigned" } else { "" };
    let (length, scale) = length_and_scale(&column.ty);
    let mut parameters = vec![("type", format!("{base}{unsigned}").to_uppercase())];
    parameters.extend(length.map(|length| ("length", length.to_string())));
    parameters.extend(scale.map(|scale| ("scale", scale.to_string())));
    parameters.push(("name", column.name.clone()));
    parameters.extend(column.charset.clone().map(|charset| ("character_set", charset)));
    parameters.into_iter().map(|(name, value)| (format!("__debezium.source.column.{name}"), value)).collect()
}

fn length_and_scale(ty: &ColumnType) -> (Option<u32>, Option<u8>) {
    match *ty {
        ColumnType::Decimal { precision, scale, .. } => (Some(u32::from(precision)), Some(scale)),
        ColumnType::Bit { bits } => (Some(u32::from(bits)), None),
        ColumnType::Char { length }
        | ColumnType::Varchar { length }
        | ColumnType::Binary { length }
        | ColumnType::Varbinary { length }
        | ColumnType::Vector { dimension: length } => (Some(length), None),
        ColumnType::Time { fsp } | ColumnType::Datetime { fsp } | ColumnType::Timestamp { fsp }
            if fsp > 0 =>
        {
            (Some(u32::from(fsp)), None)
        }
        _ => (None, None),
    }
}
