//! The data that all jobs share: rows as sysbench makes them, of about 200 bytes.

use std::sync::Arc;

use mysql_async::prelude::Queryable;

use super::Size;
use crate::kit::World;

const CLIENTS: u64 = 8;

/// The last row of the backlog: where it is, all of the backlog is.
pub const MARK: u64 = 4_000_000_000;

const COLUMNS: &str = "(id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, k INT NOT NULL, \
     c CHAR(120) NOT NULL, pad CHAR(60) NOT NULL, KEY (k))";

/// Tables on the source: `s` for snapshots, `b` for the backlog, `beat` for delays.
pub struct Data {
    pub world: Arc<World>,
    /// Where the binlog stood before the backlog: file and position.
    pub before_backlog: Option<(String, u64)>,
    size: Size,
}

impl Data {
    pub async fn new(size: Size) -> Self {
        let world = Arc::new(World::new("bench").await);
        for mut conn in [world.source_conn().await, world.dest_conn().await] {
            let sql = "SELECT @@sync_binlog, @@innodb_flush_log_at_trx_commit";
            let durable: Option<(u32, u32)> = conn.query_first(sql).await.unwrap();
            assert_eq!(durable, Some((1, 1)), "what is compared is as durable as the rest");
        }
        for table in ["s", "b"] {
            world.source_sql(&Self::create(table)).await;
        }
        world.source_sql("CREATE TABLE beat (id BIGINT PRIMARY KEY, pad CHAR(180))").await;
        Self { world, before_backlog: None, size }
    }

    /// How `s` and `b` are made.
    pub fn create(table: &str) -> String {
        format!("CREATE TABLE {table} {COLUMNS}")
    }

    pub async fn fill(&self) {
        let rows = self.size.snapshot_rows;
        self.world
            .source_sql(&format!(
                "SET SESSION cte_max_recursion_depth={rows};\nINSERT INTO s (k, c, pad) WITH RECURSIVE n(i) AS \
                 (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{rows}) SELECT i*7919 % 1000000, \
                 RPAD(SHA2(i, 256), 119, 'c'), RPAD(SHA2(-i, 224), 59, 'p') FROM n"
            ))
            .await;
    }

    /// Inserts in transactions of 100 rows, single-row updates, and the mark.
    pub async fn make_backlog(&mut self) {
        let sql = "SHOW BINARY LOG STATUS";
        let status: mysql_async::Row =
            self.world.source_conn().await.query_first(sql).await.unwrap().unwrap();
        self.before_backlog = Some((status.get("File").unwrap(), status.get("Position").unwrap()));
        let (inserts, updates) = (self.size.inserts / CLIENTS, self.size.updates / CLIENTS);
        let clients = (0..CLIENTS).map(|client| {
            let world = self.world.clone();
            tokio::spawn(async move {
                let mut conn = world.source_conn().await;
                for i in 0..inserts / 100 {
                    let from = client * inserts + i * 100;
                    let sql = format!(
                        "INSERT INTO b SELECT {from} + id, k, c, pad FROM s WHERE id BETWEEN 1 AND 100"
                    );
                    conn.query_drop(sql).await.unwrap();
                }
                for i in 0..updates {
                    let id = client * inserts + (i * 7) % inserts + 1;
                    conn.query_drop(format!("UPDATE b SET k=k+1 WHERE id={id}")).await.unwrap();
                }
            })
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.unwrap();
        }
        self.world.source_sql(&format!("INSERT INTO b VALUES ({MARK}, 0, 'mark', '')")).await;
    }

    /// Updates of half of the backlog's rows, 100 in a transaction.
    pub async fn make_updates(&self) {
        let transactions = self.updated_rows() / 100;
        let clients = (0..CLIENTS).map(|client| {
            let world = self.world.clone();
            tokio::spawn(async move {
                let mut conn = world.source_conn().await;
                for transaction in (client..transactions).step_by(CLIENTS as usize) {
                    let (first, last) = (transaction * 100 + 1, transaction * 100 + 100);
                    let sql = format!(
                        "UPDATE b SET k = k + 1, pad = RPAD(SHA2(id, 224), 59, 'u') WHERE id BETWEEN {first} AND {last}"
                    );
                    conn.query_drop(sql).await.unwrap();
                }
            })
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.unwrap();
        }
    }

    /// How many rows that are.
    pub fn updated_rows(&self) -> u64 {
        self.size.inserts / 2
    }

    /// What stands for all values of a table.
    pub fn checksum(table: &str) -> String {
        format!("SELECT CAST(SUM(CRC32(CONCAT_WS('|', id, k, c, pad))) AS SIGNED) FROM {table}")
    }

    pub async fn source_checksum(&self, table: &str) -> Option<i64> {
        self.world.source_conn().await.query_first(Self::checksum(table)).await.unwrap()
    }

    pub async fn end(self) {
        Arc::into_inner(self.world).unwrap().end().await;
    }
}
