use proptest::prelude::*;

use super::{parse_time, rfc3339};

#[test]
fn instants_are_written_in_utc() {
    assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
    assert_eq!(rfc3339(1_769_896_799_123_999), "2026-01-31T21:59:59.123Z");
    assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999Z");
    assert_eq!(rfc3339(i64::MAX), "");
}

#[test]
fn times_are_read_as_users_write_them() {
    for (text, millis) in [
        ("0", 0),
        ("1769896800000", 1_769_896_800_000),
        ("2026-01-31T22:00:00Z", 1_769_896_800_000),
        ("2026-01-31 22:00:00z", 1_769_896_800_000),
        ("2026-01-31T23:00:00+01:00", 1_769_896_800_000),
        ("2026-01-31T16:30:00-05:30", 1_769_896_800_000),
        ("2026-01-31T22:00:00.1Z", 1_769_896_800_100),
        ("2026-01-31T22:00:00.123456789Z", 1_769_896_800_123),
        ("1969-12-31T23:59:59.999Z", -1),
    ] {
        assert_eq!(parse_time(text), Some(millis), "{text}");
    }
}

#[test]
fn what_is_no_time_is_refused() {
    for text in [
        "",
        " ",
        "yesterday",
        "-5",
        "2026-01-31",
        "2026-01-31T22:00:00",
        "2026-02-30T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T22:60:00Z",
        "2026-01-31T22:00:60Z",
        "2026-1-31T22:00:00Z",
        "2026-01-31T22:00Z",
        "2026-01-31T22:00:00.Z",
        "2026-01-31T22:00:00+1:00",
        "2026-01-31T22:00:00+24:00",
        "2026-01-31T22:00:00+0100",
        "99999999999999999999",
    ] {
        assert_eq!(parse_time(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(millis in 0i64..253_402_300_800_000) {
        prop_assert_eq!(parse_time(&rfc3339(millis * 1000)), Some(millis));
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".*") {
        let _ = parse_time(&text);
    }
}
