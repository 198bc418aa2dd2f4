//! What is larger than anything usual, made for real, and what memory the two processes
//! took: `make extremes`. Each case has servers and a broker of its own, removed at its end, and
//! up to 20 GB of disk meanwhile.
//!
//! | case | limit of each process |
//! |---|---|
//! | a transaction of 2 GB | 256 MiB, the default |
//! | rows of 64 MB: read by the snapshot, inserted, changed, deleted | that and five times the row |
//! | texts of 30,000,000 letters in latin1, which take twice that in UTF-8 | that and five times 60 MB |
//! | 10,000 tables | 256 MiB |
//! | a topic of 1,000 partitions | 256 MiB |
//! | a sink that is a million transactions behind | 256 MiB |
//! | a destination that stalls for three minutes | 256 MiB |
//!
//! One more is about time alone: 10,000 topics of one publisher, none of which waits for long.
//!
//! Peaks are the kernel's own (`VmHWM` in `/proc`): Linux only.
//! Both sides are compared at the end of each case. Smaller ones run with all tests (`e2e`).

mod backlog;
mod gauge;
mod row;
mod stage;
mod stall;
mod tables;
mod topics;
mod transaction;
mod wide;
