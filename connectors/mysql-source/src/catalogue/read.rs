//! One table out of `information_schema`: three small queries, each by the
//! table's full name, which the server answers from its dictionary.

use std::time::Duration;

use cdc_sdk::column::{Extra, Generated};
use cdc_sdk::expression::plain_expression;
use cdc_sdk::table::{Key, KeyKind, KeyOn, KeyPart, Table};
use cdc_sdk::{Column, ColumnType, Error, GtidSet, Kind, Result, TableName};
use mysql_async::prelude::{FromValue, Queryable};
use mysql_async::{Conn, Row, Statement};

use super::declared::column_type;
use crate::session::{is_missing_table, wait_for, within};

/// A connection with the three queries prepared: for the server that is as much work as answering them, and of
/// thousands of tables each is read more than once.
pub(super) struct Reader {
    conn: Conn,
    general: Statement,
    columns: Statement,
    keys: Statement,
}

impl Reader {
    /// Prepares the queries.
    ///
    /// # Errors
    /// What the server answers.
    pub(super) async fn new(mut conn: Conn) -> Result<Self> {
        let doing = "reading the catalogue";
        let general = "SELECT TABLE_COLLATION, TABLE_COMMENT FROM information_schema.TABLES \
                       WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND TABLE_TYPE = 'BASE TABLE'";
        let srid = if conn.server_version() >= (8, 0, 0) { "SRS_ID" } else { "NULL" };
        let columns = format!(
            "SELECT COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, CHARACTER_SET_NAME, COLLATION_NAME, COLUMN_DEFAULT, EXTRA, \
             COLUMN_COMMENT, GENERATION_EXPRESSION, {srid} FROM information_schema.COLUMNS \
             WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION"
        );
        let expression = if conn.server_version() >= (8, 0, 13) { "EXPRESSION" } else { "NULL" };
        let visible = if conn.server_version() >= (8, 0, 0) { "IS_VISIBLE" } else { "'YES'" };
        let keys = format!(
            "SELECT INDEX_NAME, NON_UNIQUE, COLUMN_NAME, SUB_PART, COLLATION, INDEX_TYPE, {expression}, {visible} = 'NO', \
             INDEX_COMMENT \
             FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? \
             ORDER BY INDEX_NAME <> 'PRIMARY', NON_UNIQUE, INDEX_NAME, SEQ_IN_INDEX"
        );
        let general = within(doing, conn.prep(general)).await?;
        let columns = within(doing, conn.prep(columns)).await?;
        let keys = within(doing, conn.prep(keys)).await?;
        Ok(Self { conn, general, columns, keys })
    }

    /// Waits until the server shows these transactions, or for `limit`.
    ///
    /// # Errors
    /// What the server answers.
    pub(super) async fn wait_for(&mut self, set: &GtidSet, limit: Duration) -> Result<()> {
        wait_for(&mut self.conn, set, limit).await.map(drop)
    }

    /// A table as the catalogue holds it now; `None` where it has none of that name.
    ///
    /// # Errors
    /// What the server answers; [`Kind::TypeUnsupported`] for a type not known here.
    pub(super) async fn table(&mut self, name: &TableName) -> Result<Option<Table>> {
        let doing = format!("reading the catalogue of {name}");
        let key = || (name.database.as_str(), name.table.as_str());
        let general: Option<Row> = within(&doing, self.conn.exec_first(&self.general, key())).await?;
        let Some(general) = general else { return self.refuse_hidden(name).await.map(|()| None) };
        let rows: Vec<Row> = within(&doing, self.conn.exec(&self.columns, key())).await?;
        let columns = rows.iter().map(|row| column(name, row)).collect::<Result<Vec<_>>>()?;
        let parts: Vec<Row> = within(&doing, self.conn.exec(&self.keys, key())).await?;
        let keys = keys_of(name, &columns, &parts)?;
        Ok(Some(Table {
            version: Table::VERSION,
            chosen_key: None,
            name: name.clone(),
            columns,
            keys,
            collation: text(&general, 0),
            comment: text(&general, 1).unwrap_or_default(),
        }))
    }

    /// When the statement began that changed a table last, in seconds since 1970 by the clock that the log's statements
    /// have, too (seen on 9.7.4: each ALTER sets it, and `SET timestamp` moves it; RENAME TABLE does not).
    ///
    /// # Errors
    /// What the server answers.
    pub(super) async fn changed_at(&mut self, name: &TableName) -> Result<Option<u32>> {
        let doing = format!("reading when {name} was changed");
        let sql = "SELECT UNIX_TIMESTAMP(CREATE_TIME) FROM information_schema.TABLES \
                   WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?";
        let key = (name.database.as_str(), name.table.as_str());
        let row: Option<Row> = within(&doing, self.conn.exec_first(sql, key)).await?;
        Ok(row.and_then(|row| field(&row, 0)))
    }

    /// The catalogue hides a table of which the account has no privilege. Asked for its rows, the server tells that from
    /// one that is not there.
    async fn refuse_hidden(&mut self, name: &TableName) -> Result<()> {
        let sql = format!("SELECT 1 FROM {} LIMIT 0", name.sql());
        match within(&format!("reading {name}"), self.conn.query_drop(sql)).await {
            Err(denied) if denied.kind() == Kind::MysqlDenied => Err(denied.hint(format!(
                "GRANT SELECT ON {} to the account; or leave the table out: [capture] exclude",
                name.sql()
            ))),
            Err(broken) if broken.kind() == Kind::MysqlUnreachable => Err(broken),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// The statement that would make a table; `None` where there is none of that name.
    ///
    /// # Errors
    /// What the server answers.
    pub(super) async fn statement(&mut self, name: &TableName) -> Result<Option<String>> {
        let sql = format!("SHOW CREATE TABLE {}", name.sql());
        match self.conn.query_first::<Row, _>(sql).await {
            Ok(row) => Ok(row.and_then(|row| text(&row, 1))),
            Err(missing) if is_missing_table(&missing) => Ok(None),
            Err(e) => within(&format!("reading the statement of {name}"), async { Err(e) }).await,
        }
    }
}

/// A field that may be NULL, or absent.
fn field<T: FromValue>(row: &Row, index: usize) -> Option<T> {
    row.get_opt::<Option<T>, _>(index)?.ok()?
}

fn text(row: &Row, index: usize) -> Option<String> {
    field::<Vec<u8>>(row, index).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn column(table: &TableName, row: &Row) -> Result<Column> {
    let name = text(row, 0).unwrap_or_default();
    let declared = text(row, 1).unwrap_or_default();
    let ty = column_type(&declared).ok_or_else(|| {
        Error::new(
            Kind::TypeUnsupported,
            format!("{table}, column {name}: the type {declared} is not supported"),
        )
        .hint("leave the table out: [capture] exclude")
    })?;
    let shown = text(row, 6).unwrap_or_default();
    let words = shown.to_ascii_uppercase();
    let default = text(row, 5).map(|value| default_sql(&ty, &value, &words));
    let extra = Extra {
        spelled: spelled(&ty, &declared),
        default,
        on_update: words.find("ON UPDATE ").and_then(|at| words.get(at + 10..)).map(|t| t.trim().to_owned()),
        generated: generated(&words, text(row, 8).unwrap_or_default()),
        auto_increment: words.contains("AUTO_INCREMENT"),
        invisible: words.split_whitespace().any(|word| word == "INVISIBLE"),
        srid: field(row, 9),
        comment: text(row, 7).unwrap_or_default(),
    };
    let is_text = ty.is_text();
    Ok(Column {
        name,
        ty,
        nullable: text(row, 2).is_some_and(|t| t.eq_ignore_ascii_case("YES")),
        charset: text(row, 3).filter(|_| is_text),
        collation: text(row, 4).filter(|_| is_text),
        extra,
    })
}

/// How a number is spelled, where that decides how clients show it or how it is rounded. The widths
/// that 5.7 prints with every integer decide neither.
fn spelled(ty: &ColumnType, declared: &str) -> Option<String> {
    let says_more = match ty {
        ColumnType::Integer { .. } => declared.starts_with("tinyint(1)") || declared.ends_with(" zerofill"),
        ColumnType::Decimal { .. } => declared.ends_with(" zerofill"),
        ColumnType::Float { .. } | ColumnType::Double { .. } => *declared != ty.sql(),
        _ => false,
    };
    says_more.then(|| declared.to_owned())
}

fn generated(words: &str, expression: String) -> Option<Generated> {
    if expression.is_empty() || !words.contains(" GENERATED") {
        return None;
    }
    Some(Generated { expression: plain_expression(&expression), stored: words.contains("STORED GENERATED") })
}

/// The default as SQL takes it. The catalogue prints literals bare, BIT and
/// BINARY ones ready for use, and marks expressions in `EXTRA` (8.0.13 and later).
pub(super) fn default_sql(ty: &ColumnType, value: &str, words: &str) -> String {
    let temporal = matches!(ty, ColumnType::Timestamp { .. } | ColumnType::Datetime { .. });
    if temporal && value.to_ascii_uppercase().starts_with("CURRENT_TIMESTAMP") {
        return value.to_owned();
    }
    if words.contains("DEFAULT_GENERATED") {
        return format!("({})", plain_expression(value));
    }
    match ty {
        ColumnType::Bit { .. } => value.to_owned(),
        // No bytes at all are printed as `0x`, which is no literal, and so are such that begin with 0: the printed text
        // ends there. A column that comes with such a default has its table read again.
        ColumnType::Binary { .. } | ColumnType::Varbinary { .. } if value == "0x" => "''".to_owned(),
        ColumnType::Binary { .. } | ColumnType::Varbinary { .. } if value.starts_with("0x") => {
            value.to_owned()
        }
        ColumnType::Integer { .. } | ColumnType::Decimal { .. } | ColumnType::Year => value.to_owned(),
        ColumnType::Float { .. } | ColumnType::Double { .. } => value.to_owned(),
        _ => format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''")),
    }
}

fn keys_of(table: &TableName, columns: &[Column], rows: &[Row]) -> Result<Vec<Key>> {
    let mut keys: Vec<Key> = Vec::new();
    for row in rows {
        let name = text(row, 0).unwrap_or_default();
        let part = key_part(table, columns, row)?;
        match keys.last_mut().filter(|key| key.name == name) {
            Some(key) => key.parts.push(part),
            None => keys.push(Key {
                kind: key_kind(&name, row),
                name,
                parts: vec![part],
                invisible: field::<u64>(row, 7) == Some(1),
                comment: text(row, 8).unwrap_or_default(),
            }),
        }
    }
    Ok(keys)
}

fn key_kind(name: &str, row: &Row) -> KeyKind {
    let ty = text(row, 5).unwrap_or_default();
    match (name, ty.as_str(), field::<u64>(row, 1)) {
        ("PRIMARY", _, _) => KeyKind::Primary,
        (_, "FULLTEXT", _) => KeyKind::Fulltext,
        (_, "SPATIAL", _) => KeyKind::Spatial,
        (_, _, Some(0)) => KeyKind::Unique,
        _ => KeyKind::Index,
    }
}

fn key_part(table: &TableName, columns: &[Column], row: &Row) -> Result<KeyPart> {
    let on = match (text(row, 2), text(row, 6)) {
        (Some(name), _) => columns.iter().position(|c| c.name.eq_ignore_ascii_case(&name)).map(KeyOn::Column),
        (None, Some(expression)) => Some(KeyOn::Expression(plain_expression(&expression))),
        (None, None) => None,
    };
    let on = on.ok_or_else(|| {
        Error::new(Kind::MysqlUnreachable, format!("{table}: the catalogue changed while it was read"))
    })?;
    let spatial = text(row, 5).is_some_and(|ty| ty == "SPATIAL");
    Ok(KeyPart {
        on,
        prefix: field(row, 3).filter(|_| !spatial),
        descending: text(row, 4).is_some_and(|order| order == "D"),
    })
}
