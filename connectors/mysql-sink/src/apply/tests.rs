use cdc_sdk::temporal::{Date, DateTime, Time};
use cdc_sdk::{Decimal, Kind, Value};
use proptest::prelude::*;

use super::literal::{Form, comparable, text, write};

fn shown(value: Value<'_>) -> String {
    let mut out = Vec::new();
    write(&mut out, value, &Form::default()).unwrap();
    String::from_utf8_lossy(&out).into_owned()
}

#[test]
fn each_kind_has_its_literal() {
    assert_eq!(shown(Value::Null), "NULL");
    assert_eq!(shown(Value::Int(i64::MIN)), "-9223372036854775808");
    assert_eq!(shown(Value::Bit(u64::MAX)), "18446744073709551615");
    assert_eq!(shown(Value::Decimal(Decimal::parse("-0.50").unwrap())), "-0.50");
    assert_eq!(shown(Value::Double(-0.0)), "-0e0");
    assert_eq!(shown(Value::Double(f64::from_bits(1))), "5e-324");
    assert_eq!(shown(Value::Float(0.1)), "1.0000000149011612e-1");
    assert_eq!(shown(Value::Text("a'b\\")), "'a''b\\\\'");
    assert_eq!(shown(Value::Bytes(b"'\0")), "_binary'''\0'");
    assert_eq!(shown(Value::Year(0)), "0");
    assert_eq!(shown(Value::Time(Time { micros: -1 })), "'-00:00:00.000001'");
    assert_eq!(shown(Value::Date(Date::default())), "'0000-00-00'");
    assert_eq!(shown(Value::Timestamp(DateTime::default())), "'0000-00-00 00:00:00'");
    assert_eq!(shown(Value::Json("{}")), "_utf8mb4'{}'");
    assert_eq!(shown(Value::Geometry { srid: 39, wkb: b"x" }), "_binary'''\0\0\0x'");
}

/// Into the buffer of a packet, which is kept from one to the next.
#[test]
fn a_literal_takes_no_memory() {
    let values = [
        Value::Null,
        Value::Int(i64::MIN),
        Value::UInt(u64::MAX),
        Value::Bit(7),
        Value::Decimal(Decimal::parse("-12345678901234567890.123456789").unwrap()),
        Value::Float(0.1),
        Value::Double(1e300),
        Value::Text("it's a \\ text"),
        Value::Bytes(b"'\0\\"),
        Value::Enum(3),
        Value::Set(5),
        Value::Year(1999),
        Value::Date(Date { year: 2020, month: 2, day: 29 }),
        Value::Time(Time { micros: -3_020_399_000_000 }),
        Value::DateTime(DateTime::default()),
        Value::Timestamp(DateTime::default()),
        Value::Json("{\"a\": [1]}"),
        Value::Geometry { srid: 4326, wkb: b"\x01\x01" },
    ];
    let (mut out, form) = (Vec::with_capacity(1024), Form::default());
    for value in values {
        out.clear();
        let counted = allocation_counter::measure(|| write(&mut out, value, &form).unwrap());
        assert_eq!(counted.count_total, 0, "{value:?}");
    }
}

#[test]
fn what_mysql_cannot_hold_is_refused() {
    for value in [Value::Double(f64::NAN), Value::Float(f32::INFINITY), Value::Enum(0)] {
        assert_eq!(write(&mut Vec::new(), value, &Form::default()).unwrap_err().kind(), Kind::RowRefused);
    }
}

#[test]
fn index_0_of_an_enum_is_zeros_that_are_no_member() {
    let form =
        |members: &[&str]| Form::of_enum(&members.iter().map(|m| (*m).to_owned()).collect::<Vec<_>>(), None);
    let zero = |form: &Form, value| {
        let mut out = Vec::new();
        write(&mut out, value, form).map(|()| String::from_utf8_lossy(&out).into_owned())
    };
    assert_eq!(zero(&form(&["a"]), Value::Enum(0)).unwrap(), "'0'");
    assert_eq!(zero(&form(&["a"]), Value::Text("")).unwrap(), "'0'");
    assert_eq!(zero(&form(&["7 ", ""]), Value::Enum(0)).unwrap(), "'00'");
    assert_eq!(zero(&form(&["7 ", ""]), Value::Text("")).unwrap(), "''");
    assert_eq!(
        zero(&form(&["０"]), Value::Enum(0)).unwrap(),
        "'00'",
        "a full-width zero equals 0 in a collation"
    );
    assert!(zero(&form(&["1", "11", "111", "1111", "11111"]), Value::Enum(0)).is_err());
    let wide = Form::of_enum(&["a".to_owned()], Some("utf16le"));
    assert_eq!(zero(&wide, Value::Enum(0)).unwrap(), "CONVERT('0' USING utf16le)");
}

#[test]
fn comparisons_take_numbers() {
    let mut out = Vec::new();
    comparable(&mut out, Value::Enum(0), &Form::default()).unwrap();
    out.push(b' ');
    comparable(&mut out, Value::Set(u64::MAX), &Form::default()).unwrap();
    assert_eq!(out, b"0 -1");
}

proptest! {
    /// A literal ends at the first quote that is not doubled, nor behind a backslash that is not.
    #[test]
    fn a_string_cannot_leave_its_quotes(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let mut out = Vec::new();
        write(&mut out, Value::Bytes(&bytes), &Form::default()).unwrap();
        let inside = out.strip_prefix(b"_binary'").unwrap().strip_suffix(b"'").unwrap();
        let mut read = Vec::new();
        let mut rest = inside.iter().copied().peekable();
        while let Some(byte) = rest.next() {
            prop_assert!(!matches!(byte, b'\'' | b'\\') || rest.next() == Some(byte));
            read.push(byte);
        }
        prop_assert_eq!(read, bytes);
    }

    #[test]
    fn a_text_by_hand_reads_the_same_in_every_mode(chars in "[a-z'\\\\;\"]{0,12}") {
        let sql = text(&chars);
        prop_assert!(!sql.contains('\\'));
        if !chars.contains('\\') {
            prop_assert_eq!(sql, format!("'{}'", chars.replace('\'', "''")));
        }
    }

    #[test]
    fn floats_come_back(bits in any::<u32>()) {
        let float = f32::from_bits(bits);
        prop_assume!(float.is_finite());
        let read: f64 = shown(Value::Float(float)).parse().unwrap();
        prop_assert_eq!((read as f32).to_bits(), bits);
        prop_assert_eq!(f64::from(float).to_bits(), read.to_bits(), "no rounding is left to the server");
    }
}
