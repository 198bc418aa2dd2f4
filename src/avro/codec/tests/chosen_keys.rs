//! Records with a key that the user chose.

use serde_json::json;

use super::*;
use crate::envelope::RegexList;

/// Columns a, b and c, of which c may be NULL; the rows' identity and the key that was chosen.
fn chosen(identity: &[usize], key: &[usize]) -> TableCodec {
    let text = ColumnType::Varchar { length: 20 };
    let columns = vec![column("a", int(), false), column("b", text, false), column("c", int(), true)];
    let table = Table {
        version: Table::VERSION_CHOSEN_KEY,
        chosen_key: Some(key.to_vec()),
        ..(*table("d", "t", columns, identity)).clone()
    };
    let mut codec = TableCodec::new(&Arc::new(table), &Modes::default(), "p.d.t").unwrap();
    codec.set_ids(Some(1), 2);
    codec
}

/// A message: its key's datum, the same as far as it chooses the partition, its op (none: a tombstone), and by what a
/// sink knows its row.
type Seen = (Vec<u8>, Option<Vec<u8>>, Option<Op>, Option<Bytes>);

fn seen(codec: &TableCodec, change: &RowChange<OwnedRow>) -> Vec<Seen> {
    let plan = Arc::new(Plan::parse(codec.value_schema()).unwrap());
    let (origin, mut all) = (origin(), Vec::new());
    let mut emit = |out: Outgoing<'_>| {
        let decoded = out.value.map(|value| plan.decode(&Bytes::copy_from_slice(value)).unwrap());
        let told = decoded.as_ref().and_then(|decoded| plan.event_key(decoded).unwrap());
        judged(codec.key_schema().unwrap(), out.key.unwrap());
        let spread = out.key_datum.map(<[u8]>::to_vec);
        all.push((out.key.unwrap()[5..].to_vec(), spread, decoded.map(|decoded| decoded.op), told));
        Ok(())
    };
    codec.encode(change, &meta(&origin), &mut Scratch::default(), &mut emit).unwrap();
    all
}

fn row(a: i64, b: &'static str, c: Value<'static>) -> OwnedRow {
    [Value::Int(a), Value::Text(b), c].map(OwnedValue::from).to_vec()
}

fn update(before: OwnedRow, after: OwnedRow) -> RowChange<OwnedRow> {
    change(Op::Update, Some(before), Some(after))
}

fn ops(seen: &[Seen]) -> Vec<Option<Op>> {
    seen.iter().map(|(_, _, op, _)| *op).collect()
}

const NULL: Value<'static> = Value::Null;

#[test]
fn a_shared_key_has_no_tombstones_and_its_rows_are_told_apart_by_the_identity() {
    let codec = chosen(&[0, 1], &[1]);
    let kept = seen(&codec, &update(row(1, "x", NULL), row(1, "x", Value::Int(5))));
    let identity = Bytes::from_static(&[2, 2, b'x']);
    assert_eq!(kept, [(vec![2, b'x'], Some(vec![2, b'x']), Some(Op::Update), Some(identity.clone()))]);
    let deleted = seen(&codec, &change(Op::Delete, Some(row(1, "x", NULL)), None));
    assert_eq!(deleted, [(vec![2, b'x'], Some(vec![2, b'x']), Some(Op::Delete), Some(identity.clone()))]);
    // Another row, under the same key of records, and under another.
    for (to, key) in [("x", [2, b'x']), ("y", [2, b'y'])] {
        let moved = seen(&codec, &update(row(1, "x", NULL), row(2, to, NULL)));
        assert_eq!(ops(&moved), [Some(Op::Delete), Some(Op::Create)]);
        assert_eq!((moved[0].0.as_slice(), moved[1].0.as_slice()), (&[2, b'x'][..], &key[..]));
        assert_eq!(moved[0].3, Some(identity.clone()));
        assert_eq!(moved[1].3, Some(Bytes::from([&[4][..], &key[..]].concat())));
    }
}

#[test]
fn a_key_with_more_than_the_identity_changes_with_any_of_it() {
    let codec = chosen(&[0], &[2, 0]);
    let kept = seen(&codec, &update(row(1, "x", Value::Int(3)), row(1, "y", Value::Int(3))));
    // c as a union, then a; a sink has the identity first.
    let told = Some(Bytes::from_static(&[2, 2, 6]));
    assert_eq!(kept, [(vec![2, 6, 2], Some(vec![2, 6, 2]), Some(Op::Update), told)]);
    let moved = seen(&codec, &update(row(1, "x", Value::Int(3)), row(1, "x", NULL)));
    assert_eq!(ops(&moved), [Some(Op::Delete), None, Some(Op::Create)]);
    assert_eq!((moved[1].0.as_slice(), moved[2].0.as_slice()), (&[2, 6, 2][..], &[0, 2][..]));
}

#[test]
fn rows_without_identity_stay_in_one_partition() {
    let codec = chosen(&[], &[1]);
    let kept = seen(&codec, &update(row(1, "x", NULL), row(2, "x", NULL)));
    assert_eq!(kept, [(vec![2, b'x'], None, Some(Op::Update), None)]);
    let moved = seen(&codec, &update(row(1, "x", NULL), row(1, "y", NULL)));
    assert_eq!(ops(&moved), [Some(Op::Delete), Some(Op::Create)]);
    let deleted = seen(&codec, &change(Op::Delete, Some(row(1, "x", NULL)), None));
    assert_eq!(ops(&deleted), [Some(Op::Delete)], "no tombstone");
}

/// As Debezium has it: a record `Key` with the columns in the order of the option.
#[test]
fn the_keys_schema_has_the_chosen_columns_in_their_order() {
    let codec = chosen(&[0], &[2, 0]);
    let key: serde_json::Value = serde_json::from_str(codec.key_schema().unwrap()).unwrap();
    let expected = json!({
        "type": "record", "name": "Key", "namespace": "p.d.t",
        "fields": [
            {"name": "c", "type": ["null", "int"], "default": null},
            {"name": "a", "type": "int"},
        ],
        "connect.name": "p.d.t.Key",
    });
    assert_eq!(key, expected);
    let plan = Plan::parse(codec.value_schema()).unwrap();
    assert_eq!(plan.table(), codec.table());
}

/// What an older program would take for the row's key it must not read.
#[test]
fn a_carried_key_has_a_version_of_its_own() {
    let codec = chosen(&[0, 1], &[1]);
    let schema = codec.value_schema();
    assert!(schema.contains(r#""cdc.table":{"version":2,"#), "{schema}");
    for wrong in [
        schema.replace(r#""cdc.table":{"version":2,"#, r#""cdc.table":{"version":1,"#),
        schema.replace(r#""chosen_key":[1]"#, r#""chosen_key":[3]"#),
        schema.replace(r#""chosen_key":[1]"#, r#""chosen_key":[]"#),
        schema.replace(r#","chosen_key":[1]"#, ""),
    ] {
        assert_ne!(wrong, schema);
        assert!(Plan::parse(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn only_the_chosen_columns_tell_their_source_types() {
    let table = table("Shop", "t", vec![column("a", int(), false), column("b", int(), true)], &[0]);
    let typed = |list: &str| {
        let modes = Modes { propagate_source_type: RegexList::parse(list).unwrap(), ..Modes::debezium() };
        let codec = TableCodec::new(&table, &modes, "p.shop.t").unwrap();
        assert!(!codec.key_schema().unwrap().contains("__debezium"), "keys tell none");
        ["a", "b"].map(|name| {
            codec.value_schema().contains(&format!("\"__debezium.source.column.name\":\"{name}\""))
        })
    };
    assert_eq!(typed(r"shop\.t\.B"), [false, true]);
    assert_eq!(typed(r"other\..*,shop.t.(a|b)"), [true, true]);
    assert_eq!(typed(r"t\.a,a,shop\.t"), [false, false]);
    assert_eq!(typed(""), [false, false]);
}
