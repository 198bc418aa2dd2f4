//! A missing table is created as the source has it: `SHOW CREATE TABLE` says the same.

use cdc_mysql_sink::SchemaMode;
use cdc_sdk::column::{BlobSize, ColumnType as T, Extra, Generated, GeometryKind, Width};
use cdc_sdk::table::{KeyOn, KeyPart};
use cdc_sdk::{Column, Key, KeyKind, Kind, Table, TableName};
use std::sync::Arc;

use crate::world::*;

const SOURCE: &str = "CREATE TABLE DB.wanted (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  tiny TINYINT NOT NULL DEFAULT '-1',
  price DECIMAL(65,30) UNSIGNED NULL DEFAULT '1.500000000000000000000000000000',
  name VARCHAR(50) CHARACTER SET latin1 COLLATE latin1_german2_ci NOT NULL DEFAULT 'it''s' COMMENT 'a \\\\ ''name''',
  kind ENUM('a','b''c','d\\\\e') CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL DEFAULT 'a',
  flags SET('x','y') NULL,
  body LONGTEXT NULL,
  made TIMESTAMP(6) NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
  seen DATETIME NOT NULL DEFAULT '0000-00-00 00:00:00',
  at TIME(3) NULL,
  born YEAR NULL,
  bits BIT(9) NULL DEFAULT b'101',
  doc JSON NULL DEFAULT (json_object()),
  place POINT NOT NULL SRID 4326,
  v VECTOR(3) NULL,
  hidden INT NULL INVISIBLE,
  twice INT GENERATED ALWAYS AS (tiny * 2) VIRTUAL,
  thrice INT GENERATED ALWAYS AS (tiny * 3) STORED NOT NULL,
  f FLOAT NULL, d DOUBLE UNSIGNED NULL, b BINARY(3) NULL, vb VARBINARY(7) NULL,
  PRIMARY KEY (id, name),
  UNIQUE KEY name (name, tiny DESC),
  UNIQUE KEY `od``d` ((lower(name))),
  KEY body (body(10)) COMMENT 'it''s \\\\ not read by' /*!80000 INVISIBLE */,
  FULLTEXT KEY ft (body),
  SPATIAL KEY sp (place)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci COMMENT='all of it'";

fn with(mut column: Column, change: impl FnOnce(&mut Column)) -> Column {
    change(&mut column);
    column
}

fn charset(column: Column, charset: &str, collation: &str) -> Column {
    Column { charset: Some(charset.into()), collation: Some(collation.into()), ..column }
}

fn generated(name: &str, expression: &str, stored: bool) -> Column {
    let generated = Some(Generated { expression: expression.into(), stored });
    Column { extra: Extra { generated, ..Extra::default() }, nullable: !stored, ..int(name) }
}

fn default(column: Column, default: &str) -> Column {
    with(column, |c| c.extra.default = Some(default.into()))
}

fn columns() -> Vec<Column> {
    let of = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    let any = |name: &str, ty| nullable(column(name, ty));
    vec![
        with(column("id", T::Integer { width: Width::Big, unsigned: true }), |c| {
            c.extra.auto_increment = true
        }),
        default(column("tiny", T::Integer { width: Width::Tiny, unsigned: false }), "'-1'"),
        default(
            any("price", T::Decimal { precision: 65, scale: 30, unsigned: true }),
            "'1.500000000000000000000000000000'",
        ),
        with(charset(default(varchar("name", 50), "'it''s'"), "latin1", "latin1_german2_ci"), |c| {
            c.extra.comment = "a \\ 'name'".into();
        }),
        charset(
            default(any("kind", T::Enum { members: of(&["a", "b'c", "d\\e"]) }), "'a'"),
            "utf8mb4",
            "utf8mb4_bin",
        ),
        any("flags", T::Set { members: of(&["x", "y"]) }),
        any("body", T::Text { size: BlobSize::Long }),
        with(default(any("made", T::Timestamp { fsp: 6 }), "CURRENT_TIMESTAMP(6)"), |c| {
            c.extra.on_update = Some("CURRENT_TIMESTAMP(6)".into());
        }),
        default(column("seen", T::Datetime { fsp: 0 }), "'0000-00-00 00:00:00'"),
        any("at", T::Time { fsp: 3 }),
        any("born", T::Year),
        default(any("bits", T::Bit { bits: 9 }), "b'101'"),
        default(any("doc", T::Json), "(json_object())"),
        with(column("place", T::Geometry { kind: GeometryKind::Point }), |c| c.extra.srid = Some(4326)),
        any("v", T::Vector { dimension: 3 }),
        with(nullable(int("hidden")), |c| c.extra.invisible = true),
        generated("twice", "(`tiny` * 2)", false),
        generated("thrice", "(`tiny` * 3)", true),
        any("f", T::Float { unsigned: false }),
        any("d", T::Double { unsigned: true }),
        any("b", T::Binary { length: 3 }),
        any("vb", T::Varbinary { length: 7 }),
    ]
}

fn keys() -> Vec<Key> {
    let part = |on, prefix, descending| KeyPart { on, prefix, descending };
    let key = Key::new;
    vec![
        primary(&[0, 3]),
        key(
            KeyKind::Unique,
            "name",
            vec![part(KeyOn::Column(3), None, false), part(KeyOn::Column(1), None, true)],
        ),
        key(KeyKind::Unique, "od`d", vec![part(KeyOn::Expression("lower(`name`)".into()), None, false)]),
        Key {
            invisible: true,
            comment: "it's \\ not read by".into(),
            ..key(KeyKind::Index, "body", vec![part(KeyOn::Column(6), Some(10), false)])
        },
        key(KeyKind::Fulltext, "ft", parts(&[6])),
        key(KeyKind::Spatial, "sp", parts(&[13])),
    ]
}

#[test]
fn with_all_types_and_keys() {
    in_world(|world| async move {
        world.create_database().await;
        world.sql(SOURCE).await;
        let table =
            Table { comment: "all of it".into(), ..Table::clone(&world.table("copied", columns(), keys())) };
        let mut sink = world.open().await;
        let point: Vec<u8> = [&[1u8, 1, 0, 0, 0][..], &[0; 16]].concat();
        let mut row = vec![NULL; 22];
        row[0] = n(1);
        row[1] = n(5);
        row[3] = t("x");
        row[8] = cdc_sdk::OwnedValue::Plain(cdc_sdk::Value::DateTime(cdc_sdk::temporal::DateTime::default()));
        row[13] = cdc_sdk::OwnedValue::Geometry(4326, point);
        (row[16], row[17]) = (n(10), n(15));
        let table = Arc::new(table);
        world.apply(&mut sink, vec![create(&table, row.clone())]).await.unwrap();
        let show = |name: &str| format!("SHOW CREATE TABLE DB.{name}");
        let wanted = &world.rows::<(String, String)>(&show("wanted")).await[0].1;
        let made = &world.rows::<(String, String)>(&show("copied")).await[0].1;
        let plain = |sql: &str, name: &str| {
            let counter = sql.find(" AUTO_INCREMENT=").map(|at| {
                let end = sql[at + 1..].find(' ').map_or(sql.len(), |e| at + 1 + e);
                sql[at..end].to_owned()
            });
            sql.replace(&format!("`{name}`"), "`t`").replace(&counter.unwrap_or_else(|| "\u{0}".into()), "")
        };
        assert_eq!(plain(made, "copied"), plain(wanted, "wanted"));
        // A second sink finds nothing to change, and a table with a unique key over an expression takes updates.
        sink.close().await;
        let mut sink = world.open().await;
        let mut changed = row.clone();
        changed[1] = n(6);
        (changed[16], changed[17]) = (n(12), n(18));
        world.apply(&mut sink, vec![update(&table, row, changed)]).await.unwrap();
        assert_eq!(world.rows::<(i64, i64)>("SELECT twice, thrice FROM DB.copied").await, [(12, 18)]);
    });
}

/// By its name it would come first, and be the primary key that the table does not have.
#[test]
fn with_a_hidden_unique_key_behind_the_one_that_tells_rows() {
    in_world(|world| async move {
        let hidden = Key { invisible: true, ..unique("a", &[1]) };
        let table = world.table("hidden", vec![int("id"), int("v")], vec![hidden, unique("b", &[0])]);
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![create(&table, vec![n(1), n(2)])]).await.unwrap();
        let sql = "SELECT CONCAT(index_name, is_visible) FROM information_schema.statistics \
                   WHERE table_schema = ";
        let sql = format!("{sql}'{}' AND table_name = 'hidden' ORDER BY 1", world.database);
        assert_eq!(world.texts(&sql).await, ["aNO", "bYES"]);
    });
}

#[test]
fn only_where_the_settings_allow_it() {
    in_world(|mut world| async move {
        for mode in [SchemaMode::Check, SchemaMode::None] {
            world.settings.schema = mode;
            let people = world.people();
            let mut sink = world.open().await;
            let changes = vec![create(&people, vec![n(1), t("a"), n(1)])];
            let error = world.apply(&mut sink, changes).await.unwrap_err();
            assert_eq!(error.kind(), Kind::TableMismatch, "{error}");
            assert!(error.hint_text().unwrap().contains("CREATE TABLE"), "{error}");
            sink.close().await;
        }
    });
}

#[test]
fn under_the_name_that_a_route_gives() {
    in_world(|mut world| async move {
        let pattern = |text: &str| cdc_sdk::pattern::Pattern::parse(text).unwrap();
        let to = pattern(&format!("{}.copy_of_*", world.database));
        world.settings.routes = vec![cdc_sdk::pattern::Route::new(pattern("shop.*"), to).unwrap()];
        let mut people = Table::clone(&world.people());
        people.name = TableName::new("shop", "people");
        let people = Arc::new(people);
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![create(&people, vec![n(1), t("a"), n(1)])]).await.unwrap();
        assert_eq!(world.texts("SELECT name FROM DB.copy_of_people").await, ["a"]);
    });
}
