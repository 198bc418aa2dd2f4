//! Recorded logs, whole and damaged.

mod bench;
mod fuzz;
mod golden;
mod landmarks;
mod replay;
mod resume;
mod statements;
