//! What is stored in Kafka and in files, with every kind of damage: an error or another value, never a
//! panic, and never more memory than a fixed number of times what came. `make fuzz` runs more of it.

use std::borrow::Cow;

use cdc_mysql_sink::Mark;
use cdc_mysql_source::{Noted, TableProgress, TableState};
use cdc_sdk::{CutId, TableName};
use proptest::prelude::*;

use super::control::Taken;
use super::dead_letter::slip::{self, Slip};
use super::offset_file::OffsetFile;
use super::record_keys::ChosenKey;
use super::recovery::{Columns, Inside};
use super::versions::Versions;
use crate::avro::records::{self, GtidsOf};
use crate::avro::sample::cut;
use crate::damage::{damaged, damages, memory_of};
use crate::kafka::{Record, Stamp};

/// Bytes of memory for a byte that was stored: a record is read into a tree, field by field.
const MEMORY_MAX: u64 = 100;
/// What is taken besides, whatever comes.
const MEMORY_BASE: u64 = 64 << 10;

const UUID: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
/// The header of a dead letter.
const LETTER: &str = r#"{"version":1,"id":"p.shop.orders-2-7","sink":"crm","table":{"database":"shop","table":"orders"},
    "key":"id=5","topic":"p.shop.orders","partition":2,"offset":7,"timestamp_ms":99,"cut":"3.12","ordinal":4,
    "source":{"gtid":"u:9","file":"binlog.1","pos":4},"error_code":"E050","error":"too \"long\"","at_ms":1}"#;

/// Reads bytes; whether it could.
type Reading = fn(&[u8]) -> bool;

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// A letter's record with this for its header.
fn letter(header: &[u8]) -> Record {
    let headers = vec![(slip::HEADER.to_owned(), header.to_vec())];
    Record { offset: 7, timestamp_ms: 99, key: None, value: None, headers }
}

/// Everything that is stored, each with what reads it.
fn stored() -> Vec<(Vec<u8>, Reading)> {
    let table = TableName::new("shop", "orders");
    let progress = TableProgress::of(table.clone(), TableState::Done { rows: 7 });
    let mark = Mark { cut: Some(cut().id), cuts_offset: 77, places: cut().previous_ends, ..Mark::default() };
    let offsets = OffsetFile::new("p", "a ledger".into(), &mark).json().unwrap();
    let stamp = Stamp { cut: CutId { incarnation: 3, sequence: 900 }, ordinal: 5 }.encode();
    let inside = Inside::record(&format!("{UUID}:7"), [("shop.orders".to_owned(), 9)].into()).unwrap().1;
    let dropped = {
        let of_new = ("b".to_owned(), "'5'".to_owned());
        let noted = Noted { dropped: ["a".to_owned(), "ö".to_owned()].into(), defaults: [of_new].into() };
        Columns::record(&table, &noted).unwrap().1
    };
    vec![
        (records::encode_cut(&cut(), GtidsOf::Full, 1).unwrap(), |bytes| records::decode_cut(bytes).is_ok()),
        (records::encode_state_key("snapshot/shop.orders", 1).unwrap(), |bytes| {
            records::decode_state_key(bytes).is_ok()
        }),
        (records::encode_state_value(&progress.to_json(), 1).unwrap(), |bytes| {
            records::decode_state_value(bytes).is_ok()
        }),
        (records::encode_control_value("{}", 1).unwrap(), |bytes| {
            records::decode_control_value(bytes).is_ok()
        }),
        (progress.to_json().into_bytes(), |bytes| TableProgress::from_json(&text(bytes)).is_ok()),
        (Taken::default().to_json().unwrap().into_bytes(), |bytes| Taken::from_json(&text(bytes)).is_ok()),
        (Versions::first("p.shop.orders").to_json().unwrap().into_bytes(), |bytes| {
            Versions::from_json(&text(bytes)).is_some()
        }),
        (inside.into_bytes(), |bytes| Inside::read(&text(bytes)).is_ok()),
        (dropped.into_bytes(), |bytes| Columns::read("dropped/shop.orders", &text(bytes)).is_ok()),
        (br#"{"version":1,"columns":["id","region"]}"#.to_vec(), |bytes| {
            ChosenKey::from_json(&text(bytes)).is_some()
        }),
        (LETTER.as_bytes().to_vec(), |bytes| Slip::read(&letter(bytes)).is_ok()),
        (offsets.into_bytes(), |bytes| OffsetFile::parse(&text(bytes)).is_ok()),
        (stamp.headers()[0].1.to_vec(), |bytes| {
            Stamp::decode([("cdc.cut", Some(bytes)), ("cdc.ordinal", Some(&[5][..]))]).is_ok()
        }),
        (format!("{UUID}:1-5:7,{UUID}:tag:1-3").into_bytes(), |bytes| {
            text(bytes).parse::<cdc_sdk::GtidSet>().is_ok()
        }),
    ]
}

#[test]
fn what_is_damaged_below_is_read_whole() {
    for (whole, read) in stored() {
        assert!(read(&whole), "{}", text(&whole));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fuzz_stored(at in any::<prop::sample::Index>(), wrong in damages()) {
        let all = stored();
        let (whole, read) = &all[at.index(all.len())];
        let bytes = damaged(whole, &wrong);
        let most = bytes.len() as u64 * MEMORY_MAX + MEMORY_BASE;
        let taken = memory_of(|| {
            read(&bytes);
        });
        prop_assert!(taken <= most, "{taken} bytes of memory for {}: {bytes:?}", bytes.len());
    }
}
