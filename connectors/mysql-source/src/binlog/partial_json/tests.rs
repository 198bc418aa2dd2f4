use cdc_sdk::Value;
use proptest::prelude::*;

use crate::decode::{Codec, patched};

/// `{"a": [1, "x"], "b": null}` as the server stores it.
const DOCUMENT: [u8; 34] = [
    0, 2, 0, 33, 0, 18, 0, 1, 0, 19, 0, 1, 0, 2, 20, 0, 4, 0, 0, b'a', b'b', 2, 0, 12, 0, 5, 1, 0, 12, 10, 0,
    1, b'x', 0,
];

fn text(document: &[u8]) -> String {
    let mut scratch = Vec::new();
    match (Codec::Json { marked: true }).read(document, &mut scratch) {
        Ok(Value::Json(text)) => text.to_owned(),
        other => panic!("{other:?}"),
    }
}

/// A difference; no value where it removes.
fn difference(operation: u8, path: &str, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![operation, u8::try_from(path.len()).unwrap()];
    bytes.extend_from_slice(path.as_bytes());
    if operation != 2 {
        bytes.push(u8::try_from(value.len()).unwrap());
        bytes.extend_from_slice(value);
    }
    bytes
}

const SEVEN: [u8; 3] = [5, 7, 0];

#[test]
fn values_are_replaced_inserted_and_removed() {
    assert_eq!(text(&DOCUMENT), r#"{"a": [1, "x"], "b": null}"#);
    for (operation, path, expected) in [
        (0, "$.b", r#"{"a": [1, "x"], "b": 7}"#),
        (0, "$.a[1]", r#"{"a": [1, 7], "b": null}"#),
        (0, "$.a[last]", r#"{"a": [1, 7], "b": null}"#),
        (0, "$.a[last-1]", r#"{"a": [7, "x"], "b": null}"#),
        (1, "$.a[0]", r#"{"a": [7, 1, "x"], "b": null}"#),
        (1, "$.a[99]", r#"{"a": [1, "x", 7], "b": null}"#),
        (1, "$.a[last-9]", r#"{"a": [7, 1, "x"], "b": null}"#),
        (1, "$.aa", r#"{"a": [1, "x"], "b": null, "aa": 7}"#),
        (1, r#"$."A""#, r#"{"A": 7, "a": [1, "x"], "b": null}"#),
        (1, r#"$."\"\u00e4.""#, r#"{"a": [1, "x"], "b": null, "\"ä.": 7}"#),
        (2, "$.a", r#"{"b": null}"#),
        (2, "$.a[0]", r#"{"a": ["x"], "b": null}"#),
    ] {
        let changed = patched(&DOCUMENT, &difference(operation, path, &SEVEN)).unwrap();
        assert_eq!(text(&changed), expected, "{operation} {path}");
    }
}

#[test]
fn differences_are_applied_one_after_the_other() {
    let all = [difference(2, "$.b", &[]), difference(1, "$.b", &DOCUMENT), difference(0, "$.b.a[1]", &SEVEN)];
    let changed = patched(&DOCUMENT, &all.concat()).unwrap();
    assert_eq!(text(&changed), r#"{"a": [1, "x"], "b": {"a": [1, 7], "b": null}}"#);
}

#[test]
fn differences_of_another_document_are_refused() {
    for (operation, path) in [
        (0, "$.c"),
        (0, "$.a[2]"),
        (0, "$.a[last-2]"),
        (0, "$.b[0]"),
        (0, "$[0]"),
        (0, "$.a.x"),
        (1, "$.b"),
        (1, "$.x.y"),
        (2, "$.c"),
        (2, "$.a[2]"),
        (0, "$"),
        (0, "a"),
        (0, "$.a[*]"),
        (0, "$.*"),
        (0, "$.a[0 to 1]"),
        (0, "$**.a"),
        (0, "$.\"a"),
        (0, "$.a[-1]"),
        (0, "$.a[99999999999999999999]"),
        (3, "$.a"),
    ] {
        let refused = patched(&DOCUMENT, &difference(operation, path, &SEVEN));
        assert!(refused.is_err(), "{operation} {path}: {}", text(&refused.unwrap()));
    }
    let deep = "[0]".repeat(80);
    assert!(patched(&DOCUMENT, &difference(0, &format!("${deep}"), &SEVEN)).is_err());
    assert!(patched(&[], &difference(0, "$.a", &SEVEN)).is_err());
    assert!(patched(&DOCUMENT, &difference(0, "$.a", &[])).is_err());
}

#[test]
fn parts_that_lie_over_each_other_do_not_grow_without_bound() {
    // An array of which each element is the same long array.
    let level = |next: u16| {
        let mut array = vec![200, 0, 0xff, 0x7f];
        for _ in 0..200 {
            array.push(2);
            array.extend_from_slice(&next.to_le_bytes());
        }
        array
    };
    let mut bomb = vec![2];
    bomb.extend(level(604));
    bomb.resize(605, 0);
    bomb.extend(level(0));
    bomb.resize(0x8000, 0);
    assert!(patched(&bomb, &difference(0, "$[3][4]", &SEVEN)).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_applied_or_refused(
        mut document in prop::collection::vec(any::<u8>(), 1..100),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        whole in any::<bool>(),
    ) {
        if whole {
            document = DOCUMENT.to_vec();
        }
        let all = [difference(0, "$.a[1]", &DOCUMENT), difference(1, "$.a[1].c", &SEVEN), difference(2, "$.a[0]", &[])];
        let mut all = all.concat();
        for (at, byte) in damage {
            let at = at.index(document.len() + all.len());
            let other = at.saturating_sub(document.len());
            *document.get_mut(at).unwrap_or(&mut all[other]) = byte;
        }
        let limit = 4 * (document.len() + all.len()) + 64;
        if let Ok(changed) = patched(&document, &all) {
            prop_assert!(changed.len() <= limit);
        }
    }
}
