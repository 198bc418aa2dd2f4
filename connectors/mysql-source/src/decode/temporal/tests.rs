use cdc_sdk::temporal::{Date, DateTime, Time};
use proptest::prelude::*;

use super::{date, datetime, fraction_len, packed_datetime, packed_time, time, timestamp, year};
use crate::binlog::reader::Reader;

/// As `my_time_packed_to_binary` writes it.
fn write_time(value: Time, fsp: u8) -> Vec<u8> {
    let micros = value.micros.unsigned_abs();
    let seconds = micros / 1_000_000;
    let clock =
        i64::try_from(((seconds / 3600) << 12) | ((seconds / 60 % 60) << 6) | (seconds % 60)).unwrap();
    let length = fraction_len(fsp);
    let unit = [1_000_000, 10_000, 100, 1][length];
    let packed =
        (clock << (8 * length)) | (i64::try_from(micros % 1_000_000 / unit).unwrap() * i64::from(length > 0));
    let signed = if value.micros < 0 { -packed } else { packed };
    let biased = signed + (1 << (8 * (3 + length) - 1));
    biased.to_be_bytes()[8 - 3 - length..].to_vec()
}

fn micros_of(fsp: u8, micros: u32) -> u32 {
    let unit = [1_000_000, 10_000, 100, 1][fraction_len(fsp)];
    micros / unit * unit
}

#[test]
fn times_below_zero_with_a_fraction() {
    // Seen in a log of 9.7.4.
    let read = |bytes: &[u8], fsp| time(&mut Reader::new(bytes), fsp).unwrap().micros;
    assert_eq!(read(&[0x80, 0x00, 0x00], 0), 0);
    assert_eq!(read(&[0x7F, 0xFF, 0xFF, 0xF6], 1), -100_000);
    assert_eq!(read(&[0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], 6), -1);
    assert_eq!(read(&[0x4B, 0x91, 0x05], 0), -(838 * 3600 + 59 * 60 + 59) * 1_000_000);
}

#[test]
fn years_and_zeros() {
    assert_eq!((year(0), year(1), year(255)), (0, 1901, 2155));
    assert_eq!(date(&mut Reader::new(&[0, 0, 0])), Ok(Date::default()));
    assert_eq!(timestamp(&mut Reader::new(&[0; 7]), 6), Ok(DateTime::default()));
    assert_eq!(datetime(&mut Reader::new(&[0x80, 0, 0, 0, 0]), 0), Ok(DateTime::default()));
    assert!(datetime(&mut Reader::new(&[0, 0, 0, 0, 0]), 0).is_err());
    assert!(date(&mut Reader::new(&[0xff, 0xff, 0xff])).is_err());
    assert!(timestamp(&mut Reader::new(&[0, 0, 0, 1, 0xff]), 2).is_err());
}

proptest! {
    #[test]
    fn times_are_read_as_written(micros in -3_020_399_999_999i64..=3_020_399_999_999, fsp in 0u8..=6) {
        let micros = micros.signum() * (micros.abs() / 1_000_000 * 1_000_000
            + i64::from(micros_of(fsp, u32::try_from(micros.abs() % 1_000_000).unwrap()) * u32::from(fsp > 0)));
        let value = Time { micros };
        prop_assert_eq!(time(&mut Reader::new(&write_time(value, fsp)), fsp), Ok(value));
    }

    #[test]
    fn dates_and_times_are_read_as_written(
        year in 0u16..=9999, month in 0u8..=12, day in 0u8..=31, hour in 0u8..=23, minute in 0u8..=59, second in 0u8..=59,
        micros in 0u32..1_000_000, fsp in 0u8..=6,
    ) {
        let micros = if fsp == 0 { 0 } else { micros_of(fsp, micros) };
        let value = DateTime { date: Date { year, month, day }, hour, minute, second, micros };
        let clock = (u64::from(hour) << 12) | (u64::from(minute) << 6) | u64::from(second);
        let months = u64::from(year) * 13 + u64::from(month);
        let packed = (months << 22) | (u64::from(day) << 17) | clock;
        let mut bytes = (packed + (1 << 39)).to_be_bytes()[3..].to_vec();
        let length = fraction_len(fsp);
        let unit = [1_000_000, 10_000, 100, 1][length];
        bytes.extend_from_slice(&(micros / unit).to_be_bytes()[4 - length..]);
        prop_assert_eq!(datetime(&mut Reader::new(&bytes), fsp), Ok(value));
        let in_json = i64::try_from((packed << 24) | u64::from(micros)).unwrap();
        prop_assert_eq!(packed_datetime(in_json), Ok(value));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..9), fsp in 0u8..=6, packed in any::<i64>()) {
        let _ = date(&mut Reader::new(&bytes));
        let _ = time(&mut Reader::new(&bytes), fsp);
        let _ = datetime(&mut Reader::new(&bytes), fsp);
        let _ = timestamp(&mut Reader::new(&bytes), fsp);
        let _ = packed_datetime(packed);
        let _ = packed_time(packed);
    }
}

#[test]
fn a_date_inside_json_keeps_its_fraction() {
    let packed = |clock: i64, micros: i64| clock << 24 | micros;
    let clock = (2024 * 13 + 2) << 22 | 29 << 17 | 23 << 12 | 4 << 6 | 5;
    for micros in [0, 1, 10_000, 678_901, 999_999] {
        let read = packed_datetime(packed(clock, micros)).unwrap();
        assert_eq!(i64::from(read.micros), micros);
        assert_eq!(
            (read.date, read.hour, read.minute, read.second),
            (Date { year: 2024, month: 2, day: 29 }, 23, 4, 5)
        );
    }
    let time = packed(838 << 12 | 59 << 6 | 58, 999_999);
    let micros = ((838 * 60 + 59) * 60 + 58) * 1_000_000 + 999_999;
    assert_eq!(packed_time(time).unwrap(), Time { micros });
    assert_eq!(packed_time(-time).unwrap(), Time { micros: -micros });
}
