//! What a batch writes to, and whether two batches meet there.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::sync::Arc;

use cdc_sdk::{Op, Table, TableName};
use foldhash::{fast, quality};

use crate::batch::Change;
use crate::tables::{Plan, address};

/// What a batch writes to.
pub(super) struct Reach {
    /// Hashes of target and key.
    keys: HashSet<u64, fast::RandomState>,
    /// The schema with which each target is written; `None`: the whole target counts.
    targets: HashMap<TableName, Option<usize>>,
    /// By schema.
    pub plans: HashMap<usize, Arc<Plan>>,
}

impl Reach {
    /// Whether both write something that the other writes.
    pub fn meets(&self, other: &Self) -> bool {
        let same = |(target, schema): (&TableName, &Option<usize>)| {
            other.targets.get(target).is_some_and(|theirs| schema.is_none() || theirs != schema)
        };
        let (few, many) = match self.keys.len() < other.keys.len() {
            true => (&self.keys, &other.keys),
            false => (&other.keys, &self.keys),
        };
        self.targets.iter().any(same) || few.iter().any(|key| many.contains(key))
    }
}

/// The same while a batch's changes are looked through.
pub(super) struct Reaching {
    hasher: quality::RandomState,
    schemas: HashMap<usize, Schema, fast::RandomState>,
    keys: HashSet<u64, fast::RandomState>,
}

/// A schema of the changes.
struct Schema {
    plan: Arc<Plan>,
    /// The hash of its target.
    target: u64,
    /// Whether the target counts as a whole.
    whole: bool,
}

impl Reaching {
    /// Of so many changes at most.
    pub fn new(hasher: quality::RandomState, changes: usize) -> Self {
        let keys = HashSet::with_capacity_and_hasher(changes, fast::RandomState::default());
        Self { hasher, schemas: HashMap::default(), keys }
    }

    /// Adds a change; false, and not added, where its schema has not been met.
    pub fn add<R>(&mut self, change: &Change<R>) -> bool {
        let Some(schema) = self.schemas.get_mut(&address(&change.table)) else { return false };
        schema.whole |= change.op == Op::Read && schema.plan.can_collide();
        self.keys.insert(self.hasher.hash_one((schema.target, &change.key)));
        true
    }

    /// Tells how rows of a schema are written.
    pub fn meet(&mut self, table: &Arc<Table>, plan: Arc<Plan>) {
        let (target, whole) = (self.hasher.hash_one(&plan.target), !table.key_follows_identity());
        self.schemas.insert(address(table), Schema { plan, target, whole });
    }

    /// All that was added.
    pub fn reach(self) -> Reach {
        let mut reach = Reach { keys: self.keys, targets: HashMap::new(), plans: HashMap::new() };
        for (address, Schema { plan, whole, .. }) in self.schemas {
            let of_one = reach.targets.entry(plan.target.clone()).or_insert(Some(address));
            if whole || *of_one != Some(address) {
                *of_one = None;
            }
            reach.plans.insert(address, plan);
        }
        reach
    }
}
