use super::*;

fn options(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

#[test]
fn nothing_said_is_lossless() {
    assert_eq!(Modes::from_options(&options(&[])).unwrap(), Modes::default());
}

#[test]
fn options_stand_on_their_profile() {
    let modes = Modes::from_options(&options(&[
        ("profile", "debezium"),
        ("decimal.handling.mode", "string"),
        ("tombstones.on.delete", "false"),
    ]))
    .unwrap();
    let expected = Modes { decimal: DecimalMode::Text, tombstones_on_delete: false, ..Modes::debezium() };
    assert_eq!(modes, expected);
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let error = Modes::from_options(&options(&[
        ("decimal.handling.mod", "string"),
        ("time.precision.mode", "adaptive"),
        ("zzz", "1"),
    ]))
    .unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind(), Kind::Settings);
    assert!(text.contains("did you mean \"decimal.handling.mode\""), "{text}");
    assert!(text.contains("adaptive_time_microseconds"), "{text}");
    assert!(text.contains("\"zzz\" is not known"), "{text}");
}
