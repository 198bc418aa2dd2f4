//! Two MySQLs behind one address: one is written to and read from, the other follows it by
//! GTID. When the first dies the second takes its place, and the dead one comes back as
//! the follower.

use std::collections::BTreeMap;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::own::{Own, Part};
use super::proxy::{Mode, Protocol, Proxy};
use crate::kit::connect;

/// Seconds that a replica may take to have all.
const FOLLOWS_S: u32 = 120;

/// Both servers, and the address that leads to the one at work.
pub struct Pair {
    proxy: Proxy,
    active: Own,
    replica: Own,
}

impl Pair {
    /// Makes one of source and replica, where both are there.
    pub async fn of(servers: &mut BTreeMap<Part, Own>) -> Option<Self> {
        let replica = servers.remove(&Part::Replica)?;
        let active = servers.remove(&Part::Source).expect("a replica has somebody to follow");
        follow(replica.address(), active.address()).await;
        let proxy = Proxy::before(active.address(), Protocol::Mysql).await;
        Some(Self { proxy, active, replica })
    }

    /// Where whichever is at work is found.
    pub fn address(&self) -> String {
        self.proxy.address.clone()
    }

    /// As [`Proxy::client_at`].
    pub fn client_at(&self, port: u16) -> Option<u16> {
        self.proxy.client_at(port)
    }

    /// The one at work.
    pub fn active(&self) -> &Own {
        &self.active
    }

    /// The one at work is killed under load. What it had committed the other has, since
    /// nobody is told of a commit in the moments before.
    pub async fn fail_over(&mut self) {
        self.proxy.set(Mode::Stall);
        let last = last_word(self.active.address()).await;
        wait_until_has(self.replica.address(), &last).await;
        tokio::task::block_in_place(|| self.active.kill());
        promote(self.replica.address()).await;
        std::mem::swap(&mut self.active, &mut self.replica);
        self.proxy.leads_to(self.active.address());
        self.proxy.cut();
        self.proxy.set(Mode::Pass);
        tokio::task::block_in_place(|| self.replica.again());
        follow(self.replica.address(), self.active.address()).await;
    }
}

/// Makes a server follow another one.
pub async fn follow(replica: &str, source: &str) {
    let (host, port) = source.rsplit_once(':').unwrap();
    let mut conn = connect(replica, None).await;
    run(
        &mut conn,
        &format!(
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST='{host}', SOURCE_PORT={port}, SOURCE_USER='root', \
             SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1, SOURCE_CONNECT_RETRY=1, SOURCE_RETRY_COUNT=3600; \
             START REPLICA"
        ),
    )
    .await;
}

/// Lets no transaction commit any more; all that were.
async fn last_word(server: &str) -> String {
    let mut conn = connect(server, None).await;
    run(&mut conn, "SET GLOBAL super_read_only=ON").await;
    executed(&mut conn).await
}

/// What the server has executed.
pub async fn executed(conn: &mut Conn) -> String {
    conn.query_first("SELECT @@GLOBAL.gtid_executed").await.unwrap().unwrap()
}

/// Waits until a server has these transactions.
pub async fn wait_until_has(server: &str, gtids: &str) {
    let mut conn = connect(server, None).await;
    let sql = format!("SELECT WAIT_FOR_EXECUTED_GTID_SET('{gtids}', {FOLLOWS_S})");
    let late: Option<u8> = conn.query_first(sql).await.unwrap();
    if late != Some(0) {
        let sql = "SELECT CONCAT_WS(' ', WORKER_ID, LAST_ERROR_MESSAGE, APPLYING_TRANSACTION, APPLYING_TRANSACTION_LAST_TRANSIENT_ERROR_MESSAGE) \
                   FROM performance_schema.replication_applier_status_by_worker";
        let workers: Vec<String> = conn.query(sql).await.unwrap();
        panic!("the replica at {server} does not get {gtids}; its workers: {workers:?}");
    }
}

/// Makes a replica a server of its own.
pub async fn promote(replica: &str) {
    let mut conn = connect(replica, None).await;
    run(&mut conn, "STOP REPLICA; RESET REPLICA ALL; SET GLOBAL super_read_only=OFF, read_only=OFF").await;
}

async fn run(conn: &mut Conn, statements: &str) {
    for statement in statements.split("; ") {
        conn.query_drop(statement).await.unwrap_or_else(|e| panic!("{e}: {statement}"));
    }
}
