use cdc_sdk::Decimal;
use proptest::prelude::*;

use super::{TEN_TO, group_len, read, size};

/// As `decimal2bin` writes it.
fn write(text: &str, precision: u8, scale: u8) -> Vec<u8> {
    let negative = text.starts_with('-');
    let (whole, fraction) =
        text.trim_start_matches('-').split_once('.').unwrap_or((text.trim_start_matches('-'), ""));
    let whole_digits = usize::from(precision - scale);
    let whole = format!("{whole:0>whole_digits$}");
    let whole = &whole[whole.len() - whole_digits..];
    let fraction = format!("{fraction:0<width$}", width = usize::from(scale));
    let mut groups: Vec<&str> = Vec::new();
    let (odd, rest) = whole.split_at(whole_digits % 9);
    groups.push(odd);
    groups.extend((0..rest.len() / 9).map(|i| &rest[i * 9..i * 9 + 9]));
    groups.extend((0..fraction.len().div_ceil(9)).map(|i| &fraction[i * 9..(i * 9 + 9).min(fraction.len())]));
    let mut bytes = Vec::new();
    for group in groups.into_iter().filter(|g| !g.is_empty()) {
        let length = group_len(u8::try_from(group.len()).unwrap());
        bytes.extend_from_slice(&group.parse::<u32>().unwrap().to_be_bytes()[4 - length..]);
    }
    if negative {
        bytes.iter_mut().for_each(|b| *b = !*b);
    }
    bytes[0] ^= 0x80;
    bytes
}

#[test]
fn the_manuals_example() {
    // MySQL source, comment of decimal2bin: 1234567890.1234 as DECIMAL(14,4).
    let bytes = [0x81, 0x0D, 0xFB, 0x38, 0xD2, 0x04, 0xD2];
    assert_eq!(read(&bytes, 14, 4).unwrap().to_string(), "1234567890.1234");
    let negative = [0x7E, 0xF2, 0x04, 0xC7, 0x2D, 0xFB, 0x2D];
    assert_eq!(read(&negative, 14, 4).unwrap().to_string(), "-1234567890.1234");
    assert_eq!(size(14, 4), 7);
    assert_eq!(size(65, 30), 30);
}

#[test]
fn groups_out_of_range_and_other_lengths_are_errors() {
    assert!(read(&[0xFF, 0xFF, 0xFF, 0xFF], 9, 0).is_err());
    assert!(read(&[0x80, 0, 0], 9, 0).is_err());
    assert!(read(&[0x80, 0, 0, 0, 0], 9, 0).is_err());
    assert!(read(&[], 9, 0).is_err());
    assert!(read(&[0x80; 40], 65, 30).is_err());
    assert_eq!(TEN_TO[9], 1_000_000_000);
}

proptest! {
    #[test]
    fn what_is_written_is_read(precision in 1u8..=65, scale in 0u8..=30, digits in "[0-9]{65}", negative in any::<bool>()) {
        prop_assume!(scale <= precision);
        let whole = &digits[..usize::from(precision - scale)];
        let fraction = &digits[usize::from(precision - scale)..usize::from(precision)];
        let text = format!("{}{whole}.{fraction}", if negative { "-" } else { "" });
        let bytes = write(&text, precision, scale);
        prop_assert_eq!(bytes.len(), size(precision, scale));
        let number = read(&bytes, precision, scale).unwrap();
        prop_assert_eq!(Some(number), Decimal::parse(&text));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..40), precision in 0u8..=70, scale in 0u8..=70) {
        let _ = read(&bytes, precision, scale);
    }
}
