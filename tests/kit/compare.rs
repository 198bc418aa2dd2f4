//! Compares two databases column by column as bytes, without any part of the tool.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};

/// Everything in which `to` at the destination differs from `from` at the source.
pub async fn differences(source: &mut Conn, from: &str, dest: &mut Conn, to: &str) -> Vec<String> {
    let (here, there) = (tables(source, from).await, tables(dest, to).await);
    if here != there {
        return vec![format!("tables: {here:?} and {there:?}")];
    }
    let mut found = Vec::new();
    for table in here {
        let columns = columns(source, from, &table).await;
        let theirs = self::columns(dest, to, &table).await;
        if columns != theirs {
            found.push(format!("{table}: columns {columns:?} and {theirs:?}"));
            continue;
        }
        let (a, b) = (rows(source, from, &table).await, rows(dest, to, &table).await);
        if a != b {
            let first = a.iter().zip(&b).position(|(a, b)| a != b).unwrap_or(a.len().min(b.len()));
            found.push(format!(
                "{table}: {} and {} rows; at row {first}: {:?} and {:?}",
                a.len(),
                b.len(),
                a.get(first),
                b.get(first)
            ));
        }
    }
    found
}

async fn tables(conn: &mut Conn, database: &str) -> Vec<String> {
    let sql = "SELECT table_name FROM information_schema.tables WHERE table_schema=? ORDER BY table_name";
    conn.exec(sql, (database,)).await.unwrap()
}

/// Name and full type of each column, with its character set, collation and key.
async fn columns(conn: &mut Conn, database: &str, table: &str) -> Vec<String> {
    let sql = "SELECT CONCAT_WS(' ', column_name, column_type, is_nullable, character_set_name, collation_name, \
               column_key, extra) FROM information_schema.columns WHERE table_schema=? AND table_name=? \
               ORDER BY ordinal_position";
    conn.exec(sql, (database, table)).await.unwrap()
}

/// All rows in order, each column as the bytes that the table holds.
async fn rows(conn: &mut Conn, database: &str, table: &str) -> Vec<Vec<Value>> {
    let names: Vec<String> = conn
        .exec(
            "SELECT column_name FROM information_schema.columns WHERE table_schema=? AND table_name=? \
             ORDER BY ordinal_position",
            (database, table),
        )
        .await
        .unwrap();
    let columns: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
    let columns = columns.join(",");
    conn.query_drop("SET NAMES binary, time_zone='+00:00'").await.unwrap();
    let found: Vec<Row> =
        conn.query(format!("SELECT {columns} FROM `{database}`.`{table}` ORDER BY {columns}")).await.unwrap();
    found.into_iter().map(Row::unwrap).collect()
}
