//! XA transactions: what is prepared is nowhere to be seen, what is committed arrives once and whole,
//! what is rolled back never, whatever dies in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::kit::{Dice, Options, Server, World};

/// Those who transfer, each between accounts of its own: what is prepared keeps its rows locked.
const WRITERS: u64 = 4;
const ACCOUNTS: u64 = 20;
/// The first ones are left to what is prepared before anybody reads.
const EARLY: u64 = 3;
const SUM: i64 = 1000 * (WRITERS * ACCOUNTS) as i64;
const KILLS: u32 = 8;
/// Longest time that a transaction stays prepared.
const PREPARED_MS_MAX: u64 = 400;

#[tokio::test(flavor = "multi_thread")]
async fn xa_transactions() {
    let server = Server::start("xa", &[]);
    let options = Options {
        source_server: Some(server.address.clone()),
        capture: "chunk_rows = 10".into(),
        ..Options::default()
    };
    let world = Arc::new(World::with("xa", &options).await);
    world.source_sql(&format!(
        "CREATE TABLE a (id INT PRIMARY KEY, v INT NOT NULL);\nCREATE TABLE b LIKE a;\n\
         CREATE TABLE log (xid VARCHAR(20), v INT);\nINSERT INTO log VALUES ('first', 0);\n\
         INSERT INTO a WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i<{last}) SELECT i, 500 FROM n;\n\
         INSERT INTO b SELECT * FROM a", last = WRITERS * ACCOUNTS - 1)).await;
    // Some are prepared before anybody reads, and decided later.
    let mut early = world.source_conn().await;
    for (xid, id) in [("early", 0), ("undone", 1)] {
        prepare(&mut early, xid, &transfer(id, id + 1, 7)).await;
    }
    let seed = crate::kit::seed();
    println!("xa_transactions: CDC_TEST_SEED={seed}");
    let mut dice = Dice::of(seed);
    // The snapshot begins while some are prepared, and goes on while others are.
    let writers = Writers::start(&world, 0, &mut dice);
    let mut processes = [world.start_source(&[]), world.start_sink(&[])];
    world.until_dest("SELECT COUNT(*) FROM a", (WRITERS * ACCOUNTS) as i64).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut done = writers.end().await;
    early.query_drop("XA COMMIT 'early'").await.unwrap();
    early.query_drop("XA ROLLBACK 'undone'").await.unwrap();
    world.until_equal().await;

    let writers = Writers::start(&world, 1, &mut dice);
    let stop = Arc::new(AtomicBool::new(false));
    let looks = tokio::spawn(look(world.clone(), stop.clone()));
    for kill in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(100 + dice.below(700))).await;
        if kill == KILLS / 2 {
            let mut conn = world.source_conn().await;
            conn.query_drop("FLUSH BINARY LOGS").await.unwrap();
        }
        let victim = usize::from(dice.below(4) == 0);
        processes[victim].kill();
        processes[victim] = if victim == 0 { world.start_source(&[]) } else { world.start_sink(&[]) };
    }
    done += writers.end().await;
    world.until_equal().await;
    stop.store(true, Ordering::Relaxed);
    println!("xa_transactions: {done} of them, {KILLS} kills, {} looks", looks.await.unwrap());
    processes[0].stop();
    processes[1].stop();
    drop(early);
    world.dest_sql(&format!("DROP DATABASE `{}`", world.name)).await;
}

/// Its record is a row without a key: each is there once.
fn transfer(from: u64, to: u64, amount: u64) -> [String; 3] {
    [
        format!("INSERT INTO log VALUES ('{from}-{to}', {amount})"),
        format!("UPDATE a SET v = v - {amount} WHERE id = {from}"),
        format!("UPDATE b SET v = v + {amount} WHERE id = {to}"),
    ]
}

async fn prepare(conn: &mut Conn, xid: &str, statements: &[String]) {
    conn.query_drop(format!("XA START '{xid}'")).await.unwrap();
    for statement in statements {
        conn.query_drop(statement).await.unwrap();
    }
    conn.query_drop(format!("XA END '{xid}'")).await.unwrap();
    conn.query_drop(format!("XA PREPARE '{xid}'")).await.unwrap();
}

/// Those who transfer at the same time.
struct Writers {
    stop: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<u64>>,
}

impl Writers {
    fn start(world: &Arc<World>, round: u64, dice: &mut Dice) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = (0..WRITERS)
            .map(|writer| {
                tokio::spawn(write(world.clone(), (round, writer), Dice::of(dice.bits()), stop.clone()))
            })
            .collect();
        Self { stop, tasks }
    }

    /// How many XA transactions there were.
    async fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let mut done = 0;
        for task in self.tasks {
            done += task.await.unwrap();
        }
        done
    }
}

async fn write(world: Arc<World>, (round, writer): (u64, u64), mut dice: Dice, stop: Arc<AtomicBool>) -> u64 {
    let mut conn = world.source_conn().await;
    let (mut number, mut done) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let mut account = || writer * ACCOUNTS + dice.between(EARLY, ACCOUNTS - 1);
        let statements = transfer(account(), account(), number);
        if dice.below(4) == 0 {
            conn.query_drop("BEGIN").await.unwrap();
            for statement in &statements {
                conn.query_drop(statement).await.unwrap();
            }
            conn.query_drop("COMMIT").await.unwrap();
            continue;
        }
        let xid = format!("{round}-{writer}-{number}");
        if dice.below(4) == 0 {
            conn.query_drop(format!("XA START '{xid}'")).await.unwrap();
            for statement in &statements {
                conn.query_drop(statement).await.unwrap();
            }
            conn.query_drop(format!("XA END '{xid}'")).await.unwrap();
            conn.query_drop(format!("XA COMMIT '{xid}' ONE PHASE")).await.unwrap();
        } else {
            prepare(&mut conn, &xid, &statements).await;
            tokio::time::sleep(Duration::from_millis(dice.below(PREPARED_MS_MAX))).await;
            let end = if dice.below(3) == 0 { "ROLLBACK" } else { "COMMIT" };
            conn.query_drop(format!("XA {end} '{xid}'")).await.unwrap();
        }
        done += 1;
    }
    done
}

/// No transfer is ever seen in part.
async fn look(world: Arc<World>, stop: Arc<AtomicBool>) -> u64 {
    let mut looks = 0;
    while !stop.load(Ordering::Relaxed) {
        let sum = "SELECT CAST((SELECT SUM(v) FROM a) + (SELECT SUM(v) FROM b) AS SIGNED)";
        assert_eq!(world.dest_number(sum).await, Some(SUM));
        looks += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    looks
}
