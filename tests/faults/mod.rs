//! Faults at random moments under a random workload, and checkers that compare
//! with a model what comes of it. Each test prints its seed and a line of figures:
//! name, faults, faults by kind, transactions, looks at the destination, different
//! states seen, cuts, events, how often a process gave up, the slowest recovery, time.
//!
//! `CDC_SOAK_SECONDS` makes each run that long; `make soak` does.

mod instance;
mod looks;
mod model;
mod stage;
mod topics;
mod workload;

mod crashes;
