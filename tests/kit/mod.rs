//! A private world for each test on the shared stack: its own databases, topic
//! prefix, sink name and settings files, so that all tests run at once.

mod compare;
mod connect;
pub mod dump;
pub mod http;
mod leftovers;
mod process;
mod server;
mod world;

pub use compare::differences;
pub use connect::Connect;
pub use process::{Process, RESTART_MAY_MEND, peak_rss};
pub use server::Server;
pub use world::{Options, World, connect, variable};

use std::time::{Duration, Instant};

/// How long a condition may take on a busy machine before a test fails.
pub const LIMIT: Duration = Duration::from_secs(120);

/// Waits until the condition holds, at most [`LIMIT`].
pub async fn until(what: &str, condition: impl AsyncFnMut() -> bool) {
    until_within(what, LIMIT, condition).await;
}

/// Waits until the condition holds, at most that long.
pub async fn until_within(what: &str, limit: Duration, mut condition: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < limit, "waited {} s in vain: {what}", limit.as_secs());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The seed in `CDC_TEST_SEED`, else one by the clock.
pub fn seed() -> u64 {
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let seed = std::env::var("CDC_TEST_SEED").ok().and_then(|s| s.parse().ok());
    seed.unwrap_or(clock.as_nanos() as u64) | 1
}

/// Random numbers from a printed seed, so that a failure can be run again.
pub struct Dice(u64);

impl Dice {
    /// Dice seeded by `CDC_TEST_SEED`, else by the clock; the seed is printed.
    pub fn new(test: &str) -> Self {
        let seed = seed();
        println!("{test}: CDC_TEST_SEED={seed}");
        Self::of(seed)
    }

    /// Dice with that seed.
    pub fn of(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// 64 random bits (xorshift64*).
    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        (self.bits() >> 16) % bound
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// One of two.
    pub fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
}
