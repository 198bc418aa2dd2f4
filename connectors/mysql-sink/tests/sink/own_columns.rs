//! Columns that only the destination has keep what they hold, whatever the source does with its unique keys.

use std::sync::Arc;

use cdc_mysql_sink::{LedgerAdmin, Mark, Move, Running, SchemaMode, TwoWay};
use cdc_sdk::pattern::Pattern;
use cdc_sdk::{Kind, OwnedRow, Table};
use mysql_async::Row;

use crate::office::Office;
use crate::world::*;

/// Values that only a copy of the server's own leaves as they are, in columns with defaults that are others.
const OWN: [(&str, &str); 10] = [
    ("note VARCHAR(9) DEFAULT 'mine?'", "'kept'"),
    ("number BIGINT NOT NULL AUTO_INCREMENT UNIQUE", "id + 70"),
    ("kind ENUM('a', '') NULL", "0"),
    ("bits BIT(9) DEFAULT 1", "b'101010101'"),
    ("f FLOAT DEFAULT 1", "0.1"),
    ("d DATETIME(3) NULL", "'0000-00-00 00:00:00'"),
    ("j JSON NULL", "JSON_OBJECT('a', CAST(b'1' AS BINARY), 'b', CAST(1.50 AS DECIMAL(9, 2)))"),
    ("g GEOMETRY NULL", "ST_GeomFromText('POINT(1 2)', 4326)"),
    ("t TEXT CHARACTER SET utf16 NULL", "'ö\u{1f600}'"),
    ("at TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP", "'2001-02-03 04:05:06'"),
];
/// Those columns, to the byte.
const SHOWN: &str = "CONCAT_WS('|', note, number, kind + 0, HEX(kind), bits + 0, f + 0e0, d, j, JSON_TYPE(j->'$.a'), \
                     JSON_TYPE(j->'$.b'), HEX(g), HEX(t), at)";

/// The table of people with columns of the destination's own, and what those hold by id.
async fn with_own_columns(world: &World, unique: &str) {
    world.create_database().await;
    world.sql("DROP TABLE IF EXISTS DB.people").await;
    let own = OWN.map(|(column, _)| column).join(", ");
    let columns = format!("id INT PRIMARY KEY, name VARCHAR(20), v INT, {own}, {unique}");
    world.sql(&format!("CREATE TABLE DB.people ({columns})")).await;
}

async fn fill_own_columns(world: &World) -> Vec<String> {
    let set =
        OWN.map(|(column, value)| format!("{} = {value}", column.split(' ').next().unwrap())).join(", ");
    world.sql(&format!("UPDATE DB.people SET {set}")).await;
    world.sql("UPDATE DB.people SET note = CONCAT(note, id), at = at").await;
    own(world).await
}

async fn own(world: &World) -> Vec<String> {
    world.texts(&format!("SELECT {SHOWN} FROM DB.people ORDER BY id")).await
}

async fn people(world: &World) -> Vec<String> {
    world.texts("SELECT CONCAT_WS(' ', id, name, v) FROM DB.people ORDER BY id").await
}

fn row(id: i64, name: &str, v: i64) -> OwnedRow {
    vec![n(id), t(name), n(v)]
}

/// None of the rows goes meanwhile: nothing is made anew.
#[test]
fn a_change_a_snapshot_and_a_replay_leave_them_alone() {
    in_world(|mut world| async move {
        world.settings.schema = SchemaMode::None;
        let source = world.people();
        for unique in ["UNIQUE (name)", "UNIQUE (name(3))", "UNIQUE ((LOWER(name)))"] {
            with_own_columns(&world, unique).await;
            world
                .sql("ALTER TABLE DB.people ADD made TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)")
                .await;
            let made = "SELECT CONCAT_WS(' ', COUNT(*), SUM(note LIKE 'kept%'), MAX(made)) FROM DB.people";
            let mut sink = world.open().await;
            let rows = [row(1, "anna", 0), row(2, "berta", 0)];
            let first: Vec<_> = rows.iter().map(|row| create(&source, row.clone())).collect();
            world.apply(&mut sink, first.clone()).await.unwrap();
            fill_own_columns(&world).await;
            let kept = world.texts(made).await;
            let update_of = |at: usize, after| update(&source, rows[at].clone(), after);
            let change = vec![update_of(0, row(1, "clara", 1)), update_of(1, row(2, "dora", 2))];
            world.apply(&mut sink, change).await.unwrap();
            assert_eq!(people(&world).await, ["1 clara 1", "2 dora 2"], "{unique}");
            assert_eq!(world.texts(made).await, kept, "{unique}: a change");
            let read_again = vec![read(&source, row(1, "clara", 1)), read(&source, row(2, "dora", 2))];
            world.apply(&mut sink, read_again).await.unwrap();
            assert_eq!(world.texts(made).await, kept, "{unique}: a snapshot");
            sink.close().await;
            let to = Move::To(Mark::default());
            LedgerAdmin::set(&world.settings, &to, Running::Refused, "a test").await.unwrap();
            let mut sink = world.open().await;
            assert!(sink.progress().converging());
            world.apply(&mut sink, first).await.unwrap();
            assert_eq!(world.texts(made).await, kept, "{unique}: a replay");
            sink.close().await;
        }
    });
}

/// A place in the destination's binary log.
struct BinaryLog(String, u64);

impl BinaryLog {
    async fn now(world: &World) -> Self {
        let mut found: Vec<Row> = world.rows("SHOW BINARY LOG STATUS").await;
        let row = found.pop().unwrap();
        Self(row.get(0).unwrap(), row.get(1).unwrap())
    }

    /// The statements that it shows from there to its end.
    async fn since(&self, world: &World) -> String {
        let sql = format!("SHOW BINLOG EVENTS IN '{}' FROM {}", self.0, self.1);
        let rows: Vec<Row> = world.rows(&sql).await;
        rows.into_iter().map(|row| row.get::<String, _>("Info").unwrap()).collect()
    }
}

/// There is no order in which they could be written one by one. A column of the source's that takes the time of each
/// change stays as the source has it.
#[test]
fn rows_that_swap_unique_values_keep_them() {
    in_world(|mut world| async move {
        world.settings.schema = SchemaMode::None;
        let people_of = |world: &World| -> Arc<Table> {
            let changed = column("changed", cdc_sdk::ColumnType::Varchar { length: 30 });
            let columns = vec![int("id"), nullable(varchar("name", 20)), nullable(int("v")), changed];
            world.table("people", columns, vec![primary(&[0]), unique("name", &[1])])
        };
        let source = people_of(&world);
        let row = |id, name: &str, v| vec![n(id), t(name), n(v), t("2002-02-02 02:02:02")];
        let both_ways = Some(TwoWay::SourceWins);
        for (unique, two_way) in [("UNIQUE (name)", None), ("UNIQUE ((LOWER(name)))", both_ways)] {
            world.settings.two_way = two_way;
            with_own_columns(&world, unique).await;
            let changed = "changed TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP";
            world.sql(&format!("ALTER TABLE DB.people ADD {changed}")).await;
            let mut sink = world.open().await;
            let first = (1..=3).zip(["a", "b", "c"]);
            let first = first.map(|(id, name)| create(&source, row(id, name, 0))).collect();
            world.apply(&mut sink, first).await.unwrap();
            fill_own_columns(&world).await;
            world.sql("UPDATE DB.people SET changed = '2002-02-02 02:02:02', at = at").await;
            let kept = own(&world).await;
            let swap = vec![
                update(&source, row(1, "a", 0), row(1, "x", 0)),
                update(&source, row(2, "b", 0), row(2, "a", 1)),
                update(&source, row(3, "c", 0), row(3, "c", 0)),
                update(&source, row(1, "x", 0), row(1, "b", 1)),
                create(&source, row(4, "d", 0)),
            ];
            let logged = BinaryLog::now(&world).await;
            world.apply(&mut sink, swap).await.unwrap();
            sink.close().await;
            assert!(!logged.since(&world).await.contains("cdc_kept"), "others need not know of that");
            assert_eq!(people(&world).await, ["1 b 1", "2 a 1", "3 c 0", "4 d 0"], "{unique}");
            assert_eq!(own(&world).await[..3], kept, "{unique}");
            let changed = "SELECT DISTINCT CAST(changed AS CHAR) FROM DB.people";
            assert_eq!(world.texts(changed).await, ["2002-02-02 02:02:02"], "{unique}");
        }
    });
}

/// Who is in the way is no row of the batch: it is not known whose value is right.
#[test]
fn a_row_in_the_way_stays_with_them() {
    in_world(|mut world| async move {
        world.settings.schema = SchemaMode::None;
        let source = world.people();
        with_own_columns(&world, "UNIQUE (name)").await;
        let mut sink = world.open().await;
        let first = vec![create(&source, row(1, "a", 0)), create(&source, row(9, "z", 0))];
        world.apply(&mut sink, first).await.unwrap();
        let kept = fill_own_columns(&world).await;
        let read_again = vec![read(&source, row(1, "Z", 0)), read(&source, row(2, "b", 0))];
        let refused = world.apply(&mut sink, read_again).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::Divergence, "{refused}");
        assert!(refused.what().contains("row 1 of"), "{refused}");
        assert_eq!(own(&world).await, kept);
        // The session is as good as before.
        let swap = vec![
            update(&source, row(1, "a", 0), row(1, "z", 0)),
            update(&source, row(9, "z", 0), row(9, "a", 0)),
        ];
        world.apply(&mut sink, swap).await.unwrap();
        assert_eq!(people(&world).await, ["1 z 0", "9 a 0"]);
        assert_eq!(own(&world).await, kept);
    });
}

#[test]
fn of_rows_that_swap_unique_values_none_is_a_dead_letter() {
    in_world(|mut world| async move {
        world.settings.schema = SchemaMode::None;
        world.settings.dead_letters = vec![Pattern::parse(&format!("{}.people", world.database)).unwrap()];
        let source = world.people();
        with_own_columns(&world, "UNIQUE (name)").await;
        let mut sink = world.open().await;
        let office = Office::new(&world);
        sink.send_dead_letters_to(office.clone());
        let first = vec![create(&source, row(1, "a", 0)), create(&source, row(2, "b", 0))];
        world.apply(&mut sink, first).await.unwrap();
        let kept = fill_own_columns(&world).await;
        let swap = vec![
            update(&source, row(1, "a", 0), row(1, "b", 0)),
            update(&source, row(2, "b", 0), row(2, "a", 0)),
            create(&source, row(3, &"long".repeat(9), 0)),
        ];
        world.apply(&mut sink, swap).await.unwrap();
        assert_eq!(office.shown().len(), 1, "{:?}", office.shown());
        assert!(office.shown()[0].starts_with("id=3 "), "{:?}", office.shown());
        assert_eq!(people(&world).await, ["1 b 0", "2 a 0"]);
        assert_eq!(own(&world).await, kept);
    });
}
