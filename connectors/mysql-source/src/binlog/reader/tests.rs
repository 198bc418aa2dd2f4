use super::{Malformed, Reader};

#[test]
fn numbers_are_little_endian_unless_said_otherwise() {
    let mut reader = Reader::new(&[1, 2, 1, 0, 0, 1, 2, 3]);
    assert_eq!(reader.u16(), Ok(0x0201));
    assert_eq!(reader.uint(3), Ok(1));
    assert_eq!(reader.uint_be(3), Ok(0x01_0203));
    assert!(reader.is_empty());
}

#[test]
fn packed_integers_of_every_length() {
    let mut reader = Reader::new(&[250, 252, 1, 1, 253, 0, 0, 1, 254, 0, 0, 0, 0, 1, 0, 0, 0]);
    assert_eq!(reader.packed(), Ok(250));
    assert_eq!(reader.packed(), Ok(0x101));
    assert_eq!(reader.packed(), Ok(0x1_0000));
    assert_eq!(reader.packed(), Ok(0x1_0000_0000));
}

#[test]
fn what_is_short_is_an_error_and_reads_nothing() {
    let mut reader = Reader::new(&[1, 2]);
    assert!(reader.u32().is_err());
    assert_eq!(reader.u16(), Ok(0x0201));
    assert!(Reader::new(&[252, 1]).packed().is_err());
    assert!(matches!(Reader::new(&[251]).packed(), Err(Malformed(_))));
    assert!(Reader::new(&[0; 16]).uint(9).is_err());
    assert!(Reader::new(&[0; 16]).uint_be(9).is_err());
    assert!(Reader::new(&[254, 255, 255, 255, 255, 255, 255, 255, 255, 0]).packed_bytes().is_err());
}
