//! A table's Avro schemas, in the form and order of properties that Debezium's
//! converter gives them (so that a registry sees the same text).

use cdc_sdk::{Column, Error, Kind, Result, Table, TableName};

use super::connect::{Type, source_parameters};
use super::default::column_default;
use super::form::{BinaryText, ColumnPlan, DateForm, Form, Nulls, StampForm, TimeForm};
use super::json::Json;
use super::name;
use super::records::{SOURCE_SCHEMA, TRANSACTION_BLOCK_SCHEMA};
use crate::envelope::Modes;

/// The property of the record `Value` that holds the table.
pub(super) const TABLE_PROPERTY: &str = "cdc.table";
/// The property of a string type that holds encoded bytes: how they are encoded.
pub(super) const BINARY_PROPERTY: &str = "cdc.binary";

/// The texts to be registered.
#[derive(Debug)]
pub(super) struct Schemas {
    pub(super) key: Option<String>,
    pub(super) value: String,
}

/// A column as schemas show it.
pub(super) struct Field<'a> {
    pub(super) column: &'a Column,
    pub(super) name: String,
    pub(super) plan: ColumnPlan,
    default: Option<Json>,
    /// What the row's schema tells of the column's type.
    parameters: Vec<(String, String)>,
}

impl<'a> Field<'a> {
    /// All columns of a table. `key` are those whose place in the row is noted, in that order.
    pub(super) fn all(table: &'a Table, modes: &Modes, key: &[usize]) -> Vec<Self> {
        let TableName { database, table: name } = &table.name;
        let is_typed = |column: &Column| {
            modes.propagate_source_type.matches(&format!("{database}.{name}.{}", column.name))
        };
        let names = name::fields(&table.columns);
        let field = |(index, (column, name)): (usize, (&'a Column, String))| {
            let default = column_default(column, modes);
            let nulls = match (column.nullable, &default) {
                (false, _) => Nulls::Never,
                (true, None) => Nulls::First,
                (true, Some(_)) => Nulls::Last,
            };
            let slot = key.iter().position(|c| *c == index);
            let plan = ColumnPlan::to_write(column, modes, nulls, slot);
            let parameters = match is_typed(column) {
                true => source_parameters(column, modes.carry_table),
                false => Vec::new(),
            };
            Self { column, name, plan, default, parameters }
        };
        table.columns.iter().zip(names).enumerate().map(field).collect()
    }
}

/// Makes both schemas. `key` are the columns of the records' key, in its order.
pub(super) fn build(
    table: &Table,
    fields: &[Field<'_>],
    key: Option<&[usize]>,
    modes: &Modes,
    topic: &str,
) -> Result<Schemas> {
    let namespace = name::namespace(topic);
    let key = key.map(|key| {
        // Keys carry no source types, with Debezium neither.
        let mut named = Named { untyped: true, ..Named::default() };
        let columns = key.iter().filter_map(|index| fields.get(*index));
        let fields = columns.map(|f| field_schema(f, modes, &mut named)).collect();
        text(&record("Key", &namespace, fields, None, Vec::new()))
    });
    let mut named = Named::default();
    let row = fields.iter().map(|f| field_schema(f, modes, &mut named)).collect();
    let mut properties = Vec::new();
    if modes.carry_table {
        let table = serde_json::to_string(table)
            .map_err(|e| Error::new(Kind::Bug, format!("table {}: no JSON form", table.name)).caused_by(e))?;
        properties.push((TABLE_PROPERTY.to_owned(), Json::Raw(table)));
    }
    let value = envelope(&namespace, row, properties);
    Ok(Schemas { key, value: text(&value) })
}

fn text(json: &Json) -> String {
    let mut text = String::new();
    json.write(&mut text);
    text
}

fn envelope(namespace: &str, row: Vec<Json>, row_properties: Vec<(String, Json)>) -> Json {
    let mut value = record("Value", namespace, row, None, row_properties);
    // A nested record of the same namespace leaves it out.
    if let Json::Object(properties) = &mut value {
        properties.retain(|(name, _)| name != "namespace");
    }
    let fields = vec![
        optional("before", value),
        optional("after", Json::text("Value")),
        required("source", Json::Raw(SOURCE_SCHEMA.trim().to_owned())),
        optional("transaction", Json::Raw(TRANSACTION_BLOCK_SCHEMA.trim().to_owned())),
        required("op", Json::text("string")),
        optional("ts_ms", Json::text("long")),
        optional("ts_us", Json::text("long")),
        optional("ts_ns", Json::text("long")),
    ];
    record("Envelope", namespace, fields, Some(2), Vec::new())
}

fn record(
    name: &str,
    namespace: &str,
    fields: Vec<Json>,
    version: Option<i64>,
    more: Vec<(String, Json)>,
) -> Json {
    let mut properties = vec![
        ("type".to_owned(), Json::text("record")),
        ("name".to_owned(), Json::text(name)),
        ("namespace".to_owned(), Json::text(namespace)),
        ("fields".to_owned(), Json::Array(fields)),
    ];
    if let Some(version) = version {
        properties.push(("connect.version".to_owned(), Json::Number(version)));
    }
    properties.push(("connect.name".to_owned(), Json::text(format!("{namespace}.{name}"))));
    properties.extend(more);
    Json::Object(properties)
}

fn required(name: &str, ty: Json) -> Json {
    Json::object([("name", Json::text(name)), ("type", ty)])
}

fn optional(name: &str, ty: Json) -> Json {
    let union = Json::Array(vec![Json::text("null"), ty]);
    Json::object([("name", Json::text(name)), ("type", union), ("default", Json::Null)])
}

/// What a schema has used up to here, and whether it leaves out what columns were at the source.
#[derive(Default)]
struct Named {
    geometry: bool,
    point: bool,
    untyped: bool,
}

fn field_schema(field: &Field<'_>, modes: &Modes, named: &mut Named) -> Json {
    let ty = type_schema(field, modes, named);
    match (field.plan.nulls, &field.default) {
        (Nulls::First, _) => optional(&field.name, ty),
        (Nulls::Last, default) => {
            let union = Json::Array(vec![ty, Json::text("null")]);
            let default = default.clone().unwrap_or(Json::Null);
            Json::object([("name", Json::text(&field.name)), ("type", union), ("default", default)])
        }
        (Nulls::Never, Some(default)) => {
            Json::object([("name", Json::text(&field.name)), ("type", ty), ("default", default.clone())])
        }
        (Nulls::Never, None) => required(&field.name, ty),
    }
}

fn type_schema(field: &Field<'_>, modes: &Modes, named: &mut Named) -> Json {
    let parameters = if named.untyped { Vec::new() } else { field.parameters.clone() };
    match field.plan.form {
        Form::Geometry => geometry(&mut named.geometry, parameters),
        Form::Point => point(&mut named.point, parameters),
        form => {
            let mut ty = Type::of(form, &field.column.ty);
            ty.parameters.extend(parameters);
            simple(field, ty, modes)
        }
    }
}

/// The properties of a type in the order of rule 2 of Debezium's converter.
fn simple(field: &Field<'_>, ty: Type, modes: &Modes) -> Json {
    let mut properties = vec![("type".to_owned(), Json::text(ty.base))];
    let mut push = |name: &str, value: Json| properties.push((name.to_owned(), value));
    if ty.base == "array" {
        push("items", Json::text("float"));
    }
    let decimal = match field.plan.form {
        Form::Decimal { precision, scale } => Some((precision, scale)),
        Form::UnsignedDecimal => Some((20, 0)),
        _ => None,
    };
    if let Some((precision, scale)) = decimal {
        push("scale", Json::Number(i64::from(scale)));
        push("precision", Json::Number(i64::from(precision)));
    }
    if ty.connect_name.is_some() {
        push("connect.version", Json::Number(1));
    }
    if !ty.parameters.is_empty() {
        let parameters = ty.parameters.into_iter().map(|(name, value)| (name, Json::Text(value)));
        push("connect.parameters", Json::Object(parameters.collect()));
    }
    if let Some(default) = &field.default {
        push("connect.default", default.clone());
    }
    if let Some(name) = ty.connect_name {
        push("connect.name", Json::text(name));
    }
    if let Some(name) = ty.connect_type {
        push("connect.type", Json::text(name));
    }
    if let Some(logical) = field.plan.form.logical_type() {
        push("logicalType", Json::text(logical));
    }
    if let (Form::BinaryText(text), true) = (field.plan.form, modes.carry_table) {
        push(BINARY_PROPERTY, Json::text(text.name()));
    }
    if properties.len() == 1 { Json::text(ty.base) } else { Json::Object(properties) }
}

impl Form {
    /// Avro's own name, which Kafka Connect's types have and Debezium's have not.
    fn logical_type(self) -> Option<&'static str> {
        match self {
            Self::Decimal { .. } | Self::UnsignedDecimal => Some("decimal"),
            Self::Date(DateForm::ConnectDays) => Some("date"),
            Self::Time(TimeForm::ConnectMillis) => Some("time-millis"),
            Self::DateTime(StampForm::ConnectMillis) => Some("timestamp-millis"),
            _ => None,
        }
    }
}

impl BinaryText {
    /// Debezium's name of the mode.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::Base64UrlSafe => "base64-url-safe",
            Self::Hex => "hex",
        }
    }
}

/// A record that several columns share is written out once, with what it carries of the first of them.
fn geometry(used: &mut bool, parameters: Vec<(String, String)>) -> Json {
    if std::mem::replace(used, true) {
        return Json::text("io.debezium.data.geometry.Geometry");
    }
    let fields = vec![required("wkb", Json::text("bytes")), optional("srid", Json::text("int"))];
    spatial("Geometry", "Geometry", fields, parameters)
}

fn point(used: &mut bool, parameters: Vec<(String, String)>) -> Json {
    if std::mem::replace(used, true) {
        return Json::text("io.debezium.data.geometry.Point");
    }
    let fields = vec![
        required("x", Json::text("double")),
        required("y", Json::text("double")),
        optional("wkb", Json::text("bytes")),
        optional("srid", Json::text("int")),
    ];
    spatial("Point", "Geometry (POINT)", fields, parameters)
}

fn spatial(name: &str, doc: &str, fields: Vec<Json>, parameters: Vec<(String, String)>) -> Json {
    let mut json = Json::object([
        ("type", Json::text("record")),
        ("name", Json::text(name)),
        ("namespace", Json::text("io.debezium.data.geometry")),
        ("fields", Json::Array(fields)),
        ("connect.doc", Json::text(doc)),
        ("connect.version", Json::Number(1)),
    ]);
    if let Json::Object(properties) = &mut json {
        if !parameters.is_empty() {
            let parameters = parameters.into_iter().map(|(name, value)| (name, Json::Text(value)));
            properties.push(("connect.parameters".to_owned(), Json::Object(parameters.collect())));
        }
        let name = format!("io.debezium.data.geometry.{name}");
        properties.push(("connect.name".to_owned(), Json::Text(name)));
    }
    json
}

#[cfg(test)]
mod tests;
