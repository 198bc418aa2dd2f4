//! Faults at random moments under a random workload, and checkers that compare
//! with a model what comes of it. Each test prints its seed and its figures.
//!
//! | part | what it is |
//! |---|---|
//! | `grown`, `model`, `draft`, `workload`, `side` | what is written to the source, and what the source holds after each transaction |
//! | `looks` | is the destination a state of the source, at any moment? |
//! | `versions` | where sinks share the topics: does each row only go forward? |
//! | `commits` | the same of each transaction in the destination's own log |
//! | `harm` | is the source's server left alone, and does memory stay within its limit? |
//! | `topics`, `changes` | is each change in Kafka, once, in order? |
//! | `cuts` | is each cut a state of the source? |
//! | `fold`, `scene` | rows as numbers, for the two that go from one state to the next; what those are shown that is forged |
//! | `own`, `proxy`, `instance` | servers, connections and processes to which something can happen |
//! | `ground` | the servers that one or several worlds stand on |
//! | `fault` | what can happen |
//! | `planted`, `forged` | do the checkers find what they are for? |
//! | `plan`, `stage`, `report`, `tally` | what a test is made of; all of it together; the figures of a run, and of all long ones |
//!
//! `CDC_TEST_SEED` gives the same workload and the same faults again, though not to
//! the millisecond. `make soak` runs everything together for `CDC_SOAK_MINUTES`.

mod grown;
mod model;
mod draft;
mod workload;
mod side;
mod fold;
mod scene;
mod looks;
mod versions;
mod commits;
mod harm;
mod topics;
mod changes;
mod cuts;
mod disk;
pub mod own;
mod pair;
pub mod proxy;
mod clock;
mod ground;
mod instance;
mod fault;
mod plan;
mod stage;
mod report;
mod tally;

mod crashes;
mod connections;
mod servers;
mod twins;
mod failover;
mod promoted;
mod silence;
mod lost_commits;
mod full_disks;
mod clocks;
mod compaction;
mod planted;
mod forged;
mod soak;
