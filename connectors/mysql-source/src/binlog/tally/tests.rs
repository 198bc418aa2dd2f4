use cdc_sdk::Kind;
use cdc_sdk::position::Partial;

use super::{Tally, VERSION, add};

/// Positions that hold this hash are stored: it must not change under its number.
#[test]
fn the_hash_of_version_1() {
    assert_eq!(VERSION, 1);
    let one = add(Partial::default(), b"abc");
    let two = add(one, b"12345678");
    let three = add(two, b"123456789");
    assert_eq!((one.rows, two.rows, three.rows), (1, 2, 3));
    assert_eq!(one.hash, mixed(&[3, 0x63_6261]));
    assert_eq!(two.hash, mixed(&[3, 0x63_6261, 8, 0x3837_3635_3433_3231]));
    let all = [3, 0x63_6261, 8, 0x3837_3635_3433_3231, 9, 0x3837_3635_3433_3231, 0x39];
    assert_eq!(three.hash, mixed(&all));
    assert_eq!(three.hash, 17_044_015_470_832_117_434);
}

/// The definition on the module's page, written down once more.
fn mixed(words: &[u64]) -> u64 {
    words.iter().fold(0u64, |h, w| (h.rotate_left(5) ^ w).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

#[test]
fn rows_delivered_before_are_left_out_once() {
    let rows: [&[u8]; 4] = [b"a", b"b", b"c", b"d"];
    let delivered = rows[..2].iter().fold(Partial::default(), |partial, row| add(partial, row));
    let mut tally = Tally::begin(Some(delivered));
    let left_out: Vec<bool> = rows.iter().map(|row| tally.add(row).unwrap()).collect();
    assert_eq!(left_out, [true, true, false, false]);
    assert!(tally.finish().is_ok());
    assert!(!Tally::begin(None).add(b"a").unwrap());
    assert!(!Tally::begin(Some(Partial::default())).add(b"a").unwrap());
}

#[test]
fn another_transaction_is_told() {
    let delivered = add(add(Partial::default(), b"a"), b"b");
    let mut tally = Tally::begin(Some(delivered));
    tally.add(b"a").unwrap();
    assert_eq!(tally.finish().unwrap_err().kind(), Kind::ResumeMismatch);
    assert_eq!(tally.add(b"x").unwrap_err().kind(), Kind::ResumeMismatch);
}
