//! Events follow their cut: how long that may take, and what it means where none come.
//!
//! Kafka commits both at once, but shows partitions one after the other: an event stays hidden until the marker is written
//! in its own partition. So one that does not come may still come. Once nothing in the partition is hidden any
//! more, what is not there does not: retention took it with all that came before it, and since nothing came after it, no
//! record is left whose stamp would tell.

use std::time::{Duration, Instant};

use cdc_sdk::cut::Touched;
use cdc_sdk::{CutId, Error, Kind, Result};

use crate::kafka::Events;

/// How long the next event may take.
const FOLLOW: Duration = Duration::from_secs(120);

/// How often it is looked meanwhile whether there is one at all.
const LOOK: Duration = Duration::from_secs(10);

/// A wait for the next event of a partition.
pub struct Arrival {
    since: Instant,
    looks: u32,
}

impl Arrival {
    /// One that begins now.
    pub fn begin() -> Self {
        Self { since: Instant::now(), looks: 0 }
    }

    /// Refuses to wait on for what does not come.
    ///
    /// # Errors
    /// [`Kind::EventsMissing`] where it is gone, [`Kind::KafkaUnreachable`] where it takes too long, or nobody can be asked.
    pub fn refuse_long(&mut self, events: &Events, cut: CutId, touched: &Touched) -> Result<()> {
        let waited = self.since.elapsed();
        let place = format!("{}/{}", touched.topic, touched.partition);
        if waited >= FOLLOW {
            let what = format!("events of cut {cut} do not arrive from {place}");
            return Err(Error::new(Kind::KafkaUnreachable, what).detail(format!(
                "waited {} s for {} events",
                FOLLOW.as_secs(),
                touched.events
            )));
        }
        if waited < LOOK * (self.looks + 1) {
            return Ok(());
        }
        self.looks += 1;
        match events.is_through(&touched.topic, touched.partition)? {
            true => Err(gone(cut, &place)),
            false => Ok(()),
        }
    }
}

fn gone(cut: CutId, place: &str) -> Error {
    Error::new(Kind::EventsMissing, format!("events of cut {cut} are missing"))
        .detail(format!("{place} has no record left that was not read"))
        .hint(
            "retention took them, or somebody deleted them: ask for a snapshot for this sink alone (cdc snapshot -c FILE \
             --for-me), or restore the destination with its ledger from a backup",
        )
}
