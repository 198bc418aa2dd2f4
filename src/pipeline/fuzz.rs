//! What is stored in Kafka and in files, with every kind of damage: an error or another value, never a
//! panic, and never more memory than a fixed number of times what came. `make fuzz` runs more of it.

use cdc_mysql_sink::Mark;
use cdc_mysql_source::{TableProgress, TableState};
use cdc_sdk::{CutId, TableName};
use proptest::prelude::*;

use super::control::Taken;
use super::offset_file::OffsetFile;
use super::versions::Versions;
use crate::avro::records::{self, GtidsOf};
use crate::avro::sample::cut;
use crate::damage::{damaged, damages, memory_of};
use crate::kafka::Stamp;

/// Bytes of memory for a byte that was stored: a record is read into a tree, field by field.
const MEMORY_MAX: u64 = 100;
/// What is taken besides, whatever comes.
const MEMORY_BASE: u64 = 64 << 10;

const UUID: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

/// Reads bytes, whatever comes of it.
type Reading = fn(&[u8]);

/// Everything that is stored, each with what reads it.
fn stored() -> Vec<(Vec<u8>, Reading)> {
    fn text(read: impl FnOnce(&str)) -> impl FnOnce(&[u8]) {
        move |bytes| read(&String::from_utf8_lossy(bytes))
    }
    let progress = TableProgress::of(TableName::new("shop", "orders"), TableState::Done { rows: 7 });
    let mark = Mark { cut: Some(cut().id), cuts_offset: 77, places: cut().map_slice, ..Mark::default() };
    let offsets = OffsetFile::new("p", "a ledger".into(), &mark).json().unwrap();
    let stamp = Stamp { cut: CutId { incarnation: 3, sequence: 900 }, ordinal: 5 }.encode();
    vec![
        (records::encode_cut(&cut(), GtidsOf::Full, 1).unwrap(), |bytes| drop(records::decode_cut(bytes))),
        (records::encode_state_key("snapshot/shop.orders", 1).unwrap(), |bytes| {
            drop(records::decode_state_key(bytes));
        }),
        (records::encode_state_value(&progress.to_json(), 1).unwrap(), |bytes| {
            drop(records::decode_state_value(bytes));
        }),
        (records::encode_control_value("{}", 1).unwrap(), |bytes| drop(records::decode_control_value(bytes))),
        (progress.to_json().into_bytes(), |bytes| text(|json| drop(TableProgress::from_json(json)))(bytes)),
        (Taken::default().to_json().unwrap().into_bytes(), |bytes| {
            text(|json| drop(Taken::from_json(json)))(bytes);
        }),
        (Versions::first("p.shop.orders").to_json().unwrap().into_bytes(), |bytes| {
            text(|json| drop(Versions::from_json(json)))(bytes);
        }),
        (offsets.into_bytes(), |bytes| text(|json| drop(OffsetFile::parse(json)))(bytes)),
        (stamp.headers()[0].1.to_vec(), |bytes| {
            drop(Stamp::decode([("cdc.cut", Some(bytes)), ("cdc.ordinal", Some(&[5][..]))]));
        }),
        (format!("{UUID}:1-5:7,{UUID}:tag:1-3").into_bytes(), |bytes| {
            text(|set| drop(set.parse::<cdc_sdk::GtidSet>()))(bytes);
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fuzz_stored(at in any::<prop::sample::Index>(), wrong in damages()) {
        let all = stored();
        let (whole, read) = &all[at.index(all.len())];
        read(whole);
        let bytes = damaged(whole, &wrong);
        let most = bytes.len() as u64 * MEMORY_MAX + MEMORY_BASE;
        let taken = memory_of(|| read(&bytes));
        prop_assert!(taken <= most, "{taken} bytes of memory for {}: {bytes:?}", bytes.len());
    }
}
