use proptest::prelude::*;

use super::*;

#[test]
fn extremes_keep_every_digit() {
    let nines = format!("-{}.{}", "9".repeat(35), "9".repeat(30));
    assert_eq!(Decimal::parse(&nines).map(|d| d.to_string()), Some(nines));
    assert_eq!(Decimal::parse("-0.00").map(|d| d.to_string()), Some("0.00".into()));
    assert_eq!(Decimal::parse("1e5"), None);
    assert_eq!(Decimal::parse(&"9".repeat(80)), None);
}

#[test]
fn twos_complement_is_as_java_writes_it() {
    for (text, bytes) in [
        ("0", vec![0u8]),
        ("127", vec![0x7f]),
        ("128", vec![0, 0x80]),
        ("-128", vec![0x80]),
        ("-129", vec![0xff, 0x7f]),
        ("18446744073709551615", vec![0, 255, 255, 255, 255, 255, 255, 255, 255]),
    ] {
        let (buffer, start) = Decimal::parse(text).unwrap_or(Decimal::zero(0)).to_twos_complement();
        assert_eq!(&buffer[start..], bytes, "{text}");
    }
}

proptest! {
    #[test]
    fn text_and_bytes_return(whole in "[1-9][0-9]{0,34}", fraction in "[0-9]{0,30}", negative: bool) {
        let sign = if negative { "-" } else { "" };
        let text = if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") };
        let number = Decimal::parse(&text);
        prop_assert!(number.is_some());
        if let Some(number) = number {
            prop_assert_eq!(number.to_string(), text);
            let (bytes, start) = number.to_twos_complement();
            prop_assert_eq!(Decimal::from_twos_complement(&bytes[start..], number.scale()), Some(number));
        }
    }

    #[test]
    fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40), scale: u8) {
        if let Some(number) = Decimal::from_twos_complement(&bytes, scale % 31) {
            let (back, start) = number.to_twos_complement();
            prop_assert_eq!(Decimal::from_twos_complement(&back[start..], scale % 31), Some(number));
        }
    }
}
