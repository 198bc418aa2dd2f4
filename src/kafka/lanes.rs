//! Which partitions are read, where each stands, and which of them are fetched.
//!
//! Every partition held has a lane; at most so many lanes are live, that is, fetched
//! into a queue `Q` of their own. The others cost a name and an offset. No I/O here.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::events::From;

/// A partition that is read.
pub(super) struct Lane<Q> {
    pub topic: Arc<str>,
    pub partition: i32,
    /// Where the next record is looked for.
    pub from: From,
    flow: Flow<Q>,
    /// When it was read last, and when it was asked for last.
    used: u64,
    asked: u64,
}

/// Whether a lane is fetched.
pub(super) enum Flow<Q> {
    /// No.
    Waiting,
    /// Yes.
    Live(Q),
    /// Not any more; its queue may still receive what was under way.
    Ebbing(Q),
}

/// All lanes, found by topic and partition.
pub(super) struct Lanes<Q> {
    index: HashMap<Arc<str>, HashMap<i32, usize>>,
    lanes: BTreeMap<usize, Lane<Q>>,
    next_id: usize,
    clock: u64,
    live: usize,
}

impl<Q> Lane<Q> {
    pub fn flow(&self) -> &Flow<Q> {
        &self.flow
    }

    fn is_live(&self) -> bool {
        matches!(self.flow, Flow::Live(_))
    }

    fn is_to_be_read(&self) -> bool {
        self.asked > self.used
    }
}

impl<Q> Lanes<Q> {
    pub fn new() -> Self {
        Self { index: HashMap::new(), lanes: BTreeMap::new(), next_id: 0, clock: 0, live: 0 }
    }

    pub fn find(&self, topic: &str, partition: i32) -> Option<usize> {
        self.index.get(topic)?.get(&partition).copied()
    }

    /// Whether no partition of a topic has a lane.
    pub fn is_new(&self, topic: &str) -> bool {
        !self.index.contains_key(topic)
    }

    /// A new lane; its id is not reused.
    pub fn insert(&mut self, topic: &str, partition: i32, from: From) -> usize {
        let topic: Arc<str> = Arc::from(topic);
        let id = self.next_id;
        self.next_id += 1;
        self.index.entry(Arc::clone(&topic)).or_default().insert(partition, id);
        self.lanes.insert(id, Lane { topic, partition, from, flow: Flow::Waiting, used: 0, asked: 0 });
        self.ask(id);
        id
    }

    /// Notes that a lane is going to be read, after all that were asked for before it.
    pub fn ask(&mut self, id: usize) {
        self.clock += 1;
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.asked = self.clock;
        }
    }

    pub fn remove(&mut self, id: usize) -> Option<Lane<Q>> {
        let lane = self.lanes.remove(&id)?;
        self.live -= usize::from(lane.is_live());
        if let Some(partitions) = self.index.get_mut(&lane.topic) {
            partitions.remove(&lane.partition);
            if partitions.is_empty() {
                self.index.remove(&lane.topic);
            }
        }
        Some(lane)
    }

    /// Sets a lane's flow and returns the one before; `None` where there is no such lane.
    pub fn set_flow(&mut self, id: usize, flow: Flow<Q>) -> Option<Flow<Q>> {
        let lane = self.lanes.get_mut(&id)?;
        let before = usize::from(lane.is_live());
        let old = std::mem::replace(&mut lane.flow, flow);
        self.live = self.live - before + usize::from(lane.is_live());
        Some(old)
    }

    pub fn get(&self, id: usize) -> Option<&Lane<Q>> {
        self.lanes.get(&id)
    }

    pub fn get_mut(&mut self, id: usize) -> Option<&mut Lane<Q>> {
        self.lanes.get_mut(&id)
    }

    /// Notes that a lane was read just now.
    pub fn touch(&mut self, id: usize) {
        self.clock += 1;
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.used = self.clock;
        }
    }

    pub fn live_count(&self) -> usize {
        self.live
    }

    /// The live lanes that can be spared: those read longest ago, and of those that are still to be read the last.
    pub fn stalest_live(&self, count: usize) -> Vec<usize> {
        let live = self.lanes.iter().filter(|(_, lane)| lane.is_live());
        let place = |lane: &Lane<Q>| if lane.is_to_be_read() { u64::MAX - lane.asked } else { lane.used };
        let mut live: Vec<_> = live.map(|(id, lane)| (lane.is_to_be_read(), place(lane), *id)).collect();
        live.sort_unstable();
        live.into_iter().take(count).map(|(_, _, id)| id).collect()
    }

    /// A waiting lane, and those that were asked for after it, in that order.
    pub fn waiting_from(&self, id: usize, count: usize) -> Vec<usize> {
        let first = self.lanes.get(&id).map_or(0, |lane| lane.asked);
        let waiting = self.lanes.iter().filter(|(_, lane)| !lane.is_live() && lane.asked >= first);
        let mut waiting: Vec<_> = waiting.map(|(id, lane)| (lane.asked, *id)).collect();
        waiting.sort_unstable();
        waiting.into_iter().take(count).map(|(_, id)| id).collect()
    }

    /// Queues that are to be emptied for a while yet.
    pub fn ebbing(&self) -> impl Iterator<Item = &Q> {
        self.lanes.values().filter_map(|lane| match &lane.flow {
            Flow::Ebbing(queue) => Some(queue),
            Flow::Live(_) | Flow::Waiting => None,
        })
    }

    /// Forgets those queues.
    pub fn ebbed(&mut self) {
        for lane in self.lanes.values_mut().filter(|lane| matches!(lane.flow, Flow::Ebbing(_))) {
            lane.flow = Flow::Waiting;
        }
    }

    pub fn count(&self) -> usize {
        self.lanes.len()
    }
}

#[cfg(test)]
mod tests;
