//! Databases whose names need care: in settings, topics, subjects, the ledger, and wherever they are part of a statement.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::kit::{Options, World, differences};

/// What follows the world's name; `{}` is filled with letters of two bytes, up to 64 letters: of others the
/// server's file would have too long a name.
const ENDINGS: [&str; 8] =
    [".a.b", "'q\"x", "`tick", "\u{fc}n\u{ef}c\u{f6}d\u{e9}\u{6f22}", " two words", "$d*?[x]", "%_\\w", "{}"];

/// A table's name in the same manner.
const TABLE: &str = "\u{fc}.'\"`\u{6f22}";

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

async fn run(conn: &mut Conn, sql: &str) {
    for statement in sql.split(";\n") {
        conn.query_drop(statement).await.unwrap_or_else(|e| panic!("{e}: {statement}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_databases() {
    let world = World::with("odddb", &Options::default()).await;
    let room = 64 - world.name.len();
    let names = ENDINGS.map(|ending| match ending {
        "{}" => format!("{}{}", world.name, "\u{fc}".repeat(room)),
        ending => format!("{}{ending}", world.name),
    });
    assert_eq!(names[7].chars().count(), 64);
    let include: Vec<String> =
        names.iter().map(|name| format!("{:?}", format!("{}.*", quoted(name).replace('$', "$$")))).collect();
    let ours = format!("include = [\"{}.*\"]", world.name);
    world.edit("source.toml", &ours, &format!("include = [{}]", include.join(", ")));
    // One of them goes elsewhere.
    let elsewhere = format!("{}`.2", world.name);
    world.route(&format!("{}.*", quoted(&names[0])), &format!("{}.*", quoted(&elsewhere)));

    let (mut source, mut dest) = (world.source_conn().await, world.dest_conn().await);
    let odd = quoted(TABLE);
    let each = async |conn: &mut Conn, sql: &str| {
        for name in &names {
            run(conn, &format!("USE {};\n{sql}", quoted(name))).await;
        }
    };
    for name in &names {
        run(&mut source, &format!("CREATE DATABASE {}", quoted(name))).await;
    }
    each(
        &mut source,
        &format!(
            "CREATE TABLE t (id INT PRIMARY KEY, v INT);\nINSERT INTO t VALUES (1,1),(2,2);\n\
             CREATE TABLE {odd} ({odd} INT PRIMARY KEY, v VARCHAR(9));\nINSERT INTO {odd} VALUES (1,'a')"
        ),
    )
    .await;
    world.catch_up();
    each(
        &mut source,
        &format!(
            "UPDATE t SET v=9 WHERE id=1;\nDELETE FROM t WHERE id=2;\nALTER TABLE t ADD w INT DEFAULT 4;\nINSERT INTO t VALUES (3,3,3);\n\
             TRUNCATE TABLE {odd};\nINSERT INTO {odd} VALUES (2,'b');\nRENAME TABLE t TO later"
        ),
    )
    .await;
    world.catch_up();
    for name in &names {
        let there = if *name == names[0] { &elsewhere } else { name };
        // What a table was called stays, without rows.
        run(&mut dest, &format!("DROP TABLE {}.t", quoted(there))).await;
        let found = differences(&mut source, name, &mut dest, there).await;
        assert!(found.is_empty(), "{name}: {found:?}");
    }
    two_of_one_topic(&world, &mut source, &names).await;
    for name in names.iter().chain([&elsewhere]) {
        for conn in [&mut source, &mut dest] {
            run(conn, &format!("DROP DATABASE IF EXISTS {}", quoted(name))).await;
        }
    }
    world.end().await;
}

/// Of two names that Kafka has one for, the second is refused before its rows are in the other's topic.
async fn two_of_one_topic(world: &World, source: &mut Conn, names: &[String; 8]) {
    let twin = names[4].replace(' ', "_");
    run(source, &format!("CREATE DATABASE {0};\nCREATE TABLE {0}.later (id INT PRIMARY KEY)", quoted(&twin)))
        .await;
    world.edit("source.toml", "include = [", &format!("include = [\"{}.*\", ", quoted(&twin)));
    let (code, text) = world.cdc(&["source", "-c", &world.file("source.toml"), "--until-caught-up"]);
    assert!(code == Some(2) && text.contains("share the topic"), "{code:?}: {text}");
    run(source, &format!("DROP DATABASE {}", quoted(&twin))).await;
}
