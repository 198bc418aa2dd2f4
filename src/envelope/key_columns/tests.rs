use cdc_sdk::Column;
use cdc_sdk::column::{ColumnType, Width};

use super::*;

fn table(database: &str, name: &str, columns: &[&str]) -> Table {
    let ty = ColumnType::Integer { width: Width::Int, unsigned: false };
    let column = |name: &&str| Column {
        name: (*name).to_owned(),
        ty: ty.clone(),
        nullable: false,
        charset: None,
        collation: None,
        extra: Default::default(),
    };
    Table {
        version: Table::VERSION,
        chosen_key: None,
        name: TableName::new(database, name),
        columns: columns.iter().map(column).collect(),
        keys: Vec::new(),
        collation: None,
        comment: String::new(),
    }
}

#[test]
fn columns_stand_in_the_order_of_the_option() {
    let option = KeyColumns::parse(r" shop\.orders:note,ID ;(.*).lines:order_id;shop.line.:no;").unwrap();
    let columns = |table: &Table| option.columns(table).unwrap();
    assert_eq!(columns(&table("shop", "orders", &["id", "customer", "note"])), Some(vec![2, 0]));
    // The whole name, either case, a dot that is any letter.
    assert_eq!(columns(&table("Shop", "ORDERS", &["id", "note"])), Some(vec![1, 0]));
    assert_eq!(columns(&table("shop", "orders2", &["id", "note"])), None);
    assert_eq!(columns(&table("my_shop", "orders", &["id", "note"])), None);
    // Of two entries for a table the columns of the second follow.
    assert_eq!(columns(&table("shop", "lines", &["no", "order_id"])), Some(vec![1, 0]));
    assert_eq!(option.idle(&[&TableName::new("shop", "lines")]), [r"shop\.orders:note,ID"]);
}

#[test]
fn a_column_that_is_not_there_is_named() {
    let option = KeyColumns::parse("shop.orders:id,custmer").unwrap();
    let error = option.columns(&table("shop", "orders", &["id", "customer"])).unwrap_err();
    assert_eq!(error.kind(), Kind::RecordKey);
    assert!(error.what().contains("shop.orders") && error.what().contains("custmer"), "{error}");
}

#[test]
fn another_form_is_refused() {
    for text in ["", ";", "shop.orders", "shop.orders:", ":id", "shop.orders:id,", "a:b:c"] {
        let told = KeyColumns::parse(text).unwrap_err();
        assert!(told.contains("is not of the form"), "{text}: {told}");
    }
    assert!(KeyColumns::parse("shop.(orders:id").unwrap_err().contains("no regular expression"));
}
