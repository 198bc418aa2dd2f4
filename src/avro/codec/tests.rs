use std::sync::Arc;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use bytes::Bytes;
use cdc_sdk::{ColumnType, OwnedRow, OwnedValue, Value};
use proptest::prelude::*;

use super::*;
use crate::avro::sample::{
    all_modes, column, int, lossless_modes, meta, orders, origin, same, table, table_and_rows,
};
use crate::avro::{Plan, frame_id};
use crate::envelope::TimeMode;

mod chosen_keys;

/// A message that owns its bytes.
#[derive(Debug, PartialEq)]
struct Sent {
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    note: Option<(&'static str, Vec<u8>)>,
}

fn sent(codec: &TableCodec, change: &RowChange<OwnedRow>) -> Vec<Sent> {
    let mut all = Vec::new();
    let origin = origin();
    let mut emit = |out: Outgoing<'_>| {
        let note = out.key_note.map(|note| match note {
            KeyNote::NewKey(key) => ("new", key.to_vec()),
            KeyNote::OldKey(key) => ("old", key.to_vec()),
        });
        assert_eq!(out.key.map(|k| &k[5..]), out.key_datum);
        all.push(Sent { key: out.key.map(<[u8]>::to_vec), value: out.value.map(<[u8]>::to_vec), note });
        Ok(())
    };
    codec.encode(change, &meta(&origin), &mut Scratch::default(), &mut emit).unwrap();
    all
}

fn change(op: Op, before: Option<OwnedRow>, after: Option<OwnedRow>) -> RowChange<OwnedRow> {
    RowChange { op, before, after }
}

/// What another implementation of Avro reads; nothing may be left over, and
/// written anew it must be the same bytes.
fn judged(schema: &str, message: &[u8]) -> Avro {
    let schema = Schema::parse_str(schema).unwrap();
    let mut rest = &message[5..];
    let reader = GenericDatumReader::builder(&schema).build().unwrap();
    let value = reader.read_value(&mut rest).unwrap();
    assert!(rest.is_empty(), "{} bytes left", rest.len());
    let writer = GenericDatumWriter::builder(&schema).build().unwrap();
    assert_eq!(writer.write_value_to_vec(value.clone()).unwrap(), &message[5..]);
    value
}

fn field(value: &Avro, name: &str) -> Avro {
    let Avro::Record(fields) = value else { panic!("{value:?} is no record") };
    let field = fields.iter().find(|(n, _)| n == name).unwrap_or_else(|| panic!("no field {name}"));
    match &field.1 {
        Avro::Union(_, inner) => (**inner).clone(),
        other => other.clone(),
    }
}

fn owned(row: &crate::avro::AvroRow) -> OwnedRow {
    let mut values = Vec::new();
    row.visit(|index, value| {
        assert_eq!(index, values.len());
        assert_eq!(row.rank(index).unwrap(), value.rank(), "column {index}");
        values.push(OwnedValue::from(value));
        Ok(())
    })
    .unwrap();
    values
}

fn small() -> TableCodec {
    let columns = vec![
        column("a", int(), false),
        column("b", ColumnType::Varchar { length: 9 }, false),
        column("c", int(), true),
    ];
    let mut codec =
        TableCodec::new(&table("shop", "t", columns, &[1, 0]), &Modes::default(), "p.shop.t").unwrap();
    codec.set_ids(Some(258), 70_000);
    codec
}

fn small_row(a: i64, b: &str, c: Value<'static>) -> OwnedRow {
    vec![OwnedValue::Plain(Value::Int(a)), OwnedValue::Text(b.to_owned()), OwnedValue::Plain(c)]
}

const KEY_7X: [u8; 8] = [0, 0, 0, 1, 2, 2, b'x', 14];
const KEY_8X: [u8; 8] = [0, 0, 0, 1, 2, 2, b'x', 16];

#[test]
fn a_create_is_one_message_with_the_key_in_key_order() {
    let codec = small();
    let messages = sent(&codec, &change(Op::Create, None, Some(small_row(7, "x", Value::Null))));
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].key.as_deref(), Some(&KEY_7X[..]));
    let value = messages[0].value.as_ref().unwrap();
    assert_eq!(frame_id(value).unwrap(), 70_000);
    let event = judged(codec.value_schema(), value);
    assert_eq!(field(&event, "op"), Avro::String("c".into()));
    assert_eq!(field(&event, "before"), Avro::Null);
    assert_eq!(field(&event, "ts_ms"), Avro::Long(1_700_000_001_000));
    let source = field(&event, "source");
    assert_eq!(field(&source, "db"), Avro::String("shop".into()));
    assert_eq!(field(&source, "table"), Avro::String("t".into()));
    assert_eq!(field(&source, "pos"), Avro::Long(5_000_000_000));
    assert_eq!(field(&source, "row"), Avro::Int(3));
    assert_eq!(field(&source, "thread"), Avro::Long(12));
    assert_eq!(field(&source, "ts_ns"), Avro::Long(1_700_000_000_123_456_000));
    assert_eq!(field(&source, "snapshot"), Avro::String("false".into()));
    let key = judged(codec.key_schema().unwrap(), &KEY_7X);
    assert_eq!((field(&key, "b"), field(&key, "a")), (Avro::String("x".into()), Avro::Int(7)));
}

#[test]
fn an_update_that_keeps_the_key_is_one_message() {
    let (before, after) = (small_row(7, "x", Value::Null), small_row(7, "x", Value::Int(1)));
    let messages = sent(&small(), &change(Op::Update, Some(before), Some(after)));
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].note, None);
}

#[test]
fn a_delete_is_followed_by_its_tombstone() {
    let messages = sent(&small(), &change(Op::Delete, Some(small_row(7, "x", Value::Null)), None));
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[1], Sent { key: Some(KEY_7X.to_vec()), value: None, note: None });
    let event = judged(small().value_schema(), messages[0].value.as_ref().unwrap());
    assert_eq!(field(&event, "after"), Avro::Null);
    assert_eq!(field(&field(&event, "before"), "a"), Avro::Int(7));
}

#[test]
fn a_change_of_key_is_a_delete_and_a_create() {
    let codec = small();
    let (before, after) = (small_row(7, "x", Value::Int(1)), small_row(8, "x", Value::Int(2)));
    let messages = sent(&codec, &change(Op::Update, Some(before.clone()), Some(after.clone())));
    let [delete, tombstone, create] = &messages[..] else { panic!("{messages:?}") };
    assert_eq!(delete.key.as_deref(), Some(&KEY_7X[..]));
    assert_eq!(delete.note, Some(("new", KEY_8X.to_vec())));
    assert_eq!(*tombstone, Sent { key: Some(KEY_7X.to_vec()), value: None, note: None });
    assert_eq!(create.key.as_deref(), Some(&KEY_8X[..]));
    assert_eq!(create.note, Some(("old", KEY_7X.to_vec())));
    let plan = Arc::new(Plan::parse(codec.value_schema()).unwrap());
    let decode = |m: &Sent| plan.decode(&Bytes::from(m.value.clone().unwrap())).unwrap();
    let (delete, create) = (decode(delete), decode(create));
    assert_eq!((delete.op, create.op), (Op::Delete, Op::Create));
    assert_eq!(owned(&delete.before.unwrap()), before);
    assert_eq!(owned(&create.after.unwrap()), after);
    assert!(delete.after.is_none() && create.before.is_none());
}

#[test]
fn letters_that_a_collation_holds_equal_are_another_key() {
    let (before, after) = (small_row(7, "x", Value::Null), small_row(7, "X", Value::Null));
    assert_eq!(sent(&small(), &change(Op::Update, Some(before), Some(after))).len(), 3);
}

#[test]
fn a_table_without_identity_has_no_keys_and_no_tombstones() {
    let columns = vec![column("a", int(), true)];
    let codec = TableCodec::new(&table("d", "t", columns, &[]), &Modes::default(), "p.d.t").unwrap();
    assert_eq!(codec.key_schema(), None);
    let row = || Some(vec![OwnedValue::Plain(Value::Int(1))]);
    let other = || Some(vec![OwnedValue::Plain(Value::Null)]);
    let deleted = sent(&codec, &change(Op::Delete, row(), None));
    assert_eq!(deleted.len(), 1);
    assert_eq!(deleted[0].key, None);
    assert_eq!(sent(&codec, &change(Op::Update, row(), other())).len(), 1);
}

#[test]
fn a_truncate_has_no_key_and_no_rows() {
    let codec = small();
    let messages = sent(&codec, &change(Op::Truncate, None, None));
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].key, None);
    let event = judged(codec.value_schema(), messages[0].value.as_ref().unwrap());
    assert_eq!(field(&event, "op"), Avro::String("t".into()));
}

#[test]
fn the_transaction_block_is_written() {
    let codec = small();
    let origin = origin();
    let block = crate::envelope::TransactionBlock { id: "g:1", total_order: 5, data_collection_order: 2 };
    let meta = Meta { transaction: Some(block), ..meta(&origin) };
    let mut emit = |out: Outgoing<'_>| {
        let event = judged(codec.value_schema(), out.value.unwrap());
        let block = field(&event, "transaction");
        assert_eq!(field(&block, "id"), Avro::String("g:1".into()));
        assert_eq!(field(&block, "total_order"), Avro::Long(5));
        assert_eq!(field(&block, "data_collection_order"), Avro::Long(2));
        Ok(())
    };
    codec.encode_truncate(&meta, &mut Scratch::default(), &mut emit).unwrap();
}

#[test]
fn rows_that_do_not_fit_are_refused() {
    let codec = small();
    let refused = |row: OwnedRow| {
        let origin = origin();
        let change = change(Op::Create, None, Some(row));
        codec.encode(&change, &meta(&origin), &mut Scratch::default(), &mut |_| Ok(())).unwrap_err()
    };
    let short = refused(vec![OwnedValue::Plain(Value::Int(1))]);
    assert_eq!(short.kind(), Kind::RowMismatch);
    assert!(short.what().contains("shop.t"), "{short}");
    let mut long = small_row(1, "x", Value::Null);
    long.push(OwnedValue::Plain(Value::Null));
    assert_eq!(refused(long).kind(), Kind::RowMismatch);
    let null = refused(vec![OwnedValue::Plain(Value::Null), OwnedValue::Text(String::new())]);
    assert_eq!(null.kind(), Kind::Encode);
    assert!(null.what().contains("column a"), "{null}");
    assert_eq!(refused(small_row(1 << 31, "x", Value::Null)).kind(), Kind::Encode);
    assert_eq!(refused(small_row(1, "x", Value::Year(1))).kind(), Kind::Encode);
}

/// Found by random tables: Debezium's modes write a TIMESTAMP of zeros as 1970, which no TIMESTAMP can be, so the
/// destination refused it.
#[test]
fn a_timestamp_of_zeros_comes_back_in_every_mode() {
    let zeros = OwnedValue::Plain(Value::Timestamp(cdc_sdk::temporal::DateTime::default()));
    for time in [TimeMode::Exact, TimeMode::Microseconds, TimeMode::Connect, TimeMode::IsoString] {
        let columns = vec![column("t", ColumnType::Timestamp { fsp: 3 }, false)];
        let modes = Modes { time, ..Modes::default() };
        let codec = TableCodec::new(&table("shop", "t", columns, &[]), &modes, "p.shop.t").unwrap();
        let message = &sent(&codec, &change(Op::Create, None, Some(vec![zeros.clone()])))[0];
        let plan = Arc::new(Plan::parse(codec.value_schema()).unwrap());
        let decoded = plan.decode(&Bytes::from(message.value.clone().unwrap())).unwrap();
        assert!(same(&owned(&decoded.after.unwrap())[0], &zeros), "{time:?}");
    }
}

#[test]
fn the_example_reads_as_debezium_would_write_it() {
    let mut codec = TableCodec::new(&orders(), &Modes::debezium(), "dbserver1.inventory.orders").unwrap();
    codec.set_ids(Some(1), 2);
    let at = cdc_sdk::temporal::DateTime::from_epoch_micros(1_700_000_000_000_250).unwrap();
    let row = vec![
        OwnedValue::Plain(Value::Int(1)),
        OwnedValue::Text("ada".into()),
        OwnedValue::Plain(Value::Decimal(cdc_sdk::Decimal::parse("-1.50").unwrap())),
        OwnedValue::Plain(Value::DateTime(at)),
        OwnedValue::Plain(Value::Timestamp(at)),
        OwnedValue::Plain(Value::Enum(2)),
        OwnedValue::Json("{}".into()),
    ];
    let messages = sent(&codec, &change(Op::Read, None, Some(row)));
    let after = field(&judged(codec.value_schema(), messages[0].value.as_ref().unwrap()), "after");
    assert_eq!(field(&after, "created_at"), Avro::Long(1_700_000_000_000_250));
    assert_eq!(field(&after, "updated_at"), Avro::String("2023-11-14T22:13:20.000250Z".into()));
    assert_eq!(field(&after, "status"), Avro::String("paid".into()));
    assert_eq!(field(&after, "amount"), Avro::Decimal(apache_avro::Decimal::from([0xff, 0x6a])));
}

#[test]
fn buffers_are_used_again() {
    let codec = small();
    let origin = origin();
    let mut scratch = Scratch::default();
    let row = |n: i64| {
        change(Op::Update, Some(small_row(n, "x", Value::Null)), Some(small_row(n + 1, "y", Value::Int(n))))
    };
    let mut first = Vec::new();
    for n in [1000, 1001] {
        let mut all = Vec::new();
        codec
            .encode(&row(n), &meta(&origin), &mut scratch, &mut |out| {
                all.push((out.key.map(<[u8]>::as_ptr), out.value.map(<[u8]>::as_ptr)));
                Ok(())
            })
            .unwrap();
        if first.is_empty() { first = all } else { assert_eq!(first, all) }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_value_comes_back_as_it_was(
        (table, rows) in table_and_rows(2), modes in lossless_modes()
    ) {
        let codec = TableCodec::new(&table, &modes, "p.shop.t").unwrap();
        let plan = Arc::new(Plan::parse(codec.value_schema()).unwrap());
        prop_assert_eq!(plan.table().as_ref(), table.as_ref());
        let message = &sent(&codec, &change(Op::Create, None, Some(rows[0].clone())))[0];
        let value = message.value.clone().unwrap();
        judged(codec.value_schema(), &value);
        judged(codec.key_schema().unwrap(), message.key.as_ref().unwrap());
        let value = Bytes::from(value);
        let decoded = plan.decode(&value).unwrap();
        prop_assert_eq!(decoded.source_ts_us, 1_700_000_000_123_456);
        prop_assert_eq!(plan.source_place(&value).unwrap().gtid.map(Arc::from), origin().gtid);
        let row = owned(&decoded.after.unwrap());
        prop_assert_eq!(row.len(), rows[0].len());
        for (column, (was, is)) in table.columns.iter().zip(rows[0].iter().zip(&row)) {
            prop_assert!(same(was, is), "{}: {:?} became {:?}", column.ty.sql(), was, is);
        }
        // An update between any two rows ends in the second, whether the key changed or not.
        let messages = sent(&codec, &change(Op::Update, Some(rows[0].clone()), Some(rows[1].clone())));
        let last = plan.decode(&Bytes::from(messages.last().unwrap().value.clone().unwrap())).unwrap();
        let row = owned(&last.after.unwrap());
        prop_assert!(rows[1].iter().zip(&row).all(|(was, is)| same(was, is)));
    }

    #[test]
    fn every_mode_writes_what_its_schema_says((table, rows) in table_and_rows(1), modes in all_modes()) {
        let codec = TableCodec::new(&table, &modes, "p.shop.t").unwrap();
        let change = change(Op::Create, None, Some(rows[0].clone()));
        let origin = origin();
        let mut value = Vec::new();
        let written = codec.encode(&change, &meta(&origin), &mut Scratch::default(), &mut |out| {
            value = out.value.unwrap().to_vec();
            Ok(())
        });
        if let Err(error) = written {
            // A NOT NULL TIME over a day, and a year beyond 2262, have no place in these.
            let narrow = matches!(modes.time, TimeMode::Connect | TimeMode::IsoString | TimeMode::Nanoseconds);
            prop_assert!(narrow && error.kind() == Kind::Encode, "{}", error);
            return Ok(());
        }
        judged(codec.value_schema(), &value);
        // What is guessed of a schema that carries no table can be refused, but never misread.
        if let Ok(plan) = Plan::parse(codec.value_schema()) {
            let decoded = Arc::new(plan).decode(&Bytes::from(value)).unwrap();
            let row = decoded.after.unwrap();
            let mut columns = 0;
            let walked = row.visit(|_, _| { columns += 1; Ok(()) });
            prop_assert!(walked.is_err() || columns == table.columns.len());
        }
    }

    #[test]
    fn no_message_panics(
        (table, rows) in table_and_rows(1), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()
    ) {
        let codec = TableCodec::new(&table, &Modes::default(), "p.shop.t").unwrap();
        let plan = Arc::new(Plan::parse(codec.value_schema()).unwrap());
        let mut value = sent(&codec, &change(Op::Create, None, Some(rows[0].clone())))[0].value.clone().unwrap();
        let at = at.index(value.len());
        if cut { value.truncate(at) } else { value[at] = byte }
        if let Ok(decoded) = plan.decode(&Bytes::from(value)) {
            for row in [decoded.before, decoded.after].into_iter().flatten() {
                let _ = row.visit(|_, _| Ok(()));
            }
        }
    }
}

proptest! {
    /// Neither the way to Kafka nor the way back asks for memory row by row: the scratch that held one row holds
    /// the next, and a row that is read lies in its message.
    #[test]
    fn a_row_allocates_nothing((table, rows) in table_and_rows(2)) {
        let codec = TableCodec::new(&table, &Modes::default(), "p.d.t").unwrap();
        let [before, after] = <[OwnedRow; 2]>::try_from(rows).unwrap();
        let change = change(Op::Update, Some(before), Some(after));
        let (origin, mut scratch, mut message) = (origin(), Scratch::default(), Vec::new());
        codec.encode(&change, &meta(&origin), &mut scratch, &mut |out| {
            message = out.value.unwrap_or_default().to_vec();
            Ok(())
        }).unwrap();
        let encoded = allocation_counter::measure(|| {
            codec.encode(&change, &meta(&origin), &mut scratch, &mut |_| Ok(())).unwrap();
        });
        prop_assert_eq!(encoded.count_total, 0);
        let plan = Arc::new(Plan::parse(codec.value_schema()).unwrap());
        // Shared already, as what comes from librdkafka is.
        let message = Bytes::from_owner(message);
        let decoded = allocation_counter::measure(|| {
            let event = plan.decode(&message).unwrap();
            event.after.unwrap().visit(|_, value| {
                std::hint::black_box(value);
                Ok(())
            }).unwrap();
        });
        prop_assert_eq!(decoded.count_total, 0);
    }
}
