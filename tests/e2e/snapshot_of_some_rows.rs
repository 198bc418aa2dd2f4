//! `--where` reads some rows of one table; a condition that cannot be used is refused, not tried.

use crate::kit::{Options, World, until};

#[tokio::test(flavor = "multi_thread")]
async fn snapshot_of_some_rows() {
    let options = Options { capture: "chunk_rows = 50".into(), ..Options::default() };
    let world = World::with("somerows", &options).await;
    world
        .source_sql(
            "CREATE TABLE t (id INT PRIMARY KEY, v INT, state ENUM('open','shut'));\n\
             SET SESSION cte_max_recursion_depth=100000;\n\
             INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1000) \
             SELECT i, i, IF(i % 100 = 0, 'open', 'shut') FROM n;\n\
             CREATE TABLE log (note VARCHAR(9));\nINSERT INTO log VALUES ('a');\n\
             CREATE TABLE u (id INT PRIMARY KEY);\nINSERT INTO u VALUES (1)",
        )
        .await;
    world.catch_up();
    world.dest_sql("UPDATE t SET v = -1;\nINSERT INTO t VALUES (5000, 0, 'open')").await;
    let mut processes = [world.start_source(&[]), world.start_sink(&[])];
    let t = format!("{}.t", world.name);
    // Most chunks hold none of these rows; the last rows of the table are not among them.
    world.tell(&["--tables", &t, "--where", "(state = 'open' OR id = 7) AND id < 950"]);
    until("the rows are read", async || world.snapshot_of("t") == ("done".into(), 10)).await;
    world.until_dest("SELECT COUNT(*) FROM t WHERE v >= 0", 11).await;
    let wrong = "SELECT COUNT(*) FROM t WHERE v >= 0 AND v <> id AND id <> 5000";
    assert_eq!(world.dest_number(wrong).await, Some(0));
    assert_eq!(world.dest_number("SELECT COUNT(*) FROM t WHERE id = 5000").await, Some(1), "no ghost goes");
    refusals(&world, &t);
    world.tell(&["--tables", &t, "--empty-first"]);
    world.until_equal().await;
    processes.iter_mut().for_each(crate::kit::Process::stop);
    world.end().await;
}

fn refusals(world: &World, t: &str) {
    let where_ =
        |tables: &str, condition: &str| world.tell_in_vain(&["--tables", tables, "--where", condition]);
    assert!(where_(t, "nothing = 1").contains("Unknown column"));
    assert!(where_(t, "id >").contains("the server refuses the condition"));
    assert!(where_(t, "id = 1) OR (1 = 1").contains("a bracket closes"));
    assert!(where_(t, "id IN (SELECT id FROM u)").contains("other tables"));
    assert!(where_(t, "id = ?").contains("'?'"));
    assert!(where_(&format!("{}.*", world.name), "id = 1").contains("one table"));
    assert!(where_(&format!("{}.log", world.name), "note = 'a'").contains("no key"));
    let missing = world.tell_in_vain(&["--tables", "elsewhere.t"]);
    assert!(missing.contains("no captured table matches elsewhere.t"), "{missing}");
    assert!(world.tell_in_vain(&["--tables", "t"]).contains("dot"), "a pattern that is none");
}
