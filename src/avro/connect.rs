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

/// A column's type as Debezium tells it.
pub(super) struct Declared {
    /// `DECIMAL UNSIGNED`
    pub(super) words: String,
    pub(super) length: Option<u32>,
    pub(super) scale: Option<u32>,
}

impl Declared {
    pub(super) fn of(column: &Column) -> Self {
        let sql = column.type_sql();
        let (base, rest) = sql.split_once('(').unwrap_or((sql.as_str(), ""));
        let attributes = rest.rsplit_once(')').map_or("", |(_, attributes)| attributes);
        let (length, scale) = length_and_scale(&column.ty, rest);
        Self { words: format!("{base}{attributes}").to_uppercase(), length, scale }
    }
}

/// Debezium's `column.propagate.source.type`. The character set is ours: Debezium 3.6 does not tell it.
pub(super) fn source_parameters(column: &Column, with_charset: bool) -> Vec<(String, String)> {
    let Declared { words, length, scale } = Declared::of(column);
    let mut parameters = vec![("type", words)];
    parameters.extend(length.map(|length| ("length", length.to_string())));
    parameters.extend(scale.map(|scale| ("scale", scale.to_string())));
    parameters.push(("name", column.name.clone()));
    parameters.extend(column.charset.clone().filter(|_| with_charset).map(|name| ("character_set", name)));
    parameters.into_iter().map(|(name, value)| (format!("__debezium.source.column.{name}"), value)).collect()
}

/// Of a type, and `arguments`: what follows its first bracket, as the source spells it.
fn length_and_scale(ty: &ColumnType, arguments: &str) -> (Option<u32>, Option<u32>) {
    match ty {
        ColumnType::Enum { .. } => (Some(1), None),
        // One letter for each member, and the commas between.
        ColumnType::Set { members } => {
            (u32::try_from(members.len() * 2).ok().map(|n| n.saturating_sub(1)), None)
        }
        _ => {
            let numbers = arguments.split_once(')').map_or("", |(numbers, _)| numbers);
            let mut numbers = numbers.split(',').map(|number| number.trim().parse().ok());
            (numbers.next().flatten(), numbers.next().flatten())
        }
    }
}
