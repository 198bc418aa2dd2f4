//! A row to Avro and back, timed: `make microbench`.

use std::sync::Arc;

use bytes::Bytes;
use cdc_sdk::column::Width;
use cdc_sdk::temporal::{Date, DateTime};
use cdc_sdk::{ColumnType, Decimal, Op, OwnedRow, OwnedValue, Row, RowChange, Table, Value};

use super::sample::{column, int, meta, orders, origin, table};
use super::{Outgoing, Plan, Scratch, TableCodec};
use crate::envelope::Modes;
use crate::hot_path::measure;

/// Two numbers and two texts, 200 bytes.
fn plain() -> (Arc<Table>, OwnedRow) {
    let text = |length| ColumnType::Char { length };
    let big = ColumnType::Integer { width: Width::Big, unsigned: false };
    let columns = [("id", big), ("k", int()), ("c", text(120)), ("pad", text(60))];
    let columns = columns.map(|(name, ty)| column(name, ty, false)).to_vec();
    let numbers = [77_001, 486_123].map(|number| OwnedValue::Plain(Value::Int(number)));
    let texts = [119, 59].map(|length| OwnedValue::Text("c".repeat(length)));
    (table("shop", "s", columns, &[0]), numbers.into_iter().chain(texts).collect())
}

/// Seven columns of seven types: a decimal, times, an ENUM, JSON.
fn mixed() -> (Arc<Table>, OwnedRow) {
    let moment =
        DateTime { date: Date { year: 2024, month: 2, day: 29 }, hour: 12, minute: 30, second: 1, micros: 5 };
    let row = vec![
        OwnedValue::Plain(Value::Int(77_001)),
        OwnedValue::Text("Jöran Ångström".to_owned()),
        OwnedValue::Plain(Value::Decimal(Decimal::parse("12345.67").unwrap())),
        OwnedValue::Plain(Value::DateTime(moment)),
        OwnedValue::Plain(Value::Timestamp(moment)),
        OwnedValue::Plain(Value::Enum(2)),
        OwnedValue::Json("{\"size\": 42, \"tags\": [\"a\", \"b\"]}".to_owned()),
    ];
    (orders(), row)
}

fn cases() -> impl Iterator<Item = (String, Arc<Table>, RowChange<OwnedRow>)> {
    [("4 columns, 200 bytes", plain()), ("7 columns of 7 types", mixed())].into_iter().flat_map(
        |(name, (table, row))| {
            let insert = RowChange { op: Op::Create, before: None, after: Some(row.clone()) };
            let update = RowChange { op: Op::Update, before: Some(row.clone()), after: Some(row) };
            [("insert", insert), ("update", update)]
                .map(|(what, change)| (format!("{what}, {name}"), table.clone(), change))
        },
    )
}

/// Calls in one: a call for a row alone is shorter than the clock is exact.
const ROWS: u64 = 1000;

#[ignore = "a measurement: make microbench"]
#[test]
fn hot_path_avro() {
    let origin = origin();
    for (name, table, change) in cases() {
        let codec = TableCodec::new(&table, &Modes::default(), "p.shop.t").unwrap();
        let (mut scratch, mut message) = (Scratch::default(), Vec::new());
        let mut keep = |out: Outgoing<'_>| {
            message = out.value.unwrap_or_default().to_vec();
            Ok(())
        };
        codec.encode(&change, &meta(&origin), &mut scratch, &mut keep).unwrap();
        let counted = measure(&format!("encode: {name}"), ROWS, || {
            for _ in 0..ROWS {
                let mut emit = |out: Outgoing<'_>| {
                    std::hint::black_box(&out);
                    Ok(())
                };
                codec.encode(&change, &meta(&origin), &mut scratch, &mut emit).unwrap();
            }
        });
        assert_eq!(counted, 0);
        let plan = Arc::new(Plan::parse(codec.value_schema()).unwrap());
        // Shared already, as what comes from librdkafka is.
        let message = Bytes::from_owner(message);
        let counted = measure(&format!("decode from Avro: {name}"), ROWS, || {
            for _ in 0..ROWS {
                let after = plan.decode(&message).unwrap().after.unwrap();
                after
                    .visit(|_, value| {
                        std::hint::black_box(value);
                        Ok(())
                    })
                    .unwrap();
            }
        });
        assert_eq!(counted, 0);
    }
}
