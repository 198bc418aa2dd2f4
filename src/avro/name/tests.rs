use super::*;
use crate::avro::sample::{column, int};

fn fields_of(names: &[&str]) -> Vec<String> {
    let columns: Vec<Column> = names.iter().map(|n| column(n, int(), false)).collect();
    fields(&columns)
}

#[test]
fn names_become_legal() {
    assert_eq!(namespace("my-shop.2nd.t$x"), "my_shop._2nd.t_x");
    assert_eq!(fields_of(&["id", "first name", "1st", "straße"]), ["id", "first_name", "_1st", "stra_e"]);
}

#[test]
fn columns_never_become_one_field() {
    assert_eq!(fields_of(&["a-b", "a_b", "a b"]), ["_a_u002db", "a_b", "_a_u0020b"]);
    let all = fields_of(&["a-b", "a.b", "_a_u002db"]);
    let distinct: HashSet<&String> = all.iter().collect();
    assert_eq!(distinct.len(), 3, "{all:?}");
}
