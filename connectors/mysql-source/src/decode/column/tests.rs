use cdc_sdk::Value;

use super::{Codec, Extent};
use crate::binlog::reader::Reader;

fn read(codec: Codec, bytes: &[u8]) -> Option<Value<'static>> {
    let mut scratch = Vec::new();
    match codec.read(bytes, &mut scratch).ok()? {
        Value::Int(v) => Some(Value::Int(v)),
        Value::UInt(v) => Some(Value::UInt(v)),
        Value::Bit(v) => Some(Value::Bit(v)),
        Value::Set(v) => Some(Value::Set(v)),
        Value::Enum(v) => Some(Value::Enum(v)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn signs_are_extended_at_every_width() {
    for width in [1usize, 2, 3, 4, 8] {
        let ones = vec![0xff; width];
        assert_eq!(read(Codec::Int { width }, &ones), Some(Value::Int(-1)));
        let mut low = vec![0; width];
        low[width - 1] = 0x80;
        assert_eq!(read(Codec::Int { width }, &low), Some(Value::Int(-1 << (8 * width - 1))));
        let highest = u64::MAX >> (64 - 8 * width);
        assert_eq!(read(Codec::UInt { width }, &ones), Some(Value::UInt(highest)));
        assert_eq!(read(Codec::Int { width }, &ones[1..]), None);
    }
}

#[test]
fn bits_are_big_endian_and_sets_little() {
    assert_eq!(read(Codec::Bit, &[1, 2]), Some(Value::Bit(0x102)));
    assert_eq!(read(Codec::Set, &[1, 2]), Some(Value::Set(0x201)));
    assert_eq!(read(Codec::Enum, &[1, 2]), Some(Value::Enum(0x201)));
    assert_eq!(read(Codec::Bit, &[0; 9]), None);
}

#[test]
fn binary_is_padded_and_geometry_split() {
    let mut scratch = Vec::new();
    assert_eq!(Codec::Padded { length: 4 }.read(&[1], &mut scratch), Ok(Value::Bytes(&[1, 0, 0, 0])));
    assert_eq!(Codec::Padded { length: 1 }.read(&[1], &mut scratch), Ok(Value::Bytes(&[1])));
    let point = Codec::Geometry.read(&[1, 0, 0, 0, 7], &mut scratch);
    assert_eq!(point, Ok(Value::Geometry { srid: 1, wkb: &[7] }));
    assert_eq!(Codec::Geometry.read(&[], &mut scratch), Ok(Value::Geometry { srid: 0, wkb: &[] }));
    assert!(Codec::Geometry.read(&[1, 2], &mut scratch).is_err());
}

#[test]
fn lengths_are_believed_only_as_far_as_bytes_go() {
    let mut reader = Reader::new(&[2, 9, 9, 255]);
    assert_eq!(Extent::Prefixed(1).take(&mut reader), Ok(&[9, 9][..]));
    assert!(Extent::Prefixed(1).take(&mut reader).is_err());
    assert!(Extent::Prefixed(4).take(&mut Reader::new(&[255, 255, 255, 255, 0])).is_err());
}
