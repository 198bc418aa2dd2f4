//! Rows without identity: as many of each as the source has.

use cdc_sdk::Kind;

use crate::world::*;

#[test]
fn equal_rows_come_and_go_one_by_one() {
    in_world(|world| async move {
        let log = world.table("log", vec![nullable(varchar("line", 20)), nullable(int("v"))], vec![]);
        let mut sink = world.open().await;
        let row = |line: &str| vec![t(line), NULL];
        let changes = vec![
            create(&log, row("a")),
            create(&log, row("a")),
            create(&log, row("A")),
            create(&log, row("gone")),
            delete(&log, row("gone")),
        ];
        world.apply(&mut sink, changes).await.unwrap();
        world.apply(&mut sink, vec![delete(&log, row("A")), update(&log, row("a"), row("b"))]).await.unwrap();
        assert_eq!(world.texts("SELECT line FROM DB.log ORDER BY line").await, ["a", "b"]);
    });
}

#[test]
fn a_row_that_is_not_there_is_a_divergence() {
    in_world(|world| async move {
        let log = world.table("log", vec![nullable(varchar("line", 20))], vec![]);
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![create(&log, vec![t("a")])]).await.unwrap();
        let changes = vec![create(&log, vec![t("b")]), delete(&log, vec![t("A")])];
        let error = world.apply(&mut sink, changes).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Divergence, "{error}");
        assert!(error.what().contains("'A'"), "{error}");
        assert_eq!(world.texts("SELECT line FROM DB.log").await, ["a"]);
    });
}
