use cdc_sdk::change::RowChange;
use cdc_sdk::{OwnedRow, OwnedValue, Value};

use super::*;
use crate::avro::sample::{column, int, meta, origin, table};
use crate::avro::{Outgoing, Scratch, TableCodec};
use crate::envelope::Modes;

/// A plan and an event of a table of one column.
fn plan_and_event(name: &str, modes: &Modes) -> (Arc<Plan>, Bytes) {
    let table = table("d", name, vec![column("id", int(), false)], &[0]);
    let topic = envelope::topic_name("p", &table.name);
    let codec = TableCodec::new(&table, modes, &topic).unwrap();
    let row: OwnedRow = vec![OwnedValue::Plain(Value::Int(1))];
    let (mut event, origin) = (Bytes::new(), origin());
    let mut emit = |out: Outgoing<'_>| {
        event = Bytes::copy_from_slice(out.value.unwrap());
        Ok(())
    };
    let change = RowChange { op: Op::Create, before: None, after: Some(row) };
    codec.encode(&change, &meta(&origin), &mut Scratch::default(), &mut emit).unwrap();
    (Arc::new(Plan::parse(codec.value_schema()).unwrap()), event)
}

#[test]
fn a_schema_that_is_anothers_is_refused_though_it_could_be_read() {
    let ((a, event), (b, of_b)) =
        (plan_and_event("a", &Modes::default()), plan_and_event("b", &Modes::default()));
    assert!(b.decode(&event).is_ok(), "nothing else tells");
    for topic in ["p.d.a", "p.d.a.v2", "p.snapshot-for-crm"] {
        refuse_strange("p", topic, 7, &a, &event).unwrap();
        let refused = refuse_strange("p", topic, 7, &b, &event).unwrap_err();
        assert_eq!(refused.kind(), Kind::SchemaRefused, "{topic}: {refused}");
    }
    assert_eq!(refuse_strange("p", "p.d.a", 7, &b, &of_b).unwrap_err().kind(), Kind::SchemaRefused);
}

#[test]
fn a_schema_that_carries_no_table_is_named_after_its_topic() {
    let (plan, event) = plan_and_event("t-1", &Modes::debezium());
    let whose = plan.decode_with_source(&event).unwrap().1;
    assert_eq!((whose.database, whose.table, whose.source), ("d", "t-1", meta(&origin()).server_name));
    let check = |topic, whose| refuse_strange_guess("p", topic, 7, &plan, whose).map_err(|e| e.kind());
    check("p.d.t-1", whose).unwrap();
    check("p.snapshot-for-crm", whose).unwrap();
    // Both come to one name in Avro: the topic tells.
    check("p.d.t_1", Whose { table: "t_1", ..whose }).unwrap();
    assert_eq!(check("p.d.t_1", whose), Err(Kind::SchemaRefused));
    assert_eq!(check("p.d.u", Whose { table: "u", ..whose }), Err(Kind::SchemaRefused));
    assert_eq!(check("p.snapshot-for-crm", Whose { table: "u", ..whose }), Err(Kind::SchemaRefused));
}

#[test]
fn events_of_one_source_are_followed() {
    assert!(!is_another("rdzw", None, "rdzw.d.t", "rdzw"));
    assert!(is_another("rdzw", None, "rdzw.eu.d.t", "rdzw.eu"), "its own topic, by a longer prefix");
    assert!(!is_another("shop", None, "shop.d.t", "renamed"), "topics that were renamed on their way");
    assert!(is_another("shop", Some("renamed"), "shop.d.t", "another"));
}
