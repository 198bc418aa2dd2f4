use cdc_mysql_source::TableProgress;
use cdc_sdk::TableName;

use super::*;

fn recovered() -> Recovered {
    let table =
        |name: &str, state, again| TableProgress { table: TableName::new("shop", name), state, again };
    let asked = Again { condition: Some("id > 5".into()), ..Again::default() };
    Recovered {
        snapshot: vec![
            table("done", TableState::Done { rows: 7 }, None),
            table("first", TableState::Pending, None),
            table("more", TableState::Pending, Some(asked)),
        ],
        ..Recovered::default()
    }
}

#[test]
fn what_is_not_done_is_shown_with_the_reason() {
    assert_eq!(
        shown("shop", &recovered()),
        "snapshots of source 'shop': 1 of 3 tables are read\n  shop.first: waits\n  \
         shop.more: waits, once more, where id > 5\n"
    );
}

#[test]
fn as_json_every_table_is_there() {
    let json: Json = serde_json::from_str(&shown_json(&recovered())).unwrap();
    assert_eq!(json["paused"], false);
    assert_eq!(json["tables"].as_array().unwrap().len(), 3);
    assert_eq!(json["tables"][2]["again"]["condition"], "id > 5");
}
