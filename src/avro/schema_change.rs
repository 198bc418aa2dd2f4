//! Records of Debezium's schema change topic: a statement, and each table as it is after it.
//!
//! Types are told as Debezium tells them: `java.sql.Types` by number, and the words of the declaration. So
//! are its oddities: what the server fills in by itself (AUTO_INCREMENT, ON UPDATE) counts as generated, generated
//! columns do not, and comments are left out.

use cdc_sdk::column::Width;
use cdc_sdk::{Column, ColumnType, Result, Table, TableName};

use super::connect::Declared;
use super::datum::{put_bytes, put_length, put_long};
use super::default::shown_default;
use super::event::frame;
use super::records::{SCHEMA_CHANGE_KEY_SCHEMA, SCHEMA_CHANGE_VALUE_SCHEMA};
use super::registry::Registry;
use super::tail::{put_optional, put_source};
use crate::envelope::Meta;

/// What happened to a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// It was made, or is told for the first time.
    Created,
    /// It is another.
    Altered,
    /// It is gone.
    Dropped,
}

/// What the registry numbered the schemas of the topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchemaChangeIds {
    key: u32,
    value: u32,
}

impl SchemaChangeIds {
    /// Registers them under the subjects of the topic.
    ///
    /// # Errors
    /// What [`Registry::register`] returns.
    pub async fn register(registry: &Registry, topic: &str) -> Result<Self> {
        Ok(Self {
            key: registry.register(&format!("{topic}-key"), SCHEMA_CHANGE_KEY_SCHEMA.trim()).await?,
            value: registry.register(&format!("{topic}-value"), SCHEMA_CHANGE_VALUE_SCHEMA.trim()).await?,
        })
    }

    /// The key of what happens in a database.
    pub fn key(&self, database: &str) -> Vec<u8> {
        let mut out = frame(self.key).to_vec();
        put_bytes(&mut out, database.as_bytes());
        out
    }

    /// What a statement did to a table, and the table as it is then, where that is known.
    pub fn value(
        &self,
        meta: &Meta<'_>,
        name: &TableName,
        statement: &str,
        (happened, table): (Happened, Option<&Table>),
    ) -> Vec<u8> {
        let mut out = frame(self.value).to_vec();
        put_source(meta, name, &mut out);
        put_long(&mut out, meta.now_us.div_euclid(1000));
        put_some(&mut out, &name.database);
        out.push(0);
        put_some(&mut out, statement);
        let word = match happened {
            Happened::Created => "CREATE",
            Happened::Altered => "ALTER",
            Happened::Dropped => "DROP",
        };
        put_length(&mut out, 1);
        put_bytes(&mut out, word.as_bytes());
        put_bytes(&mut out, format!("\"{}\".\"{}\"", name.database, name.table).as_bytes());
        put_optional(&mut out, table, put_table);
        out.push(0);
        out
    }
}

fn put_table(out: &mut Vec<u8>, table: &Table) {
    put_optional(out, table.charset(), |out, charset| put_bytes(out, charset.as_bytes()));
    let key = table.identity().unwrap_or_default();
    let key: Vec<&Column> = key.iter().filter_map(|&at| table.columns.get(at)).collect();
    out.push(2);
    put_array(out, &key, |out, column| put_bytes(out, column.name.as_bytes()));
    let mut position = 0;
    put_array(out, &table.columns, |out, column| {
        position += 1;
        put_column(out, position, column);
    });
    out.push(0);
}

fn put_column(out: &mut Vec<u8>, position: i64, column: &Column) {
    let declared = Declared::of(column);
    let filled_in = column.extra.auto_increment || column.extra.on_update.is_some();
    put_bytes(out, column.name.as_bytes());
    put_long(out, jdbc_type(&column.ty));
    out.push(0);
    put_bytes(out, declared.words.as_bytes());
    put_some(out, &declared.words);
    put_optional(out, column.charset.as_deref(), |out, charset| put_bytes(out, charset.as_bytes()));
    put_optional(out, declared.length, |out, length| put_long(out, i64::from(length)));
    put_optional(out, declared.scale, |out, scale| put_long(out, i64::from(scale)));
    put_long(out, position);
    for yes in [column.nullable, filled_in, filled_in] {
        out.extend_from_slice(&[2, u8::from(yes)]);
    }
    out.push(0);
    put_optional(out, shown_default(column), |out, text| put_bytes(out, text.as_bytes()));
    match &column.ty {
        ColumnType::Enum { members } | ColumnType::Set { members } => {
            out.push(2);
            put_array(out, members, |out, member| {
                put_bytes(out, format!("'{}'", member.replace('\'', "''")).as_bytes());
            });
        }
        _ => out.push(0),
    }
}

/// A text where there might be none.
fn put_some(out: &mut Vec<u8>, text: &str) {
    put_optional(out, Some(text), |out, text| put_bytes(out, text.as_bytes()));
}

/// An array (Avro specification, "Arrays": blocks with their counts, ended by one of none).
fn put_array<T>(out: &mut Vec<u8>, items: &[T], mut put: impl FnMut(&mut Vec<u8>, &T)) {
    if !items.is_empty() {
        put_length(out, items.len());
    }
    items.iter().for_each(|item| put(out, item));
    out.push(0);
}

/// The number in `java.sql.Types` that Debezium gives a type.
const fn jdbc_type(ty: &ColumnType) -> i64 {
    match ty {
        ColumnType::Bit { .. } => -7,
        ColumnType::Integer { width: Width::Big, .. } => -5,
        ColumnType::Varbinary { .. } => -3,
        ColumnType::Binary { .. } => -2,
        ColumnType::Char { .. } | ColumnType::Enum { .. } | ColumnType::Set { .. } => 1,
        ColumnType::Decimal { .. } => 3,
        ColumnType::Integer { width: Width::Int | Width::Medium, .. } | ColumnType::Year => 4,
        ColumnType::Integer { width: Width::Small | Width::Tiny, .. } => 5,
        ColumnType::Float { .. } => 6,
        ColumnType::Double { .. } => 8,
        ColumnType::Varchar { .. } | ColumnType::Text { .. } => 12,
        ColumnType::Date => 91,
        ColumnType::Time { .. } => 92,
        ColumnType::Datetime { .. } => 93,
        ColumnType::Json | ColumnType::Geometry { .. } | ColumnType::Vector { .. } => 1111,
        ColumnType::Blob { .. } => 2004,
        ColumnType::Timestamp { .. } => 2014,
    }
}
