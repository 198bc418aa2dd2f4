use proptest::prelude::*;

use super::*;

fn text(text: Text) -> String {
    String::from_utf8(text.as_bytes().to_vec()).unwrap()
}

fn day(year: u16, month: u8, day: u8) -> Date {
    Date { year, month, day }
}

#[test]
fn zeros_stay() {
    assert_eq!(text(date(day(0, 0, 0))), "0000-00-00Z");
    assert_eq!(text(date(day(2024, 2, 0))), "2024-02-00Z");
    assert_eq!(text(date_time(DateTime::default(), 0)), "0000-00-00T00:00:00Z");
}

#[test]
fn fractions_have_the_columns_digits() {
    let at = |micros| DateTime { date: day(2024, 1, 2), hour: 3, minute: 4, second: 5, micros };
    assert_eq!(text(date_time(at(120_000), 3)), "2024-01-02T03:04:05.120Z");
    assert_eq!(text(date_time(at(0), 6)), "2024-01-02T03:04:05.000000Z");
    assert_eq!(text(date_time(at(7), 0)), "2024-01-02T03:04:05.000007Z", "no digit is dropped");
}

#[test]
fn times_have_signs_and_many_hours() {
    assert_eq!(text(time(Time { micros: -3_020_399_999_999 }, 6)), "-838:59:59.999999Z");
    assert_eq!(text(time(Time { micros: -1 }, 6)), "-00:00:00.000001Z");
    assert_eq!(text(time(Time { micros: 360_000_000_000 }, 0)), "100:00:00Z");
}

#[test]
fn what_others_write_is_read() {
    let expected = DateTime { date: day(2024, 1, 2), hour: 3, minute: 4, second: 0, micros: 500_000 };
    for text in ["2024-01-02T03:04:00.5Z", "2024-01-02 03:04:00.500000000", "2024-01-02T05:04:00.5+02:00"] {
        assert_eq!(parse_date_time(text), Some(expected), "{text}");
    }
    assert_eq!(parse_date_time("2024-01-02T03:04Z"), Some(DateTime { micros: 0, ..expected }));
    assert_eq!(parse_date("2024-01-02"), Some(day(2024, 1, 2)));
}

#[test]
fn what_is_none_is_refused() {
    for text in [
        "",
        "2024-01-02",
        "2024-13-01T00:00:00Z",
        "2024-01-02T24:00:00Z",
        "2024-01-02T00:00:00.0000001Z",
        "2024-01-02T00:00:00Zx",
        "2024-01-02T00:00:00.Z",
        "0000-00-00T00:00:00+01:00",
        "é024-01-02T00:00:00Z",
    ] {
        assert_eq!(parse_date_time(text), None, "{text}");
    }
    assert_eq!(parse_date("2024-1-2Z"), None);
    assert_eq!(parse_time("8:5Z"), None);
    assert_eq!(parse_time("1000:00:00Z"), None);
}

proptest! {
    #[test]
    fn texts_come_back(y in 0u16..=9999, m in 0u8..=12, d in 0u8..=31, h in 0u8..24, n in 0u8..60,
        micros in 0u32..1_000_000, fsp in 0u8..=6, clock in -3_020_399_999_999i64..=3_020_399_999_999)
    {
        let value = DateTime { date: day(y, m, d), hour: h, minute: n, second: n, micros };
        prop_assert_eq!(parse_date_time(&text(date_time(value, fsp))), Some(value));
        prop_assert_eq!(parse_date(&text(date(value.date))), Some(value.date));
        prop_assert_eq!(parse_time(&text(time(Time { micros: clock }, fsp))), Some(Time { micros: clock }));
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = (parse_date(&text), parse_date_time(&text), parse_time(&text));
    }
}
