use super::*;

fn strings<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

#[test]
fn every_index_of_an_enum_has_its_own_text() {
    let members = Members::of_enum(&strings(["", "a", "a"]), true);
    let texts: Vec<&str> = (0..4).map(|i| members.text(i).unwrap()).collect();
    assert_eq!(texts, ["\0", "", "a", "a\0"]);
    for index in 0..4 {
        assert_eq!(members.index(members.text(index).unwrap()), Some(index));
    }
    assert_eq!(members.text(4), None);
    assert_eq!(members.index("b"), None);
}

#[test]
fn an_enum_without_an_empty_member_is_debeziums() {
    let members = Members::of_enum(&strings(["a", "b"]), true);
    assert_eq!(members.text(0), Some(""));
    assert_eq!(members.index(""), Some(0));
}

#[test]
fn without_distinct_texts_the_member_wins() {
    let members = Members::of_enum(&strings(["", "a"]), false);
    assert_eq!((members.text(0), members.text(1)), (Some(""), Some("")));
    assert_eq!(members.index(""), Some(1));
}

#[test]
fn sets_join_and_split() {
    let members = Members::of_set(&strings(["", "a", "b"]), true);
    for bits in 0..8 {
        let mut text = Vec::new();
        members.join(bits, &mut text).unwrap();
        assert_eq!(members.bits(&String::from_utf8(text).unwrap()), Some(bits));
    }
    assert_eq!(members.join(8, &mut Vec::new()), None);
    assert_eq!(members.bits("a,x"), None);
}

#[test]
fn a_set_of_64_members_is_whole() {
    let names: Vec<String> = (0..64).map(|n| format!("m{n}")).collect();
    let members = Members::of_set(&names, true);
    let mut text = Vec::new();
    members.join(u64::MAX, &mut text).unwrap();
    assert_eq!(members.bits(&String::from_utf8(text).unwrap()), Some(u64::MAX));
}
