//! MySQL's own replication as a peer: a real replica that stands before the backlog.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};

use super::data::{Data, MARK};
use super::report::Run;
use crate::kit::{Server, variable};

const RUN_LIMIT: Duration = Duration::from_secs(1800);

/// A replica with four workers, which is not started yet.
pub struct Replica {
    conn: Conn,
    database: String,
    _server: Server,
}

impl Replica {
    /// A replica with everything that was before now; it holds only the backlog's table.
    pub async fn new(data: &Data) -> Self {
        let options = ["--replica-parallel-workers=4", "--innodb-buffer-pool-size=512M"];
        let server = Server::start("benchreplica", &options);
        let (host, port) = server.address.rsplit_once(':').unwrap();
        let to = OptsBuilder::default()
            .ip_or_hostname(host)
            .tcp_port(port.parse().unwrap())
            .user(Some("root"))
            .prefer_socket(false);
        let mut conn = Conn::new(to).await.unwrap();
        let database = data.world.name.clone();
        let before = data.world.source_gtids().await;
        let source = data.world.servers().0;
        let [user, password] = ["USER", "PASSWORD"].map(|of| variable(&format!("CDC_TEST_MYSQL_{of}")));
        let (host, port) = source.rsplit_once(':').unwrap();
        for sql in [
            format!("CREATE DATABASE `{database}`"),
            format!("USE `{database}`"),
            Data::create("b"),
            "RESET BINARY LOGS AND GTIDS".to_owned(),
            format!("SET GLOBAL gtid_purged = '{before}'"),
            format!(
                "CHANGE REPLICATION SOURCE TO SOURCE_HOST='{host}', SOURCE_PORT={port}, SOURCE_USER='{user}', \
                 SOURCE_PASSWORD='{password}', SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1"
            ),
            format!("CHANGE REPLICATION FILTER REPLICATE_DO_TABLE=(`{database}`.b)"),
        ] {
            conn.query_drop(&sql).await.unwrap_or_else(|e| panic!("{e}: {sql}"));
        }
        Self { conn, database, _server: server }
    }

    /// Starts it, and waits for the backlog's last row.
    pub async fn catch_up(mut self, rows: u64) -> Run {
        let begun = Instant::now();
        self.conn.query_drop("START REPLICA").await.unwrap();
        let mark = format!("SELECT COUNT(*) FROM `{}`.b WHERE id = {MARK}", self.database);
        while self.conn.query_first::<u64, _>(&mark).await.unwrap() != Some(1) {
            assert!(begun.elapsed() < RUN_LIMIT, "the replica does not catch up");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Run { rows, seconds: begun.elapsed().as_secs_f64(), cpu_seconds: None, peak_bytes: None }
    }
}
