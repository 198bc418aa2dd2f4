//! A sink dies when letters are stored and the transaction that counts on them is not: they lie in the topic, and their
//! events come again. A retry before the sink's next start leaves them to those, or a row without a key would be there
//! twice.

use crate::kit::{LIMIT, Options, World};

#[tokio::test(flavor = "multi_thread")]
async fn letters_that_the_ledger_does_not_count_on_are_left_to_their_events() {
    let options =
        Options { sink: "[dead_letter]\ntables = [\"*.log\", \"*.t\"]\n".into(), ..Options::default() };
    let world = World::with("deadbeyond", &options).await;
    world
        .source_sql(
            "CREATE TABLE log (note VARCHAR(20));\nCREATE TABLE t (id INT PRIMARY KEY, v INT, u INT UNIQUE);\n\
             INSERT INTO log VALUES ('first');\nINSERT INTO t VALUES (1, 1, 1)",
        )
        .await;
    world.catch_up();
    world
        .dest_sql(
            "ALTER TABLE log ADD CONSTRAINT c CHECK (note <> 'bad');\nALTER TABLE t ADD CONSTRAINT d CHECK (v <> 2)",
        )
        .await;
    world.source_sql("INSERT INTO log VALUES ('bad'),('good');\nUPDATE t SET v = 2").await;
    world.catch_up();
    assert_eq!(world.dest_number("SELECT COUNT(*) FROM log").await, Some(1), "the whole table waits");
    world.source_sql("INSERT INTO log VALUES ('late');\nUPDATE t SET v = 3").await;
    let mut source = world.start_source(&["--until-caught-up"]);
    assert!(source.wait(LIMIT).success(), "{}", source.log_tail());
    let mut sink = world.start_with("sink", &[], &[("CDC_FAIL_POINT", "sink.letters_stored:1")]);
    assert_eq!(sink.wait(LIMIT).code(), None, "not dead by a signal: {}", sink.log_tail());
    world.dest_sql("ALTER TABLE log DROP CHECK c;\nALTER TABLE t DROP CHECK d").await;
    let (code, text) = world.cdc(&["dead-letter", "retry", "-c", &world.file("sink.toml"), "--all"]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(world.dest_number("SELECT COUNT(*) FROM log").await, Some(3), "as far as the ledger is");
    assert_eq!(world.dest_number("SELECT v FROM t").await, Some(2), "as far as the ledger is");
    world.catch_up();
    world.assert_equal().await;
    world.end().await;
}
