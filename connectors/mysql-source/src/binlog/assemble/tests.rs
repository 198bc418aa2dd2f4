//! Recorded logs, whole and damaged.

mod bench;
mod fuzz;
mod golden;
mod replay;
mod resume;
