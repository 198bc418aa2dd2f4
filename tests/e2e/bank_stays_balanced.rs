//! Transfers over three tables and all partitions; a reader on the destination
//! sees the sum whole at every moment, while both processes are killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mysql_async::TxOpts;
use mysql_async::prelude::Queryable;

use crate::kit::{Dice, Process, World, until};

const ACCOUNTS: u64 = 300;
const TOTAL: i64 = 3 * 300 * 1000;
const KILLS: u32 = 10;

#[tokio::test(flavor = "multi_thread")]
async fn bank_stays_balanced() {
    let world = Arc::new(World::new("bank").await);
    for table in ["a", "b", "c"] {
        world.source_sql(&format!("CREATE TABLE {table} (id INT PRIMARY KEY, balance BIGINT NOT NULL);\nINSERT INTO {table} WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<300) SELECT i, 1000 FROM n")).await;
    }
    world.catch_up();
    assert_eq!(sum(&world).await, Some(TOTAL));
    let stop = Arc::new(AtomicBool::new(false));
    let seen = Arc::new(Seen::default());
    let reader = tokio::spawn(read(world.clone(), stop.clone(), seen.clone()));
    let writers: Vec<_> = (0..2).map(|w| tokio::spawn(transfer(world.clone(), w, stop.clone()))).collect();
    let mut processes = [("source", world.start_source(&[])), ("sink", world.start_sink(&[]))];
    let mut dice = Dice::new("bank kills");
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(300 + dice.below(1200))).await;
        let victim = usize::try_from(dice.below(2)).unwrap();
        processes[victim].1.kill();
        processes[victim].1 = if victim == 0 { world.start_source(&[]) } else { world.start_sink(&[]) };
        let states = seen.states.load(Ordering::Relaxed);
        until("changes arrive again", async || seen.states.load(Ordering::Relaxed) > states + 2).await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut transfers = 0;
    for writer in writers {
        transfers += writer.await.unwrap();
    }
    world.until_equal().await;
    reader.await.unwrap();
    let (checks, distinct) = (seen.checks.load(Ordering::Relaxed), seen.states.load(Ordering::Relaxed));
    println!("bank: {transfers} transfers, {KILLS} kills, {checks} checks, {distinct} distinct states seen");
    assert!(transfers > 100 && distinct > 20, "states moved while they were checked");
    let alive = |(_, process): &mut (&str, Process)| process.assert_alive();
    processes.iter_mut().for_each(alive);
    drop(processes);
    Arc::into_inner(world).unwrap().end().await;
}

/// What the reader has seen.
#[derive(Default)]
struct Seen {
    checks: AtomicU64,
    states: AtomicU64,
}

const SUM: &str = "SELECT CAST((SELECT SUM(balance) FROM a) + (SELECT SUM(balance) FROM b) + \
                   (SELECT SUM(balance) FROM c) AS SIGNED)";

async fn sum(world: &World) -> Option<i64> {
    world.dest_number(SUM).await
}

/// Checks the sum all the time; returns how many different states it saw.
async fn read(world: Arc<World>, stop: Arc<AtomicBool>, seen: Arc<Seen>) {
    let mut conn = world.dest_conn().await;
    conn.query_drop(format!("USE `{}`", world.name)).await.unwrap();
    let mut states = std::collections::HashSet::new();
    while !stop.load(Ordering::Relaxed) {
        let mut view = conn.start_transaction(TxOpts::default()).await.unwrap();
        let total: i64 = view.query_first(SUM).await.unwrap().unwrap();
        let first: Vec<(i64, i64)> =
            view.query("SELECT id, balance FROM a ORDER BY id LIMIT 30").await.unwrap();
        view.commit().await.unwrap();
        assert_eq!(total, TOTAL, "a half transaction is visible at the destination");
        states.insert(first);
        seen.states.store(states.len() as u64, Ordering::Relaxed);
        seen.checks.fetch_add(1, Ordering::Relaxed);
    }
}

/// Moves money between accounts of different tables, in one transaction each.
async fn transfer(world: Arc<World>, writer: u64, stop: Arc<AtomicBool>) -> u64 {
    let mut conn = world.source_conn().await;
    let mut dice = Dice::new(&format!("bank writer {writer}"));
    let mut done = 0;
    while !stop.load(Ordering::Relaxed) {
        let tables = ["a", "b", "c"];
        let from = tables[usize::try_from(dice.below(3)).unwrap()];
        let to = tables[usize::try_from(dice.below(3)).unwrap()];
        let (x, y, amount) = (dice.below(ACCOUNTS) + 1, dice.below(ACCOUNTS) + 1, dice.below(50));
        let mut transaction = conn.start_transaction(TxOpts::default()).await.unwrap();
        let moved = async {
            transaction
                .query_drop(format!("UPDATE {from} SET balance=balance-{amount} WHERE id={x}"))
                .await?;
            transaction.query_drop(format!("UPDATE {to} SET balance=balance+{amount} WHERE id={y}")).await
        };
        if moved.await.is_ok() {
            transaction.commit().await.unwrap();
            done += 1;
        } else {
            let _ = transaction.rollback().await;
        }
    }
    done
}
