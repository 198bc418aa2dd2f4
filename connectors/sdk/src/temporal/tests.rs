use super::*;

#[test]
fn every_day_of_ten_thousand_years_returns() {
    let first = Date { year: 0, month: 1, day: 1 }.epoch_days().unwrap_or_default();
    let last = Date { year: 9999, month: 12, day: 31 }.epoch_days().unwrap_or_default();
    assert_eq!((first, last), (-719_528, 2_932_896));
    for days in first..=last {
        assert_eq!(Date::from_epoch_days(days).and_then(Date::epoch_days), Some(days));
    }
}

#[test]
fn zero_dates_are_no_days() {
    for (year, month, day) in [(0, 0, 0), (2020, 0, 1), (2020, 1, 0), (2021, 2, 29), (1900, 2, 29)] {
        assert_eq!(Date { year, month, day }.epoch_days(), None);
    }
}

#[test]
fn times_print_as_mysql_prints_them() {
    assert_eq!(Time { micros: -3_020_399_999_999 }.to_string(), "-838:59:59.999999");
    assert_eq!(Time { micros: 1_000_000 }.to_string(), "00:00:01");
}
