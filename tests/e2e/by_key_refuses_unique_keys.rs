//! With `consistency = "key"` a table with a unique key beside its own is refused, with the key's name and the ways out.

use std::time::Duration;

use crate::kit::{LIMIT, Options, World};

#[tokio::test(flavor = "multi_thread")]
async fn by_key_refuses_unique_keys() {
    let sink = "[apply]\nconsistency = \"key\"\n".to_owned();
    let world = World::with("bykeyunique", &Options { sink, ..Options::default() }).await;
    world
        .source_sql(
            "CREATE TABLE t (id INT PRIMARY KEY, mail VARCHAR(50), UNIQUE KEY one_mail (mail));\n\
             INSERT INTO t VALUES (1,'a'),(2,'b')",
        )
        .await;
    let mut source = world.start_source(&[]);
    let mut sink = world.start_sink(&[]);
    assert_eq!(sink.wait(LIMIT).code(), Some(3), "{}", sink.log_tail());
    let said = sink.log_tail();
    for words in ["E058", "one_mail", "consistency = \"transaction\"", "schema = \"none\""] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!world.dest_has("t").await, "it is refused before it is made");

    // The way out that the error names.
    world.dest_sql(&format!("CREATE DATABASE `{}`", world.name)).await;
    world.dest_sql("CREATE TABLE t (id INT PRIMARY KEY, mail VARCHAR(50), KEY one_mail (mail))").await;
    world.edit("sink.toml", "consistency = \"key\"", "consistency = \"key\"\nschema = \"none\"");
    let mut sink = world.start_sink(&[]);
    world.source_sql("UPDATE t SET mail=IF(id=1,'c','d');\nUPDATE t SET mail='a' WHERE id=2").await;
    world.until_dest("SELECT COUNT(*) FROM t WHERE (id,mail) IN ((1,'c'),(2,'a'))", 2).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    sink.stop();

    // One that only the destination has.
    world.dest_sql("ALTER TABLE t ADD UNIQUE KEY of_my_own (mail)").await;
    world.route(&format!("{}.*", world.name), &format!("{}.*", world.name));
    let (code, text) = world.cdc(&["check", "-c", &world.file("sink.toml")]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("of_my_own"), "{text}");
    let mut sink = world.start_sink(&[]);
    world.source_sql("INSERT INTO t VALUES (3,'x')").await;
    assert_eq!(sink.wait(LIMIT).code(), Some(3), "{}", sink.log_tail());
    assert!(sink.log_tail().contains("of_my_own"), "{}", sink.log_tail());
    source.stop();
    world.end().await;
}
