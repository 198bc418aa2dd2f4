use super::{Problems, nearest, suggestion};

#[test]
fn the_nearest_name_is_found_within_a_third() {
    let names = ["host", "port", "user", "password", "password_file"];
    assert_eq!(nearest("prot", names), Some("port"));
    assert_eq!(nearest("PASWORD", names), Some("password"));
    assert_eq!(nearest("passwordfile", names), Some("password_file"));
    assert_eq!(nearest("colour", names), None);
}

#[test]
fn without_a_near_name_all_are_listed() {
    assert_eq!(suggestion("x", &["key", "transaction"]), "; there are: key, transaction");
}

#[test]
fn problems_come_in_the_order_of_the_lines_and_once() {
    let mut problems = Problems::of("a.toml");
    problems.note(None, "c");
    problems.note(Some(9), "b");
    problems.note(Some(2), "a");
    problems.note(Some(2), "a");
    let error = problems.into_result(()).unwrap_err().to_string();
    assert!(error.contains("a.toml: 3 settings are wrong"), "{error}");
    assert!(error.contains("line 2: a\n          line 9: b\n          c"), "{error}");
}

#[test]
fn nothing_noted_lets_the_value_out() {
    assert_eq!(Problems::of("a.toml").into_result(7).unwrap(), 7);
}
