//! The form that a column's values take in Avro: chosen from its MySQL type and
//! the modes when written, found in the schema when read.

use cdc_sdk::column::{GeometryKind, Width};
use cdc_sdk::{Column, ColumnType};

use super::member::Members;
use crate::envelope::{BigintMode, BinaryMode, DecimalMode, Modes, TimeMode};

/// How values of a column lie in a datum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// An int; `short` is Kafka Connect's int16.
    Int {
        short: bool,
    },
    /// A long; BIGINT UNSIGNED wraps.
    Long,
    /// BIGINT UNSIGNED as decimal(20,0).
    UnsignedDecimal,
    Float,
    Double,
    Decimal {
        precision: u8,
        scale: u8,
    },
    DecimalText,
    DecimalDouble,
    Boolean,
    /// Bytes, the lowest first.
    Bits {
        bits: u8,
    },
    Text,
    Bytes,
    BinaryText(BinaryText),
    Json,
    Enum,
    Set,
    Year,
    Date(DateForm),
    Time(TimeForm),
    DateTime(StampForm),
    Timestamp,
    Geometry,
    Point,
    Vector,
}

/// How bytes become text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BinaryText {
    Base64,
    Base64UrlSafe,
    Hex,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DateForm {
    /// An int of days since 1970 (`io.debezium.time.Date`).
    Days,
    /// The same under Kafka Connect's name.
    ConnectDays,
    /// Text.
    Iso,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeForm {
    Micros,
    Nanos,
    /// An int of ms (Kafka Connect's `Time`): of one day only.
    ConnectMillis,
    Iso,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StampForm {
    Millis,
    ConnectMillis,
    Micros,
    Nanos,
    Iso,
}

/// Where NULL stands in the union of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nulls {
    /// There is no union.
    Never,
    /// `["null",T]`
    First,
    /// `[T,"null"]`, which Avro wants where the default is a T.
    Last,
}

/// What becomes of dates and times that not every reader takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Odd {
    /// They are written: dates with zeros in them, times over a day, every digit behind the point.
    Keep,
    /// As Debezium: what its form has no place for is NULL where there may be one, else 1970 or
    /// midnight; texts end with their last digit that is not 0.
    Replace,
}

/// All that is needed to write and read the values of one column.
#[derive(Clone, Debug)]
pub(super) struct ColumnPlan {
    pub(super) name: String,
    pub(super) ty: ColumnType,
    pub(super) form: Form,
    pub(super) nulls: Nulls,
    pub(super) odd: Odd,
    pub(super) members: Members,
    /// Its place in the key.
    pub(super) key_slot: Option<usize>,
}

impl ColumnPlan {
    /// How a column is written.
    pub(super) fn to_write(column: &Column, modes: &Modes, nulls: Nulls, key_slot: Option<usize>) -> Self {
        let keep = modes.time == TimeMode::Exact;
        Self {
            name: column.name.clone(),
            form: if is_double(column, modes) { Form::Double } else { form(&column.ty, modes) },
            nulls,
            odd: if keep { Odd::Keep } else { Odd::Replace },
            members: members(&column.ty, modes.carry_table),
            ty: column.ty.clone(),
            key_slot,
        }
    }
}

/// Debezium takes a FLOAT with digits behind the point, `FLOAT(7,3)`, for a double.
fn is_double(column: &Column, modes: &Modes) -> bool {
    let rounded = column.extra.spelled.as_ref().is_some_and(|spelled| spelled.contains('('));
    !modes.carry_table && rounded && matches!(column.ty, ColumnType::Float { .. })
}

/// The texts of ENUM and SET; empty for other types.
pub(super) fn members(ty: &ColumnType, distinct: bool) -> Members {
    match ty {
        ColumnType::Enum { members } => Members::of_enum(members, distinct),
        ColumnType::Set { members } => Members::of_set(members, distinct),
        _ => Members::default(),
    }
}

/// The form of a type's values under the modes.
pub(super) fn form(ty: &ColumnType, modes: &Modes) -> Form {
    match *ty {
        ColumnType::Integer { width, unsigned } => integer(width, unsigned, modes),
        ColumnType::Decimal { precision, scale, .. } => match modes.decimal {
            DecimalMode::Precise => Form::Decimal { precision, scale },
            DecimalMode::Text => Form::DecimalText,
            DecimalMode::Double => Form::DecimalDouble,
        },
        ColumnType::Float { .. } => Form::Float,
        ColumnType::Double { .. } => Form::Double,
        ColumnType::Bit { bits: 1 } => Form::Boolean,
        ColumnType::Bit { bits } => Form::Bits { bits },
        ColumnType::Char { .. } | ColumnType::Varchar { .. } | ColumnType::Text { .. } => Form::Text,
        ColumnType::Binary { .. } | ColumnType::Varbinary { .. } | ColumnType::Blob { .. } => binary(modes),
        ColumnType::Enum { .. } => Form::Enum,
        ColumnType::Set { .. } => Form::Set,
        ColumnType::Date => Form::Date(date(modes)),
        ColumnType::Time { .. } => Form::Time(time(modes)),
        ColumnType::Datetime { fsp } => Form::DateTime(date_time(fsp, modes)),
        ColumnType::Timestamp { .. } => Form::Timestamp,
        ColumnType::Year => Form::Year,
        ColumnType::Json => Form::Json,
        ColumnType::Geometry { kind: GeometryKind::Point } => Form::Point,
        ColumnType::Geometry { .. } => Form::Geometry,
        ColumnType::Vector { .. } => Form::Vector,
    }
}

fn integer(width: Width, unsigned: bool, modes: &Modes) -> Form {
    match (width, unsigned) {
        (Width::Tiny, _) | (Width::Small, false) => Form::Int { short: true },
        (Width::Small, true) | (Width::Medium, _) | (Width::Int, false) => Form::Int { short: false },
        (Width::Int, true) | (Width::Big, false) => Form::Long,
        (Width::Big, true) => match modes.bigint_unsigned {
            BigintMode::Precise => Form::UnsignedDecimal,
            BigintMode::Long => Form::Long,
        },
    }
}

fn binary(modes: &Modes) -> Form {
    match modes.binary {
        BinaryMode::Bytes => Form::Bytes,
        BinaryMode::Base64 => Form::BinaryText(BinaryText::Base64),
        BinaryMode::Base64UrlSafe => Form::BinaryText(BinaryText::Base64UrlSafe),
        BinaryMode::Hex => Form::BinaryText(BinaryText::Hex),
    }
}

fn date(modes: &Modes) -> DateForm {
    match modes.time {
        TimeMode::Exact | TimeMode::IsoString => DateForm::Iso,
        TimeMode::Connect => DateForm::ConnectDays,
        TimeMode::AdaptiveTimeMicroseconds | TimeMode::Microseconds | TimeMode::Nanoseconds => DateForm::Days,
    }
}

fn time(modes: &Modes) -> TimeForm {
    match modes.time {
        TimeMode::Exact | TimeMode::AdaptiveTimeMicroseconds | TimeMode::Microseconds => TimeForm::Micros,
        TimeMode::Connect => TimeForm::ConnectMillis,
        TimeMode::IsoString => TimeForm::Iso,
        TimeMode::Nanoseconds => TimeForm::Nanos,
    }
}

fn date_time(fsp: u8, modes: &Modes) -> StampForm {
    match modes.time {
        TimeMode::Exact | TimeMode::IsoString => StampForm::Iso,
        TimeMode::Connect => StampForm::ConnectMillis,
        TimeMode::AdaptiveTimeMicroseconds if fsp <= 3 => StampForm::Millis,
        TimeMode::AdaptiveTimeMicroseconds | TimeMode::Microseconds => StampForm::Micros,
        TimeMode::Nanoseconds => StampForm::Nanos,
    }
}
