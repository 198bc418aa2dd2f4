use super::*;

fn list(text: &str) -> RegexList {
    RegexList::parse(text).unwrap()
}

#[test]
fn an_expression_means_the_whole_name_in_either_case() {
    let list = list(r"shop\.orders\.(id|note)");
    assert!(list.matches("shop.orders.id"));
    assert!(list.matches("Shop.ORDERS.Note"));
    for other in ["shop.orders.id2", "my_shop.orders.id", "shopxorders.id", "shop.orders.id\n"] {
        assert!(!list.matches(other), "{other:?}");
    }
    // Without brackets around it the one end would belong to the one side only.
    assert!(!self::list("a|b").matches("ax"));
}

#[test]
fn commas_stand_between_unless_a_backslash_is_before() {
    let list = list(r" a.b.c , x.{1\,2}y,z\\");
    for name in ["a.b.c", "x1y", "x12y", r"z\"] {
        assert!(list.matches(name), "{name}");
    }
    for name in ["xy", "x123y", "", ","] {
        assert!(!list.matches(name), "{name}");
    }
    assert_eq!(RegexList::parse(" ").unwrap(), RegexList::default());
    assert!(!RegexList::default().matches("a.b.c"));
    assert!(RegexList::every().matches("a.b.ç"));
}

#[test]
fn what_is_none_is_told_with_the_reason() {
    for (text, why) in [("a,(b", "unclosed group"), ("a)|(b", "unopened group"), ("(?!a).*", "look-around")] {
        let told = RegexList::parse(text).unwrap_err();
        assert!(told.contains("is no regular expression") && told.contains(why), "{told}");
    }
}
