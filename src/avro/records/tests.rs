use cdc_sdk::cut::CutKind;
use cdc_sdk::position::Landmark;
use cdc_sdk::{Cut, GtidSet};

use super::*;
use crate::avro::sample::cut;

/// Every schema there is, by the name of its file.
const SCHEMAS: [(&str, &str); 13] = [
    ("control_value", CONTROL_SCHEMA),
    ("cut_value", CUT_SCHEMA),
    ("cut_value_1", CUT_SCHEMA_1),
    ("heartbeat_key", HEARTBEAT_KEY_SCHEMA),
    ("heartbeat_value", HEARTBEAT_VALUE_SCHEMA),
    ("internal_key", INTERNAL_KEY_SCHEMA),
    ("schema_change_key", SCHEMA_CHANGE_KEY_SCHEMA),
    ("schema_change_value", SCHEMA_CHANGE_VALUE_SCHEMA),
    ("source", SOURCE_SCHEMA),
    ("state_value", STATE_SCHEMA),
    ("transaction_block", TRANSACTION_BLOCK_SCHEMA),
    ("transaction_key", TRANSACTION_KEY_SCHEMA),
    ("transaction_value", TRANSACTION_VALUE_SCHEMA),
];

#[test]
fn every_file_in_schemas_is_used_and_parses() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let known: Vec<String> = SCHEMAS.iter().map(|(name, _)| format!("{name}.avsc")).collect();
    assert_eq!(files, known);
    for (name, schema) in SCHEMAS {
        Schema::parse_str(schema).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}

#[test]
fn debeziums_fixed_schemas_are_debeziums() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/wire");
    let tables = ["key.avsc", "value.avsc"];
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let file = entry.file_name().into_string().unwrap();
        if tables.contains(&file.as_str()) || !file.ends_with(".avsc") {
            continue;
        }
        let golden = std::fs::read_to_string(entry.path()).unwrap();
        let ours = SCHEMAS.iter().find(|(name, _)| format!("{name}.avsc") == file);
        assert_eq!(ours.map(|(_, schema)| schema.trim()), Some(golden.trim()), "{file}");
    }
}

#[test]
fn a_cut_comes_back() {
    for kind in [CutKind::Complete, CutKind::Continues, CutKind::Abandoned] {
        let cut = Cut { kind, ..cut() };
        let message = encode_cut(&cut, GtidsOf::Full, 77).unwrap();
        assert_eq!(frame_id(&message).unwrap(), 77);
        assert_eq!(decode_cut(&message).unwrap(), StoredCut { cut, gtid_delta: None });
    }
}

#[test]
fn a_cut_of_version_1_has_no_landmark() {
    let mut cut = cut();
    cut.position.landmark = None;
    let mut message = encode_cut(&cut, GtidsOf::Full, 1).unwrap();
    // Version 1 ends where a cut without a landmark says so.
    message[5] = 2;
    assert_eq!(message.pop(), Some(0));
    assert_eq!(decode_cut(&message).unwrap(), StoredCut { cut, gtid_delta: None });
}

#[test]
fn a_landmark_comes_back() {
    for landmark in [None, Some(Landmark::File { begun_s: u32::MAX }), cut().position.landmark] {
        let mut cut = cut();
        cut.position.landmark = landmark;
        let message = encode_cut(&cut, GtidsOf::Full, 1).unwrap();
        assert_eq!(decode_cut(&message).unwrap(), StoredCut { cut, gtid_delta: None });
    }
}

#[test]
fn a_cut_with_a_delta_has_no_full_set() {
    let delta: GtidSet = "3e11fa47-71ca-11e1-9e33-c80aa9429562:77".parse().unwrap();
    let stored = decode_cut(&encode_cut(&cut(), GtidsOf::Delta(&delta), 1).unwrap()).unwrap();
    assert_eq!(stored.gtid_delta, Some(delta));
    assert_eq!(stored.cut.position.gtids, None);
    let nothing = GtidSet::default();
    let stored = decode_cut(&encode_cut(&cut(), GtidsOf::Delta(&nothing), 1).unwrap()).unwrap();
    assert_eq!(stored.gtid_delta, Some(nothing), "no new transaction is not the same as no delta");
}

#[test]
fn a_version_that_is_not_known_is_said_before_anything_is_read() {
    let mut message = encode_cut(&cut(), GtidsOf::Full, 1).unwrap();
    message[5] = 6;
    message.truncate(7);
    let error = decode_cut(&message).unwrap_err();
    assert_eq!(error.kind(), Kind::UnknownVersion);
    assert!(error.what().contains("version 3"), "{error}");
}

#[test]
fn damage_is_an_error() {
    let message = encode_cut(&cut(), GtidsOf::Full, 1).unwrap();
    for length in 0..message.len() {
        assert!(decode_cut(&message[..length]).is_err(), "{length} bytes");
    }
    let mut longer = message.clone();
    longer.push(0);
    assert_eq!(decode_cut(&longer).unwrap_err().kind(), Kind::Decode);
    assert_eq!(decode_cut(&renamed(&message)).unwrap_err().kind(), Kind::UnknownVersion);
}

fn renamed(message: &[u8]) -> Vec<u8> {
    let at = message.windows(9).position(|w| w == b"continues").unwrap();
    let mut renamed = message.to_vec();
    renamed[at] = b'k';
    renamed
}

#[test]
fn notes_and_keys_come_back() {
    let json = r#"{"partitions":4}"#;
    assert_eq!(decode_state_value(&encode_state_value(json, 9).unwrap()).unwrap(), json);
    assert_eq!(decode_control_value(&encode_control_value(json, 9).unwrap()).unwrap(), json);
    assert_eq!(decode_state_key(&encode_state_key("a/b", 9).unwrap()).unwrap(), "a/b");
    assert!(decode_state_key(&[0, 0, 0, 0, 9, 2]).is_err());
    assert!(decode_key(&[0, 0, 0, 0, 9, 2, b'a', 0]).is_err());
}
