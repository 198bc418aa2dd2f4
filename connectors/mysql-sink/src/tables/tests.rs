use cdc_sdk::Column;
use cdc_sdk::column::{BlobSize, ColumnType as T, Extra, Width};

use super::catalogue::{Actual, ActualKey, ActualPart, Catalogue};
use super::difference::{Aim, Difference};
use super::*;

fn ty(text: &str) -> T {
    type_text::parse(text).unwrap()
}

fn actual(name: &str, text: &str, nullable: bool) -> Actual {
    let ty = type_text::parse(text);
    let is_text = ty.as_ref().is_some_and(T::is_text);
    Actual {
        name: name.into(),
        type_text: text.into(),
        ty,
        nullable,
        optional: nullable,
        charset: is_text.then(|| "utf8mb4".into()),
        collation: is_text.then(|| "utf8mb4_0900_ai_ci".into()),
        ..Actual::default()
    }
}

fn wanted(name: &str, ty: T, nullable: bool) -> Column {
    let is_text = ty.is_text();
    Column {
        name: name.into(),
        ty,
        nullable,
        charset: is_text.then(|| "utf8mb4".into()),
        collation: is_text.then(|| "utf8mb4_0900_ai_ci".into()),
        extra: Extra::default(),
    }
}

fn key(name: &str, unique: bool, parts: &[Option<&str>]) -> ActualKey {
    let part =
        |p: &Option<&str>| p.map_or(ActualPart::Expression(None), |name| ActualPart::Whole(name.to_owned()));
    ActualKey { name: name.into(), unique, spatial: false, parts: parts.iter().map(part).collect() }
}

fn people() -> Table {
    let int = T::Integer { width: Width::Int, unsigned: false };
    let primary = serde_json::json!({"kind": "primary", "name": "PRIMARY", "parts": [{"column": 0}]});
    Table {
        version: Table::VERSION,
        chosen_key: None,
        name: TableName::new("shop", "people"),
        columns: vec![wanted("id", int, false), wanted("name", T::Varchar { length: 20 }, true)],
        keys: vec![serde_json::from_value(primary).unwrap()],
        collation: None,
        comment: String::new(),
    }
}

/// A table of rows of 200 bytes, two numbers and two texts, and how they are written into one that is alike.
pub(crate) fn sysbench() -> (Arc<Table>, Plan) {
    let int = |width| T::Integer { width, unsigned: false };
    let columns = [
        ("id", int(Width::Big)),
        ("k", int(Width::Int)),
        ("c", T::Char { length: 120 }),
        ("pad", T::Char { length: 60 }),
    ];
    let actuals = columns.iter().map(|(name, ty)| actual(name, &ty.sql(), false)).collect();
    let columns = columns.into_iter().map(|(name, ty)| wanted(name, ty, false)).collect();
    let table = Table { name: TableName::new("shop", "s"), columns, ..people() };
    let keys = vec![key("PRIMARY", true, &[Some("id")]), key("k", false, &[Some("k")])];
    let plan = Plan::new(&table, TableName::new("crm", "s"), &found(actuals, keys), (9, 7, 0)).unwrap();
    (Arc::new(table), plan)
}

fn found(columns: Vec<Actual>, keys: Vec<ActualKey>) -> Catalogue {
    Catalogue { engine: "InnoDB".into(), columns, keys }
}

fn aim(mode: SchemaMode, past: &Past) -> Aim<'_> {
    Aim { mode, by_key: false, again: false, version: (9, 7, 0), past }
}

fn evolve(table: &Table, catalogue: &Catalogue, past: &Past) -> Difference {
    Difference::between(table, catalogue, &target(), &aim(SchemaMode::Evolve, past))
}

fn target() -> TableName {
    TableName::new("crm", "people")
}

#[test]
fn types_as_every_version_spells_them() {
    assert_eq!(ty("int(10) unsigned zerofill"), T::Integer { width: Width::Int, unsigned: true });
    assert_eq!(ty("tinyint(1)"), T::Integer { width: Width::Tiny, unsigned: false });
    assert_eq!(ty("decimal(65,30)"), T::Decimal { precision: 65, scale: 30, unsigned: false });
    assert_eq!(ty("double unsigned"), T::Double { unsigned: true });
    assert_eq!(ty("datetime(6)"), T::Datetime { fsp: 6 });
    assert_eq!(ty("year(4)"), T::Year);
    assert_eq!(ty("mediumtext"), T::Text { size: BlobSize::Medium });
    assert_eq!(ty("blob"), T::Blob { size: BlobSize::Normal });
    assert_eq!(ty("geometrycollection"), ty("geomcollection"));
    let members = ["a,b", "it's", "c\\d", "Ä"].map(str::to_owned).to_vec();
    assert_eq!(ty(r"enum('a,b','it''s','c\\d','Ä')"), T::Enum { members: members.clone() });
    assert_eq!(ty(&T::Set { members: members.clone() }.sql()), T::Set { members });
    assert_eq!(type_text::parse("uuid"), None);
    assert_eq!(type_text::parse("enum('a"), None);
}

#[test]
fn a_column_holds_what_it_can_hold_unchanged() {
    let holds = |a: &str, w: &str| fit::holds(&actual("c", a, true), &wanted("c", ty(w), true), false);
    for (a, w) in [
        ("bigint", "int unsigned"),
        ("int", "mediumint unsigned"),
        ("varchar(20)", "varchar(10)"),
        ("text", "varchar(10000)"),
        ("decimal(12,3)", "decimal(10,2)"),
        ("double", "float"),
        ("enum('a','b')", "enum('a')"),
        ("geometry", "point"),
        ("datetime(6)", "datetime"),
    ] {
        assert!(holds(a, w), "{a} holds {w}");
        assert!(!holds(w, a), "{w} does not hold {a}");
    }
    for (a, w) in [
        ("bigint", "bigint unsigned"),
        ("binary(4)", "binary(3)"),
        ("enum('b','a')", "enum('a')"),
        ("text", "blob"),
        ("timestamp", "datetime"),
        ("char(9)", "varchar(9)"),
    ] {
        assert!(!holds(a, w), "{a} does not hold {w}");
    }
}

#[test]
fn a_float_of_so_many_digits_rounds() {
    for (here, theirs, holds) in [
        ("float", "float(7,3)", true),
        ("float(7,3)", "float(7,3)", true),
        ("float(7,3) unsigned", "float unsigned", false),
        ("float(7,3)", "float(10,5)", false),
        ("double(10,5)", "double(7,3)", true),
        ("double(10,2)", "double", false),
    ] {
        let mut wanted = wanted("f", ty(theirs), true);
        wanted.extra.spelled = theirs.contains('(').then(|| theirs.to_owned());
        let actual = actual("f", here, true);
        assert_eq!(fit::holds(&actual, &wanted, false), holds, "{here} for {theirs}");
        assert_eq!(fit::same(&actual, &wanted), holds, "{here} for {theirs}");
    }
}

#[test]
fn a_key_needs_a_collation_that_tells_its_values_apart() {
    let mut strict = wanted("c", T::Varchar { length: 5 }, false);
    strict.collation = Some("utf8mb4_bin".into());
    let loose = actual("c", "varchar(5)", false);
    assert!(fit::holds(&loose, &strict, false));
    assert!(!fit::holds(&loose, &strict, true));
    let mut binary = loose.clone();
    binary.collation = Some("utf8mb4_bin".into());
    // To it 'a' and 'a ' are equal, which they are not at the source.
    let unpadded = wanted("c", T::Varchar { length: 5 }, false);
    assert!(!fit::holds(&binary, &unpadded, true));
    let finest = Actual { collation: Some("utf8mb4_0900_bin".into()), ..binary.clone() };
    assert!(fit::holds(&finest, &unpadded, true));
    let padded = Column { collation: Some("utf8mb4_general_ci".into()), ..unpadded };
    assert!(fit::holds(&binary, &padded, true));
    let mut old_name = binary.clone();
    (old_name.charset, strict.charset) = (Some("utf8".into()), Some("utf8mb3".into()));
    assert!(fit::holds(&old_name, &strict, false));
}

#[test]
fn the_alter_puts_columns_where_the_source_has_them() {
    let mut table = people();
    table.columns.insert(1, wanted("mail", T::Varchar { length: 5 }, true));
    table.columns.insert(0, wanted("first", T::Year, false));
    let table = Table {
        keys: serde_json::from_value(serde_json::json!([
        {"kind": "primary", "name": "PRIMARY", "parts": [{"column": 1}]}]))
        .unwrap(),
        ..table
    };
    let catalogue = found(
        vec![actual("id", "int", false), actual("name", "varchar(10)", true)],
        vec![key("PRIMARY", true, &[Some("id")])],
    );
    let difference = evolve(&table, &catalogue, &Past::default());
    assert!(difference.is_mendable() && !difference.is_empty());
    assert_eq!(
        difference.alters(&target()),
        ["ALTER TABLE `crm`.`people` ADD COLUMN `first` year NOT NULL DEFAULT 0 FIRST, \
         ADD COLUMN `mail` varchar(5) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci NULL AFTER `id`, \
         MODIFY COLUMN `name` varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci NULL"]
    );
}

#[test]
fn a_unique_key_over_an_expression_makes_rows_opaque() {
    let columns = || vec![actual("id", "int", false), actual("name", "varchar(20)", true)];
    let primary = || key("PRIMARY", true, &[Some("id")]);
    let plan = |keys| Plan::new(&people(), target(), &found(columns(), keys), (8, 0, 30)).unwrap();
    let simple = plan(vec![primary(), key("i", false, &[Some("name")])]);
    assert!(!simple.can_collide());
    assert!(simple.sql.upsert_tail.ends_with("UPDATE `id` = cdc_new.`id`,`name` = cdc_new.`name`"));
    let seen = plan(vec![primary(), key("u", true, &[Some("name")])]);
    assert_eq!((seen.can_collide(), seen.opaque_unique, &seen.unique_columns), (true, false, &vec![1]));
    assert!(
        seen.sql
            .upsert_tail
            .contains("IF(`crm`.`people`.`id` <=> cdc_new.`id`, cdc_new.`id`, (SELECT 1 UNION SELECT 2))")
    );
    let opaque = plan(vec![primary(), key("u", true, &[None])]);
    assert!(opaque.opaque_unique && !opaque.unique_of_source);
    let none = Plan::new(&people(), target(), &found(columns(), vec![]), (8, 0, 30)).unwrap_err();
    assert_eq!(none.kind(), Kind::TableMismatch);
    let old = Plan::new(&people(), target(), &found(columns(), vec![primary()]), (5, 7, 44)).unwrap();
    assert!(old.sql.upsert_tail.starts_with(" ON DUPLICATE KEY UPDATE `id` = VALUES(`id`)"));
}

#[test]
fn rows_are_written_in_the_order_of_an_integer_primary_key() {
    use cdc_sdk::{Op, OwnedRow, OwnedValue, Value};
    let columns = || vec![actual("id", "int", false), actual("name", "varchar(20)", true)];
    let plan = |keys| Plan::new(&people(), target(), &found(columns(), keys), (8, 0, 30)).unwrap();
    let source = Arc::new(people());
    let written = |plan: Plan| {
        let row =
            |id: i64| -> OwnedRow { vec![OwnedValue::Plain(Value::Int(id)), OwnedValue::Text("a".into())] };
        let change = |id: i64| crate::Change {
            table: Arc::clone(&source),
            op: Op::Create,
            key: Some(id.to_be_bytes().to_vec().into()),
            before: None,
            after: Some(row(id)),
            origin: crate::Origin::default(),
            unreadable: None,
        };
        let changes = [3, -7, 10, 2].map(change);
        let folded = crate::fold::fold(&changes).unwrap();
        let order = crate::apply::decide(&folded.tables[0], &[Arc::new(plan)], false).unwrap();
        let number = |row: &&OwnedRow| match row[0].as_value() {
            Value::Int(number) => number,
            other => unreachable!("{other:?}"),
        };
        order.upserts[0].iter().map(number).collect::<Vec<_>>()
    };
    let primary = plan(vec![key("PRIMARY", true, &[Some("id")])]);
    assert_eq!(primary.leading_integer, Some(0));
    assert_eq!(written(primary), [-7, 2, 3, 10]);
    // The table's rows lie in another order, of which these rows tell nothing.
    let other = plan(vec![key("PRIMARY", true, &[Some("own")]), key("u", true, &[Some("id")])]);
    assert_eq!(other.leading_integer, None);
    assert_eq!(written(other), [3, -7, 10, 2]);
}

#[test]
fn expressions_are_compared_but_for_their_spelling() {
    let past = Past::default();
    for (one, other) in [
        ("(`x` + 1)", "`x`+1"),
        ("concat(_utf8mb4'a B',`x`)", "CONCAT('a B', `x`)"),
        ("((`a`)+(`b`))", "(`a`)+(`b`)"),
    ] {
        assert!(past.is_alike(one, other), "{one} {other}");
    }
    for (one, other) in
        [("`x` + 1", "`x` + 10"), ("concat('a b')", "concat('ab')"), ("`X`", "`x`"), ("'A'", "'a'")]
    {
        assert!(!past.is_alike(one, other), "{one} {other}");
    }
    let mut past = past;
    past.accept(vec![("a".into(), "b".into())]);
    assert!(past.is_alike("a", "b"));
}

#[test]
fn a_server_without_expressions_as_defaults_gives_null() {
    let mut catalogue = found(
        vec![actual("id", "int", false), actual("name", "varchar(20)", true)],
        vec![key("PRIMARY", true, &[Some("id")])],
    );
    catalogue.columns.extend([actual("body", "text", false), actual("n", "int", false)]);
    let past = Past::default();
    let aim = Aim { version: (5, 7, 44), ..aim(SchemaMode::Evolve, &past) };
    let sql = Difference::between(&people(), &catalogue, &target(), &aim).alters(&target());
    let body = "MODIFY COLUMN `body` text CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci NULL";
    assert_eq!(sql, [format!("ALTER TABLE `crm`.`people` {body}, ALTER COLUMN `n` SET DEFAULT 0")]);
}

/// A key of the destination's own that counts by itself stays, whatever the source does.
#[test]
fn a_surrogate_of_the_destinations_own_stays() {
    let surrogate = Actual { auto_increment: true, optional: true, ..actual("pk", "bigint", false) };
    let catalogue = found(
        vec![surrogate, actual("id", "int", false), actual("name", "varchar(20)", true)],
        vec![key("PRIMARY", true, &[Some("pk")]), key("u", true, &[Some("id")])],
    );
    assert!(evolve(&people(), &catalogue, &Past::default()).is_empty());
    let mut keyless = people();
    keyless.keys.clear();
    assert!(evolve(&keyless, &catalogue, &Past::default()).is_empty());
}

#[test]
fn a_big_number_is_not_told_apart_by_text() {
    let mut table = people();
    let catalogue = |ty| {
        found(
            vec![actual("id", ty, false), actual("name", "varchar(20)", true)],
            vec![key("PRIMARY", true, &[Some("id")])],
        )
    };
    let plan = |table: &Table, ty| Plan::new(table, target(), &catalogue(ty), (9, 7, 0));
    // Each INT is a double of its own.
    assert!(plan(&table, "varchar(20)").is_ok());
    table.columns[0].ty = T::Integer { width: Width::Big, unsigned: true };
    let error = plan(&table, "varchar(20)").unwrap_err();
    assert!(error.what().contains("column id of crm.people is text"), "{error}");
    assert!(plan(&table, "decimal(20,0)").is_ok());
}

#[test]
fn a_text_of_no_character_set_is_taken_for_bytes_in_a_binary_column() {
    let text = |charset: Option<&str>| Column {
        charset: charset.map(str::to_owned),
        ..wanted("c", T::Text { size: BlobSize::Long }, true)
    };
    let danger = |column: &Column| fit::misfit(&actual("c", "varbinary(9)", true), column).map(|m| m.danger);
    assert_eq!(danger(&text(None)), Some(crate::apply::Danger::Encoded));
    assert_eq!(danger(&text(Some("utf8mb4"))), None);
}
