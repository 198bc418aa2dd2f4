use cdc_sdk::Decimal;
use cdc_sdk::temporal::{Date, DateTime, Time};

use super::*;

fn stored(danger: Danger, value: Value<'_>) -> Option<String> {
    let misfit = Misfit { type_text: "…".into(), danger };
    let mut scratch = String::new();
    misfit.stored(value, &mut scratch).ok().map(|value| format!("{value:?}"))
}

fn takes(danger: Danger, value: Value<'_>) -> bool {
    stored(danger, value) == Some(format!("{value:?}"))
}

fn decimal(text: &str) -> Value<'static> {
    Value::Decimal(Decimal::parse(text).unwrap())
}

fn at(second: u8, micros: u32) -> DateTime {
    DateTime { date: Date { year: 2026, month: 2, day: 3 }, second, micros, ..DateTime::default() }
}

#[test]
fn numbers_that_would_be_rounded_are_refused() {
    for (digits, value, is_taken) in [
        (2, decimal("1.2300"), true),
        (2, decimal("-0.001"), false),
        (0, decimal("7.00"), true),
        (0, decimal("7.5"), false),
        (2, Value::Double(1.25), true),
        (2, Value::Double(1e-7), false),
        (2, Value::Double(1e300), true),
        (3, Value::Float(12.345), true),
        (2, Value::Float(12.345), false),
        (2, Value::Text("12.340"), true),
        (2, Value::Text("12.345"), false),
        (2, Value::Text("1e-3"), false),
        (0, Value::Int(i64::MIN), true),
        (2, Value::Null, true),
    ] {
        assert_eq!(takes(Danger::Digits(digits), value), is_taken, "{value:?} in {digits} digits");
    }
    // Debezium sends a FLOAT(M,D) as a DOUBLE.
    let single = Value::Double(f64::from(12.345_f32));
    assert!(takes(Danger::SingleDigits(3), single) && !takes(Danger::SingleDigits(2), single));
    assert!(!takes(Danger::SingleDigits(3), Value::Double(0.1234)));
}

#[test]
fn binary_fractions_take_what_they_tell_apart() {
    for (danger, value, is_taken) in [
        (Danger::Single, Value::Double(0.5), true),
        (Danger::Single, Value::Double(0.1), false),
        (Danger::Single, Value::Int(1 << 24), true),
        (Danger::Single, Value::Int((1 << 24) + 1), false),
        (Danger::Double, Value::Int(i64::MIN), true),
        (Danger::Double, Value::UInt(u64::MAX), false),
        (Danger::Double, decimal("0.000123456789012345"), true),
        (Danger::Double, decimal("1234567890.12345000"), true),
        (Danger::Double, decimal("1234567890.123456"), false),
        (Danger::Single, decimal("123456"), true),
        (Danger::Single, decimal("123456.7"), false),
    ] {
        assert_eq!(takes(danger.clone(), value), is_taken, "{value:?} in {danger:?}");
    }
}

#[test]
fn times_that_would_lose_a_part_are_refused() {
    for (danger, value, is_taken) in [
        (Danger::Instant(3), Value::DateTime(at(1, 123_000)), true),
        (Danger::Instant(3), Value::Timestamp(at(1, 123_400)), false),
        (Danger::Instant(0), Value::Text("2026-02-03 00:00:00.5"), false),
        (Danger::Instant(0), Value::Text("2026-02-03 00:00:00"), true),
        (Danger::Instant(6), Value::DateTime(at(1, 1)), true),
        (Danger::Instant(6), Value::Time(Time { micros: 1 }), false),
        (Danger::Clock(0), Value::Time(Time { micros: -1_000_000 }), true),
        (Danger::Clock(0), Value::Time(Time { micros: -1_000_001 }), false),
        (Danger::Clock(6), Value::DateTime(at(0, 0)), false),
        (Danger::Day, Value::DateTime(at(0, 0)), true),
        (Danger::Day, Value::DateTime(at(1, 0)), false),
        (Danger::Day, Value::Date(Date::default()), true),
        (Danger::Year, Value::Int(70), false),
        (Danger::Year, Value::Int(1970), true),
        (Danger::Year, Value::UInt(0), true),
    ] {
        assert_eq!(takes(danger.clone(), value), is_taken, "{value:?} in {danger:?}");
    }
}

#[test]
fn text_that_would_lose_spaces_or_get_zeros_is_refused() {
    let letters = |letters| Danger::Spaces { letters, bytes: usize::MAX };
    for (danger, value, is_taken) in [
        (letters(3), Value::Text("äö "), true),
        (letters(3), Value::Text("äöü "), false),
        (letters(0), Value::Text("a"), true),
        (letters(0), Value::Text("a "), false),
        (Danger::Spaces { letters: usize::MAX, bytes: 3 }, Value::Text("ä  "), false),
        (Danger::Padding(2), Value::Bytes(b"ab"), true),
        (Danger::Padding(2), Value::Bytes(b"a"), false),
        (Danger::Named(vec!["1".into(), "b".into()]), Value::Text("1"), true),
        (Danger::Named(vec!["1".into(), "b".into()]), Value::Text("b,1"), true),
        (Danger::Named(vec!["1".into(), "b".into()]), Value::Text("2"), false),
    ] {
        assert_eq!(takes(danger.clone(), value), is_taken, "{value:?} in {danger:?}");
    }
}

#[test]
fn members_are_found_by_their_names() {
    let names = || ["a", "b", "c"].map(str::to_owned).to_vec();
    let elsewhere =
        || Danger::Members(Members { names: names(), places: Some(vec![Some(2), Some(0), None]) });
    assert_eq!(stored(elsewhere(), Value::Enum(1)).unwrap(), "Enum(3)");
    assert_eq!(stored(elsewhere(), Value::Enum(2)).unwrap(), "Enum(1)");
    assert_eq!(stored(elsewhere(), Value::Enum(3)), None);
    assert_eq!(stored(elsewhere(), Value::Enum(0)).unwrap(), "Enum(0)");
    assert_eq!(stored(elsewhere(), Value::Set(0b011)).unwrap(), "Set(5)");
    assert_eq!(stored(elsewhere(), Value::Set(0b100)), None);
    let text = || Danger::Members(Members { names: names(), places: None });
    assert_eq!(stored(text(), Value::Enum(2)).unwrap(), "Text(\"b\")");
    assert_eq!(stored(text(), Value::Set(0b101)).unwrap(), "Text(\"a,c\")");
    assert_eq!(stored(text(), Value::Enum(0)).unwrap(), "Text(\"\")");
}

#[test]
fn text_that_may_be_bytes_is_refused_for_a_binary_column() {
    let misfit = Misfit { type_text: "varbinary(9)".to_owned(), danger: Danger::Encoded };
    let refused = misfit.stored(Value::Text("AP8Q"), &mut String::new()).unwrap_err();
    assert_eq!(refused.kind(), Kind::RowRefused);
    assert_eq!(misfit.stored(Value::Null, &mut String::new()).unwrap(), Value::Null);
}
