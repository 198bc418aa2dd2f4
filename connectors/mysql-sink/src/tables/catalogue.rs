//! What the destination's catalogue says of a table.

use cdc_sdk::TableName;
use cdc_sdk::column::ColumnType;
use cdc_sdk::expression::plain_expression;
use cdc_sdk::name::{is_same_name, quoted};

use super::type_text;
use crate::apply::text;
use crate::session::{Refusal, Session};

/// A table of the destination.
#[derive(Clone, Debug, Default)]
pub(crate) struct Catalogue {
    /// Its storage engine; empty for a view.
    pub engine: String,
    /// Its columns in order.
    pub columns: Vec<Actual>,
    /// Its keys.
    pub keys: Vec<ActualKey>,
}

/// A column of the destination.
#[derive(Clone, Debug, Default)]
pub(crate) struct Actual {
    /// Its name.
    pub name: String,
    /// Its type as the catalogue spells it.
    pub type_text: String,
    /// The same, read; `None` for a type that this program does not know.
    pub ty: Option<ColumnType>,
    /// Whether it takes NULL.
    pub nullable: bool,
    /// Whether a row may be inserted without a value for it.
    pub optional: bool,
    /// Whether it has a default.
    pub has_default: bool,
    /// AUTO_INCREMENT.
    pub auto_increment: bool,
    /// Whether it is generated.
    pub generated: bool,
    /// From what, as SQL takes it.
    pub expression: Option<String>,
    /// Whether what is generated is STORED.
    pub stored: bool,
    /// Its character set, for text.
    pub charset: Option<String>,
    /// Its collation, for text.
    pub collation: Option<String>,
    /// The SRID that it is restricted to.
    pub srid: Option<u32>,
    /// INVISIBLE.
    pub invisible: bool,
    /// Its comment.
    pub comment: String,
}

/// A key of the destination.
#[derive(Clone, Debug)]
pub(crate) struct ActualKey {
    /// Its name.
    pub name: String,
    /// Whether it is unique.
    pub unique: bool,
    /// SPATIAL.
    pub spatial: bool,
    /// Its parts in order.
    pub parts: Vec<ActualPart>,
}

/// A part of a key of the destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ActualPart {
    /// A column.
    Whole(String),
    /// The beginning of a column, and how long that is.
    Prefix(String, u32),
    /// An expression as SQL takes it, where the server tells it.
    Expression(Option<String>),
}

impl Catalogue {
    /// Reads it; `None` where there is no such table.
    pub async fn read(session: &mut Session, table: &TableName) -> Result<Option<Self>, Refusal> {
        let place =
            format!("TABLE_SCHEMA = {} AND TABLE_NAME = {}", text(&table.database), text(&table.table));
        let engine: Option<Option<String>> =
            session.row(&format!("SELECT ENGINE FROM information_schema.TABLES WHERE {place}")).await?;
        let Some(engine) = engine else { return Ok(None) };
        Ok(Some(Self {
            engine: engine.unwrap_or_default(),
            columns: columns(session, &place).await?,
            keys: keys(session, &place).await?,
        }))
    }

    /// A column by its name.
    pub fn column(&self, name: &str) -> Option<&Actual> {
        let exact = self.columns.iter().find(|c| c.name == name);
        exact.or_else(|| self.columns.iter().find(|c| is_same_name(&c.name, name)))
    }

    /// Whether some unique key stands on exactly these columns, in any order: whole, or so that it tells
    /// apart even their beginnings.
    pub fn has_unique_key(&self, columns: &[&str]) -> bool {
        self.keys.iter().any(|k| k.unique && k.stands_on(columns, ActualPart::column))
    }
}

impl Actual {
    /// Whether it is worked out from this column, among others.
    pub fn rests_on(&self, column: &str) -> bool {
        self.expression.as_ref().is_some_and(|e| e.contains(&quoted(column)))
    }

    /// The column's definition in brief, for errors.
    pub fn describe(&self) -> String {
        let null = if self.nullable { "" } else { " NOT NULL" };
        let collation = self.collation.as_ref().map_or_else(String::new, |c| format!(" COLLATE {c}"));
        let srid = self.srid.map_or_else(String::new, |srid| format!(" SRID {srid}"));
        let kind = if self.stored { "STORED" } else { "VIRTUAL" };
        let generated =
            self.expression.as_ref().map_or_else(String::new, |from| format!(" AS ({from}) {kind}"));
        format!("{}{collation}{generated}{null}{srid}", self.type_text)
    }
}

impl ActualKey {
    /// Whether a part of it is this column, or its beginning.
    pub fn has(&self, column: &str) -> bool {
        self.parts.iter().any(|part| part.column() == Some(column))
    }

    /// Whether the key stands on exactly these columns, whole and in any order.
    pub fn is_on(&self, columns: &[&str]) -> bool {
        self.stands_on(columns, ActualPart::whole)
    }

    fn stands_on(&self, columns: &[&str], column_of: impl Fn(&ActualPart) -> Option<&str>) -> bool {
        self.parts.len() == columns.len()
            && self
                .parts
                .iter()
                .all(|part| column_of(part).is_some_and(|p| columns.iter().any(|c| is_same_name(c, p))))
    }
}

impl ActualPart {
    /// The column, where the part is all of it.
    pub fn whole(&self) -> Option<&str> {
        match self {
            Self::Whole(column) => Some(column),
            Self::Prefix(..) | Self::Expression(_) => None,
        }
    }

    /// How much of the column it is, where that is not all.
    pub fn prefix(&self) -> Option<u32> {
        match self {
            Self::Prefix(_, length) => Some(*length),
            Self::Whole(_) | Self::Expression(_) => None,
        }
    }

    /// The column, where the part is one or the beginning of one.
    pub fn column(&self) -> Option<&str> {
        match self {
            Self::Whole(column) | Self::Prefix(column, _) => Some(column),
            Self::Expression(_) => None,
        }
    }
}

type ColumnFacts =
    (String, String, u8, u8, Option<String>, Option<String>, String, Option<String>, String, Option<u32>);

async fn columns(session: &mut Session, place: &str) -> Result<Vec<Actual>, Refusal> {
    // Columns have been restricted to an SRID since 8.0.3.
    let srid = if session.version >= (8, 0, 3) { "SRS_ID" } else { "NULL" };
    let sql = format!(
        "SELECT COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE = 'YES', COLUMN_DEFAULT IS NOT NULL, \
         CHARACTER_SET_NAME, COLLATION_NAME, EXTRA, GENERATION_EXPRESSION, COLUMN_COMMENT, {srid} \
         FROM information_schema.COLUMNS WHERE {place} ORDER BY ORDINAL_POSITION"
    );
    let rows: Vec<ColumnFacts> = session.rows(&sql).await?;
    Ok(rows.into_iter().map(actual).collect())
}

fn actual(facts: ColumnFacts) -> Actual {
    let (name, type_text, nullable, default, charset, collation, extra, expression, comment, srid) = facts;
    let extra = extra.to_ascii_uppercase();
    let stored = extra.contains("STORED GENERATED");
    let generated = stored || extra.contains("VIRTUAL GENERATED");
    let has_default = default != 0 || extra.contains("DEFAULT_GENERATED");
    let auto_increment = extra.contains("AUTO_INCREMENT");
    Actual {
        name,
        ty: type_text::parse(&type_text),
        type_text,
        nullable: nullable != 0,
        optional: nullable != 0 || has_default || generated || auto_increment,
        has_default,
        auto_increment,
        generated,
        expression: expression.filter(|_| generated).map(|e| plain_expression(&e)),
        stored,
        charset,
        collation,
        srid,
        invisible: extra.contains("INVISIBLE"),
        comment,
    }
}

async fn keys(session: &mut Session, place: &str) -> Result<Vec<ActualKey>, Refusal> {
    // Keys on expressions, and the column that tells these, have been there since 8.0.13.
    let expression = if session.version >= (8, 0, 13) { "EXPRESSION" } else { "NULL" };
    let sql = format!(
        "SELECT INDEX_NAME, NON_UNIQUE = 0, COLUMN_NAME, SUB_PART, {expression}, INDEX_TYPE = 'SPATIAL' \
         FROM information_schema.STATISTICS WHERE {place} ORDER BY INDEX_NAME, SEQ_IN_INDEX"
    );
    type Facts = (String, u8, Option<String>, Option<u32>, Option<String>, u8);
    let rows: Vec<Facts> = session.rows(&sql).await?;
    let mut keys: Vec<ActualKey> = Vec::new();
    for (name, unique, column, prefix, expression, spatial) in rows {
        let part = match (column, prefix) {
            (Some(column), None) => ActualPart::Whole(column),
            (Some(column), Some(length)) => ActualPart::Prefix(column, length),
            (None, _) => ActualPart::Expression(expression.map(|e| plain_expression(&e))),
        };
        match keys.last_mut().filter(|k| k.name == name) {
            Some(key) => key.parts.push(part),
            None => {
                keys.push(ActualKey { name, unique: unique != 0, spatial: spatial != 0, parts: vec![part] })
            }
        }
    }
    Ok(keys)
}
