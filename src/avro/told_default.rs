//! A field's default as the SQL default of its column, where the schema does not carry the table: `default.rs` backwards.
//!
//! It matters where a column is added at the destination: the source's existing rows have got it without an event.
//! 1970 stands for the moment of writing, and is none.

use cdc_sdk::temporal::Date;
use cdc_sdk::{ColumnType, Value};
use serde_json::Value as Json;

use super::datum::{Input, put_bytes, put_long};
use super::form::{ColumnPlan, Nulls};

/// The default of a field whose type is `base`; `None` where it has none, or one that no column can have.
pub(super) fn column_default(field: &Json, base: &str, plan: &ColumnPlan) -> Option<String> {
    if plan.nulls == Nulls::First {
        return None;
    }
    let default = field.get("default").filter(|default| !default.is_null())?;
    let mut datum = Vec::new();
    put(base, default, &mut datum)?;
    let plan = ColumnPlan { nulls: Nulls::Never, ..plan.clone() };
    let (mut input, mut scratch) = (Input::new(&datum), Vec::new());
    let value = plan.read(&mut input, &mut scratch).ok()?;
    literal(value, default, &plan.ty)
}

/// A default in JSON as a datum (Avro specification, "Complex Types", field default values).
fn put(base: &str, default: &Json, out: &mut Vec<u8>) -> Option<()> {
    match base {
        "int" | "long" => put_long(out, default.as_i64()?),
        "float" => out.extend((default.as_f64()? as f32).to_le_bytes()),
        "double" => out.extend(default.as_f64()?.to_le_bytes()),
        "boolean" => out.push(u8::from(default.as_bool()?)),
        "string" => put_bytes(out, default.as_str()?.as_bytes()),
        "bytes" => {
            let bytes: Option<Vec<u8>> = default.as_str()?.chars().map(|c| u8::try_from(c).ok()).collect();
            put_bytes(out, &bytes?);
        }
        _ => return None,
    }
    Some(())
}

/// As SQL has it behind DEFAULT. Types of any length take an expression only.
fn literal(value: Value<'_>, default: &Json, ty: &ColumnType) -> Option<String> {
    let is_epoch = |date: Date| date == Date { year: 1970, month: 1, day: 1 } || date == Date::default();
    Some(match value {
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        Value::Year(number) => number.to_string(),
        Value::Decimal(number) => number.to_string(),
        Value::Float(number) if number.is_finite() => format!("{number:e}"),
        Value::Double(number) if number.is_finite() => format!("{number:e}"),
        Value::Bit(bits) => format!("b'{bits:b}'"),
        Value::Text(text) => of_any_length(quoted(text), matches!(ty, ColumnType::Text { .. })),
        Value::Bytes(bytes) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
            of_any_length(format!("X'{digits}'"), matches!(ty, ColumnType::Blob { .. }))
        }
        Value::Enum(_) | Value::Set(_) => quoted(default.as_str()?),
        Value::Date(date) if !is_epoch(date) => format!("'{date}'"),
        Value::Time(time) => format!("'{time}'"),
        Value::DateTime(at) | Value::Timestamp(at) if !is_epoch(at.date) => format!("'{at}'"),
        _ => return None,
    })
}

fn of_any_length(literal: String, is: bool) -> String {
    if is { format!("({literal})") } else { literal }
}

/// For a session where backslashes escape.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::avro::sample::{column, int, table};
    use crate::avro::{Plan, TableCodec};
    use crate::envelope::{Modes, RegexList};
    use cdc_sdk::column::{BlobSize, Width};

    fn told(propagated: bool, columns: &[(ColumnType, &str, bool)]) -> Vec<Option<String>> {
        let columns = columns.iter().enumerate().map(|(at, (ty, default, nullable))| {
            let mut column = column(&format!("c{at}"), ty.clone(), *nullable);
            column.extra.default = Some((*default).to_owned());
            column
        });
        let propagate_source_type = if propagated { RegexList::every() } else { RegexList::default() };
        let modes = Modes { propagate_source_type, ..Modes::debezium() };
        let codec = TableCodec::new(&table("d", "t", columns.collect(), &[]), &modes, "p.d.t").unwrap();
        let plan = Plan::parse(codec.value_schema()).unwrap();
        plan.table().columns.iter().map(|column| column.extra.default.clone()).collect()
    }

    #[test]
    fn a_default_comes_back_from_the_schema() {
        let varchar = ColumnType::Varchar { length: 20 };
        let decimal = ColumnType::Decimal { precision: 10, scale: 2, unsigned: false };
        let members = ColumnType::Enum { members: vec!["new".into(), "it's".into()] };
        let all = [
            (int(), "7", "7"),
            (ColumnType::Integer { width: Width::Big, unsigned: false }, "-9", "-9"),
            (decimal, "1.50", "1.50"),
            (ColumnType::Double { unsigned: false }, "2.5", "2.5e0"),
            (ColumnType::Bit { bits: 5 }, "b'101'", "b'101'"),
            (varchar.clone(), "'it''s \\\\ ü'", "'it''s \\\\ ü'"),
            (varchar, "''", "''"),
            (ColumnType::Varbinary { length: 9 }, "0xFF00", "X'FF00'"),
            (members, "'it''s'", "'it''s'"),
            (ColumnType::Date, "'2001-02-03'", "'2001-02-03'"),
            (ColumnType::Time { fsp: 0 }, "'-01:02:03'", "'-01:02:03'"),
            (ColumnType::Datetime { fsp: 3 }, "'2001-02-03 04:05:06.007'", "'2001-02-03 04:05:06.007000'"),
            (ColumnType::Timestamp { fsp: 0 }, "'2001-02-03 04:05:06'", "'2001-02-03 04:05:06'"),
        ];
        for nullable in [false, true] {
            let columns: Vec<_> = all.iter().map(|(ty, sql, _)| (ty.clone(), *sql, nullable)).collect();
            for (found, (ty, _, expected)) in told(true, &columns).into_iter().zip(&all) {
                assert_eq!(found.as_deref(), Some(*expected), "{ty:?}, nullable: {nullable}");
            }
        }
    }

    #[test]
    fn the_moment_of_writing_is_no_default_and_text_of_any_length_has_an_expression() {
        let now = "CURRENT_TIMESTAMP";
        let stamps =
            [(ColumnType::Datetime { fsp: 0 }, now, false), (ColumnType::Timestamp { fsp: 0 }, now, false)];
        assert_eq!(told(true, &stamps), [None, None]);
        let varchar = ColumnType::Varchar { length: 20 };
        assert_eq!(told(false, &[(varchar, "'new'", true)]), [Some("('new')".to_owned())]);
        let text = ColumnType::Text { size: BlobSize::Normal };
        assert_eq!(told(false, &[(text, "(uuid())", true)]), [None]);
    }
}
