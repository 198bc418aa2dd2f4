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

#[test]
fn the_list_has_whole_sentences() {
    for (kind, line) in Kind::ALL.iter().zip(all().lines()) {
        let text = kind.explanation().split_whitespace().collect::<Vec<_>>().join(" ");
        let told = line.trim_start_matches(kind.code()).trim();
        let after = text.split_once(told).map(|(_, after)| after.trim_start());
        assert!(after.is_some_and(|after| after.starts_with('.')), "{line}");
    }
}

#[test]
fn exit_codes_are_told_as_they_are() {
    assert!(one(Kind::Refused).contains("exit code 2") && !one(Kind::Refused).contains('3'));
    assert!(one(Kind::Purged).contains("exits with 3"));
    assert!(one(Kind::MysqlUnreachable).contains("exits with 4"));
}
