use proptest::prelude::*;

use super::print;

fn text(bytes: &[u8]) -> Option<String> {
    printed(bytes, false)
}

fn printed(bytes: &[u8], marked: bool) -> Option<String> {
    let mut scratch = Vec::new();
    print(bytes, marked, &mut scratch).ok().map(str::to_owned)
}

#[test]
fn kinds_that_the_text_does_not_tell_are_marked() {
    let datetime = [0, 0, 0, 0, 0, 0x4a, 0xa5, 0x19];
    let opaque = |field: u8, bytes: &[u8]| [&[15, field, bytes.len() as u8], bytes].concat();
    for (stored, marked) in [
        (vec![6, 5, 0], "\t\t5"),
        (vec![8, 5, 0, 0, 0], "\t\t5"),
        ([&[10], (i64::MAX as u64).to_le_bytes().as_slice()].concat(), "\t\t9223372036854775807"),
        ([&[10], (1u64 << 63).to_le_bytes().as_slice()].concat(), "9223372036854775808"),
        (vec![5, 5, 0], "5"),
        (opaque(246, &[2, 1, 0x81, 5]), "\t1.5"),
        (opaque(10, &datetime), "\t\"2020-01-05\""),
        (opaque(12, &datetime), "\t\"2020-01-05 00:00:00.000000\""),
        (opaque(7, &datetime), "\t\t\"2020-01-05 00:00:00.000000\""),
        (opaque(11, &[0; 8]), "\t\"00:00:00.000000\""),
        (opaque(15, b"ab"), "\t\"base64:type15:YWI=\""),
        (vec![12, 1, b'a'], "\"a\""),
        (vec![4, 1], "true"),
    ] {
        assert_eq!(printed(&stored, true).as_deref(), Some(marked));
        assert_eq!(text(&stored), Some(marked.replace('\t', "")));
    }
}

fn double(value: f64) -> String {
    let mut bytes = vec![11];
    bytes.extend_from_slice(&value.to_le_bytes());
    text(&bytes).unwrap()
}

#[test]
fn doubles_as_the_server_prints_them() {
    // Seen on 9.7.4.
    for (value, expected) in [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (1e14, "100000000000000.0"),
        (1e15, "1e15"),
        (1e-15, "0.000000000000001"),
        (1.5e-16, "1.5e-16"),
        (2_446_338_102_800_473.5, "2446338102800473.5"),
        (-271_796_626_326_012.62, "-271796626326012.62"),
        (1e300, "1e300"),
        (-1.234_567_890_123_456_7e-14, "-0.000000000000012345678901234567"),
        (123_456_789_012_345_680.0, "1.2345678901234568e17"),
        (f64::MAX, "1.7976931348623157e308"),
        (5e-324, "5e-324"),
    ] {
        assert_eq!(double(value), expected);
    }
}

/// Found by random tables: a DECIMAL of 65 digits stopped the source, since in JSON it has 72, zeros in front.
#[test]
fn decimals_of_more_digits_than_a_column_has() {
    // As 9.7.4 stores CAST(REPEAT('9', 65) AS DECIMAL(65,0)).
    let nines = [0x3b, 0x9a, 0xc9, 0xff].repeat(7);
    let stored = [&[15, 246, 34, 72, 0, 0x80, 0, 0, 99], nines.as_slice()].concat();
    assert_eq!(text(&stored), Some("9".repeat(65)));
    // DECIMAL(65,1): a byte more.
    let stored = [&[15, 246, 35, 73, 1, 0x80, 0, 0, 9], nines.as_slice(), &[5]].concat();
    assert_eq!(text(&stored), Some(format!("{}.5", "9".repeat(64))));
    let stored = [&[15, 246, 35, 82, 1, 0x80, 0, 0, 9], nines.as_slice(), &[5]].concat();
    assert_eq!(text(&stored), None);
}

#[test]
fn documents() {
    assert_eq!(text(&[]).unwrap(), "null");
    assert_eq!(text(&[4, 1]).unwrap(), "true");
    assert_eq!(text(&[12, 4, b'a', b'"', 1, b'\\']).unwrap(), r#""a\"\u0001\\""#);
    // {"a": -1, "b": [null]}
    let object = [
        0, 2, 0, 28, 0, 18, 0, 1, 0, 19, 0, 1, 0, 5, 0xff, 0xff, 2, 20, 0, b'a', b'b', 1, 0, 7, 0, 4, 0, 0, 0,
    ];
    assert_eq!(text(&object).unwrap(), r#"{"a": -1, "b": [null]}"#);
}

#[test]
fn what_points_outside_or_at_itself_is_refused() {
    assert_eq!(text(&[2, 1, 0, 7, 0, 2, 0, 0]), None, "an array that holds itself");
    assert_eq!(text(&[2, 255, 255, 7, 0]), None, "more elements than bytes");
    assert_eq!(text(&[2, 1, 0, 255, 0]), None, "longer than it is");
    assert_eq!(text(&[12, 0x85, b'a']), None, "a text that ends early");
    assert_eq!(text(&[12, 0x80, 0x80, 0x80, 0x80, 0x80, 0]), None, "a length without an end");
    assert_eq!(text(&[12, 1, 0xff]), None, "no UTF-8");
    assert_eq!(text(&[11, 0, 0, 0, 0, 0, 0, 0xf0, 0x7f]), None, "an infinite number");
    assert_eq!(text(&[9]), None);
    assert_eq!(text(&[4, 9]), None);
    assert_eq!(text(&[77]), None);
    // Arrays of which each holds the next many times.
    let mut bomb = vec![2];
    let level = |next: u16| {
        let mut array = vec![200, 0, 0xff, 0x7f];
        for _ in 0..200 {
            array.push(2);
            array.extend_from_slice(&next.to_le_bytes());
        }
        array
    };
    bomb.extend(level(0));
    bomb.resize(0x8000, 0);
    assert_eq!(text(&bomb), None);
}

proptest! {
    #[test]
    fn any_bytes_are_printed_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 0u8..16) {
        if let Some(first) = bytes.first_mut() {
            *first = kind;
        }
        text(&bytes);
    }

    #[test]
    fn doubles_read_back(bits in any::<u64>()) {
        let value = f64::from_bits(bits);
        prop_assume!(value.is_finite());
        prop_assert_eq!(double(value).parse::<f64>().unwrap().to_bits(), bits);
    }

    #[test]
    fn integers(value in any::<i64>()) {
        let mut bytes = vec![9];
        bytes.extend_from_slice(&value.to_le_bytes());
        prop_assert_eq!(text(&bytes).unwrap(), value.to_string());
    }
}
