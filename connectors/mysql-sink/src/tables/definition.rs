//! DDL text for a table, its columns and keys, from the source's definition.
//!
//! The texts are for a session without NO_BACKSLASH_ESCAPES and ANSI_QUOTES, as
//! the source's catalogue gives defaults and expressions in that form.

use std::borrow::Cow;

use cdc_sdk::name::quoted;
use cdc_sdk::table::{Key, KeyKind, KeyOn, KeyPart};
use cdc_sdk::{Column, Table, TableName};

use super::catalogue::Actual;

/// The statement that creates the table.
pub(crate) fn create_table(table: &Table, target: &TableName) -> String {
    let columns = table.columns.iter().map(|c| column(&without_the_tables_collation(table, c)));
    // The first unique key without NULL takes the place of a primary key that is not there, and such must be visible.
    let (hidden, others): (Vec<&Key>, Vec<&Key>) =
        table.keys.iter().partition(|k| k.invisible && k.kind == KeyKind::Unique);
    let keys = others.into_iter().chain(hidden).filter_map(|k| key(table, k));
    let body: Vec<String> = columns.chain(keys).map(|line| format!("  {line}")).collect();
    let mut sql =
        format!("CREATE TABLE IF NOT EXISTS {} (\n{}\n) ENGINE=InnoDB", target.sql(), body.join(",\n"));
    if let Some((collation, charset)) = table.collation.as_ref().zip(table.charset()) {
        sql.push_str(&format!(" DEFAULT CHARSET={charset} COLLATE={collation}"));
    }
    if !table.comment.is_empty() {
        sql.push_str(&format!(" COMMENT={}", literal(&table.comment)));
    }
    sql
}

/// A column that has the table's collation takes it from there, as it does at the source.
fn without_the_tables_collation<'t>(table: &Table, column: &'t Column) -> Cow<'t, Column> {
    match column.collation.is_some() && column.collation == table.collation {
        true => Cow::Owned(Column { charset: None, collation: None, ..column.clone() }),
        false => Cow::Borrowed(column),
    }
}

/// A column's definition.
pub(crate) fn column(column: &Column) -> String {
    let extra = &column.extra;
    let mut sql = format!("{} {}", quoted(&column.name), column.type_sql());
    if let Some(charset) = &column.charset {
        sql.push_str(&format!(" CHARACTER SET {charset}"));
    }
    if let Some(collation) = &column.collation {
        sql.push_str(&format!(" COLLATE {collation}"));
    }
    if let Some(generated) = &extra.generated {
        let kind = if generated.stored { "STORED" } else { "VIRTUAL" };
        sql.push_str(&format!(" GENERATED ALWAYS AS ({}) {kind}", generated.expression));
    }
    sql.push_str(if column.nullable { " NULL" } else { " NOT NULL" });
    if let Some(srid) = extra.srid {
        sql.push_str(&format!(" SRID {srid}"));
    }
    if let Some(default) = &extra.default {
        sql.push_str(&format!(" DEFAULT {default}"));
    }
    if let Some(update) = &extra.on_update {
        sql.push_str(&format!(" ON UPDATE {update}"));
    }
    if extra.auto_increment {
        sql.push_str(" AUTO_INCREMENT");
    }
    if extra.invisible {
        sql.push_str(" INVISIBLE");
    }
    if !extra.comment.is_empty() {
        sql.push_str(&format!(" COMMENT {}", literal(&extra.comment)));
    }
    sql
}

/// A column of the destination as it is, but with or without NULL and with this default.
pub(crate) fn actual(actual: &Actual, nullable: bool, default: Option<&str>) -> String {
    let mut sql = format!("{} {}", quoted(&actual.name), actual.type_text);
    if let Some(charset) = &actual.charset {
        sql.push_str(&format!(" CHARACTER SET {charset}"));
    }
    if let Some(collation) = &actual.collation {
        sql.push_str(&format!(" COLLATE {collation}"));
    }
    if let Some(expression) = &actual.expression {
        let kind = if actual.stored { "STORED" } else { "VIRTUAL" };
        sql.push_str(&format!(" GENERATED ALWAYS AS ({expression}) {kind}"));
    }
    sql.push_str(if nullable { " NULL" } else { " NOT NULL" });
    if let Some(srid) = actual.srid {
        sql.push_str(&format!(" SRID {srid}"));
    }
    if let Some(default) = default {
        sql.push_str(&format!(" DEFAULT {default}"));
    }
    if actual.invisible {
        sql.push_str(" INVISIBLE");
    }
    if !actual.comment.is_empty() {
        sql.push_str(&format!(" COMMENT {}", literal(&actual.comment)));
    }
    sql
}

/// A key's definition; `None` if it names a column that the table does not have.
pub(crate) fn key(table: &Table, key: &Key) -> Option<String> {
    let parts: Option<Vec<String>> = key.parts.iter().map(|p| part(table, p)).collect();
    let parts = parts?.join(",");
    let name = quoted(&key.name);
    let mut sql = match key.kind {
        KeyKind::Primary => format!("PRIMARY KEY ({parts})"),
        KeyKind::Unique => format!("UNIQUE KEY {name} ({parts})"),
        KeyKind::Index => format!("KEY {name} ({parts})"),
        KeyKind::Fulltext => format!("FULLTEXT KEY {name} ({parts})"),
        KeyKind::Spatial => format!("SPATIAL KEY {name} ({parts})"),
    };
    if !key.comment.is_empty() {
        sql.push_str(&format!(" COMMENT {}", literal(&key.comment)));
    }
    if key.invisible {
        // No older server has such keys.
        sql.push_str(" /*!80000 INVISIBLE */");
    }
    Some(sql)
}

fn part(table: &Table, part: &KeyPart) -> Option<String> {
    let mut sql = match &part.on {
        KeyOn::Column(index) => quoted(&table.columns.get(*index)?.name),
        KeyOn::Expression(expression) => format!("({expression})"),
    };
    if let Some(prefix) = part.prefix {
        sql.push_str(&format!("({prefix})"));
    }
    if part.descending {
        sql.push_str(" DESC");
    }
    Some(sql)
}

/// A string literal where backslashes escape.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
