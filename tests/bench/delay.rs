//! From a commit on the source until it is seen at the destination.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;

use super::data::Data;
use super::job::Lane;
use super::report::{Delays, Report};
use crate::kit::World;

/// How long the last rows may take.
const TAIL: Duration = Duration::from_secs(60);

/// From the start of a source to its first event at the destination, where a sink waits.
pub async fn start_up(data: &Data, report: &mut Report) {
    let lane = Lane::new(data, "beat", "start").await;
    lane.world.catch_up();
    let mut sink = lane.world.start_sink(&[]);
    data.world.source_sql("REPLACE INTO beat VALUES (0, 'first')").await;
    // A connection for each look would take from the server what is measured.
    let mut conn = lane.world.dest_conn().await;
    let look = format!("SELECT COUNT(*) FROM `{}`.beat WHERE id = 0", lane.world.name);
    let begun = Instant::now();
    let mut source = lane.world.start_source(&[]);
    // The table is made with its first row.
    while conn.query_first::<u64, _>(&look).await.ok().flatten() != Some(1) {
        assert!(begun.elapsed() < TAIL, "{}\n{}", source.log_tail(), sink.log_tail());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    report.start_up_ms.push(begun.elapsed().as_secs_f64() * 1e3);
    source.stop();
    sink.stop();
    data.world.source_sql("DELETE FROM beat").await;
    lane.world.end().await;
}

/// Single-row transactions at a fixed rate.
pub async fn steady(data: &Data, rate: u64, seconds: u64, report: &mut Report) {
    let lane = Lane::new(data, "beat", &format!("beat{rate}")).await;
    let mut source = lane.world.start_source(&[]);
    let mut sink = lane.world.start_sink(&[]);
    data.world.source_sql("INSERT INTO beat VALUES (0, 'first')").await;
    lane.world.until_dest("SELECT COUNT(*) FROM beat", 1).await;
    let committed = Arc::new(Mutex::new(HashMap::new()));
    let clients = if rate > 1000 { 32 } else { 4 };
    let begun = Instant::now();
    let writers: Vec<_> = (0..clients)
        .map(|w| {
            let beat = Beat { client: w, clients, rate, count: rate * seconds / clients };
            tokio::spawn(beat.write(data.world.clone(), committed.clone()))
        })
        .collect();
    let all = rate * seconds / clients * clients;
    let seen = watch(&lane.world, all, Duration::from_secs(seconds) + TAIL).await;
    for writer in writers {
        writer.await.unwrap();
    }
    let committed = Arc::into_inner(committed).unwrap().into_inner().unwrap();
    let last = committed.values().max().unwrap();
    let reached = committed.len() as f64 / last.duration_since(begun).as_secs_f64();
    let ms = seen.iter().map(|(id, at)| at.saturating_duration_since(committed[id]).as_secs_f64() * 1e3);
    report.delays.push(Delays::new(rate, reached, ms.collect()));
    source.assert_alive();
    sink.assert_alive();
    source.stop();
    sink.stop();
    data.world.source_sql("DELETE FROM beat").await;
    lane.world.end().await;
}

/// One client.
struct Beat {
    client: u64,
    clients: u64,
    rate: u64,
    count: u64,
}

impl Beat {
    async fn write(self, world: Arc<World>, committed: Arc<Mutex<HashMap<u64, Instant>>>) {
        let mut conn = world.source_conn().await;
        let mut ticks = tokio::time::interval(Duration::from_micros(1_000_000 * self.clients / self.rate));
        for i in 0..self.count {
            ticks.tick().await;
            let id = 1 + i * self.clients + self.client;
            conn.query_drop(format!("INSERT INTO beat VALUES ({id}, 'x')")).await.unwrap();
            committed.lock().unwrap().insert(id, Instant::now());
        }
    }
}

/// When each id was first seen at the destination.
async fn watch(world: &World, all: u64, limit: Duration) -> Vec<(u64, Instant)> {
    let mut conn = world.dest_conn().await;
    conn.query_drop(format!("USE `{}`", world.name)).await.unwrap();
    let mut known = HashSet::new();
    let mut seen = Vec::new();
    let begun = Instant::now();
    let mut floor = 0;
    while (known.len() as u64) < all {
        assert!(begun.elapsed() < limit, "{} of {all} rows arrived", known.len());
        let ids: Vec<u64> = conn.query(format!("SELECT id FROM beat WHERE id > {floor}")).await.unwrap();
        let now = Instant::now();
        seen.extend(ids.into_iter().filter(|id| known.insert(*id)).map(|id| (id, now)));
        // Ids below are all in: the clients go on side by side.
        while known.contains(&(floor + 1)) {
            floor += 1;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    seen
}
