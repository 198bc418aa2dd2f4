use super::marked;

fn with_marks(text: &str, kinds: &str) -> Option<String> {
    let mut scratch = b"from before".to_vec();
    marked(text.as_bytes(), kinds.as_bytes(), &mut scratch)
        .map(|text| String::from_utf8_lossy(text).into_owned())
}

#[test]
fn digits_are_those_of_the_values_container_by_container() {
    // As 9.7.4 lists them.
    let text = r#"{"a": [3, [4, 5], 6], "b": {"x": [1, 2, {"z": 1.5}], "y": 2}, "c": "2020-01-01"}"#;
    let cells = |digits: &str| with_marks(text, &format!("0//{digits}"));
    assert_eq!(with_marks(text, "0//").as_deref(), Some(text));
    assert_eq!(cells("00001"), Some(text.replace("5]", "\t\t5]")));
    assert_eq!(cells("00100002"), None, "an object is no DECIMAL");
    assert_eq!(cells("0010002"), Some(text.replace("6]", "\t\t6]").replace("2, {", "\t2, {")));
    assert_eq!(
        with_marks(text, "0/004002/"),
        Some(text.replace("\"2020", "\t\"2020").replace("1.5", "\t1.5"))
    );
    assert_eq!(with_marks(text, "0/00001/"), Some(text.replace("2}, \"c\"", "\t\t2}, \"c\"")));
}

#[test]
fn a_document_may_be_one_value() {
    assert_eq!(with_marks("5", "1//").as_deref(), Some("\t\t5"));
    assert_eq!(with_marks("18446744073709551615", "1//").as_deref(), Some("18446744073709551615"));
    assert_eq!(with_marks("-1.50", "2//").as_deref(), Some("\t-1.50"));
    assert_eq!(
        with_marks("\"2020-01-01 00:00:00.000000\"", "3//").as_deref(),
        Some("\t\t\"2020-01-01 00:00:00.000000\"")
    );
    assert_eq!(with_marks("\"base64:type15:YQ==\"", "4//").as_deref(), Some("\t\"base64:type15:YQ==\""));
}

#[test]
fn what_contradicts_is_refused() {
    for (text, kinds) in [
        ("5", "3//"),
        ("\"a\"", "2//"),
        ("\"a\"", "1//"),
        ("5", "1/1/"),
        ("[5]", "0//01"),
        ("[5]", "0/1/"),
        ("[5]", "0"),
        ("[5]", "0//1/"),
        ("[5]", "0//x"),
        ("[5]", "//1"),
        ("[5", "0//1"),
        ("true", "4//"),
    ] {
        assert_eq!(with_marks(text, kinds), None, "{text} {kinds}");
    }
}
