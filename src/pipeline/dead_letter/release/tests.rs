use std::sync::Arc;

use bytes::Bytes;
use cdc_mysql_sink::Why;
use cdc_sdk::cut::Place;

use super::*;

fn held(table: &str, key: &str, shown: &str) -> Held {
    let place = Place { topic: "t".into(), partition: 0, offset: 0 };
    Held {
        table: TableName::new("shop", table),
        key: Some(Bytes::copy_from_slice(key.as_bytes())),
        made_of: None,
        shown: shown.into(),
        why: Arc::new(Why { code: "E050".into(), text: "too long".into() }),
        since_us: 0,
        letters: 1,
        first: place.clone(),
        last: place,
        letters_from: 0,
    }
}

fn named(key: &str) -> Chosen {
    Chosen { table: None, key: Some(key.to_owned()) }
}

fn found(all: &[Held], key: &str) -> Vec<Held> {
    of_all(&all.iter().collect::<Vec<_>>(), &named(key))
}

#[test]
fn keys_that_begin_alike_are_told_apart() {
    let long = |end: &str| format!("id='{}{end}'", "x".repeat(300));
    let [one, two] = ["1", "2"].map(long);
    let all = [held("t", "1", &key_text(&one)), held("t", "2", &key_text(&two)), held("t", "3", "id='3'")];
    assert_ne!(all[0].shown, all[1].shown);
    assert!(all[0].shown.chars().count() <= 200, "as much as there is room for");
    for (index, whole) in [&one, &two].into_iter().enumerate() {
        assert_eq!(found(&all, whole), [all[index].clone()], "whole");
        assert_eq!(found(&all, &all[index].shown), [all[index].clone()], "as it is shown");
    }
    assert_eq!(found(&all, "id='3'").len(), 1);
    assert!(found(&all, &long("3")).is_empty());
}

#[test]
fn texts_that_were_cut_without_a_hash_name_one_key_or_none() {
    let cut = format!("id='{}", "x".repeat(196));
    let alone = [held("t", "1", &cut), held("u", "1", &cut)];
    let both = found(&alone, &cut);
    assert!(both.len() == 2 && meant_twice(&both, &named(&cut)).is_none(), "one of each table");
    let alike = [alone[0].clone(), held("t", "2", &cut)];
    let both = found(&alike, &cut);
    assert_eq!(meant_twice(&both, &named(&cut)), Some(&TableName::new("shop", "t")));
    assert!(meant_twice(&both, &Chosen::default()).is_none(), "all were asked for");
}
