use std::collections::BTreeMap;

use proptest::prelude::*;

use super::expand;

fn variables() -> BTreeMap<String, String> {
    [("HOST", "db1"), ("_2", "two"), ("DOLLAR", "${HOST}$$")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

#[test]
fn variables_and_dollars_are_put_in() {
    for (text, expanded) in [
        ("", ""),
        ("plain", "plain"),
        ("${HOST}", "db1"),
        ("a${HOST}b${_2}c", "adb1btwoc"),
        ("pa$$word$$", "pa$word$"),
        ("$${HOST}", "${HOST}"),
        ("$$$$", "$$"),
        ("ö${HOST}ß", "ödb1ß"),
    ] {
        assert_eq!(expand(text, &variables()).as_deref(), Ok(expanded), "{text}");
    }
}

#[test]
fn what_is_put_in_is_not_expanded_again() {
    assert_eq!(expand("${DOLLAR}", &variables()).as_deref(), Ok("${HOST}$$"));
}

#[test]
fn a_dollar_that_is_neither_is_refused() {
    for (text, part) in [
        ("pa$word", "stands alone"),
        ("word$", "stands alone"),
        ("$HOST", "stands alone"),
        ("${HOST", "not closed"),
        ("${}", "not the name"),
        ("${A-B}", "not the name"),
        ("${2}", "not the name"),
        ("${NOPE}", "no variable 'NOPE'"),
    ] {
        let why = expand(text, &variables()).unwrap_err();
        assert!(why.contains(part), "{text}: {why}");
    }
}

proptest! {
    /// Whatever is escaped comes back as it was.
    #[test]
    fn escaped_text_survives(text in ".*") {
        prop_assert_eq!(expand(&text.replace('$', "$$"), &BTreeMap::new()), Ok(text));
    }

    /// An error never quotes the text, which may be a password.
    #[test]
    fn errors_do_not_quote(secret in "[q-z]{12}") {
        let why = expand(&format!("{secret}$ {secret}"), &BTreeMap::new()).unwrap_err();
        prop_assert!(!why.contains(&secret));
    }
}
