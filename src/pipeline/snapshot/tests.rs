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
fn what_was_given_up_is_shown_though_all_tables_are_read() {
    let mut recovered = recovered();
    recovered.snapshot.truncate(1);
    for sink in [Some("crm".to_owned()), None] {
        let (table, why) = ("shop.t".to_owned(), "locked".to_owned());
        recovered.taken.gave_up(GivenUp { sink, table, tables: 3, why });
    }
    assert_eq!(
        shown("shop", &recovered),
        "snapshots of source 'shop': 1 of 1 tables are read\n  for sink 'crm' alone: given up, 3 tables, since of \
         shop.t: locked\n  shop.t, once more: given up: locked\n"
    );
    let json: Json = serde_json::from_str(&shown_json(&recovered)).unwrap();
    assert_eq!(json["given_up"][0]["sink"], "crm");
}

#[test]
fn as_json_every_table_is_there() {
    let json: Json = serde_json::from_str(&shown_json(&recovered())).unwrap();
    assert_eq!(json["paused"], false);
    assert_eq!(json["tables"].as_array().unwrap().len(), 3);
    assert_eq!(json["tables"][2]["again"]["condition"], "id > 5");
}
