//! Looks at the source's server again and again (P9): no session of `cdc` holds a lock that a writer would wait for,
//! or keeps a read open for long; and at the memory of its processes (P7), while all kinds of things happen to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Result};

use crate::kit::World;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(300);

/// The limit that a process of default settings has.
pub const MEMORY_MAX: u64 = 256 << 20;

/// A read is open while its rows are taken; one whose reader sleeps or is silent ends by `net_write_timeout`, which is
/// 60 s (MySQL manual, "Server System Variables").
const READ_SECONDS_MAX: u32 = 90;

/// Sessions of sources, by the attribute that they connect with; encrypted ones by that, since their client
/// (mysql_async 0.37.1) leaves the attributes' flag out of its request for TLS, and nobody else here uses it.
const OURS: &str = "SELECT t.PROCESSLIST_ID FROM performance_schema.threads t \
    LEFT JOIN performance_schema.session_connect_attrs a ON a.PROCESSLIST_ID = t.PROCESSLIST_ID \
    AND a.ATTR_NAME = 'program_name' WHERE t.CONNECTION_TYPE = 'SSL/TLS' OR a.ATTR_VALUE = 'cdc-source'";

/// Looks until told to stop; one of a server that is away does not count. Counts those that found a session.
pub async fn look(world: Arc<World>, looks: Arc<AtomicU64>, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        if let Ok(mut conn) = world.try_source_conn().await {
            while !stop.load(Ordering::Relaxed) {
                let Ok(sessions) = one(&mut conn).await else { break };
                looks.fetch_add(u64::from(sessions > 0), Ordering::Relaxed);
                tokio::time::sleep(PAUSE).await;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// How many sessions there are, none of which is in anybody's way.
async fn one(conn: &mut Conn) -> Result<u64> {
    let sessions: Option<u64> = conn.query_first(format!("SELECT COUNT(*) FROM ({OURS}) ours")).await?;
    for (what, sql) in [("locks", locks()), ("row locks", row_locks()), ("long reads", long_reads())] {
        let found: Vec<String> = conn.query(sql).await?;
        assert!(found.is_empty(), "on the source cdc holds {what}: {found:?}");
    }
    Ok(sessions.unwrap_or_default())
}

/// Where the server notes statistics of its own for who looks at the catalogue.
const STATISTICS: &str = "('mysql.table_stats', 'mysql.index_stats')";

/// Those of metadata that are not a reader's. What a look at the catalogue holds on schemas is in the way of their end only.
fn locks() -> String {
    format!(
        "SELECT CONCAT_WS(' ', l.OBJECT_TYPE, l.OBJECT_SCHEMA, l.OBJECT_NAME, l.LOCK_TYPE) \
         FROM performance_schema.metadata_locks l JOIN performance_schema.threads t ON t.THREAD_ID = l.OWNER_THREAD_ID \
         WHERE t.PROCESSLIST_ID IN ({OURS}) AND l.LOCK_STATUS = 'GRANTED' \
         AND l.OBJECT_TYPE <> 'USER LEVEL LOCK' \
         AND CONCAT_WS('.', l.OBJECT_SCHEMA, l.OBJECT_NAME) NOT IN {STATISTICS} \
         AND (l.OBJECT_TYPE, l.LOCK_TYPE) <> ('SCHEMA', 'INTENTION_EXCLUSIVE') \
         AND l.LOCK_TYPE NOT IN ('SHARED', 'SHARED_READ', 'SHARED_HIGH_PRIO')"
    )
}

fn row_locks() -> String {
    format!(
        "SELECT CONCAT_WS(' ', d.OBJECT_SCHEMA, d.OBJECT_NAME, d.LOCK_TYPE, d.LOCK_MODE) \
         FROM performance_schema.data_locks d JOIN performance_schema.threads t ON t.THREAD_ID = d.THREAD_ID \
         WHERE t.PROCESSLIST_ID IN ({OURS}) \
         AND CONCAT_WS('.', d.OBJECT_SCHEMA, d.OBJECT_NAME) NOT IN {STATISTICS}"
    )
}

fn long_reads() -> String {
    format!(
        "SELECT CONCAT_WS(' ', trx_started, trx_query) FROM information_schema.innodb_trx \
         WHERE trx_mysql_thread_id IN ({OURS}) \
         AND trx_started < NOW() - INTERVAL {READ_SECONDS_MAX} SECOND"
    )
}
