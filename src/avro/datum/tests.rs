use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn numbers_come_back(number in any::<i64>()) {
        let mut bytes = Vec::new();
        put_long(&mut bytes, number);
        let mut input = Input::new(&bytes);
        prop_assert_eq!(input.long().unwrap(), number);
        prop_assert_eq!(input.left(), 0);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..20)) {
        let mut input = Input::new(&bytes);
        let _ = input.text();
        let _ = input.block();
        let _ = input.long();
    }
}

#[test]
fn numbers_are_avros() {
    // Avro specification, "Primitive Types", the table of int and long.
    for (number, expected) in
        [(0, vec![0]), (-1, vec![1]), (1, vec![2]), (-64, vec![127]), (64, vec![128, 1])]
    {
        let mut bytes = Vec::new();
        put_long(&mut bytes, number);
        assert_eq!(bytes, expected);
    }
}

#[test]
fn a_measured_text_has_its_length_before_it() {
    let text = [b'x'; 100];
    let mut out = vec![9];
    put_measured(&mut out, |out| out.extend_from_slice(&text));
    let mut expected = vec![9];
    put_bytes(&mut expected, &text);
    assert_eq!(out, expected);
}

#[test]
fn what_ends_early_or_runs_over_is_refused() {
    assert!(Input::new(&[0x80]).long().is_err());
    assert!(Input::new(&[0xff; 11]).long().is_err());
    assert!(Input::new(&[1]).bytes().is_err(), "a negative length");
    assert!(Input::new(&[200, 1, 0]).bytes().is_err());
    assert!(Input::new(&[2]).boolean().is_err());
}
