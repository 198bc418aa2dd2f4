use std::collections::HashMap;

use super::*;

#[test]
fn topics_with_events_are_those_of_tables_and_of_sinks() {
    let topics = [
        "eu",
        "eu.control",
        "eu.cuts",
        "eu.dead-letter",
        "eu.shop.cuts",
        "eu.shop.shop.orders",
        "eu.shop.state",
        "eu.shops.orders",
        "eu.shops.orders.v2",
        "eu.snapshot-for-crm",
        "eu.state",
        "eu.transaction",
        "eu2.shop.orders",
    ];
    let [first, second] = ["eu", "eu.shop"].map(|prefix| with_events(prefix, &topics));
    assert_eq!(first, ["eu.shops.orders", "eu.shops.orders.v2", "eu.snapshot-for-crm"]);
    assert_eq!(second, ["eu.shop.shop.orders"]);
    // A table of that name is no other prefix.
    assert_eq!(with_events("eu", &["eu.shop.cuts", "eu.shop.orders"]), ["eu.shop.cuts", "eu.shop.orders"]);
}

#[test]
fn a_state_that_lacks_a_topic_of_the_cuts_was_lost() {
    let recovered = |named: &[&str], pins: &[&str]| Recovered {
        named: named.iter().map(|topic| (*topic).to_owned()).collect(),
        pins: pins.iter().map(|topic| ((*topic).to_owned(), 1)).collect::<HashMap<_, _>>(),
        ..Recovered::default()
    };
    let lost = |named: &[&str], pins: &[&str]| refuse_lost_state("p", &recovered(named, pins)).err();
    assert!(lost(&[], &[]).is_none());
    assert!(lost(&["p.d.t", "p.snapshot-for-crm"], &["p.d.t", "p.d.gone"]).is_none());
    for pins in [&[][..], &["p.d.t"]] {
        let error = lost(&["p.d.t", "p.d.u"], pins).unwrap();
        assert_eq!(error.kind(), Kind::CutsMissing);
        assert!(error.to_string().contains("p.d.u"), "{error}");
    }
}
