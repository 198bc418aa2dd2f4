//! Partitions by number, so that an event can say where it stands in a few bytes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use cdc_mysql_sink::Origin;
use cdc_sdk::cut::Place;

/// The partitions that a sink reads, each with a number. Shared by who reads and who asks.
#[derive(Clone, Default)]
pub struct Streams(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    numbers: HashMap<(String, i32), u32>,
    places: Vec<(String, i32)>,
}

impl Streams {
    /// The number of a partition.
    pub fn number(&self, topic: &str, partition: i32) -> u32 {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (topic.to_owned(), partition);
        if let Some(number) = known.numbers.get(&place) {
            return *number;
        }
        let number = u32::try_from(known.places.len()).unwrap_or(u32::MAX);
        known.places.push(place.clone());
        known.numbers.insert(place, number);
        number
    }

    /// Where an event stands. A number that was never given stands for no topic.
    pub fn place(&self, origin: Origin) -> Place {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let index = usize::try_from(origin.stream).unwrap_or(usize::MAX);
        let (topic, partition) = known.places.get(index).cloned().unwrap_or_default();
        Place { topic, partition, offset: origin.offset }
    }
}
