//! Compares two databases column by column as bytes, without any part of the tool.

use std::collections::BTreeMap;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params, Row, Value};

/// A column or key as the catalogue has it: its name, its type's first word, and all the rest that must be the same.
type Column = (String, String, String);

/// Everything in which `to` at the destination differs from `from` at the source.
pub async fn differences(source: &mut Conn, from: &str, dest: &mut Conn, to: &str) -> Vec<String> {
    let (here, there) = (tables(source, from).await, tables(dest, to).await);
    let mut found = Vec::new();
    let more: Vec<_> = there.keys().filter(|t| !here.contains_key(*t)).collect();
    if !more.is_empty() {
        found.push(format!("tables: the destination has {more:?} beside"));
    }
    let (here_keys, there_keys) = (keys(source, from).await, keys(dest, to).await);
    for (table, columns) in here {
        // A table comes with its first row: one that never had any that stayed need not be there.
        if !there.contains_key(&table) && rows(source, from, &table, &columns).await.is_empty() {
            continue;
        }
        if !there.get(&table).is_some_and(|there| are_alike(&columns, there)) {
            found.push(format!("{table}: columns {columns:?} and {:?}", there.get(&table)));
            continue;
        }
        if here_keys.get(&table) != there_keys.get(&table) {
            found.push(format!("{table}: keys {:?} and {:?}", here_keys.get(&table), there_keys.get(&table)));
        }
        let a = rows(source, from, &table, &columns).await;
        let b = rows(dest, to, &table, &columns).await;
        if a != b {
            let first = a.iter().zip(&b).position(|(a, b)| a != b).unwrap_or(a.len().min(b.len()));
            found.push(format!(
                "{table}: {} and {} rows; at row {first}: {}",
                a.len(),
                b.len(),
                different_columns(&columns, a.get(first), b.get(first))
            ));
        }
    }
    found
}

/// Whether columns are the same, but for this: one that takes no NULL may have a default at the destination alone, for
/// rows from before it was added; and one that is worked out and stored may be a plain one there, where the session
/// decides what it is worked out to.
fn are_alike(here: &[Column], there: &[Column]) -> bool {
    let added = |here: &str, there: &str| {
        here.contains(" NO ") && there.strip_prefix(here).is_some_and(|default| default.starts_with(" ="))
    };
    let plain = |here: &str, there: &str| {
        here.split_once("STORED GENERATED").is_some_and(|(before, rest)| {
            let extra = if rest.starts_with(" INVISIBLE") { "INVISIBLE" } else { "" };
            format!("{before}{extra}").trim_end() == there.trim_end()
        })
    };
    here.len() == there.len()
        && here.iter().zip(there).all(|(here, there)| {
            (&here.0, &here.1) == (&there.0, &there.1)
                && (here.2 == there.2 || added(&here.2, &there.2) || plain(&here.2, &there.2))
        })
}

/// The columns of each table, with name and full type, character set, collation and default.
async fn tables(conn: &mut Conn, database: &str) -> BTreeMap<String, Vec<Column>> {
    let sql = "SELECT table_name, column_name, data_type, CONCAT_WS(' ', column_type, is_nullable, character_set_name, \
               collation_name, extra, generation_expression, srs_id, CONCAT('=', column_default)) \
               FROM information_schema.tables JOIN information_schema.columns USING (table_schema, table_name) \
               WHERE table_schema=? ORDER BY table_name, ordinal_position";
    let rows: Vec<(String, String, String, String)> = conn.exec(sql, (database,)).await.unwrap();
    let mut tables: BTreeMap<String, Vec<Column>> = BTreeMap::new();
    for (table, name, ty, rest) in rows {
        tables.entry(table).or_default().push((name, ty, rest));
    }
    tables
}

/// The keys of each table, whatever their order.
async fn keys(conn: &mut Conn, database: &str) -> BTreeMap<String, Vec<String>> {
    let sql = "SELECT table_name, CONCAT_WS(' ', index_name, seq_in_index, non_unique, index_type, column_name, sub_part, \
               collation, expression, is_visible, index_comment) FROM information_schema.statistics \
               WHERE table_schema=? ORDER BY table_name, index_name, seq_in_index";
    let rows: Vec<(String, String)> = conn.exec(sql, (database,)).await.unwrap();
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (table, part) in rows {
        keys.entry(table).or_default().push(part);
    }
    keys
}

/// All rows, each column as what the table holds: text as its bytes, numbers bit for bit (which is why
/// statements are prepared: else a FLOAT came with six digits), ENUM and SET by number, JSON with the kind of
/// each value in it.
async fn rows(conn: &mut Conn, database: &str, table: &str, columns: &[Column]) -> Vec<Vec<Vec<u8>>> {
    let quoted = |name: &str| format!("`{}`", name.replace('`', "``"));
    let expression = |(name, ty, _): &Column| match ty.as_str() {
        "enum" | "set" => format!("CAST({} AS UNSIGNED)", quoted(name)),
        "json" => {
            let kinds = |path: &str| {
                format!(
                    "(SELECT IFNULL(GROUP_CONCAT(JSON_TYPE(part) ORDER BY n), '') FROM JSON_TABLE({}, '{path}' \
                     COLUMNS (n FOR ORDINALITY, part JSON PATH '$')) AS parts)",
                    quoted(name)
                )
            };
            let whole = quoted(name);
            let (members, elements) = (kinds("$**.*"), kinds("$**[*]"));
            format!(
                "CONCAT({whole}, ' ', JSON_STORAGE_SIZE(JSON_ARRAY({whole})), ' ', JSON_TYPE({whole}), ' ', {members}, ' ', {elements})"
            )
        }
        _ => quoted(name),
    };
    let columns: Vec<String> = columns.iter().map(expression).collect();
    conn.query_drop(
        "SET NAMES utf8mb4, character_set_results=NULL, time_zone='+00:00', group_concat_max_len=1073741824",
    )
    .await
    .unwrap();
    let sql = format!("SELECT {} FROM {}.{}", columns.join(","), quoted(database), quoted(table));
    let found: Vec<Row> = conn.exec(sql, Params::Empty).await.unwrap();
    let bytes = |value: Value| match value {
        Value::NULL => Vec::new(),
        Value::Bytes(bytes) => [b"'", bytes.as_slice()].concat(),
        Value::Float(number) => format!("{number:e} {:08x}", number.to_bits()).into_bytes(),
        Value::Double(number) => format!("{number:e} {:016x}", number.to_bits()).into_bytes(),
        other => format!("{other:?}").into_bytes(),
    };
    let mut rows: Vec<Vec<Vec<u8>>> =
        found.into_iter().map(|row| row.unwrap().into_iter().map(bytes).collect()).collect();
    rows.sort();
    rows
}

fn different_columns(
    columns: &[Column],
    here: Option<&Vec<Vec<u8>>>,
    there: Option<&Vec<Vec<u8>>>,
) -> String {
    let (Some(here), Some(there)) = (here, there) else {
        return format!("{:?} and {:?}", here.map(|r| shown(r)), there.map(|r| shown(r)));
    };
    let pairs = columns.iter().zip(here.iter().zip(there)).filter(|(_, (a, b))| a != b);
    let each = pairs.map(|((name, _, rest), (a, b))| {
        format!("{name} ({rest}): {:?} and {:?}", String::from_utf8_lossy(a), String::from_utf8_lossy(b))
    });
    each.collect::<Vec<_>>().join("; ")
}

fn shown(row: &[Vec<u8>]) -> Vec<String> {
    row.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect()
}
