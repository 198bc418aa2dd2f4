use super::*;

fn table(name: &str) -> TableName {
    TableName::new("shop", name)
}

fn filling() -> Filling {
    let begun = beginning("shop", "crm", &[table("a"), table("b")]);
    assert_eq!(begun.len(), 3);
    let places = begun.into_iter().map(|p| ((p.topic, p.partition), p.offset)).collect();
    assert!(is_being_filled("shop", "crm", &places) && !is_being_filled("shop", "erp", &places));
    Filling::of("shop", "crm", &places)
}

#[test]
fn changes_are_passed_over_until_their_table_is_emptied() {
    let mut filling = filling();
    assert!(!filling.admits("shop.shop.a", Op::Update, &table("a")));
    assert!(filling.admits("shop.shop.made_later", Op::Create, &table("made_later")));
    assert!(filling.take_moved().is_empty());
    assert!(filling.admits("shop.snapshot-for-crm", Op::Truncate, &table("a")));
    assert_eq!(filling.take_moved(), [(("shop.shop.a".to_owned(), -1), 1)]);
    assert!(filling.admits("shop.shop.a", Op::Update, &table("a")));
    assert!(filling.admits("shop.snapshot-for-crm", Op::Read, &table("a")));
    assert!(!filling.admits("shop.shop.b", Op::Delete, &table("b")), "the other one waits");
}

#[test]
fn a_truncation_for_everybody_empties_it_too() {
    let mut filling = filling();
    assert!(filling.admits("shop.shop.b", Op::Truncate, &table("b")));
    assert!(filling.admits("shop.shop.b", Op::Read, &table("b")), "read anew for everybody");
    assert_eq!(filling.take_moved().len(), 1);
}

#[test]
fn it_ends_with_its_mark_and_outlasts_a_restart_until_then() {
    let mut filling = filling();
    assert!(filling.is_open() && filling.mark(Mark::Stopped).is_err());
    assert!(filling.mark(Mark::Through).is_ok());
    assert!(!filling.is_open());
    let places: HashMap<_, _> = filling.take_moved().into_iter().collect();
    assert_eq!(places, HashMap::from([(("shop.snapshot-for-crm".to_owned(), -1), 1)]));
    let mut later = Filling::of("shop", "crm", &places);
    assert!(
        !later.is_open() && !later.concerns("shop.snapshot-for-crm"),
        "what a replay meets of it is past"
    );
    assert!(later.admits("shop.shop.a", Op::Update, &table("a")));
}

#[test]
fn what_is_for_others_does_not_concern_it() {
    let filling = filling();
    assert!(filling.concerns("shop.shop.a") && filling.concerns("shop.snapshot-for-crm"));
    assert!(!filling.concerns("shop.snapshot-for-erp"));
    let idle = Filling::of("shop", "crm", &HashMap::new());
    assert!(idle.concerns("shop.shop.a"));
    assert!(!idle.concerns("shop.snapshot-for-crm"), "asked for by somebody whose ledger was not set");
}
