//! Rows that both sides have changed are settled by the policy, and what the sink writes bears its tag.

use cdc_mysql_sink::{Change, TwoWay};
use cdc_sdk::{Kind, OwnedRow};
use mysql_async::prelude::Queryable;

use crate::world::*;

fn two_way(world: &World, policy: TwoWay) -> World {
    let mut world = world.clone();
    world.settings.two_way = Some(policy);
    world
}

/// Every way in which both sides can have changed a row: what the source says of rows 1 to 6, after
/// [`local_changes`].
fn remote_changes(world: &World) -> Vec<Change<OwnedRow>> {
    let people = world.people();
    let row = |id, v| vec![n(id), NULL, n(v)];
    vec![
        // Nobody has touched it here.
        update(&people, row(1, 100), row(1, 500)),
        // Changed here earlier (300), and later (700).
        update(&people, row(2, 100), row(2, 500)),
        update(&people, row(3, 100), row(3, 500)),
        // Deleted here.
        update(&people, row(4, 100), row(4, 500)),
        // Changed here, deleted there.
        delete(&people, row(5, 100)),
        // Inserted on both sides.
        create(&people, row(6, 500)),
        // Both did the same.
        update(&people, row(7, 100), row(7, 500)),
        delete(&people, row(8, 100)),
    ]
}

async fn local_changes(world: &World) {
    for sql in [
        "UPDATE DB.people SET v = 300 WHERE id = 2",
        "UPDATE DB.people SET v = 700 WHERE id IN (3, 5)",
        "DELETE FROM DB.people WHERE id IN (4, 8)",
        "INSERT INTO DB.people VALUES (6, NULL, 700)",
        "UPDATE DB.people SET v = 500 WHERE id = 7",
    ] {
        world.sql(sql).await;
    }
}

/// What rows 1 to 8 are after both sides' changes, and how many conflicts there were.
async fn settled(world: &World, policy: TwoWay) -> (Vec<(i64, i64)>, u64) {
    let world = two_way(world, policy);
    let people = world.people();
    let mut sink = world.open().await;
    let ids = [1, 2, 3, 4, 5, 7, 8];
    let rows = ids.map(|id| create(&people, vec![n(id), NULL, n(100)]));
    assert_eq!(world.apply(&mut sink, rows.to_vec()).await.unwrap().conflicts, 0);
    local_changes(&world).await;
    let applied = world.apply(&mut sink, remote_changes(&world)).await.unwrap();
    sink.close().await;
    (world.rows("SELECT id, v FROM DB.people ORDER BY id").await, applied.conflicts)
}

#[test]
fn the_source_wins() {
    in_world(|world| async move {
        let (rows, conflicts) = settled(&world, TwoWay::SourceWins).await;
        assert_eq!(rows, [(1, 500), (2, 500), (3, 500), (4, 500), (6, 500), (7, 500)]);
        assert_eq!(conflicts, 5);
    });
}

#[test]
fn the_destination_wins() {
    in_world(|world| async move {
        let (rows, conflicts) = settled(&world, TwoWay::DestinationWins).await;
        assert_eq!(rows, [(1, 500), (2, 300), (3, 700), (5, 700), (6, 700), (7, 500)]);
        assert_eq!(conflicts, 5);
    });
}

#[test]
fn the_last_writer_wins_and_a_change_wins_over_a_delete() {
    in_world(|world| async move {
        let (rows, conflicts) = settled(&world, TwoWay::LastWriter { column: "v".into() }).await;
        assert_eq!(rows, [(1, 500), (2, 500), (3, 700), (4, 500), (5, 700), (6, 700), (7, 500)]);
        assert_eq!(conflicts, 5);
    });
}

#[test]
fn at_equal_times_the_greater_row_wins() {
    in_world(|world| async move {
        let world = two_way(&world, TwoWay::LastWriter { column: "v".into() });
        let people = world.people();
        let row = |id, name: &str| vec![n(id), t(name), n(500)];
        let mut sink = world.open().await;
        world
            .apply(&mut sink, vec![create(&people, row(1, "a")), create(&people, row(2, "b"))])
            .await
            .unwrap();
        world.sql("UPDATE DB.people SET name = CONCAT(name, 'm')").await;
        let changes =
            vec![update(&people, row(1, "a"), row(1, "az")), update(&people, row(2, "b"), row(2, "bB"))];
        assert_eq!(world.apply(&mut sink, changes).await.unwrap().conflicts, 2);
        sink.close().await;
        assert_eq!(world.texts("SELECT name FROM DB.people ORDER BY id").await, ["az", "bm"]);
    });
}

#[test]
fn it_stops_where_the_policy_says_so() {
    in_world(|world| async move {
        let world = two_way(&world, TwoWay::Stop);
        let people = world.people();
        let row = |v| vec![n(1), NULL, n(v)];
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![create(&people, row(1))]).await.unwrap();
        world.sql("UPDATE DB.people SET v = 2").await;
        let refused = world.apply(&mut sink, vec![update(&people, row(1), row(3))]).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::Divergence);
        assert!(refused.to_string().contains("changed on both sides"), "{refused}");
        sink.close().await;
        assert_eq!(world.ledger_sequence().await, Some(1));
    });
}

#[test]
fn its_transactions_bear_its_tag() {
    in_world(|world| async move {
        let world = two_way(&world, TwoWay::SourceWins);
        let people = world.people();
        let mut sink = world.open().await;
        let tag = format!("cdc_{}", world.settings.name);
        let tagged = "SELECT @@GLOBAL.gtid_executed";
        let count = async |world: &World| {
            let sets = world.texts(tagged).await.concat().to_lowercase();
            sets.split(&format!("{tag}:")).count()
        };
        world.apply(&mut sink, vec![create(&people, vec![n(1), NULL, n(1)])]).await.unwrap();
        assert_eq!(count(&world).await, 2, "{:?}", world.texts(tagged).await);
        sink.close().await;
    });
}

#[test]
fn nobody_comes_between_the_look_and_the_write() {
    in_world(|world| async move {
        let world = two_way(&world, TwoWay::DestinationWins);
        let people = world.people();
        let mut sink = world.open().await;
        world.apply(&mut sink, vec![create(&people, vec![n(1), NULL, n(1)])]).await.unwrap();
        // Row 1 is held: the sink has looked for row 5, found none, and waits for its look at row 1.
        let mut admin = world.admin().await;
        admin.query_drop("START TRANSACTION").await.unwrap();
        let hold = format!("SELECT * FROM `{}`.people WHERE id = 1 FOR UPDATE", world.database);
        admin.query_drop(hold).await.unwrap();
        let applied = {
            let world = world.clone();
            tokio::spawn(async move {
                let first = update(&people, vec![n(1), NULL, n(1)], vec![n(1), NULL, n(2)]);
                let changes = vec![create(&people, vec![n(5), NULL, n(5)]), first];
                let applied = world.apply(&mut sink, changes).await.unwrap();
                sink.close().await;
                applied
            })
        };
        let waits = "SELECT COUNT(*) FROM performance_schema.data_lock_waits";
        let mut seen = 0;
        for _ in 0..500 {
            seen = world.rows::<i64>(waits).await[0];
            if seen > 0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert!(seen > 0, "the sink does not wait");
        let mut other = world.admin().await;
        other.query_drop("SET innodb_lock_wait_timeout = 1").await.unwrap();
        let insert = format!("INSERT INTO `{}`.people VALUES (5, NULL, 6)", world.database);
        other.query_drop(insert).await.unwrap_err();
        admin.query_drop("ROLLBACK").await.unwrap();
        assert_eq!(applied.await.unwrap().conflicts, 0);
        assert_eq!(world.rows::<i64>("SELECT v FROM DB.people ORDER BY id").await, [2, 5]);
    });
}
