//! Tables, rows and cuts for tests: every column type, every kind of value.

use std::sync::Arc;

use cdc_sdk::change::Origin;
use cdc_sdk::column::{BlobSize, GeometryKind, Width};
use cdc_sdk::cut::{CutKind, Place, Touched};
use cdc_sdk::position::{Landmark, Partial, Position};
use cdc_sdk::table::KeyOn;
use cdc_sdk::temporal::{Date, DateTime, Time};
use cdc_sdk::{
    Column, ColumnType, Cut, CutId, Decimal, Key, KeyKind, KeyPart, OwnedRow, OwnedValue, Table, TableName,
    Value,
};
use proptest::prelude::*;

use crate::envelope::{BigintMode, BinaryMode, DecimalMode, Meta, Modes, RegexList, Snapshot, TimeMode};

/// A cut with everything that a cut may have.
pub(crate) fn cut() -> Cut {
    Cut {
        id: CutId { incarnation: 3, sequence: 900 },
        kind: CutKind::Continues,
        alone: true,
        snapshot_complete: true,
        position: Position {
            server_uuid: "3e11fa47-71ca-11e1-9e33-c80aa9429562".into(),
            gtids: Some("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77:tag:1-3".parse().unwrap()),
            file: "binlog.000042".into(),
            pos: u64::MAX,
            partial: Some(Partial { rows: 12, hash: 0xfedc_ba98_7654_3210 }),
            landmark: Some(Landmark::Transaction {
                gtid: "3e11fa47-71ca-11e1-9e33-c80aa9429562:tag:3".parse().unwrap(),
                committed_us: 1_700_000_000_000_000,
            }),
        },
        committed_us: 1_700_000_000_000_001,
        written_us: 1_700_000_000_000_002,
        transactions: 5,
        touched: vec![Touched { topic: "p.d.t".into(), partition: 2, events: 7, bytes: u64::MAX }],
        previous_ends: vec![Place { topic: "p.d.t".into(), partition: 1, offset: 70 }],
        map_slice: vec![Place { topic: "p.d.u".into(), partition: 0, offset: 0 }; 2],
    }
}

pub(crate) fn column(name: &str, ty: ColumnType, nullable: bool) -> Column {
    Column { name: name.to_owned(), ty, nullable, charset: None, collation: None, extra: Default::default() }
}

pub(super) fn with_default(mut column: Column, default: &str) -> Column {
    column.extra.default = Some(default.to_owned());
    column
}

pub(crate) fn table(database: &str, name: &str, columns: Vec<Column>, key: &[usize]) -> Arc<Table> {
    let part = |c: &usize| KeyPart { on: KeyOn::Column(*c), prefix: None, descending: false };
    let parts: Vec<KeyPart> = key.iter().map(part).collect();
    let primary = Key::new(KeyKind::Primary, "PRIMARY", parts);
    Arc::new(Table {
        version: Table::VERSION,
        chosen_key: None,
        name: TableName::new(database, name),
        columns,
        keys: if key.is_empty() { Vec::new() } else { vec![primary] },
        collation: None,
        comment: String::new(),
    })
}

pub(crate) fn int() -> ColumnType {
    ColumnType::Integer { width: Width::Int, unsigned: false }
}

/// The table of the example schemas.
pub(super) fn orders() -> Arc<Table> {
    let status = ColumnType::Enum { members: ["new", "paid", "shipped"].map(str::to_owned).to_vec() };
    let columns = vec![
        column("id", int(), false),
        column("customer", ColumnType::Varchar { length: 255 }, false),
        column("amount", ColumnType::Decimal { precision: 10, scale: 2, unsigned: false }, true),
        column("created_at", ColumnType::Datetime { fsp: 6 }, false),
        with_default(column("updated_at", ColumnType::Timestamp { fsp: 6 }, false), "CURRENT_TIMESTAMP(6)"),
        with_default(column("status", status, false), "'new'"),
        column("attrs", ColumnType::Json, true),
    ];
    table("inventory", "orders", columns, &[0])
}

pub(crate) fn origin() -> Origin {
    Origin {
        ts_us: 1_700_000_000_123_456,
        server_id: 7,
        gtid: Some("3e11fa47-71ca-11e1-9e33-c80aa9429562:77".into()),
        file: "binlog.000042".into(),
        pos: 5_000_000_000,
        thread: Some(12),
    }
}

pub(crate) fn meta(origin: &Origin) -> Meta<'_> {
    Meta {
        origin,
        row: 3,
        snapshot: Snapshot::False,
        now_us: 1_700_000_001_000_001,
        server_name: "dbserver1",
        transaction: None,
    }
}

/// Equal bit for bit: NaN is itself, and 0.0 is not -0.0.
pub(super) fn same(a: &OwnedValue, b: &OwnedValue) -> bool {
    match (a.as_value(), b.as_value()) {
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        (Value::Double(a), Value::Double(b)) => a.to_bits() == b.to_bits(),
        (a, b) => a == b,
    }
}

/// Modes that lose nothing of what a reader that knows the table gets.
pub(super) fn lossless_modes() -> impl Strategy<Value = Modes> {
    let decimals = prop_oneof![Just(DecimalMode::Precise), Just(DecimalMode::Text)];
    let bigints = prop_oneof![Just(BigintMode::Precise), Just(BigintMode::Long)];
    let binaries = prop_oneof![
        Just(BinaryMode::Bytes),
        Just(BinaryMode::Base64),
        Just(BinaryMode::Base64UrlSafe),
        Just(BinaryMode::Hex)
    ];
    (decimals, bigints, binaries, any::<bool>()).prop_map(|(decimal, bigint_unsigned, binary, propagate)| {
        let propagate_source_type = if propagate { RegexList::every() } else { RegexList::default() };
        Modes { decimal, bigint_unsigned, binary, propagate_source_type, ..Modes::default() }
    })
}

/// Any modes at all.
pub(super) fn all_modes() -> impl Strategy<Value = Modes> {
    let times = prop_oneof![
        Just(TimeMode::Exact),
        Just(TimeMode::AdaptiveTimeMicroseconds),
        Just(TimeMode::Connect),
        Just(TimeMode::IsoString),
        Just(TimeMode::Microseconds),
        Just(TimeMode::Nanoseconds),
    ];
    let decimals =
        prop_oneof![Just(DecimalMode::Precise), Just(DecimalMode::Text), Just(DecimalMode::Double)];
    (lossless_modes(), times, decimals, any::<bool>()).prop_map(|(modes, time, decimal, carry_table)| Modes {
        time,
        decimal,
        carry_table,
        ..modes
    })
}

/// A table of up to eight columns, with rows of it. The first column is the key.
pub(super) fn table_and_rows(rows: usize) -> impl Strategy<Value = (Arc<Table>, Vec<OwnedRow>)> {
    prop::collection::vec((column_type(), any::<bool>()), 1..8).prop_flat_map(move |types| {
        let columns: Vec<Column> = types
            .iter()
            .enumerate()
            .map(|(i, (ty, nullable))| column(&format!("c{i}"), ty.clone(), *nullable && i > 0))
            .collect();
        let row: Vec<BoxedStrategy<OwnedValue>> = columns.iter().map(value_or_null).collect();
        let table = table("shop", "t", columns, &[0]);
        prop::collection::vec(row, rows).prop_map(move |rows| (Arc::clone(&table), rows))
    })
}

fn value_or_null(column: &Column) -> BoxedStrategy<OwnedValue> {
    let value = value(&column.ty);
    if column.nullable {
        prop_oneof![1 => Just(OwnedValue::Plain(Value::Null)), 4 => value].boxed()
    } else {
        value
    }
}

fn members() -> impl Strategy<Value = Vec<String>> {
    prop::sample::subsequence(vec!["", "a", "A", "ä b", "x\"y", "\\", "'", "0", "\0", "日本"], 1..9)
        .prop_map(|members| members.into_iter().map(str::to_owned).collect())
}

pub(super) fn column_type() -> impl Strategy<Value = ColumnType> {
    let width = prop::sample::select(vec![Width::Tiny, Width::Small, Width::Medium, Width::Int, Width::Big]);
    let size = prop::sample::select(vec![BlobSize::Tiny, BlobSize::Normal, BlobSize::Medium, BlobSize::Long]);
    let text_size = size.clone();
    let decimal = (1u8..=65, 0u8..=30, any::<bool>()).prop_map(|(precision, scale, unsigned)| {
        ColumnType::Decimal { precision: precision.max(scale), scale, unsigned }
    });
    let simple = prop::sample::select(vec![
        ColumnType::Float { unsigned: false },
        ColumnType::Double { unsigned: false },
        ColumnType::Char { length: 10 },
        ColumnType::Varchar { length: 100 },
        ColumnType::Binary { length: 4 },
        ColumnType::Varbinary { length: 100 },
        ColumnType::Date,
        ColumnType::Year,
        ColumnType::Json,
        ColumnType::Geometry { kind: GeometryKind::Geometry },
        ColumnType::Geometry { kind: GeometryKind::Point },
        ColumnType::Geometry { kind: GeometryKind::MultiPolygon },
        ColumnType::Vector { dimension: 8 },
    ]);
    let temporal = (0u8..=6, 0..3).prop_map(|(fsp, which)| match which {
        0 => ColumnType::Time { fsp },
        1 => ColumnType::Datetime { fsp },
        _ => ColumnType::Timestamp { fsp },
    });
    prop_oneof![
        4 => simple,
        2 => (width, any::<bool>()).prop_map(|(width, unsigned)| ColumnType::Integer { width, unsigned }),
        2 => temporal,
        1 => decimal,
        1 => (1u8..=64).prop_map(|bits| ColumnType::Bit { bits }),
        1 => size.prop_map(|size| ColumnType::Blob { size }),
        1 => text_size.prop_map(|size| ColumnType::Text { size }),
        1 => members().prop_map(|members| ColumnType::Enum { members }),
        1 => members().prop_map(|members| ColumnType::Set { members }),
    ]
}

fn plain<S>(values: S) -> BoxedStrategy<OwnedValue>
where
    S: Strategy<Value = Value<'static>> + 'static,
{
    values.prop_map(OwnedValue::Plain).boxed()
}

fn value(ty: &ColumnType) -> BoxedStrategy<OwnedValue> {
    match ty {
        ColumnType::Integer { width, unsigned } => integer(*width, *unsigned),
        ColumnType::Decimal { precision, scale, unsigned } => decimal(*precision, *scale, *unsigned),
        ColumnType::Float { .. } => plain(any::<u32>().prop_map(|bits| Value::Float(f32::from_bits(bits)))),
        ColumnType::Double { .. } => plain(any::<u64>().prop_map(|bits| Value::Double(f64::from_bits(bits)))),
        ColumnType::Bit { bits } => {
            let shift = 64 - u32::from(*bits);
            plain(any::<u64>().prop_map(move |v| Value::Bit(v >> shift)))
        }
        ColumnType::Char { .. } | ColumnType::Varchar { .. } | ColumnType::Text { .. } => {
            any::<String>().prop_map(OwnedValue::Text).boxed()
        }
        ColumnType::Binary { .. } | ColumnType::Varbinary { .. } | ColumnType::Blob { .. } => {
            bytes(0..200).prop_map(OwnedValue::Bytes).boxed()
        }
        ColumnType::Enum { members } => {
            let last = u16::try_from(members.len()).unwrap();
            plain((0..=last).prop_map(Value::Enum))
        }
        ColumnType::Set { members } => {
            let all = (1u64 << members.len()) - 1;
            plain((0..=all).prop_map(Value::Set))
        }
        ColumnType::Date => plain(date().prop_map(Value::Date)),
        ColumnType::Time { fsp } => {
            let unit = 10i64.pow(6 - u32::from(*fsp));
            let max = 3_020_399_999_999 / unit;
            plain((-max..=max).prop_map(move |n| Value::Time(Time { micros: n * unit })))
        }
        ColumnType::Datetime { fsp } => plain(date_time(*fsp).prop_map(Value::DateTime)),
        ColumnType::Timestamp { fsp } => plain(date_time(*fsp).prop_map(Value::Timestamp)),
        ColumnType::Year => plain(prop_oneof![Just(0u16), 1901u16..=2155].prop_map(Value::Year)),
        ColumnType::Json => any::<String>().prop_map(OwnedValue::Json).boxed(),
        ColumnType::Geometry { .. } => {
            (any::<u32>(), bytes(21..60)).prop_map(|(srid, wkb)| OwnedValue::Geometry(srid, wkb)).boxed()
        }
        ColumnType::Vector { .. } => {
            (0usize..9).prop_flat_map(|n| bytes(n * 4..n * 4 + 1)).prop_map(OwnedValue::Vector).boxed()
        }
    }
}

fn bytes(length: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), length)
}

fn integer(width: Width, unsigned: bool) -> BoxedStrategy<OwnedValue> {
    let shift = match width {
        Width::Tiny => 56,
        Width::Small => 48,
        Width::Medium => 40,
        Width::Int => 32,
        Width::Big => 0,
    };
    if unsigned {
        plain(any::<u64>().prop_map(move |v| Value::UInt(v >> shift)))
    } else {
        plain(any::<i64>().prop_map(move |v| Value::Int(v >> shift)))
    }
}

fn decimal(precision: u8, scale: u8, unsigned: bool) -> BoxedStrategy<OwnedValue> {
    let digits = prop::collection::vec(0u32..10, usize::from(precision));
    plain((digits, any::<bool>()).prop_map(move |(digits, negative)| {
        let number = digits.into_iter().fold(Decimal::zero(scale), |n, d| n.push_digits(10, d).unwrap());
        Value::Decimal(number.with_sign(negative && !unsigned))
    }))
}

/// Dates with zeros, and dates that the calendar lacks.
fn date() -> impl Strategy<Value = Date> {
    (0u16..=9999, 0u8..=12, 0u8..=31).prop_map(|(year, month, day)| Date { year, month, day })
}

fn date_time(fsp: u8) -> impl Strategy<Value = DateTime> {
    let unit = 10u32.pow(6 - u32::from(fsp));
    (date(), 0u8..24, 0u8..60, 0u8..60, 0..1_000_000 / unit).prop_map(
        move |(date, hour, minute, second, n)| DateTime { date, hour, minute, second, micros: n * unit },
    )
}
