use cdc_sdk::Op;
use proptest::prelude::*;

use super::gtid::Announced;
use super::metadata::{Charsets, Metadata};
use super::query::Query;
use super::rotate::Rotate;
use super::rows::RowsHead;
use super::table_map::{TableMap, WireType};
use super::xa::XaPrepare;
use super::{format::Format, kind};
use crate::binlog::reader::Reader;

fn gtid(committed: &[u8]) -> Vec<u8> {
    let mut body = vec![1];
    body.extend_from_slice(&[0x11; 16]);
    body.extend_from_slice(&7u64.to_le_bytes());
    body.push(2);
    body.extend_from_slice(&[0; 16]);
    body.extend_from_slice(committed);
    body
}

#[test]
fn announcements_of_every_age() {
    let id = "11111111-1111-1111-1111-111111111111:7";
    let old = &gtid(&[])[..25];
    let announced = Announced::read(old, false).unwrap();
    assert_eq!((announced.gtid.unwrap().to_string(), announced.committed_us), (id.into(), None));
    let immediate = Announced::read(&gtid(&[1, 0, 0, 0, 0, 0, 0]), false).unwrap();
    assert_eq!(immediate.committed_us, Some(1));
    let original = Announced::read(&gtid(&[1, 0, 0, 0, 0, 0, 0x80, 2, 0, 0, 0, 0, 0, 0]), false).unwrap();
    assert_eq!(original.committed_us, Some(2));
    assert_eq!(Announced::read(&gtid(&[]), true).unwrap().gtid, None);
    let mut zero = gtid(&[]);
    zero[17] = 0;
    assert!(Announced::read(&zero, false).is_err());
}

#[test]
fn a_rotate_names_a_file() {
    let mut body = vec![4, 0, 0, 0, 0, 0, 0, 0];
    assert!(Rotate::read(&body).is_err());
    body.extend_from_slice(b"binlog.000002");
    assert_eq!(Rotate::read(&body), Ok(Rotate { offset: 4, file: "binlog.000002".into() }));
    body.push(0x07);
    assert!(Rotate::read(&body).is_err(), "a control character is damage");
}

#[test]
fn a_query_brings_its_session() {
    let mut variables = vec![0, 0, 0, 0, 0, 1];
    variables.extend_from_slice(&((1u64 << 2) | (1 << 20)).to_le_bytes());
    variables.extend_from_slice(b"\x06\x03std\x04\x21\x00\x21\x00\xff\x00\x05\x03UTC\x0b\x01u\x01h\x0c\x02a\x00bc\x00\x0d\x40\x42\x0f\x80\x63");
    let mut body = vec![9, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0];
    body.extend_from_slice(&u16::try_from(variables.len()).unwrap().to_le_bytes());
    body.extend_from_slice(&variables);
    body.extend_from_slice(b"shop\0DROP TABLE x");
    let query = Query::read(&body).unwrap();
    assert_eq!((query.thread, query.database, query.statement), (9, &b"shop"[..], &b"DROP TABLE x"[..]));
    let context = query.context;
    assert!(context.ansi_quotes && context.no_backslash_escapes);
    assert_eq!(context.client_collation, Some(0x21));
    assert_eq!(context.updated, Some(vec!["a".into(), "bc".into()]));
    assert_eq!(context.micros, 1_000_000);
}

#[test]
fn the_head_of_rows_in_both_versions() {
    let one = [5, 0, 0, 0, 0, 0, 1, 0, 3, 0xff, 9, 9];
    let head = RowsHead::read(kind::WRITE_ROWS_V1, &one).unwrap();
    assert_eq!((head.op, head.table_id, head.columns, head.rows), (Op::Create, 5, 3, 10));
    let two = [5, 0, 0, 0, 0, 0, 1, 0, 4, 0, 7, 7, 3, 0xff, 0xfe, 9];
    let head = RowsHead::read(kind::UPDATE_ROWS, &two).unwrap();
    assert_eq!(
        (head.op, head.present, head.present_after, head.rows),
        (Op::Update, 13..14, Some(14..15), 15)
    );
    assert!(RowsHead::read(kind::DELETE_ROWS, &[5, 0, 0, 0, 0, 0, 1, 0, 1, 0, 3]).is_err());
    let many = [5, 0, 0, 0, 0, 0, 1, 0, 254, 255, 255, 255, 255, 255, 255, 255, 255];
    assert!(RowsHead::read(kind::WRITE_ROWS_V1, &many).is_err());
}

#[test]
fn a_char_of_more_than_255_bytes_is_told_from_an_enum() {
    let map = |code: u8, parameters: &[u8]| {
        let mut raw = b"\x01d\x00\x01t\x00\x01".to_vec();
        raw.push(code);
        raw.push(u8::try_from(parameters.len()).unwrap());
        raw.extend_from_slice(parameters);
        raw.push(0);
        TableMap::read(&raw).map(|map| map.columns[0].kind)
    };
    assert_eq!(map(254, &[254, 40]), Ok(WireType::Char { bytes: 40 }));
    assert_eq!(map(254, &[0xee, 252]), Ok(WireType::Char { bytes: 508 }));
    assert_eq!(map(254, &[0xce, 0xfc]), Ok(WireType::Char { bytes: 1020 }));
    assert_eq!(map(254, &[247, 2]), Ok(WireType::Enum { width: 2 }));
    assert_eq!(map(254, &[248, 8]), Ok(WireType::Set { width: 8 }));
    assert_eq!(map(12, &[]), Ok(WireType::OldTemporal { bytes: 8 }));
    assert_eq!(map(16, &[4, 1]), Ok(WireType::Bit { bits: 12 }));
    for (code, parameters) in [
        (254, &[247, 3][..]),
        (254, &[248, 9]),
        (246, &[66, 0]),
        (246, &[5, 6]),
        (252, &[5]),
        (19, &[7]),
        (200, &[]),
    ] {
        assert!(map(code, parameters).is_err(), "{code} {parameters:?}");
    }
}

#[test]
fn character_sets_by_default_or_one_by_one() {
    let read = |bytes: &[u8]| Metadata::read(&mut Reader::new(bytes)).unwrap().charsets;
    assert_eq!(read(&[2, 5, 252, 0xff, 0, 1, 63]), Charsets::Default(255, vec![(1, 63)]));
    assert_eq!(Charsets::Default(255, vec![(1, 63)]).get(1), Some(63));
    assert_eq!(Charsets::Default(255, vec![(1, 63)]).get(2), Some(255));
    assert_eq!(read(&[3, 2, 8, 63]).get(1), Some(63));
    assert_eq!(Charsets::Unknown.get(0), None);
}

#[test]
fn an_xid_is_told_as_the_server_writes_it() {
    let body = [0, 5, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, b'a', b'\'', b'b', b'c'];
    assert_eq!(
        XaPrepare::read(&body).unwrap(),
        XaPrepare { one_phase: false, xid: "X'612762',X'63',5".into() }
    );
    assert!(XaPrepare::read(&body[..14]).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let _ = Announced::read(&bytes, false);
        let _ = Announced::read_tagged(&bytes);
        let _ = Rotate::read(&bytes);
        let _ = Format::read(&bytes);
        let _ = Query::read(&bytes);
        let _ = XaPrepare::read(&bytes);
        let _ = TableMap::read(&bytes);
        let _ = Metadata::read(&mut Reader::new(&bytes));
        for event in [kind::WRITE_ROWS, kind::UPDATE_ROWS_V1, kind::PARTIAL_UPDATE_ROWS] {
            let _ = RowsHead::read(event, &bytes);
        }
    }
}
