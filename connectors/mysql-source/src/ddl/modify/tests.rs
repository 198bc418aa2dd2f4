use cdc_sdk::TableName;
use cdc_sdk::column::{ColumnType, Generated, Width};
use cdc_sdk::table::{Key, KeyKind, KeyOn, KeyPart};
use cdc_sdk::{Column, Table};

use crate::ddl::{Dialect, Effect, Sense, classify};

fn column(name: &str, ty: ColumnType) -> Column {
    let text = ty.is_text();
    Column {
        name: name.to_owned(),
        ty,
        nullable: true,
        charset: text.then(|| "utf8mb4".to_owned()),
        collation: text.then(|| "utf8mb4_bin".to_owned()),
        extra: cdc_sdk::column::Extra::default(),
    }
}

fn table() -> Table {
    let integer = |unsigned| ColumnType::Integer { width: Width::Int, unsigned };
    let mut fixed = column("fixed", integer(false));
    fixed.nullable = false;
    let mut counted = column("counted", integer(false));
    counted.extra.auto_increment = true;
    let mut id = column("id", ColumnType::Varchar { length: 20 });
    id.nullable = false;
    let mut other = column("other", ColumnType::Varchar { length: 20 });
    other.collation = Some("utf8mb4_0900_ai_ci".to_owned());
    let columns = vec![
        column("n", integer(false)),
        column("u", integer(true)),
        column("d", ColumnType::Decimal { precision: 10, scale: 2, unsigned: false }),
        column("v", ColumnType::Varchar { length: 20 }),
        column("c", ColumnType::Char { length: 20 }),
        column("b", ColumnType::Varbinary { length: 20 }),
        column("t", ColumnType::Text { size: cdc_sdk::column::BlobSize::Normal }),
        column("f", ColumnType::Double { unsigned: false }),
        fixed,
        counted,
        other,
        id,
    ];
    Table {
        version: Table::VERSION,
        name: TableName::new("shop", "a"),
        keys: vec![Key::new(
            KeyKind::Primary,
            "PRIMARY",
            vec![KeyPart { on: KeyOn::Column(columns.len() - 1), prefix: None, descending: false }],
        )],
        columns,
        collation: Some("utf8mb4_bin".to_owned()),
        comment: String::new(),
        chosen_key: None,
    }
}

/// Whether the statement leaves all rows as they are, by what is known of the table.
fn keeps(statement: &str, table: &Table) -> bool {
    let statement = format!("ALTER TABLE a {statement}");
    let Sense::Ddl(effects) = classify(&statement, "shop", Dialect::default()) else { panic!("{statement}") };
    effects.iter().all(|effect| match effect {
        Effect::Modify { name, declared, .. } => declared.widens(table, name),
        other => matches!(other, Effect::Metadata(_)),
    })
}

#[test]
fn what_becomes_wider_keeps_its_values() {
    for statement in [
        "MODIFY n BIGINT",
        "MODIFY COLUMN `N` BIGINT(20) NULL DEFAULT -1 COMMENT 'x, y' AFTER v",
        "MODIFY u BIGINT UNSIGNED",
        "MODIFY u BIGINT FIRST",
        "MODIFY d DECIMAL(12, 2) DEFAULT '0'",
        "MODIFY v VARCHAR(21)",
        "MODIFY v VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        "MODIFY v TEXT",
        "MODIFY c CHAR(30) INVISIBLE",
        "MODIFY b VARBINARY(21), MODIFY t LONGTEXT, ALGORITHM=COPY, LOCK=SHARED",
        "MODIFY b BLOB",
        "MODIFY fixed BIGINT NOT NULL",
        "MODIFY fixed BIGINT",
        "MODIFY counted BIGINT AUTO_INCREMENT",
        "MODIFY other VARCHAR(30) COLLATE utf8mb4_0900_ai_ci",
        "MODIFY n BIGINT, ADD INDEX (n)",
    ] {
        assert!(keeps(statement, &table()), "{statement}");
    }
}

#[test]
fn whatever_else_is_declared_may_change_values() {
    for statement in [
        "MODIFY n INT",
        "MODIFY n SMALLINT",
        "MODIFY n BIGINT UNSIGNED",
        "MODIFY n BIGINT ZEROFILL",
        "MODIFY n BIGINT NOT NULL",
        "MODIFY n BIGINT AUTO_INCREMENT",
        "MODIFY n BIGINT PRIMARY KEY",
        "MODIFY n BIGINT AS (1)",
        "MODIFY n BIGINT DEFAULT (1)",
        "MODIFY n VARCHAR(20)",
        "MODIFY u INT",
        "MODIFY d DECIMAL(12,3)",
        "MODIFY d DECIMAL(12,2) UNSIGNED",
        "MODIFY d DECIMAL",
        "MODIFY v VARCHAR(20)",
        "MODIFY v VARCHAR(19)",
        "MODIFY v VARCHAR",
        "MODIFY v CHAR(30)",
        "MODIFY v TINYTEXT",
        "MODIFY v TEXT(30)",
        "MODIFY v VARCHAR(30) CHARACTER SET latin1",
        "MODIFY v VARCHAR(30) CHARACTER SET utf8mb4",
        "MODIFY v VARCHAR(30) COLLATE utf8mb4_general_ci",
        "MODIFY v VARCHAR(30) BINARY",
        "MODIFY v VARBINARY(90)",
        "MODIFY v NVARCHAR(30)",
        "MODIFY c VARCHAR(30)",
        "MODIFY c CHAR",
        "MODIFY b VARCHAR(90)",
        "MODIFY t TEXT",
        "MODIFY f DOUBLE",
        "MODIFY id VARCHAR(30) NOT NULL",
        "MODIFY other VARCHAR(30)",
        "MODIFY absent BIGINT",
        "MODIFY n BIGINT, MODIFY v VARCHAR(10)",
        "MODIFY v VARCHAR(30), DEFAULT CHARACTER SET latin1",
        "MODIFY v VARCHAR(30), ENGINE = InnoDB CHARSET = latin1",
        "CONVERT TO CHARACTER SET utf8mb4, MODIFY v VARCHAR(30)",
        "MODIFY",
    ] {
        assert!(!keeps(statement, &table()), "{statement}");
    }
}

#[test]
fn what_is_worked_out_from_a_column_may_change() {
    let mut table = table();
    let generated = Generated { expression: "hex(`n`)".to_owned(), stored: true };
    table.columns.last_mut().unwrap().extra.generated = Some(generated);
    assert!(!keeps("MODIFY n BIGINT", &table));
}

#[test]
fn a_column_of_a_unique_key_has_its_rows_read_again() {
    let mut table = table();
    let part = |on| vec![KeyPart { on, prefix: None, descending: false }];
    table.keys.push(Key::new(KeyKind::Unique, "u", part(KeyOn::Column(0))));
    assert!(!keeps("MODIFY n BIGINT", &table));
    assert!(keeps("MODIFY u BIGINT UNSIGNED", &table));
    table.keys.push(Key::new(KeyKind::Unique, "e", part(KeyOn::Expression("lower(`v`)".to_owned()))));
    assert!(!keeps("MODIFY u BIGINT UNSIGNED", &table));
}

#[test]
fn without_the_catalogue_nothing_is_known_to_keep_its_values() {
    let table = Table { collation: None, ..table() };
    assert!(!keeps("MODIFY n BIGINT", &table));
}
