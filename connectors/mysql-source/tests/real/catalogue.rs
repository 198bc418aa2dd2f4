//! What the catalogue says of a table is enough to make the same table again.

use cdc_mysql_source::Start;
use cdc_sdk::table::{Key, KeyKind, KeyOn};
use cdc_sdk::{Column, Table};
use mysql_async::prelude::Queryable;

use crate::kit::{Model, Outcome, World, until_complete};

const MAKE: &str = "CREATE TABLE t (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  a VARCHAR(20) DEFAULT 'it''s \\\\ \"x\" ä', b INT DEFAULT 5, n INT,
  c DATETIME(3) DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  d VARCHAR(20) DEFAULT (CONCAT('a''b', 'ö', a)), e BIT(5) DEFAULT b'101', f BINARY(3) DEFAULT 'a\\0',
  g INT GENERATED ALWAYS AS (b + 1) VIRTUAL, h VARCHAR(30) GENERATED ALWAYS AS (CONCAT(a, 'ä''\\\\')) STORED COMMENT 'hi',
  i JSON DEFAULT (JSON_ARRAY()), j ENUM('a''b','c\\\\d','e,f','ö') DEFAULT 'c\\\\d', k POINT NOT NULL SRID 4326,
  l INT INVISIBLE DEFAULT 3, m DECIMAL(10,2) UNSIGNED DEFAULT 1.5, o DATE DEFAULT '2020-01-01', q DOUBLE DEFAULT 1e10,
  r YEAR DEFAULT 2020, s SET('x','y') DEFAULT 'x,y', w TEXT CHARACTER SET latin1 COLLATE latin1_german2_ci,
  ts TIMESTAMP NULL DEFAULT NULL, te TEXT DEFAULT ('ß'),
  `größe☃` INT, `gü` INT GENERATED ALWAYS AS (`größe☃` + 1), `dü` INT DEFAULT (`größe☃` * 2), `jü` JSON,
  KEY ug ((`größe☃` * 3)), KEY mv ((CAST(`jü`->'$.ä' AS UNSIGNED ARRAY))),
  UNIQUE KEY uq (b DESC, a(3)), UNIQUE KEY ex ((b * 2), (LOWER(a))), KEY kk (c) COMMENT 'k''s' INVISIBLE, FULLTEXT KEY ft (w), SPATIAL KEY sp (k)
) COLLATE utf8mb4_bin COMMENT 'it''s'";

fn column(column: &Column) -> String {
    let extra = &column.extra;
    let mut sql = format!("`{}` {}", column.name, column.ty.sql());
    if let Some(collation) = &column.collation {
        sql.push_str(&format!(" COLLATE {collation}"));
    }
    if let Some(generated) = &extra.generated {
        let kind = if generated.stored { "STORED" } else { "VIRTUAL" };
        sql.push_str(&format!(" GENERATED ALWAYS AS ({}) {kind}", generated.expression));
    }
    sql.push_str(if column.nullable { " NULL" } else { " NOT NULL" });
    for (word, text) in [("DEFAULT", &extra.default), ("ON UPDATE", &extra.on_update)] {
        if let Some(text) = text {
            sql.push_str(&format!(" {word} {text}"));
        }
    }
    if let Some(srid) = extra.srid {
        sql.push_str(&format!(" SRID {srid}"));
    }
    sql.push_str(if extra.auto_increment { " AUTO_INCREMENT" } else { "" });
    sql.push_str(if extra.invisible { " INVISIBLE" } else { "" });
    format!("{sql} COMMENT '{}'", extra.comment.replace('\'', "''"))
}

fn key(table: &Table, key: &Key) -> String {
    let parts = key.parts.iter().map(|part| {
        let on = match &part.on {
            KeyOn::Column(index) => format!("`{}`", table.columns[*index].name),
            KeyOn::Expression(expression) => format!("({expression})"),
        };
        let prefix = part.prefix.map(|p| format!("({p})")).unwrap_or_default();
        format!("{on}{prefix}{}", if part.descending { " DESC" } else { "" })
    });
    let kind = match key.kind {
        KeyKind::Primary => "PRIMARY KEY".to_owned(),
        KeyKind::Unique => format!("UNIQUE KEY `{}`", key.name),
        KeyKind::Index => format!("KEY `{}`", key.name),
        KeyKind::Fulltext => format!("FULLTEXT KEY `{}`", key.name),
        KeyKind::Spatial => format!("SPATIAL KEY `{}`", key.name),
    };
    let comment = key.comment.replace('\'', "''");
    let visible = if key.invisible { "INVISIBLE" } else { "VISIBLE" };
    format!("{kind} ({}) COMMENT '{comment}' {visible}", parts.collect::<Vec<_>>().join(", "))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_can_be_made_again() -> Outcome {
    let Some(mut world) = World::new("again").await? else { return Ok(()) };
    world.admin.query_drop("SET sql_mode = ''").await?;
    world.admin.query_drop(MAKE).await?;
    let mut model = Model::default();
    let settings = world.settings("again")?;
    let mut source = model.open(&settings, Start::Fresh).await?;
    until_complete(&mut source, &mut model).await?;
    let (_, table) = source.shape_of(&world.table("t")).await?.ok_or("no shape")?;
    let parts: Vec<String> =
        table.columns.iter().map(column).chain(table.keys.iter().map(|k| key(&table, k))).collect();
    let collation = table.collation.clone().ok_or("no collation")?;
    let again = format!("CREATE TABLE again (\n{}\n) COLLATE {collation} COMMENT 'it''s'", parts.join(",\n"));
    world.admin.query_drop(&again).await.map_err(|e| format!("{e}\n{again}"))?;
    let mut shown = Vec::new();
    for name in ["t", "again"] {
        let row: Option<(String, String)> =
            world.admin.query_first(format!("SHOW CREATE TABLE {name}")).await?;
        let text =
            row.map(|r| r.1).unwrap_or_default().replacen(name, "T", 1).replace(" CHARACTER SET utf8mb4", "");
        let mut lines: Vec<String> = text.lines().map(|l| l.trim_end_matches(',').to_owned()).collect();
        lines.sort();
        shown.push(lines);
    }
    assert_eq!(shown[0], shown[1]);
    world.end().await
}

/// A session that fails is followed by another in the same process, which may begin at a later place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_opened_anew_sees_tables_as_they_are_now() -> Outcome {
    let Some(mut world) = World::new("anew").await? else { return Ok(()) };
    world.admin.query_drop("CREATE TABLE t (id INT PRIMARY KEY)").await?;
    let settings = world.settings("anew")?;
    for columns in 1..=2 {
        let source = Model::default().open(&settings, Start::Fresh).await?;
        let (_, table) = source.shape_of(&world.table("t")).await?.ok_or("no shape")?;
        assert_eq!(table.columns.len(), columns);
        drop(source);
        world.admin.query_drop(format!("ALTER TABLE t ADD COLUMN v{columns} INT")).await?;
    }
    world.end().await
}
