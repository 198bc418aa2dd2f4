use std::sync::Arc;

use cdc_mysql_sink::{Origin, Why};
use cdc_sdk::CutId;

use super::*;

fn slip() -> (Slip, Record) {
    let letter = Letter {
        origin: Origin { stream: 0, offset: 7 },
        table: TableName::new("shop", "orders"),
        key: "id=5".into(),
        why: Arc::new(Why { code: "E050".into(), text: "error[E050]: too \"long\"".into() }),
    };
    let stamp = Stamp { cut: CutId { incarnation: 3, sequence: 12 }, ordinal: 4 }.encode();
    let headers = stamp.headers().map(|(name, value)| (name.to_owned(), value.to_vec()));
    let record =
        Record { offset: 7, timestamp_ms: 99, key: Some(vec![0, 1]), value: None, headers: headers.into() };
    let place = Place { topic: "p.shop.orders".into(), partition: 2, offset: 7 };
    let source =
        SourcePlace { gtid: Some("u:9".into()), file: "binlog.1".into(), pos: 4, ..SourcePlace::default() };
    let slip = Slip::new("crm", &letter, &place, &record).unwrap().at_source(Some(source));
    (slip, record)
}

#[test]
fn a_slip_comes_back_and_says_where_its_event_stands() {
    let (slip, mut record) = slip();
    assert_eq!(slip.id, "p.shop.orders-2-7");
    assert_eq!((slip.cut.as_deref(), slip.ordinal), (Some("3.12"), Some(4)));
    record.headers.push((HEADER.to_owned(), slip.write().unwrap()));
    record.offset = 1000;
    assert_eq!(Slip::read(&record).unwrap(), Some(slip));
}

#[test]
fn a_record_without_a_slip_is_no_letter() {
    assert_eq!(Slip::read(&slip().1).unwrap(), None);
}

#[test]
fn another_version_and_damage_are_refused() {
    let read = |json: &str| {
        let (_, mut record) = slip();
        record.headers.push((HEADER.to_owned(), json.as_bytes().to_vec()));
        Slip::read(&record).unwrap_err().kind()
    };
    assert_eq!(read(r#"{"version":2,"new":true}"#), Kind::UnknownVersion);
    assert_eq!(read(r#"{"version":1}"#), Kind::Decode);
    assert_eq!(read("no json"), Kind::Decode);
}
