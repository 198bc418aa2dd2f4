use cdc_sdk::{ColumnType, OwnedValue, Row as _, Value};

use super::*;
use crate::avro::TableCodec;
use crate::avro::sample::{column, int, table};
use crate::envelope::Modes;

fn values(row: &AvroRow) -> Vec<OwnedValue> {
    let mut values = Vec::new();
    row.visit(|index, value| {
        assert_eq!(index, values.len());
        values.push(OwnedValue::from(value));
        Ok(())
    })
    .unwrap();
    values
}

/// A key (c, a) of columns a, b, c: in another order than they stand.
fn plans() -> KeyPlan {
    let text = ColumnType::Varchar { length: 20 };
    let columns = vec![column("a", int(), false), column("b", int(), false), column("c", text, false)];
    let codec = TableCodec::new(&table("d", "t", columns, &[2, 0]), &Modes::default(), "p").unwrap();
    KeyPlan::parse(codec.key_schema().unwrap(), &Plan::parse(codec.value_schema()).unwrap()).unwrap()
}

fn key() -> Bytes {
    // Frame, then "xy" and -3 as their columns' places in the key want it.
    let mut key = vec![0, 0, 0, 0, 9];
    key.extend([4, b'x', b'y', 5]);
    key.into()
}

#[test]
fn a_key_is_a_row_whose_other_columns_are_null() {
    let (row, told) = plans().row(&key()).unwrap();
    assert_eq!(told, key().slice(5..));
    let expected = [Value::Int(-3), Value::Null, Value::Text("xy")].map(OwnedValue::from);
    assert_eq!(values(&row), expected);
}

#[test]
fn a_key_that_is_cut_or_too_long_is_refused() {
    let plan = plans();
    for length in 0..key().len() {
        assert!(plan.row(&key().slice(..length)).is_err(), "{length}");
    }
    let longer = Bytes::from([&key()[..], &[0]].concat());
    assert_eq!(plan.row(&longer).unwrap_err().kind(), Kind::Decode);
}

#[test]
fn a_key_that_is_not_the_tables_does_not_tell_the_row() {
    let columns = || vec![column("a", int(), false), column("b", int(), false)];
    let codec =
        |key: &[usize]| TableCodec::new(&table("d", "t", columns(), key), &Modes::default(), "p").unwrap();
    let (of_b, of_both) = (codec(&[1]), codec(&[0, 1]));
    let values = Plan::parse(of_both.value_schema()).unwrap();
    let error = KeyPlan::parse(of_b.key_schema().unwrap(), &values).unwrap_err();
    assert_eq!(error.kind(), Kind::RowMismatch);
}
