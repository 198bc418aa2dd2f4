use super::*;

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap()
}

fn name(database: &str, table: &str) -> TableName {
    TableName::new(database, table)
}

#[test]
fn wildcards_stay_on_their_side_of_the_dot() {
    assert!(pattern("shop.*").matches(&name("shop", "orders")));
    assert!(!pattern("shop.*").matches(&name("shopping", "orders")));
    assert!(!pattern("s*.orders").matches(&name("shop", "x.orders")));
    assert!(pattern("shop.order?").matches(&name("shop", "orders")));
    assert!(!pattern("shop.order?").matches(&name("shop", "order")));
    assert!(pattern("*.*a*b*").matches(&name("x", "1a2ab3")));
    assert!(!pattern("*.*a*b").matches(&name("x", "ab3")));
    assert!(pattern("shop.日?").matches(&name("shop", "日本")));
    assert!(!pattern("shop.a").matches(&name("shop", "ab")));
    assert!(!pattern("shop.ab").matches(&name("shop", "a")));
}

#[test]
fn backticks_hold_dots_and_stars() {
    let p = pattern("`my.db`.`a*``b`_*");
    assert!(p.matches(&name("my.db", "a*`b_1")));
    assert!(!p.matches(&name("my.db", "axx`b_1")));
    assert_eq!(p.to_string(), "`my.db`.`a*``b_`*");
    assert_eq!(pattern(&p.to_string()), p);
}

#[test]
fn what_is_no_pattern_is_refused() {
    for wrong in ["", "shop", "*", ".x", "x.", "a.b.c", "`a.b", "a.`b"] {
        assert_eq!(Pattern::parse(wrong).unwrap_err().kind(), Kind::Settings, "{wrong}");
    }
}

#[test]
fn exact_only_without_wildcards() {
    assert_eq!(pattern("`a.b`.c").exact(), Some(name("a.b", "c")));
    assert_eq!(pattern("a.c?").exact(), None);
}

#[test]
fn internal_databases_must_be_spelled_out() {
    let all = Selection { include: vec![pattern("*.*")], exclude: vec![pattern("shop.tmp_*")] };
    assert!(all.selects(&name("shop", "orders")));
    assert!(!all.selects(&name("shop", "tmp_1")));
    for internal in ["mysql", "sys", "INFORMATION_SCHEMA", "performance_schema", "cdc"] {
        assert!(!all.selects(&name(internal, "x")), "{internal}");
    }
    let spelled = Selection { include: vec![pattern("cdc.*")], exclude: Vec::new() };
    assert!(spelled.selects(&name("cdc", "x")));
    assert!(!Selection::default().selects(&name("shop", "orders")));
}

#[test]
fn routes_carry_what_the_wildcards_matched() {
    let route = |from, to| Route::new(pattern(from), pattern(to)).unwrap();
    assert_eq!(route("shop.*", "crm.*").apply(&name("shop", "orders")), Some(name("crm", "orders")));
    assert_eq!(route("shop.*", "crm.*").apply(&name("other", "orders")), None);
    assert_eq!(route("s*p.*_*", "*.*x*").apply(&name("shop", "a_b_c")), Some(name("ho", "axb_c")));
    assert_eq!(route("d?.t", "e?.t").apply(&name("d7", "t")), Some(name("e7", "t")));
    assert!(Route::new(pattern("shop.a"), pattern("crm.*")).is_err());
}

#[test]
fn many_stars_do_not_explode() {
    let p = pattern(&format!("d.{}b", "*a".repeat(60)));
    assert!(!p.matches(&name("d", &"a".repeat(5000))));
}
