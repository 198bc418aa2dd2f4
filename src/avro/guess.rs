//! A column's MySQL type, where the schema does not carry the table.
//!
//! Debezium's schemas tell the type in `__debezium.source.column.type` where that
//! is on; otherwise the type is the smallest of MySQL's that holds every value that
//! the Avro type can hold.

use cdc_sdk::column::{BlobSize, GeometryKind, Width};
use cdc_sdk::{Column, ColumnType};
use serde_json::Value as Json;

use super::form::{Form, Nulls, StampForm};
use super::infer::{Avro, int_form, long_form};

/// The column of a field.
pub(super) fn column(name: &str, avro: &Avro<'_>, nulls: Nulls) -> Column {
    let declared = avro.source("type").and_then(|ty| declared(ty, avro));
    Column {
        name: avro.source("name").unwrap_or(name).to_owned(),
        ty: declared.unwrap_or_else(|| smallest(avro)),
        nullable: nulls != Nulls::Never,
        charset: avro.source("character_set").map(str::to_owned),
        collation: None,
        extra: Default::default(),
    }
}

/// InnoDB's limit on a key, in bytes, and what a letter of utf8mb4 takes of it.
const KEY_BYTES_MAX: u32 = 3072;
const LETTER_BYTES: u32 = 4;

/// Gives the columns of the key, as far as their types were guessed, types that a key can stand on: what the others
/// leave is shared. Texts that differ in anything are different keys, whatever the source's collation says: Debezium tells none.
pub(super) fn narrow(columns: &mut [Column], key: &[usize]) {
    let wide = |ty: &ColumnType| matches!(ty, ColumnType::Text { .. } | ColumnType::Blob { .. });
    let of_key = || key.iter().filter_map(|index| columns.get(*index)).map(|column| &column.ty);
    let count = u32::try_from(of_key().filter(|ty| wide(ty)).count()).unwrap_or(u32::MAX).max(1);
    let others: u32 = of_key().map(key_bytes).fold(0, u32::saturating_add);
    let share = KEY_BYTES_MAX.saturating_sub(others) / count;
    for index in key {
        let Some(column) = columns.get_mut(*index) else { continue };
        match column.ty {
            ColumnType::Text { .. } => column.ty = ColumnType::Varchar { length: share / LETTER_BYTES },
            ColumnType::Blob { .. } => column.ty = ColumnType::Varbinary { length: share },
            _ => {}
        }
        if column.collation.is_none()
            && matches!(column.ty, ColumnType::Varchar { .. } | ColumnType::Char { .. })
        {
            column.charset = Some("utf8mb4".to_owned());
            column.collation = Some("utf8mb4_0900_bin".to_owned());
        }
    }
}

/// What a column takes of a key, at most; nothing where it takes what is left.
fn key_bytes(ty: &ColumnType) -> u32 {
    use ColumnType as T;
    match ty {
        T::Text { .. } | T::Blob { .. } => 0,
        T::Char { length } | T::Varchar { length } => length.saturating_mul(LETTER_BYTES),
        T::Binary { length } | T::Varbinary { length } => *length,
        // 65 digits take 30 bytes (manual, "Precision Math"); all others are smaller.
        T::Decimal { .. } => 30,
        _ => 8,
    }
}

/// The type that Debezium's parameters declare.
fn declared(text: &str, avro: &Avro<'_>) -> Option<ColumnType> {
    let upper = text.to_ascii_uppercase();
    let unsigned = upper.contains("UNSIGNED");
    let base = upper.split([' ', '(']).next().unwrap_or_default();
    let length = || avro.source("length").and_then(|l| l.parse::<u32>().ok());
    let short = |or: u8| length().map_or(Some(or), |l| u8::try_from(l).ok());
    let integer = |width| ColumnType::Integer { width, unsigned };
    Some(match base {
        "TINYINT" | "BOOL" | "BOOLEAN" => integer(Width::Tiny),
        "SMALLINT" => integer(Width::Small),
        "MEDIUMINT" => integer(Width::Medium),
        "INT" | "INTEGER" => integer(Width::Int),
        "BIGINT" | "SERIAL" => integer(Width::Big),
        "DECIMAL" | "NUMERIC" | "DEC" | "FIXED" => {
            let scale = avro.source("scale").map_or(Some(0), |s| s.parse().ok())?;
            ColumnType::Decimal { precision: short(10)?, scale, unsigned }
        }
        "FLOAT" if avro.base == "float" => ColumnType::Float { unsigned },
        "FLOAT" | "DOUBLE" | "REAL" => ColumnType::Double { unsigned },
        "BIT" => ColumnType::Bit { bits: short(1)? },
        "CHAR" | "NCHAR" => ColumnType::Char { length: length().unwrap_or(1) },
        "VARCHAR" | "NVARCHAR" => ColumnType::Varchar { length: length()? },
        "BINARY" => ColumnType::Binary { length: length().unwrap_or(1) },
        "VARBINARY" => ColumnType::Varbinary { length: length()? },
        "DATETIME" => ColumnType::Datetime { fsp: short(0)? },
        "TIMESTAMP" => ColumnType::Timestamp { fsp: short(0)? },
        "TIME" => ColumnType::Time { fsp: short(0)? },
        "VECTOR" => ColumnType::Vector { dimension: length().unwrap_or(2048) },
        other => return sized(other).or_else(|| geometry_kind(other)),
    })
}

fn sized(base: &str) -> Option<ColumnType> {
    let sizes = [BlobSize::Tiny, BlobSize::Normal, BlobSize::Medium, BlobSize::Long];
    let lower = base.to_ascii_lowercase();
    let size = |suffix: &str| sizes.into_iter().find(|size| format!("{}{suffix}", size.sql()) == lower);
    let text = size("text").map(|size| ColumnType::Text { size });
    text.or_else(|| size("blob").map(|size| ColumnType::Blob { size }))
}

fn geometry_kind(base: &str) -> Option<ColumnType> {
    let kind = match base {
        "GEOMETRY" => GeometryKind::Geometry,
        "POINT" => GeometryKind::Point,
        "LINESTRING" => GeometryKind::LineString,
        "POLYGON" => GeometryKind::Polygon,
        "MULTIPOINT" => GeometryKind::MultiPoint,
        "MULTILINESTRING" => GeometryKind::MultiLineString,
        "MULTIPOLYGON" => GeometryKind::MultiPolygon,
        "GEOMETRYCOLLECTION" | "GEOMCOLLECTION" => GeometryKind::GeometryCollection,
        _ => return None,
    };
    Some(ColumnType::Geometry { kind })
}

/// The smallest type that holds all that the Avro type can.
fn smallest(avro: &Avro<'_>) -> ColumnType {
    let integer = |width| ColumnType::Integer { width, unsigned: false };
    match (avro.base, avro.connect_name) {
        ("boolean", _) => ColumnType::Bit { bits: 1 },
        ("int", name) => match int_form(name) {
            Form::Date(_) => ColumnType::Date,
            Form::Time(_) => ColumnType::Time { fsp: 3 },
            Form::Year => ColumnType::Year,
            _ if avro.json.get("connect.type").and_then(Json::as_str) == Some("int16") => {
                integer(Width::Small)
            }
            _ => integer(Width::Int),
        },
        ("long", name) => match long_form(name) {
            Form::Time(_) => ColumnType::Time { fsp: 6 },
            Form::DateTime(StampForm::Millis | StampForm::ConnectMillis) => ColumnType::Datetime { fsp: 3 },
            Form::DateTime(_) => ColumnType::Datetime { fsp: 6 },
            _ => integer(Width::Big),
        },
        ("float", _) => ColumnType::Float { unsigned: false },
        ("double", _) => ColumnType::Double { unsigned: false },
        ("bytes", "org.apache.kafka.connect.data.Decimal") => ColumnType::Decimal {
            precision: avro.number("precision").unwrap_or(65),
            scale: avro.number("scale").unwrap_or(0),
            unsigned: false,
        },
        ("bytes", "io.debezium.data.Bits") => {
            let bits = avro.parameter("length").and_then(|l| l.parse().ok());
            ColumnType::Bit { bits: bits.filter(|bits| *bits <= 64).unwrap_or(64) }
        }
        ("bytes", _) => ColumnType::Blob { size: BlobSize::Long },
        ("array", _) => ColumnType::Vector { dimension: 16_383 },
        (_, "io.debezium.data.geometry.Point") => ColumnType::Geometry { kind: GeometryKind::Point },
        (_, "io.debezium.data.geometry.Geometry") => ColumnType::Geometry { kind: GeometryKind::Geometry },
        (_, name) => smallest_text(avro, name),
    }
}

fn smallest_text(avro: &Avro<'_>, name: &str) -> ColumnType {
    let members = || members(avro.parameter("allowed").unwrap_or_default());
    match name {
        "io.debezium.data.Enum" => ColumnType::Enum { members: members() },
        "io.debezium.data.EnumSet" => ColumnType::Set { members: members() },
        "io.debezium.data.Json" => ColumnType::Json,
        "io.debezium.time.ZonedTimestamp" => ColumnType::Timestamp { fsp: 6 },
        "io.debezium.time.IsoDate" => ColumnType::Date,
        "io.debezium.time.IsoTime" => ColumnType::Time { fsp: 6 },
        "io.debezium.time.IsoTimestamp" => ColumnType::Datetime { fsp: 6 },
        _ => ColumnType::Text { size: BlobSize::Long },
    }
}

/// The members in `allowed`: commas between them, `\,` within.
fn members(allowed: &str) -> Vec<String> {
    let mut members = vec![String::new()];
    let mut letters = allowed.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            ',' => members.push(String::new()),
            '\\' if letters.next_if_eq(&',').is_some() => push(&mut members, ','),
            other => push(&mut members, other),
        }
    }
    members
}

fn push(members: &mut [String], letter: char) {
    if let Some(member) = members.last_mut() {
        member.push(letter);
    }
}
