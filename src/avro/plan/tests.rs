use bytes::Bytes;
use cdc_sdk::column::{BlobSize, Width};
use cdc_sdk::{Column, ColumnType, Row, Value};
use proptest::prelude::*;

use super::*;
use crate::avro::sample::{column, int, orders, table};
use crate::avro::{TableCodec, frame_id};
use crate::envelope::{BinaryMode, Modes, RegexList};

const KEY: &str = include_str!("../../../tests/golden/wire/key.avsc");
const VALUE: &str = include_str!("../../../tests/golden/wire/value.avsc");

fn types(plan: &Plan) -> Vec<ColumnType> {
    plan.table().columns.iter().map(|c| c.ty.clone()).collect()
}

#[test]
fn debeziums_schema_is_read_without_a_table_in_it() {
    let plan = Plan::parse_with_key(VALUE, Some(KEY)).unwrap();
    assert!(!plan.carries_table());
    let table = plan.table();
    assert_eq!(table.name, TableName::new("inventory", "orders"));
    assert_eq!(table.identity(), Some(vec![0]));
    let status = ColumnType::Enum { members: ["new", "paid", "shipped"].map(str::to_owned).to_vec() };
    let expected = vec![
        int(),
        ColumnType::Text { size: BlobSize::Long },
        ColumnType::Decimal { precision: 10, scale: 2, unsigned: false },
        ColumnType::Datetime { fsp: 6 },
        ColumnType::Timestamp { fsp: 6 },
        status,
        ColumnType::Json,
    ];
    assert_eq!(types(&plan), expected);
    assert_eq!(
        table.columns.iter().map(|c| c.nullable).collect::<Vec<_>>(),
        [false, false, true, false, false, false, true]
    );
}

#[test]
fn a_text_in_a_guessed_key_is_one_that_a_key_can_stand_on() {
    let text = ColumnType::Varchar { length: 10 };
    let columns =
        vec![column("a-b", text.clone(), false), column("c", text.clone(), false), column("d", text, true)];
    let codec = TableCodec::new(&table("d", "t", columns, &[0, 1]), &Modes::debezium(), "p.d.t").unwrap();
    let plan = Plan::parse_with_key(codec.value_schema(), codec.key_schema()).unwrap();
    let plan = plan.named(TableName::new("d", "t-1"));
    assert_eq!(plan.table().name.table, "t-1");
    assert_eq!(plan.table().identity(), Some(vec![0, 1]));
    let short = ColumnType::Varchar { length: 384 };
    assert_eq!(types(&plan), [short.clone(), short, ColumnType::Text { size: BlobSize::Long }]);
    // 'A' and 'a' may be two rows of the source.
    assert_eq!(plan.table().columns[0].collation.as_deref(), Some("utf8mb4_0900_bin"));
}

#[test]
fn a_guessed_key_leaves_room_for_its_other_columns() {
    let (text, bytes) = (ColumnType::Varchar { length: 10 }, ColumnType::Varbinary { length: 10 });
    let big = ColumnType::Integer { width: Width::Big, unsigned: false };
    let guessed = |columns: &[&ColumnType]| {
        let columns =
            columns.iter().enumerate().map(|(at, ty)| column(&format!("c{at}"), (*ty).clone(), false));
        let columns: Vec<Column> = columns.collect();
        let key: Vec<usize> = (0..columns.len()).collect();
        let codec = TableCodec::new(&table("d", "t", columns, &key), &Modes::debezium(), "p.d.t").unwrap();
        types(&Plan::parse_with_key(codec.value_schema(), codec.key_schema()).unwrap())
    };
    for key in [vec![&int(), &text], vec![&big, &text, &bytes], vec![&text, &text, &text]] {
        let taken: u32 = guessed(&key)
            .iter()
            .map(|ty| match ty {
                ColumnType::Varchar { length } => length * 4,
                ColumnType::Varbinary { length } => *length,
                ColumnType::Integer { width: Width::Int, .. } => 4,
                ColumnType::Integer { .. } => 8,
                other => panic!("{other:?} in a key"),
            })
            .sum();
        assert!((2_900..=3_072).contains(&taken), "{key:?}: {taken} bytes");
    }
}

#[test]
fn a_keys_fields_are_those_of_the_value() {
    let modes = Modes { propagate_source_type: RegexList::every(), ..Modes::debezium() };
    let columns = vec![column("a-b", int(), false), column("c", int(), true)];
    let codec = TableCodec::new(&table("d", "t", columns, &[0]), &modes, "p.d.t").unwrap();
    // As `field.name.adjustment.mode=avro_unicode` has it.
    let unicode = |schema: &str| schema.replace(r#""name":"a_b""#, r#""name":"a_u002db""#);
    let (value, key) = (unicode(codec.value_schema()), unicode(codec.key_schema().unwrap()));
    let plan = Plan::parse_with_key(&value, Some(&key)).unwrap();
    assert_eq!((plan.table().columns[0].name.as_str(), plan.table().identity()), ("a-b", Some(vec![0])));
}

#[test]
fn debeziums_parameters_tell_the_exact_types() {
    let unsigned = |width| ColumnType::Integer { width, unsigned: true };
    let columns = vec![
        column("a", unsigned(Width::Tiny), false),
        column("b", unsigned(Width::Big), true),
        column("c", ColumnType::Decimal { precision: 65, scale: 30, unsigned: true }, true),
        column("d", ColumnType::Varchar { length: 77 }, true),
        column("e", ColumnType::Varbinary { length: 78 }, true),
        column("f", ColumnType::Text { size: BlobSize::Tiny }, true),
        column("g", ColumnType::Blob { size: BlobSize::Medium }, true),
        column("h", ColumnType::Datetime { fsp: 2 }, true),
        column("i", ColumnType::Time { fsp: 0 }, true),
        column("j", ColumnType::Bit { bits: 1 }, true),
        column("k", ColumnType::Bit { bits: 33 }, true),
        column("l", ColumnType::Float { unsigned: true }, true),
        column("m", ColumnType::Vector { dimension: 5 }, true),
        column("n", ColumnType::Enum { members: vec!["x,y".into(), "\\z".into()] }, true),
        column("o", ColumnType::Year, true),
    ];
    let modes = Modes { propagate_source_type: RegexList::every(), ..Modes::debezium() };
    let table = table("shop", "t", columns.clone(), &[0]);
    let codec = TableCodec::new(&table, &modes, "p.shop.t").unwrap();
    let plan = Plan::parse_with_key(codec.value_schema(), codec.key_schema()).unwrap();
    assert_eq!(types(&plan), columns.iter().map(|c: &Column| c.ty.clone()).collect::<Vec<_>>());
    assert_eq!(plan.table().name, table.name);
    assert_eq!(plan.table().keys, table.keys);
}

#[test]
fn encoded_bytes_that_nothing_names_are_refused() {
    let columns = vec![column("b", ColumnType::Varbinary { length: 9 }, false)];
    let modes =
        Modes { binary: BinaryMode::Hex, propagate_source_type: RegexList::every(), ..Modes::debezium() };
    let codec = TableCodec::new(&table("d", "t", columns, &[]), &modes, "p.d.t").unwrap();
    assert_eq!(Plan::parse(codec.value_schema()).unwrap_err().kind(), Kind::TypeUnsupported);
}

#[test]
fn a_table_that_contradicts_its_schema_is_refused() {
    let codec = TableCodec::new(&orders(), &Modes::default(), "p.inventory.orders").unwrap();
    let schema = codec.value_schema();
    let newer = schema.replace(r#""cdc.table":{"version":1"#, r#""cdc.table":{"version":3"#);
    assert_eq!(Plan::parse(&newer).unwrap_err().kind(), Kind::UnknownVersion);
    let renamed = schema.replace(r#"{"name":"customer","ty":"#, r#"{"name":"client","ty":"#);
    assert_ne!(renamed, schema);
    assert_eq!(Plan::parse(&renamed).unwrap_err().kind(), Kind::Decode);
    let retyped = schema.replace(
        r#"{"name":"customer","ty":{"type":"varchar","length":255}"#,
        r#"{"name":"customer","ty":{"type":"date"}"#,
    );
    assert_ne!(retyped, schema);
    assert_eq!(Plan::parse(&retyped).unwrap_err().kind(), Kind::TypeUnsupported);
}

#[test]
fn frames_are_checked() {
    assert_eq!(frame_id(&[0, 0, 0, 1, 2, 9]).unwrap(), 258);
    for wrong in [&[][..], &[0, 1, 2, 3], &[1, 0, 0, 0, 1]] {
        assert_eq!(frame_id(wrong).unwrap_err().kind(), Kind::Decode);
    }
}

#[test]
fn what_is_no_envelope_is_refused() {
    let no_rows = r#"{"type":"record","name":"Envelope","fields":[{"name":"op","type":"string"}]}"#;
    let endless = r#"{"type":"record","name":"E","fields":[{"name":"before","type":["null","E"]}]}"#;
    for wrong in ["", "7", "\"string\"", "{}", KEY, no_rows, endless, r#"{"type":"record","name":"x"}"#] {
        assert_eq!(Plan::parse(wrong).unwrap_err().kind(), Kind::Decode, "{wrong}");
    }
}

/// An envelope with every shape that a reader may have to pass over.
const STRANGE: &str = r#"{"type":"record","name":"Envelope","namespace":"p.d.t","fields":[
  {"name":"extra","type":{"type":"array","items":{"type":"map","values":["null","long"]}}},
  {"name":"before","type":["null",{"type":"record","name":"Value","fields":[{"name":"id","type":"int"}]}]},
  {"name":"after","type":["null","Value"]},
  {"name":"tree","type":["null",{"type":"record","name":"Tree","fields":[{"name":"next","type":["null","Tree"]}]}]},
  {"name":"nothing","type":{"type":"array","items":"null"}},
  {"name":"fixed","type":{"type":"fixed","name":"F","size":3}},
  {"name":"color","type":{"type":"enum","name":"C","symbols":["A"]}},
  {"name":"source","type":{"type":"record","name":"Source","fields":[{"name":"ts_ms","type":"long"},{"name":"lsn","type":"double"}]}},
  {"name":"op","type":"string"}]}"#;

fn strange(between: &[u8]) -> Bytes {
    let mut value = vec![0, 0, 0, 0, 1];
    // One map with one entry "k" -> 5, in a block that says its size.
    value.extend_from_slice(&[1, 12, 2, 2, b'k', 2, 10, 0, 0]);
    value.extend_from_slice(&[0, 2, 84]);
    value.extend_from_slice(between);
    value.extend_from_slice(&[1, 2, 3, 0]);
    value.extend_from_slice(&[20, 0, 0, 0, 0, 0, 0, 0, 0]);
    value.extend_from_slice(&[2, b'c']);
    Bytes::from(value)
}

#[test]
fn fields_that_are_not_known_are_passed_over() {
    let plan = Arc::new(Plan::parse(STRANGE).unwrap());
    let decoded = plan.decode(&strange(&[2, 2, 0, 0])).unwrap();
    assert_eq!((decoded.op, decoded.source_ts_us), (Op::Create, 10_000));
    let mut seen = Vec::new();
    decoded
        .after
        .unwrap()
        .visit(|_, value| {
            seen.push(cdc_sdk::OwnedValue::from(value));
            Ok(())
        })
        .unwrap();
    assert_eq!(seen, [cdc_sdk::OwnedValue::Plain(Value::Int(42))]);
}

#[test]
fn bytes_that_ask_for_endless_work_are_refused() {
    let plan = Arc::new(Plan::parse(STRANGE).unwrap());
    // 2^60 items of no bytes.
    let many = [0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 0];
    assert_eq!(plan.decode(&strange(&many)).unwrap_err().kind(), Kind::Decode);
    // A tree deeper than any.
    let mut deep = vec![2; 100_000];
    deep.extend_from_slice(&[0, 0]);
    assert_eq!(plan.decode(&strange(&deep)).unwrap_err().kind(), Kind::Decode);
}

#[test]
fn a_vector_in_several_blocks_is_put_together() {
    let columns = vec![column("v", ColumnType::Vector { dimension: 3 }, false)];
    let codec = TableCodec::new(&table("d", "t", columns, &[]), &Modes::debezium(), "p.d.t").unwrap();
    let plan = Arc::new(Plan::parse(codec.value_schema()).unwrap());
    let bytes = [2, 1, 2, 3, 4, 3, 16, 5, 6, 7, 8, 9, 10, 11, 12, 0];
    let row = AvroRow::new(Bytes::copy_from_slice(&bytes), plan);
    let expected: Vec<u8> = (1..=12).collect();
    row.visit(|_, value| {
        assert_eq!(value, Value::Vector(&expected));
        Ok(())
    })
    .unwrap();
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), strange in any::<bool>()) {
        let plan = Arc::new(Plan::parse(if strange { STRANGE } else { VALUE }).unwrap());
        let mut value = vec![0, 0, 0, 0, 1];
        value.extend_from_slice(&bytes);
        if let Ok(decoded) = plan.decode(&Bytes::from(value)) {
            for row in [decoded.before, decoded.after].into_iter().flatten() {
                let _ = row.visit(|_, _| Ok(()));
            }
        }
    }

    #[test]
    fn no_schema_panics(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut text = VALUE.as_bytes().to_vec();
        let at = at.index(text.len());
        text[at] = byte;
        if let Ok(text) = String::from_utf8(text) {
            let _ = Plan::parse(&text);
        }
    }
}
