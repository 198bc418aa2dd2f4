//! Faults at random moments under a random workload, and checkers that compare
//! with a model what comes of it. Each test prints its seed and its figures.
//!
//! | part | what it is |
//! |---|---|
//! | `model`, `draft`, `workload`, `side` | what is written to the source, and what the source holds after each transaction |
//! | `looks` | is the destination a state of the source, at any moment? |
//! | `versions` | where sinks share the topics: does each row only go forward? |
//! | `topics`, `changes` | is each change in Kafka, once, in order? |
//! | `own`, `proxy`, `instance` | servers, connections and processes to which something can happen |
//! | `ground` | the servers that one or several worlds stand on |
//! | `fault` | what can happen |
//! | `plan`, `stage`, `report` | what a test is made of; all of it together; the figures |
//!
//! `CDC_TEST_SEED` gives the same workload and the same faults again, though not to
//! the millisecond. `make soak` runs everything together for `CDC_SOAK_MINUTES`.

mod model;
mod draft;
mod workload;
mod side;
mod looks;
mod versions;
mod topics;
mod changes;
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

mod crashes;
mod connections;
mod servers;
mod twins;
mod failover;
mod promoted;
mod silence;
mod full_disks;
mod clocks;
mod compaction;
mod soak;
