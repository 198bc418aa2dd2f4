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
fn a_lossy_mode_says_what_it_loses() {
    let losses = |pairs: &[(&str, &str)]| Modes::from_options(&options(pairs)).unwrap().losses();
    assert_eq!(losses(&[]), Vec::<String>::new());
    for (option, value) in [
        ("decimal.handling.mode", "double"),
        ("bigint.unsigned.handling.mode", "long"),
        ("time.precision.mode", "adaptive_time_microseconds"),
        ("time.precision.mode", "connect"),
        ("time.precision.mode", "isostring"),
        ("time.precision.mode", "microseconds"),
        ("time.precision.mode", "nanoseconds"),
    ] {
        let said = losses(&[(option, value)]);
        assert!(said.len() == 1 && said[0].contains(option), "{said:?}");
    }
    let said = losses(&[("profile", "debezium"), ("binary.handling.mode", "hex")]);
    let options = ["bigint.unsigned.handling.mode", "time.precision.mode", "binary.handling.mode", "profile"];
    assert_eq!(said.len(), options.len(), "{said:?}");
    assert!(options.iter().zip(&said).all(|(option, said)| said.contains(option)), "{said:?}");
    assert!(said[3].contains("JSON") && said[3].contains("ENUM") && said[3].contains("SET"), "{said:?}");
}

#[test]
fn expressions_are_read_and_told_where_they_are_wrong() {
    let modes = Modes::from_options(&options(&[
        ("message.key.columns", r"shop\.t:a"),
        ("column.propagate.source.type", r"shop\.t\.(a|b),shop\.u\..*"),
    ]))
    .unwrap();
    assert!(modes.key_columns.concern(&cdc_sdk::TableName::new("Shop", "T")));
    assert!(
        modes.propagate_source_type.matches("shop.t.B") && !modes.propagate_source_type.matches("shop.t.c")
    );
    let none = Modes::from_options(&options(&[("column.propagate.source.type", "")])).unwrap();
    assert!(!none.propagate_source_type.matches("shop.t.a"));
    assert!(Modes::default().propagate_source_type.matches("shop.t.a"), "ours tell all types");
    let error = Modes::from_options(&options(&[
        ("message.key.columns", "shop.t"),
        ("column.propagate.source.type", "shop.(t"),
    ]))
    .unwrap_err();
    let text = error.to_string();
    assert!(text.contains("database.table:column") && text.contains("unclosed group"), "{text}");
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
