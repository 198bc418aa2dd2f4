//! TRUNCATE empties the table, also where foreign keys forbid the statement, and may be done twice.

use cdc_mysql_sink::{Batch, End};
use cdc_sdk::Kind;

use crate::world::*;

#[test]
fn a_table_is_emptied_and_the_ledger_moves() {
    in_world(|world| async move {
        let people = world.people();
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![create(&people, vec![n(1), t("a"), n(1)])]).await.unwrap();
        assert!(world.apply(&mut sink, vec![truncate(&people)]).await.unwrap().committed);
        assert!(world.texts("SELECT name FROM DB.people").await.is_empty());
        assert_eq!(world.ledger_sequence().await, Some(2));
        world.apply(&mut sink, vec![truncate(&people)]).await.unwrap();
    });
}

#[test]
fn a_table_that_others_refer_to_is_emptied() {
    in_world(|world| async move {
        let people = world.people();
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![create(&people, vec![n(1), t("a"), n(1)])]).await.unwrap();
        world.sql("CREATE TABLE DB.pets (id INT PRIMARY KEY, owner INT, FOREIGN KEY (owner) REFERENCES people (id) ON DELETE CASCADE)").await;
        world.sql("INSERT INTO DB.pets VALUES (1, 1)").await;
        // A session without checks may truncate a referenced table, so it is made to matter.
        world.apply(&mut sink, vec![truncate(&people)]).await.unwrap();
        assert!(world.texts("SELECT name FROM DB.people").await.is_empty());
        assert_eq!(world.rows::<i64>("SELECT id FROM DB.pets").await, [1]);
    });
}

#[test]
fn among_other_changes_it_is_refused() {
    in_world(|world| async move {
        let people = world.people();
        let mut sink = world.open().await;
        let mixed = vec![create(&people, vec![n(1), t("a"), n(1)]), truncate(&people)];
        assert_eq!(world.apply(&mut sink, mixed).await.unwrap_err().kind(), Kind::Bug);
        let open = Batch::new(vec![create(&people, vec![n(1), t("a"), n(1)])], End::More);
        sink.apply(open).await.unwrap();
        assert_eq!(world.apply(&mut sink, vec![truncate(&people)]).await.unwrap_err().kind(), Kind::Bug);
    });
}
