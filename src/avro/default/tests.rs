use super::*;
use crate::avro::sample::{column, int, with_default};
use cdc_sdk::column::{BlobSize, Width};

fn default(ty: ColumnType, nullable: bool, sql: &str, modes: &Modes) -> Option<String> {
    let json = column_default(&with_default(column("c", ty, nullable), sql), modes)?;
    let mut text = String::new();
    json.write(&mut text);
    Some(text)
}

fn ours(ty: ColumnType, sql: &str) -> Option<String> {
    default(ty, false, sql, &Modes::default())
}

#[test]
fn literals_take_the_form_of_the_values() {
    let unsigned = ColumnType::Integer { width: Width::Big, unsigned: true };
    let decimal = ColumnType::Decimal { precision: 10, scale: 2, unsigned: false };
    let members = || vec!["a".to_owned(), "b,c".to_owned()];
    let cases = [
        (int(), "'-5'", "-5"),
        (int(), "7", "7"),
        (int(), "1.0", "1"),
        (unsigned, "256", r#""\u0001\u0000""#),
        (decimal, "'5.50'", r#""\u0002&""#),
        (decimal_of(5, 0), "3", r#""\u0003""#),
        (ColumnType::Double { unsigned: false }, "1e3", "1000.0"),
        (ColumnType::Varchar { length: 9 }, "_utf8mb4'it''s \\n'", r#""it's \n""#),
        (ColumnType::Bit { bits: 1 }, "b'1'", "true"),
        (ColumnType::Bit { bits: 9 }, "b'100000010'", r#""\u0002\u0001""#),
        (ColumnType::Enum { members: members() }, "'A'", r#""a""#),
        (ColumnType::Year, "'2024'", "2024"),
        (ColumnType::Date, "'2024-00-00'", r#""2024-00-00Z""#),
        (ColumnType::Time { fsp: 0 }, "'-01:00:00'", "-3600000000"),
        (ColumnType::Datetime { fsp: 3 }, "'2024-01-02 03:04:05.600'", r#""2024-01-02T03:04:05.600Z""#),
        (ColumnType::Timestamp { fsp: 0 }, "CURRENT_TIMESTAMP", r#""1970-01-01T00:00:00Z""#),
    ];
    for (ty, sql, json) in cases {
        assert_eq!(ours(ty.clone(), sql).as_deref(), Some(json), "{} default {sql}", ty.sql());
    }
}

fn decimal_of(precision: u8, scale: u8) -> ColumnType {
    ColumnType::Decimal { precision, scale, unsigned: false }
}

#[test]
fn what_is_no_constant_has_none() {
    assert_eq!(ours(int(), "(uuid_short())"), None);
    assert_eq!(ours(ColumnType::Text { size: BlobSize::Long }, "('x')"), None);
    assert_eq!(ours(int(), "NULL"), None);
    assert_eq!(ours(int(), "'x'"), None);
    assert_eq!(default(ColumnType::Timestamp { fsp: 0 }, true, "CURRENT_TIMESTAMP", &Modes::default()), None);
}

#[test]
fn zero_dates_as_debezium_reads_them() {
    let debezium = Modes::debezium();
    assert_eq!(default(ColumnType::Date, false, "'0000-00-00'", &debezium).as_deref(), Some("0"));
    assert_eq!(default(ColumnType::Date, true, "'0000-00-00'", &debezium), None);
}
