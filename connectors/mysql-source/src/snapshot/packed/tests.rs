use super::*;

pub(crate) fn one_of_each() -> Vec<Value<'static>> {
    let date = Date { year: 2020, month: 0, day: 31 };
    let at = DateTime { date, hour: 23, minute: 59, second: 58, micros: 999_999 };
    vec![
        Value::Null,
        Value::Int(i64::MIN),
        Value::UInt(u64::MAX),
        Value::Float(-0.0),
        Value::Double(f64::MIN_POSITIVE),
        Value::Decimal(
            Decimal::parse("-12345678901234567890123456789012345.000000000000000000000000000001")
                .unwrap_or(Decimal::zero(0)),
        ),
        Value::Decimal(Decimal::zero(2)),
        Value::Bit(u64::MAX),
        Value::Text("täglich"),
        Value::Bytes(&[0, 255]),
        Value::Enum(0),
        Value::Set(1 << 63),
        Value::Date(date),
        Value::Time(Time { micros: -3_020_399_999_999 }),
        Value::DateTime(at),
        Value::Timestamp(DateTime::default()),
        Value::Year(2155),
        Value::Json("{\"a\": 1}"),
        Value::Geometry { srid: 4326, wkb: &[1, 2, 3] },
        Value::Vector(&[0, 0, 128, 63]),
    ]
}

#[test]
fn every_value_comes_back() {
    let values = one_of_each();
    let mut bytes = Vec::new();
    for value in &values {
        pack(&mut bytes, *value);
    }
    let mut seen = Vec::new();
    let visited = ChunkRow::new(&bytes).visit(|index, value| {
        assert_eq!(index, seen.len());
        seen.push(format!("{value:?}"));
        Ok(())
    });
    assert!(visited.is_ok());
    assert_eq!(seen, values.iter().map(|v| format!("{v:?}")).collect::<Vec<_>>());
}

#[test]
fn a_torn_row_is_an_error() {
    let mut bytes = Vec::new();
    for value in one_of_each() {
        pack(&mut bytes, value);
        for end in 1..bytes.len() {
            // Some prefixes end between two values; none may panic.
            let _ = ChunkRow::new(&bytes[..end]).visit(|_, _| Ok(()));
        }
        bytes.clear();
    }
    assert!(ChunkRow::new(&[99]).visit(|_, _| Ok(())).is_err());
}

#[test]
fn a_key_is_the_values_of_its_columns_in_its_order() {
    let packed = |values: &[Value<'_>]| {
        let mut out = Vec::new();
        values.iter().for_each(|value| pack(&mut out, *value));
        out
    };
    let values = [Value::Int(7), Value::Text("abc"), Value::Null, Value::UInt(9)];
    let (row, mut key) = (packed(&values), Vec::new());
    assert!(ChunkRow::new(&row).key(&[3, 1], &mut key).is_some());
    assert_eq!(key, packed(&[values[3], values[1]]));
    assert!(ChunkRow::new(&row).key(&[4], &mut key).is_none());
}
