//! Tables of other shapes: their snapshot, or their backlog where transactions are what matters, to Kafka and applied.

use std::sync::Arc;

use mysql_async::prelude::Queryable as _;

use super::debezium::Peer;
use super::job::Lane;
use super::report::Report;
use super::{Size, is_chosen};
use crate::kit::{Options, World};

const CLIENTS: u64 = 16;

/// Tables that are alike.
#[derive(Clone)]
pub struct Shape {
    pub name: &'static str,
    pub tables: u64,
    /// In each table.
    pub rows: u64,
    pub partitions: u32,
    /// Columns behind the key.
    pub columns: Vec<(String, &'static str)>,
    /// What they hold, by the number of the column, with the number of the row (`i`) in it.
    pub value: fn(usize) -> String,
    /// Rows come by the log, so many in each transaction, and not by the snapshot. There is one table then.
    pub in_transactions_of: Option<u64>,
}

impl Shape {
    fn all(size: Size) -> [Self; 5] {
        let rows = |of: u64| of * size.snapshot_rows / 1_000_000;
        let usual = Self {
            name: "",
            tables: 1,
            rows: 0,
            partitions: 4,
            columns: vec![("k".to_owned(), "INT")],
            value: |_| "i * 7919 % 1000000".to_owned(),
            in_transactions_of: None,
        };
        let kinds = ["INT", "VARCHAR(40)", "DECIMAL(12,3)", "DATETIME", "BIGINT"];
        // The registry's time: QUICK would not be.
        let many = if rows(1000) == 1000 { "1,000 tables" } else { "200 tables" };
        let wide = (0..200).map(|n| (format!("c{n}"), kinds[n % kinds.len()])).collect();
        let value: fn(usize) -> String = |n| match n % 5 {
            0 => format!("i + {n}"),
            1 => format!("CONCAT('value ', i, ' of {n}')"),
            2 => format!("i / 7 + {n}"),
            3 => "TIMESTAMPADD(SECOND, i, '2020-01-01')".to_owned(),
            _ => "i * 1000003".to_owned(),
        };
        [
            Self { name: "200 columns", rows: rows(100_000), columns: wide, value, ..usual.clone() },
            Self { name: "two integers", rows: rows(2_000_000), ..usual.clone() },
            Self {
                name: "rows of 10 KB",
                rows: rows(60_000),
                columns: vec![("v".to_owned(), "TEXT")],
                value: |_| "REPEAT(SHA2(i, 256), 160)".to_owned(),
                ..usual.clone()
            },
            Self { name: many, tables: rows(1000), rows: 300, partitions: 1, ..usual.clone() },
            Self {
                name: "single-row transactions",
                rows: rows(400_000),
                in_transactions_of: Some(1),
                ..usual
            },
        ]
    }

    /// Makes the tables, and fills them unless rows come by the log.
    pub async fn make(&self, world: &World) {
        let columns: Vec<String> = self.columns.iter().map(|(name, kind)| format!("{name} {kind}")).collect();
        let values: Vec<String> = (0..self.columns.len()).map(self.value).collect();
        let rows = self.rows;
        let fill = format!(
            "SET SESSION cte_max_recursion_depth={rows};\nCREATE TABLE t0 (id BIGINT PRIMARY KEY, {});\n\
             INSERT INTO t0 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{}) SELECT i, {} FROM n",
            columns.join(", "),
            if self.in_transactions_of.is_some() { 1 } else { rows },
            values.join(", ")
        );
        world.source_sql(&fill).await;
        for table in 1..self.tables {
            world.source_sql(&format!("CREATE TABLE t{table} LIKE t0")).await;
            world.source_sql(&format!("INSERT INTO t{table} SELECT * FROM t0")).await;
        }
    }

    /// The rows that come by the log, from several clients at once.
    pub async fn write(&self, world: &Arc<World>) {
        let each = self.in_transactions_of.unwrap_or(1);
        let values: Vec<String> = (0..self.columns.len()).map(self.value).collect();
        let values = values.join(", ");
        let write = async |world: Arc<World>, client: u64| {
            let mut conn = world.source_conn().await;
            conn.query_drop(format!("SET SESSION cte_max_recursion_depth={each}")).await.unwrap();
            for transaction in (client..self.transactions()).step_by(CLIENTS as usize) {
                let first = 2 + transaction * each;
                let sql = format!(
                    "INSERT INTO t0 WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i+1 FROM n WHERE i<{}) \
                     SELECT i, {values} FROM n",
                    first + each - 1
                );
                conn.query_drop(sql).await.unwrap();
            }
        };
        let clients = (0..CLIENTS).map(|client| write(world.clone(), client));
        futures_util::future::join_all(clients).await;
    }

    fn transactions(&self) -> u64 {
        self.in_transactions_of.map_or(0, |each| self.rows / each)
    }

    pub fn count(&self) -> u64 {
        match self.in_transactions_of {
            Some(each) => self.transactions() * each,
            None => self.rows * self.tables,
        }
    }
}

/// Every shape, by us and by Debezium.
pub async fn measure(size: Size, report: &mut Report) {
    for shape in Shape::all(size).into_iter().filter(|shape| is_chosen(shape.name)) {
        let world = Arc::new(World::with("shape", &Options::default()).await);
        shape.make(&world).await;
        match shape.in_transactions_of {
            Some(_) => backlogs(&shape, &world, size, report).await,
            None => snapshots(&shape, &world, size, report).await,
        }
        Arc::into_inner(world).unwrap().end().await;
    }
}

async fn snapshots(shape: &Shape, world: &World, size: Size, report: &mut Report) {
    for run in 1..=size.runs {
        let lane = Lane::over(&world.name, "*", shape.partitions, &format!("shape{run}")).await;
        report.add(&format!("{}: snapshot to Kafka", shape.name), lane.source(shape.count()));
        report.add(&format!("{}: snapshot applied", shape.name), lane.sink(shape.count()));
        finish(shape, world, lane).await;
    }
    for run in 1..=size.peer_runs {
        let peer = Peer::start(&world.name, ".*", shape.partitions, &format!("dbzshape{run}")).await;
        report.add(
            &format!("{}: snapshot to Kafka, Debezium", shape.name),
            peer.until_written(0, shape.count()).await,
        );
        peer.end().await;
    }
}

async fn backlogs(shape: &Shape, world: &Arc<World>, size: Size, report: &mut Report) {
    let (mut lanes, mut peers) = (Vec::new(), Vec::new());
    for run in 1..=size.runs {
        let lane = Lane::over(&world.name, "*", shape.partitions, &format!("shape{run}")).await;
        lane.world.catch_up();
        lanes.push(lane);
    }
    for run in 1..=size.peer_runs {
        let peer = Peer::start(&world.name, ".*", shape.partitions, &format!("dbzshape{run}")).await;
        peer.until_written(0, 1).await;
        peer.pause();
        peers.push(peer);
    }
    shape.write(world).await;
    for lane in lanes {
        report.add(&format!("{}: backlog to Kafka", shape.name), lane.source(shape.count()));
        report.add(&format!("{}: backlog applied", shape.name), lane.sink(shape.count()));
        finish(shape, world, lane).await;
    }
    for mut peer in peers {
        report
            .add(&format!("{}: backlog to Kafka, Debezium", shape.name), peer.catch_up(shape.count()).await);
        peer.end().await;
    }
}

/// Compares both sides, and removes what the run made.
pub async fn finish(shape: &Shape, world: &World, lane: Lane) {
    for table in 0..shape.tables {
        let sum = |database: &str| format!("CHECKSUM TABLE `{database}`.t{table}");
        let wanted: Option<(String, u64)> =
            world.source_conn().await.query_first(sum(&world.name)).await.unwrap();
        let there: Option<(String, u64)> =
            lane.world.dest_conn().await.query_first(sum(&lane.world.name)).await.unwrap();
        assert!(wanted.is_some());
        assert_eq!(there.map(|(_, sum)| sum), wanted.map(|(_, sum)| sum), "table {table} of {}", shape.name);
    }
    lane.world.end().await;
}
