use cdc_sdk::Kind;

use super::{all, find, one};

#[test]
fn a_code_is_found_as_people_type_it() {
    for text in ["E014", "e014", "014", "14", " E14 "] {
        assert_eq!(find(text).unwrap(), Kind::Purged, "{text}");
    }
}

#[test]
fn what_is_no_code_is_wrong_use() {
    for text in ["", "E", "E000", "x", "E0140", "EE014x"] {
        assert_eq!(find(text).unwrap_err().kind(), Kind::Usage, "{text}");
    }
}

#[test]
fn every_kind_is_explained_and_listed() {
    let list = all();
    for kind in Kind::ALL {
        assert_eq!(find(kind.code()).unwrap(), *kind);
        assert!(one(*kind).lines().count() >= 3, "{kind:?}");
        assert!(list.lines().any(|l| l.starts_with(kind.code()) && l.len() > 10), "{kind:?}");
    }
}
