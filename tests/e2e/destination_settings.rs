//! Settings of the destination's server, and triggers there, that would have tables and rows be other than the source's.

use mysql_async::prelude::Queryable;

use super::schema_changes::differences;
use crate::kit::{LIMIT, Options, Server, World};

/// Tables without a key are refused, or given one; names of tables have no capital letters.
const OPTIONS: [&str; 3] =
    ["--sql-require-primary-key=ON", "--sql-generate-invisible-primary-key=ON", "--lower-case-table-names=1"];

#[tokio::test(flavor = "multi_thread")]
async fn destination_settings() {
    let server = Server::start("demands", &OPTIONS);
    let options = Options { dest_server: Some(server.address.clone()), ..Options::default() };
    let world = World::with("demands", &options).await;
    world
        .source_sql(
            "CREATE TABLE Keyless (v INT, W VARCHAR(9));\nINSERT INTO Keyless VALUES (1,'a'),(1,'a'),(2,NULL);\n\
             CREATE TABLE Loses (id INT PRIMARY KEY);\nINSERT INTO Loses VALUES (1);\n\
             CREATE TABLE Orders (Id INT PRIMARY KEY, U INT UNIQUE);\nINSERT INTO Orders VALUES (1,1),(2,2)",
        )
        .await;
    world.catch_up();
    assert_eq!(differences(&world).await, Vec::<String>::new());
    world
        .source_sql(
            "DELETE FROM Keyless WHERE v=1 LIMIT 1;\nINSERT INTO Keyless VALUES (3,'c');\n\
             ALTER TABLE Loses DROP PRIMARY KEY;\nINSERT INTO Loses VALUES (1);\n\
             BEGIN;\nUPDATE Orders SET U=3 WHERE Id=1;\nUPDATE Orders SET U=1 WHERE Id=2;\nUPDATE Orders SET U=2 WHERE Id=1;\nCOMMIT;\n\
             ALTER TABLE Orders ADD COLUMN C INT DEFAULT 4;\nINSERT INTO Orders VALUES (3,3,3);\n\
             CREATE TABLE Later (v INT);\nINSERT INTO Later VALUES (1),(1)",
        )
        .await;
    world.catch_up();
    assert_eq!(differences(&world).await, Vec::<String>::new());
    for table in ["keyless", "loses", "later"] {
        let made = world.dest_create(table).await;
        assert!(!made.contains("PRIMARY KEY"), "{made}");
    }

    // To the destination it is the same table.
    world.source_sql("RENAME TABLE Orders TO ORDERS;\nINSERT INTO ORDERS VALUES (4,4,4)").await;
    world.catch_up();
    assert_eq!(differences(&world).await, Vec::<String>::new());
    // Two that are two at the source alone cannot be told apart there.
    world.source_sql("CREATE TABLE orders LIKE ORDERS;\nINSERT INTO orders VALUES (9,9,9)").await;
    world.source_sql("UPDATE ORDERS SET U=40 WHERE Id=4").await;
    let (code, text) = world.cdc(&["source", "-c", &world.file("source.toml"), "--until-caught-up"]);
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = world.cdc(&["sink", "-c", &world.file("sink.toml"), "--until-caught-up"]);
    assert!(code == Some(2) && text.contains("would be written into"), "{code:?}: {text}");
    may_not_turn_it_off(&world).await;
    world.dest_sql(&format!("DROP DATABASE `{}`", world.name)).await;
    world.end().await;
}

/// An account that may not turn off what the server demands is told, by `check` and where it matters.
async fn may_not_turn_it_off(world: &World) {
    let mut admin = world.dest_conn().await;
    for statement in [
        "CREATE USER poor@'%' IDENTIFIED BY 'x'",
        "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, DROP ON *.* TO poor@'%'",
    ] {
        admin.query_drop(statement).await.unwrap();
    }
    let settings = std::fs::read_to_string(world.file("sink.toml")).unwrap();
    let of = |key: &str| settings.lines().find(|line| line.starts_with(key)).unwrap().to_owned();
    world.edit("sink.toml", &of("user"), "user = \"poor\"");
    world.edit("sink.toml", &of("password"), "password = \"x\"");
    let (code, text) = world.cdc(&["check", "-c", &world.file("sink.toml")]);
    assert_eq!(code, Some(0), "{text}");
    for variable in ["sql_require_primary_key", "sql_generate_invisible_primary_key"] {
        assert!(text.contains(variable) && text.contains("GRANT SESSION_VARIABLES_ADMIN"), "{text}");
    }
}

/// Both sides have the trigger, as where the destination began as a copy. There it leaves out what the sink writes.
#[tokio::test(flavor = "multi_thread")]
async fn triggers_may_leave_out_what_the_sink_writes() {
    let world = World::new("triggers").await;
    world
        .source_sql(
            "CREATE TABLE o (id INT PRIMARY KEY, v INT);\nCREATE TABLE log (n INT AUTO_INCREMENT PRIMARY KEY, o INT);\n\
             INSERT INTO o VALUES (100,1);\nINSERT INTO log (o) VALUES (100)",
        )
        .await;
    world.catch_up();
    let trigger = "CREATE TRIGGER noted AFTER INSERT ON o FOR EACH ROW \
                   BEGIN IF @cdc_sink IS NULL THEN INSERT INTO log (o) VALUES (NEW.id); END IF; END";
    world.source_sql(trigger).await;
    world.dest_sql(trigger).await;
    let mut sink = world.start_sink(&[]);
    world.source_sql("INSERT INTO o VALUES (1,1),(2,2);\nUPDATE o SET v=3 WHERE id=1").await;
    let mut source = world.start_source(&["--until-caught-up"]);
    assert_eq!(source.wait(LIMIT).code(), Some(0), "{}", source.log_tail());
    world.until_equal().await;
    sink.stop();
    world.end().await;
}
